"""Every chapter's methods, applied to the same teacher, for the claims that compare chapters.

All methods start from the trained teacher and train for the same number of further epochs. Only the small student starts
from scratch; it trains as the teacher did, for the teacher's epochs and the further epochs together.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...architecture import factorise, make_separable, ranks_by_budget
from ...data import Dataset, mean_colour
from ...distillation import DistillationLoss, ShiftedTargets, teacher_targets
from ...dynamic import (
    EarlyExit,
    JointLoss,
    Slimmable,
    add_exits,
    choose_thresholds,
    exit_table,
    mac_costs,
    pooled_heads,
)
from ...nn import MaxPool2d, Module, MultiExit
from ...pruning import keep_neurons, remove_neurons
from ...quantization import (
    binarize_weights,
    cluster_weights,
    fold_batch_norm,
    quantize_weights,
    to_integers,
)
from ...recipe import Recipe, compress
from ...selection import preparing
from ...workshop import colour
from ...workshop.identity import fingerprint_of
from ..pruning.nets import Plan as PruningPlan
from ..pruning.nets import pruned_gradually
from .nets import Plan, Small, macs_of, new_net, plain, trained, weights_of

_nets: dict[tuple, Module] = {}  # C1 and C2 take some methods at the same strength


def trained_on(teacher: Module, dataset: Dataset, plan: Plan, seed: int) -> Small:
    """No compression: the teacher, trained for the same further epochs, at the best of all methods' rates."""
    return plain(_trained(longer, teacher, dataset, plan, seed, None))


def trained_alike(teacher: Module, dataset: Dataset, plan: Plan, seed: int) -> Small:
    """The same at the rates of most methods, for C2. On validation images the low rate of nets with folded batch norm may win,
    but it hardly moves a net, and any method would then seem to change more images than chance does."""
    return plain(_trained(longer_alike if plan.folded_lrs else longer, teacher, dataset, plan, seed, None))


def _trained(train: Callable[..., Module], teacher, dataset, plan, seed, strength) -> Module:
    """The net that `train` returns, once per process and, if the plan says so, from the user's cache."""
    key = train, teacher, fingerprint_of(dataset), plan, seed, strength
    if key not in _nets:
        _nets[key] = _stored(train, teacher, dataset, plan, seed, strength)
    return _nets[key]


def _stored(train: Callable[..., Module], teacher, dataset, plan, seed, strength) -> Module:
    name = f"{train.__name__} {'' if strength is None else f'{strength:.3g}'}, seed {seed}".replace(" ,", ",")
    epochs = plan.more * len(_rates_of_all(plan) if train is longer else plan.lrs) + plan.teacher * (
        train is small_student
    )
    return colour.kept(
        plan, name, [teacher, strength], dataset, lambda: train(teacher, dataset, plan, seed, strength), epochs
    )


# One function per method: (teacher, data, plan, seed, strength) -> the trained net -------------------------------------


def longer(teacher, dataset, plan, seed, _) -> Module:
    # In an order of its own: the methods share one, and a net that shared it would differ less from them than by chance (C2).
    return trained(teacher.copy, dataset, plan, [seed, 5], lrs=_rates_of_all(plan))


def longer_alike(teacher, dataset, plan, seed, _) -> Module:
    return trained(teacher.copy, dataset, plan, [seed, 5])


def _rates_of_all(plan) -> tuple[float, ...]:
    """Every rate at which a method trains the teacher's own layers, so that none gains by its rate alone."""
    return (*plan.lrs, *plan.folded_lrs)


