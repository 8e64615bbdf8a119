"""Tests of zero_points. Public: the statement's grid. Hidden: ranges without 0, clipping, rounding and overflow."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_tuple

MAY_IMPORT = ()

WEIGHT = np.array([[-1.0, 0.0], [2.0, 3.0], [0.7, 1.0]])


def grids(value, channels):
    scale, zero = expect_tuple(value, 2)
    expect_array(scale, (channels,), "float", "scale")
    return scale, expect_array(zero, (channels,), "int", "zero_point")


@pytest.mark.public
@pytest.mark.points(0.4)
def test_the_grid_of_the_statement(submission):
    """Each channel has its own scale and zero point."""
    scale, zero = grids(submission.channel_grids(WEIGHT, 2), 2)
    expect_close(scale, [1.0, 1.0], "3 steps of 2 bits cover -1 to 2, and 0 to 3: divide the range by 2**bits - 1")
    assert zero.tolist() == [1, 0], "the zero point is the integer that stands for 0: -least / scale"


@pytest.mark.public
@pytest.mark.points(0.4)
def test_integers_of_a_grid(submission):
    """Weights become the nearest integers."""
    integers = submission.quantize(WEIGHT, np.array([1.0, 1.0]), np.array([1, 0]), 2)
    expect_array(integers, (3, 2), "int", "the integers")
    assert integers.tolist() == [[0, 0], [3, 3], [2, 1]], (
        "divide by the scale, round to the nearest, and add the zero point"
    )


@pytest.mark.public
@pytest.mark.points(0.4)
def test_a_product_to_check_by_hand(submission):
    """The product is (5 - 2) * (1 - 3) + (2 - 2) * (4 - 3) = -6."""
    y = submission.integer_matmul(np.array([[5, 2]], np.uint8), 2, np.array([[1], [4]], np.uint8), np.array([3]))
    expect_close(y, [[-6]], "subtract both zero points before you multiply", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(2.2)
def test_grids_of_many_shapes(submission, rng):
    """Channels are the last axis, after any number of other axes; weights may be float32, in any order in memory."""
    right = True
    for shape, bits in ((9, 4), 8), ((3, 3, 2, 5), 4), ((6, 1), 1), ((1, 3), 8):
        weight = rng.normal(size=shape[::-1]).T.astype("float32" if bits == 4 else "float64")
        weight[..., 0] *= 10
        scale, zero = grids(submission.channel_grids(weight, bits), shape[-1])
        columns = weight.astype(float).reshape(-1, shape[-1])
        low, high = np.minimum(columns.min(0), 0), np.maximum(columns.max(0), 0)
        expect_close(scale, (high - low) / (2**bits - 1), "a channel's scale depends only on its own range")
        expect_close(zero, np.rint(-low / scale), "the zero point is the whole number nearest to -least / scale")
        right &= scale.dtype == np.float64 and zero.dtype == np.int64
    if not right:
        raise Partial(0.8, "scales are float64 and zero points int64, whatever the weight's dtype")


@pytest.mark.hidden
@pytest.mark.points(2.2)
def test_zero_is_always_on_the_grid(submission, rng):
    """Channels may be all positive, all negative, or all zero."""
    positive, negative = rng.uniform(2, 3, (8, 1)), rng.uniform(-3, -2, (8, 1))
    scale, zero = grids(submission.channel_grids(np.hstack([positive, negative]), 8), 2)
    assert (zero >= 0).all() and (zero <= 255).all(), "widen the range to contain 0; otherwise no integer stands for 0"
    assert zero.tolist() == [0, 255], "for positive weights the least integer stands for 0, for negative the greatest"
    expect_close(scale * 255, [positive.max(), -negative.min()], "the widened range reaches from 0 to the far end")
    scale, zero = grids(submission.channel_grids(np.hstack([np.zeros((8, 1)), positive]), 8), 2)
    if (scale[0], zero[0]) != (1, 0):
        raise Partial(0.75, "the range of a channel of zeros is 0; its scale is 1, as the docstring says")


@pytest.mark.hidden
@pytest.mark.points(2.2)
def test_weights_beyond_the_ends(submission, rng):
    """Weights beyond a grid become its end, at any number of bits; the others are off by half a step at most."""
    for bits in 1, 4, 8:
        top, weight = 2**bits - 1, rng.normal(size=(3, 40)).T
        scale, zero = rng.uniform(1, 3, 3) / top, rng.integers(0, top + 1, 3)
        weight = np.vstack([weight, np.full((1, 3), 900.0), np.full((1, 3), -900.0)])
        q = expect_array(submission.quantize(weight, scale, zero, bits), (42, 3), "int", "the integers")
        assert q.dtype == np.uint8, "integers of up to 8 bits are stored as uint8"
        message = "clip to 0 and 2**bits - 1 before uint8 wraps around"
        assert (q[40] == top).all() and (q[41] == 0).all(), message
        expected = np.clip(np.rint(weight / scale) + zero, 0, top)
        expect_close(q, expected, "take the nearest integer: astype alone cuts off the fraction, np.rint rounds", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_numbers_halfway_between_two_integers(submission, rng):
    """np.rint rounds a half to the even neighbour, before the zero point is added."""
    scale, zero = np.array([0.25, 2.0]), rng.permutation([101, 102])
    weight = (rng.integers(-50, 50, (30, 2)) + 0.5) * scale
    q = expect_array(submission.quantize(weight, scale, zero, 8), (30, 2), "int", "the integers")
    expect_close(q, np.rint(weight / scale) + zero, "round as np.rint does, and add the zero point afterwards", 0, 0)
    low = -(rng.integers(1, 6, 4) + 0.5)
    found, zero = grids(submission.channel_grids(np.stack([low, low + 15]), 4), 4)
    expect_close(found, np.ones(4), "a range of 15 has 15 steps of 1")
    expect_close(zero, np.rint(-low), "round the zero point as np.rint does", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(3.4)
def test_products_are_exact(submission, rng):
    """Products of many large integers are compared with 64-bit arithmetic."""
    right = 0
    cases = [(3, 4000, 5), (1, 64, 1), (4, 1, 7), (2, 5000, 3)]
    for batch, inputs, channels in cases:
        x = rng.integers(180 if inputs > 999 else 0, 256, (inputs, batch)).astype(np.uint8).T
        w = rng.integers(100, 256, (inputs, channels)).astype(np.uint8)
        zeros, x_zero = rng.integers(0, 256, channels), int(rng.integers(1, 99))
        zeros[0] = 0  # sums above 2^24 in this channel
        y = expect_array(submission.integer_matmul(x, x_zero, w, zeros), (batch, channels), "int")
        right += np.array_equal(y, (x.astype(np.int64) - x_zero) @ (w.astype(np.int64) - zeros))
    assert right, "uint8 wraps around above 255: convert to int32 before you add or multiply"
    if right < len(cases):
        message = f"{right} of {len(cases)} shapes: the zero points' product occurs once per input; use integers only"
        raise Partial(right / len(cases) / 2, message)
    if y.dtype != np.int32:
        raise Partial(0.8, "sums of 8-bit products are returned as int32")
