"""What makes two runs the same: the sources, the data, and the versions of Python, NumPy and Numba."""

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..data import Dataset


@functools.cache
def source_hash() -> str:
    """SHA-256 of every Python file of this package, names included."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def fingerprint(data: str) -> str:
    """The first 16 hex digits of the SHA-256 of a data set's arrays; raises what `tinycompress.data.load` raises."""
    from ..data import load

    return fingerprint_of(load(data))


@functools.lru_cache(maxsize=4)  # half a second for colour images
def fingerprint_of(dataset: "Dataset") -> str:
    digest = hashlib.sha256()
    for array in (*dataset.train, *dataset.val, *dataset.test):
        digest.update(f"{array.dtype} {array.shape}\0".encode())
        digest.update(array)
    return digest.hexdigest()[:16]


def versions() -> list[str]:
    import platform
    from importlib.metadata import version

    return [platform.python_version(), version("numpy"), version("numba")]
