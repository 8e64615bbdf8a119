"""Every chapter's methods, applied to the same teacher, for the claims that compare chapters.

All methods start from the trained teacher and train for the same number of further epochs. Only the small student starts
from scratch; it trains for the teacher's epochs and the further epochs together.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ... import data, models
from ...architecture import factorise, make_separable, ranks_by_budget
from ...data import Dataset
from ...distillation import DistillationLoss, teacher_targets
from ...dynamic import EarlyExit, JointLoss, Slimmable, add_exits, choose_thresholds, exit_table, mac_costs
from ...nn import Module, MultiExit
from ...nn.weighted import effective
from ...pruning import keep_neurons, prunable, remove_neurons
from ...quantization import (
    binarize_weights,
    cluster_weights,
    fold_batch_norm,
    quantize_weights,
    to_integers,
)
from ...recipe import Recipe, compress
from ...selection import pick_on_validation, train
from ...training import evaluate, predict
from ..claim import Settings, task_per_seed
from ..plans import plan_of
from ..pruning.nets import Plan as PruningPlan
from ..pruning.nets import pruned_gradually


@dataclass(frozen=True)
class Plan:
    """The teacher's widths and epochs, the `more` epochs of every method, and the learning rates to choose from."""

    widths: tuple[int, int] = (16, 32)
    teacher: int = 8
    more: int = 5
    batch_size: int = 64
    lrs: tuple[float, ...] = (0.02, 0.1)
    small_lrs: tuple[float, ...] = (0.0005, 0.005)  # for centroids, whose gradients are sums over many weights


PLANS = {
    "quick": Plan(),
    "quick, many images": Plan(widths=(32, 64), teacher=3, more=2, batch_size=128),
    "full": Plan(widths=(32, 64), teacher=30, more=20, lrs=(0.01, 0.03, 0.1), small_lrs=(0.0003, 0.001, 0.005)),
    "paper": Plan(widths=(32, 64), teacher=8, more=6, batch_size=128),
}
MOST_SEEDS = 3  # at the budget "quick", because each seed trains more than a dozen nets


def plan_for(budget: str, dataset: Dataset) -> Plan:
    return plan_of(PLANS, budget, dataset)


def few_seeds(settings: Settings) -> list[tuple]:
    """One task per seed, for claims that compare all methods; at the budget "quick" at most MOST_SEEDS."""
    return task_per_seed(settings)[: MOST_SEEDS if settings.budget == "quick" else None]


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


def _plain(net: Module, **counts) -> Small:
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
    dataset = data.load(data_name)
    return _trained(lambda: _new_net(dataset, plan, 1.0, seed), dataset, plan, [seed, 2], epochs=plan.teacher)


def _new_net(dataset: Dataset, plan: Plan, width: float, seed: int) -> Module:
    widths = [max(1, round(width * n)) for n in plan.widths]
    return models.convnet(dataset.image_shape, dataset.num_classes, widths, rng=np.random.default_rng([seed, 1]))


def _trained(start: Callable[[], Module], dataset: Dataset, plan: Plan, seed, **how) -> Module:
    """The net that start() returns, trained at the learning rate picked on validation data.

    how: epochs, lrs, a loss, and targets that replace the labels of the training images.
    """
    seen = dataset if "targets" not in how else replace(dataset, y_train=how["targets"])
    loss = {"loss": how["loss"]} if "loss" in how else {}

    def arm(lr):
        rng = np.random.default_rng(seed)
        return train(
            start(), seen, lr=lr, epochs=how.get("epochs", plan.more), rng=rng, batch_size=plan.batch_size, **loss
        )

    return pick_on_validation(arm, how.get("lrs", plan.lrs), dataset)[0]


# One function per method: (teacher, data, plan, seed, strength) -> Small ----------------------------------------------


@functools.lru_cache(maxsize=16)
def trained_on(teacher, dataset, plan, seed) -> Small:
    """No compression: the teacher, trained for the same further epochs. Cached."""
    return _plain(_trained(teacher.copy, dataset, plan, [seed, 3]))


