"""Claim P0: pruning is like dropout, but it chooses what to remove.

Dropout removes a random part of the net for one step of training; pruning removes the smallest part for good. Targeted dropout
is the link between them: it drops, while the net trains, what pruning would remove. Nothing is fine-tuned here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ... import data, models
from ...data import Dataset
from ...nn import Dropout, Module, ReLU, Sequential
from ...pruning import (
    keep_neurons,
    magnitude,
    neuron_magnitude,
    prune_weights,
    remove_neurons,
    targeted_dropout,
)
from ...selection import train
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis, table
from ..claim import Claim, Effect
from ..images.doubt import decided
from ..images.shares import Share, accuracy_on, mean_of
from ..learned import learns
from ..plans import plan_of
from ..rows import paired
from .nets import chance

REMOVED = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
DRAWS = 5  # of what is removed at random; their mean is its accuracy
P = 0.5  # the probability to drop, of both kinds of dropout
TARGETS = 0.9  # the share that targeted dropout may drop
SMALLEST = 1.0  # points of accuracy that matter
AT_RANDOM = "plain, at random"
SHARES = {  # removed, judged apart: what is removed least is far from the share that targeted dropout prepares for
    "50 and 70 % removed": lambda share: share < 0.8,
    "80 % removed and more": lambda share: share >= 0.8,
}
TARGETED = {"weights": "targeted dropout of weights", "neurons": "targeted dropout of neurons"}


@dataclass(frozen=True)
class Plan:
    """epochs: of each net. lrs: learning rates that each arm tries."""

    epochs: int
    batch_size: int
    lrs: tuple[float, ...]


PLANS = {
    "quick": Plan(epochs=10, batch_size=64, lrs=(0.02, 0.1)),
    "quick, many images": Plan(epochs=5, batch_size=128, lrs=(0.05, 0.1)),
    "full": Plan(epochs=60, batch_size=64, lrs=(0.01, 0.03, 0.1)),
    "paper": Plan(epochs=10, batch_size=128, lrs=(0.05, 0.1)),
}


def with_dropout(net: Sequential, rng: np.random.Generator) -> Sequential:
    """The net with dropout of its hidden neurons."""
    layers = [[layer, Dropout(P, rng=rng)] if isinstance(layer, ReLU) else [layer] for layer in net.layers]
    return Sequential(*sum(layers, []), input_shape=net.input_shape)


def trained(arm: str, dataset: Dataset, plan: Plan, seed: int, lr: float) -> Module:
    """A LeNet-300-100, trained plainly or with one kind of dropout."""
    rng, drops = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    net = models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=rng)
    if arm == "dropout":
        net = with_dropout(net, drops)
    if arm in TARGETED.values():
        targeted_dropout(net, TARGETS, P, rng=drops, neurons=arm == TARGETED["neurons"])
    return train(net, dataset, lr=lr, epochs=plan.epochs, rng=rng, batch_size=plan.batch_size)


def remove(net: Module, part: str, share: float, rng: np.random.Generator | None = None) -> Module:
    """A copy without the smallest weights or neurons; with an rng, without random ones."""
    if part == "weights":
        return prune_weights(net.copy(), share, chance(magnitude, rng) if rng else magnitude)
    return remove_neurons(net, keep_neurons(net, 1 - share, chance(neuron_magnitude, rng) if rng else neuron_magnitude))


def accuracies(net: Module, part: str, split, rng: np.random.Generator | None = None) -> list[Share]:
    """Accuracy in per cent after each share was removed."""
    return [accuracy_on(remove(net, part, share, rng), split) for share in REMOVED]


def measure_p0(data_name: str, budget: str, seed: int) -> list[dict]:
    """Accuracy over the share removed; of each arm's nets, the one that is best after removal on validation data."""
    dataset = data.load(data_name)
    plan = plan_of(PLANS, budget, dataset)
    nets = {
        arm: [trained(arm, dataset, plan, seed, lr) for lr in plan.lrs]
        for arm in ("plain", "dropout", *TARGETED.values())
    }
    rows = []
    for part, targeted in TARGETED.items():
        found = {}
        for arm, name in (("plain", "plain"), ("dropout", "dropout"), (targeted, "targeted dropout")):
            best = max(nets[arm], key=lambda net, part=part: np.mean(accuracies(net, part, dataset.val)))
            found[name] = accuracies(best, part, dataset.test)
            if arm == "plain":
                draws = [np.random.default_rng([seed, 2, draw]) for draw in range(DRAWS)]
                tries = [accuracies(best, part, dataset.test, rng) for rng in draws]
                found[AT_RANDOM] = [mean_of(of_share) for of_share in zip(*tries, strict=True)]
        rows += [
            {"seed": seed, "part": part, "arm": name, "removed": share, "accuracy": accuracy, "epochs": plan.epochs}
            for name, some in found.items()
            for share, accuracy in zip(REMOVED, some, strict=True)
        ]
    return rows


