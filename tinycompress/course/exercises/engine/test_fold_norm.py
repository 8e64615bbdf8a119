"""Tests of fold_norm. Public: the statement's channel. Hidden: layers of several kinds, dtypes, and padding."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_tuple

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.1)
def test_one_channel_as_a_line(submission):
    """y = 3 z - 5."""
    arguments = (np.array([value]) for value in (6.0, 1.0, 2.0, 4.0))
    factor, summand = expect_tuple(submission.as_line(*arguments, 0.0), 2)
    expect_close(factor, [3], "gamma / sqrt(var + eps)")
    expect_close(summand, [-5], "beta - 3 * mean")


@pytest.mark.public
@pytest.mark.points(0.1)
def test_one_channel_after_a_layer(submission):
    """The weight 10 becomes 30, the bias 1 becomes -2."""
    weight, bias = expect_tuple(
        submission.fold_after(np.array([[10.0]]), np.ones(1), np.array([3.0]), np.array([-5.0])), 2
    )
    expect_close(weight, [[30]], "y = 3 (10 x + 1) - 5")
    expect_close(bias, [-2], "the factor multiplies the old bias, too")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_one_channel_before_a_layer(submission):
    """10 (3 x - 5) + 1."""
    arguments = np.full((1, 1, 1, 1), 10.0), np.ones(1), np.array([3.0]), np.array([-5.0]), 0
    weight, bias = expect_tuple(submission.fold_before(*arguments), 2)
    expect_close(weight, [[[[30]]]], "the factor multiplies the weight")
    expect_close(bias, [-49], "the summand goes through the weight into the bias")


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_lines_of_any_norm(submission, rng):
    """Several channels, an eps that matters, float32 statistics."""
    exact = True
    for channels, eps in (5, 1e-5), (3, 0.5), (1, 1.0):
        gamma, beta, mean = rng.normal(size=(3, channels)).astype(np.float32)
        var = rng.uniform(0.01, 2, channels).astype(np.float32)
        factor, summand = expect_tuple(submission.as_line(gamma, beta, mean, var, eps), 2)
        z = rng.normal(size=(9, channels))
        expected = gamma * (z - mean) / np.sqrt(var.astype(float) + eps) + beta
        found = z * expect_array(factor, (channels,), "float", "factor") + expect_array(
            summand, (channels,), "float", "summand"
        )
        expect_close(found, expected, "eps is added to the variance, below the root", 1e-5, 1e-5)
        exact &= np.allclose(found, expected, 1e-10, 1e-10)
    if not exact or factor.dtype != np.float64 or summand.dtype != np.float64:
        raise Partial(0.5, "compute in float64, also from float32: a folded weight is rounded once, at the end")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_after_any_layer(submission, rng):
    """Dense layers and convolutions, with and without a bias; nothing is changed in place."""
    changed = False
    for shape in (4, 3), (3, 2, 5, 4), (1, 1, 2, 6), (2, 2, 3, 3):
        weight, factor, summand = rng.normal(size=shape), rng.normal(size=shape[-1]), rng.normal(size=shape[-1])
        for bias in rng.normal(size=shape[-1]), None:
            new, moved = expect_tuple(submission.fold_after(weight, bias, factor, summand), 2)
            changed |= bool(submission.changed)
            expect_array(new, shape, "float", "the weight")
            expect_array(moved, shape[-1:], "float", "the bias")
            x = rng.normal(size=shape[:-1])
            old = (x[..., None] * weight).sum(tuple(range(len(shape) - 1))) + (0 if bias is None else bias)
            found = (x[..., None] * new).sum(tuple(range(len(shape) - 1))) + moved
            expect_close(found, factor * old + summand, "factor * (x * weight + bias) + summand, multiplied out")
    if changed:
        raise Partial(0.75, "the net that is still trained needs its weights: return new arrays")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_float32_stays_float32(submission, rng):
    """Weights in float32, factors and summands in float64."""
    weight, factor, summand = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=4), rng.normal(size=4)
    new, moved = expect_tuple(submission.fold_after(weight, weight[0], factor, summand), 2)
    expect_close(new, weight * factor, "each column is multiplied by its channel's factor")
    expect_close(moved, weight[0] * factor + summand, "the bias is multiplied, and the summand added")
    assert new.dtype == np.float32 and moved.dtype == np.float32, "float32 * float64 is float64: convert it back"


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_before_a_convolution(submission, rng):
    """Kernels of several sizes, more or fewer outputs than channels."""
    for kh, kw, channels, outputs in (1, 1, 4, 2), (3, 2, 2, 5), (2, 2, 3, 3):
        weight, bias = rng.normal(size=(kh, kw, channels, outputs)), rng.normal(size=outputs)
        factor, summand = rng.normal(size=channels), rng.normal(size=channels)
        new, moved = expect_tuple(submission.fold_before(weight, bias, factor, summand, 0), 2)
        expect_array(new, weight.shape, "float", "the weight")
        expect_array(moved, (outputs,), "float", "the bias")
        x = rng.normal(size=(kh, kw, channels))
        expected = np.tensordot(factor * x + summand, weight, 3) + bias
        message = (
            "weight[a, b, c, o] is multiplied by factor[c]; each tap adds weight[a, b, c, o] * summand[c] to the bias"
        )
        expect_close(np.tensordot(x, new, 3) + moved, expected, message)


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_padding(submission, rng):
    """With padding it is refused, unless the summands are all 0: then zeros stay zeros."""
    weight, bias, factor, summand = rng.normal(size=(3, 3, 4, 2)), rng.normal(size=2), rng.normal(size=4), np.zeros(4)
    new, moved = expect_tuple(submission.fold_before(weight, bias, factor, summand, 1), 2)
    expect_close(new, weight * factor[:, None], "0 times a factor is 0: here padding does no harm")
    expect_close(moved, bias, "no summand, no change of the bias")
    message = "a padded zero is a zero after the batch norm, too: raise ValueError"
    for sign in -1, 1:
        summand[int(rng.integers(4))] = sign
        expect_error(ValueError, submission.fold_before, weight, bias, factor, summand, 1, message=message)
        summand[:] = 0
