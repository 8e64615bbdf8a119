"""Hand-ins as they really come: what students, their systems, and course systems make of a few files."""

import bz2
import io
import lzma
import os
import tarfile
import tracemalloc
import warnings
import zipfile
import zlib
from unittest.mock import ANY

import pytest
from course_class import SOLUTION
from packed import MANIFEST, OLD, PACKED, RIGHT, STUB, as_tar, as_zip, gzip, one, write, write_all

from tinycompress.course import contents
from tinycompress.course.collect import HandIn, Refused, Source, Unclear, find_handins, not_handed_in
from tinycompress.course.exercise import Exercise

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
    "a second by macOS": {"toy/keep 2.py": RIGHT},
    "a copy by Windows": {"keep - Copy (2).py": RIGHT},
    "an empty file beside it": {"toy/keep.py": b" \n", "keep.py": RIGHT},
    "a copy of the stub": {"toy/keep.py": STUB, "toy/keep (1).py": RIGHT},
    "the stub beside it": {"handout/manifest.json": MANIFEST, "handout/toy/keep.py": STUB, "toy/keep.py": RIGHT},
    "the stub with other line ends": {"a/toy/keep.py": STUB.replace(b"\n", b"\r\n"), "b/toy/keep.py": RIGHT},
    "a draft elsewhere": {"toy/keep.py": RIGHT, "drafts/keep.py": OLD},
    "beside the manifest": {"new/manifest.json": MANIFEST, "new/toy/keep.py": RIGHT, "old/toy/keep.py": OLD},
    "the same twice": {"toy/keep.py": RIGHT, "handout/toy/keep.py": RIGHT},
}


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


@pytest.mark.parametrize(
    "name",
    [
        "exercise1.py",
        "week3/Homework.ipynb",
        "keep_final.py",
        "kep.py",
        "toy/keep.py.txt",
        "keep.docx",
        "keep",
        "keep.pyw",
    ],
)
@pytest.mark.parametrize("ending", ["", ".zip"])
def test_a_file_of_another_name_that_may_be_the_one_is_a_question_and_no_zero(exercise, tmp_path, name, ending):
    files = {name: RIGHT, "toy/test_keep.py": b"", "conftest.py": b"", "notes.txt": b"", "figure.png": b""}
    path = tmp_path / "class" / f"cat{ending}"
    write(path, as_zip(files)) if ending else write_all(path, files)
    source = one(path.parent, exercise)[1]
    assert source.unclear and source.refused.endswith(f"hand-in; if it is in {name}, hand that in as keep.py")


@pytest.mark.parametrize("name", ["handin.tar.zst", "handin.zipx", "handin.7z.001", "keep.py.gz"])
@pytest.mark.parametrize("ending", ["", ".zip"])
def test_what_is_packed_in_a_way_that_is_not_read_is_a_question_and_no_zero(exercise, tmp_path, name, ending):
    path = tmp_path / "class" / f"cat{ending}"
    write(path, as_zip({name: b"?"})) if ending else write_all(path, {name: b"?"})
    source = one(path.parent, exercise)[1]
    assert source.unclear and f"{name} is not read: hand in a .zip" in source.refused


@pytest.mark.parametrize("name", ["../handout/toy/keep.py", "/home/cat/toy/keep.py", "C:\\Users\\cat\\toy\\keep.py"])
@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_an_entry_that_leads_out_of_its_archive_is_a_question_and_no_zero(exercise, tmp_path, name, ending):
    """As after `zip handin.zip ../handout/*`, or `tar -P`."""
    write(tmp_path / "class" / f"cat{ending}", PACKED[ending]({name: RIGHT, "../handout/plot.png": b""}))
    source = one(tmp_path / "class", exercise)[1]
    assert source.data is None and source.unclear and source.refused.count("leads out of the archive") == 1
    write(tmp_path / "class" / f"cat{ending}", PACKED[ending]({name: OLD, "toy/keep.py": RIGHT}))
    source = one(tmp_path / "class", exercise)[1]
    assert source.data == RIGHT and "leads out of the archive" in source.notes[0]


def test_a_file_named_after_the_exercise_beside_it_is_a_note_and_a_copy_of_it_a_question(exercise, tmp_path):
    handin = write_all(tmp_path / "class" / "cat", {"toy/keep.py": RIGHT, "toy/keep_final.py": OLD, "keep.pdf": b""})
    assert one(handin.parent, exercise)[1] == Source(RIGHT, notes=("not graded: toy/keep_final.py",), time=ANY)
    write(handin / "old" / "keep (1).py", OLD)  # of another folder
    assert one(handin.parent, exercise)[1].data == RIGHT
    write(handin / "toy" / "keep (1).py", OLD)  # Moodle calls a later upload so, browsers an older one
    source = one(handin.parent, exercise)[1]
    assert source.unclear and "toy/keep (1).py" in source.refused and "a person will decide" in source.refused
    write(handin / "toy" / "keep (1).py", RIGHT)
    assert one(handin.parent, exercise)[1].data == RIGHT


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


