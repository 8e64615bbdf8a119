"""The images of a challenge: those that students get, and those that they do not."""

import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..course.exercise import CourseProblem
from ..data import DataError, Dataset, load
from ..data.dataset import hold_out
from ..files import whole_file

DATA, SECRET = "data.npz", "secret.npz"


@dataclass(frozen=True, eq=False)
class Half:
    """Half of the test images (N, H, W, C), float32 from 0 to 1, and their labels (N,)."""

    x: np.ndarray
    y: np.ndarray


def split(dataset: Dataset, seed: int | None = None) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The arrays of the two files: students' data.npz, with every second test image of each class, and the staff's
    secret.npz. Which images are secret is drawn anew for every challenge, unless a seed is given."""
    public, secret = hold_out(dataset.y_test, 50, secrets.randbits(63) if seed is None else seed)
    order = np.random.default_rng(seed).permutation(len(secret))  # else the order would say which images are missing
    x, y = np.concatenate([dataset.x_train, dataset.x_val]), np.concatenate([dataset.y_train, dataset.y_val])
    students = {"x_train": x, "y_train": y, "x_test": dataset.x_test[public], "y_test": dataset.y_test[public]}
    staff = {"x": dataset.x_test[secret][order], "y": dataset.y_test[secret][order]}
    grey = all(_is_bytes(array) for array in (x, dataset.x_test))  # in all splits alike: `load` decides by them
    pack = _as_bytes if grey else np.asarray
    return {k: pack(v) if k[0] == "x" else v for k, v in students.items()}, staff


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as a compressed .npz, completely or not at all."""
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)


def public_data(folder: Path) -> Dataset:
    """The data that students have: training and validation images, and the public half as its test split."""
    try:
        return load(folder / DATA)
    except (OSError, DataError) as error:
        raise CourseProblem(f"{folder / DATA}: {error}; `tinycompress challenge new` writes it") from error


def public_half(folder: Path) -> tuple[Half, int]:
    """The public half and the number of classes."""
    dataset = public_data(folder)
    return Half(*dataset.test), dataset.num_classes


def secret_half(folder: Path) -> Half:
    """The secret half. Raises CourseProblem in a folder that does not have it, such as a student's."""
    path = folder / SECRET
    try:
        with np.load(path, allow_pickle=False) as found:
            return Half(found["x"], found["y"])
    except FileNotFoundError:
        raise CourseProblem(
            f"{folder} has no {SECRET}: this is the students' folder, where `tinycompress challenge check FILE` tells what a "
            "file is worth on the public images; the staff give the folder that has it with --folder"
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise CourseProblem(f"{path} is damaged ({error}); restore it, and never draw another half") from error


def _as_bytes(x: np.ndarray) -> np.ndarray:
    return np.rint(x * 255).astype(np.uint8)


def _is_bytes(x: np.ndarray) -> bool:
    """Whether the pixels are grey levels of 8 bits, which take a quarter of the room."""
    return x.max() >= 128 / 255 and np.array_equal(np.divide(_as_bytes(x), np.float32(255), dtype=np.float32), x)
