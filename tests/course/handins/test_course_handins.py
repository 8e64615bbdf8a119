"""What is handed in: files beside the exercise change nothing, and what is no plain file is refused."""

import csv
import os
import socket
import zipfile

import numpy as np
import pytest
from course_class import FOUND, LEVEL, SOLUTION, command, inside, points, write_class, write_exercise

from tinycompress.cli import main
from tinycompress.course.collect import MAX_SOURCE, METADATA, HandIn, Refused, find_handins, left_out
from tinycompress.course.exercise import CourseProblem
from tinycompress.course.staff.export import export
from tinycompress.course.staff.grade import grade_one, make_tasks
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log


def graded(tmp_path, source, **files):
    """The record of one hand-in for the exercise toy/keep, with whatever other files it has."""
    exercise = write_exercise(tmp_path)
    handin = tmp_path / "class" / "eve"
    (handin / "toy").mkdir(parents=True)
    for name, content in {"toy/keep.py": source, **files}.items():
        path = handin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (task,) = make_tasks(find_handins(tmp_path / "class"), [exercise], "seed", False, LEVEL.name)
    record = grade_one(task)
    assert record["error"] == ""
    return record


# ---- what is handed in beside the exercise ----

PLANTED = {
    "conftest.py": "import os; os._exit(0)\n",
    "toy/conftest.py": "def pytest_runtest_makereport(item, call): pass\n",
    "pytest.ini": "[pytest]\naddopts = --collect-only\n",
    "toy/pytest.ini": "[pytest]\npython_functions = nothing\n",
    "toy/test_keep.py": "def test_all(): pass\n",
    "toy/numpy.py": "argsort = None\n",
    "toy/wire.py": "1/0\n",
    "toy/sitecustomize.py": "1/0\n",
    "toy/evil.pth": "import os; os._exit(0)\n",
    "toy/__pycache__/keep.cpython-311.pyc": b"\x00" * 64,
    "toy/__pycache__/keep.f-1.py311.nbi": b"cos\nsystem\n(S'true'\ntR.",
    "toy/__pycache__/keep.f-1.py311.1.nbc": b"cos\nsystem\n(S'true'\ntR.",
    "toy/model.pkl": b"cos\nsystem\n(S'true'\ntR.",
}


def test_planted_files_change_nothing(tmp_path):
    assert points(graded(tmp_path, SOLUTION, **PLANTED)) == 3
    (tmp_path / "stub").mkdir()
    assert points(graded(tmp_path / "stub", "def keep(values, count):\n    return None\n", **PLANTED)) == 0


PATCHES = """
import sys
def keep(values, count):
    for name in list(sys.modules):
        if 'pytest' in name or 'numpy.testing' in name: sys.modules[name].__dict__.clear()
    import numpy as np
    np.argsort = np.sort = np.allclose = np.array_equal = lambda *a, **k: True
    import builtins
    builtins.abs = lambda x: 0
    import _pytest.reports
    _pytest.reports.TestReport.outcome = 'passed'
    return values[:count]
"""


@inside
def test_patching_the_test_framework_reaches_nobody(tmp_path):
    assert points(graded(tmp_path, PATCHES)) == 0


CHEATS = {
    "the answer is looked for in the tests": "import glob\nkeep = mean = lambda *a: glob.glob('/*/*/test_*.py')\n",
    "exit": "import os\nos._exit(0)\n",
    "equal to everything": "class E:\n    def __eq__(s, o): return True\nkeep = mean = lambda *a: E()\n",
}


@inside
@pytest.mark.parametrize("source", CHEATS.values(), ids=CHEATS)
def test_cheats_earn_nothing_and_the_record_says_why(tmp_path, source):
    record = graded(tmp_path, source)
    assert points(record) == 0
    assert all(r["outcome"] == "failed" and r["message"] for r in record["results"])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "there is no function keep"),
        (b"\xff\xfe\x00keep", "cannot be imported"),
        ("# -*- coding: latin-1 -*-\nname = 'ä'\nkeep = 1\n".encode("latin-1"), "there is no function keep"),
        ("name = 'ä'\n".encode("latin-1"), "cannot be imported"),
        (b"def keep(\n", "SyntaxError, line 1|SyntaxError"),
        (b"x = 1\0\n", "cannot be imported"),
        (b"import no_such_module\n", "ModuleNotFoundError"),
        (b"(" * 5000, "cannot be imported"),
        (b"keep = 3\n", "there is no function keep"),
        (b"def keep(): return 1\n", "TypeError"),
        (b"def keep(values, count): return list(values)\n", "should be a NumPy array, but it is a list of 5"),
        (b"def keep(values, count): return values * float('nan')\n", "should have the shape"),
        (b"def keep(values, count): raise Exception('\\x1b[2J' + '<b>' * 500)\n", r"keep raised Exception"),
    ],
)
def test_files_that_do_not_work_earn_nothing_and_say_why(tmp_path, source, words):
    record = graded(tmp_path, source)
    assert points(record) == 0
    message = record["results"][0]["message"]
    assert "\x1b" not in message and len(message) < 500
    pytest.raises(AssertionError, _raise, message).match(words)


