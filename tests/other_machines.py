"""Other machines: compiled code run as on other CPUs, and on arrays that end where memory ends; and a disk that is full."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from waiting import LONG

HOSTS = {
    "SSE only": ("x86-64", "+sse2"),
    "AVX2 without VNNI": ("haswell", "+avx,+avx2,+fma,+sse4.2,+popcnt"),
    "AVX2 with VNNI": ("alderlake", "+avx,+avx2,+fma,+sse4.2,+popcnt,+avxvnni"),
    "AVX-512 without VNNI": (
        "skylake-avx512",
        "+avx,+avx2,+fma,+avx512f,+avx512bw,+avx512vl,+avx512dq,+sse4.2,+popcnt",
    ),
    "AVX-512 without words of 16 bits": ("knl", "+avx,+avx2,+fma,+avx512f,+sse4.2,+popcnt"),
}
OTHER_WITH_FLOATS = "SSE only", "AVX2 without VNNI", "AVX-512 without words of 16 bits"
"""Those of them whose instructions for floats differ."""

EDGE = """
import ctypes, dataclasses, mmap
import numpy as np
kept = []

def edge(array):
    "A copy that ends where a page begins that nobody may read."
    array = np.ascontiguousarray(array)
    size = -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, size + mmap.PAGESIZE)
    kept.append(pages)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + size), mmap.PAGESIZE, 0) == 0
    copy = np.frombuffer(pages, array.dtype, array.size, size - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy

def all_edges(packed):
    parts = {field.name: getattr(packed, field.name) for field in dataclasses.fields(packed)}
    return type(packed)(**{n: edge(part) if isinstance(part, np.ndarray) else part for n, part in parts.items()})
"""

at_the_edge = pytest.mark.skipif(sys.platform != "linux", reason="protects memory as Linux does")


def as_other_cpus(hosts=tuple(HOSTS)):
    """Run a test for each of these hosts, by name."""
    skip = pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="names x86-64 CPUs")
    return lambda test: skip(pytest.mark.parametrize("host", hosts)(test))


def assert_runs_as(host, code):
    """Run the code, compiled for another CPU. Skips the test if this CPU lacks one of its features."""
    from tinycompress.kernels.runtime.jit import host_cpu

    cpu, features = HOSTS[host]
    if not {feature.removeprefix("+") for feature in features.split(",")} <= set(host_cpu()[1]):
        pytest.skip(f"this CPU cannot stand in for one of {host}")
    _assert_runs(code, {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features})


def assert_runs_at_the_edge(code):
    """Run the code, which has `edge(array)`: a copy that ends where a page begins that nobody may read."""
    _assert_runs(EDGE + code, {})


def _assert_runs(code, settings):
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | settings, capture_output=True, text=True, timeout=LONG
    )
    assert done.returncode == 0, done.stderr or f"ended by signal {-done.returncode}"


@contextmanager
def full_disk(most=0):
    """In the block, this process cannot write a file beyond this many bytes, as if a disk or a quota were full."""
    resource = pytest.importorskip("resource")
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
