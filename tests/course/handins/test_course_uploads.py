"""Hand-ins as they really come: what students, their systems, and course systems make of a few files."""

import bz2
import io
import json
import lzma
import os
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest
from course_class import FOUND, LEVEL, SOLUTION, command, here, marks, write_class

from tinycompress.cli import main
from tinycompress.course import contents
from tinycompress.course.author.release import release
from tinycompress.course.collect import HandIn, Refused, Source, Unclear, find_handins, not_handed_in
from tinycompress.course.exercise import Exercise, find_exercises, strip_solution
from tinycompress.course.staff.export import export
from tinycompress.course.staff.grade import grade, make_tasks
from tinycompress.course.staff.gradebook import Gradebook
from tinycompress.course.staff.log import Log

TRUST = [] if LEVEL.name == "bubblewrap" else ["--trust"]
RIGHT, OLD, STUB = b"keep = 'right'\n", b"keep = 'old'\n", strip_solution(SOLUTION).encode()
MANIFEST = b'{"exercises": {"toy/keep": {"file": "toy/keep.py"}}}'
APPLE = {"__MACOSX/toy/._keep.py": b"\0", ".DS_Store": b"\0", "__MACOSX/keep.py": OLD}
# What one student hands in, with the right file somewhere.
HAND_INS = {
    "as released": {"toy/keep.py": RIGHT},
    "an archive of macOS": {"toy/keep.py": RIGHT, **APPLE},
    "a folder, and a file beside it": {"handout/toy/keep.py": RIGHT, "notes.txt": b"hello"},
    "two folders deep": {"home/handout/toy/keep.py": RIGHT},
    "backslashes": {"handout\\toy\\keep.py": RIGHT, "handout\\": b""},
    "other letters": {"Toy/Keep.PY": RIGHT},
    "a clone": {"toy/keep.py": RIGHT, ".git/toy/keep.py": OLD, ".git/HEAD": b""},
    "checkpoints": {"toy/keep.py": RIGHT, "toy/.ipynb_checkpoints/keep.py": OLD, ".ipynb_checkpoints/keep.py": OLD},
    "an environment": {"toy/keep.py": RIGHT, ".venv/lib/toy/keep.py": OLD, "venv/site-packages/toy/keep.py": OLD},
    "a loose file": {"keep.py": RIGHT},
    "a loose file in a folder": {"my answers/keep.py": RIGHT},
    "a copy by a browser": {"keep (1).py": RIGHT},
    "a copy by Canvas": {"keep-2.py": RIGHT},
    "a copy by macOS": {"toy/keep copy.py": RIGHT},
    "the stub beside it": {"handout/manifest.json": MANIFEST, "handout/toy/keep.py": STUB, "toy/keep.py": RIGHT},
    "the stub with other line ends": {"a/toy/keep.py": STUB.replace(b"\n", b"\r\n"), "b/toy/keep.py": RIGHT},
    "a draft elsewhere": {"toy/keep.py": RIGHT, "drafts/keep.py": OLD},
    "beside the manifest": {"new/manifest.json": MANIFEST, "new/toy/keep.py": RIGHT, "old/toy/keep.py": OLD},
    "the same twice": {"toy/keep.py": RIGHT, "handout/toy/keep.py": RIGHT},
}


def as_zip(files, mode=0, **options):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, **options)
            entry.external_attr = mode << 16
            archive.writestr(entry, data)
    return stream.getvalue()