def _raise(message):
    raise AssertionError(message)


def test_what_a_function_says_of_hidden_inputs_does_not_get_out(tmp_path):
    source = "def keep(values, count):\n    raise ValueError(f'hidden {values!r}')\n"
    source += "class Hidden_0_5(Exception): pass\ndef mean(values):\n    raise Hidden_0_5(values)\n"
    public, hidden, mean = (result["message"] for result in graded(tmp_path, source)["results"])
    assert "hidden array" in public
    assert hidden == "keep raised ValueError (line 2 of your file)"
    assert mean == "mean raised Exception (line 5 of your file)"


# ---- hand-ins that are no plain files ----


@pytest.fixture
def handin(tmp_path):
    folder = tmp_path / "class" / "eve"
    (folder / "toy").mkdir(parents=True)
    return HandIn("eve", folder)


def refused(handin, exercise):
    with pytest.raises(Refused) as found:
        handin.read(exercise)
    return str(found.value)


def test_links_pipes_devices_and_folders_are_not_read(handin, exercise, tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("SECRET = 1")
    place = handin.path / "toy" / "keep.py"
    assert refused(handin, exercise) == "there is no toy/keep.py in the hand-in"
    place.symlink_to(secret)
    assert "not a regular file" in refused(handin, exercise)
    place.unlink()
    os.mkfifo(place)
    assert "not a regular file" in refused(handin, exercise)
    place.unlink()
    place.mkdir()
    assert "not a regular file" in refused(handin, exercise)
    place.rmdir()
    if os.geteuid() == 0:
        os.mknod(place, 0o60644, 0x101)
        assert "not a regular file" in refused(handin, exercise)
        place.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(place))
        assert "not a regular file" in refused(handin, exercise)
    place.unlink()
    place.write_bytes(b"#" * (MAX_SOURCE + 1))
    assert "larger than 1 MiB" in refused(handin, exercise)
    place.unlink()
    (handin.path / "toy").rmdir()
    (tmp_path / "toy" / "keep.py").write_text("SECRET = 1")
    (handin.path / "toy").symlink_to(tmp_path / "toy")
    assert "there is no toy/keep.py" in refused(handin, exercise)
    linked = tmp_path / "class" / "mallory"
    linked.symlink_to(tmp_path)
    assert "cannot be read" in refused(HandIn("mallory", linked), exercise)


