"""Who handed in what lies in a folder of hand-ins: plain names, and the names that Moodle and Canvas give.

    eve/  eve.zip  eve (1).zip               the student eve; "(1)" is a later upload, if there is an `eve` without it
    Eve Li_1234_assignsubmission_file_/      Moodle, with a folder per participant; the student is "Eve Li_1234"
    Eve Li_1234_assignsubmission_file_a.zip  Moodle, without folders
    lieve_LATE_56_789_a.zip                  Canvas: user 56, attachment 789; the student is "lieve_56"
    submission_1234/                         Gradescope

Moodle: `mod/assign/locallib.php`, `download_submissions`. Canvas: "How do I download all student submissions for an
assignment?" in its instructors' guide. A clone of GitHub Classroom is a folder as any other.
"""

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .contents import MAX_DOWNLOAD, TARS, UNREAD, ZIPS, Refused, ending, is_archive, is_metadata, place_of, read_zip

_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>.*))?", re.DOTALL)
_CANVAS = re.compile(r"(?P<name>[^_\s]+)_(?P<late>LATE_)?(?P<id>\d{2,})_(?P<upload>\d{2,})_(?P<file>.+)", re.DOTALL)
_GRADESCOPE = re.compile(r"submission_(?P<id>\d+)")
_AGAIN = re.compile(r"(?P<name>.+) \((?P<number>\d+)\)", re.DOTALL)


@dataclass(frozen=True)
class Upload:
    """A file or folder that a student handed in: `path`, or the entry `inside` of the .zip of a whole class at `path`.

    called: its name as the student gave it; order: larger for later ones, and late, where the system says so; number: what
    the system calls the student, such as "moodle 1234".
    """

    path: Path
    inside: str = ""
    called: str = ""
    order: int = 0
    late: bool | None = None
    number: str = ""


@dataclass(frozen=True)
class Entry:
    """What lies in a folder of hand-ins, or in the .zip of a whole class."""

    name: str
    is_folder: bool
    path: Path
    inside: str = ""

    def why_not(self) -> str:
        """Why this is not a hand-in; "" if it is one."""
        if self.name.startswith("."):
            return "it is hidden; if it is a hand-in, give it a name that does not begin with a dot"
        moodle = _MOODLE.fullmatch(self.name)
        if moodle and moodle["kind"] != "file":
            return "it is not a file submission, but text that was entered in Moodle; look at it"
        if self.is_folder or is_archive(self.name) or moodle or _CANVAS.fullmatch(self.name):
            return ""
        if ending(self.name, UNREAD):
            return f"the only archives read are .zip and .tar; unpack it into a folder {self.name.split('.')[0]!r}"
        return "it is neither a folder nor an archive; if it is a hand-in, put it into a folder named after the student"

    def upload(self, there: set[str]) -> tuple[str, Upload]:
        """The student, and the upload. there: the names of all entries, without endings."""
        if found := _MOODLE.fullmatch(self.name):
            return f"{found['name']}_{found['id']}", Upload(
                self.path, self.inside, found["file"] or self.name, number=f"moodle {found['id']}"
            )
        if not self.is_folder and (found := _CANVAS.fullmatch(self.name)):
            given = int(found["upload"]), bool(found["late"]), f"canvas {found['id']}"
            return f"{found['name']}_{found['id']}", Upload(self.path, self.inside, found["file"], *given)
        if found := _GRADESCOPE.fullmatch(self.name):
            return self.name, Upload(self.path, self.inside, self.name, number=f"gradescope {found['id']}")
        student = self.without_ending()
        again = _AGAIN.fullmatch(student)
        if again and again["name"] in there:
            return again["name"], Upload(self.path, self.inside, self.name, int(again["number"]))
        return student, Upload(self.path, self.inside, self.name)

    def without_ending(self) -> str:
        cut = "" if self.is_folder else ending(self.name, (*TARS, *ZIPS))
        return self.name[: len(self.name) - len(cut)]


def owner(name: str) -> str:
    """The student of whom something is, by its name, even if it is no hand-in."""
    return Entry(name, False, Path(name)).upload(set())[0].partition(".")[0]


def entries(folder: Path) -> list[Entry]:
    """What lies in a folder of hand-ins, or in the .zip of a class, by name. METADATA is ignored, since systems create it.

    If the folder holds only the download of a class, a .zip or folder of Moodle's or Canvas's, that is looked into. A
    download beside other hand-ins is not: a student could have made it, in others' names.
    """
    found = _in_zip(folder) if folder.is_file() else _in_folder(folder)
    if len(found) == 1 and not found[0].inside:
        (only,) = found
        within = _in_folder(only.path) if only.is_folder else _in_zip(only.path) if ending(only.name, ZIPS) else []
        if within and all(_MOODLE.fullmatch(entry.name) or _CANVAS.fullmatch(entry.name) for entry in within):
            return within
    return found


def _in_folder(folder: Path) -> list[Entry]:
    paths = sorted(folder.iterdir()) if not folder.is_symlink() else []
    return [Entry(path.name, path.is_dir(), path) for path in paths if not is_metadata(path.name)]


def _in_zip(path: Path) -> list[Entry]:
    try:
        with open(path, "rb") as file, read_zip(file, MAX_DOWNLOAD) as archive:
            places = [(place_of(entry.filename), entry.is_dir()) for entry in archive.infolist()]
    except (OSError, Refused, zipfile.BadZipFile, ValueError, NotImplementedError):
        return []
    tops = {}
    for place, is_folder in places:
        if place is not None and not is_metadata(place.parts[0]):
            tops[place.parts[0]] = is_folder or len(place.parts) > 1 or tops.get(place.parts[0], False)
    return [Entry(os.fspath(name), tops[name], path, name) for name in sorted(tops)]
