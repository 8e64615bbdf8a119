"""Compiled kernels on disk: only the first start compiles.

The cache only saves time: whatever is wrong with its folder or files, the process warns once and compiles the kernels. It
replaces Numba's own cache (numba.core.caching) for three reasons:

- Numba trusts its files: a truncated file makes every later start fail, and a flipped bit runs as machine code. Here each
  file begins with the digest of the rest, and contains the full key of its code.
- Numba keeps an index beside its files, so two processes that write at the same time may mix up their entries. Here the
  name of a file follows from its key, and files are written completely or not at all.
- Numba checks only a function's own file for changes. It does not notice an edit of the intrinsics (`registers/`), which
  emit most of the instructions, or of a constant in the file next to it. Here the name of the cache folder depends on all
  sources in `kernels/`, and the name of each file on the sources beside its function. Compiled code imports nothing else
  from the package (a test checks this).

A cache file is a pickle, which can run any code when it is loaded, and a digest protects against accidents, not attacks. So
a folder that other users can write to is not used.
"""

import functools
import hashlib
import marshal
import pickle
import sys
import warnings
from contextlib import suppress
from pathlib import Path

from ...files import check_home, others_can_write, read_checked, write_checked
from .jit import host_cpu

PACKAGE = Path(__file__).parents[2]
SOURCES = sorted((PACKAGE / "kernels").rglob("*.py"))

DIGEST = hashlib.sha256

_warned = False


def keep(dispatcher, settings):
    """Let `dispatcher`, a function that Numba compiles with `settings`, load its code from disk and save it there.

    Without a usable folder, warns once and does nothing. Functions without a source file, and closures, are not cached
    (without a warning), since a later start could not recognise them.
    """
    function, folder = dispatcher.py_func, cache_folder()
    if folder is not None and function.__closure__ is None:
        with suppress(OSError):  # no source file
            dispatcher._cache = CompiledCode(function, settings, folder)


class CompiledCode:
    """The cache of one function, with one file per signature; it has the methods that a Numba dispatcher calls.

    A file holds a digest, and a pickle of (key, code), with the code as Numba reduces it for its own cache.
    """

    def __init__(self, function, settings, folder):
        self.cache_path = folder
        self._prefix = function.__name__.strip("<>")  # of lambdas
        # The sources contain the constants a function uses; the bytecode distinguishes two lambdas on one line. Version 2 of
        # marshal gives the same bytes in every process.
        source = _sources_beside(function.__code__.co_filename) + marshal.dumps(function.__code__, 2)
        self._identity = function.__module__, function.__qualname__, DIGEST(source).hexdigest(), repr(settings)

    def load_overload(self, signature, target):
        """The code for these argument types on the CPU of `target`, a Numba context; None if it is not cached."""
        target.refresh()  # loads new registrations, as Numba's own cache does first
        try:
            from numba.core.compiler import CompileResult

            key = self._key(signature, target)
            stored, code = pickle.loads(read_checked(self._path(key)))
            if stored == key:
                return CompileResult._rebuild(target, *code)
        except FileNotFoundError:
            pass  # not compiled yet
        except Exception as error:  # whatever Numba or pickle raise: compiling again always works
            _warn(
                f"compiled code in {self.cache_path} cannot be used ({_reason(error)}) and is compiled again; "
                "if this warning comes back, delete that folder"
            )
        return None

    def save_overload(self, signature, compiled):
        """Save `compiled`, a Numba CompileResult, unless it contains addresses that are valid only in this process."""
        try:
            if compiled.library.has_dynamic_globals or not all(part.can_cache for part in compiled.lifted):
                return
            from numba.core.serialize import dumps

            key = self._key(signature, compiled.target_context)
            write_checked(self._path(key), dumps((key, compiled._reduce())))
        except Exception as error:  # the code runs, saved or not
            _warn_not_cached(self.cache_path, error)

    def flush(self):
        """Delete the saved code of this function; Numba calls this before it recompiles a function."""
        for path in Path(self.cache_path).glob(f"{self._prefix}-*.nbc"):
            with suppress(OSError):
                path.unlink()

    def _key(self, signature, target):
        return self._identity, signature, target.codegen().magic_tuple()  # magic_tuple: triple, CPU and its features

    def _path(self, key):
        return Path(self.cache_path) / f"{self._prefix}-{DIGEST(repr(key).encode()).hexdigest()[:16]}.nbc"


@functools.cache
def _sources_beside(filename):
    """The bytes of the source file and, within the package, of all sources in its folder, where its constants come from."""
    path = Path(filename)
    beside = sorted(path.parent.glob("*.py")) if PACKAGE in path.parents else ()
    return b"".join(source.read_bytes() for source in (path, *beside))


@functools.cache
def cache_folder():
    """The folder for compiled code, created if needed; None, after a warning, if that fails."""
    from numba import config

    folder = config.CACHE_DIR or "the user's cache folder"
    try:
        if not config.CACHE_DIR:
            import platformdirs

            folder = platformdirs.user_cache_dir("tinycompress", appauthor=False)
            check_home(folder)
        folder = Path(folder).expanduser().absolute() / f"numba-{salt(SOURCES)}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if others_can_write(folder):
            raise PermissionError("other users can write to it")
    except (OSError, RuntimeError) as error:  # RuntimeError: the user's home is unknown
        _warn_not_cached(folder, error)
        return None
    return str(folder)


def salt(sources):
    """A name for compiled code that depends on the source files, the CPU, and the versions of Python and the compiler."""
    import llvmlite
    import numba

    made_by = host_cpu(), sys.version, numba.__version__, llvmlite.__version__
    code = b"".join(source.read_bytes() for source in sources)
    return DIGEST(repr(made_by).encode() + code).hexdigest()[:16]


def _warn_not_cached(folder, error):
    _warn(
        f"compiled code cannot be cached in {folder} ({_reason(error)}), so each start compiles again; "
        "fix that, or set NUMBA_CACHE_DIR to a writable folder"
    )


def _reason(error):
    """The message of an exception, in one line and without the path, which the warning already names."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.splitlines()[0]


def _warn(message):
    """Warn once per process: later problems have the same cause or the same fix."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(message, stacklevel=2)
