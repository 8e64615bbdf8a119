"""`course grade`: test every hand-in, in parallel. A crash neither loses nor duplicates a result.

A task is one exercise of one hand-in. Its key is a hash of everything that its marks depend on; a key that is in the log
is done. The main process reads the hand-ins and writes the log, the executor's processes run the tests, and the sandboxes
run the submissions.
"""

import contextlib
import datetime
import functools
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, wait
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..collect import HandIn
from ..exercise import CourseProblem, Exercise
from ..outcome import SubmissionProblem
from ..sandbox.another_user import PREFIX
from ..sandbox.submission import Submission
from ..system import is_running
from .log import Log
from .secrets import secret_paths

MOST_BREAKS = 3  # give up when the executor has died this often


@dataclass(frozen=True)
class Found:
    """How a file was found in a hand-in, for its record in the log.

    unclear: whether a person must decide which file counts; notes: what people should know about the choice; handed_in: when
    the file was last changed, with the time zone ("" if that is not known); late: what the system it comes from says, or None;
    numbers: what such systems call the student, as in "moodle 1234".
    """

    unclear: bool = False
    notes: tuple[str, ...] = ()
    handed_in: str = ""
    late: bool | None = None
    numbers: tuple[str, ...] = ()

    def as_record(self) -> dict:
        return {**asdict(self), "notes": list(self.notes), "numbers": list(self.numbers)}


@dataclass(frozen=True)
class Task:
    """One exercise of one hand-in. `source` is the student's file, or None if it is unusable; `refused` then says why.

    level: that of the sandbox; secrets: folders that it must not show; found: how the file was found, which does not change
    the marks.
    """

    student: str
    exercise: Exercise
    source: bytes | None
    refused: str
    tests_hash: str
    seed: str
    per_student: bool
    level: str
    secrets: tuple[str, ...] = ()
    found: Found = Found()

    @property
    def handin_hash(self) -> str:
        return hashlib.sha256(self.source if self.source is not None else self.refused.encode()).hexdigest()

    @property
    def key(self) -> str:
        parts = [self.student, self.exercise.id, self.source is None, self.handin_hash, self.tests_hash, self.seed]
        return hashlib.sha256(json.dumps([*parts, self.per_student, self.level]).encode()).hexdigest()


class NothingHandedIn(Submission):
    """A submission without a usable file: every call raises SubmissionProblem with the reason."""

    def __init__(self, reason: str):
        super().__init__()
        self._reason = reason

    def _call(self, function, arguments, keywords):
        raise SubmissionProblem(self._reason)


def make_tasks(
    handins: list[HandIn],
    exercises: list[Exercise],
    seed: str,
    per_student: bool,
    level: str,
    log: Path | str | None = None,
) -> list[Task]:
    """One task per hand-in and exercise. Each student's file is read here, once. log: where the results will be."""
    hashes = {exercise.id: exercise.tests_hash() for exercise in exercises}
    uploads = [upload.path for handin in handins for upload in handin.uploads]
    links = [path for path in uploads if path.is_symlink()]  # to where a hand-in really is
    secrets = secret_paths([*links, *{handin.path.parent for handin in handins}], exercises, log)
    tasks = []
    for handin in handins:
        for exercise, source in zip(exercises, handin.sources(exercises), strict=True):
            found = Found(source.unclear, source.notes, _time(source.time), handin.late, handin.numbers)
            given = exercise, source.data, source.refused, hashes[exercise.id], seed, per_student, level, secrets, found
            tasks.append(Task(handin.student, *given))
    return tasks


def _time(seconds: float) -> str:
    if not seconds:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="minutes")


def grade_one(task: Task) -> dict:
    """Grade a task and return its record for the log. A failure on our side goes into `error`, for a person to look at."""
    record = {
        "kind": "result",
        "key": task.key,
        "student": task.student,
        "exercise": task.exercise.id,
        "handin": task.handin_hash,
        "tests": task.tests_hash,
        "level": task.level,
        "refused": task.refused,
        **task.found.as_record(),
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
            "the tests on this machine are not those that the task was made for; make them the same, and grade again"
        )
    student = task.student if task.per_student else ""
    if task.source is None:
        return run_tests(task.exercise, NothingHandedIn(task.refused), task.seed, student)
    from ..sandbox import readable
    from ..sandbox.workers import InWorkers

    with _one_at_a_time:
        kit = _kit(task.exercise.may_import())
    with tempfile.TemporaryDirectory(dir=_scratch().name) as folder:
        submission = Path(folder) / "submission"
        submission.mkdir()
        (submission / f"{task.exercise.name}.py").write_bytes(task.source)
        readable(submission)
        workers = InWorkers(kit, submission, f"{task.exercise.name}.py", task.level, task.secrets)
        try:
            return run_tests(task.exercise, workers, task.seed, student)
        finally:
            workers.close()


