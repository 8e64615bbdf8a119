"""One hand-in inside a container: its result as other systems read it, what they need, and the wall that is left there."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from container import in_container
from course_class import CLASS, GRADEBOOK, LEVEL, SOLUTION, TESTS
from ordinary_user import may_mount

from tinycompress.cli import main
from tinycompress.course import sandbox
from tinycompress.course.author import container

contained = pytest.mark.skipif(not may_mount(), reason="only root can make something like a container")
TRUST = [] if LEVEL.name == "bubblewrap" else ["--trust"]


def hand_in(folder, source):
    """A submission of this source."""
    (folder / "submission" / "toy").mkdir(parents=True)
    (folder / "submission" / "toy" / "keep.py").write_text(source)
    return str(folder / "submission")


def grade_one(course, source, form, *more):
    """The exit status of grading this source, and the path of its result."""
    result = course / "results" / "result"
    arguments = ["course", "grade-one", hand_in(course, source), "--exercises", str(course), "--format", form]
    return main([*arguments, "--results", str(result), *TRUST, *more]), result


# ---- the result ----


def test_gradescope_gets_the_points_and_the_level(course):
    status, result = grade_one(course, CLASS["partial"][0], "gradescope")
    found = json.loads(result.read_text())
    assert status == 0 and found["score"] == sum(test["score"] for test in found["tests"]) == 1.5
    assert found["extra_data"]["sandbox"]["level"] == ("none" if TRUST else "bubblewrap")


def test_prairielearn_gets_a_share_of_the_points_and_the_level(course):
    status, result = grade_one(course, CLASS["partial"][0], "prairielearn")
    found = json.loads(result.read_text())
    assert status == 0 and (found["gradable"], found["score"]) == (True, 0.5)
    assert found["sandbox"]["level"] == ("none" if TRUST else "bubblewrap")


def test_junit_begins_with_the_level(course):
    status, result = grade_one(course, CLASS["partial"][0], "junit", "--student", "eve & co")
    (suite,) = ElementTree.parse(result).getroot().iter("testsuite")
    properties, *cases = suite
    assert status == 0 and suite.get("name") == "eve & co" and [case.tag for case in cases] == ["testcase"] * 3
    assert {p.get("name"): p.get("value") for p in properties}["sandbox.level"] == ("none" if TRUST else "bubblewrap")


@pytest.mark.parametrize("form", ["gradescope", "prairielearn", "junit"])
def test_what_a_person_must_look_at_is_no_number(course, form):
    (course / "toy" / "test_keep.py").write_text(TESTS.replace("rng.normal(size=9)", "rng.norml(size=9)"))
    (course / "results").mkdir()
    (course / "results" / "result").write_text('{"score": 3}')  # of an earlier run
    status, result = grade_one(course, SOLUTION, form)
    assert status == 1
    if form == "gradescope":
        assert not result.exists()
    elif form == "prairielearn":
        found = json.loads(result.read_text())
        assert found["gradable"] is False and "score" not in found
    else:
        assert list(ElementTree.parse(result).iter("error"))


def test_a_file_of_another_name_is_a_question_for_the_student_who_can_hand_in_again(course):
    submission = Path(hand_in(course, SOLUTION))
    (submission / "toy" / "keep.py").rename(submission / "toy" / "week3.py")
    arguments = ["course", "grade-one", str(submission), "--exercises", str(course), "--format", "gradescope", *TRUST]
    assert main([*arguments, "--results", str(course / "result")]) == 0
    found = json.loads((course / "result").read_text())
    assert found["score"] == 0
    assert all("if it is in toy/week3.py, hand that in as keep.py" in test["output"] for test in found["tests"])


def test_the_seed_comes_from_a_file_which_must_exist(course, capsys):
    status, result = grade_one(course, SOLUTION, "junit", "--seed-file", str(course / "seed.txt"))
    assert status == 2 and "seed.txt: No such file" in capsys.readouterr().err and not result.exists()


def test_without_any_sandbox_nothing_is_graded(course, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "level_of_one", lambda: sandbox.Level("none", "it is missing"))
    arguments = ["course", "grade-one", hand_in(course, SOLUTION), "--exercises", str(course), "--format", "junit"]
    assert main([*arguments, "--results", str(course / "result")]) == 2
    assert "needs a sandbox, and here is none: it is missing" in capsys.readouterr().err


# ---- what is uploaded ----


def test_what_gradescope_needs_is_an_archive_with_two_scripts_at_its_top(course, capsys, monkeypatch):
    monkeypatch.setattr(container, "requirements", lambda: "numpy\n")
    out = course / "out"
    arguments = ["course", "container", "--for", "gradescope", "--exercises", str(course), "--out", str(out)]
    assert main(arguments) == 0 and f"upload {out}/autograder.zip" in capsys.readouterr().out
    with zipfile.ZipFile(out / "autograder.zip") as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755
    assert {"exercises/toy/keep.py", "exercises/toy/test_keep.py", "package/tinycompress/__main__.py"} <= set(modes)
    assert not any("wrong_" in name or "pyc" in name or "course/exercises/" in name for name in modes)
    assert len((out / "source" / "seed.txt").read_text()) > 30
    for script in "setup.sh", "run_autograder":
        subprocess.run(["bash", "-n", out / "source" / script], check=True)
    assert main(arguments) == 2 and "is not an empty folder" in capsys.readouterr().err


def test_what_prairielearn_needs_is_an_image_and_a_question(course, capsys, monkeypatch):
    monkeypatch.setattr(container, "requirements", lambda: "numpy\n")
    out = course / "out"
    arguments = ["course", "container", "--for", "prairielearn", "--exercises", str(course), "--out", str(out)]
    assert main([*arguments, "--image", "ours/grader"]) == 0
    assert "docker build -t ours/grader" in capsys.readouterr().out
    info = json.loads((out / "question" / "info.json").read_text())
    options = info["externalGradingOptions"]
    assert info["gradingMethod"] == "External" and options["image"] == "ours/grader" and options["timeout"] <= 600
    run = out / "question" / Path(options["entrypoint"]).relative_to("/grade")
    subprocess.run(["bash", "-n", run], check=True)
    assert 'file-names="keep.py"' in (out / "question" / "question.html").read_text()
    assert (out / "image" / "requirements.txt").read_text() == "numpy\n"


# ---- in a container ----


@pytest.fixture
def top(tmp_path_factory):
    """What stands for /autograder: a folder that is open to all users."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder) / "autograder"


