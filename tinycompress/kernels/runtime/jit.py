"""`jit`: how the fast kernels are compiled.

    @jit
    def kernel(x, y): ...

is `numba.njit` with the settings that all our kernels share: they run without the GIL, so that Python threads can split the
work (`threads.py`), division does not check for zero, and code is cached on disk (`cache.py`), so that only the first start
compiles.
"""

import functools
import importlib
import sys
import warnings


@functools.cache
def available():
    """Whether functions can be compiled. If not, warns once; the NumPy kernels then replace the fast ones."""
    try:
        from numba import config
    except ImportError:
        warnings.warn("numba is not installed, so every kernel runs in NumPy; `pip install numba`", stacklevel=2)
        return False
    if config.DISABLE_JIT:
        warnings.warn("NUMBA_DISABLE_JIT is set, so every kernel runs in NumPy", stacklevel=2)
        return False
    return True


def jit(function=None, *, inline="never", allocates=False):
    """Decorate a function of arrays and numbers so that Numba compiles it on its first call.

    inline: "always" copies the function into its caller. allocates: whether it creates arrays; if not, reference counting,
    which takes atomic instructions even in loops, is off. Without Numba, returns the function unchanged.
    """
    if function is None:
        return functools.partial(jit, inline=inline, allocates=allocates)
    if not available():
        return function
    from numba import njit

    from .cache import keep

    load_numba()
    settings = {
        "nogil": True,
        "no_cfunc_wrapper": True,
        "error_model": "numpy",
        "inline": inline,
        "_nrt": allocates,  # Numba's memory runtime
    }
    compiled = njit(**settings)(function)
    keep(compiled, settings)
    return compiled


@functools.cache
def load_numba():
    """Load what Numba loads before its first function, even a cached one, but without scipy.linalg.

    Numba imports scipy.linalg, which takes a third of the start-up time, only to see whether it exists, and so which of two
    ways to compile numpy.convolve. Without it, numpy.convolve is compiled without BLAS; nothing else changes.
    """
    blas = "scipy.linalg.cython_blas"
    if blas in sys.modules:
        return
    sys.modules[blas] = None  # None makes an import of it fail
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
