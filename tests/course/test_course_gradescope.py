"""Gradescope's submission_metadata.json: the student, and what being late costs."""

import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from course_class import CLASS, LEVEL, SOLUTION, write_class

from tinycompress.cli import main
from tinycompress.course.author import container
from tinycompress.course.questions.question import numbers_of
from tinycompress.course.staff.gradescope import read_metadata
from tinycompress.course.staff.one import FORMATS

TRUST = [] if LEVEL.name == "bubblewrap" else ["--trust"]
DUE = "2027-01-15T23:00:00.000000-08:00"
DATES = {"release_date": "2027-01-08T00:00:00.000000-08:00", "due_date": DUE, "late_due_date": None}
ZOE = {"email": "zoe@x.org", "id": 1234, "name": "Zoë Weiß", "sid": "010", "sections": ["A"], "assignment": DATES}


def metadata(at="2027-01-15T14:22:32.365935-08:00", users=(ZOE,), due=DUE, **changes):
    """As Gradescope writes it."""
    assignment = DATES | {"due_date": due, "group_size": 2, "group_submission": True, "id": 25828, "course_id": 1234}
    return {
        "id": 123456,
        "created_at": at,
        "assignment": assignment | {"title": "Week 3", "total_points": "3.0"},
        "submission_method": "upload",
        "users": list(users),
        "previous_submissions": [{"submission_time": "2027-01-14T14:24:48.087023-08:00", "score": 0.0, "results": {}}],
    } | changes


def written(folder, said) -> Path:
    path = folder / "submission_metadata.json"
    path.write_bytes(said if isinstance(said, bytes) else json.dumps(said).encode())
    return path


def until(due, name="Ann"):
    return {"name": name, "assignment": DATES | {"due_date": due}}


@pytest.fixture
def grade(course):
    """Grade a submission as in Gradescope; return the exit status and the result."""

    def grade(said, *more, source=SOLUTION):
        path = course / "submission_metadata.json" if said is None else written(course, said)
        (course / "submission" / "toy").mkdir(parents=True, exist_ok=True)
        (course / "submission" / "toy" / "keep.py").write_text(source)
        arguments = ["--results", str(course / "results.json"), "--format", "gradescope", "--exercises", str(course)]
        start = ["course", "grade-one", str(course / "submission"), *arguments, "--metadata", str(path)]
        return main([*start, *TRUST, *more]), json.loads((course / "results.json").read_text())

    return grade


def test_late_days_come_from_gradescope_and_cost_what_the_rule_says(grade, capsys):
    late = metadata(at="2027-01-17T09:00:00.000000-08:00")
    status, found = grade(late, "--late", "20", source=CLASS["partial"][0])
    assert status == 0 and found["score"] == 0.9 and sum(test["score"] for test in found["tests"]) == 1.5
    assert found["output"] == "2 days late: 40% of the points subtracted" and found["output"] in capsys.readouterr().out
    assert found["extra_data"]["student"] == "Zoë Weiß" and found["extra_data"]["days_late"] == 2
    status, found = grade(late)  # without a rule, lateness costs nothing and is only recorded
    assert (found["score"], found["output"], found["extra_data"]["days_late"]) == (3, "", 2)
    status, found = grade(late, "--late-limit", "1", "--student", "eve")
    assert found["score"] == 0 and found["extra_data"]["student"] == "eve"


@pytest.mark.parametrize("said", [None, b"", b"{", b"[]", b"\xff", metadata(at=None), metadata(due="soon", users=())])
def test_a_damaged_file_costs_no_point_and_is_said_in_a_line(grade, capsys, said):
    status, found = grade(said, "--late", "20")
    assert status == 0 and found["score"] == 3 and found["extra_data"]["days_late"] is None
    assert found["output"] == "how late it is is not known; nothing was subtracted"
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "metadata" in line]
    assert line.endswith("; it counts as in time")


