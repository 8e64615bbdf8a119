"""How far an effect would move on other test images: the doubt that no number of seeds removes."""

from collections.abc import Callable, Sequence

import numpy as np

from ...workshop.interval import CONFIDENCE, Verdict, verdict
from .shares import GROUPS, IMAGES, WITHOUT


def doubt(
    of: Callable[[list[dict]], Sequence[float]], rows: list[dict], points: bool = True, of_a_class: bool = False
) -> float | None:
    """Half the width of the 95 % interval that an effect has since its test images are a sample; None if the rows do not tell.

    By the jackknife over groups of images (Kott 2001): the effect is computed without each of the GROUPS groups in turn, and
    Student's t has GROUPS - 1 degrees of freedom. Seeds differ in which images their nets get wrong. What of the variance is due
    to that is subtracted, since the spread over seeds has it already.

    of(rows): the effect, one number per seed. points: whether it is in points. Since nets that agree on all images may disagree
    on others, the doubt is then at least that of one image that tells two nets apart. of_a_class: whether the images are those of
    a class. Several classes may be averaged, so the least doubt is then used only if no image tells the nets apart.

    Raises ValueError if the effect cannot be computed without some of the images.
    """
    from scipy.special import ndtri, stdtrit

    if not any(WITHOUT in row for row in rows):
        return None
    effects = np.array([of(_without(rows, group)) for group in range(GROUPS)], float)  # (GROUPS, seeds)
    if effects.size == 0 or not np.isfinite(effects).all():
        raise ValueError("without a tenth of the test images, there is no such effect; give more of them")
    mean, seeds = effects.mean(1), effects.shape[1]
    variance = _jackknife(mean)
    if seeds > 1:
        variance -= sum(_jackknife(effects[:, s] - mean) for s in range(seeds)) / (seeds * (seeds - 1))
    sure = (1 + CONFIDENCE) / 2
    images = number_of_images(rows, of_a_class) if points else None
    least = 100 * float(ndtri(sure)) / images if images and not (of_a_class and np.ptp(effects, axis=0).any()) else 0.0
    return max(least, float(stdtrit(GROUPS - 1, sure)) * max(0.0, variance) ** 0.5)


def decided(
    rows: list[dict], of: Callable, *arguments, margin: float = 0.0, smallest: float = 0.0, points: bool = True, **where
) -> Verdict:
    """The `verdict` on of(rows, *arguments, **where), over seeds and test images. points: whether the effect is in points."""

    def effect(rows):
        return of(rows, *arguments, **where)

    return verdict(effect(rows), margin, smallest, doubt=doubt(effect, rows, points) or 0.0)


def number_of_images(rows: list[dict], of_a_class: bool = False) -> int | None:
    """The number of test images, or of those of the smallest class; None if the rows do not tell."""
    return next((row[IMAGES][of_a_class] for row in rows if IMAGES in row), None)


def _without(rows: list[dict], group: int) -> list[dict]:
    return [row | {key: values[group] for key, values in row.get(WITHOUT, {}).items()} for row in rows]


def _jackknife(values: np.ndarray) -> float:
    """The variance of what these values estimate, each without one of the groups."""
    return (GROUPS - 1) / GROUPS * float(np.sum((values - values.mean()) ** 2))