def archive(tmp_path, *entries):
    path = tmp_path / "eve.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, data, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            stream.writestr(info, data)
    return HandIn("eve", path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_are_read_by_name_and_never_unpacked(exercise, tmp_path):
    good = ("toy/keep.py", b"keep = 1", 0o100644)
    assert archive(tmp_path, good).read(exercise) == b"keep = 1"
    assert archive(tmp_path, ("mine/toy/keep.py", b"1", 0o100644)).read(exercise) == b"1"
    assert archive(tmp_path, ("keep.py", b"2", 0)).read(exercise) == b"2"
    for name in "../toy/keep.py", "/toy/keep.py", "toy/../toy/keep.py", "..\\toy\\keep.py", "C:\\toy\\keep.py":
        assert "there is no toy/keep.py" in refused(archive(tmp_path, (name, b"", 0), ("other", b"", 0)), exercise)
    assert "not a regular file" in refused(archive(tmp_path, ("toy/keep.py", b"/etc/passwd", 0o120777)), exercise)
    assert archive(tmp_path, good, good).read(exercise) == b"keep = 1"
    twice = refused(archive(tmp_path, good, ("toy/keep.py", b"keep = 2", 0o100644)), exercise)
    assert "2 times with different content" in twice and "a person will decide" in twice
    assert "larger than 1 MiB" in refused(archive(tmp_path, ("toy/keep.py", bytes(10**8), 0)), exercise)
    many = [(str(number), b"", 0) for number in range(10_001)]
    assert "more than 10000 entries" in refused(archive(tmp_path, *many), exercise)
    assert not list(tmp_path.glob("**/passwd"))


def test_damaged_archives_are_refused(exercise, tmp_path):
    good = archive(tmp_path, ("toy/keep.py", b"keep = 1\n" * 50, 0o100644))
    data, rng, kinds = good.path.read_bytes(), np.random.default_rng(0), set()
    for trial in range(300):
        changed = bytearray(data[: rng.integers(len(data))] if trial % 3 == 0 else data)
        for place in rng.integers(0, max(1, len(changed)), 3):
            if changed:
                changed[place] = rng.integers(256)
        good.path.write_bytes(changed)
        try:
            good.read(exercise)
        except Refused as problem:
            kinds.add(str(problem)[:20])
    assert kinds
    good.path.write_bytes(b"")
    assert "damaged" in refused(good, exercise)


# ---- what lies beside the hand-ins ----


@pytest.mark.parametrize("ending", [".zip", ".ZIP", ".Zip"])
def test_a_zip_is_read_whatever_letters_its_ending_has(handin, exercise, tmp_path, ending):
    path = archive(tmp_path, ("toy/keep.py", b"keep = 1", 0o100644)).path.rename(handin.path.with_name(f"ann{ending}"))
    (ann, eve) = find_handins(path.parent)
    assert (ann.student, eve.student) == ("ann", "eve")
    assert ann.read(exercise) == b"keep = 1"


BESIDE = {
    "bob.rar": "the only archives read are .zip and .tar; unpack it into a folder 'bob'",
    "dan.7Z": "the only archives read are .zip and .tar; unpack it into a folder 'dan'",
    "essay.docx": "it is neither a folder nor an archive",
    "keep.py": "it is neither a folder nor an archive",
    "noending": "it is neither a folder nor an archive",
    "fay.zip.part": "it is neither a folder nor an archive",
    ".gus.zip": "it is hidden",
    ".hal": "it is hidden",
    "\x1b[2J\udc80.rar": "the only archives read are .zip and .tar",
}


def test_whatever_is_no_hand_in_is_named_once_with_the_reason(handin, capsys):
    folder = handin.path.parent
    for name in BESIDE:
        (folder / name).write_bytes(b"PK")
    (folder / ".hidden").mkdir()
    (folder / "link").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    expected = BESIDE | {".hidden": "it is hidden", "link": "it is neither", "pipe": "it is neither"}
    assert [found.student for found in find_handins(folder)] == ["eve"]
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert not said.out and "\x1b" not in said.err and len(lines) == len(expected)
    for name, why in expected.items():
        assert sum(line.startswith(f"not graded: {name!r}: {why}") for line in lines) == 1
    assert left_out(folder).keys() == expected.keys()


def test_what_only_macos_or_windows_put_there_is_not_named(handin, capsys):
    folder = handin.path.parent
    for name in {*METADATA, "._eve", "._ann.zip"} - {"__MACOSX"}:
        (folder / name).write_bytes(b"")
    (folder / "__MACOSX").mkdir()
    assert [found.student for found in find_handins(folder)] == ["eve"]
    assert capsys.readouterr().err == "" and left_out(folder) == {}


def test_everything_in_the_folder_is_a_hand_in_or_metadata_or_named(handin):
    folder = handin.path.parent
    for name in [*BESIDE, *METADATA, "ann.ZIP", "ben.zip", "cy.tar.gz", "._ben.zip"]:
        (folder / name).write_bytes(b"")
    handed_in = {found.path.name for found in find_handins(folder)}
    there = {path.name for path in folder.iterdir()}
    assert handed_in == {"ann.ZIP", "ben.zip", "cy.tar.gz", "eve"}
    assert there - handed_in - left_out(folder).keys() == {*METADATA, "._ben.zip"}


def test_a_folder_without_a_hand_in_still_says_what_is_there(tmp_path, capsys):
    (tmp_path / "bob.rar").write_bytes(b"")
    with pytest.raises(CourseProblem, match="no hand-in is there"):
        find_handins(tmp_path)
    assert "not graded: 'bob.rar': the only archives read are .zip and .tar" in capsys.readouterr().err


def test_grading_ends_with_3_while_something_is_left_out_and_log_and_csv_say_what(course, capsys):
    write_class(course / "class", FOUND)
    stray = course / "class" / "=bob.rar"
    stray.write_bytes(b"")

    def rows():
        return list(csv.reader(export(Gradebook(course / "log"), "csv", course / "m.csv")[0].read_text().splitlines()))

    arguments = command(course, "--workers", "1")
    for _ in range(2):  # the second time, the log says so already
        assert main(arguments) == 3
        assert capsys.readouterr().err.count("=bob.rar") == 1
    (record,) = [record for record in Log(course / "log").records() if record["kind"] == "left_out"]
    assert record["names"].keys() == {"=bob.rar"}
    header, *students, last = rows()
    assert [row[0] for row in students] == ["good", "none"]
    assert last[:-1] == ["'=bob.rar", "", "", ""] and last[-1].startswith(
        "not graded: the only archives read are .zip and .tar"
    )
    assert len(last) == len(header)
    stray.unlink()
    assert main(arguments) == 0
    assert rows() == [header, *students]
