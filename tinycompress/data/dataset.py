"""Data: the UCI digits, MNIST, Fashion-MNIST or an `.npz` of your own, split in one fixed way and checked.

    data = load("digits")
    x, y = data.train

One rule splits every source, so that two people with the same data train and test on the same images. The
test split is the source's own; the digits have none, so a quarter of every class becomes it. Of what is left
for training, 15 % of every class becomes the validation split, on which hyper-parameters are chosen.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path

import numpy as np

TEST_PERCENT, TEST_SEED = 25, 25  # of a source without a test split
VALIDATION_PERCENT, VALIDATION_SEED = 15, 15
OVERSHOOT = 0.05  # by how much of its scale an image that was resized may exceed it
DARKEST = 1.5 / 255  # below, floats were divided by 255 once too often: one grey level of 8 bits at most


class DataError(ValueError):
    """Data that are not what they should be: a damaged or foreign file, a wrong shape, type or range."""


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

    @property
    def train(self) -> tuple[np.ndarray, np.ndarray]:
        return self.x_train, self.y_train

    @property
    def val(self) -> tuple[np.ndarray, np.ndarray]:
        return self.x_val, self.y_val

    @property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        return self.x_test, self.y_test

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.x_train.shape[1:]

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def __repr__(self) -> str:
        sizes = f"{len(self.y_train)} train, {len(self.y_val)} val, {len(self.y_test)} test"
        return f"<Dataset {self.name}: {_by(self.image_shape)} images, {self.num_classes} classes, {sizes}>"


def load(name: str | os.PathLike = "digits") -> Dataset:
    """The data set of that name, or in that file.

    - `"digits"`: 1,797 handwritten digits of 8x8 pixels, 17 grey levels (Alpaydin & Kaynak 1998, UCI), from
      scikit-learn's wheel: no network. The same people wrote training and test digits.
    - `"mnist"` (LeCun et al. 1998), `"fashion_mnist"` (Xiao et al. 2017): 60,000 + 10,000 images of 28x28
      pixels in four IDX files, packed (.gz) or not. They are read from `$TINYCOMPRESS_DATA/<name>/` if that
      folder is there, else downloaded once into the user's cache, where only whole, checksummed files arrive.
    - a path to an `.npz` with x_train, y_train, x_test, y_test. Images are grey (N, H, W) or (N, H, W, 1), or
      colour (N, H, W, 3). Labels are integers 0..K-1, each of which occurs in y_train. Other arrays are ignored.

    Pixels are scaled by what they hold, in all splits and channels alike. Booleans, integers that are 0 or 1,
    and floats in [0, 1] stay as they are; uint8 are divided by 255 if they reach 128 in x_train and in x_test.
    The scale of anything else would be a guess (integers to 16 or 65535, floats to 255 or from -1 on, splits of
    two scales, floats all below 1.5 / 255): it is refused, with the expressions to save instead.

    Raises DataError (a ValueError) for an unknown name and for data that fail a check, FileNotFoundError for
    a missing file, and another OSError (mostly ConnectionError) where a download is needed and fails.
    """
    if name == "digits":
        return _load_digits()
    if name in IDX_SOURCES:
        return _load_idx(name)
    path = Path(name).expanduser()
    if path.suffix == ".npz":
        return _load_npz(path)
    known = ["digits", *IDX_SOURCES]
    if path.exists():
        raise DataError(f"{path} is not an .npz file; give an .npz, or one of the names {', '.join(known)}")
    import difflib

    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise DataError(f"no data set {str(name)!r}{hint} Known: {', '.join(known)}, or a path to an .npz")


def shift(x: np.ndarray, rng: np.random.Generator, pixels: int = 1) -> np.ndarray:
    """Each image of `x` (N, H, W, C) moved by its own random -pixels..pixels rows and columns; a new array.

    What leaves the frame is lost; zeros come in on the other side. Raises ValueError for another number of
    axes and for negative pixels.
    """
    if x.ndim != 4 or pixels < 0:
        raise ValueError(f"shift takes images (N, H, W, C) and pixels >= 0; got {x.shape}, pixels={pixels}")
    top, left = rng.integers(0, 2 * pixels + 1, size=(2, len(x)))
    return window(x, top, left, pixels)


def window(x: np.ndarray, top, left, pixels: int = 1) -> np.ndarray:
    """The part of each image of `x` (N, H, W, C), framed by so many pixels of zeros, that begins at its row `top` and
    column `left`, from 0 to 2 * pixels: integers (N,), or one for all. A new array (N, H, W, C)."""
    n, h, w, c = x.shape
    padded = np.zeros((n, h + 2 * pixels, w + 2 * pixels, c), x.dtype)
    padded[:, pixels : pixels + h, pixels : pixels + w] = x
    windows = np.lib.stride_tricks.sliding_window_view(padded, (h, w), axis=(1, 2))
    # With the channels last before it selects, NumPy copies whole images in the order they have in memory.
    return np.moveaxis(windows, 3, -1)[np.arange(n), top, left]


# ---- from four arrays to a Dataset ----


def _dataset(name: str, x_train, y_train, x_test, y_test, classes=None) -> Dataset:
    """Check the arrays, take the validation split out of the training split, and scale the pixels."""
    x_train, x_test = _check_images(x_train, f"{name}: x_train"), _check_images(x_test, f"{name}: x_test")
    y_train, y_test = _check_labels(y_train, f"{name}: y_train"), _check_labels(y_test, f"{name}: y_test")
    for split, x, y in ("train", x_train, y_train), ("test", x_test, y_test):
        if len(x) != len(y):
            raise DataError(f"{name}: x_{split} has {len(x)} images, y_{split} {len(y)} labels; pair them")
    train_size, test_size = _by(x_train.shape[1:]), _by(x_test.shape[1:])
    if train_size != test_size:
        raise DataError(f"{name}: training images are {train_size}, test images {test_size}; resize them")
    classes = _check_classes(name, y_train, y_test, classes)
    kept, held = _hold_out(y_train, VALIDATION_PERCENT, VALIDATION_SEED)
    if len(held) == 0:
        empty = f"the validation split, {VALIDATION_PERCENT} % of every class, would be empty"
        raise DataError(f"{name}: {empty}; give at least 4 training images of some class")
    white = _common_white(name, x_train, x_test)
    x_train, x_val, x_test = (_scale(x, white) for x in (x_train[kept], x_train[held], x_test))
    y_train, y_val = y_train[kept].astype(np.int64), y_train[held].astype(np.int64)
    return Dataset(name, x_train, y_train, x_val, y_val, x_test, y_test.astype(np.int64), classes)


def _hold_out(labels: np.ndarray, percent: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices (kept, held): `percent` % of every class are held, in whole images, by seeded chance."""
    # Raw bits are the one part of numpy.random promised never to change, so the split outlives every NumPy.
    tickets = np.random.PCG64(seed).random_raw(len(labels))
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = (percent * len(members) + 50) // 100
        held[members[np.argsort(tickets[members])[:count]]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _scale(x: np.ndarray, white: int) -> np.ndarray:
    return np.divide(np.ascontiguousarray(x), np.float32(white), dtype=np.float32)


def _by(shape) -> str:
    return "x".join(map(str, shape))


# ---- checks ----


def _check_images(x: np.ndarray, what: str) -> np.ndarray:
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
        return f"; if each row is an image laid flat, save x.reshape(-1, {sizes})"
    if len(shape) == 4 and shape[1] in (1, 3):
        return "; if its channels come first, save x.transpose(0, 2, 3, 1)"
    return ""


def _check_labels(y: np.ndarray, what: str) -> np.ndarray:
    """`y`, if it is (N,) integers, none negative."""
    if y.ndim != 1:
        mend = "y.argmax(1), if its rows are one-hot" if y.ndim == 2 and y.shape[1] > 1 else "y.ravel()"
        raise DataError(f"{what} has shape {y.shape}, expected (N,), one integer an image; save {mend}")
    if y.dtype.kind not in "iu":
        mend = "np.unique(y, return_inverse=True)[1]" if y.dtype.kind in "US" else "y.astype(np.int64)"
        raise DataError(f"{what} has labels of type {y.dtype}, expected integers; save {mend}")
    if y.size and y.min() < 0:
        raise DataError(f"{what} has the negative label {y.min()}; number the classes from 0")
    return y


def _check_classes(name: str, y_train: np.ndarray, y_test: np.ndarray, classes) -> tuple[str, ...]:
    """The names of the classes, given or "0", "1", ...; the labels must number them without a gap."""
    seen = np.unique(y_train)
    classes = tuple(map(str, range(len(seen)) if classes is None else classes))
    k = len(classes)
    for split, labels in ("train", seen), ("test", np.unique(y_test)):
        if labels[-1] >= k:
            mend = "number the classes 0, 1, 2, ... without a gap, each in y_train"
            raise DataError(f"{name}: y_{split} has the label {labels[-1]}, expected 0..{k - 1}; {mend}")
    if len(seen) < max(2, k):
        raise DataError(f"{name}: y_train has only the labels {seen.tolist()}, expected {max(2, k)} classes")
    return classes


def _common_white(name: str, x_train: np.ndarray, x_test: np.ndarray) -> int:
    """The pixel value that becomes 1 in every split: 1 or 255. Raises DataError where it is in doubt."""
    types, lows, highs = zip(*((x.dtype, x.min().item(), x.max().item()) for x in (x_train, x_test)), strict=True)
    whites = list(map(_white, types, lows, highs))
    if whites[0] == whites[1] is not None:
        return whites[0]
    train, test = map("{} pixels from {:g} to {:g}".format, types, lows, highs)
    small, large = sorted(map(max, highs, (-low for low in lows)))
    if 1 not in whites and types[0] == types[1] and large <= 4 * small:  # one scale, which one split does not exhaust
        lows, highs = [min(lows)] * 2, [max(highs)] * 2
    splits = zip(("x_train", "x_test"), whites, lows, highs, strict=True)
    mends = " and ".join(_mend(*split) for split in splits if split[1] != 1)
    other = "or undo a standardisation" if min(lows) < 0 else "or divide by what white is (255 in 8-bit images)"
    expected = "expected in both [0, 1], or uint8 that reach 128"
    raise DataError(f"{name}: x_train has {train}, x_test has {test}, {expected}; save {mends} in an .npz; {other}")


def _white(dtype: np.dtype, low: float, high: float) -> int | None:
    """What is beyond doubt the value of white among pixels of this type and range, or None."""
    if low >= 0 and DARKEST <= high <= 1:
        return 1
    return 255 if dtype == np.uint8 and high >= 128 else None


def _mend(x: str, white: int | None, low: float, high: float) -> str:
    """The expression that brings the array called `x`, with pixels from low to high, into [0, 1]."""
    if low < -OVERSHOOT * high:
        return f"({x} + {_end(-low)}.0) / {_end(-low) + _end(max(high, 0))}"
    beyond = low < 0 or 1 < high <= 1 + OVERSHOOT
    end = white or (high if high < DARKEST else _end(high / (1 + OVERSHOOT) if beyond else high))
    quotient = x if end == 1 else f"{x} / {end}"
    return f"np.clip({quotient}, 0, 1)" if beyond else quotient


def _end(high: float) -> int:
    """The likely end of a scale on which `high` occurs: 2^n - 1, as 255, or a whole number, as 1, 16 or 100."""
    end = ceil(high)
    return end if end in (10, 100, 1000) or end & (end - 1) == 0 else 2 ** end.bit_length() - 1


# ---- the digits, and files of your own ----


def _load_digits() -> Dataset:
    from sklearn.datasets import load_digits

    source = load_digits()
    x, y = source.images / 16, source.target
    train, test = _hold_out(y, TEST_PERCENT, TEST_SEED)
    return _dataset("digits", x[train], y[train], x[test], y[test])


def _load_npz(path: Path) -> Dataset:
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
    except (ValueError, EOFError, BadZipFile, zlib.error) as error:
        mend = f"write it with np.savez(path, {', '.join(f'{key}=...' for key in expected)})"
        raise DataError(f"{path} is not a whole .npz of plain arrays ({error}); {mend}") from error
    missing = [key for key in expected if key not in arrays]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}; it has {', '.join(found) or 'nothing'}")
    return _dataset(path.name, *(arrays[key] for key in expected))


