"""Files and folders that are written completely or not at all, and whether a folder may be written to."""

import errno
import os
import stat
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space on the disk, in the quota, in the size that a file may have


@contextmanager
def whole_file(path):
    """Yield a temporary binary file that replaces `path` when the block ends; if the block fails, `path` is unchanged.
    Readers never see half a file. An OSError names `path`."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is not None:  # otherwise its message has no place for a name
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path):
    """Yield a temporary folder whose contents move to `path`, a new or an empty folder, when the block ends; if the block
    fails, nothing is left. An OSError of a full disk names `path`."""
    import tempfile

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as temporary:
            yield Path(temporary)
            path.mkdir(exist_ok=True)
            for inner in Path(temporary).iterdir():
                inner.rename(path / inner.name)
    except OSError as error:
        if error.errno in FULL:
            error.filename = str(path)
        raise


def replace_file(path, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes to `path`, completely or not at all. Raises TypeError for anything else."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def alone(path, waiting: str):
    """Within this block, no other process is in such a block of the same lock file; as long as one is, this one waits, and says
    `waiting` on stderr. A process that ends gives its lock back."""
    from filelock import FileLock, Timeout

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(waiting, file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def check_room(folder, size: int = 1 << 20) -> None:
    """Raise OSError unless the folder takes a new file of this many bytes now."""
    import tempfile

    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(size))


def arrays_of(path) -> "dict[str, np.ndarray]":
    """The arrays of an .npz by name; pickled objects are refused. Raises OSError if it cannot be read; a damaged file raises what
    zip, zlib or NumPy do."""
    import io
    import zipfile
    from pathlib import Path

    import numpy as np

    content = io.BytesIO(Path(path).read_bytes())
    if not zipfile.is_zipfile(content):  # NumPy would take it for a pickle, and say how to load that
        raise ValueError("it is not a zip file")
    content.seek(0)
    with np.load(content, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write_checked(path: Path, data: bytes) -> None:
    """Write bytes and their digest for `read_checked`; other processes may read or write the file at the same time."""
    from hashlib import sha256  # loads OpenSSL, which takes some milliseconds

    replace_file(path, sha256(data).digest() + data)


def read_checked(path: Path) -> bytes:
    """The bytes that `write_checked` wrote. Raises OSError if the file cannot be read, ValueError if it is damaged."""
    from hashlib import sha256

    content, size = path.read_bytes(), sha256().digest_size
    if sha256(content[size:]).digest() != content[:size]:
        raise ValueError(f"{path.name} is damaged")
    return content[size:]


def check_home(folder):
    """Raise OSError if `folder` is relative, or lies in a home folder that does not exist."""
    folder, home = Path(folder), Path(os.path.expanduser("~"))
    if not folder.is_absolute():  # some versions of platformdirs do not expand "~"
        raise FileNotFoundError("not an absolute path")
    if folder.is_relative_to(home) and not home.is_dir():
        raise FileNotFoundError(f"the home folder {home} does not exist")


def others_can_write(folder: Path) -> bool:
    """Whether other users can write to the folder, or own it."""
    if not hasattr(os, "getuid"):  # Windows
        return False
    status = folder.stat()
    return status.st_uid != os.getuid() or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
