"""What other systems load: each export is checked against the rules that the system's documentation or importer states."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree

import pytest
from course_class import LEVEL, SOLUTION, TESTS, here, write_class

from tinycompress.cli import main
from tinycompress.course.collect import find_handins
from tinycompress.course.exercise import find_exercises
from tinycompress.course.staff.export import export
from tinycompress.course.staff.grade import grade, make_tasks
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log
from tinycompress.course.staff.roster import Person, Roster
from tinycompress.course.staff.tables import BOM, text_cell

MOODLE = {
    "Ann Li_101_assignsubmission_file_": (SOLUTION, 3),
    '"=Bob" O\'Neil_102_assignsubmission_file_': ("import nothing_that_exists\n", 0),
    "zoe": ("keep = mean = None\n", 0),
}


@pytest.fixture
def book(course):
    """A class from Moodle, with someone at whom a person must look, and one whose file cannot be imported."""
    write_class(course / "class", MOODLE)
    write_class(course / "class" / "Cy_103_assignsubmission_file_", {"a": ("x = 1\n", 0), "b": ("x = 2\n", 0)})
    tasks = make_tasks(find_handins(course / "class"), find_exercises(root=course), "s", False, LEVEL.name)
    grade(tasks, Log(course / "log"), here)
    return Gradebook(course / "log")


def exported(book, form, tmp_path, **options):
    return export(book, form, tmp_path / form, **options)[0].read_bytes().decode()


# ---- Moodle: mod/assign/feedback/offline/importgradeslib.php, and csv_import_reader in lib/csvlib.class.php ----


def read_by_moodle(text):
    """{user number: (grade, comment)}, as the importer of the grading worksheet finds them in UTF-8 with commas."""
    header, *lines = csv.reader(io.StringIO(text))
    grade_at, id_at = header.index("Grade"), header.index("Identifier")
    assert "Last modified (grade)" in header and len(set(header)) == len(header)
    comment_at = header.index("Feedback comments")
    assert comment_at > 0  # the importer takes the first column for none
    assert all(len(line) == len(header) for line in lines)  # else csv_import_reader refuses the file
    return {int(line[id_at][len("Participant") :]): (float(line[grade_at]), line[comment_at]) for line in lines}


def test_moodle_finds_its_participants_and_nobody_unknown(book, tmp_path):
    text = exported(book, "moodle", tmp_path)
    found = read_by_moodle(text)
    assert {number: points for number, (points, _) in found.items()} == {101: 3, 102: 0}
    assert found[101][1] == "toy/keep: 3 of 3" and not text.startswith(BOM)
    roster = Roster([Person("z", "zoe", moodle="77"), Person("missing", moodle="78")])
    found = read_by_moodle(exported(book, "moodle", tmp_path, roster=roster))
    assert found.keys() == {77, 78, 101, 102} and found[78] == (0, "nothing was handed in")


# ---- Canvas: lib/gradebook_importer.rb ----


def read_by_canvas(text):
    """({assignment: points possible}, {user number: {assignment: grade}}), as the gradebook's importer finds them."""
    header, *lines = csv.reader(io.StringIO(text))
    assert len(header) > 3 and "Student" in header[0] and "ID" in header[1]
    assert "SIS User ID" in header[2] and "SIS Login ID" in header[3] and "Section" in header[4]
    assignments, possible, found = header[5:], {}, {}
    for line in lines:
        cells = dict(zip(assignments, line[5:], strict=True))
        if "Points Possible" in line[0]:
            possible = cells
        else:
            found[int(line[1])] = cells
    return possible, found


def test_canvas_finds_its_users_and_the_assignment(course, tmp_path):
    write_class(course / "class", {"zoe": (SOLUTION, 3), "ann": (SOLUTION, 3)})
    for name in "leeann_1201_5001_keep.py", "oneilbob_LATE_1202_5002_keep.py":
        (course / "class" / name).write_text(SOLUTION)
    tasks = make_tasks(find_handins(course / "class"), find_exercises(root=course), "s", False, LEVEL.name)
    grade(tasks, Log(course / "log"), here)
    arguments = ["course", "export", "canvas", "--log", str(course / "log"), "--out", str(tmp_path / "c.csv")]
    (tmp_path / "r.csv").write_text("id,name,canvas\n1,Lee; Ann,1201\n2,zoe,99\n3,Eve,100\n")
    assert (
        main([*arguments, "--assignment", "Exercise 1 (42)", "--roster", str(tmp_path / "r.csv")]) == 3
    )  # ann's number?
    possible, found = read_by_canvas((tmp_path / "c.csv").read_text())
    assert possible == {"Exercise 1 (42)": ""}  # those that Canvas has stay
    assert read_by_canvas(exported(Gradebook(course / "log"), "canvas", tmp_path))[0] == {"tinycompress": "3"}  # new
    points = {number: cells["Exercise 1 (42)"] for number, cells in found.items()}
    assert points == {1201: "3", 1202: "3", 99: "3", 100: "0"}


