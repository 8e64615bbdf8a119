"""Grading a class: the marks, whatever interrupts; the gradebook, its corrections and its exports."""

import csv
import io
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from course_class import CLASS, GRADEBOOK, SOLUTION, TESTS, write_class, write_exercise

from tinycompress.cli import main
from tinycompress.course import grade as grading
from tinycompress.course import sandbox
from tinycompress.course.collect import find_handins
from tinycompress.course.exercise import CourseProblem, strip_solution
from tinycompress.course.export import cell, export, file_name
from tinycompress.course.grade import grade, make_tasks
from tinycompress.course.gradebook import Gradebook
from tinycompress.course.log import Log
from tinycompress.course.release import release

LEVEL = sandbox.level()
FOUND = {"good": (SOLUTION, 3), "none": ("", 0)}


@pytest.fixture
def course(tmp_path):
    """A folder with the exercise, and places for hand-ins and log."""
    write_exercise(tmp_path)
    return tmp_path


def tasks_of(course, seed="s", per_student=False):
    exercise = write_exercise(course) if not (course / "toy").exists() else None
    exercise = exercise or next(iter(_exercises(course)))
    return make_tasks(find_handins(course / "class"), [exercise], seed, per_student, LEVEL.name)


def _exercises(course):
    from tinycompress.course.exercise import find_exercises

    return find_exercises(root=course)


def here():
    return nullcontext(None)


def marks(course):
    return {entry.student: entry.points for entry in Gradebook(course / "log").entries()}


def command(course, *more):
    arguments = [
        "grade",
        str(course / "class"),
        "--exercises",
        str(course),
        "--log",
        str(course / "log"),
        "--seed",
        "s",
    ]
    trust = [] if LEVEL.name == "bubblewrap" else ["--trust"]
    return ["course", *arguments, *trust, *more]


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
    assert out.splitlines()[-1] == f"then: tinycompress course export csv --out marks.csv --log {graded_class / 'log'}"


def test_grading_again_grades_nothing_and_changes_nothing(graded_class, capsys):
    before = (graded_class / "log").read_bytes()
    assert main(command(graded_class, "--workers", "1")) == 0
    assert "0 results added" in capsys.readouterr().out
    assert (graded_class / "log").read_bytes() == before


def test_a_grader_that_is_killed_again_and_again_loses_nothing_and_repeats_nothing(graded_class, tmp_path):
    write_exercise(tmp_path)
    write_class(tmp_path / "class")
    program = [sys.executable, "-m", "tinycompress", *command(tmp_path, "--workers", "1")]
    chance = random.Random(0)
    for _ in range(10):
        grader = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            grader.wait(chance.uniform(0.5, 1.3))
        except subprocess.TimeoutExpired:
            grader.send_signal(signal.SIGKILL)
            grader.wait()
    assert subprocess.run(program, stdout=subprocess.DEVNULL).returncode == 0
    assert marks(tmp_path) == GRADEBOOK
    keys = [record["key"] for record in Log(tmp_path / "log").records()]
    assert sorted(keys) == sorted(set(keys)) and len(keys) == len(CLASS)
    assert set(keys) == {record["key"] for record in Log(graded_class / "log").records()}
    left = list(Path(tempfile.gettempdir()).glob(f"{grading.PREFIX}*"))
    assert all(Path("/proc", path.name.removeprefix(grading.PREFIX).split("-")[0]).exists() for path in left)


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
    assert main(command(course, "--workers", "1")) == 1
    assert "grader_error: 'good' in toy/keep" in capsys.readouterr().err
    assert marks(course) == {"good": None, "none": None}
    assert grade(tasks_of(course), Log(course / "log"), here) == 2
    tests.write_text("def broken(:\n")
    assert grade(tasks_of(course), Log(course / "log"), here) == 2 and marks(course)["good"] is None
    tests.write_text(TESTS)
    assert grade(tasks_of(course), Log(course / "log"), here) == 2 and marks(course) == {"good": 3, "none": 0}


def test_who_handed_in_nothing_usable_gets_the_reason(course):
    write_class(course / "class", {"good": (SOLUTION, 3)})
    (course / "class" / "nothing").mkdir()
    (course / "class" / "broken.zip").write_bytes(b"PK")
    (course / "class" / ".DS_Store").write_bytes(b"")
    grade(tasks_of(course), Log(course / "log"), here)
    assert marks(course) == {"good": 3, "nothing": 0, "broken": 0}
    (entry,) = Gradebook(course / "log").entries("broken")
    assert entry.most == 3 and "damaged" in entry.record["results"][0]["message"]
    looks = dict(Gradebook(course / "log").to_look_at({"good", "nothing", "broken"}, {"toy/keep"}))
    assert looks["nothing"] == "none of the exercises is in the hand-in" and "damaged" in looks["broken"]
    assert set(looks) == {"nothing", "broken"}


