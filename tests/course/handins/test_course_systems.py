"""Windows and macOS, as far as another system can stand in for them: students work there, the staff grade on Linux."""

import os
import subprocess
import sys
import types
import zipfile

import pytest
from course_class import FOUND, SOLUTION, command, write_class, write_exercise
from windows import become_windows

from tinycompress.cli import main
from tinycompress.course import sandbox, system
from tinycompress.course.author.release import release
from tinycompress.course.collect import HandIn, Refused
from tinycompress.course.sandbox import worker


@pytest.fixture
def windows(monkeypatch):
    become_windows(lambda of, name: monkeypatch.delattr(of, name, False), monkeypatch.setattr, monkeypatch.setitem)


def test_a_student_packs_on_windows(exercise, tmp_path, windows):
    release([exercise], tmp_path / "handout")
    (tmp_path / "handout" / "toy" / "keep.py").write_text(SOLUTION)
    packed = tmp_path / "eve.zip"
    assert main(["course", "pack", "--folder", str(tmp_path / "handout"), "--out", str(packed)]) == 0
    assert zipfile.ZipFile(packed).read("toy/keep.py").decode() == SOLUTION


@pytest.mark.parametrize("on_windows", [False, True])
def test_the_same_files_are_read_on_every_system(tmp_path, request, on_windows):
    exercise = write_exercise(tmp_path)
    if on_windows:
        request.getfixturevalue("windows")

    def read(name, place, link=False):
        file = tmp_path / name / place
        file.parent.mkdir(parents=True)
        (tmp_path / "elsewhere").write_bytes(b"1")
        file.symlink_to(tmp_path / "elsewhere") if link else file.write_bytes(b"1")
        return HandIn(name, tmp_path / name).read(exercise)

    assert [read("a", "toy/keep.py"), read("b", "keep.py"), read("c", "folder/toy/keep.py")] == [b"1"] * 3
    with pytest.raises(Refused, match="no toy/keep.py"):
        read("d", "other.py")
    with pytest.raises(Refused, match="not a regular file"):
        read("e", "keep.py", link=True)
    with pytest.raises(Refused, match="not a regular file"):
        read("f", "keep.py/inside.py")
    with pytest.raises(Refused, match="cannot be read"):
        HandIn("g", tmp_path / "g").read(exercise)


def test_on_windows_the_staff_are_told_to_grade_on_linux(course, capsys, windows):
    write_class(course / "class", FOUND)
    correct = ["course", "correct", "eve", "toy/keep", "1", "--who", "kim", "--why", "so"]
    for arguments in command(course), command(course, "--trust"), correct:
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "on Linux" in line
    sandbox.level.cache_clear()
    try:
        assert main(["course", "doctor"]) == 1 and "Grade on Linux" in capsys.readouterr().out
    finally:
        sandbox.level.cache_clear()


def test_on_macos_only_trusted_code_is_graded(course, monkeypatch, capsys):
    write_class(course / "class", FOUND)
    monkeypatch.setattr(sys, "platform", "darwin")
    untrusted = [part for part in command(course) if part != "--trust"]
    assert main(untrusted) == 2
    assert "grade on Linux, or give --trust" in capsys.readouterr().err
    system.require_grader(trusted=True)


def test_a_limit_that_the_system_lacks_is_left_out_only_without_a_sandbox(monkeypatch):
    held = []

    def setrlimit(limit, _):
        if limit == "AS":
            raise ValueError("current limit exceeds maximum limit")
        held.append(limit)

    names = {f"RLIMIT_{name}": name for name in ("CPU", "AS", "FSIZE", "NOFILE", "CORE", "NPROC")}
    monkeypatch.setitem(sys.modules, "resource", types.SimpleNamespace(setrlimit=setrlimit, **names))
    worker.limit(processes=0)
    assert held == ["CPU", "FSIZE", "NOFILE", "CORE"]
    with pytest.raises(ValueError):
        worker.limit(processes=16)


def test_whether_a_process_runs_is_known_without_proc():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert system.is_running(os.getpid()) and system.is_running(1)
    assert not system.is_running(dead.pid) and not system.is_running(1 << 40)
