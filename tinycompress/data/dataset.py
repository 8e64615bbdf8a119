"""Images and labels in three splits, made from four arrays: checked, split in one fixed way, and scaled."""

from dataclasses import dataclass

import numpy as np

from ..text import html_table
from ..text.names import by_name
from .checks import DataError, check_classes, check_images, check_labels, numbered
from .pixels import common_white, scale

VALIDATION_PERCENT, VALIDATION_SEED = 15, 15


@by_name("train", "val", "test")
@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images (N, H, W, C), float32 in [0, 1], and labels (N,), int64 in 0..num_classes-1, in three splits."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    origin: str = ""  # what is known about the files, where that matters

    @property
    def train(self) -> tuple[np.ndarray, np.ndarray]:
        """The training images (N, H, W, C), float32, and their labels (N,)."""
        return self.x_train, self.y_train

    @property
    def val(self) -> tuple[np.ndarray, np.ndarray]:
        """The validation images and labels, on which settings are chosen."""
        return self.x_val, self.y_val

    @property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """The test images and labels, which serve only to report results."""
        return self.x_test, self.y_test

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.x_train.shape[1:]

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    def __repr__(self) -> str:
        sizes = f"{len(self.y_train)} train, {len(self.y_val)} val, {len(self.y_test)} test"
        origin = f"; {self.origin}" if self.origin else ""
        return f"<Dataset {self.name}: {_by(self.image_shape)} images, {self.num_classes} classes, {sizes}{origin}>"

    def _repr_html_(self) -> str:
        rows = []
        for split in "train", "val", "test":
            counts = np.bincount(getattr(self, split)[1], minlength=self.num_classes)
            rows.append([split, f"{counts.sum():,}", f"{counts.min():,} to {counts.max():,}"])
        of = f"{self.name}, {_by(self.image_shape)} pixels, {self.num_classes} classes"
        return html_table((of, "images", "of a class"), rows)


def from_arrays(
    name: str, x_train, y_train, x_test, y_test, classes=None, origin: str = "", percent: int = VALIDATION_PERCENT
) -> Dataset:
    """Check the arrays, split off `percent` of every class for validation, and scale the pixels. Raises DataError if a check
    fails."""
    x_train, x_test = check_images(x_train, f"{name}: x_train"), check_images(x_test, f"{name}: x_test")
    y_train, y_test = check_labels(y_train, f"{name}: y_train"), check_labels(y_test, f"{name}: y_test")
    for split, x, y in ("train", x_train, y_train), ("test", x_test, y_test):
        if len(x) != len(y):
            raise DataError(
                f"{name}: x_{split} has {len(x)} images, y_{split} {len(y)} labels; give one label per image"
            )
    if x_train.shape[1:] != x_test.shape[1:]:
        sizes = f"training images are {_by(x_train.shape[1:])}, test images {_by(x_test.shape[1:])}"
        alike = x_train.shape[1:3] == x_test.shape[1:3]
        raise DataError(f"{name}: {sizes}; {'give all the same channels' if alike else 'resize them'}")
    if {y_train.dtype.kind, y_test.dtype.kind} & {"U", "S"}:
        y_train, y_test, classes = numbered(name, y_train, y_test)
    classes = check_classes(name, y_train, y_test, classes)
    kept, held = hold_out(y_train, percent, VALIDATION_SEED)
    if len(held) == 0:
        empty = f"the validation split, {percent} % of every class, would be empty"
        raise DataError(f"{name}: {empty}; give at least {-(-50 // percent)} training images of one class")
    white = common_white(name, x_train, x_test)
    x_train, x_val, x_test = (scale(x, white) for x in (x_train[kept], x_train[held], x_test))
    y_train, y_val = y_train[kept].astype(np.int64), y_train[held].astype(np.int64)
    return Dataset(name, x_train, y_train, x_val, y_val, x_test, y_test.astype(np.int64), classes, origin)


def hold_out(labels: np.ndarray, percent: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted indices (kept, held): `percent` % of every class, rounded, are held out, drawn with `seed`."""
    # Raw bits are the only part of numpy.random guaranteed never to change, so the split is the same in every NumPy.
    tickets = np.random.PCG64(seed).random_raw(len(labels))
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = (percent * len(members) + 50) // 100
        held[members[np.argsort(tickets[members])[:count]]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _by(shape) -> str:
    return "x".join(map(str, shape))
