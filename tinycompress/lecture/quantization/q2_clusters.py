"""Claim Q2: weights that share a few values, clustered after training or pulled together during it."""

import numpy as np

from ... import data
from ... import functional as F
from ...nn import Module
from ...nn.weighted import effective
from ...quantization import Pull, cluster_weights
from ...selection import pick_on_validation
from ...workshop.style import COLORS, curve_with_band, figure, table
from ..claim import Claim, Effect
from ..rows import paired
from .nets import PLANS, Plan, accuracy, dense_net, longer_net, plan_for, train_more

SHOWN_CLUSTERS = 4


def measure_q2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Accuracy of nets whose weights are clustered in four ways, over the number of values per layer.

    All four train for the same number of epochs in total.
    """
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    start, (trained, dense_lr) = dense_net(data_name, plan, seed), longer_net(data_name, plan, seed)
    rows = []
    for k in plan.clusters:
        arms = {
            "after training": (cluster_weights(trained.copy(), k), dense_lr),
            "centroids fine-tuned": pick_on_validation(
                lambda lr, k=k: train_more(cluster_weights(start.copy(), k), dataset, plan, seed, lr),
                plan.centroid_lrs,
                dataset,
            ),
        }
        for arm, soft in (("pulled while training", False), ("soft weight-sharing", True)):
            arms[arm] = pick_on_validation(
                lambda strength, k=k, soft=soft: _pulled(start, dataset, plan, seed, k, strength, soft),
                plan.strengths,
                dataset,
            )
        for arm, (net, choice) in arms.items():
            row = {"seed": seed, "arm": arm, "k": k, "accuracy": accuracy(net, dataset), "choice": choice}
            row |= {"float_accuracy": accuracy(trained, dataset), "epochs": plan.dense + plan.more}
            if seed == 0 and k == SHOWN_CLUSTERS and arm == "pulled while training":
                row["weights"] = effective(net[5], "weight")
                row["before"] = start[5].weight.data
            rows.append(row)
    return rows


def _pulled(start: Module, dataset, plan: Plan, seed: int, k: int, strength: float, soft: bool) -> Module:
    """A copy, trained while its weights are pulled together, then clustered."""
    net = start.copy()
    pull = Pull(net, k, strength, soft)

    def loss(outputs, labels):
        return F.cross_entropy(outputs, labels) + pull()

    train_more(net, dataset, plan, seed, plan.lrs[-1], loss=loss)
    return cluster_weights(net, k, init=pull.centroids)


def effect_q2(rows):
    """Per seed, accuracy with the pull minus accuracy clustered after training; the mean over 2, 3 and 4 values per layer."""
    return paired(rows, "pulled while training", "after training", "accuracy", k=lambda k: k <= 4)


CLUSTER_COLORS = [COLORS[role] for role in ("rival", "more", "last", "claim")]


def q2(rows):
    """Accuracy over the number of values per layer, and one layer's weights in the colours of their clusters."""
    fig = figure(ncols=2, width=17, height=6.5, width_ratios=(1.35, 1))
    left, right = fig.axes
    arms = (
        ("pulled while training", "claim"),
        ("soft weight-sharing", "last"),
        ("centroids fine-tuned", "other"),
        ("after training", "rival"),
    )
    for arm, role in arms:
        k, values = table(rows, arm, "k", "accuracy")
        curve_with_band(left, k, values, "", COLORS[role], marker="o")
        left.plot([], [], color=COLORS[role], marker="o", label=arm)  # the curves are too close for labels
    left.axhline(np.mean([row["float_accuracy"] for row in rows]), color=COLORS["ideal"], linestyle="--", linewidth=2)
    left.annotate(
        "float32",
        (max(k), np.mean([row["float_accuracy"] for row in rows])),
        xytext=(0, 6),
        textcoords="offset points",
        ha="right",
        color=COLORS["ideal"],
    )
    left.set_xscale("log", base=2)
    left.set_xticks(k, [str(value) for value in k])
    left.minorticks_off()
    left.set(xlabel="different values per layer", ylabel="test accuracy")
    left.legend(loc="lower right")
    left.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    left.set_title(f"Few values per layer: the same {rows[0]['epochs']} epochs, spent in four ways")

    (shown,) = (row for row in rows if "weights" in row)
    weights = np.array(shown["weights"])
    values, members = np.unique(weights, return_inverse=True)
    _draw_clusters(right, members.reshape(weights.shape)[:40], values)
    right.set_title(f"40 inputs of the last layer's {weights.shape[1]} neurons")
    return fig


def _draw_clusters(ax, members, values):
    """Draw a matrix in the colours of its clusters, with the table of their values beside it."""
    from matplotlib.colors import ListedColormap

    colors = CLUSTER_COLORS[: len(values)]
    ax.imshow(members, cmap=ListedColormap(colors), vmin=-0.5, vmax=len(values) - 0.5, aspect="auto")
    ax.set(xlabel="neuron", ylabel="input", xticks=[], yticks=[])
    ax.grid(False)
    for i, (value, color) in enumerate(zip(values, colors, strict=True)):
        y = 0.72 - 0.13 * i
        ax.annotate(
            "■", (1.06, y), xycoords="axes fraction", color=color, fontsize=26, va="center", annotation_clip=False
        )
        code = f"{i:0{max(1, (len(values) - 1).bit_length())}b}"
        ax.annotate(f"{code}   {value:+.3f}", (1.15, y), xycoords="axes fraction", fontsize=16, va="center")
    ax.annotate("stored", (1.15, 0.85), xycoords="axes fraction", fontsize=14, color=COLORS["ideal"])


CLAIM = Claim(
    id="Q2",
    chapter="quantization",
    title="Weight clustering",
    measure=measure_q2,
    plans=PLANS,
    effects=(
        Effect(
            name="test accuracy, pulled together while training minus clustered after training, mean over up to 4 "
            "values per layer",
            of=effect_q2,
            unit="points",
            decides=("N20", "N21"),
        ),
    ),
    figure=q2,
    note="All arms train for the same number of epochs and choose from the same number of settings on validation "
    "data. The pull adds a penalty on the distance between each weight and its group's value; soft weight-sharing "
    "is the same with a mixture of Gaussians in place of the nearest value.",
    source="Han et al. 2016, Deep Compression; Nowlan & Hinton 1992, Simplifying Neural Networks by Soft "
    "Weight-Sharing; Ullrich et al. 2017",
)
