"""Data: the UCI digits, MNIST, Fashion-MNIST, CIFAR-10 or an `.npz` of your own, split in one fixed way and checked.

    data = load("digits")
    x, y = data.train
    print(sources())                     where the data sets come from, their licences, and whom to cite

One rule splits every source, so that two people with the same data train and test on the same images. The
test split is that of the source; for the digits, which have none, it is a quarter of every class. Of the
training images, 15 % of every class (of CIFAR-10 10 %, as in He et al. 2016) become the validation split,
on which hyper-parameters are chosen.
"""

import os
from pathlib import Path

from ..text import did_you_mean, names
from . import cifar10, digits, fashion_mnist, idx, mnist, npz
from .augment import cutout, mean_colour, mirror, shift, window
from .checks import DataError
from .dataset import VALIDATION_PERCENT, VALIDATION_SEED, Dataset
from .idx import IDX_FILES
from .source import File, Source, described

__all__ = [
    "IDX_FILES",
    "LOADERS",
    "SOURCES",
    "VALIDATION_PERCENT",
    "VALIDATION_SEED",
    "DataError",
    "Dataset",
    "File",
    "Source",
    "cutout",
    "load",
    "mean_colour",
    "mirror",
    "shift",
    "sources",
    "window",
]

# A data set is a file in this folder, a line in SOURCES and, unless its files are IDX, a line in LOADERS.
SOURCES = {
    "digits": digits.SOURCE,
    "mnist": mnist.SOURCE,
    "fashion_mnist": fashion_mnist.SOURCE,
    "cifar10": cifar10.SOURCE,
}
LOADERS = {"digits": digits.load, "cifar10": cifar10.load}


def sources() -> str:
    """Each public data set's address, licence and citation, and the size and the checksum of its files, as text."""
    return described(SOURCES)


def load(name: str | os.PathLike = "digits") -> Dataset:
    """The data set of that name, or in that file.

    - `"digits"`: 1,797 handwritten digits of 8x8 pixels, 17 grey levels (Alpaydin & Kaynak 1998, UCI), from
      scikit-learn's wheel: no network. The same people wrote training and test digits.
    - `"mnist"` (LeCun et al. 1998), `"fashion_mnist"` (Xiao et al. 2017): 60,000 + 10,000 images of 28x28
      pixels in four IDX files, plain or compressed (.gz). They are read from `$TINYCOMPRESS_DATA/<name>/` if that
      folder is there, else downloaded once into the user's cache, where only whole, checksummed files arrive.
    - `"cifar10"` (Krizhevsky 2009): 50,000 + 10,000 colour images of 32x32 pixels in the binary layout: the archive or its
      unpacked folder in `$TINYCOMPRESS_DATA/cifar10/`, else downloaded. Its arrays are mapped from the user's cache.
    - a path to an `.npz` with x_train, y_train, x_test, y_test. Images are grey (N, H, W) or (N, H, W, 1), or
      colour (N, H, W, 3). Labels are integers 0..K-1 or names (strings), each of which occurs in y_train. Other
      arrays are ignored.

    Pixels are scaled by what they hold, in all splits and channels alike. Booleans, integers that are 0 or 1,
    and floats in [0, 1] stay as they are; uint8 are divided by 255 if they reach 128 in x_train and in x_test.
    The scale of anything else would be a guess (integers up to 16 or 65535, floats up to 255 or from -1, splits with
    different scales, floats all below 1.5 / 255), so it is refused; the error gives the expressions to save instead.

    Raises DataError (a ValueError) for an unknown name and for data that fail a check, TypeError for anything but a name
    or a path, FileNotFoundError for a missing file, and another OSError (mostly ConnectionError) where a download is needed
    and fails.

    >>> load("digits")
    <Dataset digits: 8x8x1 images, 10 classes, 1145 train, 201 val, 451 test>
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(f"load takes the name of a data set, or a path to an .npz; got {type(name).__name__}")
    if name in LOADERS:
        return LOADERS[name]()
    if name in SOURCES:
        return idx.load(name, SOURCES)
    path = Path(name).expanduser()
    if path.suffix.lower() == ".npz":
        return npz.load(path)
    known = [*dict.fromkeys((*SOURCES, *LOADERS))]
    if path.exists():
        raise DataError(f"{path} is not an .npz file; give an .npz, or one of the names {', '.join(known)}")
    hint = did_you_mean(str(name), known) or "."
    raise DataError(f"no data set {str(name)!r}{hint} Known: {', '.join(known)}, or a path to an .npz")


names.answer()
