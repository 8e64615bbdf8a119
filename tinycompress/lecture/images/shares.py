"""Shares of test images, which know what they would be without some of the images.

All nets of a claim are tested on the same images, and these are a sample, which leaves a doubt (`images.doubt`). To tell how
much, a `Share` knows what it would be without each tenth of the images, and rows keep that.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...nn import Module
from ...training import predict

WITHOUT = "without_images"  # key of a row -> {key of a share: the share without each group of images}
IMAGES = "test_images"  # key of a row that has shares -> [test images, those of the smallest class]
GROUPS = 10


class Share(float):
    """A percentage of test images. without (GROUPS,): the same without each group of the images."""

    without: np.ndarray

    def __new__(cls, value: float, without: np.ndarray):
        share = super().__new__(cls, value)
        share.without = without
        return share

    def __getnewargs__(self):
        return float(self), self.without

    def mapped(self, function: Callable[[float], float]) -> "Share":
        """function(share), which is made of the same images."""
        return Share(function(float(self)), np.array([function(value) for value in self.without]))

    @property
    def rest(self) -> "Share":
        """100 % minus the share: the error, if this is an accuracy."""
        return self.mapped(lambda value: 100 - value)


def groups_of(images: int) -> np.ndarray:
    """The group of each image (images,): every tenth one in a random order, which is always the same."""
    return np.random.default_rng(0).permutation(images) % GROUPS


def percent_of(counts: np.ndarray, among: np.ndarray | None = None, group: np.ndarray | None = None) -> Share:
    """The percentage of test images that count.

    counts (N,): whether each counts, or how much; 1 is whole. among (N,): the images that are asked, by default all. group (N,),
    or (N, k) if each count rests on k images: their groups, by default `groups_of(N)`. Raises ValueError if no image is asked.
    """
    counts = np.asarray(counts, float)
    asked = np.ones(len(counts), bool) if among is None else among
    if not asked.any():
        raise ValueError(f"none of the {len(counts)} test images is asked; leave out the share")
    group = (groups_of(len(counts)) if group is None else group).reshape(len(counts), -1)
    value = 100 * counts[asked].mean()
    left = [counts[asked & (group != g).all(1)] for g in range(GROUPS)]
    return Share(value, np.array([100 * some.mean() if len(some) else value for some in left]))


def mean_of(shares: Iterable[Share]) -> Share:
    """The mean of several shares of the same test images."""
    shares = list(shares)
    return Share(float(np.mean(shares)), np.mean([one.without for one in shares], axis=0))


def accuracy_on(net: Module, split: tuple[np.ndarray, np.ndarray]) -> Share:
    """The accuracy (%) of a net on a split (images, labels)."""
    x, labels = split
    return percent_of(predict(net, x).argmax(1) == labels)


def kept_in_row(row: dict[str, Any]) -> dict[str, dict]:
    """What a row keeps of its shares, and of its lists of shares. Raises TypeError for a list of which only a part are shares."""
    found = {}
    for key, value in row.items():
        several = value if isinstance(value, list | tuple) else [value]
        which = [isinstance(one, Share) for one in several]
        if any(which) and not all(which):
            raise TypeError(f"{key!r} mixes shares of test images with other values; make all of them shares, or none")
        if any(which):
            rounded = np.stack([one.without for one in several], axis=1).round(3)  # (GROUPS, shares)
            found[key] = (rounded if several is value else rounded[:, 0]).tolist()
    return {WITHOUT: found} if found else {}
