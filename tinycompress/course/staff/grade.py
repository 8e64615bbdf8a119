"""`course grade`: every hand-in against the tests, in parallel, so that no crash loses a result or gives one twice.

A task is one exercise of one hand-in. Its key is a hash of everything that its marks depend on; a key that is in the log
is done. The process that was started reads the hand-ins and writes the log; the executor's processes run the tests, and
the sandboxes run the submissions.
"""

import datetime
import functools
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, wait
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..collect import HandIn, Refused
from ..exercise import CourseProblem, Exercise
from ..outcome import SubmissionProblem
from ..sandbox.submission import Submission
from .log import Log

MOST_BREAKS = 3  # times that an executor may die before one gives up
PREFIX = "tinycompress-grade-"


@dataclass(frozen=True)
class Task:
    """One exercise of one hand-in: what was handed in (None: nothing usable, for the reason `refused`)."""

    student: str
    exercise: Exercise
    source: bytes | None
    refused: str
    tests_hash: str
    seed: str
    per_student: bool
    level: str

    @property
    def handin_hash(self) -> str:
        return hashlib.sha256(self.source if self.source is not None else self.refused.encode()).hexdigest()

    @property
    def key(self) -> str:
        parts = [self.student, self.exercise.id, self.source is None, self.handin_hash, self.tests_hash, self.seed]
        return hashlib.sha256(json.dumps([*parts, self.per_student, self.level]).encode()).hexdigest()


class NothingHandedIn(Submission):
    """A submission without a usable file: each test that asks gets the reason."""

    def __init__(self, reason: str):
        super().__init__()
        self._reason = reason

    def _call(self, function, arguments, keywords):
        raise SubmissionProblem(self._reason)


def make_tasks(
    handins: list[HandIn], exercises: list[Exercise], seed: str, per_student: bool, level: str
) -> list[Task]:
    """A task for each hand-in and exercise; what is graded is read here, once."""
    hashes = {exercise.id: exercise.tests_hash() for exercise in exercises}
    tasks = []
    for handin in handins:
        for exercise in exercises:
            source, refused = None, ""
            try:
                source = handin.read(exercise)
            except Refused as problem:
                refused = str(problem)
            tasks.append(Task(handin.student, exercise, source, refused, hashes[exercise.id], seed, per_student, level))
    return tasks


