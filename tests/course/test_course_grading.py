"""Grading a class: the marks, whatever interrupts; what is graded anew; executors; the log."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest
from course_class import (
    CLASS,
    FOUND,
    GRADEBOOK,
    LEVEL,
    SOLUTION,
    TESTS,
    command,
    here,
    marks,
    tasks_of,
    write_class,
    write_exercise,
)
from waiting import wait_for

from tinycompress.cli import main
from tinycompress.course import plugin
from tinycompress.course.exercise import CourseProblem, find_exercises
from tinycompress.course.run import run_tests
from tinycompress.course.sandbox.submission import InProcess
from tinycompress.course.staff import grade as grading
from tinycompress.course.staff.grade import grade
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log

# ---- the class of eight ----


@pytest.fixture(scope="module")
def graded_class(tmp_path_factory):
    """The class of eight, graded by the command line in two processes."""
    if LEVEL.name != "bubblewrap":
        pytest.skip(f"its cheats are not run without a sandbox: {LEVEL.detail}")
    course = tmp_path_factory.mktemp("course")
    write_exercise(course)
    write_class(course / "class")
    assert main(command(course, "--workers", "2")) == 0
    return course


def test_a_class_with_crashes_loops_and_cheats_gets_its_marks(graded_class):
    assert marks(graded_class) == GRADEBOOK


def test_mishaps_are_named_and_a_poor_answer_is_none(graded_class, capsys):
    assert main(command(graded_class, "--workers", "1")) == 0
    out = capsys.readouterr().out
    looks = [line.split("'")[1] for line in out.splitlines() if line.startswith("look at")]
    assert looks == ["cheat_exit", "crash"]
    assert "look at 'cheat_exit': toy/keep: keep.py cannot be imported: it ends its process" in out
    assert "toy/keep: keep ended its process instead of returning" in out
    assert out.splitlines()[-1] == f"next: tinycompress course export csv --out marks.csv --log {graded_class / 'log'}"


def test_grading_again_grades_nothing_and_changes_nothing(graded_class, capsys):
    before = (graded_class / "log").read_bytes()
    assert main(command(graded_class, "--workers", "1")) == 0
    assert "0 results added" in capsys.readouterr().out
    assert (graded_class / "log").read_bytes() == before


def test_a_grader_that_is_killed_again_and_again_loses_nothing_and_repeats_nothing(graded_class, tmp_path):
    quick = {name: CLASS[name] for name in CLASS if name != "loop"}  # which takes its time, every time
    write_exercise(tmp_path)
    write_class(tmp_path / "class", quick)
    program = [sys.executable, "-m", "tinycompress", *command(tmp_path, "--workers", "1")]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"TMPDIR": str(scratch)}}
    log, chance = Log(tmp_path / "log"), random.Random(0)
    for number in range(len(quick)):
        with subprocess.Popen(program, stderr=subprocess.DEVNULL, **quiet) as grader:
            try:
                wait_for("one more is graded", lambda before=number: len(log.records()) > before)
                time.sleep(chance.uniform(0, 0.3))  # anywhere in what follows
            finally:
                grader.kill()
    late = {"late": CLASS["good"]}  # something to do for the last one, which tidies up, too
    write_class(tmp_path / "class", late)
    for left in scratch.iterdir():  # another container's grader might still be at work in a younger one
        os.utime(left, (0, time.time() - 2 * grading.LEFT_BEHIND))
    assert subprocess.run(program, **quiet).returncode == 0
    assert marks(tmp_path) == {student: points for student, (_, points) in (quick | late).items()}
    keys = [record["key"] for record in log.records()]
    assert sorted(keys) == sorted(set(keys))
    assert len({record["key"] for record in Log(graded_class / "log").records()} & set(keys)) == len(quick)
    assert list(scratch.glob(f"{grading.PREFIX}*")) == []


# The command line; it kills itself in the middle of its n-th result in the log, or of the n-th file of an export.
KILLED = """
import os, signal, sys
from tinycompress.cli import main
name, n = sys.argv[1], int(sys.argv[2])
real = getattr(os, name)
def last(*given):
    global n
    n -= name == "replace" or b'"kind": "result"' in given[1]
    if n == 0:
        if name == "write":
            real(given[0], given[1][: len(given[1]) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
setattr(os, name, last)
main(sys.argv[3:])
"""


def test_a_grader_that_is_killed_late_or_while_it_exports_leaves_the_same_gradebook(course):
    write_class(course / "class", {f"good{i}": (SOLUTION, 3) for i in range(3)} | {"crash": CLASS["crash"]})
    for i in range(16):
        (course / "class" / f"none{i}").mkdir()

    def killed(name, n, *arguments):
        program = [sys.executable, "-c", KILLED, name, str(n), *arguments]
        assert subprocess.run(program, capture_output=True).returncode == -signal.SIGKILL

    def keys():
        return [record["key"] for record in log.records() if record["kind"] == "result"]

    grading_, log = command(course, "--workers", "1"), Log(course / "log")
    for share in 0.5, 0.8, 0.95:  # of 20
        before = len(keys())
        killed("write", round(20 * share) - before + 1, *grading_)
        assert len(keys()) == round(20 * share) and not log.path.read_bytes().endswith(b"\n")
    assert main(grading_) == 3  # sixteen have handed in nothing
    expected = {f"good{i}": 3 for i in range(3)} | {"crash": 1} | {f"none{i}": 0 for i in range(16)}
    assert marks(course) == expected and len(keys()) == len(set(keys())) == 20
    for form, n in ("csv", 1), ("feedback", 19):
        export = ["course", "export", form, "--log", str(course / "log"), "--out"]
        killed("replace", n, *export, str(course / form))
        assert main([*export, str(course / form)]) == main([*export, str(course / "whole" / form)]) == 0
        again, whole = (sorted(top.rglob("*")) or [top] for top in (course / form, course / "whole" / form))
        assert [(path.name, path.read_bytes()) for path in again] == [(path.name, path.read_bytes()) for path in whole]
    assert list(course.rglob("*.part")) == []


# ---- what is graded anew ----


def test_what_marks_depend_on_is_graded_anew_and_nothing_else(course):
    write_class(course / "class", {"good": (SOLUTION, 3), "other": ("keep = mean = None\n", 0)})
    log = Log(course / "log")
    assert grade(tasks_of(course), log, here) == 2
    assert grade(tasks_of(course), log, here) == 0
    assert grade(tasks_of(course, seed="t"), log, here) == 2
    assert grade(tasks_of(course, per_student=True), log, here) == 2
    (course / "class" / "other" / "toy" / "keep.py").write_text(SOLUTION)
    assert grade(tasks_of(course), log, here) == 1 and marks(course) == {"good": 3, "other": 3}
    (course / "class" / "other" / "toy" / "keep.py").write_text("keep = mean = None\n")
    assert grade(tasks_of(course), log, here) == 0 and marks(course) == {"good": 3, "other": 0}
    count = len(log.records())
    assert grade(tasks_of(course), log, here) == 0 and len(log.records()) == count  # "again" is noted once
    tests = course / "toy" / "test_keep.py"
    tests.write_text(tests.read_text().replace("points(1)", "points(2)", 1))
    assert grade(tasks_of(course), log, here) == 2 and marks(course)["good"] == 4


def test_a_broken_test_is_a_grader_error_and_no_zero_and_tried_again(course, capsys):
    write_class(course / "class", FOUND)
    tests = course / "toy" / "test_keep.py"
    tests.write_text(TESTS.replace("    values = rng.normal(size=9)\n", "    values = rng.norml(size=9)\n"))
    assert main(command(course, "--workers", "1")) == 3
    assert "grader_error: 'good' in toy/keep" in capsys.readouterr().err
    assert marks(course) == {"good": None, "none": None}
    assert grade(tasks_of(course), Log(course / "log"), here) == 2
    tests.write_text("def broken(:\n")
    assert grade(tasks_of(course), Log(course / "log"), here) == 2 and marks(course)["good"] is None
    tests.write_text(TESTS)
    assert grade(tasks_of(course), Log(course / "log"), here) == 2 and marks(course) == {"good": 3, "none": 0}


def test_who_handed_in_nothing_gets_0_and_who_handed_in_something_damaged_waits_for_a_person(course):
    write_class(course / "class", {"good": (SOLUTION, 3)})
    (course / "class" / "nothing").mkdir()
    (course / "class" / "broken.zip").write_bytes(b"PK")
    (course / "class" / ".DS_Store").write_bytes(b"")
    grade(tasks_of(course), Log(course / "log"), here)
    assert marks(course) == {"good": 3, "nothing": 0, "broken": None}
    (entry,) = Gradebook(course / "log").entries("broken")
    assert entry.most == 3 and entry.status == "unclear" and "damaged" in entry.record["results"][0]["message"]
    looks = dict(Gradebook(course / "log").to_look_at({"good", "nothing", "broken"}, {"toy/keep"}))
    assert looks["nothing"] == "none of the exercises is in the hand-in" and "damaged" in looks["broken"]
    assert set(looks) == {"nothing", "broken"}


# ---- executors ----


def spawned():
    """Two processes that are not forked from this one, which may have threads."""
    return ProcessPoolExecutor(2, get_context("spawn"))


def test_any_executor_gives_the_same(course):
    write_class(course / "class", {**FOUND, "half": ("import numpy\n" + CLASS["partial"][0], 1.5)})
    expected = {"good": 3, "none": 0, "half": 1.5}
    for number, executor in enumerate((here, lambda: ThreadPoolExecutor(2), spawned)):
        log = Log(course / "log")
        assert grade(tasks_of(course, seed=str(number)), log, executor) == 3
        assert marks(course) == expected


def test_a_dask_cluster_gives_the_same(course):
    distributed = pytest.importorskip("distributed")
    write_class(course / "class", FOUND)
    settings = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "processes": False}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster):
        assert main(command(course, "--dask", cluster.scheduler_address)) == 0
    assert marks(course) == {"good": 3, "none": 0}


def test_without_a_scheduler_dask_says_so(course, capsys):
    pytest.importorskip("distributed")
    write_class(course / "class", FOUND)
    assert main(command(course, "--dask", "nonsense://x")) == 2
    assert "--dask nonsense://x" in capsys.readouterr().err


class Breaks:
    """An executor whose processes die with the second task."""

    def __init__(self):
        self.count = 0

    def submit(self, function, *arguments):
        self.count += 1
        future = Future()
        if self.count == 2:
            future.set_exception(BrokenProcessPool("a process died"))
        else:
            future.set_result(function(*arguments))
        return future


def test_an_executor_that_dies_is_replaced_and_its_results_are_kept(course):
    write_class(course / "class", {f"s{n}": ("", 0) for n in range(3)})
    assert grade(tasks_of(course), Log(course / "log"), lambda: nullcontext(Breaks())) == 3
    assert set(marks(course).values()) == {0}


def test_an_executor_that_always_dies_is_given_up_with_advice(course):
    write_class(course / "class", FOUND)

    @contextmanager
    def dead():
        raise BrokenProcessPool("dead")
        yield

    with pytest.raises(CourseProblem, match="try fewer --workers. 0 results are kept"):
        grade(tasks_of(course), Log(course / "log"), dead)


def test_a_pool_process_ends_with_its_grader():
    program = (
        "import os, time; from tinycompress.workshop.executors import local_processes\n"
        "if __name__ == '__main__':\n"
        "    with local_processes(2) as pool: print(pool.submit(os.getpid).result(), flush=True); time.sleep(1e6)\n"
    )
    grader = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    child = int(grader.stdout.readline())
    grader.kill()
    grader.wait()
    grader.stdout.close()
    wait_for("the process ends", lambda: state_of(child) in ("gone", "Z"))


def state_of(process):
    """As Linux names it: "Z" is one that has ended, and whose end nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


# ---- the log ----


def test_a_torn_line_is_as_if_it_had_not_been_written(tmp_path):
    log = Log(tmp_path / "log")
    log.append({"a": 1})
    with open(log.path, "ab") as file:
        file.write(b'{"b": ')
    log.append({"c": 3})
    assert log.records() == [{"a": 1}, {"c": 3}]


def test_two_graders_at_once_are_refused(course):
    write_class(course / "class", FOUND)
    log = Log(course / "log")
    with log.lock():
        with pytest.raises(CourseProblem, match=f"written by another grader .process {os.getpid()}"):
            grade(tasks_of(course), log, here)
    assert grade(tasks_of(course), log, here) == 2


def test_a_full_disk_stops_with_advice_and_nothing_is_torn(tmp_path):
    program = (
        "import resource, signal, sys; from tinycompress.course.staff.log import Log\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "for n in range(100): Log(sys.argv[1]).append({'n': n, 'text': 'x' * 90})"
    )
    result = subprocess.run([sys.executable, "-c", program, str(tmp_path / "log")], capture_output=True, text=True)
    assert "cannot be written" in result.stderr and "make room, and start the same command again" in result.stderr
    log = Log(tmp_path / "log")
    written = [record["n"] for record in log.records()]
    assert written == list(range(len(written))) and 5 < len(written) < 10
    assert log.path.read_bytes().endswith(b"}\n")
    log.append({"n": len(written)})
    assert len(log.records()) == len(written) + 1
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


GREEDY = """
import numpy as np, pytest
MAY_IMPORT = ()

@pytest.mark.public
@pytest.mark.points(1)
def test_memory(submission):
    assert np.ones(submission.keep(2)).all()

@pytest.mark.hidden
@pytest.mark.points(1)
def test_time(submission):
    for _ in range(submission.keep(3)):
        pass
"""


def test_an_answer_that_takes_all_memory_or_time_of_its_test_is_for_a_person_and_ends_no_grader(tmp_path, monkeypatch):
    monkeypatch.setattr(plugin, "SECONDS", 1)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "keep.py").write_text("def keep(x):\n    return x\n")
    (tmp_path / "toy" / "test_keep.py").write_text(GREEDY)
    (exercise,) = find_exercises(root=tmp_path)
    greedy = InProcess(SimpleNamespace(__file__="keep.py", keep=lambda x: 1 << 30))  # numbers of 8 bytes
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert [r.outcome for r in run_tests(exercise, greedy, "s")] == ["grader_error"] * 2
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    honest = InProcess(SimpleNamespace(__file__="keep.py", keep=lambda x: x))
    assert [r.outcome for r in run_tests(exercise, honest, "s")] == ["passed", "passed"]