def test_without_the_file_and_without_a_rule_all_is_as_before(grade, capsys, course):
    arguments = ["course", "grade-one", str(course / "submission"), "--exercises", str(course), *TRUST]
    grade(metadata())
    capsys.readouterr()
    assert main([*arguments, "--results", str(course / "results.json"), "--format", "gradescope"]) == 0
    found = json.loads((course / "results.json").read_text())
    assert (found["score"], found["output"], found["extra_data"]["student"]) == (3, "", "submission")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("said", "days"),
    [
        (metadata(at=DUE), 0),
        (metadata(at="2027-01-16T07:00:00Z"), 0),  # the same instant
        (metadata(at="2027-01-15T23:00:01-08:00"), 1),
        (metadata(at="2027-01-17T22:00:00-08:00", users=[until("2027-01-18T23:00:00-08:00")]), 0),  # an extension
        (metadata(at="2027-01-17T22:00:00-08:00", users=[ZOE, until("2027-01-16T23:00:00-08:00")]), 1),  # a group
        (metadata(at="2027-01-17T22:00:00-08:00", users=[ZOE, until(None)]), 0),
        (metadata(at="2027-01-17T22:00:00-08:00", users=[{"name": "Ann"}]), 2),  # as documented, without own dates
        (metadata(at="2027-01-17T22:00:00-08:00", users=[{"assignment": None}]), 2),
        (metadata(at="2027-01-17T22:00:00-08:00", users=[], due=None), 0),
        (metadata(at="2027-01-17T22:00:00-08:00", users="?"), 2),
        (metadata(users=[until(5)]), None),
        (metadata(users=[until("2027-13-01")]), None),
        (metadata(users=[], assignment={}), None),
        (metadata(users=[], assignment=None), None),
        (metadata(at="0001-01-01T00:00:00+23:59"), None),
        (metadata(at=1), None),
    ],
)
def test_the_day_that_holds_for_a_student_decides(tmp_path, said, days):
    late = read_metadata(written(tmp_path, said)).lateness(10, None)
    assert late.days == days and late.share == pytest.approx((days or 0) / 10)


def test_lateness_ends_no_day_before_it_begins(tmp_path):
    for hours, days in (-1, 0), (1, 1), (24, 1), (25, 2), (48, 2):
        at = (datetime.fromisoformat(DUE) + timedelta(hours=hours)).isoformat()
        assert read_metadata(written(tmp_path, metadata(at=at))).lateness(10, None).days == days


@pytest.mark.parametrize(
    ("users", "student"),
    [
        ([ZOE, {"name": "Ann Li"}], "Zoë Weiß, Ann Li"),
        ([{"name": " ", "email": "ann@x.org"}], "ann@x.org"),
        ([{"name": 3}, None, "Ann"], ""),
        ({"name": "Ann"}, ""),
    ],
)
def test_names_are_taken_where_they_are(tmp_path, users, student):
    assert read_metadata(written(tmp_path, metadata(users=()) | {"users": users})).student == student


def test_the_rule_is_part_of_what_is_uploaded_and_of_gradescope_only(course, capsys, monkeypatch):
    monkeypatch.setattr(container, "requirements", lambda: "")
    arguments = ["course", "container", "--exercises", str(course), "--late", "20", "--late-limit", "3", "--for"]
    assert main([*arguments, "gradescope", "--out", str(course / "out")]) == 0
    script = course / "out" / "source" / "run_autograder"
    subprocess.run(["bash", "-n", script], check=True)
    assert "--seed-file /autograder/source/seed.txt --late 20 --late-limit 3\n" in script.read_text()
    assert main([*arguments, "prairielearn", "--out", str(course / "other")]) == 2
    assert "--late is for gradescope" in capsys.readouterr().err and not (course / "other").exists()


QUESTIONS = """
[[question]]
id = "why"
title = "Why"
points = 3
ask = "Why?"
guide = "Because."
[[question]]
id = "which"
title = "Which"
points = 1
ask = "Which?"
options = [{text = "this", why = "yes", right = true}, {text = "that", why = "no"}]
"""
OWN = '''
"""Your own sum.

What is {a} + 1?
"""
POINTS = 2
NUMBERS = {"a": range(1000, 100_000)}


def answer(exercise, a):
    return a + 1
'''


@pytest.fixture
def asked(course):
    """A chapter with questions; returns the right answer of a student to the own task."""
    (course / "toy" / "questions.toml").write_text(QUESTIONS)
    (course / "toy" / "own_keep.py").write_text(OWN)
    (course / "submission").mkdir(exist_ok=True)
    return lambda student: numbers_of(student, "toy/own_keep", {"a": range(1000, 100_000)})["a"] + 1


@pytest.mark.parametrize(
    ("said", "by", "earned"), [("010", "010", 6), ("ZOE@x.org", "zoe@x.org", 6), ("eve", "eve", 4)]
)
def test_choices_and_own_numbers_are_marked_at_once_and_written_answers_later(grade, asked, course, said, by, earned):
    text = f"Student: {said}\n## toy/why\nso\n## toy/which\na\n## toy/own_keep\n{asked(by)}\n"
    (course / "submission" / "answers.md").write_text(text)
    status, found = grade(metadata())
    assert status == 0 and found["score"] == sum(test.get("score", 0) for test in found["tests"]) == earned
    (written,) = [test for test in found["tests"] if "score" not in test]
    assert "max_score" not in written and written["name"] == "toy/questions: Why (3 points)"
    assert "a person will mark this answer" in written["output"]
    assert ("answers.md is of 'eve'" in found["output"]) == (said == "eve")


