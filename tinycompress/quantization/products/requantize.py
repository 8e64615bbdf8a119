"""From exact sums of 8-bit products to the 8-bit integers of the next layer, with integer arithmetic only.

    y[b, o] = clip(zero_point + round((sums[b, o] * factor[o] + offset[o]) / 2^shift[o]), low, high)      uint8

A real factor such as 0.0037 becomes a 31-bit integer and a shift: 0.0037 = 2034234426 / 2^39. The product of the integer
and a 32-bit sum fits 63 bits. So does the offset, a bias in units of this product, which are far finer than those of the
sums. Adding half of 2^shift before the shift makes it round (Jacob et al., "Quantization and Training of Neural Networks
for Efficient Integer-Arithmetic-Only Inference", 2018, equations 5 and 6).
"""

import functools
from typing import NamedTuple

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check

SHIFT = 31
"""Bits of a factor, which is below 2^31."""


@functools.cache
def _fast():
    from . import requantize_fast

    return requantize_fast


class Requantizer(NamedTuple):
    """How sums become bytes: the numbers of the formula above, arrays as int64 (out,)."""

    offset: np.ndarray
    factor: np.ndarray
    shift: np.ndarray
    zero_point: int
    low: int
    high: int


def fixed_point(ratio):
    """Real numbers ratio > 0 (out,) as integers (factor, shift), both int64: ratio = factor / 2^shift, to 31 bits.

    Ratios below 2^-31 lose bits. ValueError for a ratio that is not above 0 and below 2^30.
    """
    ratio = np.asarray(ratio, np.float64)
    check(
        bool((ratio > 0).all()) and bool((ratio < 2.0**30).all()), "ratios of scales should be above 0 and below 2^30"
    )
    _, exponent = np.frexp(ratio)
    shift = np.minimum(SHIFT - exponent, 62).astype(np.int64)
    factor = np.rint(np.ldexp(ratio, shift)).astype(np.int64)
    rounded_up = factor == 1 << SHIFT  # to a bit too many
    return np.where(rounded_up, factor >> 1, factor), np.where(rounded_up, shift - 1, shift)


def loop(sums, offset, factor, shift, zero_point, low, high):
    """The bytes of sums, int32 (batch, out); the other arguments are the fields of a `Requantizer`."""
    y = np.empty(sums.shape, np.uint8)
    for b, o in np.ndindex(y.shape):
        half = 1 << int(shift[o]) - 1
        scaled = (int(sums[b, o]) * int(factor[o]) + int(offset[o]) + half) >> int(shift[o])
        y[b, o] = min(max(scaled + zero_point, low), high)
    return y


def numpy(sums, offset, factor, shift, zero_point, low, high):
    scaled = (sums * factor + offset + (np.int64(1) << shift - 1)) >> shift
    return np.clip(scaled + zero_point, low, high).astype(np.uint8)


def prepare_bytes(x, grid):
    """The bytes of real numbers x on a grid, as `grid.quantize(x)`, and a function without arguments that computes them from what
    x, a contiguous array, then holds. Compiled, it does not look for NaN."""

    def called():
        y = np.ascontiguousarray(grid.quantize(x))
        return y, lambda: np.copyto(y, grid.quantize(x))

    simple = (
        grid.scale.ndim == 0 and grid.low >= 0 and x.dtype == grid.scale.dtype == grid.zero_point.dtype == np.float32
    )
    if not simple:
        return called()
    return choose(called, called, lambda: lambda: _fast().prepare_bytes(x, grid))()


def requantize_sum(a, b, factors, offset, shift, zero_point=0, low=0, high=255):
    """Add two arrays of bytes on different grids, as a residual block does: uint8, of their shape.

    y = clip(zero_point + ((a * factors[0] + b * factors[1] + offset) >> shift), low, high). All but a and b are integers;
    factors are below 2^31. TypeError unless a and b are uint8, ValueError if their shapes differ, and for a zero point, low or
    high that is no byte.
    """
    arguments = _checked_sum(a, b, factors, offset, shift, zero_point, low, high)
    return choose(sum_loop, sum_numpy, lambda: _fast().requantize_sum)(*arguments)


def prepare_sum(a, b, *how):
    """A new array y and a function without arguments that computes y, as `requantize_sum` does, from what a and b, contiguous
    arrays, then hold."""
    arguments = _checked_sum(a, b, *how)

    def called():
        y = requantize_sum(*arguments)
        return y, lambda: np.copyto(y, requantize_sum(*arguments))

    return choose(called, called, lambda: lambda: _fast().prepare_sum(*arguments))()


def _checked_sum(a, b, factors, offset, shift, zero_point=0, low=0, high=255):
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise TypeError(f"both arrays should be uint8, but are {a.dtype} and {b.dtype}")
    check(a.shape == b.shape, f"the arrays should have the same shape, but have {a.shape} and {b.shape}")
    factors = [int(factor) for factor in factors]  # Python's integers do not overflow
    check(max(map(abs, factors)) < 2**31, f"factors should be below 2^31, but are {factors}")
    bytes_ = 0 <= low <= high <= 255 and 0 <= zero_point <= 255
    check(bytes_, f"the zero point, low and high should be within 0 .. 255, not {zero_point}, {low} and {high}")
    return np.ascontiguousarray(a), np.ascontiguousarray(b), factors, *map(int, (offset, shift, zero_point, low, high))


def sum_loop(a, b, factors, offset, shift, zero_point, low, high):
    y = np.empty_like(a)
    for place in np.ndindex(y.shape):
        scaled = (int(a[place]) * factors[0] + int(b[place]) * factors[1] + offset) >> shift
        y[place] = min(max(scaled + zero_point, low), high)
    return y


def sum_numpy(a, b, factors, offset, shift, zero_point, low, high):
    scaled = (a.astype(np.int64) * factors[0] + b.astype(np.int64) * factors[1] + offset) >> shift
    return np.clip(scaled + zero_point, low, high).astype(np.uint8)
