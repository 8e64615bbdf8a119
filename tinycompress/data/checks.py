"""Checks of images and labels; each error says what was given, what is expected and the likely fix."""

import numpy as np


class DataError(ValueError):
    """Data that are not what they should be: a damaged or foreign file, a wrong shape, type or range."""


def check_images(x: np.ndarray, what: str) -> np.ndarray:
    """`x` as (N, H, W, C), its pixels checked but not scaled yet."""
    if x.size == 0:
        raise DataError(f"{what} is empty: its shape is {x.shape}")
    if x.ndim != 3 and (x.ndim != 4 or x.shape[3] not in (1, 3)):
        wanted = "(N, H, W), (N, H, W, 1) or (N, H, W, 3)"
        raise DataError(f"{what} has shape {x.shape}, expected {wanted}{_shape_hint(x.shape)}")
    if x.dtype.kind not in "biuf":
        raise DataError(f"{what} has {x.dtype} pixels, expected real numbers; save floats in [0, 1]")
    if not x.any():
        raise DataError(f"{what} has {x.dtype} pixels that are all 0; put the images into the array and save it again")
    if x.dtype.kind == "f" and not np.isfinite([x.min(), x.max()]).all():
        raise DataError(f"{what} has {np.sum(~np.isfinite(x))} NaN or infinite pixels; repair or drop those images")
    return x[..., None] if x.ndim == 3 else x


def _shape_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        side = round(shape[1] ** 0.5)
        sizes = f"{side}, {side}" if side * side == shape[1] else "H, W"
        return f"; if each row is a flattened image, save x.reshape(-1, {sizes})"
    if len(shape) == 4 and shape[1] in (1, 3):
        return "; if its channels come first, save x.transpose(0, 2, 3, 1)"
    return ""


def check_labels(y: np.ndarray, what: str) -> np.ndarray:
    """`y`, if it is (N,) integers, none negative, or (N,) names of classes."""
    if y.ndim != 1:
        fix = "y.argmax(1), if its rows are one-hot" if y.ndim == 2 and y.shape[1] > 1 else "y.ravel()"
        raise DataError(f"{what} has shape {y.shape}, expected (N,), one label per image; save {fix}")
    if y.dtype.kind not in "iuUS":
        wanted = "expected integers or names; save y.astype(np.int64)"
        raise DataError(f"{what} has labels of type {y.dtype}, {wanted}")
    if y.dtype.kind in "iu" and y.size and y.min() < 0:
        raise DataError(f"{what} has the negative label {y.min()}; number the classes from 0")
    return y


def numbered(name: str, y_train: np.ndarray, y_test: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Class numbers for labels that are names, and the names, sorted. Numbered one by one, the splits might not agree."""
    if y_train.dtype.kind != y_test.dtype.kind:
        raise DataError(
            f"{name}: y_train has labels of type {y_train.dtype}, y_test of type {y_test.dtype}; save both alike"
        )
    classes = np.unique(y_train)
    if len(unknown := np.setdiff1d(y_test, classes)):
        raise DataError(
            f"{name}: y_test has the label {_text(unknown[0])!r}, which is not in y_train; each class must be there"
        )
    numbers = [np.searchsorted(classes, y) for y in (y_train, y_test)]
    return *numbers, tuple(map(_text, classes))


def _text(label) -> str:
    return label.decode(errors="replace") if isinstance(label, bytes) else str(label)


def check_classes(name: str, y_train: np.ndarray, y_test: np.ndarray, classes) -> tuple[str, ...]:
    """The names of the classes, given or "0", "1", ...; the labels must number them without a gap."""
    seen = np.unique(y_train)
    classes = tuple(map(str, range(len(seen)) if classes is None else classes))
    k = len(classes)
    for split, labels in ("train", seen), ("test", np.unique(y_test)):
        if labels[-1] >= k:
            fix = "number the classes 0, 1, 2, ... without a gap, each in y_train"
            raise DataError(f"{name}: y_{split} has the label {labels[-1]}, expected 0..{k - 1}; {fix}")
    if len(seen) < max(2, k):
        raise DataError(f"{name}: y_train has only the labels {seen.tolist()}, expected {max(2, k)} classes")
    return classes
