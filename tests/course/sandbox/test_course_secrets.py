"""Solutions, tests, hand-ins and log stay secret wherever they lie, and the doctor looks for them from inside."""

import shutil

import pytest
from course_class import FOUND, command, inside, marks, write_class, write_exercise

from tinycompress.cli import main
from tinycompress.course import SubmissionRaised
from tinycompress.course.sandbox import SandboxProblem, bubblewrap
from tinycompress.course.staff.secrets import secret_paths

# Answers with the solution, which it looks for.
THIEF = """
import os
keep = mean = None
for folder, folders, files in os.walk("/system"):
    if "keep.py" in files and not folder.endswith("thief/toy"):
        source = open(os.path.join(folder, "keep.py")).read()
        if "SECRET_NUMBER" in source:
            exec(source)
"""


@pytest.fixture
def below(tmp_path, monkeypatch):
    """A folder for exercises, hand-ins and log below one that is mounted as a whole: at /system."""
    system, mounts = tmp_path / "system", bubblewrap.mounts
    (system / "course").mkdir(parents=True)
    (system / "library.so").write_text("needed")
    monkeypatch.setattr(bubblewrap, "mounts", lambda *arguments: [*mounts(*arguments), (str(system), "/system")])
    write_exercise(system / "course")
    return system / "course"


@inside
@pytest.mark.parametrize("hide", [True, False])
def test_a_thief_finds_no_solution_below_a_mounted_folder(below, monkeypatch, hide):
    write_class(below / "class", FOUND | {"thief": (THIEF, 0)})
    if not hide:  # this thief is one
        monkeypatch.setattr(bubblewrap, "hidden", lambda *arguments: [])
    assert main(command(below, "--workers", "1")) == 0
    assert marks(below) == {"good": 3, "none": 0, "thief": 0 if hide else 3}


@inside
def test_secret_folders_are_empty_and_secret_files_cannot_be_read(below, submit):
    write_class(below / "class", FOUND)
    (below / "log").write_text("{}\n")
    source = "import os\ndef read(path): return open(path).read()\ndef listing(path): return os.listdir(path)\n"
    submission = submit(source, secrets=secret_paths([below / "class"], [], below / "log"))
    assert submission.read("/system/library.so") == "needed"
    assert submission.listing("/system/course") == []  # the log's folder, and all in it
    submission = submit(source, secrets=(str(below.parent / "library.so"), str(below / "class")))
    assert "toy" in submission.listing("/system/course") and submission.listing("/system/course/class") == []
    with pytest.raises(SubmissionRaised, match="PermissionError"):
        submission.read("/system/library.so")


def test_a_secret_that_every_submission_needs_is_refused(tmp_path):
    place = str(tmp_path)
    with pytest.raises(SandboxProblem, match="is secret, but every submission needs it; move"):
        bubblewrap.hidden([(place, place)], (place,))
    assert bubblewrap.hidden([(place, place)], (f"{place}/a/b", f"{place}/a")) == [f"{place}/a"]
    assert bubblewrap.hidden([(place, "/site/x")], (f"{place}/a", "/elsewhere", str(tmp_path.parent))) == ["/site/x/a"]


@inside
def test_the_doctor_names_what_a_submission_could_read(below, capsys, monkeypatch):
    write_class(below / "class", FOUND)
    (below / "log").write_text("{}\n" * 100)
    arguments = ["course", "doctor", str(below / "class"), "--exercises", str(below), "--log", str(below / "log")]
    assert main(arguments) == 0
    # the exercise, its tests, its wrong answers, the log, and one hand-in (the other one is empty)
    assert (
        "secrets      none of 5 files (solutions, tests, hand-ins, log) can be read inside" in capsys.readouterr().out
    )
    shutil.copy(below / "toy" / "test_keep.py", below.parent / "backup.txt")
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "1 of 5 files are NOT SECRET; move them away:" in said
    assert f"{below / 'toy' / 'test_keep.py'} can be read inside, as /system/backup.txt" in said
    (below.parent / "backup.txt").unlink()
    monkeypatch.setattr(bubblewrap, "hidden", lambda *arguments: [])
    assert main(arguments) == 1
    said = capsys.readouterr().out
    for path in "toy/test_keep.py", "toy/wrong_keep.py", "log":
        assert f"{below / path} can be read inside, as /system/course/{path}" in said


@inside
def test_only_what_python_needs_is_mounted(submit):
    submission = submit("import os\ndef listing(path): return sorted(os.listdir(path))\n")
    assert set(submission.listing("/usr")) <= {"bin", "lib", "lib32", "lib64", "local"}
    bound = {place.split("/")[1] for _, place in bubblewrap.mounts(bubblewrap.HERE, bubblewrap.HERE)}
    assert set(submission.listing("/")) <= {"dev", "etc", "lib", "lib32", "lib64", "tmp"} | bound
