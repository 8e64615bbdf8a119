"""Colour images at the budget "paper": all chapters start from one ResNet-20, and what they train is kept in the user's cache."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TypeVar

import numpy as np

from .. import models
from ..data import Dataset
from ..nn import Module
from ..selection import shown
from ..workshop.stored import stored
from ..workshop.teacher import TeacherPlan, augmented, teacher

Made = TypeVar("Made")

PLAN = TeacherPlan()
WIDTHS = (16, 32, 64)
LR = 0.02  # of a few further epochs. With batch norm folded, a ResNet-20 diverges at it, and keeps its accuracy at FOLDED_LR.
FOLDED_LR = 0.001


@functools.lru_cache(maxsize=4)
def trained_resnet(data_name: str, seed: int) -> Module:
    """The ResNet-20 of this seed, from its file or trained for most of an hour. Cached: claims change only copies."""
    with shown(f"the teacher, seed {seed}", PLAN.epochs) as bar:
        return teacher(replace(PLAN, seed=seed), data_name, progress=bar)


def new_resnet(dataset: Dataset, width: float, rng: np.random.Generator) -> Module:
    """An untrained ResNet-20 with this share of the channels, on raw pixels."""
    widths = [max(1, round(width * channels)) for channels in WIDTHS]
    net = models.resnet(dataset.image_shape, dataset.num_classes, widths, blocks=3, rng=rng)
    return models.normalized(net, dataset.x_train)


def augmentation(plan) -> Callable[[np.ndarray, np.random.Generator], np.ndarray] | None:
    """How images are changed while a net trains, `augment` of `fit`: moved and mirrored if `plan.stored`, else not at all."""
    return functools.partial(augmented, plan=PLAN) if plan.stored else None


def kept(plan, name: str, what: Sequence, dataset: Dataset, make: Callable[[], Made], epochs: float) -> Made:
    """What make() returns; if `plan.stored`, kept in the user's cache (see `stored`), under the name, `what` and the plan."""
    return stored(name, (*what, asdict(plan)), dataset, make, epochs) if plan.stored else make()
