"""CIFAR-10: 50,000 + 10,000 colour images of 32x32 pixels (Krizhevsky 2009), in the official binary layout.

Each of its six files has 10,000 records of 3,073 bytes: the label, then 32x32 pixels of red, of green and of blue.
"""

from pathlib import Path

import numpy as np

from .checks import DataError
from .dataset import Dataset, from_arrays
from .download import cache_folder, check_whole, download, find
from .mapped import mapped
from .source import File, Source

SOURCE = Source(
    classes=tuple("airplane automobile bird cat deer dog frog horse ship truck".split()),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    licence="none stated; the page of the data set asks to cite the report",
    citation="Krizhevsky: Learning multiple layers of features from tiny images. Technical report, University of Toronto, 2009",
    files=(
        File(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
)
FOLDER = "cifar-10-batches-bin"  # in the archive, or unpacked by the user
PARTS = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
IN_PART, PIXELS = 10_000, 3 * 32 * 32
UNPACKED = "a0546053b6069300"  # `_digest` of the archive's six files
VALIDATION = 10  # percent: 45,000 images train and 5,000 choose, as in He et al. 2016, section 4.2


def load() -> Dataset:
    """CIFAR-10 from `$TINYCOMPRESS_DATA/cifar10/`, which holds the archive or its folder, else downloaded.

    The first load writes the images as float32 into the user's cache (0.74 GB), from where every load maps them. The archive's
    size and checksum are checked; unpacked files that differ from those in the archive are loaded, and `origin` says so.
    """
    (archive,) = SOURCE.files
    place = find("cifar10", (FOLDER, archive.name))
    if place is not None and place.is_dir():
        digest = _digest(place)
        return mapped(_mapped_at(digest), lambda: _unpacked(place, published=digest == UNPACKED))
    if place is not None:
        check_whole(place, archive)

    def from_archive():
        return _packed(place or download("cifar10", archive, SOURCE.mirrors, needed=f"{archive.name}"))

    return mapped(_mapped_at(archive.sha256[:16]), from_archive)


def _mapped_at(digest: str) -> Path:
    return cache_folder("cifar10") / f"{digest}-{VALIDATION}"


def _unpacked(folder: Path, published: bool) -> Dataset:
    records = [_records((folder / part).read_bytes(), folder / part) for part in PARTS]
    return _dataset(records, folder, "" if published else f"pixels of {FOLDER}/, which differ from the published ones")


def _packed(archive: Path) -> Dataset:
    import tarfile

    found = {}
    with tarfile.open(archive, "r:gz") as content:  # one pass, in the archive's order
        for member in content:
            part = Path(member.name).name
            if part in PARTS and member.isfile():
                found[part] = _records(content.extractfile(member).read(), archive / part)
    if missing := [part for part in PARTS if part not in found]:
        raise DataError(f"{archive} has no {', '.join(missing)}; get it again")
    return _dataset([found[part] for part in PARTS], archive)


def _records(raw: bytes, path: Path) -> np.ndarray:
    expected = IN_PART * (1 + PIXELS)
    if len(raw) != expected:
        state = "cut short" if len(raw) < expected else "too long"
        raise DataError(f"{path} is {state}: {len(raw):,} bytes, expected {expected:,}; get it again")
    return np.frombuffer(raw, np.uint8).reshape(IN_PART, 1 + PIXELS)


def _dataset(records: list[np.ndarray], path: Path, origin: str = "") -> Dataset:
    arrays = []
    for split, parts in ("training", records[:-1]), ("test", records[-1:]):
        together = np.concatenate(parts)
        labels, pixels = together[:, 0], together[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        counts, expected = np.bincount(labels, minlength=10), len(labels) // 10
        if len(counts) != 10 or (counts != expected).any():
            raise DataError(
                f"{path} is not CIFAR-10: the {split} labels occur {counts.tolist()} times, expected {expected} times for "
                "each of 10 classes; get it again"
            )
        arrays += [pixels, labels]
    return from_arrays("cifar10", *arrays, SOURCE.classes, origin, VALIDATION)


def _digest(folder: Path) -> str:
    """A name for what the six files hold now. Raises DataError if one is not there."""
    import hashlib

    whole = hashlib.sha256()
    for part in PARTS:
        if not (folder / part).is_file():
            raise DataError(f"{folder} has no {part}; unpack {SOURCE.files[0].name} again")
        with open(folder / part, "rb") as content:
            whole.update(hashlib.file_digest(content, "sha256").digest())
    return whole.hexdigest()[:16]
