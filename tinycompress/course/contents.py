"""What a hand-in holds, read without unpacking anything: folders, archives, and archives in folders or archives.

Only the files that someone asks for are read, only if they are regular files, and never more bytes than they may have.
Sizes that an archive claims are not believed. What systems and tools leave behind (.git, __MACOSX, checkpoints, virtual
environments) is passed over.
"""

import bz2
import io
import lzma
import os
import re
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from . import system

MAX_SOURCE = 1 << 20  # bytes of one file
MAX_NOTEBOOK = 16 << 20
MAX_FILES = 1000  # that are read
MAX_READ = 256 << 20  # bytes of all files and archives that are read
MAX_ARCHIVE = 64 << 20
MAX_DOWNLOAD = 8 << 30  # of a whole class
MAX_DIRECTORY = 4 << 20  # bytes of a .zip's list of entries, or of a .tar's long names, which are held in memory
MAX_NAME = 255  # characters of a file's name, as in file systems
MAX_UNPACKED = 128 << 20  # of a .tar
MAX_ENTRIES = 10_000
MAX_NESTED = 3  # archives in one another
METADATA = (".DS_Store", ".localized", "__MACOSX", "Thumbs.db", "desktop.ini")  # of macOS and Windows; and "._*"
PASSED_OVER = {"__macosx", "__pycache__", "node_modules", "site-packages", "venv"}  # folders; and hidden ones
ZIPS, TARS = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVES = (".7z", ".rar", ".zipx", ".001", ".tar.zst", ".tar.lz", ".tar.z", ".py.gz", ".py.bz2", ".py.xz")
NOTEBOOK = ".ipynb"
SOURCES = (".py", NOTEBOOK, ".txt")  # what may hold an answer, under another name
OTHERS = (
    "",
    ".bak",
    ".doc",
    ".docx",
    ".html",
    ".md",
    ".odt",
    ".pdf",
    ".pyc",
    ".pyi",
    ".pyw",
    ".rtf",
)  # … named after it
UNREAD = (*ARCHIVES, ".bz2", ".gz", ".xz", ".zst")


class Refused(Exception):
    """A hand-in without a usable file for an exercise; the message is for the student."""


class TooMuch(Refused):
    """A hand-in that takes more time or memory than one may."""


@dataclass(frozen=True)
class File:
    """A file of a hand-in: its content, or why it cannot be had.

    upload: the archive that it came in, or else the folder; order: the upload's among those of the student, if it is known;
    time: when the archive or else the file was last changed, in seconds since 1970 (0: not known).
    """

    place: PurePosixPath
    data: bytes | None
    problem: str
    upload: str
    archived: bool
    order: int
    time: float


def ending(name: str, endings=(*TARS, *ZIPS, *UNREAD)) -> str:
    """The ending, as written in `endings`, that a name has in whatever case; "" if it has none of them."""
    return next((end for end in endings if name.lower().endswith(end)), "")


def is_archive(name: str) -> bool:
    return bool(ending(name, (*ZIPS, *TARS)))


def is_metadata(name: str) -> bool:
    return name in METADATA or name.startswith("._")