# ---- executors ----


def test_any_executor_gives_the_same(course):
    write_class(course / "class", {**FOUND, "half": ("import numpy\n" + CLASS["partial"][0], 1.5)})
    expected = {"good": 3, "none": 0, "half": 1.5}
    for number, executor in enumerate((here, lambda: ThreadPoolExecutor(2), lambda: ProcessPoolExecutor(2))):
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
        "import resource, signal, sys; from tinycompress.course.log import Log\n"
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


# ---- corrections ----


def test_corrections_say_who_and_why_and_are_never_overwritten(course, capsys):
    write_class(course / "class", FOUND)
    grade(tasks_of(course), Log(course / "log"), here)
    log, before = str(course / "log"), (course / "log").read_bytes()
    arguments = ["course", "correct", "none", "toy/keep", "--log", log]
    assert main([*arguments, "1", "--who", "kim", "--why", "was ill"]) == 0
    assert main([*arguments, "2.5", "--who", "lee", "--why", "more of it counts"]) == 0
    said = capsys.readouterr().out
    assert "'none', toy/keep: 1 of 3 points instead of 0;" in said
    assert "'none', toy/keep: 2.5 of 3 points instead of 1;" in said
    for wrong in (
        ["9", "--who", "kim", "--why", "x"],
        ["1", "--who", " ", "--why", "x"],
        ["-1", "--who", "k", "--why", "x"],
    ):
        assert main([*arguments, *wrong]) == 2
    assert main(["course", "correct", "nobody", "toy/keep", "1", "--who", "k", "--why", "x", "--log", log]) == 2
    assert "there is no result of 'nobody'" in capsys.readouterr().err
    assert main(["course", "correct", "none", "keep", "1", "--who", "k", "--why", "x", "--log", log]) == 2
    assert "no exercise 'keep' is graded; there are toy/keep" in capsys.readouterr().err
    assert marks(course) == {"good": 3, "none": 2.5}
    lines = Log(course / "corrections.jsonl").records()
    assert [(line["points"], line["who"], line["instead_of"]) for line in lines] == [(1, "kim", 0), (2.5, "lee", 1)]
    assert (course / "log").read_bytes() == before


def test_a_correction_does_not_pass_to_a_later_hand_in_unseen(course):
    write_class(course / "class", FOUND)
    grade(tasks_of(course), Log(course / "log"), here)
    Gradebook(course / "log").correct("none", "toy/keep", 2, "kim", "was ill")
    (course / "class" / "none" / "toy" / "keep.py").write_text("x = 1\n")
    grade(tasks_of(course), Log(course / "log"), here)
    (entry,) = Gradebook(course / "log").entries("none")
    assert entry.points == 0 and entry.status == "correction of an earlier hand-in"


# ---- exports ----

NASTY = "=cmd|' /C calc'!A0<script>alert(1)</script>\x1b[2J\u202e\n\"'&"


@pytest.fixture
def nasty(course):
    """A gradebook with a student whose name, messages and code try to break out of every form."""
    name = NASTY.replace("/", "\u2215")
    source = f"def keep(values, count):\n    raise ValueError({NASTY + ']]>'!r} * 3)\n"
    write_class(course / "class", {name: (source, 0), "good": (SOLUTION, 3)})
    grade(tasks_of(course), Log(course / "log"), here)
    return Gradebook(course / "log"), name


def test_csv_is_quoted_and_holds_no_formula(nasty, tmp_path):
    book, name = nasty
    book.correct("good", "toy/keep", 2, "=kim", '+"late",\n')
    (path,) = export(book, "csv", tmp_path / "marks.csv")
    text = path.read_bytes().decode()
    assert text.count("\r\n") == 3 and "\x1b" not in text and "\u202e" not in text
    header, bad, good = csv.reader(io.StringIO(text))
    assert header == ["student", "toy/keep", "total", "of", "remarks"]
    assert bad[0].startswith("'=cmd|") and bad[1:4] == ["0", "0", "3"]
    assert good[:4] == ["good", "2", "2", "3"] and good[4].startswith("toy/keep: corrected by =kim")
    for text in "=1", "+1", "-1", "@x", "\t=1", " =1", '"=1', "|x":
        assert cell(text)[0] not in "=+-@|\t "
    assert cell(-1.5) == "-1.5" and cell("a=1") == "a=1"


