"""The finished tasks of an unfinished run, so that an interrupted run continues where it stopped."""

import errno
import hashlib
import json
import os
from pathlib import Path

from ..files import replace_file
from ..workshop.identity import fingerprint, source_hash, versions

FILE_NAME = "unfinished.jsonl"


class Store:
    """Rows by task, in `<folder>/unfinished.jsonl`: one JSON line per finished task, appended as it finishes.

    Only the same code finds a task again: its key covers the claim, the task's arguments, the threads, the data's content,
    the sources of this package, and the versions of its dependencies that may change results.
    """

    def __init__(self, folder: str | os.PathLike, data: str = "digits"):
        self.path = Path(folder) / FILE_NAME
        self._source = source_hash()
        self._base = [self._source, fingerprint(data), *versions()]
        self._found = {key: (rows, seconds) for key, *_, rows, seconds in self._lines()}
        self._used: set[str] = set()

    def get(self, claim_id: str, task: tuple, threads: int) -> tuple[list[dict] | None, float]:
        """The rows of a task that finished before the interruption, and the seconds it took; (None, 0) if it did not."""
        key = self._key(claim_id, task, threads)
        self._used.add(key)
        return self._found.get(key, (None, 0.0))

    def put(self, claim_id: str, task: tuple, threads: int, rows: list[dict], seconds: float) -> None:
        """Append a finished task. If that fails, remove any part of it and raise OSError, which names the file."""
        key = self._key(claim_id, task, threads)
        self._used.add(key)
        self._found[key] = rows, seconds
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps([key, claim_id, self._source, rows, seconds]).encode() + b"\n"
        with open(self.path, "ab+", buffering=0) as file:
            size = file.tell()
            if size:
                file.seek(-1, os.SEEK_END)
                # A process killed while writing leaves a partial line; end it, so that this one stays intact.
                line = line if file.read(1) == b"\n" else b"\n" + line
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                file.truncate(size)
                error.filename = str(self.path)
                raise

    def discard(self, claim_ids: set[str]) -> None:
        """Forget the tasks of these claims that this run asked for or put, since it is complete, and those of other code. Tasks
        of another unfinished run stay. The file is deleted with its last line."""

        def over(key, claim_id, source):
            return claim_id in claim_ids and (key in self._used or source != self._source)

        kept = [line for line in self._lines() if not over(*line[:3])]
        if kept:
            replace_file(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        else:
            self.path.unlink(missing_ok=True)

    def _key(self, claim_id: str, task: tuple, threads: int) -> str:
        text = json.dumps([claim_id, list(task), threads, *self._base])
        return hashlib.sha256(text.encode()).hexdigest()

    def _lines(self):
        """Yield the lines [key, claim id, source hash, rows, seconds]; partial and foreign lines are skipped."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                key, claim_id, source, rows, seconds = json.loads(line)
                yield str(key), str(claim_id), str(source), rows, float(seconds)
            except (ValueError, TypeError):
                continue
