"""How long chapter 3 trains at each budget, and the dense nets that its claims start from."""

import functools
from dataclasses import dataclass

import numpy as np

from ... import data, models
from ...data import Dataset
from ...nn import Module
from ...selection import pick_on_validation, train
from ...workshop import colour
from ..plans import COLOUR, plan_of


@dataclass(frozen=True)
class Plan:
    """A dense net trains for `dense` epochs. Every arm then trains for `more`, with equally many learning rates to try.

    stored: whether the net is the ResNet-20 of `colour`, and all nets are kept.
    """

    dense: int = 12
    more: int = 8
    batch_size: int = 64
    lrs: tuple[float, ...] = (0.02, 0.1)  # for all weights
    centroid_lrs: tuple[float, ...] = (0.0003, 0.003)  # for centroids, whose gradients are sums over many weights
    strengths: tuple[float, ...] = (3.0, 9.0)  # of the pull, at the last of `lrs`
    bits: tuple[int, ...] = (8, 6, 4, 3, 2, 1)
    trained_bits: tuple[int, ...] = (4, 3, 2, 1)
    clusters: tuple[int, ...] = (2, 3, 4, 8, 16)
    binary_epochs: int = 12
    binary_runs: int = 2  # nets per seed and arm, whose errors are averaged
    binary_lrs: tuple[float, ...] = (0.05, 0.2)
    binary_widths: tuple[int, ...] = (300, 100)
    removed: float = 0.9  # of the weights, before clustering
    steps: int = 5  # of pruning
    k: int = 8  # values per layer, after pruning
    small_lrs: tuple[float, ...] = (0.05, 0.2)  # for the weights left
    stored: bool = False


PLANS = {
    "quick": Plan(),
    "quick, many images": Plan(
        dense=4,
        more=4,
        batch_size=128,
        trained_bits=(4, 2, 1),
        clusters=(2, 4, 16),
        binary_epochs=5,
        binary_runs=1,
        steps=2,
    ),
    "full": Plan(
        dense=30,
        more=20,
        lrs=(0.01, 0.03, 0.1),
        centroid_lrs=(0.0001, 0.001, 0.005),
        strengths=(1.0, 3.0, 9.0),
        bits=(8, 7, 6, 5, 4, 3, 2, 1),
        trained_bits=(8, 6, 5, 4, 3, 2, 1),
        clusters=(2, 3, 4, 6, 8, 16, 64, 256),
        binary_epochs=100,
        binary_lrs=(0.02, 0.1, 0.5),
        steps=10,
    ),
    # Q4 with layers half as wide as in Courbariaux et al. 2015, and 12 epochs instead of 1000: about ten minutes per seed on
    # one core.
    "paper": Plan(
        dense=15,
        more=15,
        batch_size=128,
        lrs=(0.05, 0.1),
        trained_bits=(4, 3, 2, 1),
        clusters=(2, 4, 8, 16, 64),
        binary_epochs=12,
        binary_runs=1,
        binary_widths=(512, 512, 512),
        steps=7,
    ),
}
WITH_COLOUR = PLANS | {  # of Q1, Q2 and Q5
    f"paper, {COLOUR}": Plan(
        dense=colour.PLAN.epochs,
        more=2,
        batch_size=128,
        lrs=(colour.LR,),
        centroid_lrs=(0.0005,),
        strengths=(3.0,),
        bits=(8, 6, 4, 3, 2),
        trained_bits=(4, 3, 2),
        clusters=(2, 4, 16),
        removed=0.8,
        k=16,
        small_lrs=(colour.LR,),
        stored=True,
    )
}


def plan_for(budget: str, dataset: Dataset, plans: dict[str, Plan] = PLANS) -> Plan:
    return plan_of(plans, budget, dataset)


@functools.lru_cache(maxsize=16)
def dense_net(data_name: str, plan: Plan, seed: int) -> Module:
    """A LeNet-300-100, trained for `plan.dense` epochs, or the ResNet-20. Cached: the claims of a process share it and change
    only copies."""
    if plan.stored:
        return colour.trained_resnet(data_name, seed)
    dataset = data.load(data_name)

    def arm(lr):
        rng = np.random.default_rng(seed)
        net = models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=rng)
        return train(net, dataset, lr=lr, epochs=plan.dense, rng=rng, batch_size=plan.batch_size)

    return pick_on_validation(arm, plan.lrs, dataset)[0]


@functools.lru_cache(maxsize=16)
def longer_net(data_name: str, plan: Plan, seed: int, more: int = 0) -> tuple[Module, float]:
    """The dense net after `more`, by default `plan.more`, further epochs, and its learning rate. Cached.

    It chooses among as many learning rates as each arm does; the ResNet-20, of which each arm has one, among those of all
    arms.
    """
    rates = (*plan.lrs, *plan.centroid_lrs) if plan.stored else plan.lrs
    dataset, start, more = data.load(data_name), dense_net(data_name, plan, seed), more or plan.more

    def arm(lr):
        return train_more(start.copy(), dataset, plan, seed, lr, epochs=more)

    def make():
        return pick_on_validation(arm, rates, dataset)

    return colour.kept(plan, f"no compression, seed {seed}", ["Q", start, more], dataset, make, more * len(rates))


def train_more(net: Module, dataset: Dataset, plan: Plan, seed: int, lr: float, **options) -> Module:
    """Train for `plan.more` further epochs, in place. All arms see the images in the same order."""
    rng, augment = np.random.default_rng([seed, 1]), colour.augmentation(plan)
    options = {"epochs": plan.more, "batch_size": plan.batch_size, "augment": augment} | options
    return train(net, dataset, lr=lr, rng=rng, **options)
