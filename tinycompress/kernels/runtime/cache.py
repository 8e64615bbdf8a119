"""Compiled kernels on disk: only the first start compiles.

The cache saves time and does nothing else: whatever is wrong with its folder or its files, there is one warning in a
process, and the kernels are compiled. It is our own, in place of Numba's (numba.core.caching), for three reasons:

- Numba takes what it finds: a file that was cut short ends every later start, and a flipped bit runs as machine code. Here
  each file begins with the digest of what follows, and carries the whole key under which its code was stored.
- Numba keeps an index beside its files, so that two processes that write at the same time may mix up their entries. Here
  a file's name follows from its key, and it appears whole, under that name, or not at all.
- Numba decides by a function's own file whether its code is fresh, and does not notice an edit of the intrinsics
  (`registers/`) that most of the instructions come from, or of a constant in the file next to it. Here the cache's folder
  has a name made of all sources in `kernels/`, and each file in it one made of the sources beside its function. Compiled
  code of the package imports nothing else from it, which a test keeps so.

A cache file is a pickle, which can run any code when it is loaded, and a digest keeps out accidents, not attackers: a folder
that somebody else could write to is not used.
"""

import functools
import hashlib
import marshal
import os
import pickle
import stat
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

from .jit import host_cpu

PACKAGE = Path(__file__).parents[2]
SOURCES = sorted((PACKAGE / "kernels").rglob("*.py"))

DIGEST = hashlib.sha256
DIGEST_BYTES = DIGEST().digest_size

_warned = False


def keep(dispatcher, settings):
    """Let `dispatcher`, a function that Numba compiles with `settings`, look for its code on disk, and leave it there.

    Does nothing, after one warning, where there is no folder for it. Nor, without a warning, for a function that has no
    source file, or that uses variables of a function around it (a closure): no later start could recognise those.
    """
    function, folder = dispatcher.py_func, cache_folder()
    if folder is not None and function.__closure__ is None:
        with suppress(OSError):  # there is no source file
            dispatcher._cache = CompiledCode(function, settings, folder)


class CompiledCode:
    """The compiled code of one function, in a file for each signature: what a dispatcher of Numba expects of a cache.

    A file is the digest of its rest, and a pickle of (key, code), where the code is as Numba reduces it for its own cache.
    """

    def __init__(self, function, settings, folder):
        self.cache_path = folder
        self._prefix = function.__name__.strip("<>")  # of lambdas
        # The sources, since functions find constants there, and the code itself, which tells apart two lambdas of one line.
        # In version 2, marshal's bytes are the same in every process.
        source = _sources_beside(function.__code__.co_filename) + marshal.dumps(function.__code__, 2)
        self._identity = function.__module__, function.__qualname__, DIGEST(source).hexdigest(), repr(settings)

    def load_overload(self, signature, target):
        """The code for arguments of these types on the CPU of `target`, a context of Numba; None if there is none."""
        target.refresh()  # with what has been registered since, as Numba's own cache does before it loads anything
        try:
            from numba.core.compiler import CompileResult

            key = self._key(signature, target)
            stored, code = pickle.loads(_read(self._path(key)))
            if stored == key:
                return CompileResult._rebuild(target, *code)
        except FileNotFoundError:
            pass  # not compiled yet
        except Exception as error:  # including whatever Numba or pickle may raise: compiling anew always works
            _warn(
                f"compiled code in {self.cache_path} cannot be used ({_reason(error)}) and is compiled anew; "
                "if this warning comes back, delete that folder"
            )
        return None

    def save_overload(self, signature, compiled):
        """Keep `compiled`, a CompileResult of Numba, unless it holds addresses that are valid in this process alone."""
        try:
            if compiled.library.has_dynamic_globals or not all(part.can_cache for part in compiled.lifted):
                return
            from numba.core.serialize import dumps

            key = self._key(signature, compiled.target_context)
            _write(self._path(key), dumps((key, compiled._reduce())))
        except Exception as error:  # the code is compiled and runs, kept or not
            _warn_not_cached(self.cache_path, error)

    def flush(self):
        """Forget this function's code, as Numba wants before it compiles a function anew."""
        for path in Path(self.cache_path).glob(f"{self._prefix}-*.nbc"):
            with suppress(OSError):
                path.unlink()

    def _key(self, signature, target):
        return self._identity, signature, target.codegen().magic_tuple()  # the last: triple, CPU and its features

    def _path(self, key):
        return Path(self.cache_path) / f"{self._prefix}-{DIGEST(repr(key).encode()).hexdigest()[:16]}.nbc"


@functools.cache
def _sources_beside(filename):
    """The source file itself and, if it is part of the package, those in its folder: where its constants come from."""
    path = Path(filename)
    beside = sorted(path.parent.glob("*.py")) if PACKAGE in path.parents else ()
    return b"".join(source.read_bytes() for source in (path, *beside))


def _read(path):
    data = path.read_bytes()
    digest, rest = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if DIGEST(rest).digest() != digest:
        raise ValueError(f"{path.name} is damaged")
    return rest


def _write(path, data):
    """Write a file that `_read` reads: beside its place, then into it, since others may write or read it meanwhile."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(DIGEST(data).digest() + data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


@functools.cache
def cache_folder():
    """The folder for compiled code, made if needed; None, after a warning, if there can be none."""
    from numba import config

    folder = config.CACHE_DIR or "the user's cache folder"
    try:
        if not config.CACHE_DIR:
            import platformdirs

            folder = platformdirs.user_cache_dir("tinycompress", appauthor=False)
            _check_home(folder)
        folder = Path(folder).expanduser().absolute() / f"numba-{salt(SOURCES)}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _others_can_write(folder):
            raise PermissionError("somebody else could write to it")
    except (OSError, RuntimeError) as error:  # the latter where nobody knows the user's home
        _warn_not_cached(folder, error)
        return None
    return str(folder)


def _check_home(folder):
    """Raise OSError if the user's `folder` would be made in a home that is none, or in whatever the current folder is."""
    folder, home = Path(folder), Path(os.path.expanduser("~"))
    if not folder.is_absolute():  # some versions of platformdirs leave a "~" that stands for nothing
        raise FileNotFoundError("not an absolute path")
    if folder.is_relative_to(home) and not home.is_dir():
        raise FileNotFoundError(f"there is no home folder {home}")


def _others_can_write(folder):
    if os.name != "posix":
        return False
    status = folder.stat()
    return status.st_uid != os.getuid() or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def salt(sources):
    """A name for compiled code: it changes with any of the source files, the CPU, and the versions of the compiler."""
    import llvmlite
    import numba

    made_by = host_cpu(), sys.version, numba.__version__, llvmlite.__version__
    digest = DIGEST(repr(made_by).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _warn_not_cached(folder, error):
    _warn(
        f"compiled code cannot be cached in {folder} ({_reason(error)}), so each start compiles anew; "
        "mend that, or set NUMBA_CACHE_DIR to a writable folder"
    )


def _reason(error):
    """What an exception says of itself, in one line and without the path, which the warning names already."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.splitlines()[0]


def _warn(message):
    """Only the first trouble of a process is told: what follows has the same cause or the same remedy."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(message, stacklevel=2)
