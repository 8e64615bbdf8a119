"""A disk that fills up while a command writes: one line says what found no room, and nothing half written is left."""

import os
import sys

import numpy as np
import pytest
from other_machines import full_disk

from tinycompress import models
from tinycompress.cli import main
from tinycompress.quantization import tcz

EXERCISE = "pruning/n_of_m"
FORMS = ("csv", "moodle", "canvas", "junit", "gradescope", "prairielearn", "feedback")
WRITING = {  # command -> the largest file that fits
    "notebooks --out OUT": 200_000,
    "notebooks --out OUT --language zh": 20_000,
    "inspect net.tcz --figure OUT.svg": 10,
    "challenge new OUT": 20_000,
    "challenge export page --folder small/staff --out OUT": 10,
    "challenge export csv --folder small/staff --out OUT": 10,
    f"course release {EXERCISE} --out OUT": 500,
    f"course container {EXERCISE} --for gradescope --out OUT": 500,
    f"course container {EXERCISE} --for prairielearn --out OUT": 500,
    "course pack --folder handout --out OUT": 10,
    **{f"course export {form} --out OUT": 10 for form in FORMS},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A net, a challenge, exercises that were handed out and in, and their results."""
    folder = tmp_path_factory.mktemp("written")
    tcz.save(models.mlp((4, 4, 1), (5,), 10, rng=np.random.default_rng(0)), folder / "net.tcz")
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert main(["challenge", "new", "small"]) == 0
        assert main(["course", "release", EXERCISE, "--out", "handout"]) == 0
        (folder / "class").mkdir()
        assert main(["course", "pack", "--folder", "handout", "--out", "class/eve.zip"]) == 0
        assert main(["course", "grade", "class", EXERCISE, "--trust", "--workers", "1"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.mark.parametrize("command", WRITING)
def test_what_finds_no_room_is_named_in_a_line_and_the_same_command_works_later(
    command, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    arguments = [word.replace("OUT", str(tmp_path / "out")) for word in command.split()]
    with full_disk(WRITING[command]):
        assert main(arguments) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tinycompress: ") and str(tmp_path / "out") in line and "File too large" in line
    assert "is a file" not in line and "is a folder" not in line  # it is of the kind that was asked for
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert main(arguments) in (0, 3)  # 3: a student who is not in a gradebook
    assert [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_place_that_may_not_be_written_is_named_in_a_line(folder, monkeypatch, capsys):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.chdir(folder)
    monkeypatch.setattr("tinycompress.course.collect.whole_file", refuse)
    assert main(["course", "pack", "--folder", "handout", "--out", "handin.zip"]) == 1
    assert capsys.readouterr().err == "tinycompress: handin.zip: Permission denied\n"
    monkeypatch.setattr("tempfile.TemporaryDirectory", lambda dir, prefix: refuse(f"{dir}/{prefix}abc"))
    assert main(["notebooks", "--out", "lecture"]) == 2
    assert capsys.readouterr().err == "tinycompress: --out lecture: Permission denied\n"


def test_without_an_output_to_write_to_a_command_ends_as_ever(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["claims", "P1"]) == 0
    sys.stdout.close()