def test_gradescope_prairielearn_and_junit_get_what_they_expect(nasty, tmp_path):
    book, name = nasty
    for form in "gradescope", "prairielearn":
        paths = export(book, form, tmp_path / form)
        assert {path.name for path in paths} == {"good.json", file_name(name) + ".json"}
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+\.json", path.name) for path in paths)
    good = json.loads((tmp_path / "gradescope" / "good.json").read_text())
    assert good["score"] == 3 and [t["score"] for t in good["tests"]] == [1, 1, 1]
    assert [t["visibility"] for t in good["tests"]] == ["visible", "after_published", "after_published"]
    bad = json.loads((tmp_path / "gradescope" / (file_name(name) + ".json")).read_text())
    assert bad["score"] == 0 and {t["status"] for t in bad["tests"]} == {"failed"} and "\x1b" not in json.dumps(bad)
    good = json.loads((tmp_path / "prairielearn" / "good.json").read_text())
    assert good["score"] == 1 and good["gradable"] and good["tests"][0]["max_points"] == 1
    (path,) = export(book, "junit", tmp_path / "junit.xml")
    suites = {suite.get("name"): suite for suite in ElementTree.parse(path).getroot()}
    assert len(suites) == 2 and len(suites["good"].findall(".//failure")) == 0
    assert len(next(s for n, s in suites.items() if n != "good").findall(".//failure")) == 3


def test_feedback_is_escaped_and_says_nothing_of_hidden_expectations(nasty, tmp_path):
    book, name = nasty
    export(book, "feedback", tmp_path / "pages")
    bad = (tmp_path / "pages" / (file_name(name) + ".html")).read_text()
    assert "<script" not in bad and "\x1b" not in bad and "\u202e" not in bad and "&lt;script&gt;" in bad
    assert "(hidden)" in bad and "HIDDEN_VALUES" not in bad and "9.0" not in bad
    good = (tmp_path / "pages" / "good.html").read_text()
    assert good.count("3 of 3 points") == 2 and "Three of five stay" in good  # of all, and of the one exercise


def test_feedback_says_once_that_an_exercise_was_not_handed_in(course, tmp_path):
    (course / "class" / "nobody").mkdir(parents=True)
    grade(tasks_of(course), Log(course / "log"), here)
    (path,) = export(Gradebook(course / "log"), "feedback", tmp_path / "pages")
    page = path.read_text()
    assert page.count("there is no toy/keep.py in the hand-in") == 1 and "Three of five" not in page
    assert page.count("0 of 3 points") == 2


def test_what_a_person_has_to_look_at_is_never_exported_as_a_number(course, tmp_path, capsys):
    write_class(course / "class", FOUND)
    tests = course / "toy" / "test_keep.py"
    tests.write_text(TESTS.replace("    values = rng.normal(size=9)\n", "    values = rng.norml(size=9)\n"))
    grade(tasks_of(course), Log(course / "log"), here)
    book = Gradebook(course / "log")
    rows = list(csv.reader(io.StringIO(export(book, "csv", tmp_path / "marks.csv")[0].read_text())))
    assert rows[1][:3] == ["good", "grader_error", ""]
    assert export(book, "gradescope", tmp_path / "g") == [] == export(book, "prairielearn", tmp_path / "p")
    assert "<error" in export(book, "junit", tmp_path / "j.xml")[0].read_text()
    assert "a person will look at this" in export(book, "feedback", tmp_path / "f")[0].read_text()
    book.correct("good", "toy/keep", 3, "kim", "looked at it")
    assert [path.name for path in export(Gradebook(course / "log"), "gradescope", tmp_path / "g")] == ["good.json"]


# ---- the command line ----


def test_a_student_packs_what_the_staff_can_grade(course, tmp_path, capsys):
    release(_exercises(course), tmp_path / "handout")
    (tmp_path / "handout" / "toy" / "keep.py").write_text(SOLUTION)
    (tmp_path / "class").mkdir()
    packed = str(tmp_path / "class" / "eve.zip")
    assert main(["course", "pack", "--folder", str(tmp_path / "handout"), "--out", packed]) == 0
    assert main(["course", "pack", "--folder", str(tmp_path), "--out", packed]) == 2
    assert main(command(course, "--workers", "1")) == 0
    assert marks(course) == {"eve": 3}


def test_packing_says_of_each_file_how_far_it_is_and_packs_all_the_same(course, tmp_path, capsys):
    handout = tmp_path / "handout"
    release(_exercises(course), handout)
    arguments = ["course", "pack", "--folder", str(handout), "--out", str(tmp_path / "eve.zip")]

    def said(source):
        (handout / "toy" / "keep.py").write_bytes(source)
        assert main(arguments) == 0
        assert zipfile.ZipFile(tmp_path / "eve.zip").read("toy/keep.py") == source
        return capsys.readouterr()

    stub = strip_solution(SOLUTION)
    half = stub.replace('raise NotImplementedError("keep is yours to write")', "return values[:count]")
    for source, state in (
        (stub, "not written yet: keep, mean"),
        (half, "not written yet: mean"),
        ("def keep(:\n", "syntax error in line 1: invalid syntax"),
        ("\0", "syntax error: source code string cannot contain null bytes"),
    ):
        text = said(source.encode())
        assert f"toy/keep.py: {state}" in text.out and "1 exercise not finished" in text.err
    text = said(SOLUTION.encode())
    assert "toy/keep.py: written" in text.out and not text.err


