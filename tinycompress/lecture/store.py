"""The finished tasks of a run that has not ended yet, so that an interrupted run goes on where it stopped."""

import functools
import hashlib
import json
import os
from pathlib import Path

FILE_NAME = "unfinished.jsonl"


class Store:
    """Rows by task, in `<folder>/unfinished.jsonl`: one JSON line a finished task, only ever appended to.

    A task is found again only by the same code: its key covers the claim, the task's arguments, the threads, the
    data's content, the sources of this package, and the versions below it that may change a bit.
    """

    def __init__(self, folder: str | os.PathLike, data: str = "digits"):
        self.path = Path(folder) / FILE_NAME
        self._base = [source_hash(), fingerprint(data), *versions()]
        self._found = {key: (rows, seconds) for key, _, rows, seconds in self._lines()}

    def get(self, claim_id: str, task: tuple, threads: int) -> tuple[list[dict] | None, float]:
        """The rows that this task gave before the run was interrupted, and the seconds it took; or (None, 0)."""
        return self._found.get(self._key(claim_id, task, threads), (None, 0.0))

    def put(self, claim_id: str, task: tuple, threads: int, rows: list[dict], seconds: float) -> None:
        key = self._key(claim_id, task, threads)
        self._found[key] = rows, seconds
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                # A process killed while it wrote leaves a torn line, which must not swallow this one.
                torn = file.read(1) != b"\n"
                file.write(b"\n" if torn else b"")
            file.write(json.dumps([key, claim_id, rows, seconds]).encode() + b"\n")

    def discard(self, claim_ids: set[str]) -> None:
        """Forget these claims' tasks, since their run is complete; the file goes with its last line."""
        kept = [line for line in self._lines() if line[1] not in claim_ids]
        if kept:
            replace_file(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        else:
            self.path.unlink(missing_ok=True)

    def _key(self, claim_id: str, task: tuple, threads: int) -> str:
        text = json.dumps([claim_id, list(task), threads, *self._base])
        return hashlib.sha256(text.encode()).hexdigest()

    def _lines(self):
        """The whole lines [key, claim id, rows, seconds]; a torn or foreign one is as if it had not been written."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                key, claim_id, rows, seconds = json.loads(line)
                yield str(key), str(claim_id), rows, float(seconds)
            except (ValueError, TypeError):
                continue


@functools.cache
def source_hash() -> str:
    """SHA-256 of every Python file of this package, names included."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def fingerprint(data: str) -> str:
    """The first 16 hex digits of the SHA-256 of a data set's arrays; raises what `tinycompress.data.load` raises."""
    from ..data import load

    dataset, digest = load(data), hashlib.sha256()
    for array in (*dataset.train, *dataset.val, *dataset.test):
        digest.update(f"{array.dtype} {array.shape}\0".encode())
        digest.update(array)
    return digest.hexdigest()[:16]


def replace_file(path: Path, content: str | bytes) -> None:
    """Write to a temporary file beside `path`, then rename: no reader ever sees half a file."""
    content = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def versions() -> list[str]:
    import platform
    from importlib.metadata import version

    return [platform.python_version(), version("numpy"), version("numba")]
