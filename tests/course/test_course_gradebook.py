"""The gradebook: its corrections, and what it exports."""

import csv
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from course_class import FOUND, SOLUTION, TESTS, command, here, marks, tasks_of, write_class

from tinycompress.cli import main
from tinycompress.course.exercise import CourseProblem
from tinycompress.course.staff.export import export, file_name, file_names, unique_name
from tinycompress.course.staff.grade import grade
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log
from tinycompress.course.staff.tables import cell

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

    for form in "csv", "junit":
        assert export(Gradebook(course / "log"), form, course / form)
    assert "correction of an earlier hand-in, not applied, since the hand-in changed: 2 points by kim" in (
        (course / "csv").read_text()
    )


def test_a_correction_does_not_pass_to_other_tests_unseen(course, capsys):
    write_class(course / "class", FOUND)
    grade(tasks_of(course), Log(course / "log"), here)
    Gradebook(course / "log").correct("good", "toy/keep", 2, "kim", "copied")
    tests = course / "toy" / "test_keep.py"
    tests.write_text(TESTS.replace("points(1)", "points(2)", 1))
    assert main(command(course, "--workers", "1")) == 3
    assert "look at 'good': toy/keep: not applied, since the tests changed: 2 points by kim" in capsys.readouterr().out
    (entry,) = Gradebook(course / "log").entries("good")
    assert entry.points == 4 and entry.status == "correction with other tests"
    assert main(["course", "export", "csv", "--out", str(course / "m.csv"), "--log", str(course / "log")]) == 3
    assert "correction of 'good' in toy/keep not applied, since the tests changed" in capsys.readouterr().err
    assert "not applied" in (course / "m.csv").read_text()
    Gradebook(course / "log").correct("good", "toy/keep", 3, "kim", "copied")
    assert marks(course)["good"] == 3
    tests.write_text(TESTS)
    grade(tasks_of(course), Log(course / "log"), here)
    assert marks(course)["good"] == 2  # the first correction was made for these


@pytest.mark.parametrize("points", [-0.5, 3.5, 5.5, float("inf"), float("nan")])
@pytest.mark.parametrize("broken", [False, True])
def test_points_are_between_none_and_the_maximum_even_where_no_test_ran(course, points, broken):
    write_class(course / "class", FOUND)
    grade(tasks_of(course), Log(course / "log"), here)
    if broken:
        (course / "toy" / "test_keep.py").write_text("def broken(:\n")
        grade(tasks_of(course), Log(course / "log"), here)
    book = Gradebook(course / "log")
    (entry,) = book.entries("good")
    assert entry.most == 3 and (entry.points is None) == broken
    with pytest.raises(CourseProblem, match="points of toy/keep are from 0 to 3, got"):
        book.correct("good", "toy/keep", points, "kim", "x")
    assert not (course / "corrections.jsonl").exists()
    book.correct("good", "toy/keep", 2.5, "kim", "x")
    line = json.loads((course / "corrections.jsonl").read_text()) | {"points": points}  # as if by hand
    Log(course / "corrections.jsonl").append(line)
    with pytest.raises(CourseProblem, match="points for 'good' in toy/keep, which are from 0 to 3; remove this line"):
        Gradebook(course / "log")


def test_nobody_is_corrected_while_the_maximum_is_unknown(course):
    write_class(course / "class", FOUND)
    (course / "toy" / "test_keep.py").write_text("def broken(:\n")
    grade(tasks_of(course), Log(course / "log"), here)
    with pytest.raises(CourseProblem, match="no result says how many points toy/keep gives"):
        Gradebook(course / "log").correct("good", "toy/keep", 1, "kim", "x")


@pytest.mark.parametrize("room", [0, 5, 100])
def test_on_a_full_disk_a_correction_is_written_whole_or_not_at_all(course, room):
    write_class(course / "class", FOUND)
    grade(tasks_of(course), Log(course / "log"), here)
    Gradebook(course / "log").correct("none", "toy/keep", 1, "kim", "was ill")
    path = course / "corrections.jsonl"
    before, limit = path.read_bytes(), path.stat().st_size + room
    program = (
        "import resource, signal, sys; from tinycompress.cli import main\n"
        f"signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2)\n"
        "sys.exit(main(['course', 'correct', 'none', 'toy/keep', '2', '--who', 'lee', '--why', 'x', '--log', sys.argv[1]]))"
    )
    if room == 0:  # not even for the name of who holds the lock
        path.unlink()
        before, program = b"", program.replace(f"({limit},) * 2", "(0,) * 2")
    said = subprocess.run([sys.executable, "-c", program, str(course / "log")], capture_output=True, text=True)
    assert said.returncode == 2 and "corrections.jsonl cannot be written" in said.stderr, said.stderr
    assert (path.read_bytes() if path.exists() else b"") == before
    assert marks(course)["none"] == (1 if before else 0)


# ---- exports ----


def test_each_student_keeps_a_file_whatever_the_file_system_takes_for_equal(course, tmp_path):
    names = ["eve", "Eve", "e ve", "e_ve", "eve.", "e\u0301ve", "\u00e9ve", "x" * 70, "x" * 71, "bob"]
    names += [unique_name("eve"), unique_name("Eve").upper()]
    write_class(course / "class", {"eve": ("", 0), "bob": ("", 0)})
    grade(tasks_of(course), Log(course / "log"), here)
    assert {path.name for path in export(Gradebook(course / "log"), "feedback", tmp_path / "f")} == {
        "eve.html",
        "bob.html",
    }
    write_class(course / "class", {name: ("", 0) for name in names if name not in ("eve", "bob")})
    grade(tasks_of(course), Log(course / "log"), here)
    paths = export(Gradebook(course / "log"), "feedback", tmp_path / "f")
    assert len({path.name.casefold() for path in paths}) == len(names) and tmp_path / "f" / "bob.html" in paths
    assert {path for path in (tmp_path / "f").iterdir()} == set(paths)  # nobody's earlier page is left behind
    for name in names:
        assert sum(f"Feedback for {name}<" in path.read_text() for path in paths) == 1, name
    assert set(file_names(names)) == set(names)


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
