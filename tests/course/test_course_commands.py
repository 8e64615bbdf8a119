"""The course at the command line: packing, grading, the doctor, and what each says when something is wrong."""

import csv
import functools
import json
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from course_class import FOUND, LEVEL, SOLUTION, command, here, marks, tasks_of, write_class, write_exercise

from tinycompress.cli import main
from tinycompress.course import sandbox
from tinycompress.course.author.container import requirements
from tinycompress.course.author.release import release
from tinycompress.course.exercise import find_exercises, strip_solution
from tinycompress.course.plugin import Session
from tinycompress.course.staff.export import export
from tinycompress.course.staff.grade import grade
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log


def test_a_student_packs_what_the_staff_can_grade(course, tmp_path, capsys):
    release(find_exercises(root=course), tmp_path / "handout")
    (tmp_path / "handout" / "toy" / "keep.py").write_text(SOLUTION)
    (tmp_path / "class").mkdir()
    packed = str(tmp_path / "class" / "eve.zip")
    assert main(["course", "pack", "--folder", str(tmp_path / "handout"), "--out", packed]) == 0
    assert main(["course", "pack", "--folder", str(tmp_path), "--out", packed]) == 2
    assert main(command(course, "--workers", "1")) == 0
    assert marks(course) == {"eve": 3}


def test_packing_says_of_each_file_how_far_it_is_and_packs_all_the_same(course, tmp_path, capsys):
    handout = tmp_path / "handout"
    release(find_exercises(root=course), handout)
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
        (f"import os, matplotlib.pyplot as plt\n{SOLUTION}", "line 1 imports matplotlib, which does not exist where"),
        ("from helpers import keep\n", "line 1 imports helpers"),
        ("from .helpers import keep\n", "line 1 imports .helpers"),
        ("\0", "syntax error: source code string cannot contain null bytes"),
    ):
        text = said(source.encode())
        assert f"toy/keep.py: {state}" in text.out and "1 file not finished" in text.err
    guarded = (
        "try:\n    import matplotlib\nexcept ImportError:\n    pass\nif __name__ == '__main__':\n    import sklearn\n"
    )
    text = said((guarded + SOLUTION + "\ndef plot():\n    import matplotlib\n").encode())
    assert "toy/keep.py: written" in text.out and not text.err


def test_packing_knows_a_file_to_repair_that_nobody_has_changed(tmp_path, capsys):
    last = "    return values[np.sort(chosen)]\n", "    return float(values.mean())\n"
    faulty = SOLUTION
    for line in last:
        faulty = faulty.replace(line, f"{line}    ### STUDENTS GET\n    # return values\n")
    handout = tmp_path / "handout"
    release([write_exercise(tmp_path, solution=faulty)], handout)
    arguments = ["course", "pack", "--folder", str(handout), "--out", str(tmp_path / "eve.zip")]
    assert main(arguments) == 0
    text = capsys.readouterr()
    assert "toy/keep.py: as it was handed out" in text.out and "1 file not finished" in text.err
    (handout / "toy" / "keep.py").write_text(SOLUTION)
    assert main(arguments) == 0 and "toy/keep.py: written" in capsys.readouterr().out


def test_grading_without_a_sandbox_is_refused_unless_trust_is_declared(course, monkeypatch, capsys):
    write_class(course / "class", FOUND)
    monkeypatch.setattr(sandbox, "level", lambda: sandbox.Level("none", "it is missing"))
    arguments = [part for part in command(course, "--workers", "1") if part != "--trust"]
    assert main(arguments) == 2
    assert "untrusted code needs a sandbox, and this machine has none: it is missing" in capsys.readouterr().err
    assert not (course / "log").exists()
    assert main([*arguments, "--trust"]) == 0
    assert "sandbox: none" in capsys.readouterr().out
    assert marks(course) == {"good": 3, "none": 0}
    assert {record["level"] for record in Log(course / "log").records()} == {"none"}
    assert "graded without a sandbox" in export(Gradebook(course / "log"), "csv", course / "m.csv")[0].read_text()


def test_the_doctor_reports_level_python_and_limits(capsys):
    assert main(["course", "doctor"]) == (0 if LEVEL.name == "bubblewrap" else 1)
    out = capsys.readouterr().out
    for word in f"sandbox      {LEVEL.name}", "python ", "2048 MiB per process", "10 s unless", "pytest ":
        assert word in out


