"""Shares of test images, and how far a finding would move on other images.

All nets of a claim are tested on the same images. These are a sample, and leave a doubt that no number of seeds removes. A
`Share` therefore knows what it would be without each tenth of the images. Rows keep that, and `doubt` computes any effect again
from it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..nn import Module
from ..training import predict
from ..workshop.interval import Verdict, verdict

WITHOUT = "without_images"  # key of a row -> {key of a share: the share without each group of images}
IMAGES = "test_images"  # key of a row that has shares -> [test images, those of the smallest class]
GROUPS = 10
SURE = 0.975  # the quantile of a 95 % interval's ends


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


def percent_of(images: np.ndarray, among: np.ndarray | None = None) -> Share:
    """The percentage of test images that count.

    images (N,): whether each counts, or how much; 1 is whole. among (N,): the images that are asked, by default all. A group is
    every tenth image of all N in a random order, which is always the same.
    """
    images = np.asarray(images, float)
    asked = np.ones(len(images), bool) if among is None else among
    group = np.random.default_rng(0).permutation(len(images)) % GROUPS
    value = 100 * images[asked].mean()
    left = [images[asked & (group != g)] for g in range(GROUPS)]
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
    """What a row keeps of its shares, and of its lists of shares, rounded to a hundredth of a point."""
    found = {}
    for key, value in row.items():
        several = value if isinstance(value, list | tuple) else [value]
        if several and all(isinstance(one, Share) for one in several):
            rounded = np.stack([one.without for one in several], axis=1).round(2)  # (GROUPS, shares)
            found[key] = (rounded if several is value else rounded[:, 0]).tolist()
    return {WITHOUT: found} if found else {}


def number_of_images(rows: list[dict], of_a_class: bool = False) -> int | None:
    """The number of test images, or of those of the smallest class; None if the rows do not tell."""
    return next((row[IMAGES][of_a_class] for row in rows if IMAGES in row), None)


def doubt(of: Callable[[list[dict]], Sequence[float]], rows: list[dict], images: int | None = None) -> float:
    """Half the width of the 95 % interval that an effect has since its test images are a sample; 0 if the rows do not tell.

    By the jackknife over groups of images (Kott 2001): the effect is computed without each of the groups in turn. With e of these
    effects and G groups, the standard error is sqrt((G - 1) / G * sum((e - mean)**2)), with Student's t at G - 1 degrees of
    freedom.

    of(rows): the effect, one number per seed. images: how many they are, if the effect is in points. Since nets that agree on all
    of them may disagree on others, the doubt is then at least that of one image that tells two nets apart.
    """
    from scipy.special import ndtri, stdtrit

    if not any(WITHOUT in row for row in rows):
        return 0.0
    effects = np.array([_mean(of(_without(rows, group))) for group in range(GROUPS)])
    error = math.sqrt((GROUPS - 1) / GROUPS * float(np.sum((effects - effects.mean()) ** 2)))
    least = 100 * float(ndtri(SURE)) / images if images else 0.0
    return max(least, float(stdtrit(GROUPS - 1, SURE)) * error)


def decided(
    rows: list[dict], of: Callable, *arguments, margin: float = 0.0, smallest: float = 0.0, points: bool = True, **where
) -> Verdict:
    """The `verdict` on of(rows, *arguments, **where), over seeds and test images. points: whether the effect is in points."""

    def effect(rows):
        return of(rows, *arguments, **where)

    images = number_of_images(rows) if points else None
    return verdict(effect(rows), margin, smallest, doubt=doubt(effect, rows, images))


def _without(rows: list[dict], group: int) -> list[dict]:
    return [row | {key: values[group] for key, values in row.get(WITHOUT, {}).items()} for row in rows]


def _mean(values) -> float:
    return float(np.mean(values))
