"""What systems do differently: Linux grades, macOS grades code that is trusted, and Windows is for students.

Whatever else the course does is the same on all three. (`sandbox/` is for Linux; without a sandbox, `sandbox/worker.py`
lives with the limits that macOS has.)
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from .exercise import CourseProblem

Folder = int | Path  # an open folder, or, where folders cannot be opened, its path


class NotAFile(Exception):
    """What should be a regular file, below regular folders, is something else."""


def _opens_folders() -> bool:
    return hasattr(os, "O_NOFOLLOW") and os.open in os.supports_dir_fd


def _flags() -> int:
    return os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def can_grade(trusted: bool) -> bool:
    """Whether this system can grade code, at least if it is trusted; untrusted code needs Linux."""
    return _opens_folders() and (trusted or sys.platform == "linux")


def require_grader(trusted: bool = True) -> None:
    """Raise CourseProblem on a system that cannot grade such code."""
    if not can_grade(trusted=True):
        raise CourseProblem("hand-ins are graded on Linux; on Windows, use WSL (the Windows Subsystem for Linux)")
    if not can_grade(trusted):
        raise CourseProblem(
            "the sandbox (bubblewrap) exists on Linux only: grade on Linux, or give --trust if you know and trust everyone "
            "whose code you grade"
        )


def is_running(process: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(process, 0)
    except PermissionError:  # it is another user's
        return True
    except (ProcessLookupError, OverflowError):  # no id is too large for a C int
        return False
    return True


@contextmanager
def opened(folder: Path) -> Iterator[Folder]:
    """The folder, for `folders_in` and `read_below`; it stays the same one even if it is renamed meanwhile."""
    if not _opens_folders():
        if folder.is_symlink() or not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(folder))
        yield folder
        return
    top = os.open(folder, _flags() | os.O_DIRECTORY)
    try:
        yield top
    finally:
        os.close(top)


def folders_in(folder: Folder) -> list[str]:
    """The names of the folders in an opened folder; links to folders do not count."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def read_below(folder: Folder, place: PurePosixPath, most: int) -> bytes | None:
    """Up to `most` bytes of a regular file below an opened folder, reached without following links; None if there is none.

    Raises NotAFile if it is something else, OSError if it cannot be read.
    """
    if isinstance(folder, Path):
        return _read_by_path(folder, place, most)
    folder = os.dup(folder)
    try:
        for part in place.parts[:-1]:
            try:
                inner = os.open(part, _flags() | os.O_DIRECTORY, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError):
                return None
            os.close(folder)
            folder = inner
        try:
            # O_NONBLOCK: otherwise, opening a pipe without a writer would never return.
            file = os.open(place.name, _flags() | os.O_NONBLOCK, dir_fd=folder)
        except FileNotFoundError:
            return None
        with open(file, "rb") as stream:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise NotAFile
            return stream.read(most)
    finally:
        os.close(folder)


def _read_by_path(folder: Path, place: PurePosixPath, most: int) -> bytes | None:
    """`read_below` for a student's own folder, in which nothing is exchanged between the check and the reading."""
    for path in (folder.joinpath(*place.parts[:count]) for count in range(1, len(place.parts) + 1)):
        if path.is_symlink():
            raise NotAFile
    if not path.exists():
        return None
    if not path.is_file():
        raise NotAFile
    with open(path, "rb") as stream:
        return stream.read(most)
