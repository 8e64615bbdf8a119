"""Colour images at the budget "paper": all chapters compress one trained ResNet-20, or train narrower ones like it, and keep what
they train in the user's cache."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TypeVar

import numpy as np

from .. import models
from ..data import Dataset
from ..nn import Module, Residual, Sequential
from ..optim import one_cycle
from ..quantization import tcz
from ..selection import shown
from ..training import TrainingDiverged
from .identity import hash_of
from .stored import stored
from .teacher import TeacherPlan, augmented, teacher

Made = TypeVar("Made")

PLAN = TeacherPlan()
WIDTHS = (16, 32, 64)
# Rates of a few further epochs, one per method, since each more would take as long again. With batch norm folded, a ResNet-20
# diverges at the first one, and keeps its accuracy at the second one (on validation images).
LR, FOLDED_LR = 0.02, 0.001


@functools.lru_cache(maxsize=4)
def trained_resnet(data_name: str, seed: int) -> Module:
    """The ResNet-20 of this seed, from its file or trained for an hour. Cached: claims change only copies."""
    with shown(f"the teacher, seed {seed}", PLAN.epochs) as bar:
        return teacher(replace(PLAN, seed=seed), data_name, progress=bar)


def new_resnet(dataset: Dataset, width: float, rng: np.random.Generator) -> Module:
    """An untrained ResNet-20 with this share of the channels, on raw pixels."""
    widths = [max(1, round(width * channels)) for channels in WIDTHS]
    net = models.resnet(dataset.image_shape, dataset.num_classes, widths, blocks=3, rng=rng)
    return models.normalized(net, dataset.x_train)


def from_scratch() -> dict:
    """How `selection.train` trains a net like the teacher, at the rate `PLAN.lr`: for so long that a killed run goes on."""
    how = {"weight_decay": PLAN.weight_decay, "clip_grad_norm": PLAN.clip_grad_norm}
    return how | {"schedule": one_cycle(), "nesterov": True, "resumable": True}


def halving(net: Sequential) -> list[int]:
    """The numbers of the blocks of a residual net that halve the image."""
    return [i for i, layer in enumerate(net.layers) if isinstance(layer, Residual) and layer.shortcut]


def file_sizes(plan, whole: Module, net: Module) -> dict[str, int]:
    """Bytes of the .tcz files of a net before and after, as fields of a row, if `plan.stored`."""
    return {"whole_bytes": len(tcz.to_bytes(whole)), "bytes": len(tcz.to_bytes(net))} if plan.stored else {}


def augmentation(plan) -> Callable[[np.ndarray, np.random.Generator], np.ndarray] | None:
    """How images are changed while a net trains, `augment` of `fit`: if `plan.stored` as for the teacher, else not at all."""
    return functools.partial(augmented, plan=PLAN) if plan.stored else None


def kept(plan, name: str, what: Sequence, dataset: Dataset, make: Callable[[], Made], epochs: float) -> Made:
    """What make() returns; if `plan.stored`, kept in the user's cache (see `stored`), under the name, `what` and the plan.

    what: plain values, and the nets that make() starts or learns from. These count by their weights: if the teacher is trained
    again, on another CPU or after its file was lost, what came from the former one is not found. If the training diverges, the
    error names what was trained.
    """
    try:
        if not plan.stored:
            return make()
        parts = [hash_of(part.state_dict().values()) if isinstance(part, Module) else part for part in what]
        return stored(name, (*parts, asdict(plan)), dataset, make, epochs)
    except TrainingDiverged as error:
        error.args = (f"{name}: {error}",)
        raise
