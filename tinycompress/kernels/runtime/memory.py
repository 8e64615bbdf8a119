"""Where arrays lie: at a multiple of a vector register's size, and in memory that this process has touched before.

NumPy's own begin at multiples of 16 bytes: every load and store of 64 bytes then touches two cache lines and takes twice
as long. And the C library gives a large freed array back to the system, which hands out its pages anew, one fault and
4 KB of zeros at a time: half the time of a training step of a small convolutional net.
"""

import ctypes
import math
import os
import sys

import numpy as np

LINE = 64
"""Bytes of a cache line, and of the largest vector register."""


def keep_freed_memory() -> bool:
    """Let glibc keep freed arrays of up to 32 MB for the next ones; True if it will.

    Other C libraries are left as they are, and so is a process whose user has set MALLOC_... variables.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    trim_threshold, mmap_threshold = -1, -3  # M_... of malloc.h
    return bool(mallopt(mmap_threshold, 32 << 20) and mallopt(trim_threshold, 1 << 30))


def aligned_empty(shape, dtype):
    return _aligned(np.empty, shape, dtype)


def aligned_zeros(shape, dtype):
    return _aligned(np.zeros, shape, dtype)


def _aligned(allocate, shape, dtype):
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    whole = allocate(size + LINE // dtype.itemsize, dtype)
    # The quickest way to ask for an address, which a training step of a small net does some fifty times.
    address = ctypes.addressof(ctypes.c_char.from_buffer(whole))
    return np.ndarray(shape, dtype, whole, -address % LINE)


def is_shared(array) -> bool:
    """Whether something else may see this memory: always, unless it is an ndarray that owns it or alone keeps it alive.

    Aligned arrays are views of longer ones to which nothing else refers: of the two references that count here, one is
    the view's, and the other this question's.
    """
    if not isinstance(array, np.ndarray):
        return True
    return array.base is not None and (type(array.base) is not np.ndarray or sys.getrefcount(array.base) > 2)
