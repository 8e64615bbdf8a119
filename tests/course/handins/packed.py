"""Files of hand-ins, packed as students and course systems pack them."""

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib

from course_class import SOLUTION

from tinycompress.course.collect import find_handins
from tinycompress.course.exercise import strip_solution

RIGHT, OLD, STUB = b"keep = 'right'\n", b"keep = 'old'\n", strip_solution(SOLUTION).encode()
MANIFEST = b'{"exercises": {"toy/keep": {"file": "toy/keep.py"}}}'


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
