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
from ...training import evaluate
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis, table
from ..claim import Claim, Effect
from ..plans import plan_of
from .nets import PLANS as DENSE_PLANS
from .nets import dense_net

WEIGHTS_REMOVED = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
NEURONS_REMOVED = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
JUDGES = 2000  # training images, for the criteria that need some


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
        "magnitude, each layer": (magnitude, "layer"),
        "gradient": (taylor(judges), "global"),
        "chance": (_chance(magnitude, rng), "global"),
    }
    rows = [
        _row(seed, "weights", arm, share, prune_weights(dense.copy(), share, importance, scope), dataset.test)
        for arm, (importance, scope) in by_weight.items()
        for share in WEIGHTS_REMOVED
    ]
    by_neuron = {
        "magnitude": neuron_magnitude,
        "gradient": neuron_taylor(judges),
        "activation": activation(judges[0]),
        "chance": _chance(neuron_magnitude, rng),
    }
    pairs = [("neurons", arm, dense, importance) for arm, importance in by_neuron.items()]
    pairs += [("channels", arm, usual, importance) for arm, importance in by_neuron.items()]
    pairs += [
        ("channels", "batch-norm scale", usual, batch_norm_scale),
        ("channels", "slimmed", slim, batch_norm_scale),
    ]
    rows += [
        _row(seed, part, arm, share, remove_neurons(net, keep_neurons(net, 1 - share, importance)), dataset.test)
        for part, arm, net, importance in pairs
        for share in NEURONS_REMOVED
    ]
    for number, scan in enumerate(sensitivity(dense, dataset.val, WEIGHTS_REMOVED).values()):
        rows += [
            _accuracy(seed, "layers", f"layer {number + 1}", share, found)
            for share, found in zip(WEIGHTS_REMOVED, scan, strict=True)
        ]
    return rows


def _chance(like, rng):
    """A criterion that gives random scores to everything that the criterion `like` scores."""
    return lambda model: {name: rng.random(score.shape) for name, score in like(model).items()}


def _convnet(dataset: Dataset, plan: Plan, seed: int, slimmed: bool) -> Module:
    rng = np.random.default_rng([seed, 1])
    net = models.convnet(dataset.image_shape, dataset.num_classes, (16, 32), rng=rng)

    def loss(outputs, labels):
        value = F.cross_entropy(outputs, labels)
        return value + plan.slimming * batch_norm_l1(net) if slimmed else value

    return train(net, dataset, lr=plan.lr, epochs=plan.epochs, rng=rng, batch_size=plan.batch_size, loss=loss)


def _row(seed, part, arm, removed, net, split) -> dict:
    return _accuracy(seed, part, arm, removed, evaluate(net, split))


def _accuracy(seed, part, arm, removed, found) -> dict:
    return {"seed": seed, "part": part, "arm": arm, "removed": removed, "accuracy": 100 * found.accuracy}


def effect_p1b(rows):
    """Per seed, accuracy after removal by a criterion minus that after random removal, mean over criteria and shares.

    Weights, neurons and channels have equal weight.
    """
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        parts = []
        for part in ("weights", "neurons", "channels"):
            chosen = [row for row in rows if (row["seed"], row["part"]) == (seed, part)]
            by = {
                chance: [r["accuracy"] for r in chosen if (r["arm"] == "chance") == chance] for chance in (True, False)
            }
            parts.append(np.mean(by[False]) - np.mean(by[True]))
        effects.append(float(np.mean(parts)))
    return effects


def p1b(rows):
    """Accuracy over the share removed: of weights, neurons and channels by each criterion, and of one layer at a time."""
    fig = figure(ncols=2, nrows=2, width=17, height=11.5, sharey=True)
    panels = (
        ("weights", "weights removed", "single weights of a dense net"),
        ("neurons", "neurons removed", "neurons of the same net"),
        ("channels", "channels removed", "channels of a convolutional net with batch norm"),
        ("layers", "weights removed from one layer", "sensitivity: one layer pruned alone"),
    )
    roles = {"magnitude": "claim", "gradient": "rival", "activation": "other", "chance": "ideal"}
    roles |= {"magnitude, each layer": "last", "batch-norm scale": "extra", "slimmed": "more"}
    roles |= {"layer 1": "claim", "layer 2": "rival", "layer 3": "other"}
    for ax, (part, xlabel, title) in zip(fig.axes, panels, strict=True):
        chosen = [row for row in rows if row["part"] == part]
        for arm in dict.fromkeys(row["arm"] for row in chosen):
            removed, accuracy = table(chosen, arm, "removed", "accuracy")
            curve_with_band(ax, removed, accuracy, arm, COLORS[roles[arm]], marker="o")
        ax.set(xlabel=xlabel, ylim=(0, 102))
        ax.set_title(title)
        percent_axis(ax.xaxis)
        percent_axis(ax.yaxis, 100)
    for ax in fig.axes[::2]:
        ax.set_ylabel("accuracy, not fine-tuned")
    return fig


CLAIM = Claim(
    id="P1b",
    chapter="pruning",
    title="What is important",
    question="Evaluate how important each weight and each neuron is, and remove the least important ones first.",
    measure=measure_p1b,
    plans=PLANS,
    effects=(
        Effect(
            name="test accuracy after removal by a criterion minus after random removal, mean over criteria and shares",
            of=effect_p1b,
            unit="points",
        ),
    ),
    figure=p1b,
    note="Nothing is fine-tuned, so only the criterion matters; every layer loses the same share of neurons or channels. "
    "Activation: how often a neuron is nonzero. Slimmed: the batch-norm scale after training with a penalty on it. The "
    "figure shows each criterion, the number is their mean. The scan of single layers uses validation data.",
    source="Han et al. 2015; Molchanov et al. 2017; Hu et al. 2016, Network Trimming; Liu et al. 2017, Network Slimming",
)
