"""From hand-ins to the bytes that are graded: only the exercises' own files, and only if they are regular files.

A hand-in is a folder `<student>/` or an archive `<student>.zip` (or .ZIP). Anything else beside them is left out and
reported with the reason. From a hand-in only the files `<chapter>/<name>.py` of the graded exercises are read. Everything
else in it (conftest.py, *.pth, bytecode, Numba's caches, links, devices) is ignored. Nothing is unpacked.
"""

import ast
import json
import os
import stat
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..files import whole_file
from . import system
from .exercise import CourseProblem, Exercise

MAX_SOURCE = 1 << 20  # bytes of one exercise
MAX_ARCHIVE = 8 << 20
MAX_ENTRIES = 10_000
MANIFEST = "manifest.json"  # in a students' folder, written by `release`
METADATA = (".DS_Store", ".localized", "__MACOSX", "Thumbs.db", "desktop.ini")  # of macOS and Windows; and "._*"
ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".txz", ".xz", ".zst")


class Refused(Exception):
    """A hand-in without a usable file for an exercise; the message is for the student."""


def not_handed_in(exercise_id: str) -> str:
    """The message for an exercise whose file does not exist."""
    return f"there is no {exercise_id}.py in the hand-in"


@dataclass(frozen=True)
class HandIn:
    """One student's hand-in: `student` is the name of its folder or archive, without .zip."""

    student: str
    path: Path

    def read(self, exercise: Exercise) -> bytes:
        """The student's file for this exercise. Raises Refused."""
        try:
            return _from_archive(self.path, exercise) if _is_zip(self.path) else _from_folder(self.path, exercise)
        except OSError as error:
            raise Refused(f"{exercise.id}.py cannot be read: {error.strerror or type(error).__name__}") from error


def find_handins(folder: Path) -> list[HandIn]:
    """The hand-ins in a folder, in order of their names; whatever is left out is listed on stderr.

    Raises CourseProblem if there are none, or two from one student.
    """
    if not folder.is_dir():
        raise CourseProblem(f"{folder}: no such folder; give one that holds a folder or .zip per student")
    if (folder / MANIFEST).is_file():
        raise CourseProblem(
            f"{folder} is a students' folder; give the folder that holds one .zip or folder per student"
        )
    others = left_out(folder)
    for name, why in others.items():
        print(f"not graded: {name!a}: {why}", file=sys.stderr)
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name in others or _is_metadata(path):
            continue
        student = path.stem if _is_zip(path) else path.name
        if student in found:
            names = f"{found[student].path.name!a} and {path.name!a}"
            raise CourseProblem(f"{student!a} has handed in twice, {names}; remove one of them")
        found[student] = HandIn(student, path)
    if not found:
        raise CourseProblem(f"{folder}: no hand-in is there; expected a folder or a .zip per student")
    return list(found.values())


def left_out(folder: Path) -> dict[str, str]:
    """The entries of a folder that are not hand-ins: {name: why}. METADATA is ignored, since systems create it."""
    reasons = {path.name: _why_not(path) for path in sorted(folder.iterdir()) if not _is_metadata(path)}
    return {name: why for name, why in reasons.items() if why}


def _why_not(path: Path) -> str:
    """Why this is not a hand-in; "" if it is one."""
    if path.name.startswith("."):
        return "it is hidden; if it is a hand-in, give it a name that does not begin with a dot"
    if path.is_dir() or _is_zip(path):
        return ""
    if path.suffix.lower() in ARCHIVES:
        return f"the only archives read are .zip; unpack it into a folder {path.name.split('.')[0]!a}"
    return "it is neither a folder nor a .zip; if it is a hand-in, put it into a folder named after the student"


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _is_metadata(path: Path) -> bool:
    return path.name in METADATA or path.name.startswith("._")


def _places(exercise: Exercise) -> list[PurePosixPath]:
    """Where an exercise's file may be in a hand-in: <chapter>/<name>.py as released, or <name>.py alone.

    Archives often add a folder around everything; the callers also look there.
    """
    released = PurePosixPath(exercise.chapter, f"{exercise.name}.py")
    return [released, PurePosixPath(released.name)]


