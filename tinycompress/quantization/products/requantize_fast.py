"""Requantization in one pass over the sums: see `requantize.py`."""

import numpy as np

from ...kernels.runtime.jit import jit
from ...kernels.runtime.threads import share


@jit
def rows(start, end, sums, offset, factor, shift, zero_point, low, high, y):
    for b in range(start, end):
        for o in range(sums.shape[1]):
            scaled = (sums[b, o] * factor[o] + offset[o]) >> shift[o]
            y[b, o] = np.uint8(min(max(scaled + zero_point, low), high))


def requantize(sums, offset, factor, shift, zero_point, low, high):
    y = np.empty(sums.shape, np.uint8)
    offset = offset + (np.int64(1) << shift - 1)
    share(lambda start, end: rows(start, end, sums, offset, factor, shift, zero_point, low, high, y), len(y), y.size)
    return y