def fewer_weights(teacher, dataset, plan, seed, removed) -> Module:
    how = PruningPlan(0, plan.more, max(1, plan.more // 2), plan.batch_size, plan.lrs)
    return pruned_gradually(teacher, dataset, how, seed, removed, how.steps, augment=colour.augmentation(plan))[0]


def fewer_neurons(teacher, dataset, plan, seed, removed) -> Module:
    small = remove_neurons(teacher, keep_neurons(teacher, 1 - removed))
    return trained(small.copy, dataset, plan, [seed, 3])


def small_student(teacher, dataset, plan, seed, width) -> Module:
    if plan.stored:  # the teacher's outputs for the very images that the student sees
        x, labels = dataset.train
        with preparing("the teacher's outputs"):
            lesson = ShiftedTargets(teacher, x, labels, fill=mean_colour(x), mirrored=True)
        how = {"targets": lesson.train[1], "loss": lesson.loss, "augment": lesson.shift}
        how |= {"lrs": (colour.PLAN.lr,), **colour.from_scratch()}
    else:
        how = {
            "targets": teacher_targets(teacher, dataset.x_train, dataset.y_train),
            "loss": DistillationLoss(2.0, 0.9),
        }
    epochs = plan.teacher + plan.more
    return trained(lambda: new_net(dataset, plan, width, seed + 1000), dataset, plan, [seed, 3], epochs=epochs, **how)


def eight_bits(teacher, dataset, plan, seed, bits) -> Module:
    lrs = plan.folded_lrs or plan.lrs
    return trained(lambda: quantize_weights(fold_batch_norm(teacher.copy()), bits), dataset, plan, [seed, 3], lrs=lrs)


def few_values(teacher, dataset, plan, seed, k) -> Module:
    return trained(lambda: cluster_weights(teacher.copy(), k), dataset, plan, [seed, 3], lrs=plan.small_lrs)


def binary_weights(teacher, dataset, plan, seed, _) -> Module:
    return trained(lambda: binarize_weights(teacher.copy()), dataset, plan, [seed, 3])


def one_file(teacher, dataset, plan, seed, removed) -> Module:
    prune = max(1, round(0.7 * plan.more))
    recipe = Recipe(
        kept=1 - removed,
        k=8,
        prune=prune,
        tune=plan.more - prune,
        lrs=plan.lrs,
        centroid_lrs=plan.small_lrs,
        batch_size=plan.batch_size,
        augment=colour.augmentation(plan),
    )
    return compress(recipe, dataset, seed, net=teacher)


def separable(teacher, dataset, plan, seed, _) -> Module:
    def start():
        return make_separable(teacher, between=False, from_weights=True, rng=np.random.default_rng([seed, 4]))

    return trained(start, dataset, plan, [seed, 3])


def low_rank(teacher, dataset, plan, seed, share) -> Module:
    ranks = ranks_by_budget(teacher, share)
    return trained(lambda: factorise(teacher, ranks), dataset, plan, [seed, 3])


def early_exit(teacher, dataset, plan, seed, _) -> MultiExit:
    after, rng = [_middle(teacher)], np.random.default_rng([seed, 4])
    # Of the ResNet-20's 8,192 features, a dense layer would make a third of a megabyte, and spoil the trained layers (Y1).
    heads = pooled_heads(teacher, after, rng=rng) if colour.halving(teacher) else None
    start = add_exits(teacher, after, heads, rng=rng)
    return trained(start.copy, dataset, plan, [seed, 3], loss=JointLoss())


def _middle(net: Module) -> int:
    """The layer with an exit: the first pooling or, in a residual net, that before the block that halves the image last."""
    halving = colour.halving(net)
    return halving[-1] - 1 if halving else next(i for i, layer in enumerate(net.layers) if isinstance(layer, MaxPool2d))


def narrower(teacher, dataset, plan, seed, _) -> Slimmable:
    return trained(
        lambda: Slimmable(teacher.copy(), (0.25, 0.5, 0.75, 1.0)), dataset, plan, [seed, 3], loss=JointLoss(distil=1.0)
    )


# What their nets cost: (net, teacher, data, strength) -> Small; by default, as they are stored --------------------------


def as_stored(net, teacher, dataset, strength) -> Small:
    return plain(net)


def in_integers(net, teacher, dataset, bits) -> Small:
    """Trained on the grid, run in integers from end to end."""
    runs = to_integers(net, dataset.x_train[:256])
    return Small(net, runs, macs_of(teacher), weights_of(teacher), factor_bits=8, weight_bits=bits)


def leaving_early(net, teacher, dataset, points) -> Small:
    """Exits early; validation accuracy may fall to `points` below that of the last exit."""
    table, costs = exit_table(net, dataset.val), mac_costs(net)
    wanted = table.correct[-1].mean() - points / 100
    thresholds = choose_thresholds(table, costs, accuracy=float(wanted))
    macs = table.judge(thresholds, costs)[1]
    return Small(net, EarlyExit(net, thresholds), macs, weights_of(net))


def at_width(net: Slimmable, teacher, dataset, width) -> Small:
    return plain(net.cut(width))


def with_bits(bits: Callable[[float], float]) -> Callable[..., Small]:
    """Weights of so many bits each, a function of the strength."""
    return lambda net, teacher, dataset, strength: plain(net, weight_bits=bits(strength))


def strengths_within_time(method: "Method", plan: Plan) -> tuple:
    """Those that C2 tries: all, but of a student that trains for as long as a stored teacher only the strongest."""
    return method.strengths[-1:] if plan.stored and method.train is small_student else method.strengths


def is_gentler(method: "Method", plan: Plan) -> bool:
    """Whether the method trains at a lower rate than the controls of C2 (`trained_alike`), which then change more images for that
    reason alone."""
    return bool(plan.folded_lrs) and method.train in (eight_bits, few_values)


@dataclass(frozen=True)
class Method:
    """A method of a chapter. C1 uses `strength`; C2 tries `strengths`, from mild to strong, and calls it `family`.

    one_net: whether the same trained net serves all strengths, and `small` applies them.
    """

    name: str
    chapter: str
    train: Callable[..., Module]
    strength: float | int | None
    strengths: tuple = (None,)
    family: str = ""
    small: Callable[..., Small] = as_stored
    one_net: bool = False

    def apply(self, teacher: Module, dataset: Dataset, plan: Plan, seed: int, strength) -> Small:
        """The teacher, compressed at this strength."""
        net = _trained(self.train, teacher, dataset, plan, seed, None if self.one_net else strength)
        return self.small(net, teacher, dataset, strength)


METHODS = [
    Method("90 % of weights pruned", "pruning", fewer_weights, 0.9, (0.5, 0.8, 0.9), "weights pruned"),
    Method("half of neurons pruned", "pruning", fewer_neurons, 0.5, (0.25, 0.5, 0.7), "neurons pruned"),
    Method("half as wide, distilled", "distillation", small_student, 0.5, (0.75, 0.5), "narrower, distilled"),
    Method("8-bit integers", "quantization", eight_bits, 8, (8, 4, 3), "fewer bits", in_integers),
    Method("8 values a layer", "quantization", few_values, 8, (16, 8), "few values", with_bits(math.log2)),
    Method("binary weights", "quantization", binary_weights, None, (None,), "binary weights", with_bits(lambda _: 1)),
    Method("all in one file", "quantization", one_file, 0.9, (0.5, 0.8), "all in one file", with_bits(lambda _: 3)),
    Method("separable", "architecture", separable, None, family="separable"),
    Method("low rank, a third", "architecture", low_rank, 1 / 3, (0.5, 1 / 3), "low rank"),
    Method("early exit", "dynamic", early_exit, 0.5, (0.0, 0.5, 1.0), "early exit", leaving_early, True),
    Method("half width, slimmable", "dynamic", narrower, 0.5, (0.75, 0.5, 0.25), "slimmable", at_width, True),
]