def _from_folder(folder: Path, exercise: Exercise) -> bytes:
    with system.opened(folder) as top:
        inner, places = system.folders_in(top), _places(exercise)
        if len(inner) == 1:
            places += [PurePosixPath(inner[0], place) for place in places]
        for place in places:
            try:
                data = system.read_below(top, place, MAX_SOURCE + 1)
            except system.NotAFile:
                raise Refused(f"{place} is not a regular file") from None
            except OSError as error:
                why = error.strerror
                raise Refused(f"{place} is not a regular file that can be read (a link?): {why}") from error
            if data is not None:
                return _bounded(data, place)
    raise Refused(not_handed_in(exercise.id))


def _from_archive(path: Path, exercise: Exercise) -> bytes:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_ARCHIVE:
        raise Refused(f"the archive is not a regular file of at most {MAX_ARCHIVE >> 20} MiB")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise Refused(f"the archive has more than {MAX_ENTRIES} entries")
            tops = {entry.filename.split("/", 1)[0] for entry in entries}
            places = _places(exercise)
            if len(tops) == 1:
                places += [PurePosixPath(*tops, place) for place in places]
            for place in map(str, places):
                named = [entry for entry in entries if entry.filename == place]
                if len(named) > 1:
                    raise Refused(f"{place} is in the archive twice")
                if named:
                    return _from_entry(archive, named[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise Refused("the archive is damaged or not a supported .zip; make it with `course pack`") from error
    except Exception as error:  # damaged data raises zlib.error and others
        if isinstance(error, Refused | OSError):
            raise
        raise Refused("the archive is damaged; make it with `course pack`") from error
    raise Refused(not_handed_in(exercise.id))


def _from_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    plain = kind in (0, stat.S_IFREG) and not entry.flag_bits & 1
    if not plain or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"{entry.filename} is not a regular file in the archive")
    with archive.open(entry) as stream:  # read a bounded number of bytes, whatever size the entry claims
        return _bounded(stream.read(MAX_SOURCE + 1), entry.filename)


def _bounded(data: bytes, place) -> bytes:
    if len(data) > MAX_SOURCE:
        raise Refused(f"{place} is larger than {MAX_SOURCE >> 20} MiB")
    return data


def released_exercises(folder: Path) -> list[str]:
    """The ids of the exercises in a students' folder, from its manifest. Raises CourseProblem for any other folder."""
    try:
        return list(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["exercises"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseProblem(
            f"{folder / MANIFEST} cannot be read; run this in the folder that you were given, or name it: --folder DIR"
        ) from error


def tests_of(exercises: list[str], names: list[str]) -> list[str]:
    """The test files, in a students' folder, of the exercises with these names ("pruning", "pruning/n_of_m" or "n_of_m").

    exercises: ids, as in its manifest. No names: [""], the folder with all of them. Raises CourseProblem for an unknown name.
    """
    for name in names:
        if not any(name in (exercise, *exercise.split("/")) for exercise in exercises):
            raise CourseProblem(f"no exercise or chapter is called {name!r}; there are {', '.join(exercises)}")
    chosen = [exercise.split("/") for exercise in exercises if {exercise, *exercise.split("/")} & set(names)]
    return [f"{chapter}/test_{name}.py" for chapter, name in chosen] or [""]


def pack(folder: Path, exercises: list[str], archive: Path) -> dict[str, str]:
    """Write the hand-in of a students' folder, `exercises` as in its manifest, into a .zip; return the state of each file.

    Raises CourseProblem if no exercise is there, or a file would be refused.
    """
    from .exercise import EXERCISES

    packed = {}
    for exercise_id in exercises:
        chapter, _, name = exercise_id.partition("/")
        try:
            packed[f"{exercise_id}.py"] = HandIn("", folder).read(Exercise(chapter, name, EXERCISES))
        except Refused as problem:
            if (folder / f"{exercise_id}.py").exists():
                raise CourseProblem(str(problem)) from problem
    if not packed:
        raise CourseProblem(f"{folder} holds none of the exercises; run this in the folder that you were given")
    with whole_file(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, data in packed.items():
            stream.writestr(zipfile.ZipInfo(name), data)
    return {name: state(data) for name, data in packed.items()}


def state(source: bytes) -> str:
    """Return "written", or what a student may have forgotten: functions that are still stubs, a syntax error."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:  # older versions of Python raise ValueError for a null byte
        line = getattr(error, "lineno", None)
        return f"syntax error{f' in line {line}' if line else ''}: {getattr(error, 'msg', error)}"
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    stubs = [f.name for f in functions if any(_is_stub(node) for node in ast.walk(f))]
    return f"not written yet: {', '.join(stubs)}" if stubs else "written"


def _is_stub(node) -> bool:
    return isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
