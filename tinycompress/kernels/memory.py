"""Arrays whose first element lies at a multiple of a vector register's size, so that no vector spans two cache lines.

NumPy's own begin at multiples of 16 bytes: every load and store of 64 bytes then touches two lines and takes twice as long.
"""

import math

import numpy as np

LINE = 64
"""Bytes of a cache line, and of the largest vector register."""


def aligned_empty(shape, dtype):
    return _aligned(np.empty, shape, dtype)


def aligned_zeros(shape, dtype):
    return _aligned(np.zeros, shape, dtype)


def _aligned(allocate, shape, dtype):
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    whole = allocate(size + LINE // dtype.itemsize, dtype)
    first = -whole.__array_interface__["data"][0] % LINE // dtype.itemsize
    return whole[first : first + size].reshape(shape)
