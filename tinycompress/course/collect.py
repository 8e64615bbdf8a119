"""From hand-ins to the bytes that are graded: only the exercises' own files, and only if they are plain files.

A hand-in is a folder `<student>/` or an archive `<student>.zip` (or .ZIP). What else lies beside them is named, with the
reason, and left out. Of a hand-in nothing but `<chapter>/<name>.py` of the exercises that are graded is ever read: what
else is in there (conftest.py, *.pth, bytecode, Numba's caches, links, devices) is as if it were not. Nothing is unpacked.
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
from .exercise import CourseProblem, Exercise

MAX_SOURCE = 1 << 20  # bytes of one exercise
MAX_ARCHIVE = 8 << 20
MAX_ENTRIES = 10_000
MANIFEST = "manifest.json"  # of a students' folder, as `release` writes it
METADATA = (".DS_Store", ".localized", "__MACOSX", "Thumbs.db", "desktop.ini")  # of macOS and Windows; and "._*"
ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".txz", ".xz", ".zst")


class Refused(Exception):
    """A hand-in without a usable file for an exercise; the message is for the student."""


def not_handed_in(exercise_id: str) -> str:
    """The message where the file of an exercise is not there at all."""
    return f"there is no {exercise_id}.py in the hand-in"


@dataclass(frozen=True)
class HandIn:
    """One student's hand-in: the name of its folder or archive, and where it is."""

    student: str
    path: Path

    def read(self, exercise: Exercise) -> bytes:
        """The student's file for this exercise. Raises Refused."""
        try:
            return _from_archive(self.path, exercise) if _is_zip(self.path) else _from_folder(self.path, exercise)
        except OSError as error:
            raise Refused(f"{exercise.id}.py cannot be read: {error.strerror or type(error).__name__}") from error


def find_handins(folder: Path) -> list[HandIn]:
    """The hand-ins in a folder, in order of their names; what is left out there is named on stderr.

    Raises CourseProblem for none, or two of one student.
    """
    if not folder.is_dir():
        raise CourseProblem(f"{folder}: there is no such folder; it holds a folder or a .zip for each student")
    if (folder / MANIFEST).is_file():
        raise CourseProblem(f"{folder} is a students' folder; give the folder that holds one .zip or folder a student")
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
            raise CourseProblem(f"{student!a} has handed in twice, {names}; take one of them away")
        found[student] = HandIn(student, path)
    if not found:
        raise CourseProblem(f"{folder}: no hand-in is there, neither a folder nor a .zip")
    return list(found.values())


def left_out(folder: Path) -> dict[str, str]:
    """What lies in a folder of hand-ins and is none, by its name, and why; of METADATA, which nobody hands in, nothing."""
    reasons = {path.name: _why_not(path) for path in sorted(folder.iterdir()) if not _is_metadata(path)}
    return {name: why for name, why in reasons.items() if why}


def _why_not(path: Path) -> str:
    """Why this is no hand-in; "" for one."""
    if path.name.startswith("."):
        return "it is hidden; if it is a hand-in, give it a name that does not begin with a dot"
    if path.is_dir() or _is_zip(path):
        return ""
    if path.suffix.lower() in ARCHIVES:
        return f"of archives only .zip is read; unpack it into a folder {path.name.split('.')[0]!a}"
    return "it is neither a folder nor a .zip; if it is handed in, put it into a folder of the student's name"


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _is_metadata(path: Path) -> bool:
    return path.name in METADATA or path.name.startswith("._")


def _places(exercise: Exercise) -> list[PurePosixPath]:
    """Where the file may be: as it was released, alone, or one folder further down, as archives often have it."""
    released = PurePosixPath(exercise.chapter, f"{exercise.name}.py")
    return [released, PurePosixPath(released.name)]


def _from_folder(folder: Path, exercise: Exercise) -> bytes:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    top = os.open(folder, flags | os.O_DIRECTORY)
    try:
        inner = [entry.name for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False)]
        places = _places(exercise)
        if len(inner) == 1:
            places += [PurePosixPath(inner[0], place) for place in places]
        for place in places:
            data = _read_below(top, place, flags)
            if data is not None:
                return data
    finally:
        os.close(top)
    raise Refused(not_handed_in(exercise.id))


def _read_below(top: int, place: PurePosixPath, flags: int) -> bytes | None:
    """The bytes of a regular file below an open folder, walked to without following a link; None if it is not there."""
    folder = os.dup(top)
    try:
        for part in place.parts[:-1]:
            try:
                inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError):
                return None
            os.close(folder)
            folder = inner
        try:
            # O_NONBLOCK: a pipe without a writer would never open otherwise.
            file = os.open(place.name, flags | os.O_NONBLOCK, dir_fd=folder)
        except FileNotFoundError:
            return None
        with open(file, "rb") as stream:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Refused(f"{place} is no plain file")
            return _bounded(stream.read(MAX_SOURCE + 1), place)
    except OSError as error:
        raise Refused(f"{place} is no plain file that can be read (a link?): {error.strerror}") from error
    finally:
        os.close(folder)


def _from_archive(path: Path, exercise: Exercise) -> bytes:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_ARCHIVE:
        raise Refused(f"the archive is no plain file of at most {MAX_ARCHIVE >> 20} MiB")
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
        raise Refused("the archive is damaged, or of a kind that is not read; make it with `course pack`") from error
    except Exception as error:  # zlib.error and others from damaged data
        if isinstance(error, Refused | OSError):
            raise
        raise Refused("the archive is damaged; make it with `course pack`") from error
    raise Refused(not_handed_in(exercise.id))


def _from_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    plain = kind in (0, stat.S_IFREG) and not entry.flag_bits & 1
    if not plain or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"{entry.filename} is no plain file in the archive")
    with archive.open(entry) as stream:  # never more than asked for, whatever the entry says of its size
        return _bounded(stream.read(MAX_SOURCE + 1), entry.filename)


def _bounded(data: bytes, place) -> bytes:
    if len(data) > MAX_SOURCE:
        raise Refused(f"{place} has more than {MAX_SOURCE >> 20} MiB")
    return data


def released_exercises(folder: Path) -> list[str]:
    """The ids of a students' folder's exercises, as its manifest has them. Raises CourseProblem in any other folder."""
    try:
        return list(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["exercises"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseProblem(
            f"{folder / MANIFEST} cannot be read; run this in the folder that you were given, or name it: --folder DIR"
        ) from error


def pack(folder: Path, exercises: list[str], archive: Path) -> dict[str, str]:
    """Write the hand-in of a students' folder, `exercises` as in its manifest, into a .zip; returns how far each file is.

    Raises CourseProblem where nothing is there, or a file would be refused.
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
        raise CourseProblem(f"{folder}: none of the exercises is there; run this in the folder that you were given")
    with whole_file(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, data in packed.items():
            stream.writestr(zipfile.ZipInfo(name), data)
    return {name: state(data) for name, data in packed.items()}


def state(source: bytes) -> str:
    """ "written", or what a student may have forgotten: functions that are still stubs, a syntax error."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte, in older versions of Python
        line = getattr(error, "lineno", None)
        return f"syntax error{f' in line {line}' if line else ''}: {getattr(error, 'msg', error)}"
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    stubs = [f.name for f in functions if any(_is_stub(node) for node in ast.walk(f))]
    return f"not written yet: {', '.join(stubs)}" if stubs else "written"


def _is_stub(node) -> bool:
    return isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
