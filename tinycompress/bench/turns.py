"""Two or more processes that take strict turns: a block of ours, a block of the rival's, a block of ours, and so on.

They are separate because two libraries in one process fight over its threads and memory. They take turns because a
machine has fast minutes and slow ones: values that are compared were measured within a second of each other, so a round's
ratio is stable even if its times are not.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from .case import Case, Times, disagreement

BLOCK_SECONDS = 0.05
"""The least duration of a turn, and of the untimed runs before it. Long compared with the time that idle cores take to regain
their speed (after 0.15 s of rest, the first steps on two threads took up to 1.6 times as long), but short compared with the
machine's slow and fast phases."""

SETTLE_SECONDS = 0.1
"""The pause between turns on several threads: idle threads of OpenBLAS and OpenMP keep spinning for a while, on cores
that the next side needs."""

ENVIRONMENT = {
    # Let malloc keep PyTorch's large results, up to 32 MB: the system would have to zero their pages again.
    "torch": {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(4 << 30)},
}


class SideFailed(RuntimeError):
    """A side's process ended, or its code raised; the message says which and why."""


class Side:
    """A process that runs `worker.py` for one side of the cases. As a context manager, it ends the process on exit."""

    def __init__(self, name: str, threads: int, command: Sequence[str] | None = None):
        self.name = name
        self._errors = tempfile.TemporaryFile()
        package = str(Path(__file__).parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        limits = {f"{library}_NUM_THREADS": str(threads) for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}
        self._process = subprocess.Popen(
            command or [sys.executable, "-m", "tinycompress.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **limits, **ENVIRONMENT.get(name, {}), "PYTHONPATH": os.pathsep.join(paths)},
            encoding="utf-8",
        )
        try:
            self.ask("start", threads=threads)
        except BaseException:
            self.close()
            raise

    def ask(self, request: str, **arguments):
        """The process's answer to a request. Raises SideFailed if it gives none."""
        try:
            self._process.stdin.write(json.dumps({"do": request, "with": arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise SideFailed(f"{self.name}: its process ended with code {self._process.wait()}{self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise SideFailed(f"{self.name}: {answer['error']}")
        return answer["answer"]

    def _last_words(self) -> str:
        """The last line that the process wrote to its error stream, which usually names the cause."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {last}" if last else ""

    def close(self) -> None:
        with suppress(OSError):  # a dead process cannot take what is still in the pipe
            self._process.stdin.close()  # an idle process then ends
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Sides:
    """The processes of a suite, by side name. Each starts when first used, and again after a failure."""

    def __init__(self, threads: int):
        self.threads = threads
        self._sides: dict[str, Side] = {}

    def __getitem__(self, name: str) -> Side:
        if name not in self._sides:
            self._sides[name] = Side(name, self.threads)
        return self._sides[name]

    def close(self) -> None:
        for side in self._sides.values():
            side.close()
        self._sides.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Contender:
    """One work of one side, and how many runs fill its turn."""

    def __init__(self, side: Side, work: str, seconds: float):
        self.side, self.work = side, work
        self.repeats = max(1, min(10_000, int(BLOCK_SECONDS / max(seconds, 1e-7))))
        # Untimed runs before each block bring its data into the caches, and wake its threads and cores.
        self.wake = self.repeats if seconds < 10 * BLOCK_SECONDS else 0

    def block(self) -> float:
        """Seconds per run, over one turn."""
        return self.side.ask("block", work=self.work, repeats=self.repeats, wake=self.wake)


def take_turns(contestants: Sequence[Contender], rounds: int, settle: float = 0.0) -> list[list[float]]:
    """Seconds per run of each contestant, with one entry per round.

    Every second round goes in reverse, so no contestant is always first, or always after the same other one.
    """
    seconds = [[] for _ in contestants]
    for turn in range(rounds):
        order = range(len(contestants))
        for i in order if turn % 2 == 0 else reversed(order):
            time.sleep(settle)
            seconds[i].append(contestants[i].block())
    return seconds


def contest(case: Case, sides: Sides, rounds: int, rng: np.random.Generator) -> Times:
    """Build all sides on the same data, check that their results agree, and let them take turns. Raises SideFailed."""
    seed = int(rng.integers(2**32))
    named = []
    for name, build in case.sides.items():
        function = f"{build.__module__}:{build.__name__}"
        works = sides[name].ask("build", function=function, arguments=dict(case.arguments), seed=seed)
        named += [(name, work) for work in works]
    with tempfile.TemporaryDirectory() as folder:
        warm = [
            sides[name].ask("warm_up", work=work, path=str(Path(folder, f"{i}.npz")))
            for i, (name, work) in enumerate(named)
        ]
        check_agreement(case, {key: _load(Path(folder, f"{i}.npz")) for i, key in enumerate(named)})
    contenders = [Contender(sides[name], work, seconds) for (name, work), seconds in zip(named, warm, strict=True)]
    settle = SETTLE_SECONDS if sides.threads > 1 else 0.0
    times: Times = {}
    seconds = take_turns(contenders, min(rounds, case.most_rounds or rounds), settle)
    for (name, work), values in zip(named, seconds, strict=True):
        times.setdefault(name, {})[work] = values
    return times


def check_agreement(case: Case, found: dict[tuple[str, str], list[np.ndarray] | None]) -> None:
    """Compare the rivals' results with ours, since a wrong result may well be the fastest. Raises SideFailed.

    found: results by (side, work), None if there is nothing to compare. A rival's work is compared with ours of the same
    name, or with our only one.
    """
    ours = {work: result for (side, work), result in found.items() if side == "ours"}
    only = next(iter(ours.values())) if len(ours) == 1 else None
    for (side, work), result in found.items():
        mine = ours.get(work, only)
        if side == "ours" or mine is None or result is None:
            continue
        if different := disagreement(mine, result, case.tolerance):
            raise SideFailed(f"the results of ours and {side} {work} differ: {different}")


def _load(path: Path) -> list[np.ndarray] | None:
    if not path.exists():
        return None
    with np.load(path) as file:
        return list(file.values())
