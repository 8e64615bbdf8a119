"""How long chapter 1 trains at each budget, and the dense and gradually pruned nets that several claims share."""

from dataclasses import dataclass

import numpy as np

from ... import models
from ...data import Dataset
from ...nn import Module
from ...optim import cosine
from ...pruning import prune_gradually
from ...pruning.importance import Importance
from ...selection import pick_on_validation, train
from ...workshop import colour
from ..plans import COLOUR


@dataclass(frozen=True)
class Plan:
    """How long to train: `dense` epochs, then `pruned` epochs during or after pruning in `steps` steps.

    removed: the shares of weights that P1 removes. stored: whether the net is the ResNet-20 of `colour`.
    """

    dense: int
    pruned: int
    steps: int
    batch_size: int
    lrs: tuple[float, ...]
    removed: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95, 0.98)
    stored: bool = False


PLANS = {
    "quick": Plan(dense=10, pruned=10, steps=5, batch_size=64, lrs=(0.02, 0.1)),
    "quick, many images": Plan(dense=5, pruned=6, steps=3, batch_size=128, lrs=(0.05, 0.1)),
    "full": Plan(dense=40, pruned=40, steps=20, batch_size=64, lrs=(0.01, 0.03, 0.1)),
    # Han et al. 2015 train and prune for hundreds of epochs. With 13, five seeds take less than 15 minutes.
    "paper": Plan(dense=5, pruned=8, steps=4, batch_size=128, lrs=(0.05, 0.1)),
}
WITH_COLOUR = PLANS | {  # of P1 and P4
    f"paper, {COLOUR}": Plan(
        dense=colour.PLAN.epochs,
        pruned=6,
        steps=3,
        batch_size=128,
        lrs=(colour.LR,),
        removed=(0.9, 0.95, 0.98),
        stored=True,
    )
}
JUDGES = 2000
"""Validation images by which a scan of the ResNet-20 measures what its layers tolerate."""


def dense_net(dataset: Dataset, plan: Plan, seed: int) -> Module:
    """A LeNet-300-100, trained at the learning rate picked on validation data."""

    def arm(lr):
        rng = np.random.default_rng(seed)
        net = models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=rng)
        return train(net, dataset, lr=lr, epochs=plan.dense, rng=rng, batch_size=plan.batch_size)

    return pick_on_validation(arm, plan.lrs, dataset)[0]


def trained_further(net: Module, dataset: Dataset, plan: Plan, seed: int) -> tuple[Module, float]:
    """A copy, trained for `plan.pruned` epochs, and the learning rate picked."""

    def arm(lr):
        rng, augment = np.random.default_rng([seed, 1]), colour.augmentation(plan)
        how = {"epochs": plan.pruned, "batch_size": plan.batch_size, "augment": augment}
        return train(net.copy(), dataset, lr=lr, rng=rng, **how)

    return pick_on_validation(arm, plan.lrs, dataset)


def without_pruning(net: Module, dataset: Dataset, plan: Plan, seed: int) -> tuple[Module, float]:
    """The net that pruned ones are compared with: trained for as many further epochs. If the plan says so, it is kept."""

    def make():
        return trained_further(net, dataset, plan, seed)

    return colour.kept(plan, f"no pruning, seed {seed}", [net], dataset, make, plan.pruned * len(plan.lrs))


def pruned_gradually(net: Module, dataset: Dataset, plan: Plan, seed: int, share: float, steps: int, **options):
    """The net pruned in `steps` steps over the first half of `plan.pruned` epochs; one cosine schedule covers all epochs.

    steps=1 prunes everything at the start and then trains. More options go to `train`. Returns the net and the learning rate
    picked.
    """

    def arm(lr):
        rng = np.random.default_rng([seed, 1])
        pruned = net.copy()
        spans = [plan.pruned // 2 // steps] * steps if steps > 1 else [plan.pruned]
        spans[-1] += plan.pruned - sum(spans)  # the remaining epochs fine-tune at the final sparsity

        def fine_tune(model, step):
            start, length = sum(spans[: step - 1]), spans[step - 1]
            train(
                model,
                dataset,
                lr=lr,
                epochs=length,
                rng=rng,
                batch_size=plan.batch_size,
                schedule=lambda t: cosine((start + t * length) / plan.pruned),
                **options,
            )

        return prune_gradually(pruned, share, steps, fine_tune)

    return pick_on_validation(arm, plan.lrs, dataset)


def chance(like: Importance, rng: np.random.Generator) -> Importance:
    """A criterion that gives new random scores, at each call, to everything that the criterion `like` scores."""
    return lambda model: {name: rng.random(score.shape) for name, score in like(model).items()}