# As lib/gradebook_exporter.rb writes it: a row for postings, points possible, read-only columns, sections, the test student.
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Notes,Quiz (41),Exercise 1 (42),Homework Current Score,Final Grade
,,,,,,,Manual Posting,,
    Points Possible,,,,,(read only),10.00,3.00,(read only),(read only)
"Li, Ann",1,a1,ann,A and B,,10.00,1.00,90.00,A
"Wu, Bo",2,,bo,A,,,,,
"Roe, Cy",3,,cy,B,ill,9.00,EX,90.00,A
"Poe, Di",4,,di,B,,9.00,2.50,90.00,A
"Doe, Ed",5,,ed,A,,,N/A,,
"Ash, Flo",6,,flo,A,,7.00,3.00,,
"Student, Test",7,,8c1f,A,,,,,
"""


def in_two_columns(text):
    """The gradebook with LastName and FirstName, as Canvas exports it if it is told to."""
    (_, *head), *rows = csv.reader(io.StringIO(text))
    split = [[*[*name.split(", "), ""][:2], *more] for name, *more in rows]
    stream = io.StringIO()
    csv.writer(stream).writerows([["LastName", "FirstName", *head], *split])
    return stream.getvalue()


@pytest.mark.parametrize("text", [CANVAS, in_two_columns(CANVAS)], ids=["one column", "two columns"])
def test_a_canvas_gradebook_with_grades_in_it_changes_only_what_was_graded(course, tmp_path, capsys, text):
    write_class(course / "class", {"a1": (SOLUTION, 3), "flo": ("x = 1\n", 0)})
    write_class(course / "class" / "di", {"a": ("x = 1\n", 0), "b": ("x = 2\n", 0)})  # a person must decide
    tasks = make_tasks(find_handins(course / "class"), find_exercises(root=course), "s", False, LEVEL.name)
    grade(tasks, Log(course / "log"), here)
    (tmp_path / "roster.csv").write_text(text)
    arguments = [
        "--log",
        str(course / "log"),
        "--roster",
        str(tmp_path / "roster.csv"),
        "--out",
        str(tmp_path / "c.csv"),
    ]
    assert main(["course", "export", "canvas", "--assignment", "Exercise 1 (42)", *arguments]) == 3
    possible, found = read_by_canvas((tmp_path / "c.csv").read_text())
    assert possible == {"Exercise 1 (42)": ""}  # no other column is written
    assert {number: cells["Exercise 1 (42)"] for number, cells in found.items()} == {1: "3", 2: "0", 6: "0"}
    said = capsys.readouterr().err
    assert "handed in nothing, but have a grade in the roster: 'cy', 'ed'" in said and "total yet" in said


def test_a_moodle_worksheet_with_grades_in_it_changes_only_what_was_graded(book, tmp_path, capsys):
    header = "Identifier,Full name,ID number,Email address,Status,Grade,Maximum grade,Grade can be changed,"
    lines = [header + "Last modified (submission),Last modified (grade),Feedback comments"]
    for number, name, points in (
        (101, "Ann Li", "1.00"),
        (103, "Cy", "2.00"),
        (77, "Oral Exam", "3.00"),
        (78, "New", "-"),
        (79, "Nil", ""),
    ):
        lines.append(f"Participant {number},{name},,{number}@x.org,Submitted,{points},3.00,Yes,-,-,well done")
    (tmp_path / "roster.csv").write_text("\n".join(lines))
    log = ["--log", str(book.log.path), "--out", str(tmp_path / "m.csv")]
    assert main(["course", "export", "moodle", *log, "--roster", str(tmp_path / "roster.csv")]) == 3
    found = read_by_moodle((tmp_path / "m.csv").read_text())
    assert {number: points for number, (points, _) in found.items()} == {101: 3, 102: 0, 78: 0, 79: 0}
    assert "have a grade in the roster: '77@x.org'" in capsys.readouterr().err


def test_the_number_of_another_system_is_not_taken(book, tmp_path, capsys):
    assert read_by_canvas(exported(book, "canvas", tmp_path))[1] == {}
    log = ["--log", str(book.log.path), "--out", str(tmp_path / "c.csv")]
    assert main(["course", "export", "canvas", *log]) == 3
    assert "neither roster nor download says their canvas number" in capsys.readouterr().err


def test_no_table_rounds_points_however_many_there_are(course, tmp_path):
    (course / "toy" / "test_keep.py").write_text(TESTS.replace("points(1)", "points(12345.25)"))
    book = Gradebook(course / "log")
    write_class(course / "class", {"zoe": (SOLUTION, 0)})
    tasks = make_tasks(find_handins(course / "class"), find_exercises(root=course), "s", False, LEVEL.name)
    grade(tasks, book.log, here)
    book, roster = Gradebook(book.log.path), Roster([Person("z", "zoe", moodle="77", canvas="78")])
    most = book.entries()[0].most
    assert most > 10_000 and most % 1
    for form in "csv", "moodle", "canvas":
        assert f",{most:.2f}" in exported(book, form, tmp_path, roster=roster)
    assert f"{most:.2f} of {most:.2f} points" in exported(book, "feedback", tmp_path, roster=roster)


# ---- Jenkins: the xUnit plugin's src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd ----

# {element: (attributes that must be there, attributes that may be there, elements that may be inside)}
JUNIT = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError"}
        | {"system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
}


def check_junit(element):
    must, may, inside = JUNIT[element.tag]
    assert must <= element.attrib.keys() <= must | may, element.attrib
    assert {child.tag for child in element} <= inside, element.tag
    for child in element:
        check_junit(child)


@pytest.mark.parametrize("broken", [False, True])
def test_junit_is_valid_and_counts_what_it_holds(book, course, tmp_path, broken):
    if broken:
        (course / "toy" / "test_keep.py").write_text(TESTS + "\n\ndef broken(:\n")
        tasks = make_tasks(find_handins(course / "class"), find_exercises(root=course), "s", False, LEVEL.name)
        grade(tasks, Log(course / "log"), here)
        book = Gradebook(course / "log")
    root = ElementTree.fromstring(exported(book, "junit", tmp_path, roster=Roster([Person("missing")])))
    assert root.tag == "testsuites"
    check_junit(root)
    for suite in root:
        found = suite.findall("testcase"), suite.findall(".//failure"), suite.findall(".//error")
        assert [suite.get(name) for name in ("tests", "failures", "errors")] == [str(len(each)) for each in found]
    counts = {suite.get("name"): (suite.get("failures"), suite.get("errors")) for suite in root}
    assert counts["missing"] == ("0", "0")
    assert counts["Ann Li_101"] == (("0", "1") if broken else ("0", "0"))
    assert counts["Cy_103"] == (("0", "1") if broken else ("0", "3"))  # which of two files? a person decides


# ---- PrairieLearn: docs/externalGrading.md, "Grading results" ----


def check_prairielearn(results):
    assert isinstance(results["gradable"], bool)
    if not results["gradable"]:
        assert "score" not in results and all(isinstance(text, str) and text for text in results["format_errors"])
        return
    assert isinstance(results["score"], float) and 0 <= results["score"] <= 1
    for test in results["tests"]:
        assert {"name", "points", "max_points"} <= test.keys() <= {"name", "points", "max_points", "message"}
        assert 0 <= test["points"] <= test["max_points"]


def test_prairielearn_takes_no_attempt_for_what_cannot_be_imported(book, tmp_path):
    results = {path.stem: json.loads(path.read_text()) for path in export(book, "prairielearn", tmp_path / "p")}
    for each in results.values():
        check_prairielearn(each)
    gradable = {name.split("_")[0]: each["gradable"] for name, each in results.items()}
    assert gradable == {"Ann": True, "Bob": False, "zoe": True}  # and none for Cy
    (bob,) = (each for each in results.values() if not each["gradable"])
    assert "keep.py cannot be imported: the file raised ModuleNotFoundError" in bob["format_errors"][0]
    book.correct([name for name in book.students() if "Bob" in name][0], "toy/keep", 2, "kim", "a slip")
    results = [
        json.loads(path.read_text()) for path in export(Gradebook(book.log.path), "prairielearn", tmp_path / "p")
    ]
    assert all(each["gradable"] for each in results)


# ---- Gradescope: gradescope-autograders.readthedocs.io/en/latest/specs, "Output Format" ----


def test_gradescope_gets_a_file_per_student_under_its_own_id(book, tmp_path):
    roster = Roster([Person("a", "Ann Li", gradescope="3031234567"), Person("z", "zoe")])
    paths = {path.stem: json.loads(path.read_text()) for path in export(book, "gradescope", tmp_path / "g", roster)}
    assert {"3031234567", "z"} < paths.keys() and len(paths) == 3
    for results in paths.values():
        assert 0 <= results["score"] <= 3 and results["output_format"] == "text"
        for test in results["tests"]:
            assert test["status"] in ("passed", "failed") and 0 <= test["score"] <= test["max_score"]
            assert test["visibility"] in ("hidden", "after_due_date", "after_published", "visible")


# ---- spreadsheets ----


def test_a_spreadsheet_keeps_ids_as_they_are(book, tmp_path):
    ids = ["007", "12E3", "3-4", "1/2", "zoë", '=1+1"', "e1"]
    roster = Roster([Person(name) for name in ids])
    plain = exported(book, "csv", tmp_path, roster=roster)
    assert not plain.startswith(BOM) and plain.splitlines()[1].startswith("007,")
    text = exported(book, "csv", tmp_path, roster=roster, spreadsheet=True)
    assert text.startswith(BOM)
    first = [line[0] for line in csv.reader(io.StringIO(text.removeprefix(BOM)))][1:8]
    assert first == ['="007"', '="12E3"', '="3-4"', '="1/2"', "zoë", "'=1+1\"", '="e1"']
    for harmful in '0"&cmd', "0)", "=0", "+1", "-1;0", "@1", "1 2,3":
        assert not text_cell(harmful).startswith("=")
