"""Tests of slimming. Public: small layers. Hidden: zeros that are exact, empty layers, and the outputs of pairs of layers."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_tuple

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.2)
def test_two_steps_by_hand(submission):
    """The two examples of the statement."""
    found = submission.pulled(np.array([0.5, 0.5]), np.array([1.0, 4.0]), 0.1, 2.0)
    expect_close(found, [0.2, 0], "first the step of the loss, then towards 0 by lr * strength, but not beyond")


@pytest.mark.public
@pytest.mark.points(0.1)
def test_which_channels_stay(submission):
    """A channel with gamma 0 goes."""
    (found,) = expect_tuple(submission.kept_channels([np.array([0.2, 0.0, -0.1])]), 1)
    assert expect_array(found, (3,), "bool").tolist() == [True, False, True], "True where gamma is not 0"


NAMES = "weight", "gamma", "beta", "mean", "var"


@pytest.mark.public
@pytest.mark.points(0.2)
def test_one_of_two_channels_goes(submission):
    """The channel that goes always says 3, and the reader's weight for it is 2."""
    parts = np.array([[1.0, 5.0]]), np.array([1.0, 0.0]), np.array([0.5, 3.0]), np.zeros(2), np.ones(2)
    layer = dict(zip(NAMES, parts, strict=True))
    answer = submission.slim(layer, np.array([[7.0], [2.0]]), np.array([1.0]), np.array([True, False]))
    small, reader, bias = expect_tuple(answer, 3)
    assert isinstance(small, dict) and set(small) == set(NAMES), "the layer is a dict with the same keys"
    expect_close(small["weight"], [[1]], "the second column goes")
    expect_close(reader, [[7]], "the second row goes")
    expect_close(bias, [7], "1 + 3 * 2: what the channel always said becomes a part of the bias")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_steps_of_any_sign(submission, rng):
    """Positive and negative factors and gradients; the pull acts on the size, whatever the sign."""
    for lr, strength in (0.1, 0.5), (1.0, 0.2), (0.05, 0.0):
        gamma, grad = rng.normal(size=40), rng.normal(size=40)
        found = expect_array(submission.pulled(gamma, grad, lr, strength), (40,), "float")
        expected = [g - lr * d for g, d in zip(gamma, grad, strict=True)]
        expected = [
            g - lr * strength if g > lr * strength else g + lr * strength if g < -lr * strength else 0 for g in expected
        ]
        expect_close(found, expected, "after the loss's step, its size shrinks by lr * strength; its sign stays")


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_zeros_are_exact(submission, rng):
    """What does not reach beyond the pull is exactly 0, in float32, too, and stays there without a gradient."""
    gamma, grad = (0.1 * rng.uniform(-1, 1, 30)).astype(np.float32), rng.uniform(-0.5, 0.5, 30).astype(np.float32)
    large = rng.permutation(30) < 15
    gamma[large] += 5
    found = expect_array(submission.pulled(gamma, grad, 0.1, 3.0), (30,), "float")
    assert np.array_equal(found > 4, large) and not found[~large].any(), (
        "a small factor lands on 0, and does not jump to the other side"
    )
    again = expect_array(submission.pulled(found, 0 * grad, 0.1, 3.0), (30,), "float")
    assert not again[~large].any(), "a factor of 0 stays there if the loss does not move it"
    if found.dtype != np.float32 or submission.changed:
        raise Partial(0.5, "the result is a new array with the dtype of gamma")


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_channels_of_several_layers(submission, rng):
    """Layers of different widths, with tiny and negative factors."""
    gammas = [rng.normal(size=n) * rng.integers(0, 2, n) for n in (9, 5, 14)]
    for gamma in gammas:
        gamma[int(rng.integers(len(gamma)))] = -1e-9
    found = expect_tuple(submission.kept_channels(gammas), 3)
    for mask, gamma in zip(found, gammas, strict=True):
        same = np.array_equal(expect_array(mask, gamma.shape, "bool"), gamma != 0)
        assert same, "a channel stays if its factor is not 0, whatever its sign and size"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_a_layer_that_would_be_empty(submission, rng):
    """It keeps its first channel; others are not affected."""
    sizes = rng.integers(2, 9, 3).tolist()
    empty = int(rng.integers(3))
    gammas = [np.zeros(n) if k == empty else np.arange(n) * 0.1 for k, n in enumerate(sizes)]
    found = expect_tuple(submission.kept_channels(gammas), 3)
    for k, (mask, n) in enumerate(zip(found, sizes, strict=True)):
        expected = np.arange(n) == 0 if k == empty else np.arange(n) > 0
        assert np.array_equal(expect_array(mask, (n,), "bool"), expected), (
            "nothing passes through a layer without channels"
        )


def outputs(layer, reader, bias, x):
    z = layer["gamma"] * (x @ layer["weight"] - layer["mean"]) / np.sqrt(layer["var"] + 1e-5) + layer["beta"]
    return np.maximum(z, 0) @ reader + bias


@pytest.mark.hidden
@pytest.mark.points(2)
def test_removed_without_a_trace(submission, rng):
    """No output changes, for constants above and below 0; nothing may be removed, or all channels but one."""
    changed = False
    for zeros in (1, 4), (), (0, 1, 2, 3, 5):
        gamma = rng.normal(size=6)
        gamma[list(zeros)] = 0
        parts = rng.normal(size=(7, 6)), gamma, rng.normal(size=6), rng.normal(size=6), rng.uniform(0.5, 2, 6)
        layer, kept = dict(zip(NAMES, parts, strict=True)), gamma != 0
        layer["beta"][4] = -3
        reader, bias, x = rng.normal(size=(6, 3)), rng.normal(size=3), rng.normal(size=(20, 7))
        small, rows, constant = expect_tuple(submission.slim(layer, reader, bias, kept), 3)
        changed |= bool(submission.changed)
        assert isinstance(small, dict) and set(small) == set(NAMES), "the layer is a dict with the same keys"
        for name in NAMES:
            expect_close(
                small[name], layer[name][..., kept], f"{name} keeps the columns of the channels that stay", 0, 0
            )
        expect_close(rows, reader[kept], "the reader keeps the rows of the channels that stay", 0, 0)
        message = "a channel with gamma 0 says relu(beta), times its row of the reader"
        expect_close(
            outputs(small, rows, expect_array(constant, (3,), "float"), x), outputs(layer, reader, bias, x), message
        )
    if changed:
        raise Partial(0.8, "the net before is still needed: change no argument")
