"""Files that are damaged, absurd, slow or cheating: one clear line each, within bounded time and memory."""

import time
import zlib
from dataclasses import replace

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import nn
from tinycompress.challenge import judge as judging
from tinycompress.challenge.judge import Refused, judge, read_hand_in
from tinycompress.challenge.rules import Rules
from tinycompress.challenge.worker import MOST_NUMBERS, predictions
from tinycompress.quantization import tcz

RULES = Rules("t", "accuracy", seconds=60)
MUTATIONS = 300  # of the 10,000 and more that are tried by hand with other seeds
RNG = np.random.default_rng(0)


def with_checksum(body) -> bytes:
    return bytes(body) + zlib.crc32(bytes(body)).to_bytes(4, "little")


def mutated(data, rng) -> bytes:
    """Some bytes changed, inserted or missing, mostly near the beginning, where the structure is."""
    body = bytearray(data[:-4])
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(min(len(body), 60 if rng.random() < 0.7 else len(body))))
        how = rng.integers(4)
        if how == 0:
            body[place] = int(rng.integers(256))
        elif how == 1:
            body[place] ^= 1 << int(rng.integers(8))
        elif how == 2:
            body[place:place] = rng.bytes(int(rng.integers(1, 6)))
        else:
            del body[place : place + int(rng.integers(1, 6))]
    return with_checksum(body)


def net_of(*layers, shape=(8, 8, 1)) -> bytes:
    return tcz.to_bytes(nn.Sequential(*layers, input_shape=shape))


def test_mutated_files_are_refused_or_predict(data, trained):
    exits = tc.dynamic.add_exits(tc.models.convnet(data.image_shape, 10, (2, 3), rng=RNG), [3], rng=RNG)
    files, x, rng = [tcz.to_bytes(trained), tcz.to_bytes(exits)], data.x_test[:5], np.random.default_rng(0)
    answered, slowest = 0, 0.0
    for i in range(MUTATIONS):
        start = time.perf_counter()
        try:
            found = predictions(mutated(files[i % 2], rng), x, 10, 0.9)
            assert len(found["classes"]) == 5 and np.isfinite(found["costs"]).all()
            answered += 1
        except Refused as why:
            assert str(why) and "\n" not in str(why)
        slowest = max(slowest, time.perf_counter() - start)
    assert 0 < answered < MUTATIONS and slowest < 10


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "not a .tcz file"),
        (b"\x80\x04pickle", "not a .tcz file"),
        (net_of(nn.Flatten(), nn.Dense(64, 9, rng=RNG)), r"one per class"),
        (net_of(nn.Flatten(), nn.Dense(81, 10, rng=RNG), shape=(9, 9, 1)), "expects images of shape"),
        (net_of(nn.Conv2d(1, 10, 3, rng=RNG)), "one per class"),
        (tcz.to_bytes(nn.Sequential(nn.Flatten(), nn.Dense(9, 10, rng=RNG))), "do not fit together"),
        (net_of(nn.Conv2d(1, 1, 99, padding=98, rng=RNG), nn.GlobalAvgPool(), nn.Dense(1, 10, rng=RNG)), "pads by 98"),
    ],
    ids=["empty", "pickle", "9 classes", "other images", "no classes", "misfit", "padding"],
)
def test_what_cannot_be_judged_is_refused_with_the_reason(content, words, data):
    with pytest.raises(Refused, match=words):
        predictions(content, data.x_test, 10, 0.9)


def test_numbers_that_are_not_finite_are_refused(data):
    dense = nn.Dense(64, 10, rng=RNG)
    dense.weight.data[:] = 3e38
    with pytest.raises(Refused, match="not finite"):
        predictions(net_of(nn.Flatten(), dense), data.x_test, 10, 0.9)


