"""The IDX format of MNIST and its kin: four files, each a header with the array's shape and then its bytes."""

import zlib
from math import prod
from pathlib import Path

import numpy as np

from .checks import DataError
from .dataset import Dataset, from_arrays
from .download import download, find
from .source import Source

IDX_FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


def load(name: str, sources: dict[str, Source]) -> Dataset:
    """The data set `name`; the other sources are used to recognise their files in its place."""
    source, arrays = sources[name], []
    for index, file in enumerate(IDX_FILES):
        path = find(name, (file, f"{file}.gz")) or download(
            name, source.files[index], source.mirrors, needed="four IDX files"
        )
        raw = _unpack(path)
        arrays.append(_parse(raw, path, axes=3 if "images" in file else 1))
        _check_origin(raw, path, name, index, sources)
    return from_arrays(name, *arrays, source.classes)


def _unpack(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix != ".gz":
        return raw
    import gzip

    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        begin = f"{len(raw)} bytes beginning with {raw[:4]!r}"
        raise DataError(f"{path} is not a whole gzip file: {begin} ({error}); get it again") from error


def _parse(raw: bytes, path: Path, axes: int) -> np.ndarray:
    """The uint8 array of an IDX file: bytes 0, 0, 8 (uint8), axes; the sizes, big-endian; the elements."""
    magic, header = bytes((0, 0, 8, axes)), 4 + 4 * axes
    if len(raw) >= 4 and raw[:4] != magic:
        kind = "images" if axes == 3 else "labels"
        raise DataError(f"{path} is not IDX {kind}: it begins with {raw[:4].hex()}, expected {magic.hex()}")
    shape = [int.from_bytes(raw[at : at + 4], "big") for at in range(4, header, 4)]
    expected = header + prod(shape) if len(raw) >= header else header
    if len(raw) != expected:
        state = "cut short" if len(raw) < expected else "longer than its header says"
        raise DataError(f"{path} is {state}: {len(raw)} bytes unpacked, expected {expected}; get it again")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def _check_origin(raw: bytes, path: Path, name: str, index: int, sources: dict[str, Source]) -> None:
    """Refuse a wrong checksum, and a file of another source: theirs have the same names and sizes."""
    import hashlib

    digest = hashlib.sha256(raw).hexdigest()
    known = sources[name].unpacked
    if known and digest != known[index]:
        found = f"its SHA-256 unpacked is {digest}, expected {known[index]}"
        raise DataError(f"{path} is not the {IDX_FILES[index]} of {name}: {found}; get it again")
    for other, source in sources.items():
        if other != name and digest in source.unpacked:
            raise DataError(f"{path} is a file of {other}, not of {name}; put {name}'s file there")