# ---- IDX files: MNIST and its kin ----

IDX_FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


@dataclass(frozen=True)
class IdxSource:
    """Where the IDX_FILES come from, and their SHA-256 as published (.gz) and unpacked (empty: unknown)."""

    classes: tuple[str, ...]
    mirrors: tuple[str, ...]
    packed: tuple[str, ...]
    unpacked: tuple[str, ...] = ()


IDX_SOURCES = {
    "mnist": IdxSource(
        classes=tuple("0123456789"),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        packed=(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        unpacked=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion_mnist": IdxSource(
        classes=("T-shirt/top", *"Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag".split(), "Ankle boot"),
        mirrors=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        packed=(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
}


def _load_idx(name: str) -> Dataset:
    source, arrays = IDX_SOURCES[name], []
    for index, file in enumerate(IDX_FILES):
        path = _find(name, file) or _download(name, file, source.packed[index])
        raw = _unpack(path)
        arrays.append(_parse_idx(raw, path, axes=3 if "images" in file else 1))
        _check_origin(raw, path, name, index)
    return _dataset(name, *arrays, source.classes)


def _find(name: str, file: str) -> Path | None:
    """The file in $TINYCOMPRESS_DATA/<name>, or None where there is no such folder."""
    setting = os.environ.get("TINYCOMPRESS_DATA")
    if not setting:
        return None
    root = Path(setting).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"TINYCOMPRESS_DATA={setting} is no folder; set it to the parent of {name}/")
    folder = root / name
    if not folder.is_dir():
        return None
    for path in folder / file, folder / f"{file}.gz":
        if path.is_file():
            return path
    raise FileNotFoundError(f"{folder} (TINYCOMPRESS_DATA) has neither {file} nor {file}.gz; put one there")


def _download(name: str, file: str, sha256: str) -> Path:
    """The packed file in the user's cache folder, where the first mirror that works puts it if need be."""
    import pooch

    folder, reasons = pooch.os_cache("tinycompress") / name, []
    hint = (
        f"Without network, put its four IDX files into a folder {name}/ and set TINYCOMPRESS_DATA to the "
        "parent of that folder, or use 'digits', which needs no download"
    )
    for mirror in IDX_SOURCES[name].mirrors:
        host = mirror.split("/")[2]
        try:
            # pooch writes to a temporary file, which gets this name only once its checksum is right.
            path = pooch.retrieve(
                f"{mirror}{file}.gz",
                known_hash=f"sha256:{sha256}",
                fname=f"{file}.gz",
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=True, timeout=30),
            )
            return Path(path)
        except PermissionError as error:
            raise PermissionError(f"cannot write the cache folder {folder}. {hint}") from error
        except OSError as error:  # among them whatever requests raises
            reasons.append(f"{host}: {type(error).__name__}")
        except ValueError:
            reasons.append(f"{host}: wrong checksum, cut short or another page")
    raise ConnectionError(f"could not download {file}.gz of {name} ({'; '.join(reasons)}). {hint}")


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


def _parse_idx(raw: bytes, path: Path, axes: int) -> np.ndarray:
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


def _check_origin(raw: bytes, path: Path, name: str, index: int) -> None:
    """Refuse a wrong checksum, and a file of another source: theirs have the same names and sizes."""
    import hashlib

    digest = hashlib.sha256(raw).hexdigest()
    known = IDX_SOURCES[name].unpacked
    if known and digest != known[index]:
        found = f"its SHA-256 unpacked is {digest}, expected {known[index]}"
        raise DataError(f"{path} is not the {IDX_FILES[index]} of {name}: {found}; get it again")
    for other, source in IDX_SOURCES.items():
        if other != name and digest in source.unpacked:
            raise DataError(f"{path} is a file of {other}, not of {name}; put {name}'s file there")