def tar_entry(kind, data, name="keep.py"):
    """A header of this kind with its data, as it stands in a .tar."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, len(data)
    return entry.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


def keyword(name, value):
    """A record of a pax header: its length, a space, and what it says."""
    rest = f" {name}={value}\n"
    length = next(n for n in range(len(rest), len(rest) + 20) if n == len(str(n)) + len(rest))
    return f"{length}{rest}".encode()


HOLES = keyword("GNU.sparse.major", "0") + keyword("GNU.sparse.map", "0," * 1_500_000 + "0")
FOR_ALL = b"".join(keyword(f"k{n}", "") for n in range(20_000))
FEW_BYTES = {  # a few kB of .tar.gz, which tarfile makes much of
    "a long name": tar_entry(tarfile.GNUTYPE_LONGNAME, b"keep" * 2_000_000 + b".py\0"),
    "long names": tar_entry(tarfile.GNUTYPE_LONGNAME, b"keep" * 200_000 + b".py\0") * 10,
    "holes": tar_entry(tarfile.XHDTYPE, HOLES),
    "for all that follow": tar_entry(tarfile.XGLTYPE, FOR_ALL)
    + (tar_entry(tarfile.XHDTYPE, keyword("a", "b")) + tar_entry(tarfile.REGTYPE, b"", "a.txt")) * 100,
}


@pytest.mark.parametrize("kind", FEW_BYTES)
def test_headers_of_a_tar_take_little_memory(exercise, tmp_path, kind):
    data = gzip(FEW_BYTES[kind] + tar_entry(tarfile.REGTYPE, RIGHT))
    assert len(data) < 500_000
    path = write(tmp_path / "class" / "eve.tar.gz", data)
    tracemalloc.start()
    (source,) = HandIn("eve", path).sources([exercise])
    assert tracemalloc.get_traced_memory()[1] < 96 << 20
    tracemalloc.stop()
    assert source.unclear and "make it with `course pack`" in source.refused and len(source.refused) < 300


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_no_file_has_a_name_that_is_longer_than_file_systems_allow(exercise, tmp_path, ending):
    names = ["k" * 300 + "eep.py", "a/" * 4000 + "keep.py", "b" * 256 + "/keep.py"]
    write(tmp_path / "class" / f"eve{ending}", PACKED[ending](dict.fromkeys(names, OLD)))
    assert one(tmp_path / "class", exercise)[1] == Source(None, "there is no toy/keep.py in the hand-in")
    write(
        tmp_path / "class" / f"eve{ending}",
        PACKED[ending]({**dict.fromkeys(names, OLD), "c" * 200 + "/keep.py": RIGHT}),
    )
    assert one(tmp_path / "class", exercise)[1].data == RIGHT


def entries(*named):
    """A .zip with these entries, in which a name may be there twice."""
    stream = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w") as archive:
        for name, data in named:
            archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


WHOLE = entries(("toy/keep.py", RIGHT))
CONTRADICTIONS = {
    "a name twice": (entries(("toy/keep.py", RIGHT), ("toy/keep.py", OLD)), "keep.py is there 2 times"),
    "names that differ in case": (entries(("toy/keep.py", RIGHT), ("Toy/KEEP.py", OLD)), "keep.py is there 2 times"),
    "a wrong checksum": (WHOLE.replace(zlib.crc32(RIGHT).to_bytes(4, "little"), b"\1\2\3\4"), "eve.zip is damaged"),
    "two names of one entry": (WHOLE.replace(b"keep.py", b"kept.py", 1), "eve.zip is damaged"),
    "wide letters": (entries(("toy/\uff4b\uff45\uff45\uff50.py", RIGHT)), "hand that in as keep.py"),
    "an invisible letter": (entries(("toy/keep\u200b.py", RIGHT)), "hand that in as keep.py"),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_an_archive_that_contradicts_itself_is_a_question_and_touches_no_neighbour(exercise, tmp_path, kind):
    data, why = CONTRADICTIONS[kind]
    write(tmp_path / "class" / "eve.zip", data)
    write(tmp_path / "class" / "dan.zip", entries(("toy/keep.py", RIGHT), ("toy/\uff4b\uff45\uff45\uff50.py", OLD)))
    dan, eve = (handin.sources([exercise])[0] for handin in find_handins(tmp_path / "class"))
    assert eve.data is None and eve.unclear and why in eve.refused
    assert (dan.data, dan.unclear, dan.notes) == (RIGHT, False, ())


def test_links_and_devices_in_a_tar_are_not_followed(exercise, tmp_path):
    for kind in tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            entry = tarfile.TarInfo("toy/keep.py")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        path = write(tmp_path / "eve.tar", stream.getvalue())
        with pytest.raises(Refused, match="not a regular file|damaged|no toy/keep.py|sparse"):
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