def test_problems_of_the_command_line_are_said_in_a_line(course, capsys):
    write_class(course / "class", FOUND)
    for arguments, words in (
        (["grade", str(course / "nowhere")], "no such folder"),
        (["grade", str(course / "toy")], "no hand-in is there"),
        (command(course, "--workers", "0")[1:], "must be 1 or more"),
        (["export", "csv", "--out", "x", "--log", str(course / "none")], "nothing is graded yet"),
    ):
        assert main(["course", *arguments]) == 2
        assert words in capsys.readouterr().err


def test_names_are_printed_as_they_can_be_typed_and_almost_typed_ones_are_known(course, capsys):
    write_class(course / "class", {"Jörg Müller_5": ("def keep(:\n", 0), "eve\x1b[2J": ("", 0)})
    assert main(command(course, "--workers", "1")) in (0, 3)
    said = capsys.readouterr().out
    assert "look at 'Jörg Müller_5': toy/keep: keep.py cannot be imported" in said and "\x1b" not in said
    arguments = ["toy/keep", "1", "--who", "kim", "--why", "one slip", "--log", str(course / "log")]
    assert main(["course", "correct", "Jörg Müller", *arguments]) == 2
    assert "no result of 'Jörg Müller' in 'toy/keep'; did you mean 'Jörg Müller_5'?" in capsys.readouterr().err
    assert main(["course", "correct", "Jörg Müller_5", *arguments]) == 0
    assert "'Jörg Müller_5', toy/keep: 1 of 3 points instead of 0" in capsys.readouterr().out


