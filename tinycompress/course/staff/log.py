"""The log of results: one JSON line each, only ever appended to, by one grader at a time.

A line is written whole, or taken back; one that was torn by a power cut is as if it had not been written. The log is the
truth about what the tests said; corrections by people are in a file of their own (`gradebook.py`).
"""

import contextlib
import json
import os
from pathlib import Path

from ..exercise import CourseProblem


class Log:
    """Lines of JSON objects in one file."""

    def __init__(self, path: Path | str):
        self.path = Path(path)

    def records(self) -> list[dict]:
        """The whole lines, in order."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                found.append(record)
        return found

    def append(self, record: dict) -> None:
        """Add a line; it is on the disk when this returns. Raises CourseProblem where it cannot be, and leaves no part."""
        line = json.dumps(record).encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CourseProblem(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # after a torn line
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(descriptor)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size)
                raise CourseProblem(
                    f"{self.path} cannot be written ({error.strerror}); make room, and start the same command again: it goes "
                    "on after the last result that was written"
                ) from error
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def lock(self):
        """Held by the one grader that may write; raises CourseProblem if another one has it. It goes with its process."""
        import fcntl

        path = self.path.with_name(self.path.name + ".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CourseProblem(f"{path} cannot be written: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                who = os.read(descriptor, 100).decode(errors="replace").strip()
                raise CourseProblem(f"{self.path} is being written by another grader ({who}); wait for it") from error
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()}\n".encode())
            yield
        finally:
            os.close(descriptor)
