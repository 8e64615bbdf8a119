"""The roster: whose hand-in it is, who is missing, and what being late costs."""

import csv
import io
import os
from datetime import timedelta, timezone

import pytest
from course_class import LEVEL, SOLUTION, command, here, write_class

from tinycompress.cli import main
from tinycompress.course.collect import find_handins
from tinycompress.course.exercise import CourseProblem, find_exercises
from tinycompress.course.staff.export import export
from tinycompress.course.staff.grade import grade, make_tasks
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log
from tinycompress.course.staff.roster import Lateness, LateRule, Person, Roster, time_of
from tinycompress.course.staff.tables import rows

TEXT = """\
ID;Name;E-Mail;Group;Extension;Late days;moodle;canvas;github;Faculty
007;Ann Li;ann@x.org;G1;;;101;;;Maths
008;Bob O'Neil;bob@x.org;G1;2027-01-20;;;1202;;Physics
009;Ann Li;ann2@x.org;;3;2;;;annli2;
010;Zoë Weiß;zoe@x.org;G2;;;;;zoe-w;
011;Cy;cy@x.org;G2;;;;;;
"""


@pytest.fixture
def roster(tmp_path):
    return Roster.read(written(tmp_path, TEXT))


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "students.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_write_rosters_in_many_ways(tmp_path, encoding, delimiter):
    people = Roster.read(written(tmp_path, TEXT.replace(";", delimiter), encoding)).people
    assert [person.id for person in people] == ["007", "008", "009", "010", "011"]
    assert people[1] == Person("008", "Bob O'Neil", "bob@x.org", "G1", "2027-01-20", canvas="1202")


EXPORTS = {
    "Moodle's participants": (
        '"First name","Last name","ID number","Email address",Groups\nEve,Li,4711,eve@x.org,G1\nBo,Wu,,bo@x.org,\n',
        [Person("4711", "Eve Li", "eve@x.org", "G1"), Person("bo@x.org", "Bo Wu", "bo@x.org")],
    ),
    "Moodle's worksheet": (
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade\nParticipant 1234,Eve Li,eve@x.org,Submitted,,10\n",
        [Person("eve@x.org", "Eve Li", "eve@x.org", moodle="1234")],
    ),
    "Canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,Quiz (7)\n    Points Possible,,,,,10\n"
        '"Li, Eve",56,4711,eli,A,9\n"Wu, Bo",57,,bwu,A,\n',
        [Person("4711", "Li, Eve", canvas="56"), Person("bwu", "Wu, Bo", canvas="57")],
    ),
    "Gradescope": (
        "First Name,Last Name,SID,Email,Sections\nEve,Li,4711,eve@x.org,\n",
        [Person("4711", "Eve Li", "eve@x.org")],
    ),
    "Gradescope, with staff": (
        "First Name,Last Name,SID,Email,Role\nEve,Li,4711,eve@x.org,Student\nKim,Ta,9,kim@x.org,TA\n",
        [Person("4711", "Eve Li", "eve@x.org")],
    ),
    "Gradescope's grades": (
        "First Name,Last Name,SID,Email,Sections,Total Score,Max Points,Status,Submission ID,Submission Time,"
        "Lateness (H:M:S)\nEve,Li,4711,eve@x.org,,8.0,12.0,Graded,128746829,2027-01-15 13:16:26 -0600,00:00:00\n",
        [Person("4711", "Eve Li", "eve@x.org", handed_in="2027-01-15 13:16:26 -0600", gradescope="128746829")],
    ),
    "GitHub Classroom's grades": (
        "assignment_name,assignment_url,starter_code_url,github_username,roster_identifier,student_repository_name,"
        "student_repository_url,submission_timestamp,points_awarded,points_available\nw3,u,s,eve-li,4711,w3-eve-li,r,,0,9\n",
        [Person("4711", github="eve-li")],
    ),
    "GitHub Classroom": (
        '"identifier","github_username","github_id","name"\n"4711","eve-li","99","Eve Li"\n',
        [Person("4711", "Eve Li", github="eve-li")],
    ),
}