def as_tar(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def gzip(data):
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


PACKED = {
    ".zip": as_zip,
    ".ZIP": as_zip,
    ".tar": as_tar,
    ".tar.gz": lambda files: gzip(as_tar(files)),
    ".TGZ": lambda files: gzip(as_tar(files)),
    ".tar.bz2": lambda files: bz2.compress(as_tar(files)),
    ".tar.xz": lambda files: lzma.compress(as_tar(files)),
}


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def write_all(folder, files):
    for name, data in files.items():
        if not name.endswith("\\"):
            write(folder / name.replace("\\", "/"), data)
    return folder


def one(folder, exercise):
    """The only student of a folder, and what the hand-in holds for the exercise."""
    (handin,) = find_handins(folder)
    (source,) = handin.sources([exercise])
    return handin.student, source


# ---- where the file lies ----


@pytest.mark.parametrize("files", HAND_INS.values(), ids=HAND_INS)
@pytest.mark.parametrize("ending", ["", ".zip", ".tar.gz"])
def test_the_file_is_found_wherever_it_lies(exercise, tmp_path, files, ending):
    path = tmp_path / "class" / f"cat{ending}"
    write(path, PACKED[ending](files)) if ending else write_all(path, files)
    student, source = one(path.parent, exercise)
    assert (student, source.data, source.refused) == ("cat", RIGHT, "")


@pytest.mark.parametrize("ending", PACKED)
def test_archives_are_known_by_their_ending_in_any_letters(exercise, tmp_path, ending):
    write(tmp_path / "class" / f"cat{ending}", PACKED[ending]({"toy/keep.py": RIGHT}))
    student, source = one(tmp_path / "class", exercise)
    assert (student, source.data) == ("cat", RIGHT)


def test_an_archive_in_an_archive_or_in_a_folder_is_read_and_not_one_in_four(exercise, tmp_path):
    packed = as_zip({"toy/keep.py": RIGHT})
    for depth in 1, 2, 3:
        write(tmp_path / "class" / "cat.zip", packed)
        assert one(tmp_path / "class", exercise)[1].data == RIGHT, depth
        packed = as_zip({"handin.zip": packed})
    write(tmp_path / "class" / "cat.zip", packed)
    source = one(tmp_path / "class", exercise)[1]
    assert source.data is None and "too many archives in one another" in source.refused


def test_what_could_not_be_read_is_named_though_the_exercise_is_found(exercise, tmp_path):
    handin = write_all(
        tmp_path / "class" / "cat", {"toy/keep.py": RIGHT, "b.rar": b"Rar!", "c.zip": b"PK", "d.gz": b""}
    )
    source = one(handin.parent, exercise)[1]
    assert source.data == RIGHT and len(source.notes) == 2
    assert "b.rar is not read" in source.notes[0] and "c.zip is damaged" in source.notes[1]
    (handin / "toy" / "keep.py").unlink()
    refused = one(handin.parent, exercise)[1].refused
    assert refused.startswith("there is no toy/keep.py in the hand-in; ") and "b.rar" in refused and "d.gz" in refused
    assert one(handin.parent, exercise)[1].unclear  # it may be in b.rar
    (handin / "b.rar").unlink()
    assert one(handin.parent, exercise)[1].unclear  # or in c.zip
    (handin / "c.zip").unlink()
    assert not one(handin.parent, exercise)[1].unclear


@pytest.mark.parametrize("name", ["exercise1.py", "week3/Homework.ipynb", "keep_final.py", "kep.py", "toy/keep.py.txt"])
@pytest.mark.parametrize("ending", ["", ".zip"])
def test_a_file_of_another_name_that_may_be_the_one_is_a_question_and_no_zero(exercise, tmp_path, name, ending):
    files = {name: RIGHT, "toy/test_keep.py": b"", "conftest.py": b"", "notes.txt": b"", "figure.png": b""}
    path = tmp_path / "class" / f"cat{ending}"
    write(path, as_zip(files)) if ending else write_all(path, files)
    source = one(path.parent, exercise)[1]
    assert source.unclear and source.refused.endswith(f"hand-in; if it is in {name}, hand that in as keep.py")


def test_what_belongs_to_other_exercises_or_is_a_remark_is_no_question(exercise, tmp_path):
    files = {"toy/other.py": b"", "toy/test_keep.py": b"", "README.txt": b"", "plot.png": b"", "venv/keep1.py": RIGHT}
    write(exercise.folder / "other.py", b"")  # another exercise's
    write_all(tmp_path / "class" / "cat", files)
    assert one(tmp_path / "class", exercise)[1] == Source(None, not_handed_in(exercise.id))


def test_a_helper_beside_another_exercise_is_no_question(tmp_path, exercise):
    other = Exercise("toy", "other", exercise.folder)
    write_all(tmp_path / "class" / "cat", {"other.py": RIGHT, "helpers.py": RIGHT})
    (handin,) = find_handins(tmp_path / "class")
    assert [source.unclear for source in handin.sources([exercise, other])] == [False, False]
    write_all(tmp_path / "class" / "cat", {"my-keep.py": RIGHT})
    assert [source.unclear for source in handin.sources([exercise, other])] == [True, False]


def test_an_exercise_of_the_same_name_in_another_chapter_is_not_taken(exercise, tmp_path):
    write(tmp_path / "other" / "keep.py", SOLUTION.encode())
    handin = write_all(tmp_path / "class" / "cat", {"other/keep.py": OLD})
    assert one(handin.parent, exercise)[1].data is None
    write(handin / "keep.py", RIGHT)
    assert one(handin.parent, exercise)[1].data == RIGHT


# ---- which of several counts ----


def test_what_nothing_decides_is_left_to_a_person(exercise, tmp_path):
    handin = write_all(tmp_path / "class" / "cat", {"a/toy/keep.py": RIGHT, "b/toy/keep.py": OLD})
    source = one(handin.parent, exercise)[1]
    assert source.unclear and source.data is None and "a/toy/keep.py" in source.refused and "b/toy/" in source.refused
    with pytest.raises(Unclear, match="a person will decide"):
        HandIn("cat", handin).read(exercise)


def test_of_several_archives_the_last_counts_and_a_note_says_so(exercise, tmp_path):
    handin = tmp_path / "class" / "cat"
    for hour, (name, data) in enumerate({"a.zip": OLD, "z.zip": b"x = 1\n", "final.zip": RIGHT}.items()):
        path = write(handin / name, as_zip({"toy/keep.py": data}))
        os.utime(path, (10**9, 10**9 + 3600 * hour))
    source = one(handin.parent, exercise)[1]
    assert source.data == RIGHT and "final.zip/toy/keep.py is graded, from the last of 3 uploads" in source.notes
    os.utime(handin / "a.zip", (10**9, 10**9 + 7200))  # as if all had been copied at once
    assert one(handin.parent, exercise)[1].unclear
    write(handin / "a.zip", as_zip({"elsewhere/toy/keep.py": RIGHT}))
    assert one(handin.parent, exercise)[1].data == RIGHT  # the same file in both


def test_several_uploads_of_one_student_are_one_hand_in(exercise, tmp_path):
    folder = tmp_path / "class"
    for name, data in {"eve.zip": OLD, "eve (1).zip": b"x = 1\n", "eve (2).zip": RIGHT, "group (1).zip": RIGHT}.items():
        write(folder / name, as_zip({"toy/keep.py": data}))
    eve, group = find_handins(folder)
    assert (eve.student, group.student) == ("eve", "group (1)")  # nobody is called `group`
    (source,) = eve.sources([exercise])
    assert source.data == RIGHT and "from the last of 3 uploads" in source.notes[0]
    write(folder / "eve (2).zip", b"PK")
    (source,) = eve.sources([exercise])
    assert source.data == b"x = 1\n" and any("eve (2).zip is damaged" in note for note in source.notes)
    write_all(folder / "eve", {"toy/keep.py": RIGHT})
    (source,) = find_handins(folder)[0].sources([exercise])
    assert source.data == b"x = 1\n"  # "(1)" is later than what has no number
    (folder / "eve (1).zip").unlink()
    (folder / "eve (2).zip").unlink()
    assert find_handins(folder)[0].sources([exercise])[0].unclear  # eve/ or eve.zip?


# ---- downloads ----

MOODLE = {
    "Ann Li_101_assignsubmission_file_/handin.zip": as_zip({"handout/toy/keep.py": RIGHT}),
    "Bob O'Neil_102_assignsubmission_file_/keep.py": RIGHT,
    "Bob O'Neil_102_assignsubmission_onlinetext_/onlinetext.html": b"<p>hi</p>",
    "Ann Li_103_assignsubmission_file/toy/keep.py": RIGHT,
    "Cy_104_assignsubmission_file_handin.ZIP": as_zip({"keep.py": RIGHT}),
    "Dee_105_assignsubmission_file_/essay.pdf": b"%PDF",
}
CANVAS = {
    "leeann_1201_50001_handin.zip": as_zip({"toy/keep.py": OLD}),
    "leeann_1201_50090_handin-1.zip": as_zip({"toy/keep.py": RIGHT}),
    "oneilbob_LATE_1202_50002_keep.py": RIGHT,
    "ddee_1203_50003_keep-1.py": RIGHT,
    "zoe_1204_50004_essay.pdf": b"%PDF",
}


@pytest.mark.parametrize("form", ["folder", "its only folder", "its only .zip", "the .zip itself"])
@pytest.mark.parametrize(
    ("files", "students", "late"),
    [
        (MOODLE, {"Ann Li_101", "Ann Li_103", "Bob O'Neil_102", "Cy_104", "Dee_105"}, set()),
        (CANVAS, {"leeann_1201", "oneilbob_1202", "ddee_1203", "zoe_1204"}, {"oneilbob_1202"}),
    ],
    ids=["Moodle", "Canvas"],
)
def test_downloads_are_read_as_they_come(exercise, tmp_path, capsys, form, files, students, late):
    folder = tmp_path / "class"
    if "folder" in form:
        write_all(folder / "Course-Exercise 1-77" if "only" in form else folder, files)
    else:
        path = write(folder / "Course-Exercise 1-77.zip", as_zip(files, date_time=(2026, 11, 20, 23, 59, 58)))
        folder = path if "itself" in form else folder
    found = {handin.student: handin for handin in find_handins(folder)}
    assert found.keys() == students and {name for name in found if found[name].late} == late
    sources = {name: handin.sources([exercise])[0] for name, handin in found.items()}
    (nothing,) = (name for name, source in sources.items() if source.data != RIGHT)
    assert "essay.pdf" not in sources[nothing].notes and sources[nothing].refused.startswith("there is no toy/keep.py")
    left = capsys.readouterr().err
    assert left.count("not graded") == left.count("_102_assignsubmission_onlinetext_") == (files is MOODLE)


def test_a_student_cannot_hand_in_for_others(exercise, tmp_path):
    write(tmp_path / "class" / "bob_1202_500.zip", as_zip({"toy/keep.py": RIGHT}))
    write(
        tmp_path / "class" / "eve.zip", as_zip({"bob_1202_999_keep.py": OLD, "Bob_1_assignsubmission_file_/a.py": b""})
    )
    assert [handin.student for handin in find_handins(tmp_path / "class")] == ["bob_1202_500", "eve"]


# ---- archives that do harm ----


def test_bombs_and_endless_nests_are_refused_in_little_memory(exercise, tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "MAX_UNPACKED", 16 << 20)
    monkeypatch.setattr(contents, "MAX_READ", 8 << 20)
    zeros = bytes(24 << 20)
    nest = as_zip({f"{n}.tar": as_tar({"a": bytes(1 << 20)}) for n in range(20)} | {"toy/keep.py": RIGHT})
    bombs = {".tar.gz": gzip(zeros), ".tar.bz2": bz2.compress(zeros), ".tar.xz": lzma.compress(zeros), ".zip": nest}
    bombs[".ZIP"] = as_zip({f"{n}/toy/keep.py": b"%d" % n + bytes(1 << 20) for n in range(20)})
    for ending, data in bombs.items():
        path = write(tmp_path / "class" / f"eve{ending}", data)
        tracemalloc.start()
        with pytest.raises(Refused, match="larger than 16 MiB|too many archives or copies|larger than 1 MiB"):
            HandIn("eve", path).read(exercise)
        assert tracemalloc.get_traced_memory()[1] < 96 << 20
        tracemalloc.stop()


def test_links_and_devices_in_a_tar_are_not_followed(exercise, tmp_path):
    for kind in tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            entry = tarfile.TarInfo("toy/keep.py")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        path = write(tmp_path / "eve.tar", stream.getvalue())
        with pytest.raises(Refused, match="not a regular file|damaged|no toy/keep.py"):
            HandIn("eve", path).read(exercise)


def test_damaged_tars_are_refused(exercise, tmp_path):
    import random

    chance, path = random.Random(0), tmp_path / "eve.tar"
    data = as_tar({"a/toy/keep.py": RIGHT * 50, "../toy/keep.py": OLD, "/toy/keep.py": OLD})
    assert HandIn("eve", write(path, data)).read(exercise) == RIGHT * 50
    for _ in range(200):
        changed = bytearray(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data)
        for _ in range(3):
            if changed:
                changed[chance.randrange(min(len(changed), 600))] = chance.randrange(256)
        try:
            HandIn("eve", write(path, bytes(changed))).read(exercise)
        except Refused:
            pass


# ---- what people are told ----


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