def test_the_page_for_staff_leads_from_a_download_of_moodle_to_its_marks(course, monkeypatch, capsys):
    """Its commands, in their order, with this class and exercise in place of its own."""
    page = (Path(sandbox.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (course / "class").mkdir()
    with zipfile.ZipFile(course / "class" / "Week 3.zip", "w") as download:
        for name, source in (
            ("Eve Li_5", SOLUTION),
            ("Jörg Müller_6", SOLUTION),
            ("Eve Stranger_7", "keep = mean = None\n"),
        ):
            entry = zipfile.ZipInfo(f"{name}_assignsubmission_file_/keep.py", (2027, 1, 16, 12, 0, 0))
            download.writestr(entry, source)
    roster = page.split("```\nid,")[1].split("```")[0]
    (course / "roster.csv").write_text(f"id,{roster}4713,Cy Absent,,,\n", encoding="utf-8")
    block = page.split("```sh\n")[1].split("```")[0].replace("pruning/n_of_m 8.5", "toy/keep 2.5")
    block = block.replace(" pruning distillation/temperature", f" toy/keep --exercises {shlex.quote(str(course))}")
    block = block.replace("~/submissions", str(course / "class")).replace("~/roster.csv", str(course / "roster.csv"))
    monkeypatch.chdir(course)
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    trust = [] if LEVEL.name == "bubblewrap" else ["--trust"]
    ended = [main(line[1:] + trust * (line[2] == "grade")) for line in commands[1:]]
    said = capsys.readouterr()
    assert [line[2] for line in commands[1:4]] == ["doctor", "grade", "identical"]
    assert ended[1:] == [3, 0, 0, 0, 3, 0], said.err  # a stranger; then the number of someone who has handed in nothing
    assert (
        "look at 'Eve Stranger_7': not in the roster" in said.out and "have no hand-in of their own: '4713'" in said.out
    )
    with open("moodle.csv", encoding="utf-8", newline="") as file:
        grades = {row["Identifier"]: row["Grade"] for row in csv.DictReader(file)}
    assert grades == {"Participant 5": "2.5", "Participant 6": "3", "Participant 7": "0"}
    assert {"4711.html", "4712.html"} < {path.name for path in Path("feedback").iterdir()}


def test_a_students_folder_is_not_graded_and_any_other_is_not_tested(course, capsys):
    release(find_exercises(root=course), course / "class")
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
    release(find_exercises(root=course), course / "handout")
    write_class(course / "class", FOUND)
    given = {
        "check": ["course", "check", "--exercises", str(course)],
        "grade": command(course),
        "test": ["course", "test", "--folder", str(course / "handout")],
    }
    monkeypatch.setitem(sys.modules, "pytest", None)
    assert main(given[name]) == 2
    assert 'pip install "tinycompress[course]"' in capsys.readouterr().err
    assert not (course / "log").exists()


def test_an_export_to_the_wrong_kind_of_place_is_said_in_a_line(course, capsys):
    write_class(course / "class", FOUND)
    grade(tasks_of(course), Log(course / "log"), here)
    for form, out, words in ("csv", course, "csv is a file"), ("feedback", course / "log", "feedback is a folder"):
        assert main(["course", "export", form, "--out", str(out), "--log", str(course / "log")]) == 2
        assert f"--out {out}: {words}" in capsys.readouterr().err


def test_without_asserts_nothing_is_tested_or_graded(course, tmp_path):
    release(find_exercises(root=course), tmp_path / "handout")
    write_class(course / "class", FOUND)
    run = functools.partial(subprocess.run, capture_output=True, text=True)
    checking = ["-m", "tinycompress", "course", "check", "--exercises", str(course)]
    testing = ["-m", "tinycompress", "course", "test", "--folder", str(tmp_path / "handout")]
    grading = ["-m", "tinycompress", *command(course)]
    one = ["-m", "tinycompress", "course", "grade-one", str(course / "class" / "good"), "--exercises", str(course)]
    one += ["--trust", "--format", "gradescope", "--results", str(course / "one.json")]
    for arguments in checking, testing, grading, one, ["-m", "pytest", str(tmp_path / "handout")]:
        done = run([sys.executable, *arguments], env=os.environ | {"PYTHONOPTIMIZE": "1"})
        assert done.returncode in (2, pytest.ExitCode.USAGE_ERROR)
        assert "without -O, and unset PYTHONOPTIMIZE" in done.stderr and "Traceback" not in done.stderr
    assert not (course / "log").exists() and not (course / "one.json").exists()
    cell = "from tinycompress.course.in_cell import check\ndef n_of_m_mask(): 1\ncheck('pruning/n_of_m', n_of_m_mask)"
    said = run([sys.executable, "-O", "-c", cell]).stdout
    assert "without -O" in said and "✓" not in said


def test_a_student_tests_one_exercise_by_its_name(course, tmp_path, capsys, monkeypatch):
    handout = tmp_path / "handout"
    release(find_exercises(root=course), handout)
    started = []
    monkeypatch.setattr(
        subprocess, "run", lambda command: started.append(command[3:]) or subprocess.CompletedProcess([], 0)
    )
    for names in [], ["toy"], ["keep"], ["toy/keep"]:
        assert main(["course", "test", "--folder", str(handout), *names]) == 0
    assert started == [[str(handout)], *[[str(handout / "toy" / "test_keep.py")]] * 3]
    assert main(["course", "test", "--folder", str(handout), "kep"]) == 2
    assert "no exercise or chapter is called 'kep'; there are toy/keep" in capsys.readouterr().err


def test_exercises_are_listed_for_people_and_for_programs(course, capsys):
    assert main(["course", "list", "--exercises", str(course)]) == 0
    assert capsys.readouterr().out == "toy/keep  Keep the largest (3 points)\n"
    assert main(["course", "list", "--exercises", str(course), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found == {
        "id": "toy/keep",
        "title": "Keep the largest (3 points)",
        "functions": ["keep", "mean"],
        "may_import": [],
    }


def test_the_doctor_finds_a_missing_pytest(monkeypatch, capsys):
    monkeypatch.setattr("tinycompress.course.staff.doctor.level", lambda: sandbox.Level("bubblewrap", "it works"))
    assert main(["course", "doctor"]) == 0
    monkeypatch.setattr("tinycompress.cli.course.find_spec", lambda name: None)
    assert main(["course", "doctor"]) == 1


def test_a_session_may_stand_in_a_set_where_pytest_before_9_1_keeps_plugins():
    assert len({Session(), Session()}) == 2


def test_an_image_for_grading_gets_pytest_and_nothing_that_grading_does_not_need():
    needed = requirements().split()
    assert any(line.startswith("pytest>=") for line in needed) and not any("jupyter" in line for line in needed)