def test_a_net_that_does_not_say_its_input_shape_is_limited_like_any_other(data):
    wide = [nn.Conv2d(1, 1, 61, padding=60, rng=RNG), nn.PointwiseConv2d(1, 1000, rng=RNG)]
    assert (8 + 60) ** 2 * 1000 > MOST_NUMBERS
    with pytest.raises(Refused, match="numbers per image"):
        predictions(tcz.to_bytes(nn.Sequential(*wide)), data.x_test, 10, 0.9)
    plain = nn.Sequential(nn.Flatten(), nn.Dense(64, 10, rng=RNG))
    assert predictions(tcz.to_bytes(plain), data.x_test, 10, 0.9)["costs"] == [640]


def constant(*layers) -> bytes:
    """The file of a net whose weights are all equal, so that it takes next to no bytes."""
    for layer in layers:
        if hasattr(layer, "weight"):
            layer.weight.data[:] = 1e-3
    return net_of(*layers, nn.GlobalAvgPool(), nn.Dense(layers[-1].weight.shape[-1], 10, rng=RNG))


def test_a_net_that_is_slow_on_purpose_ends_at_the_limit(data):
    wide = (nn.Conv2d(200, 200, 5, padding="same", rng=RNG) for _ in range(4))
    content = constant(nn.Conv2d(1, 1, 61, padding=60, rng=RNG), nn.PointwiseConv2d(1, 200, rng=RNG), *wide)
    assert len(content) < 9000 and tcz.from_bytes(content).summary().macs > 10**10
    start = time.monotonic()
    with pytest.raises(Refused, match="more than the 8 s that it may take"):
        judge(content, data.x_test, 10, replace(RULES, seconds=8))
    assert time.monotonic() - start < 30


def test_a_net_that_takes_much_memory_is_refused(data):
    pytest.importorskip("resource")
    content = constant(nn.PointwiseConv2d(1, 980, rng=RNG), nn.Conv2d(980, 1, 65, stride=64, padding=64, rng=RNG))
    rules = replace(RULES, memory_mib=640)
    with pytest.raises(Refused, match="needs more than the 640 MiB"):
        judge(content, data.x_test, 10, rules)
    assert judge(constant(nn.PointwiseConv2d(1, 2, rng=RNG)), data.x_test, 10, rules)


def test_more_bytes_than_allowed_never_reach_the_process(monkeypatch, data):
    monkeypatch.setattr(judging, "_run", None)
    with pytest.raises(Refused, match="1,001 bytes, 1 more than the 1,000 allowed"):
        judge(bytes(1001), data.x_test, 10, replace(RULES, most_bytes=1000))


@pytest.mark.parametrize(
    "program", ["import os; os.kill(os.getpid(), 9)", "print('{')", "raise SystemExit(3)", "1 / 0"]
)
def test_a_process_that_ends_without_an_answer_refuses_the_hand_in(program, monkeypatch, tmp_path, data):
    stand_in = tmp_path / "python"
    stand_in.write_text(f'#!/bin/sh\nexec "{judging.sys.executable}" -c "{program}"\n')
    stand_in.chmod(0o755)
    monkeypatch.setattr(judging.sys, "executable", str(stand_in))
    with pytest.raises(Refused, match="ended its process|could not be judged"):
        judge(b"TCZ", data.x_test, 10, RULES)


def test_a_file_in_the_current_folder_is_not_imported(monkeypatch, tmp_path, hand_in, data):
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert (judge(hand_in, data.x_test, 10, RULES).classes == data.y_test).mean() > 0.8


def test_only_regular_files_of_some_size_are_read(tmp_path, monkeypatch):
    with pytest.raises(Refused, match="not a regular file"):
        read_hand_in(tmp_path)
    if hasattr(judging.os, "mkfifo"):
        judging.os.mkfifo(tmp_path / "pipe")
        with pytest.raises(Refused, match="not a regular file"):
            read_hand_in(tmp_path / "pipe")
    monkeypatch.setattr(judging, "MOST_BYTES", 10)
    (tmp_path / "file").write_bytes(bytes(11))
    with pytest.raises(Refused, match="more than 10 bytes"):
        read_hand_in(tmp_path / "file")