def fewer_weights(teacher, dataset, plan, seed, removed) -> Small:
    how = PruningPlan(0, plan.more, max(1, plan.more // 2), plan.batch_size, plan.lrs)
    return _plain(pruned_gradually(teacher, dataset, how, seed, removed, how.steps)[0])


def fewer_neurons(teacher, dataset, plan, seed, removed) -> Small:
    small = remove_neurons(teacher, keep_neurons(teacher, 1 - removed))
    return _plain(_trained(small.copy, dataset, plan, [seed, 3]))


def small_student(teacher, dataset, plan, seed, width) -> Small:
    targets = teacher_targets(teacher, dataset.x_train, dataset.y_train)
    student = _trained(
        lambda: _new_net(dataset, plan, width, seed + 1000),
        dataset,
        plan,
        [seed, 3],
        epochs=plan.teacher + plan.more,
        targets=targets,
        loss=DistillationLoss(2.0, 0.9),
    )
    return _plain(student)


def eight_bits(teacher, dataset, plan, seed, bits) -> Small:
    """Trained on the grid, then run in integers from end to end."""
    net = _trained(lambda: quantize_weights(fold_batch_norm(teacher.copy()), bits), dataset, plan, [seed, 3])
    runs = to_integers(net, dataset.x_train[:256])
    return Small(net, runs, macs_of(teacher), weights_of(teacher), factor_bits=8, weight_bits=bits)


def few_values(teacher, dataset, plan, seed, k) -> Small:
    net = _trained(lambda: cluster_weights(teacher.copy(), k), dataset, plan, [seed, 3], lrs=plan.small_lrs)
    return _plain(net, weight_bits=math.log2(k))


def binary_weights(teacher, dataset, plan, seed, _) -> Small:
    net = _trained(lambda: binarize_weights(teacher.copy()), dataset, plan, [seed, 3])
    return _plain(net, weight_bits=1)


def one_file(teacher, dataset, plan, seed, removed) -> Small:
    prune = max(1, round(0.7 * plan.more))
    recipe = Recipe(
        kept=1 - removed,
        k=8,
        prune=prune,
        tune=plan.more - prune,
        lrs=plan.lrs,
        centroid_lrs=plan.small_lrs,
        batch_size=plan.batch_size,
    )
    return _plain(compress(recipe, dataset, seed, net=teacher), weight_bits=3)


def separable(teacher, dataset, plan, seed, _) -> Small:
    def start():
        return make_separable(teacher, between=False, from_weights=True, rng=np.random.default_rng([seed, 4]))

    return _plain(_trained(start, dataset, plan, [seed, 3]))


def low_rank(teacher, dataset, plan, seed, share) -> Small:
    ranks = ranks_by_budget(teacher, share)
    return _plain(_trained(lambda: factorise(teacher, ranks), dataset, plan, [seed, 3]))


@functools.lru_cache(maxsize=2)
def _with_exit(teacher, dataset, plan, seed) -> MultiExit:
    """The net of `early_exit`, the same at all strengths. Cached."""
    middle = next(i for i, layer in enumerate(teacher.layers) if type(layer).__name__ == "MaxPool2d")
    rng = np.random.default_rng([seed, 4])
    start = add_exits(teacher, [middle], rng=rng)
    return _trained(start.copy, dataset, plan, [seed, 3], loss=JointLoss())


def early_exit(teacher, dataset, plan, seed, points) -> Small:
    """Exits early; validation accuracy may fall to `points` below that of the last exit."""
    net = _with_exit(teacher, dataset, plan, seed)
    table, costs = exit_table(net, dataset.val), mac_costs(net)
    wanted = table.correct[-1].mean() - points / 100
    thresholds = choose_thresholds(table, costs, accuracy=float(wanted))
    macs = table.judge(thresholds, costs)[1]
    return Small(net, EarlyExit(net, thresholds), macs, weights_of(net))


@functools.lru_cache(maxsize=2)
def _slim(teacher, dataset, plan, seed) -> Slimmable:
    """The net of `narrower`, the same at all strengths. Cached."""
    return _trained(
        lambda: Slimmable(teacher.copy(), (0.25, 0.5, 0.75, 1.0)), dataset, plan, [seed, 3], loss=JointLoss(distil=1.0)
    )


def narrower(teacher, dataset, plan, seed, width) -> Small:
    return _plain(_slim(teacher, dataset, plan, seed).cut(width))


@dataclass(frozen=True)
class Method:
    """A method of a chapter. C1 uses `strength`; C2 tries `strengths`, from mild to strong, and calls it `family`."""

    name: str
    chapter: str
    apply: Callable[..., Small]
    strength: float | int | None
    strengths: tuple = (None,)
    family: str = ""


METHODS = [
    Method("90 % of weights pruned", "pruning", fewer_weights, 0.9, (0.5, 0.8, 0.9), "weights pruned"),
    Method("half of neurons pruned", "pruning", fewer_neurons, 0.5, (0.25, 0.5, 0.7), "neurons pruned"),
    Method("half as wide, distilled", "distillation", small_student, 0.5, (0.75, 0.5), "narrower, distilled"),
    Method("8-bit integers", "quantization", eight_bits, 8, (8, 4, 3), "fewer bits"),
    Method("8 values a layer", "quantization", few_values, 8, (16, 8), "few values"),
    Method("binary weights", "quantization", binary_weights, None, family="binary weights"),
    Method("all in one file", "quantization", one_file, 0.9, (0.5, 0.8), "all in one file"),
    Method("separable", "architecture", separable, None, family="separable"),
    Method("low rank, a third", "architecture", low_rank, 1 / 3, (0.5, 1 / 3), "low rank"),
    Method("early exit", "dynamic", early_exit, 0.5, (0.0, 0.5, 1.0), "early exit"),
    Method("half width, slimmable", "dynamic", narrower, 0.5, (0.75, 0.5, 0.25), "slimmable"),
]


def validation_accuracy(net: Module, dataset: Dataset) -> float:
    """Accuracy on the validation split, in per cent."""
    return 100 * evaluate(net, dataset.val).accuracy


def right(net: Module, dataset: Dataset) -> np.ndarray:
    """Whether the net gets each test image right: (N,) booleans."""
    return predict(net, dataset.x_test).argmax(1) == dataset.y_test