_one_at_a_time = threading.Lock()  # threads that grade share their kits


LEFT_BEHIND = 3600  # seconds since a folder was last used


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    """A folder that is removed when this process ends. Folders left behind by killed processes are removed now.

    A container that shares /tmp cannot see the processes outside of it, so that only old folders are taken for left behind.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        process = left.name.removeprefix(PREFIX).partition("-")[0]
        with contextlib.suppress(FileNotFoundError):  # another grader was faster
            about = left.stat()
            old = time.time() - about.st_mtime > LEFT_BEHIND
            if process.isdecimal() and old and not is_running(int(process)) and about.st_uid == os.getuid():
                shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


@functools.cache
def _kit(may_import: tuple[str, ...]):
    from ..sandbox import Kit

    name = hashlib.sha256(json.dumps(may_import).encode()).hexdigest()[:12]
    return Kit.make(may_import, Path(_scratch().name) / name)


# ---- many tasks ----


def grade(
    tasks: list[Task],
    log: Log,
    executor: Callable[[], AbstractContextManager[Executor | None]],
    done: Callable[[dict], None] = lambda record: None,
    left_out: dict[str, str] | None = None,
) -> int:
    """Grade the tasks that are not in the log, write each result there as soon as it is known, and return their number.

    If `left_out` (the files that are not hand-ins) differs from the log's last record of it, it is logged, too. executor()
    returns a context with an executor, or with None to grade in this process; it is called again if an executor breaks.
    If this is killed at any moment and started again, it continues where it stopped. Tasks with a grader_error are graded
    again each time. Raises CourseProblem if another grader is running, or the log cannot be written.
    """
    with log.lock():
        if left_out is not None and left_out != latest_left_out(log):
            log.append({"kind": "left_out", "names": left_out, "when": _now()})
        waiting, latest = _not_done(tasks, log)
        for task in tasks:
            # A hand-in that was changed and changed back, or is found in another way: its earlier result holds again.
            found = task.found.as_record()
            if task.key not in waiting and latest[task.student, task.exercise.id] != (task.key, found):
                place = {"student": task.student, "exercise": task.exercise.id}
                log.append({"kind": "again", "key": task.key, **place, **found})
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
                        f"grading processes died {breaks} times, perhaps because memory ran out: try fewer --workers. "
                        f"{count - len(waiting)} results are kept; the same command continues with the other {len(waiting)}"
                    ) from error
        return count


def _not_done(tasks: list[Task], log: Log) -> tuple[dict[str, Task], dict]:
    """The tasks still to be run, by key; and for each (student, exercise) the latest result's key, and how it was found."""
    finished, latest, parts = set(), {}, Found().as_record()
    for record in log.records():
        if record.get("kind") in ("result", "again"):
            found = {part: record.get(part, default) for part, default in parts.items()}
            latest[record["student"], record["exercise"]] = record["key"], found
        if record.get("kind") == "result":
            (finished.discard if faulty(record) else finished.add)(record["key"])
    return {task.key: task for task in tasks if task.key not in finished}, latest


def latest_left_out(log: Log) -> dict[str, str]:
    """The files that the last grading left out of the folder of hand-ins: {name: why}."""
    return next((record["names"] for record in reversed(log.records()) if record.get("kind") == "left_out"), {})


def faulty(record: dict) -> bool:
    """Whether something failed on the graders' side, so that the points mean nothing."""
    return bool(record["error"]) or any(result["outcome"] == "grader_error" for result in record["results"])


def _run_all(tasks: list[Task], pool: Executor | None, write) -> None:
    if pool is None:
        for task in tasks:
            write(grade_one(task))
        return
    running, waiting = set(), iter(tasks)
    more = True
    while more or running:
        while more and len(running) < 64:  # keep the executor's queue short, since each task carries its source
            task = next(waiting, None)
            more = task is not None
            if more:
                running.add(pool.submit(grade_one, task))
        finished, running = wait(running, return_when=FIRST_COMPLETED) if running else (set(), running)
        for future in sorted(finished, key=lambda future: future.exception() is not None):  # results first, then raise
            write(future.result())
