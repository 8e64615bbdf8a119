"""`jit`: how the fast kernels are compiled, and where the compiled code is kept.

    @jit
    def kernel(x, y): ...

is `numba.njit` with the settings that all our kernels share: no GIL while they run, so that a Python thread pool can share
out the work (`threads.py`), division without a check for zero, and a cache on disk, so that only the first start compiles.

The cache folder is our own, for two reasons. Numba decides whether a cached function is fresh by the function's own file;
it does not notice an edit of the intrinsics (`tile.py`) that most of the instructions come from. So the folder's name
carries a hash of all the sources here, and of the CPU. And a cache file is a pickle, which can run any code when it is
loaded: a folder that somebody else could write to is not used.
"""

import functools
import importlib
import os
import stat
import sys
import warnings
from pathlib import Path

SOURCES = sorted(Path(__file__).parent.glob("*.py"))


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
    from numba import config, njit

    load_numba()
    settings = {
        "nogil": True,
        "no_cfunc_wrapper": True,
        "error_model": "numpy",
        "fastmath": fastmath,
        "inline": inline,
        "_nrt": allocates,  # Numba's runtime for memory
    }
    folder = cache_folder() if cache else None
    if folder is None:
        return njit(**settings)(function)
    before = config.CACHE_DIR
    config.CACHE_DIR = folder
    try:
        return njit(cache=True, **settings)(function)
    finally:
        config.CACHE_DIR = before


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
def cache_folder():
    """The folder for compiled code, made if needed; None, after one warning, if there can be none."""
    from numba import config

    base = config.CACHE_DIR
    if not base:
        import platformdirs

        base = platformdirs.user_cache_dir("tinycompress", appauthor=False)
    folder = Path(base) / f"numba-{salt(SOURCES)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _others_can_write(folder):
            raise PermissionError("somebody else could write to it")
        probe = folder / f"probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        warnings.warn(
            f"compiled code cannot be cached in {folder} ({error.strerror or error}), so each start compiles anew; "
            "set NUMBA_CACHE_DIR to a writable folder",
            stacklevel=2,
        )
        return None
    return str(folder)


def _others_can_write(folder):
    if os.name != "posix":
        return False
    status = folder.stat()
    return status.st_uid != os.getuid() or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def salt(sources):
    """A name for compiled code that changes with any of the source files, and with the CPU it is compiled for."""
    import hashlib  # costs 3 ms of a start that may need no kernel

    digest = hashlib.sha256(repr(host_cpu()).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


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
