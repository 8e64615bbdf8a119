"""A data set whose arrays lie in files that are mapped into memory: a process holds what it touches, and several share it."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np

from .dataset import Dataset


def mapped(folder: Path, make: Callable[[], Dataset]) -> Dataset:
    """The data set in `folder`. If it is not there, or a file is cut short, it is made and written there first.

    The folder gets its name only once all its files are written. If it cannot be written, the arrays stay in memory.
    Changes to the arrays stay in this process.
    """
    found = _read(folder)
    if found is None:
        found = make()
        try:
            _write(folder, found)
        except OSError:  # no room, no permission, or another process was faster
            pass
    return _read(folder) or found


def _read(folder: Path) -> Dataset | None:
    try:
        about = json.loads((folder / "about.json").read_text())
        # "c": writable, so that kernels need no second form for arrays that are not, but never written to the file.
        arrays = {name: np.load(folder / f"{name}.npy", "c", allow_pickle=False) for name in _arrays()}
    except (OSError, ValueError, EOFError, KeyError):  # not there, empty, or shorter than its header says
        return None
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    return Dataset(**arrays, **about | {"classes": tuple(about["classes"])})


def _write(folder: Path, dataset: Dataset) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        for name in _arrays():
            np.save(unfinished / f"{name}.npy", getattr(dataset, name))
        about = {"name": dataset.name, "classes": dataset.classes, "origin": dataset.origin}
        (unfinished / "about.json").write_text(json.dumps(about))
        if _read(folder) is None:  # else another process was faster
            shutil.rmtree(folder, ignore_errors=True)  # damaged
            os.rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _arrays() -> list[str]:
    return [field.name for field in fields(Dataset) if field.name.startswith(("x_", "y_"))]
