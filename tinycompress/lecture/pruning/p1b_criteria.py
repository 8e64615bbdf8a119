"""Claim P1b: what makes a weight, a neuron or a layer important.

Nothing is fine-tuned here: a good criterion removes what the net can do without as it is.
"""

from dataclasses import dataclass

import numpy as np

from ... import data, models
from ... import functional as F
from ...data import Dataset
from ...nn import Module
from ...pruning import (
    activation,
    batch_norm_l1,
    batch_norm_scale,
    keep_neurons,
    magnitude,
    neuron_magnitude,
    neuron_taylor,
    prune_weights,
    remove_neurons,
    sensitivity,
    taylor,
)
from ...selection import train
from ...workshop.style import COLORS, curve_with_band, figure, label_end, percent_axis, table
from ..claim import Claim, Effect
from ..images.doubt import decided
from ..images.shares import accuracy_on, mean_of
from ..learned import learns
from ..plans import plan_of
from ..rows import paired
from .nets import PLANS as DENSE_PLANS
from .nets import chance, dense_net

WEIGHTS_REMOVED = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
NEURONS_REMOVED = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
LEAST = {"weights": WEIGHTS_REMOVED[0], "neurons": NEURONS_REMOVED[0], "channels": NEURONS_REMOVED[0]}
JUDGES = 2000  # training images, for the criteria that need some
SMALLEST = 1.0  # points of accuracy that matter
DRAWS = 5  # of what chance removes; their mean is its accuracy
CRITERIA = {  # the role in which each is drawn
    "magnitude": "claim",
    "magnitude per layer": "last",
    "gradient": "rival",
    "activation": "other",
    "batch-norm scale": "extra",
    "slimmed": "more",
}
IN_WORDS = {"slimmed": "batch-norm scale after slimming"}
TRIED = {  # on what each criterion is tried
    "weights": ("magnitude", "magnitude per layer", "gradient"),
    "neurons": ("magnitude", "gradient", "activation"),
    "channels": ("magnitude", "gradient", "activation", "batch-norm scale", "slimmed"),
}
PARTS = {
    "weights": "single weights of a dense net",
    "neurons": "neurons of the same net",
    "channels": "channels of a convolutional net",
}


@dataclass(frozen=True)
class Plan:
    """How the net with batch norm trains: once as usual, once with `slimming` times the L1 norm of its scales in the loss."""

    epochs: int
    batch_size: int
    slimming: float
    lr: float = 0.05


PLANS = {
    "quick": Plan(epochs=6, batch_size=64, slimming=0.015),
    "quick, many images": Plan(epochs=2, batch_size=128, slimming=0.003),
    "full": Plan(epochs=20, batch_size=64, slimming=0.005),
    "paper": Plan(epochs=5, batch_size=128, slimming=0.001),
}


def measure_p1b(data_name: str, budget: str, seed: int) -> list[dict]:
    """Accuracy of one net after each criterion has removed the same shares, and of the net with one layer pruned."""
    dataset = data.load(data_name)
    dense = dense_net(dataset, plan_of(DENSE_PLANS, budget, dataset), seed)
    usual, slim = (_convnet(dataset, plan_of(PLANS, budget, dataset), seed, slimmed) for slimmed in (False, True))
    judges, rng = (dataset.x_train[:JUDGES], dataset.y_train[:JUDGES]), np.random.default_rng([seed, 2])
    by_weight = {
        "magnitude": (magnitude, "global"),
        "magnitude per layer": (magnitude, "layer"),
        "gradient": (taylor(judges), "global"),
        "chance": (chance(magnitude, rng), "global"),
    }

    def without_weights(importance, scope):
        return lambda share: prune_weights(dense.copy(), share, importance, scope)

    def without_neurons(net, importance):
        return lambda share: remove_neurons(net, keep_neurons(net, 1 - share, importance))

    by_neuron = {
        "magnitude": neuron_magnitude,
        "gradient": neuron_taylor(judges),
        "activation": activation(judges[0]),
        "chance": chance(neuron_magnitude, rng),
    }
    ways = [("weights", arm, without_weights(*how)) for arm, how in by_weight.items()]
    ways += [("neurons", arm, without_neurons(dense, importance)) for arm, importance in by_neuron.items()]
    ways += [("channels", arm, without_neurons(usual, importance)) for arm, importance in by_neuron.items()]
    ways += [
        ("channels", "batch-norm scale", without_neurons(usual, batch_norm_scale)),
        ("channels", "slimmed", without_neurons(slim, batch_norm_scale)),
    ]
    rows = []
    for part, arm, without in ways:
        for share in WEIGHTS_REMOVED if part == "weights" else NEURONS_REMOVED:
            tries = [accuracy_on(without(share), dataset.test) for _ in range(DRAWS if arm == "chance" else 1)]
            rows.append(_row(seed, part, arm, share, mean_of(tries)))
    for number, scan in enumerate(sensitivity(dense, dataset.val, WEIGHTS_REMOVED).values()):
        for share, found in zip(WEIGHTS_REMOVED, scan, strict=True):
            rows.append(_row(seed, "layers", f"layer {number + 1}", share, 100 * found.accuracy))
    return rows


