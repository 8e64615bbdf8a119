"""Cheats that know the tests: parts that do nothing and agree with each other, and answers that are kept for later."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinycompress.course.exercise import find_exercises, load_module
from tinycompress.course.run import run_tests
from tinycompress.course.sandbox.submission import InProcess


def earned(name, **functions):
    """What these functions earn in each test."""
    (exercise,) = find_exercises([name])
    results = run_tests(
        exercise, InProcess(SimpleNamespace(__file__="cheat.py", **functions), limited=True), "a secret"
    )
    return {result.name: result.earned for result in results}


def nowhere(weight, *_):
    return np.zeros(weight.shape, bool)


def copy(weight, *_):
    return weight.copy()


def without_dropping(weights, x, labels, steps, lr, *_):
    w1, w2 = weights
    for _ in range(steps):
        h = np.maximum(x @ w1, 0)
        z = np.exp(h @ w2)
        error = (z / z.sum(1, keepdims=True) - np.eye(w2.shape[1])[labels]) / len(x)
        w1, w2 = w1 - lr * x.T @ (error @ w2.T * (h > 0)), w2 - lr * h.T @ error
    return [w1, w2]


def unpruned(weights, biases, x, labels, shares):
    """The whole net's score everywhere, by the exercise's own helper."""
    logits = load_module(find_exercises(["sensitivity_scan"])[0].solution)._logits
    right = (logits(weights, biases, x).argmax(1) == labels).sum()
    return np.full((len(weights), len(shares)), right, np.int64)


def zeros(x, *_):
    return np.zeros((7, 9), np.int64)


IDLE = {
    "targeted_dropout": {"targets": nowhere, "dropped": copy, "dropped_neurons": copy, "train": without_dropping},
    "peak_memory": {"last_uses": lambda reads: [10**6] * len(reads), "peak": lambda sizes, reads: sum(sizes)},
    "sensitivity_scan": {"pruned": copy, "scan": unpruned},
    "integer_layer": {
        "quantized": lambda *_: (np.zeros(1), 1.0, np.zeros(1)),
        "fixed_point": lambda *_: (1, 1),
        **dict.fromkeys(("accumulate", "rescale", "integer_layer"), zeros),
    },
}


@pytest.mark.parametrize("name", IDLE)
def test_parts_that_do_nothing_do_not_count_as_right_though_they_agree(name):
    assert sum(earned(name, **IDLE[name]).values()) <= 0.2  # a public case in which nothing is to be done


def test_a_slow_answer_that_is_kept_for_the_next_call_is_still_slow():
    solution = load_module(find_exercises(["fast_decode"])[0].solution)
    kept = {}

    def decode(packed, counts, symbols, count):
        key = packed.tobytes(), counts.tobytes(), count
        if key not in kept:
            kept[key] = slowly(np.unpackbits(packed).tolist(), counts.tolist(), symbols, count)
        return kept[key]

    points = earned("fast_decode", tables=solution.tables, decode=decode)
    assert points["test_messages_of_any_code"] == 2.4 and points["test_ten_times_as_fast_as_the_loop"] < 2.5


def test_a_file_that_is_far_too_long_is_not_unpacked_bit_by_bit(monkeypatch):
    solution = load_module(find_exercises(["whole_file"])[0].solution)
    unpack, most = np.unpackbits, []

    def padded(values, symbols):
        return np.append(solution.write(values, symbols), np.zeros(1 << 17, np.uint8))

    def unpackbits(data):
        most.append(len(data))
        if len(data) > 50_000:
            raise MemoryError
        return unpack(data)

    monkeypatch.setattr(np, "unpackbits", unpackbits)
    assert earned("whole_file", write=padded)["test_files_can_be_read_and_are_small"] == 0
    assert max(most) <= 50_000


def slowly(bits, counts, symbols, count):
    found, place = [], 0
    while len(found) < count:
        code = first = index = length = 0
        while not length or code - counts[length] >= first:
            if length:
                index, first = index + counts[length], first + counts[length] << 1
                code <<= 1
            length += 1
            if length >= len(counts) or place >= len(bits):
                raise ValueError
            code, place = code | bits[place], place + 1
        found.append(symbols[index + code - first])
    return np.array(found, np.int64)
