"""The log of results: one JSON object per line, only ever appended to, by one grader at a time.

A line is written whole or removed again; a line that a power cut left incomplete is ignored. The log records what the
tests found; corrections by people are in a separate file (`gradebook.py`).
"""

import contextlib
import json
import os
from pathlib import Path

from ..exercise import CourseProblem


class Log:
    """A file of JSON objects, one per line."""

    def __init__(self, path: Path | str):
        self.path = Path(path)

    def records(self) -> list[dict]:
        """The records of all complete lines, in order."""
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
        """Add a line; it is on the disk when this returns. If that fails, remove any part of it and raise CourseProblem."""
        line = json.dumps(record).encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CourseProblem(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # the last line is incomplete
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(descriptor)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size)
                raise CourseProblem(
                    f"{self.path} cannot be written ({error.strerror}); make room, and start the same command again: it "
                    "continues after the last result that was written"
                ) from error
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def lock(self):
        """Hold the lock of the one grader that may write; raises CourseProblem if another holds it.

        The lock is released when its process ends, however it ends.
        """
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
            with contextlib.suppress(OSError):  # a full disk; who holds the lock is only said for convenience
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()}\n".encode())
            yield
        finally:
            os.close(descriptor)
