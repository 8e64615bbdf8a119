"""Sums in blocks: those of NumPy, whatever the shape, and of float64, whatever their length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress.kernels import reductions

SIZES = st.sampled_from([1, 2, 3, 5, 8, 33, 64, 70, 257])


@st.composite
def sums(draw):
    """(x, axis, keepdims): whole numbers, whose sums are exact in any order, in memory of any order."""
    shape = draw(st.lists(SIZES, min_size=1, max_size=4).filter(lambda shape: np.prod(shape) < 300_000))
    axes = st.integers(-len(shape), len(shape) - 1)
    several = st.lists(axes, unique_by=lambda axis: axis % len(shape), max_size=len(shape)).map(tuple)
    axis = draw(st.none() | axes | several)
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = np.random.default_rng(draw(st.integers(0, 100))).integers(-9, 10, shape).astype(dtype)
    order = draw(st.sampled_from(["contiguous", "transposed", "every other", "broadcast"]))
    if order == "transposed":
        x = np.ascontiguousarray(x.T).T
    elif order == "every other":
        x = np.repeat(x, 2, axis=-1)[..., ::2]
    elif order == "broadcast":
        x = np.broadcast_to(x[:1], shape)
    return x, axis, draw(st.booleans())


@given(sums())
def test_sums_over_axes_are_those_of_numpy(case):
    x, axis, keepdims = case
    actual, expected = reductions.axis_sums(x, axis, keepdims), x.sum(axis, keepdims=keepdims)
    assert actual.dtype == x.dtype
    np.testing.assert_array_equal(actual, expected, strict=isinstance(expected, np.ndarray))


@given(rows=st.integers(0, 5000), columns=st.integers(1, 40))
def test_sums_of_columns_are_those_of_numpy(rows, columns):
    x = np.random.default_rng(0).integers(-9, 10, (rows, columns)).astype(np.float32)
    np.testing.assert_array_equal(reductions.column_sums(x), x.sum(axis=0), strict=True)


@pytest.mark.parametrize("shape", [(9000, 20), (300_000, 3), (700, 5000)])
def test_many_rows_are_summed_in_several_rounds(shape):
    x = np.random.default_rng(0).integers(-9, 10, shape).astype(np.float32)
    np.testing.assert_array_equal(reductions.column_sums(x), x.sum(axis=0), strict=True)


def test_axes_that_numpy_refuses_are_refused():
    x = np.zeros((80, 80), np.float32)
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        reductions.axis_sums(x, 2)
    with pytest.raises(ValueError, match="repeated|duplicate"):
        reductions.axis_sums(x, (0, -2))


def test_the_sum_is_an_array_of_its_own():
    x = np.ones((1, 5000), np.float32)
    for axis in 0, (), 1:
        assert not np.shares_memory(reductions.axis_sums(x, axis), x)
