"""`jit`: how the fast kernels are compiled.

    @jit
    def kernel(x, y): ...

is `numba.njit` with the settings that all our kernels share: no GIL while they run, so that a Python thread pool can share
out the work (`threads.py`), division without a check for zero, and a cache on disk (`cache.py`), so that only the first
start compiles.
"""

import functools
import importlib
import sys
import warnings


@functools.cache
def available():
    """Whether functions can be compiled. If not, warns once and the fast kernels are replaced by the NumPy ones."""
    try:
        from numba import config
    except ImportError:
        warnings.warn("numba is not installed, so every kernel runs in NumPy; `pip install numba`", stacklevel=2)
        return False
    if config.DISABLE_JIT:
        warnings.warn("NUMBA_DISABLE_JIT is set, so every kernel runs in NumPy", stacklevel=2)
        return False
    return True


def jit(function=None, *, fastmath=False, cache=True, inline="never", allocates=False):
    """Decorate a function of arrays and numbers to be compiled by Numba when it is first called.

    fastmath: let the compiler reorder sums, which it needs in order to sum with several lanes. Only where NaN and
    infinity need not survive. inline: "always" copies the function into its caller. allocates: whether it makes arrays. For
    those that do not, nobody counts references to arrays, which would take atomic instructions, even in loops.
    Without Numba the function stays as it is.
    """
    if function is None:
        return functools.partial(jit, fastmath=fastmath, cache=cache, inline=inline, allocates=allocates)
    if not available():
        return function
    from numba import njit

    load_numba()
    settings = {
        "nogil": True,
        "no_cfunc_wrapper": True,
        "error_model": "numpy",
        "fastmath": fastmath,
        "inline": inline,
        "_nrt": allocates,  # Numba's runtime for memory
    }
    compiled = njit(**settings)(function)
    if cache:
        from .cache import keep

        keep(compiled, settings)
    return compiled


@functools.cache
def load_numba():
    """Load what Numba loads before its first function, a cached one too, but without scipy.linalg.

    Numba imports it, a third of a start's time, only to see whether it is there, in order to pick one of two ways to
    compile numpy.convolve: that will be the one without BLAS. Everything else looks for BLAS when it needs it.
    """
    blas = "scipy.linalg.cython_blas"
    if blas in sys.modules:
        return
    sys.modules[blas] = None  # which is how Python writes "not to be found"
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        del sys.modules[blas]


@functools.cache
def host_cpu():
    """The CPU that Numba compiles for: its name, and the frozen set of its features as LLVM names them."""
    from llvmlite import binding
    from numba import config

    name = config.CPU_NAME or binding.get_host_cpu_name()
    if config.CPU_FEATURES is not None:
        features = {f[1:] for f in config.CPU_FEATURES.split(",") if f.startswith("+")}
    else:
        features = {f for f, present in binding.get_host_cpu_features().items() if present}
    return name, tuple(sorted(features))
