"""How long chapter 5 trains at each budget, and its nets with several exits or widths."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ... import data, models
from ...data import Dataset
from ...dynamic import JointLoss, Slimmable, add_exits, pooled_heads
from ...nn import Conv2d, Dense, Flatten, MaxPool2d, Module, MultiExit, ReLU, Sequential
from ...selection import pick_on_validation, train
from ...training import evaluate
from ...workshop import colour
from ..plans import COLOUR, plan_of


@dataclass(frozen=True)
class Plan:
    """Nets of Y1 and Y3 train for `epochs` epochs, those of Y2 and Y4 for `width_epochs`. Every arm chooses from the same
    number of learning rates: single nets from `lrs`, nets of several widths, whose gradient is a sum, from `joint_lrs`.

    channels: of the convnet's blocks. Each block but the last is followed by an exit. At the budget "paper" the net with
    exits is BranchyNet's LeNet instead. stored: whether all nets start from the ResNet-20 of `colour`, and are kept.
    """

    epochs: int
    width_epochs: int
    batch_size: int
    lrs: tuple[float, ...]
    joint_lrs: tuple[float, ...] = (0.02, 0.05)
    channels: tuple[int, ...] = (16, 32, 64)
    widths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    untrained: tuple[float, ...] = (0.375, 0.625, 0.875)
    stored: bool = False


PLANS = {
    "quick": Plan(epochs=8, width_epochs=5, batch_size=64, lrs=(0.02, 0.1)),
    "quick, many images": Plan(epochs=2, width_epochs=2, batch_size=128, lrs=(0.02, 0.1), channels=(8, 16, 32)),
    "full": Plan(epochs=30, width_epochs=30, batch_size=64, lrs=(0.02, 0.05, 0.1), joint_lrs=(0.01, 0.02, 0.05)),
    "paper": Plan(epochs=8, width_epochs=8, batch_size=128, lrs=(0.05,), joint_lrs=(0.02,), channels=(8, 16, 32)),
}
EXIT_WEIGHTS = {2: (1.0, 0.3)}  # BranchyNet's LeNet: the early exit counts most, because most images leave there
WITH_COLOUR = PLANS | {  # of Y1 and Y3
    f"paper, {COLOUR}": Plan(
        epochs=4, width_epochs=5, batch_size=128, lrs=(colour.LR,), joint_lrs=(colour.LR,), stored=True
    )
}


def plan_for(budget: str, dataset: Dataset, plans: dict[str, Plan] = PLANS) -> Plan:
    return plan_of(plans, budget, dataset)


def plain_trunk(dataset: Dataset, budget: str, rng: np.random.Generator) -> Sequential:
    """The net without early exits: a convnet, or at the budget "paper" the LeNet of Teerapittayanon et al. 2016."""
    if budget == "paper":
        return branchy_lenet(dataset.image_shape, dataset.num_classes, rng)
    return models.convnet(dataset.image_shape, dataset.num_classes, plan_for(budget, dataset).channels, rng=rng)


def branchy_lenet(image_shape, classes: int, rng: np.random.Generator) -> Sequential:
    """BranchyNet's LeNet, with three convolutions and two dense layers, as in the authors' code (networks/lenet_mnist.py).

    Their pooling rounds sizes up and ours rounds down, so the dense layers get 500 features instead of 720.
    """
    pixels = [(image_shape[axis] + 2) // 2 for axis in (0, 1)]
    for _ in range(2):
        pixels = [(n + 2) // 2 for n in pixels]
    layers, channels = [], image_shape[2]
    for outputs in (5, 10, 20):
        layers += [Conv2d(channels, outputs, 5, padding=3, rng=rng), MaxPool2d(2), ReLU()]
        channels = outputs
    layers += [Flatten(), Dense(20 * pixels[0] * pixels[1], 84, rng=rng), ReLU(), Dense(84, classes, rng=rng)]
    return Sequential(*layers, input_shape=tuple(image_shape))


def with_exits(dataset: Dataset, budget: str, rng: np.random.Generator) -> MultiExit:
    """The untrained trunk with an exit after each block of the convnet, or with the one exit of BranchyNet's LeNet."""
    trunk = plain_trunk(dataset, budget, rng)
    if budget != "paper":
        blocks = len(plan_for(budget, dataset).channels)
        return add_exits(trunk, [4 * i + 3 for i in range(blocks - 1)], rng=rng)
    height, width, _ = ((n + 2) // 2 for n in (*dataset.image_shape[:2], 0))
    features = 10 * (height // 2) * (width // 2)
    branch = [Conv2d(5, 10, 3, padding=1, rng=rng), MaxPool2d(2), ReLU(), Flatten()]
    # Branch after pooling, so that trunk and branch share that work; the authors' code pools in both.
    return add_exits(trunk, [2], [Sequential(*branch, Dense(features, dataset.num_classes, rng=rng))], rng=rng)


def mean_loss(nets: Callable[[Module], list[Module]], dataset: Dataset) -> Callable[[Module], float]:
    """A loss for `pick_on_validation`: the mean validation loss over the nets that nets(model) returns."""
    return lambda model: float(np.mean([evaluate(net, dataset.val).loss for net in nets(model)]))


def exits_of(net: MultiExit) -> list[Module]:
    return [net.exit(i) for i in range(len(net.stages))]


@functools.lru_cache(maxsize=16)
def plain_net(data_name: str, budget: str, seed: int) -> Module:
    """The trunk, trained without exits. Cached."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset, WITH_COLOUR)

    resnet = colour.trained_resnet(data_name, seed) if plan.stored else None

    def start(rng):
        return resnet.copy() if resnet is not None else plain_trunk(dataset, budget, rng)

    def make():
        return pick_on_validation(lambda lr: _trained(start, dataset, plan, seed, lr), plan.lrs, dataset)[0]

    return colour.kept(plan, f"no exits, seed {seed}", [resnet], dataset, make, plan.epochs)


@functools.lru_cache(maxsize=16)
def exit_net(data_name: str, budget: str, seed: int) -> MultiExit:
    """The net with exits, all trained together: from scratch, or from the trained ResNet-20. Cached: the claims of a process
    share it."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset, WITH_COLOUR)

    resnet = colour.trained_resnet(data_name, seed) if plan.stored else None

    def start(rng):
        if resnet is None:
            return with_exits(dataset, budget, rng)
        after = [i - 1 for i in colour.halving(resnet)]
        return add_exits(resnet, after, pooled_heads(resnet, after, rng=rng), rng=rng)

    def arm(lr):
        return _trained(start, dataset, plan, seed, lr, lambda net: JointLoss(EXIT_WEIGHTS.get(len(net.stages))))

    def make():
        return pick_on_validation(arm, plan.lrs, dataset, mean_loss(exits_of, dataset))[0]

    return colour.kept(plan, f"exits, seed {seed}", [resnet], dataset, make, plan.epochs)


def _trained(
    start: Callable, dataset: Dataset, plan: Plan, seed: int, lr: float, loss: Callable | None = None
) -> Module:
    """The net start(rng), trained for `plan.epochs` epochs with the loss loss(net), by default cross-entropy."""
    rng = np.random.default_rng(seed)
    net = start(rng)
    how = {"epochs": plan.epochs, "batch_size": plan.batch_size, "augment": colour.augmentation(plan)}
    how |= {"loss": loss(net)} if loss else {}
    return train(net, dataset, lr=lr, rng=rng, **how)


def slimmable(trunk: Module, dataset: Dataset, plan: Plan, seed: int, lr: float, batch_norm: str = "own") -> Slimmable:
    """The net trained at all widths (and exits) together; smaller outputs learn half from labels, half from the largest."""
    rng = np.random.default_rng([seed, 1])
    net, loss = Slimmable(trunk, plan.widths, batch_norm), JointLoss(distil=0.5)
    how = {"epochs": plan.width_epochs, "batch_size": plan.batch_size, "augment": colour.augmentation(plan)}
    return train(net, dataset, lr=lr, rng=rng, loss=loss, **how)