@pytest.mark.parametrize("system", EXPORTS)
def test_what_course_systems_export_is_a_roster_as_it_is(tmp_path, system):
    text, people = EXPORTS[system]
    assert Roster.read(written(tmp_path, text)).people == people


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\nAnn\n", "one of them `id`"),
        ("", "one of them `id`"),
        ("id,extention\n1,2\n", "'extention' meant to be 'extension'"),
        ("id\n1\n2\n1\n", "line 4: a second row for '1'"),
        ("id,name\n,Ann\n", "line 2: a student without an id"),
        ("id,late_days\n1,two\n", "line 2: late_days is a number of days"),
        ("id,extension\n1,next week\n", "line 2: extension should be like 2027-01-15"),
        ("id,handed_in\n1,3\n", "line 2: handed_in should be like"),
    ],
)
def test_a_roster_that_cannot_be_meant_is_refused_with_the_line(tmp_path, text, words):
    with pytest.raises(CourseProblem, match=words):
        Roster.read(written(tmp_path, text))


def test_a_roster_in_another_encoding_or_missing_is_refused(tmp_path):
    with pytest.raises(CourseProblem, match="not UTF-8"):
        Roster.read(written(tmp_path, TEXT, "latin-1"))
    with pytest.raises(CourseProblem, match="No such file"):
        Roster.read(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("name", "numbers", "student"),
    [
        ("007", (), "007"),
        ("Ann Li_101", ("moodle 101",), "007"),
        ("Bob O'Neil_77", ("moodle 77",), "008"),  # Moodle's numbers differ between assignments; the name is unique
        ("Ann Li_102", ("moodle 102",), "Ann Li_102"),  # which of the two?
        ("Ann Li", (), "Ann Li"),
        ("oneilbob_1202", ("canvas 1202",), "008"),
        ("zoe_1202", ("moodle 1202",), "zoe_1202"),  # not Canvas' number
        ("exercise-1-annli2", (), "009"),
        ("exercise-1-zoe-w", (), "010"),
        ("ZOE@x.org", (), "010"),
        ("cy", (), "011"),
        ("zoe\u0308 weiss", (), "010"),
        ("G2-Zoë Weiß_77", ("moodle 77",), "010"),  # as Moodle names those of a group
        ("G1-Zoë Weiß_77", ("moodle 77",), "G1-Zoë Weiß_77"),
        ("Weiß, Zoë_77", ("moodle 77",), "010"),
        ("Weiß Zoë", (), "010"),
        ("nobody", (), "nobody"),
    ],
)
def test_names_of_hand_ins_mean_one_student_or_nobody(roster, name, numbers, student):
    assert roster.student(name, numbers) == student


# ---- rows ----


def graded(course, names, who):
    """The gradebook of a class with these hand-ins, graded anew."""
    for path in (course / "log", course / "log.lock"):
        path.unlink(missing_ok=True)
    if not (course / "class").exists():
        write_class(course / "class", {name: (SOLUTION, 3) for name in names})
    tasks = make_tasks(find_handins(course / "class", who), find_exercises(root=course), "s", False, LEVEL.name)
    grade(tasks, Log(course / "log"), here)
    return Gradebook(course / "log")


def test_whoever_is_missing_has_a_row_and_whoever_is_unknown_too(course, roster, tmp_path):
    names = ["Ann Li_101_assignsubmission_file_", "exercise-1-annli2", "stranger"]
    for who in None, roster.student:  # graded without the roster, or with it
        book = graded(course, names, who)
        made = {row.person.id: row for row in rows(book, roster)}
        assert list(made) == ["007", "008", "009", "010", "011", "stranger"]
        assert [row.total for row in made.values()] == [3, 0, 3, 0, 0, 3]
        assert made["008"].remarks == ["nothing was handed in"] and made["stranger"].remarks == ["not in the roster"]
        lines = list(csv.reader(io.StringIO(export(book, "csv", tmp_path / "m.csv", roster)[0].read_text())))
        assert lines[0] == ["student", "name", "email", "group", "toy/keep", "total", "of", "remarks"]
        assert lines[2] == ["008", "Bob O'Neil", "bob@x.org", "G1", "", "0", "3", "nothing was handed in"]
        assert len(lines) == 7


def test_a_hand_in_of_a_group_is_its_members_unless_they_have_their_own(course, roster):
    made = {row.person.id: row for row in rows(graded(course, ["G1", "008"], None), roster)}
    assert made["007"].total == 3 and made["007"].remarks == ["handed in by the group G1"]
    assert made["008"].total == 3 and made["008"].remarks == []
    assert made["010"].total == 0 and "G1" not in made


def test_whoever_has_only_a_file_that_was_left_out_has_no_total(course, roster):
    write_class(course / "class", {"007": (SOLUTION, 3)})
    (course / "class" / "008.rar").write_bytes(b"Rar!")
    (course / "class" / "Cy_5_assignsubmission_onlinetext_").mkdir()
    assert main(command(course, "--workers", "1")) == 3
    made = {row.person.id: row for row in rows(Gradebook(course / "log"), roster)}
    assert made["007"].total == 3 and made["008"].total is None and made["010"].total == 0
    assert made["011"].total is None and "text that was entered in Moodle" in made["011"].remarks[0]
    assert made["008"].remarks[0].startswith("008.rar: the only archives read are .zip and .tar")


