"""What people are told of hand-ins that somebody must look at."""

import json
import re
import zipfile

import pytest
from course_class import FOUND, LEVEL, SOLUTION, command, here, marks, write_class
from packed import OLD, RIGHT, STUB, as_zip, one, write, write_all

from tinycompress.cli import main
from tinycompress.course import contents
from tinycompress.course.author.release import release
from tinycompress.course.collect import HandIn, Refused, find_handins, not_handed_in
from tinycompress.course.exercise import find_exercises
from tinycompress.course.staff.export import export
from tinycompress.course.staff.grade import grade, make_tasks
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log
from tinycompress.course.staff.roster import LateRule, Person, Roster, time_of
from tinycompress.course.uploads import Upload

TRUST = [] if LEVEL.name == "bubblewrap" else ["--trust"]


def test_what_a_person_must_decide_is_in_log_csv_and_feedback_and_ends_with_3(course, tmp_path, capsys):
    write_class(course / "class", FOUND)
    write_all(course / "class" / "two", {"a/toy/keep.py": SOLUTION.encode(), "b/toy/keep.py": b"keep = 1\n"})
    write_all(course / "class" / "draft", {"toy/keep.py": SOLUTION.encode(), "old/keep.py": b"keep = 1\n"})
    arguments = command(course, "--workers", "1")
    assert main(arguments) == 3
    assert "look at 'two': toy/keep: keep.py is there 2 times" in capsys.readouterr().out
    assert marks(course) == {"good": 3, "none": 0, "two": None, "draft": 3}
    book = Gradebook(course / "log")
    text = export(book, "csv", tmp_path / "m.csv")[0].read_text()
    assert (
        "two,unclear,,3," in text
        and "2 times with different content" in text
        and "not graded: draft/old/keep.py" in text
    )
    pages = {path.stem: path.read_text() for path in export(book, "feedback", tmp_path / "pages")}
    assert "2 times with different content" in pages["two"] and "a person will look at this" in pages["two"]
    assert "not graded: draft/old/keep.py" in pages["draft"] and "3 of 3 points" in pages["draft"]
    (record,) = [record for record in Log(course / "log").records() if record["student"] == "two"]
    assert record["unclear"] and "b/toy/keep.py" in record["refused"]
    assert [path.stem for path in export(book, "gradescope", tmp_path / "g")] == ["draft", "good", "none"]
    (course / "class" / "draft" / "old" / "keep.py").unlink()
    (course / "class" / "two" / "b" / "toy" / "keep.py").unlink()
    assert main(arguments) == 0
    assert marks(course) == {"good": 3, "none": 0, "two": 3, "draft": 3}
    assert "not graded" not in export(Gradebook(course / "log"), "csv", tmp_path / "m.csv")[0].read_text()


def test_an_undecided_hand_in_can_be_given_points(course, capsys):
    write_all(course / "class" / "two", {"a/toy/keep.py": RIGHT, "b/toy/keep.py": OLD})
    assert main(command(course, "--workers", "1")) == 3
    book = Gradebook(course / "log")
    book.correct("two", "toy/keep", 2, "kim", "b is the one")
    assert main(command(course, "--workers", "1")) == 0 and marks(course) == {"two": 2}


def test_a_hand_in_with_nothing_usable_ends_with_3(course, capsys):
    write_class(course / "class", FOUND)
    write(course / "class" / "eve" / "essay.pdf", b"%PDF")
    assert main(command(course, "--workers", "1")) == 3
    assert "look at 'eve': none of the exercises is in the hand-in" in capsys.readouterr().out


def encrypted(packed):
    """The .zip, with every entry marked as encrypted."""
    return packed.replace(b"PK\x03\x04\x14\0\0", b"PK\x03\x04\x14\0\1").replace(
        b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\1"
    )


