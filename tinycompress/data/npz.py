"""Your own data set: four arrays in an `.npz` file."""

import zlib
from pathlib import Path

import numpy as np

from .checks import DataError
from .dataset import Dataset, from_arrays


def load(path: Path) -> Dataset:
    """The data set in this file. Raises DataError for a damaged file or missing arrays, FileNotFoundError for a missing file."""
    from zipfile import BadZipFile

    expected = ("x_train", "y_train", "x_test", "y_test")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds one bare array")
        with archive:
            found = archive.files
            arrays = {key: archive[key] for key in expected if key in found}
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path} in {path.absolute().parent}") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, expected a file; write it with np.savez") from None
    except (ValueError, EOFError, BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            fix = "save labels as y.astype(str) or as integers, and images of one size in one array of numbers"
            raise DataError(f"{path} has arrays of Python objects, which are not read; {fix}") from error
        fix = f"write it with np.savez(path, {', '.join(f'{key}=...' for key in expected)})"
        raise DataError(f"{path} is not a whole .npz of plain arrays ({error}); {fix}") from error
    missing = [key for key in expected if key not in arrays]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}; it has {', '.join(found) or 'nothing'}")
    return from_arrays(path.name, *(arrays[key] for key in expected))