def grade_one(task: Task) -> dict:
    """The log's record of a task. Whatever goes wrong on our side is in its `error`, for a person to look at."""
    record = {
        "kind": "result",
        "key": task.key,
        "student": task.student,
        "exercise": task.exercise.id,
        "handin": task.handin_hash,
        "tests": task.tests_hash,
        "level": task.level,
        "refused": task.refused,
        "when": _now(),
        "results": [],
        "error": "",
    }
    start = time.monotonic()
    try:
        record["results"] = [asdict(result) for result in _run(task)]
    except Exception as error:
        record["error"] = f"{type(error).__name__}: {error}"[:2000]
    return record | {"seconds": round(time.monotonic() - start, 3)}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _run(task: Task):
    from ..run import run_tests

    if task.exercise.tests_hash() != task.tests_hash:
        raise CourseProblem(
            "this machine has other tests of it, or they have just been changed; mend that, and grade again"
        )
    student = task.student if task.per_student else ""
    if task.source is None:
        return run_tests(task.exercise, NothingHandedIn(task.refused), task.seed, student)
    from ..sandbox import readable
    from ..sandbox.workers import InWorkers

    kit = _kit(task.exercise.may_import())
    with tempfile.TemporaryDirectory(dir=_scratch().name) as folder:
        submission = Path(folder) / "submission"
        submission.mkdir()
        (submission / f"{task.exercise.name}.py").write_bytes(task.source)
        readable(submission)
        workers = InWorkers(kit, submission, f"{task.exercise.name}.py", trusted=task.level == "none")
        try:
            return run_tests(task.exercise, workers, task.seed, student)
        finally:
            workers.close()


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    """A folder of this process, which goes with it; those that killed processes left behind go now."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        process = left.name.removeprefix(PREFIX).partition("-")[0]
        if process.isdecimal() and not Path(f"/proc/{process}").exists() and left.stat().st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


@functools.cache
def _kit(may_import: tuple[str, ...]):
    from ..sandbox import Kit

    name = hashlib.sha256(json.dumps(may_import).encode()).hexdigest()[:12]
    return Kit.make(may_import, Path(_scratch().name) / name)


# ---- many of them ----


def grade(
    tasks: list[Task],
    log: Log,
    executor: Callable[[], AbstractContextManager[Executor | None]],
    done: Callable[[dict], None] = lambda record: None,
    left_out: dict[str, str] | None = None,
) -> int:
    """Grade the tasks that are not in the log, and write each result there as soon as it is known; returns how many.

    The log also gets what was `left_out` of the hand-ins' folder, if that differs from what it says already.
    executor() gives a context with an executor, or with None for this process; it is asked again if one breaks. Killed at
    any moment and started again, this goes on where it stopped. A result with a grader_error is tried again each time.
    Raises CourseProblem if another grader is at work, or the log cannot be written.
    """
    with log.lock():
        if left_out is not None and left_out != latest_left_out(log):
            log.append({"kind": "left_out", "names": left_out, "when": _now()})
        waiting, latest = _not_done(tasks, log)
        for task in tasks:
            # Handed in, changed, and changed back: what was said of it then holds again.
            if task.key not in waiting and latest[task.student, task.exercise.id] != task.key:
                log.append({"kind": "again", "key": task.key, "student": task.student, "exercise": task.exercise.id})
        count, breaks = len(waiting), 0

        def write(record):
            log.append(record)
            del waiting[record["key"]]
            done(record)

        while waiting:
            try:
                with executor() as pool:
                    _run_all(list(waiting.values()), pool, write)
            except BrokenExecutor as error:
                breaks += 1
                if breaks == MOST_BREAKS:
                    raise CourseProblem(
                        f"the processes that grade died {breaks} times, perhaps for want of memory: try fewer --workers. "
                        f"{count - len(waiting)} results are kept; the same command goes on with the other {len(waiting)}"
                    ) from error
        return count


def _not_done(tasks: list[Task], log: Log) -> tuple[dict[str, Task], dict]:
    """The tasks that have to be run, by key; and the key of the latest word on each student and exercise."""
    finished, latest = set(), {}
    for record in log.records():
        if record.get("kind") in ("result", "again"):
            latest[record["student"], record["exercise"]] = record["key"]
        if record.get("kind") == "result":
            (finished.discard if faulty(record) else finished.add)(record["key"])
    return {task.key: task for task in tasks if task.key not in finished}, latest


def latest_left_out(log: Log) -> dict[str, str]:
    """What the last grading left out of the folder of hand-ins, and why."""
    return next((record["names"] for record in reversed(log.records()) if record.get("kind") == "left_out"), {})


def faulty(record: dict) -> bool:
    """Whether something went wrong on the graders' side, so that the points say nothing."""
    return bool(record["error"]) or any(result["outcome"] == "grader_error" for result in record["results"])


def _run_all(tasks: list[Task], pool: Executor | None, write) -> None:
    if pool is None:
        for task in tasks:
            write(grade_one(task))
        return
    running, waiting = set(), iter(tasks)
    more = True
    while more or running:
        while more and len(running) < 64:  # a few hundred sources need not wait in every queue
            task = next(waiting, None)
            more = task is not None
            if more:
                running.add(pool.submit(grade_one, task))
        finished, running = wait(running, return_when=FIRST_COMPLETED) if running else (set(), running)
        for future in sorted(finished, key=lambda future: future.exception() is not None):  # keep what there is first
            write(future.result())