class Contents:
    """The files of a hand-in for which wanted(name) is true, and, for messages, the archives and other files not read.

    The methods raise Refused if the limits are exceeded, or what they were given cannot be read at all.
    """

    def __init__(self, wanted: Callable[[str], bool]):
        self.files: list[File] = []
        self.foreign: list[str] = []  # archives of other kinds, which may well hold what is wanted
        self.unread: list[str] = []  # damaged archives, and what else could not be read
        self.others: list[str] = []
        self.sources: list[PurePosixPath] = []  # other files that may hold an answer, by SOURCES
        self._wanted, self._entries, self._bytes, self._order = wanted, 0, 0, 0

    def add(self, path: Path, inside: str = "", called: str = "", order: int = 0) -> None:
        """Add a file, a folder or an archive; of the .zip of a whole class only the entry `inside`.

        called: what the student called it, if it lies there with another name.
        """
        called, self._order = called or path.name, order
        os.lstat(path)  # it may be gone
        if inside:
            self._add_from_download(path, inside, called)
        elif path.is_dir() or path.is_symlink():
            self._add_folder(path, called)
        elif is_archive(called):
            with open_plain(path) as file:
                self._add_archive(file, PurePosixPath(), called, os.fstat(file.fileno()).st_mtime, 1)
        elif self._matters(called) and not called.lower().endswith(NOTEBOOK):
            with open_plain(path) as file:
                self._file(PurePosixPath(called), file.read, called, os.fstat(file.fileno()).st_mtime)
        else:
            self._note(PurePosixPath(called), False)
            if not called.lower().endswith(".py"):  # such a file is the answer to something else
                self.others.append(f"{called} is not read: hand in .py files, or a .zip of them")

    def _add_folder(self, path: Path, upload: str) -> None:
        with system.opened(path) as top:

            def stop(error):
                raise error

            for folder, folders, names in os.walk(path, onerror=stop):
                below = PurePosixPath(Path(folder).relative_to(path).as_posix())
                for name in [*names, *(name for name in folders if name.lower().endswith(".py"))]:
                    place = below / name
                    if self._look_at(place):
                        when = os.lstat(Path(folder) / name).st_mtime
                        self._file(place, partial(system.read_below, top, place), upload, when)
                folders[:] = sorted(name for name in folders if not _passed_over(name))

    def _add_from_download(self, path: Path, inside: str, called: str) -> None:
        with open_plain(path) as file, read_zip(file, MAX_DOWNLOAD) as archive:
            for entry in archive.infolist():
                place = place_of(entry.filename)
                if place is None or place.parts[0] != inside or entry.is_dir():
                    continue
                below = PurePosixPath(*place.parts[1:]) if place.parts[1:] else PurePosixPath(called)
                if self._look_at(below):
                    self._file(below, partial(_from_zip, archive, entry), called, _time_of(entry))

    def _add_archive(self, file, below: PurePosixPath, upload: str, when: float, depth: int) -> None:
        add = self._add_zip if ending(upload, ZIPS) else self._add_tar
        try:
            add(file, below, upload, when, depth)
        except (Refused, OSError):
            raise
        except Exception as error:  # damaged data raises zlib.error, struct.error, RecursionError and others
            kind = "a .zip" if add == self._add_zip else "a .tar"
            raise Refused(f"{upload} is damaged or not {kind} that can be read; make it with `course pack`") from error

    def _add_zip(self, file, below, upload, when, depth):
        with read_zip(file, MAX_ARCHIVE) as archive:
            for entry in archive.infolist():
                place = place_of(entry.filename)
                if place is None:
                    self._outside(entry.filename)
                elif not entry.is_dir() and self._look_at(below / place):
                    self._file(below / place, partial(_from_zip, archive, entry), upload, when, depth)

    def _add_tar(self, file, below, upload, when, depth):
        data = _unpacked(file, upload)
        self._spend(data)
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", tarinfo=_Entry) as archive:
            for number, member in enumerate(archive):
                place = place_of(member.name)
                if place is None:
                    self._outside(member.name)
                elif not member.isdir() and self._look_at(below / place):
                    self._file(below / place, partial(_from_tar, archive, member), upload, when, depth)
                if number > 10 * MAX_ENTRIES:  # a damaged .tar can lead in circles
                    raise Refused(f"the archive has more than {10 * MAX_ENTRIES} entries")

    def _outside(self, name: str) -> None:
        """Name an entry that lies outside of its archive, as after `zip handin.zip ../week3/*`, if it may be what is wanted."""
        if len(name) <= MAX_NAME and self._matters(re.split(r"[/\\]", name)[-1]) and len(self.unread) < MAX_FILES:
            self.unread.append(f"{name} is not read: its name leads out of the archive")

    def _look_at(self, place: PurePosixPath) -> bool:
        """Whether this file matters; it counts against the limit if nobody would pass it over."""
        if any(_passed_over(part) for part in place.parts[:-1]) or is_metadata(place.name):
            return False
        self._count()
        matters = self._matters(place.name)
        self._note(place, matters)
        return matters

    def _note(self, place: PurePosixPath, read: bool) -> None:
        kind = place.suffix.lower()
        most = MAX_FILES if kind in SOURCES else MAX_FILES // 2 if kind in OTHERS else 0
        if len(self.sources) < most and not (read and kind == ".py"):
            self.sources.append(place)

    def _matters(self, name: str) -> bool:
        return self._wanted(name) or bool(ending(name))

    def _count(self):
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise TooMuch(f"the hand-in has more than {MAX_ENTRIES} entries")

    def _file(self, place, read: Callable[[int], bytes], upload, when, depth: int = 0) -> None:
        """Keep a file that is wanted, or look into an archive."""
        nested = is_archive(place.name)
        if not nested and ending(place.name):
            unread = self.foreign if ending(place.name, ARCHIVES) else self.others
            unread.append(f"{place} is not read: hand in a .zip, or the files themselves")
            return
        of_others = MAX_NOTEBOOK if place.suffix.lower() == NOTEBOOK else MAX_SOURCE
        most = MAX_ARCHIVE if nested else of_others
        data, problem = None, ""
        try:
            data = read(most + 1)
        except system.NotAFile:
            problem = f"{place} is not a regular file; hand in the file itself"
        except OSError as error:
            problem = f"{place} is not a regular file that can be read (a link?): {error.strerror}"
        except Refused as refused:
            problem = f"{place} {refused}"
        if data is not None and len(data) > most:
            data, problem = None, f"{place} is larger than {most >> 20} MiB; hand in a smaller one"
        self._spend(data or b"")
        if not nested:
            self.files.append(File(place, data, problem, upload, depth > 0, self._order, when))
        elif data is None or depth >= MAX_NESTED:
            self.unread.append(problem or f"{place} is not read: too many archives in one another")
        else:
            try:
                self._add_archive(io.BytesIO(data), place, str(place), when, depth + 1)
            except TooMuch:
                raise
            except Refused as refused:
                self.unread.append(str(refused))

    def _spend(self, data: bytes) -> None:
        self._bytes += len(data)
        if len(self.files) > MAX_FILES or self._bytes > MAX_READ:
            raise TooMuch("the hand-in has too many archives or copies of the exercises' files; keep one of each")


