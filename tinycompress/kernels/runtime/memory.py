"""Memory for arrays: aligned to a vector register, and reused after it is freed.

NumPy aligns arrays to 16 bytes, so most loads and stores of 64 bytes touch two cache lines and take twice as long. And the
C library returns large freed arrays to the system, which hands out their pages again with one page fault and 4 KB of zeros
at a time: half the time of a training step of a small convolutional net.
"""

import ctypes
import functools
import math
import os
import sys

import numpy as np

LINE = 64
"""Bytes in a cache line, and in the largest vector register."""


def keep_freed_memory() -> bool:
    """Let glibc keep freed arrays of up to 32 MB for reuse; returns whether it does.

    Does nothing with other C libraries, or if the user has set MALLOC_... variables.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    trim_threshold, mmap_threshold = -1, -3  # M_... of malloc.h
    return bool(mallopt(mmap_threshold, 32 << 20) and mallopt(trim_threshold, 1 << 30))


def _aligned(allocate, shape, dtype):
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    whole = allocate(size + LINE // dtype.itemsize, dtype)
    # The fastest way to get an address, which a training step of a small net does about fifty times.
    address = ctypes.addressof(ctypes.c_char.from_buffer(whole))
    return np.ndarray(shape, dtype, whole, -address % LINE)


aligned_empty = functools.partial(_aligned, np.empty)
aligned_zeros = functools.partial(_aligned, np.zeros)


def is_shared(array) -> bool:
    """Whether another object may use this memory: False only for an ndarray that owns it or is the sole view of it.

    Aligned arrays are the only views of a longer array. Its two expected references are the one of the view and the one
    of the call to getrefcount.
    """
    if not isinstance(array, np.ndarray):
        return True
    return array.base is not None and (type(array.base) is not np.ndarray or sys.getrefcount(array.base) > 2)
