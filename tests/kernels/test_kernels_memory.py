"""Where arrays lie in memory."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress.kernels.runtime.memory import LINE, aligned_empty, aligned_zeros, is_shared

PROGRAM = """
import resource
import numpy as np
import tinycompress
from tinycompress.kernels.runtime.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        arrays = [np.ones(2_000_000, np.float32) for _ in range(6)]  # 8 MB each, as in a training step, written
        del arrays  # and freed together
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(keep_freed_memory(), faults())
"""


def run(**environment):
    known = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    pytest.importorskip("resource")
    out = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=known | environment, capture_output=True, text=True, check=True
    )
    kept, faults = out.stdout.split()
    return kept == "True", int(faults)


def test_the_memory_of_a_freed_array_is_used_again():
    kept, faults = run()
    if not kept:
        pytest.skip("this C library has no mallopt")
    assert faults < 120  # not even one an array, of the two thousand pages that each has


def test_a_users_own_malloc_settings_are_left_alone():
    kept, _ = run(MALLOC_TOP_PAD_="4096")
    assert not kept


@given(
    st.lists(st.integers(0, 9), max_size=4).map(tuple), st.sampled_from([np.float32, np.float64, np.uint8, np.int64])
)
def test_arrays_begin_where_a_cache_line_does_and_are_nobody_elses(shape, dtype):
    array, zeros = aligned_empty(shape, dtype), aligned_zeros(shape, dtype)
    for made in array, zeros:
        assert made.shape == shape and made.dtype == dtype and made.flags.c_contiguous and made.flags.writeable
        assert made.ctypes.data % LINE == 0
    assert not zeros.any()
    array[...] = 1
    assert not zeros.any() and (array == 1).all()
    assert not is_shared(array)
    view = array[...]
    assert is_shared(array) and is_shared(view)