def test_two_hand_ins_of_one_student_need_the_roster_when_they_are_graded(course, roster):
    names = ["007", "Ann Li_101_assignsubmission_file_"]
    write_class(course / "class", {names[0]: (SOLUTION, 3), names[1]: ("keep = mean = None\n", 0)})
    with pytest.raises(CourseProblem, match="'007' and 'Ann Li_101' are both '007' in the roster; grade again"):
        rows(graded(course, names, None), roster)
    (course / "class" / names[1] / "toy" / "keep.py").write_text(SOLUTION)
    assert rows(graded(course, names, roster.student), roster)[0].total == 3  # the same file twice


def test_a_class_graded_before_and_after_the_roster_was_known_needs_no_new_log(course, roster):
    write_class(course / "class", {"Ann Li_101_assignsubmission_file_": (SOLUTION, 3)})
    without, log = command(course, "--workers", "1"), course / "log"
    path = str(written(course, TEXT))
    assert main(without) == 0
    Gradebook(log).correct("Ann Li_101", "toy/keep", 2, "kim", "late at night")
    assert main([*without, "--roster", path]) == 0
    (ann, *others) = rows(Gradebook(log), roster)
    assert (ann.person.id, ann.total) == ("007", 2) and len(others) == 4
    Gradebook(log).correct("007", "toy/keep", 1, "kim", "it was different")
    with pytest.raises(CourseProblem, match="are both '007' in the roster; grade again"):
        rows(Gradebook(log), roster)  # which of the two?


def test_hand_ins_of_namesakes_are_nobodys_and_no_zero_until_someone_says_whose(course, roster, capsys):
    write_class(course / "class", {"Ann Li_5_assignsubmission_file_": (SOLUTION, 3), "Eve_6": (SOLUTION, 3)})
    path = str(written(course, TEXT))
    assert main(command(course, "--workers", "1", "--roster", path)) == 3
    said = capsys.readouterr().out
    assert "look at 'Ann Li_5': is it of 007 or 009? give their `moodle` or `canvas` numbers in the roster" in said
    assert "look at 'Eve_6': not in the roster" in said
    assert "5 of 5 students of the roster have no hand-in of their own: '007', '008', '009', '010', '011'" in said
    made = {row.person.id: row for row in rows(Gradebook(course / "log"), roster)}
    for student in "007", "009":
        assert made[student].total is None and "is 'Ann Li_5' of 007 or 009? give" in made[student].remarks[0]
    assert made["Ann Li_5"].total == made["Eve_6"].total == 3 and made["010"].total == 0
    assert "is 'Ann Li_5' of 007 or 009? give" in made["Ann Li_5"].remarks[0]
    out = ["--out", str(course / "m.csv"), "--log", str(course / "log"), "--roster", path]
    assert main(["course", "export", "csv", *out]) == 3
    said = capsys.readouterr().err
    assert "look at them first: '007', '009'" in said and "  2 students: is 'Ann Li_5' of 007 or 009?" in said


def test_who_takes_anothers_name_in_moodle_does_not_hand_in_for_them(course, roster, capsys):
    names = [f"Cy_{number}_assignsubmission_file_" for number in (5, 6)]
    write_class(course / "class", {names[0]: (SOLUTION, 3), names[1]: ("keep = mean = None\n", 0)})
    (handin,) = find_handins(course / "class", roster.student)
    (source,) = handin.sources(find_exercises(root=course))
    assert source.unclear and source.data is None and "hand in by one name" in source.refused
    path = str(written(course, TEXT))
    assert main(command(course, "--workers", "1", "--roster", path)) == 3
    assert "a person will decide (moodle 5, moodle 6)" in capsys.readouterr().out
    (page,) = (p for p in export(Gradebook(course / "log"), "feedback", course / "f", roster) if p.stem == "011")
    assert "hand in by one name" in page.read_text() and "moodle" not in page.read_text()


# ---- late ----

DUE = time_of("2027-01-10")