UNREADABLE = {
    "encrypted": ("eve.zip", encrypted(as_zip({"toy/keep.py": SOLUTION})), "keep.py is encrypted"),
    "too large": ("eve/toy/keep.py", SOLUTION.encode() + b"#" * (1 << 20), "keep.py is larger than 1 MiB"),
    "a link": ("eve.zip", as_zip({"toy/keep.py": "~/keep.py"}, mode=0o120777), "keep.py is not a regular file"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_exercise_that_is_there_but_cannot_be_read_is_a_question_and_no_zero(course, capsys, kind):
    name, data, why = UNREADABLE[kind]
    path = write(course / "class" / name, data)
    assert main(command(course, "--workers", "1")) == 3
    assert why in capsys.readouterr().out and marks(course) == {"eve": None}
    arguments = ["course", "grade-one", str(path), "--exercises", str(course), "--format", "gradescope", *TRUST]
    assert main([*arguments, "--results", str(course / "result")]) == 0  # who reads this can hand in again
    found = json.loads((course / "result").read_text())
    assert found["score"] == 0 and all(why in test["output"] for test in found["tests"])


def test_no_page_for_a_student_tells_staff_what_to_do(course, tmp_path):
    """Each says instead that somebody will look, or what the student has to hand in."""
    files = {"ann/toy/keep.py": RIGHT, "big/toy/keep.py": RIGHT + b"#" * (1 << 20), "eve/keep.rar": b"Rar!"}
    write_all(course / "class", files | {"bob_LATE_1202_5002_keep.py": RIGHT, "torn.zip": b"PK"})
    both = tuple(Upload(course / "class" / "ann", number=f"moodle {n}") for n in (1, 2))
    handins = [*find_handins(course / "class"), HandIn("Two", course / "class", both)]
    grade(make_tasks(handins, find_exercises(root=course), "s", False, LEVEL.name), Log(course / "log"), here)
    rule = LateRule(time_of("2027-01-15"), 20)
    paths = export(Gradebook(course / "log"), "feedback", tmp_path / "pages", rule=rule)
    pages = {path.stem: path.read_text() for path in paths}
    for page in pages.values():
        assert "it is not known yet how late this was" in page and "a person will look at that" in page
        assert not re.search("give|say in|unpack|handed_in|column", page)
    assert "wait for that, unless" in pages["big"] and "hand in a smaller one" in pages["big"]
    assert "the roster does not say who has which number; a person will decide" in pages["Two"]


def test_whoever_is_in_the_roster_has_a_page(course, tmp_path):
    """Also without any exercise, so that a hand-in that was lost on its way is missed by who handed it in."""
    write_all(course / "class", {"ann/toy/keep.py": RIGHT, "eve.rar": b"Rar!"})
    assert main(command(course, "--workers", "1")) == 3
    roster = Roster([Person("ann"), Person("bob"), Person("eve")])
    paths = export(Gradebook(course / "log"), "feedback", tmp_path / "pages", roster)
    pages = {path.stem: path.read_text() for path in paths}
    assert "0 of 3 points" in pages["ann"] and "nothing was handed in; if you did" in pages["bob"]
    assert "could not be graded yet; a person will look at it" in pages["eve"] and "unpack" not in pages["eve"]
    assert len(export(Gradebook(course / "log"), "gradescope", tmp_path / "g", roster)) == 1


def test_a_file_handed_in_alone_is_not_said_to_be_unread(course, tmp_path):
    """answers.md is missing, which is all that there is to say."""
    (handin,) = find_handins(write(tmp_path / "class" / "bob_1202_5002_keep.py", RIGHT).parent)
    assert handin.answers().refused == not_handed_in("toy/questions")
    assert "not read" in HandIn("bob", write(tmp_path / "essay.pdf", b"")).answers().refused


def test_what_pack_writes_holds_the_manifest(course, tmp_path):
    (tmp_path / "handout").mkdir()
    release(find_exercises(root=course), tmp_path / "handout")
    write(tmp_path / "handout" / "toy" / "keep.py", SOLUTION.encode())
    write(tmp_path / "handout" / "old" / "toy" / "keep.py", OLD)  # which is not packed
    packed = tmp_path / "class" / "eve.zip"
    packed.parent.mkdir()
    assert main(["course", "pack", "--folder", str(tmp_path / "handout"), "--out", str(packed)]) == 0
    assert zipfile.ZipFile(packed).namelist() == ["toy/keep.py", "manifest.json"]
    tasks = make_tasks(find_handins(packed.parent), find_exercises(root=course), "s", False, "bubblewrap")
    assert tasks[0].source == SOLUTION.encode() and tasks[0].found.notes == ()


def test_a_clone_of_a_class_is_graded_as_it_comes(course):
    for student in "ann", "bob":
        files = {"week1/toy/keep.py": SOLUTION.encode(), ".git/config": b"", "README.md": b"", "test_keep.py": b""}
        write_all(course / "class" / f"exercise-1-{student}", files)
    exercises = find_exercises(root=course)
    tasks = make_tasks(find_handins(course / "class"), exercises, "s", False, "bubblewrap")
    assert [task.source for task in tasks] == [SOLUTION.encode()] * 2
    assert grade([], Log(course / "log"), here) == 0


NOTEBOOK = (
    rb'{"cells": [{"cell_type": "code", "source": ["import numpy\n", "def keep(x):\n", "    return x\n"]}]'  # cut off
)


@pytest.mark.parametrize(
    ("name", "data", "unclear"),
    [
        ("toy/keep.ipynb", NOTEBOOK, True),
        ("Homework.ipynb", NOTEBOOK, True),
        ("toy/keep.ipynb", NOTEBOOK.replace(b"def keep", b"keep"), False),  # as students get it
        ("keep_final.py", RIGHT, True),
        ("answer.rar", b"Rar!", True),
        ("answer.zip", b"PK", True),
        ("plot.png", b"", False),
    ],
)
def test_an_untouched_stub_is_a_question_where_the_answer_may_be_elsewhere(exercise, tmp_path, name, data, unclear):
    write_all(tmp_path / "class" / "cat", {"toy/keep.py": STUB, name: data})
    source = one(tmp_path / "class", exercise)[1]
    assert source.unclear is unclear and (source.data is None) is unclear
    assert not unclear or ("keep.py is as it was handed out" in source.refused and name in source.refused)
    write_all(tmp_path / "class" / "cat", {"toy/keep.py": RIGHT})
    assert one(tmp_path / "class", exercise)[1].data == RIGHT


def test_an_empty_file_is_said_to_be_empty_and_no_answer_where_another_may_be_one(exercise, tmp_path):
    write_all(tmp_path / "class" / "cat", {"toy/keep.py": b""})
    source = one(tmp_path / "class", exercise)[1]
    assert source.data == b"" and source.notes == ("cat/toy/keep.py is empty",)
    write_all(tmp_path / "class" / "cat", {"keep_final.py": RIGHT})
    source = one(tmp_path / "class", exercise)[1]
    assert source.unclear and source.refused.startswith("keep.py is empty; the answer may be in keep_final.py")


def test_a_damaged_archive_is_a_question_and_no_zero(course):
    write_class(course / "class", {"eve": (SOLUTION, 3)})
    (course / "class" / "cat.zip").write_bytes(as_zip({"toy/keep.py": SOLUTION.encode()})[:-30])
    assert main(command(course, "--workers", "1")) == 3
    (entry,) = Gradebook(course / "log").entries("cat")
    assert entry.points is None and entry.status == "unclear" and "cat.zip is damaged" in entry.waits


@pytest.mark.parametrize("kind", ["64 bits", "signature as offset"])
def test_a_list_of_entries_is_bounded_whatever_the_ends_of_an_archive_claim(exercise, tmp_path, kind):
    entry = b"PK\x01\x02" + bytes(42)
    entries = entry * (contents.MAX_DIRECTORY // len(entry) + 1)
    count, size = (n.to_bytes(8, "little") for n in (len(entries) // len(entry), len(entries)))
    if kind == "64 bits":
        record = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(12) + count + count + size + bytes(8)
        end = record + b"PK\x06\x07" + bytes(4) + size + b"\1\0\0\0" + b"PK\x05\x06" + bytes(18)
    else:
        end = b"PK\x05\x06" + bytes(8) + size[:4] + b"PK\x05\x06" + b"\0\0"
    with pytest.raises(Refused, match="more than 10000 entries"):
        HandIn("eve", write(tmp_path / "eve.zip", entries + end)).read(exercise)


def test_why_a_student_has_no_points_is_said_where_staff_look(course, capsys):
    write(course / "class" / "torn.zip", as_zip({"toy/keep.py": SOLUTION})[:99])
    write(course / "class" / "slip" / "toy" / "keep.py", b"import matplotlib\n" + SOLUTION.encode())
    main(command(course, "--workers", "1"))
    capsys.readouterr()
    out = ["--log", str(course / "log"), "--out", str(course / "m.csv")]
    assert main(["course", "export", "csv", *out, "--due", "2027-01-15", "--file-times"]) == 3
    said = capsys.readouterr().err
    assert "torn.zip is damaged" in said and "when it was handed in" not in said  # which nobody needs to know first
    slip = next(line for line in (course / "m.csv").read_text().splitlines() if line.startswith("slip"))
    assert "No module named 'matplotlib'" in slip