def effect_of(arm: str, baseline: str, name: str, judged: Callable[[float], bool] = bool) -> Effect:
    """Accuracy of one arm minus another after removal, mean over weights and neurons; and where it is shown for each.

    judged: whether a share removed counts; by default all do.
    """

    def where(rows):
        rows, words = [row for row in rows if judged(row["removed"])], []
        for part in TARGETED:
            mean = np.mean(paired(rows, arm, baseline, "accuracy", part=part.__eq__))
            found = {}
            for share in sorted({row["removed"] for row in rows}):
                here = {"part": part.__eq__, "removed": share.__eq__}
                lead = decided(rows, paired, arm, baseline, "accuracy", smallest=SMALLEST, **here)
                found.setdefault(lead.verdict, []).append(f"{100 * share:.0f}")
            shares = "; ".join(f"{word} at {', '.join(some)} %" for word, some in found.items())
            words.append(f"{part} {mean:+.0f}: {shares}")
        return " · ".join(words)

    return Effect(
        name=name,
        of=lambda rows: paired(rows, arm, baseline, "accuracy", removed=judged),
        unit="points",
        smallest=SMALLEST,
        decides=("N1",),
        holds=where,
    )


def p0(rows):
    """Accuracy over the share removed, of weights and of neurons."""
    fig = figure(ncols=2, width=18, height=7, sharey=True)
    drawn = {
        "targeted dropout": "claim",
        "plain": "reference",
        "dropout": "rival",
        AT_RANDOM: "other",
    }
    for ax, part in zip(fig.axes, TARGETED, strict=True):
        for arm, role in drawn.items():
            removed, accuracy = table(rows, arm, "removed", "accuracy", part=part)
            line = {"linestyle": "--"} if arm == AT_RANDOM else {"marker": "o"}
            curve_with_band(ax, range(len(removed)), accuracy, arm, COLORS[role], **line)
        ax.set_xticks(range(len(removed)), [f"{100 * share:.0f} %" for share in removed])
        ax.set(xlabel=f"{part} removed: the smallest, or at random (dashed)", ylim=(-4, 101))
        ax.set_title(f"{part} removed from nets trained in three ways")
    fig.axes[0].set_ylabel("test accuracy, not fine-tuned")
    percent_axis(fig.axes[0].yaxis, 100)
    return fig


CLAIM = Claim(
    id="P0",
    chapter="pruning",
    title="A dropout with a target",
    measure=measure_p0,
    plans=PLANS,
    rests_on=(learns(removed=REMOVED[0], arm=("plain", "dropout", "targeted dropout")),),
    effects=(
        effect_of(
            "plain",
            AT_RANDOM,
            "the target: accuracy after removing the smallest minus after removing random ones, one plainly trained net",
        ),
        *(
            effect_of(
                "targeted dropout",
                arm,
                f"dropout with a target prepares for pruning: trained with it minus trained {how}, {where}",
                judged,
            )
            for arm, how in (("dropout", "with dropout"), ("plain", "plainly"))
            for where, judged in SHARES.items()
        ),
    ),
    figure=p0,
    note=f"LeNet-300-100; nothing is fine-tuned. Dropout zeroes each hidden neuron with probability {P}. Targeted dropout "
    f"does so to the {100 * TARGETS:.0f} % smallest weights of each neuron or, on the right, to the smallest neurons of each "
    "layer, and so prepares for the removal of that share. Weights are removed by one threshold for the whole net, neurons "
    "from each layer alike. All nets train for as many epochs, and each arm picks its learning rate on validation data, by "
    f"accuracy after removal. At random: the mean of {DRAWS} draws.",
    source="Srivastava et al. 2014, Dropout; Gomez et al. 2019, Learning Sparse Networks Using Targeted Dropout",
)