@pytest.mark.parametrize("student", ["eve", ""])
@pytest.mark.parametrize("form", FORMATS)
def test_questions_are_treated_alike_in_every_system(asked, course, form, student):
    """Choices count at once, own numbers if it is known whose they are, and written answers when a person has marked them."""
    write_class(course, {"submission": (SOLUTION, 3)})
    copied = f"Student: bob\n## toy/why\nso\n## toy/which\na\n## toy/own_keep\n{asked('bob')}\n"
    own = copied.replace("bob", "eve").replace(str(asked("bob")), str(asked("eve")))
    for right, text in (True, own), (False, copied):
        (course / "submission" / "answers.md").write_text(text)
        arguments = [
            "--exercises",
            str(course),
            "--results",
            str(course / "result"),
            "--format",
            form,
            "--student",
            student,
        ]
        assert main(["course", "grade-one", str(course / "submission"), *arguments, *TRUST]) == 0
        # the exercise and the choice; own numbers; and what waits
        earned, most = 4 + 2 * right * bool(student), 4 + 2 * bool(student)
        waiting = {"Why"} | ({"Your own sum"} if not student else set())
        assert result_of(form, course / "result") == (earned, most, waiting)


def result_of(form, path):
    """(points, out of how many, what waits for a person), as the systems read it."""
    if form == "junit":
        found = [case for case in ElementTree.parse(path).iter("testcase")]
        tags = [next((child.tag for child in case), "") for case in found]
        worth = {"toy/which": 1, "toy/own_keep": 2}
        points = [worth.get(case.get("name"), 1) for case, tag in zip(found, tags, strict=True) if tag != "skipped"]
        earned = [worth.get(case.get("name"), 1) for case, tag in zip(found, tags, strict=True) if not tag]
        titles = {"toy/why": "Why", "toy/own_keep": "Your own sum"}
        skipped = {titles[case.get("name")] for case, tag in zip(found, tags, strict=True) if tag == "skipped"}
        assert int(ElementTree.parse(path).find("testsuite").get("skipped")) == len(skipped)
        return sum(earned), sum(points), skipped
    found, of = json.loads(path.read_text()), "max_score" if form == "gradescope" else "max_points"
    most = sum(test.get(of, 0) for test in found["tests"])
    waiting = [test for test in found["tests"] if not test.get(of)]
    assert all("a person will mark this answer" in test.get("output", test.get("message")) for test in waiting)
    earned = found["score"] if form == "gradescope" else found["score"] * most
    return earned, most, {re.fullmatch(r"toy/questions: (.*) \(\d points\)", test["name"])[1] for test in waiting}


def test_written_answers_alone_have_no_score_yet(asked, course):
    (course / "toy" / "own_keep.py").unlink()
    (course / "toy" / "questions.toml").write_text(QUESTIONS.split('[[question]]\nid = "which"')[0])
    (course / "submission" / "answers.md").write_text("## toy/why\nso\n")
    arguments = ["toy/questions", "--exercises", str(course), "--results", str(course / "result"), *TRUST]
    assert main(["course", "grade-one", str(course / "submission"), *arguments, "--format", "prairielearn"]) == 0
    found = json.loads((course / "result").read_text())
    assert found["gradable"] is False and "score" not in found and "a person will mark" in found["message"]


def test_a_missing_answers_file_is_said_and_no_question_for_staff(grade, asked, course):
    (course / "submission" / "answers.docx").write_bytes(b"PK")
    status, found = grade(metadata())
    assert status == 0 and found["score"] == 3
    assert any("hand that in as answers.md" in test["output"] for test in found["tests"])


def test_the_container_holds_the_questions_and_nothing_that_is_not_asked_for(asked, course, monkeypatch):
    monkeypatch.setattr(container, "requirements", lambda: "")
    arguments = ["course", "container", "toy/questions", "--exercises", str(course), "--for"]
    assert main([*arguments, "gradescope", "--out", str(course / "out")]) == 0
    source = course / "out" / "source"
    assert "/autograder/submission toy/questions --results" in (source / "run_autograder").read_text()
    (course / "submission" / "answers.md").write_text("## toy/which\na\n")
    result = ["--results", str(course / "results.json"), "--format", "gradescope"]
    start = [
        "course",
        "grade-one",
        str(course / "submission"),
        "toy/questions",
        "--exercises",
        str(source / "exercises"),
    ]
    assert main([*start, *result, *TRUST]) == 0
    assert json.loads((course / "results.json").read_text())["score"] == 1
    assert main([*arguments, "prairielearn", "--out", str(course / "other")]) == 0
    question = course / "other" / "question"
    assert "/grade/student toy/questions --results" in (question / "tests" / "run.sh").read_text()
    assert (question / "tests" / "exercises" / "toy" / "own_keep.py").read_text() == OWN
    page = (question / "question.html").read_text()
    assert 'file-names="answers.md"' in page and "<p>Answer the questions of toy in answers.md, and upload" in page
