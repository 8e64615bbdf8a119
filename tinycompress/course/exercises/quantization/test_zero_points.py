"""Tests of zero_points. Public: the statement's grid. Hidden: ranges without 0, clipping, rounding and overflow."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_tuple

MAY_IMPORT = ()

WEIGHT = np.array([[-1.0, 0.0], [2.0, 3.0], [0.5, 1.0]])


def grids(value, channels):
    scale, zero = expect_tuple(value, 2)
    expect_array(scale, (channels,), "float", "scale")
    return scale, expect_array(zero, (channels,), "int", "zero_point")


@pytest.mark.public
@pytest.mark.points(1)
def test_the_grid_of_the_statement(submission):
    """Each channel has its own scale and zero point."""
    scale, zero = grids(submission.channel_grids(WEIGHT, 2), 2)
    expect_close(scale, [1.0, 1.0], "3 steps of 2 bits cover -1 to 2, and 0 to 3: divide the range by 2**bits - 1")
    assert zero.tolist() == [1, 0], "the zero point is the integer that stands for 0: -least / scale"


@pytest.mark.public
@pytest.mark.points(1)
def test_integers_of_a_grid(submission):
    """Weights become the nearest integers."""
    integers = submission.quantize(WEIGHT, np.array([1.0, 1.0]), np.array([1, 0]), 2)
    expect_array(integers, (3, 2), "int", "the integers")
    assert integers.tolist() == [[0, 0], [3, 3], [1, 1]], "divide by the scale, round, and add the zero point"


@pytest.mark.public
@pytest.mark.points(1)
def test_a_product_to_check_by_hand(submission):
    """The product is (5 - 2) * (1 - 3) + (2 - 2) * (4 - 3) = -6."""
    y = submission.integer_matmul(np.array([[5, 2]], np.uint8), 2, np.array([[1], [4]], np.uint8), np.array([3]))
    expect_close(y, [[-6]], "subtract both zero points before you multiply", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(2)
def test_grids_of_many_shapes(submission, rng):
    """Channels are the last axis, after any number of other axes."""
    for shape, bits in (((9, 4), 8), ((3, 3, 2, 5), 4), ((6, 1), 1)):
        weight = rng.normal(size=shape)
        weight[..., 0] *= 10
        scale, zero = grids(submission.channel_grids(weight, bits), shape[-1])
        columns = weight.reshape(-1, shape[-1])
        low, high = np.minimum(columns.min(0), 0), np.maximum(columns.max(0), 0)
        expect_close(scale, (high - low) / (2**bits - 1), "a channel's scale depends only on its own range")
        expect_close(zero, np.rint(-low / scale), "the zero point is the whole number nearest to -least / scale")


@pytest.mark.hidden
@pytest.mark.points(2)
def test_zero_is_always_on_the_grid(submission, rng):
    """Channels may be all positive, all negative, or all zero."""
    positive, negative = rng.uniform(2, 3, (8, 1)), rng.uniform(-3, -2, (8, 1))
    scale, zero = grids(submission.channel_grids(np.hstack([positive, negative]), 8), 2)
    assert (zero >= 0).all() and (zero <= 255).all(), "widen the range to contain 0; otherwise no integer stands for 0"
    assert zero.tolist() == [0, 255], "for positive weights the least integer stands for 0, for negative the greatest"
    expect_close(scale * 255, [positive.max(), -negative.min()], "the widened range reaches from 0 to the far end")
    scale, zero = grids(submission.channel_grids(np.zeros((4, 1)), 8), 1)
    if (scale[0], zero[0]) != (1, 0):
        raise Partial(0.75, "the range of a channel of zeros is 0; its scale is 1, as the docstring says")


@pytest.mark.hidden
@pytest.mark.points(2)
def test_weights_beyond_the_ends(submission, rng):
    """Weights beyond a grid become its end; the others are off by half a step at most."""
    scale, zero, weight = np.array([0.1, 0.5]), np.array([3, 12]), rng.normal(size=(40, 2))
    q = expect_array(submission.quantize(np.vstack([weight, [[90, 90]], [[-90, -90]]]), scale, zero, 4), (42, 2), "int")
    assert q.dtype == np.uint8, "integers of up to 8 bits are stored as uint8"
    assert q.max() <= 15 and q[40].tolist() == [15, 15] and q[41].tolist() == [0, 0], "clip before uint8 wraps around"
    expected = np.clip(np.rint(weight / scale) + zero, 0, 15)
    expect_close(q[:40], expected, "take the nearest integer: astype alone cuts off the fraction, np.rint rounds", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(3)
def test_products_are_exact(submission, rng):
    """Products of many large integers are compared with 64-bit arithmetic."""
    right = 0
    cases = [(3, 700, 5), (1, 64, 1), (4, 1, 7)]
    for batch, inputs, channels in cases:
        x = rng.integers(180, 256, (batch, inputs)).astype(np.uint8)
        w = rng.integers(0, 256, (inputs, channels)).astype(np.uint8)
        zeros = rng.integers(0, 256, channels)
        y = expect_array(submission.integer_matmul(x, 7, w, zeros), (batch, channels), "int")
        right += np.array_equal(y, (x.astype(np.int64) - 7) @ (w.astype(np.int64) - zeros))
    assert right, "uint8 wraps around above 255: convert to int32 before you add or multiply"
    if right < len(cases):
        raise Partial(
            right / len(cases) / 2, f"{right} of {len(cases)} shapes: the zero points' product occurs once per input"
        )
    assert y.dtype == np.int32, "sums of 8-bit products are returned as int32"
