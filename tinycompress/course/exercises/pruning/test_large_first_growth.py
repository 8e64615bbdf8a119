"""Tests of large_first_growth. Public: the statement's example. Hidden: layers of many kinds, budgets, and whole growths."""

import numpy as np
import pytest

from tinycompress.course import (
    Partial,
    SubmissionProblem,
    expect_array,
    expect_close,
    expect_error,
    expect_number,
    expect_tuple,
)

MAY_IMPORT = ("engine",)


def like(value, layers):
    """The arrays of the answer, of the same shapes as `layers`."""
    found = expect_tuple(value, len(layers))
    return [expect_array(part, layer.shape, "float") for part, layer in zip(found, layers, strict=True)]


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_neurons_of_the_statement(submission):
    """Neuron 1 is copied twice."""
    weight, bias, reader = np.array([[1.0, 3.0]]), np.array([0.5, 0.25]), np.array([[5.0], [6.0]])
    found = submission.widened(weight, bias, reader, np.array([1, 1]))
    expected = np.array([[1.0, 3, 3, 3]]), np.array([0.5, 0.25, 0.25, 0.25]), np.array([[5.0], [2], [2], [2]])
    for part, value in zip(like(found, expected), expected, strict=True):
        expect_close(part, value, "the reader divides by the number of times that the neuron is there: 6 / 3")


@pytest.mark.public
@pytest.mark.points(0.15)
def test_noise_on_the_new_neuron(submission):
    """The standard deviation of 1, 3, 1, 3 is 1."""
    found = submission.parted(np.array([[1.0, 3.0], [1.0, 3.0]]), 1, 0.5, np.array([[2.0], [-2.0]]))
    expect_close(found, [[1, 4], [1, 2]], "old neurons stay as they are; new ones get noise * 1 * z")


@pytest.mark.public
@pytest.mark.points(0.15)
def test_epochs_to_check_by_hand(submission):
    """An epoch of 4-2-3 costs 14, one of 4-5-3 costs 35; 100 - 2 * 14 = 72 pays for two."""
    found = expect_number(submission.epochs_left(4, 3, [2], [5], 100, 2))
    assert found == 2, "4 * 2 + 2 * 3 multiplications; only whole epochs count"


def wide(weight, bias, reader, copies):
    """The definition, neuron by neuron."""
    source = [*range(len(bias)), *(int(c) for c in copies)]
    rows = [reader[..., k, :] / source.count(k) for k in source]
    columns = np.stack([weight[..., k] for k in source], -1)
    return columns, np.array([bias[k] for k in source], bias.dtype), np.stack(rows, -2).astype(reader.dtype)


def compared(submission, weight, bias, reader, copies, message):
    """Check one layer, and return whether its dtypes and arguments are as they should be."""
    expected = wide(weight, bias, reader, copies)
    found = like(submission.widened(weight, bias, reader, copies), expected)
    unchanged = not submission.changed
    expect_close(found[0], expected[0], "a copy has the incoming weights of its neuron, after all old ones", 0, 0)
    expect_close(found[1], expected[1], "a copy has the bias of its neuron, which is not divided", 0, 0)
    expect_close(found[2], expected[2], message, 1e-6, 0)
    return unchanged and all(a.dtype == b.dtype for a, b in zip(found, expected, strict=True))


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_dense_layers(submission, rng):
    """Some neurons are copied several times, others never. The net computes the same."""
    right = True
    for inputs, neurons, outputs, new in (6, 5, 4, 7), (1, 9, 3, 4), (8, 2, 1, 9):
        layer = rng.normal(size=(inputs, neurons)), rng.normal(size=neurons), rng.normal(size=(neurons, outputs))
        copies = rng.integers(0, neurons, new)
        right &= compared(
            submission, *layer, copies, "all rows of a neuron, the old one too, are divided by their number"
        )
    if not right:
        raise Partial(0.7, "the small net is still needed: change no argument")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_convolutions(submission, rng):
    """Channels are the last axis of a kernel, and the last but one of its reader's."""
    right = True
    for size in (3, 3), (1, 2):
        channels = int(rng.integers(3, 6))
        layer = rng.normal(size=(*size, 2, channels)), rng.normal(size=channels), rng.normal(size=(3, 2, channels, 5))
        copies = rng.integers(0, channels, 4)
        layer = [part.astype(np.float32) for part in layer]
        right &= compared(submission, *layer, copies, "the reader's channels are its last axis but one")
    if not right:
        raise Partial(0.6, "a layer of float32 is still one when it is wide")


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_no_copies_and_only_one_neuron(submission, rng):
    """Nothing to copy, and copies of a single neuron."""
    for neurons, copies in (4, np.zeros(0, np.int64)), (1, np.zeros(5, np.int64)):
        layer = rng.normal(size=(3, neurons)), rng.normal(size=neurons), rng.normal(size=(neurons, 2))
        compared(submission, *layer, copies, "each weight is divided by how often its neuron is there")


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_noise_on_many_weights(submission, rng):
    """Dense layers and convolutions; the spread is that of the given weight, and old neurons keep theirs exactly."""
    changed = False
    for shape, before in ((9, 7), 4), ((3, 3, 2, 6), 5), ((4, 3), 3), ((2, 5), 1):
        weight, noise = 3 + rng.uniform(0.1, 5) * rng.normal(size=shape), float(rng.uniform(0.05, 0.5))
        z = rng.normal(size=(*shape[:-1], shape[-1] - before))
        found = expect_array(submission.parted(weight, before, noise, z), shape, "float")
        changed |= bool(submission.changed)
        expect_close(found[..., :before], weight[..., :before], "old neurons get no noise", 0, 0)
        spread = np.sqrt(np.mean((weight - weight.mean()) ** 2))
        message = "added is noise * s * z, with s the standard deviation of all numbers in the weight"
        expect_close(found[..., before:], weight[..., before:] + noise * spread * z, message, 1e-9, 0)
    if changed:
        raise Partial(0.7, "return a copy of the weight")