def _convnet(dataset: Dataset, plan: Plan, seed: int, slimmed: bool) -> Module:
    rng = np.random.default_rng([seed, 1])
    net = models.convnet(dataset.image_shape, dataset.num_classes, (16, 32), rng=rng)

    def loss(outputs, labels):
        value = F.cross_entropy(outputs, labels)
        return value + plan.slimming * batch_norm_l1(net) if slimmed else value

    return train(net, dataset, lr=plan.lr, epochs=plan.epochs, rng=rng, batch_size=plan.batch_size, loss=loss)


def _row(seed, part, arm, removed, accuracy) -> dict:
    return {"seed": seed, "part": part, "arm": arm, "removed": removed, "accuracy": accuracy}


def gain(rows, criterion: str, part: str) -> list[float]:
    """Per seed, accuracy after removal by the criterion minus that after random removal, mean over the shares."""
    return paired(rows, criterion, "chance", "accuracy", part=part.__eq__)


def effect_of(part: str, criterion: str) -> Effect:
    """What the criterion gains over chance for weights, neurons or channels; they are never averaged."""
    return Effect(
        name=f"{part} by {IN_WORDS.get(criterion, criterion)}: gain over chance",
        of=lambda rows: gain(rows, criterion, part),
        unit="points",
        smallest=SMALLEST,
        rests_on=(learns(part=part, arm=("gradient", criterion), removed=LEAST[part], name=f"the net ({part})"),),
    )


def p1b(rows):
    """Accuracy over the share removed, by criterion, and the gain of each over chance."""
    fig = figure(ncols=2, nrows=2, width=16, height=8.5)
    *curves, gains = fig.axes
    for ax, (part, title) in zip(curves, PARTS.items(), strict=True):
        chosen = [row for row in rows if row["part"] == part]
        removed, accuracy = table(chosen, "chance", "removed", "accuracy")
        curve_with_band(ax, removed, accuracy, "chance", COLORS["ideal"], linestyle="--")
        for arm in TRIED[part]:
            removed, accuracy = table(chosen, arm, "removed", "accuracy")
            mean = np.mean(accuracy, axis=0)
            ax.plot(removed, mean, color=COLORS[CRITERIA[arm]], marker="o")
            label_end(ax, [(removed[0], mean[0]), (removed[-1], mean[-1])], arm, COLORS[CRITERIA[arm]])
        ax.set(xlabel=f"{part} removed", ylim=(0, 102), title=title)
        percent_axis(ax.xaxis), percent_axis(ax.yaxis, 100)
        ax.set_ylabel("accuracy, not fine-tuned")
    _draw_gains(gains, rows)
    return fig


def _draw_gains(ax, rows):
    """The gain over chance of each criterion, with its 95 % interval, in one block for weights, neurons and channels each."""
    place, places, names = 0.0, [], []
    for part in PARTS:
        for arm in TRIED[part]:
            _, mean, interval = decided(rows, gain, arm, part)
            color = COLORS[CRITERIA[arm]]
            ax.plot(interval or [mean, mean], [place, place], color=color)
            ax.plot(mean, place, "o", color=color)
            places.append(place)
            names.append(f"{part}: {arm}")
            place -= 1
        place -= 0.6
    ax.axvline(0, color=COLORS["ideal"], linestyle="--", linewidth=2)
    ax.set_yticks(places, names)
    ax.set(xlabel="points, mean over the shares")
    ax.grid(axis="x"), ax.grid(False, axis="y")
    ax.set_title("gain over chance: interval that decides")


CLAIM = Claim(
    id="P1b",
    chapter="pruning",
    title="What is important",
    question="Removing the least important weights and neurons costs less accuracy than removing random ones.",
    measure=measure_p1b,
    plans=PLANS,
    effects=tuple(effect_of(part, criterion) for part, criteria in TRIED.items() for criterion in criteria),
    figure=p1b,
    note="Nothing is fine-tuned, so only the criterion matters; every layer loses the same share of neurons or channels. "
    f"Activation: how often a neuron is nonzero. Slimmed: the batch-norm scale after training with a penalty on it. Chance: "
    f"the mean of {DRAWS} random removals. Accuracies are means over the shares removed.",
    source="Han et al. 2015; Molchanov et al. 2017; Hu et al. 2016, Network Trimming; Liu et al. 2017, Network Slimming",
)
