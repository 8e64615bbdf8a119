"""From exact sums of 8-bit products to the 8-bit integers of the next layer, without a single real number.

    y[b, o] = clip(zero_point + round((sums[b, o] * factor[o] + offset[o]) / 2^shift[o]), low, high)      uint8

A real factor below 1, say 0.0037, becomes an integer of 31 bits and a shift: 0.0037 = 2034234426 / 2^39. Their
product with a sum of 32 bits fits 63 bits, and so does the offset, a bias in the units of that product, which are far finer
than those of the sums; half of 2^shift is added before the shift, so that it rounds (Jacob et
al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018, equations
5 and 6).
"""

import functools

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check

SHIFT = 31
"""Bits of a factor."""


@functools.cache
def _fast():
    from . import requantize_fast

    return requantize_fast


def fixed_point(ratio):
    """Real numbers ratio > 0 (out,) as integers (factor, shift), both int64: ratio = factor / 2^shift, to 31 bits.

    ValueError for a ratio of 2^30 or more, or one that is not finite and above 0; ratios below 2^-31 lose bits.
    """
    ratio = np.asarray(ratio, np.float64)
    check(
        bool((ratio > 0).all()) and bool((ratio < 2.0**30).all()), "a ratio of scales should be above 0 and below 2^30"
    )
    _, exponent = np.frexp(ratio)
    shift = np.minimum(SHIFT - exponent, 62).astype(np.int64)
    return np.rint(np.ldexp(ratio, shift)).astype(np.int64), shift


def requantize(sums, offset, factor, shift, zero_point=0, low=0, high=255):
    """sums int32 (batch, out) with offset, factor and shift int64 (out,): uint8 (batch, out). factor, shift from
    `fixed_point`.

    |sums + offset / factor| must stay below 2^31. TypeError, ValueError if they do not fit.
    """
    if sums.dtype != np.int32:
        raise TypeError(f"the sums should be int32, but are {sums.dtype}")
    check(sums.ndim == 2, f"sums are (batch, out), but have the shape {sums.shape}")
    columns = [np.ascontiguousarray(a, np.int64) for a in (offset, factor, shift)]
    for name, column in zip(("offset", "factor", "shift"), columns, strict=True):
        check(
            column.shape == sums.shape[1:],
            f"{name} should have {sums.shape[1]} numbers, but has the shape {column.shape}",
        )
    check(0 <= low <= high <= 255, f"the results lie from 0 to 255, not from {low} to {high}")
    return choose(loop, numpy, lambda: _fast().requantize)(
        np.ascontiguousarray(sums), *columns, int(zero_point), int(low), int(high)
    )


def loop(sums, offset, factor, shift, zero_point, low, high):
    y = np.empty(sums.shape, np.uint8)
    for b, o in np.ndindex(y.shape):
        half = 1 << int(shift[o]) - 1
        scaled = (int(sums[b, o]) * int(factor[o]) + int(offset[o]) + half) >> int(shift[o])
        y[b, o] = min(max(scaled + zero_point, low), high)
    return y


def numpy(sums, offset, factor, shift, zero_point, low, high):
    scaled = (sums * factor + offset + (np.int64(1) << shift - 1)) >> shift
    return np.clip(scaled + zero_point, low, high).astype(np.uint8)