@pytest.mark.parametrize(
    ("person", "days", "share"),
    [
        ({"handed_in": "2027-01-10 23:59"}, 0, 0),
        ({"handed_in": "2027-01-11 00:00"}, 1, 0.1),
        ({"handed_in": "2027-01-11 23:59:59"}, 1, 0.1),
        ({"handed_in": "2027-01-12 00:00"}, 2, 0.2),
        ({"handed_in": "2027-01-12 00:00", "late_days": "1"}, 2, 0.1),
        ({"handed_in": "2027-01-12 00:00", "late_days": "5"}, 2, 0),
        ({"handed_in": "2027-01-12 00:00", "extension": "1"}, 1, 0.1),
        ({"handed_in": "2027-01-12 00:00", "extension": "2027-01-12"}, 0, 0),
        ({"handed_in": "2027-01-12 00:00", "extension": "2027-01-11 12:00", "late_days": "1"}, 1, 0),
        ({"handed_in": "2027-01-14 00:00"}, 4, 1),  # after three days nothing is left
        ({"handed_in": "2027-01-14 00:00", "late_days": "1"}, 4, 0.3),
    ],
)
def test_lateness_follows_the_rule(person, days, share):
    late = LateRule(DUE, percent=10, most=3).lateness(Person("1", **person), [{}])
    assert late.days == days and late.share == pytest.approx(share)
    assert bool(late.why) == bool(days)


def test_times_with_a_zone_are_compared_as_instants():
    in_time = (DUE - timedelta(hours=1)).astimezone(timezone(timedelta(hours=14))).isoformat()
    assert LateRule(DUE, 10).lateness(Person("1", handed_in=in_time), [{}]) == Lateness()


def test_what_nobody_knows_costs_nothing_and_is_said():
    rule, person = LateRule(DUE, 10), Person("1")
    written = {"handed_in": "2027-01-11T10:00+00:00"}
    unknown = rule.lateness(person, [written])
    assert unknown.days is None and unknown.share == 0 and "not known" in unknown.why
    assert LateRule(DUE, 10, files=True).lateness(person, [{"handed_in": ""}, written]).days == 1
    late = rule.lateness(person, [{"late": True}])  # as Canvas says
    assert late.days is None and "not by how much" in late.why
    assert rule.lateness(person, [{"late": False}]) == Lateness() == LateRule().lateness(person, [written])
    assert rule.lateness(person, []) == Lateness()  # nothing was handed in


def test_the_command_line_goes_from_a_roster_to_marks(course, tmp_path, capsys):
    write_class(course / "class", {"1": (SOLUTION, 3), "2": (SOLUTION, 3), "4": (SOLUTION, 3)})
    roster = tmp_path / "r.csv"
    roster.write_text("id,name,handed_in,late_days\n1,Ann,2027-01-10,\n2,Bob,2027-01-12,1\n3,Cy,,\n4,Di,,\n")
    assert main(command(course, "--workers", "1", "--roster", str(roster))) == 0
    assert "1 of 4 students of the roster have no hand-in" in capsys.readouterr().out
    log, out = ["--log", str(course / "log")], str(tmp_path / "m.csv")
    late = ["--roster", str(roster), "--due", "2027-01-10", "--late", "50"]
    assert main(["course", "export", "csv", "--out", out, *log, *late]) == 3
    assert "no total yet, since a person must look at them first: '4'" in capsys.readouterr().err
    lines = {line[0]: line[4:] for line in csv.reader(io.StringIO((tmp_path / "m.csv").read_text()))}
    assert lines["student"] == ["toy/keep", "days late", "subtracted", "total", "of", "remarks"]
    assert lines["1"][:5] == ["3", "0", "0", "3", "3"] and lines["3"][:5] == ["", "0", "0", "0", "3"]
    assert lines["2"] == ["3", "2", "1.5", "1.5", "3", "2 days late, 1 of them free: 50% of the points subtracted"]
    assert lines["4"][:4] == ["3", "?", "", ""] and "handed_in" in lines["4"][5]
    os.utime(course / "class" / "4" / "toy" / "keep.py", (0, DUE.timestamp() - 5))
    main(command(course, "--workers", "1", "--roster", str(roster)))
    assert main(["course", "export", "feedback", "--out", str(tmp_path / "f"), *log, *late, "--file-times"]) == 0
    assert "50% of the points subtracted; 1.5 points remain" in (tmp_path / "f" / "2.html").read_text()
    for wrong in ["--late", "10"], ["--due", "soon"], ["--due", "2027-01-10", "--late", "-1"]:
        assert main(["course", "export", "csv", "--out", out, *log, *wrong]) == 2
    for form in "gradescope", "prairielearn", "junit":
        assert main(["course", "export", form, "--out", out + form, *log, *late]) == 2