@pytest.fixture
def gradescope(exercise, monkeypatch, top):
    """Run the script that Gradescope runs, in a container, on a submission; return its output and its result."""
    monkeypatch.setattr(container, "requirements", lambda: "")
    container.write_container([exercise], "gradescope", top, seed="s")
    script = top / "source" / "run_autograder"
    text = script.read_text().replace("/autograder/python/bin/python", sys.executable).replace("/autograder", str(top))

    def run(source, *changes):
        changed = text
        for before, after in changes:
            assert before in changed
            changed = changed.replace(before, after)
        script.write_text(changed)
        shutil.rmtree(top / "submission", ignore_errors=True)
        hand_in(top, source)
        said = subprocess.run(in_container(["bash", str(script)]), capture_output=True, text=True, cwd=top)
        result = top / "results" / "results.json"
        return said, json.loads(result.read_text()) if result.exists() else None

    return run


@contained
def test_in_a_container_everyone_gets_what_is_earned(gradescope):
    for student in "good", "partial", "cheat_exit", "cheat_spy":
        said, found = gradescope(CLASS[student][0])
        assert found and found["score"] == GRADEBOOK[student], said.stdout + said.stderr
        assert found["extra_data"]["sandbox"]["level"] == sandbox.ANOTHER_USER


# Answers with the solution, if any file or the memory of its grader gives it away; else says what it could read.
THIEF = """
import glob, os
keep = mean = None
for place in glob.glob({top!r} + "/**/*", recursive=True) + glob.glob("/proc/[0-9]*/[cem]*"):
    try:
        source = open(place).read()
    except (OSError, ValueError):
        continue
    if "SECRET_NUMBER" in source and "def keep" in source and "glob" not in source:
        exec(source)
"""
NO_LANDLOCK = (
    "-m tinycompress",
    "-c 'import sys; from tinycompress.course.sandbox import confine; confine.landlock_version = lambda: 0; "
    "from tinycompress.cli import main; sys.exit(main(sys.argv[1:]))'",
)


@contained
@pytest.mark.parametrize("landlock", [True, False])
def test_in_a_container_a_thief_finds_no_solution(gradescope, top, landlock):
    thief = THIEF.format(top=str(top))
    said, found = gradescope(thief, ("chmod -R go=", "chmod -R go=rX") if landlock else NO_LANDLOCK)
    assert found and found["score"] == 0, said.stdout + said.stderr
    assert landlock != ("WITHOUT Landlock" in found["extra_data"]["sandbox"]["detail"])


@contained
def test_without_landlock_open_solutions_are_refused(gradescope):
    said, found = gradescope(SOLUTION, NO_LANDLOCK, ("chmod -R go=", "chmod -R go=rX"))
    assert found is None and said.returncode == 2
    assert "secret files" in said.stderr and "run: chmod -R go= " in said.stderr


@contained
def test_attacks_fail_in_a_container_too():
    attacks = "neither_tests or no_network or outlives_a_grader or table_gets_through or no_new_rights"
    files = [f"{Path(__file__).parent}/test_course_{name}.py" for name in ("threats", "sandbox", "kernel")]
    pytest_ = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        *files,
        "-k",
        f"({attacks}) and another",
    ]
    top = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(top)}
    said = subprocess.run(in_container(pytest_), capture_output=True, text=True, cwd=top, env=environment)
    assert said.returncode == 0 and said.stdout.split()[0] == "." * 5, said.stdout[-3000:] + said.stderr[-3000:]