def test_grading_without_a_sandbox_is_refused_unless_trust_is_declared(course, monkeypatch, capsys):
    write_class(course / "class", FOUND)
    monkeypatch.setattr(sandbox, "level", lambda: sandbox.Level("none", "it is missing"))
    arguments = [part for part in command(course, "--workers", "1") if part != "--trust"]
    assert main(arguments) == 2
    assert "strangers' code is not run without a sandbox, and there is none: it is missing" in capsys.readouterr().err
    assert not (course / "log").exists()
    assert main([*arguments, "--trust"]) == 0
    assert "sandbox: none" in capsys.readouterr().out
    assert marks(course) == {"good": 3, "none": 0}
    assert {record["level"] for record in Log(course / "log").records()} == {"none"}
    assert "graded without a sandbox" in export(Gradebook(course / "log"), "csv", course / "m.csv")[0].read_text()


def test_the_doctor_reports_level_python_and_limits(capsys):
    assert main(["course", "doctor"]) == (0 if LEVEL.name == "bubblewrap" else 1)
    out = capsys.readouterr().out
    for word in f"sandbox      {LEVEL.name}", "python ", "2048 MiB a process", "10 s unless", "pytest ":
        assert word in out


def test_problems_of_the_command_line_are_said_in_a_line(course, capsys):
    write_class(course / "class", FOUND)
    for arguments, words in (
        (["grade", str(course / "nowhere")], "there is no such folder"),
        (["grade", str(course / "toy")], "no hand-in is there"),
        (command(course, "--workers", "0")[1:], "a whole number from 1 on"),
        (["export", "csv", "--out", "x", "--log", str(course / "none")], "nothing is graded there yet"),
    ):
        assert main(["course", *arguments]) == 2
        assert words in capsys.readouterr().err


def test_a_students_folder_is_not_graded_and_any_other_is_not_tested(course, capsys):
    release(_exercises(course), course / "class")
    assert main(command(course)) == 2
    assert "class is a students' folder; give the folder that holds one .zip" in capsys.readouterr().err
    for name in "test", "pack":
        assert main(["course", name, "--folder", str(course)]) == 2
        assert "manifest.json cannot be read; run this in the folder that you were given" in capsys.readouterr().err


def test_marks_of_a_public_seed_are_said_to_be_no_real_ones(course, capsys):
    write_class(course / "class", FOUND)
    arguments = command(course, "--workers", "1")
    assert main(arguments) == 0 and "seed" not in capsys.readouterr().err
    at = arguments.index("--seed")
    assert main(arguments[:at] + arguments[at + 2 :]) == 0
    assert "give --seed for real marks" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["check", "grade", "test"])
def test_without_pytest_one_message_says_how_to_install_it(course, monkeypatch, capsys, name):
    release(_exercises(course), course / "handout")
    write_class(course / "class", FOUND)
    given = {
        "check": ["course", "check", "--exercises", str(course)],
        "grade": command(course),
        "test": ["course", "test", "--folder", str(course / "handout")],
    }
    monkeypatch.setitem(sys.modules, "pytest", None)
    assert main(given[name]) == 2
    assert "pip install -e '.[course]' in the clone of tinycompress" in capsys.readouterr().err
    assert not (course / "log").exists()


def test_an_export_to_the_wrong_kind_of_place_is_said_in_a_line(course, capsys):
    write_class(course / "class", FOUND)
    grade(tasks_of(course), Log(course / "log"), here)
    for form, out, words in ("csv", course, "csv is a file"), ("feedback", course / "log", "feedback is a folder"):
        assert main(["course", "export", form, "--out", str(out), "--log", str(course / "log")]) == 2
        assert f"--out {out}: {words}" in capsys.readouterr().err


def test_a_pool_process_ends_with_its_grader():
    program = (
        "import os, time; from tinycompress.lecture.executors import local_processes\n"
        "if __name__ == '__main__':\n"
        "    with local_processes(2) as pool: print(pool.submit(os.getpid).result(), flush=True); time.sleep(1e6)\n"
    )
    grader = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    child = int(grader.stdout.readline())
    grader.kill()
    grader.wait()
    grader.stdout.close()
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{child}") and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        state = open(f"/proc/{child}/stat").read().split()[2]
    except OSError:
        state = "gone"
    assert state in ("gone", "Z")