def weights_of(inputs, widths, classes):
    total, last = 0, inputs
    for width in [*widths, classes]:
        total, last = total + last * width, width
    return total


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_budgets_of_many_nets(submission, rng):
    """Nets of up to three hidden layers; budgets that are spent exactly, and some beyond 2**53."""
    for depth, before in (1, 3), (3, 7), (2, 0), (0, 2):
        inputs, classes = (int(n) for n in rng.integers(3, 900, 2))
        small, large = (rng.integers(2, 50 * k, depth).tolist() for k in (1, 4))
        one, other = weights_of(inputs, small, classes), weights_of(inputs, large, classes)
        after = int(rng.integers(1, 50))
        for factor in 1, 10**11:
            exact = before * one + after * factor * other
            for allowed, expected in (exact, after * factor), (exact - 1, after * factor - 1):
                found = expect_number(submission.epochs_left(inputs, classes, small, large, allowed, before))
                assert isinstance(found, int) and found == expected, (
                    "pay for the small net's epochs first; the rest pays for whole epochs, in exact integers"
                )


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_budgets_that_are_too_small(submission, rng):
    """Exactly enough for the small net leaves no epochs, and less raises ValueError."""
    inputs, small, large = int(rng.integers(5, 99)), [int(rng.integers(3, 30))], [int(rng.integers(40, 90))]
    cost = 6 * weights_of(inputs, small, 10)
    found = expect_number(submission.epochs_left(inputs, 10, small, large, cost, 6))
    assert found == 0, "the budget may be spent to the last multiplication"
    message = "raise ValueError if the small net's epochs cost more than what is allowed"
    expect_error(ValueError, submission.epochs_left, inputs, 10, small, large, cost - 1, 6, message=message)
    power = int(rng.integers(30, 34))
    huge, message = (
        [2**power, 2 ** (63 - power)],
        "2**63 does not fit into NumPy's integers, but Python's have no limit",
    )
    assert expect_number(submission.epochs_left(inputs, 10, small, huge, cost + 1, 6)) == 0, message
    expect_error(ValueError, submission.epochs_left, inputs, 10, huge, large, cost, 1, message=message)


def trained(net, x, labels, steps, lr):
    """The same training by hand."""
    w1, b1, w2, b2 = net
    for _ in range(steps):
        active = np.maximum(x @ w1 + b1, 0)
        z = np.exp(active @ w2 + b2)
        error = (z / z.sum(1, keepdims=True) - np.eye(w2.shape[1])[labels]) / len(x)
        back = error @ w2.T * (active > 0)
        w1, b1 = w1 - lr * x.T @ back, b1 - lr * back.sum(0)
        w2, b2 = w2 - lr * active.T @ error, b2 - lr * error.sum(0)
    return [w1, b1, w2, b2]


def noisy(weight, before, noise, z):
    return np.concatenate([weight[..., :before], weight[..., before:] + noise * weight.std() * z], -1)


def composed(widen, part, net, x, labels, steps, lr, copies, noise, z):
    """The whole growth, with any `widened` and `parted`."""
    w1, b1, w2, b2 = trained(net, x, labels, steps[0], lr)
    w, b1, w2 = widen(w1, b1, w2, copies)
    return trained([part(w, w1.shape[1], noise, z), b1, w2, b2], x, labels, steps[1], lr)


def by_own_parts(submission, found, arguments):
    """Whether the student's own `widened` and `parted` lead to this net."""
    try:
        own = composed(submission.widened, submission.parted, *arguments)
        return all(np.allclose(a, b, 1e-4, 1e-6) for a, b in zip(found, own, strict=True))
    except (SubmissionProblem, TypeError, ValueError, AttributeError, LookupError):
        return False


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_whole_growths(submission, rng):
    """Training, widening, noise, and training. Your own `widened` and `parted` count as right here."""
    changed = False
    for steps, noise in ((5, 0), 0.2), ((4, 9), 0.1), ((0, 6), 0.3):
        net = [0.6 * rng.normal(size=shape) for shape in ((5, 6), (6,), (6, 3), (3,))]
        x, labels = rng.normal(size=(25, 5)), rng.integers(0, 3, 25)
        copies = rng.integers(0, 6, 4)
        arguments = net, x, labels, steps, 0.5, copies, noise, rng.normal(size=(5, 4))
        expected = composed(wide, noisy, *arguments)
        found = like(submission.grown(*arguments), expected)
        changed |= bool(submission.changed)
        if not all(np.allclose(a, b, 1e-4, 1e-6) for a, b in zip(found, expected, strict=True)):
            message = "train the small net, widen it, add the noise to the new neurons of w1, and train on"
            assert by_own_parts(submission, found, arguments), message
    if changed:
        raise Partial(0.7, "change no argument")