_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class _Entry(tarfile.TarInfo):
    """An entry of a .tar with bounded headers, and without a list of holes, whose few packed bytes can fill any memory."""

    def _proc_member(self, archive):  # the hook that tarfile has for this
        if self.type in _HEADERS:
            # Each entry keeps a copy of what holds for all that follow, some 100 bytes a keyword.
            archive.headers = getattr(archive, "headers", 0) + self.size + 100 * len(archive.pax_headers)
            if self.size < 0 or archive.headers > MAX_DIRECTORY:
                raise Refused("the archive has names that are too long; make it with `course pack`")
        return super()._proc_member(archive)

    def _refuse(self, *given):
        raise Refused("the archive has sparse files; make it with `course pack`")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse


def place_of(name: str) -> PurePosixPath | None:
    """An entry's place in an archive. Backslashes separate, too; None for what lies outside, or no file can be called."""
    if len(name) > 16 * MAX_NAME:
        return None
    parts = [part for part in name.replace("\\", "/").split("/") if part != "."]
    inside = any(parts) and parts[0] and ".." not in parts and not re.fullmatch("[A-Za-z]:", parts[0])
    return PurePosixPath(*parts) if inside and max(map(len, parts)) <= MAX_NAME else None


def _passed_over(folder: str) -> bool:
    return folder.startswith(".") or folder.lower() in PASSED_OVER


def open_plain(path: Path):
    """Open a regular file that is no link, for reading. Raises Refused for anything else."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise Refused(f"{path.name} is not a regular file")
    return open(path, "rb")


def read_zip(file, most: int) -> zipfile.ZipFile:
    """The archive in a file of at most `most` bytes, with a list of entries of a size that can be held. Raises Refused."""
    size = file.seek(0, os.SEEK_END)
    if size > most:
        raise Refused(f"the archive is larger than {most >> 20} MiB")
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    # As zipfile reads it: the end without a comment counts first, and a record of 64 bits counts more than what stands there.
    plain = tail[-22:-18] == b"PK\x05\x06" and tail[-2:] == b"\0\0"
    end = len(tail) - 22 if plain else tail.rfind(b"PK\x05\x06")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if end >= 20 and tail[end - 20 : end - 16] == b"PK\x06\x07":
        directory = int.from_bytes(tail[end - 36 : end - 28], "little") if end >= 76 else size
    if directory > MAX_DIRECTORY:
        raise Refused(f"the archive has more than {MAX_ENTRIES} entries")
    file.seek(0)
    return zipfile.ZipFile(file)


def _from_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise Refused("is not a regular file in the archive")
    if entry.flag_bits & 1:
        raise Refused("is encrypted; hand it in without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused("is not a regular file in the archive: its compression is unknown; make it with `course pack`")
    with archive.open(entry) as stream:  # read a bounded number of bytes, whatever size the entry claims
        return stream.read(most)


def _time_of(entry: zipfile.ZipInfo) -> float:
    try:
        return time.mktime((*entry.date_time, 0, 0, -1))
    except (OverflowError, ValueError):
        return 0.0


def _from_tar(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise Refused("is not a regular file in the archive")
    with archive.extractfile(member) as stream:
        return stream.read(most)


def _unpacked(file, name: str) -> bytes:
    """The .tar in a file that may be compressed. Raises Refused if it is too large."""
    data = file.read(MAX_ARCHIVE + 1)
    packed = ending(name, TARS)
    if len(data) <= MAX_ARCHIVE and packed.endswith("gz"):
        data = zlib.decompressobj(31).decompress(data, MAX_UNPACKED + 1)
    elif len(data) <= MAX_ARCHIVE and packed.endswith("bz2"):
        data = bz2.BZ2Decompressor().decompress(data, MAX_UNPACKED + 1)
    elif len(data) <= MAX_ARCHIVE and packed.endswith("xz"):
        data = lzma.LZMADecompressor(memlimit=MAX_UNPACKED).decompress(data, MAX_UNPACKED + 1)
    if len(data) > MAX_UNPACKED:
        raise Refused(f"{name} is larger than {MAX_UNPACKED >> 20} MiB")
    return data
