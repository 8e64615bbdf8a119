"""The teacher that chapters are compared on, how long it and its compressed copies train, and what a compressed net costs."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ... import data, models
from ...data import Dataset
from ...nn import Module
from ...nn.weighted import effective
from ...pruning import prunable
from ...selection import pick_on_validation, train
from ...training import evaluate, predict
from ...workshop import colour
from ..plans import COLOUR, plan_of

if TYPE_CHECKING:  # a new edition of the claims' machinery is no reason to train nets again (`workshop.stored`)
    from ..claim import Settings


@dataclass(frozen=True)
class Plan:
    """The teacher's widths and epochs, the `more` epochs of every method, and the learning rates to choose from.

    folded_lrs: those of nets whose batch norm is folded into their weights; none: as `lrs`.
    stored: whether nets train for so long that they are kept in the user's cache, and found there by an interrupted run and by
    the other claims. The teacher is then the ResNet-20 of `colour`, and all nets see their images changed at random as it does.
    Only the small student's images are moved by one pixel and mirrored, since its teacher's outputs are computed once.
    """

    widths: tuple[int, ...] = (16, 32)
    teacher: int = 8
    more: int = 5
    batch_size: int = 64
    lrs: tuple[float, ...] = (0.02, 0.1)
    small_lrs: tuple[float, ...] = (0.0005, 0.005)  # for centroids, whose gradients are sums over many weights
    folded_lrs: tuple[float, ...] = ()
    stored: bool = False


PLANS = {
    "quick": Plan(),
    "quick, many images": Plan(widths=(32, 64), teacher=3, more=2, batch_size=128),
    "full": Plan(widths=(32, 64), teacher=30, more=20, lrs=(0.01, 0.03, 0.1), small_lrs=(0.0003, 0.001, 0.005)),
    "paper": Plan(widths=(32, 64), teacher=8, more=6, batch_size=128),
    f"paper, {COLOUR}": Plan(  # one rate per method: a second one would take an hour more per seed
        widths=colour.WIDTHS,
        teacher=colour.PLAN.epochs,
        more=2,
        batch_size=128,
        lrs=(colour.LR,),
        small_lrs=(0.0005,),
        folded_lrs=(colour.FOLDED_LR,),
        stored=True,
    ),
}
MOST_SEEDS = 3  # at the budget "quick", because each seed trains more than a dozen nets


def plan_for(budget: str, dataset: Dataset) -> Plan:
    return plan_of(PLANS, budget, dataset)


def few_seeds(settings: "Settings") -> list[tuple]:
    """One task per seed, for claims that compare all methods; at the budget "quick" at most MOST_SEEDS."""
    seeds = settings.each_seed[: MOST_SEEDS if settings.budget == "quick" else None]
    return [(settings.data, settings.budget, seed) for seed in seeds]


@dataclass(frozen=True)
class Small:
    """A compressed net and its cost.

    net: the net as it is stored. runs: the net as it predicts, such as in integers or with packed bits.
    macs: multiplications per image by nonzero weights; their factors have `factor_bits` bits.
    weights: the number of stored weights, of `weight_bits` bits each; positions and tables are not counted.
    """

    net: Module
    runs: Module
    macs: float
    weights: int
    factor_bits: float = 32
    weight_bits: float = 32


def plain(net: Module, **counts) -> Small:
    return Small(net, net.copy().bake(), macs_of(net), weights_of(net), **counts)


def macs_of(net: Module) -> float:
    """Multiplications per image, without those by a weight of 0."""
    kept = {name: float(mask.mean()) for name, mask in _nonzero(net).items()}
    return float(sum(layer.macs * kept.get(layer.name, 1.0) for layer in net.summary().layers))


def _nonzero(net: Module) -> dict[str, np.ndarray]:
    return {name: effective(layer, "weight") != 0 for name, layer in prunable(net).items()}


def weights_of(net: Module) -> int:
    """The number of nonzero weights, without biases and batch norm."""
    return int(sum(mask.sum() for mask in _nonzero(net).values()))


@functools.lru_cache(maxsize=16)
def teacher_of(data_name: str, plan: Plan, seed: int) -> Module:
    """The teacher of this seed. Cached: the claims of a process share it and change only copies."""
    if plan.stored:
        return colour.trained_resnet(data_name, seed)
    dataset = data.load(data_name)
    return trained(lambda: new_net(dataset, plan, 1.0, seed), dataset, plan, [seed, 2], epochs=plan.teacher)


def new_net(dataset: Dataset, plan: Plan, width: float, seed: int) -> Module:
    rng = np.random.default_rng([seed, 1])
    if plan.stored:
        return colour.new_resnet(dataset, width, rng)
    widths = [max(1, round(width * n)) for n in plan.widths]
    return models.convnet(dataset.image_shape, dataset.num_classes, widths, rng=rng)


def trained(start: Callable[[], Module], dataset: Dataset, plan: Plan, seed, **how) -> Module:
    """The net that start() returns, trained at the learning rate picked on validation data.

    how: epochs, lrs, targets that replace the labels of the training images, and other options of `selection.train`, such as a
    loss or another augmentation.
    """
    seen = dataset if "targets" not in how else replace(dataset, y_train=how["targets"])
    options = {"batch_size": plan.batch_size, "augment": colour.augmentation(plan)}
    options |= {name: value for name, value in how.items() if name not in ("epochs", "lrs", "targets")}

    def arm(lr):
        rng = np.random.default_rng(seed)
        return train(start(), seen, lr=lr, epochs=how.get("epochs", plan.more), rng=rng, **options)

    return pick_on_validation(arm, how.get("lrs", plan.lrs), dataset)[0]


def validation_accuracy(net: Module, dataset: Dataset) -> float:
    """Accuracy on the validation split, in per cent."""
    return 100 * evaluate(net, dataset.val).accuracy


def right(net: Module, dataset: Dataset) -> np.ndarray:
    """Whether the net gets each test image right: (N,) booleans."""
    return predict(net, dataset.x_test).argmax(1) == dataset.y_test
