"""Claim A4: what separable convolutions cost in accuracy."""

import functools
from bisect import bisect_right

import numpy as np

from ... import data, models
from ...architecture import make_separable
from ...data import Dataset
from ...nn import Module
from ...profiling import stored_bytes
from ...selection import pick_on_validation, train
from ...workshop import colour
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis, table
from ..claim import Claim, Effect
from ..images.shares import accuracy_on
from ..learned import learns
from .nets import WITH_COLOUR, Plan, plan_for

ARMS = ("standard", "separable", "shrunk")
MARGIN = -1.0  # points of accuracy that separable convolutions may cost
STEPS = 512  # a net is shrunk by a factor of 0/512 to 511/512


def measure_a4(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy and size of each arm's net at each width."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset, WITH_COLOUR)
    rows = []

    def picked(arm, width):
        def make():
            arms = functools.partial(_conv_net, arm, width, dataset, plan, seed)
            return pick_on_validation(arms, plan.conv_lrs, dataset)

        name = f"A4: {arm}, {width} channels, seed {seed}"
        return colour.kept(plan, name, [], dataset, make, plan.epochs * len(plan.conv_lrs))

    for width in plan.widths:
        for arm in ARMS:
            net, lr = picked(arm, width)
            cost, accuracy = net.summary(), accuracy_on(net, dataset.test)
            rows.append(
                {"seed": seed, "arm": arm, "width": width, "parameters": cost.parameters, "macs": cost.macs}
                | {"bytes": stored_bytes(net), "accuracy": accuracy, "lr": lr, "epochs": plan.epochs}
                | ({"net": "ResNet-20"} if plan.stored else {})
            )
    return rows


def _conv_net(arm: str, width: int, dataset: Dataset, plan: Plan, seed: int, lr: float) -> Module:
    """The arm's net of three convolutions, or its ResNet-20, trained for `plan.epochs` epochs."""
    rng = np.random.default_rng(seed)

    def trained(net):
        how = {"epochs": plan.epochs, "batch_size": plan.conv_batch_size, "augment": colour.augmentation(plan)}
        # Depthwise filters have so few weights that decay would harm them (Howard et al. 2017, section 3.2).
        how |= colour.from_scratch() | {"weight_decay": 0.0} if plan.stored else {}
        return train(net, dataset, lr=lr, rng=rng, **how)

    def convnet(factor):
        if plan.stored:
            return colour.new_resnet(dataset, factor * width / colour.WIDTHS[0], rng)
        widths = [max(1, round(factor * width * times)) for times in (1, 2, 4)]
        return models.convnet(dataset.image_shape, dataset.num_classes, widths, rng=rng)

    standard = convnet(1)
    if arm == "standard":
        return trained(standard)
    separable = make_separable(standard, rng=rng)
    if arm == "separable":
        return trained(separable)
    # The widest standard net that has no more parameters than the separable one.
    most = separable.summary().parameters
    steps = bisect_right(range(STEPS), most, key=lambda step: convnet(step / STEPS).summary().parameters)
    return trained(convnet((steps - 1) / STEPS))


def effect_a4(rows, baseline="standard"):
    """Per seed, the separable net's accuracy minus that of the standard net of the same widths, or of the shrunk one; mean
    over widths."""
    return np.mean(_differences(rows, baseline)[1], axis=1).tolist()


def _differences(rows, baseline="standard") -> tuple[list[int], np.ndarray]:
    """The widths, and accuracy of separable nets minus that of the baseline: (seeds, widths)."""
    widths, separable = table(rows, "separable", "width", "accuracy")
    return widths, np.subtract(separable, table(rows, baseline, "width", "accuracy")[1])


def holds_a4(rows, baseline="standard") -> str:
    """The difference at each width, mean over seeds."""
    widths, differences = _differences(rows, baseline)
    return "by width: " + ", ".join(f"{w}: {d:+.1f}" for w, d in zip(widths, differences.mean(0), strict=True))


def ratios_a4(rows):
    """Ratios of the widest nets."""
    widest = max(row["width"] for row in rows)
    by_arm = {row["arm"]: row for row in rows if row["width"] == widest}
    standard, separable = by_arm["standard"], by_arm["separable"]
    return {
        "theory": standard["parameters"] / separable["parameters"],
        "disk": standard["bytes"] / separable["bytes"],
    }


def a4(rows):
    """Accuracy over parameters of standard, separable and shrunk nets, and what separable convolutions cost at each width."""
    fig = figure(ncols=2, width=17, height=7.2, width_ratios=(1.45, 1))
    _draw_accuracy(fig.axes[0], rows)
    _draw_cost(fig.axes[1], rows)
    return fig


def _draw_accuracy(ax, rows):
    """Draw accuracy over parameters; dotted lines join nets of the same widths."""
    arms = (
        ("standard", "standard", "reference"),
        ("shrunk", "standard, shrunk\nto the same size", "other"),
        ("separable", "separable", "claim"),
    )
    means = {}
    for arm, label, role in arms:
        widths, accuracies = table(rows, arm, "width", "accuracy")
        # Channels are whole numbers, so nets of one arm and width are all of the same size.
        sizes = [next(r["parameters"] for r in rows if (r["arm"], r["width"]) == (arm, width)) for width in widths]
        curve_with_band(ax, sizes, accuracies, "", COLORS[role], marker="o")
        means[arm] = list(zip(sizes, np.mean(accuracies, 0), strict=True))
        ax.plot(
            [], [], color=COLORS[role], marker="o", label=label
        )  # the curves are too close for labels at their ends
    for width, *pair in zip(widths, means["standard"], means["separable"], strict=True):
        ax.plot(*zip(*pair, strict=True), color=COLORS["ideal"], linestyle=":", linewidth=2, zorder=1)
        label = f"{width}, {2 * width}, {4 * width}"
        ax.annotate(label, pair[0], (8, -20), textcoords="offset points", fontsize=14)
    ax.legend(loc="lower right")
    ax.set_xscale("log")
    low, high = min(means["separable"])[0], max(means["standard"])[0]
    ticks = [10**power * n for power in range(1, 8) for n in (1, 3) if 0.8 * low < n * 10**power < 1.2 * high]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.margins(x=0.12)
    top = ax.get_ylim()[1]
    ax.set_ylim(None, min(top, 100.5))
    ax.set(xlabel="parameters", ylabel="test accuracy")
    percent_axis(ax.yaxis, 100)
    what = "ResNet-20s" if "net" in rows[0] else "Three convolutions"
    ax.set_title(f"{what}, labelled by their channels\n({rows[0]['epochs']} epochs; dotted: the same widths)")


def _draw_cost(ax, rows):
    """Draw separable minus standard accuracy at each width, and the margin."""
    widths, differences = _differences(rows)
    curve_with_band(ax, widths, differences, "", COLORS["claim"], marker="o")
    ax.axhline(0, color=COLORS["reference"], linewidth=1.5)
    ax.axhline(MARGIN, color=COLORS["rival"], linestyle="--", linewidth=2)
    words = f"margin: {MARGIN:g} point"
    ax.annotate(words, (widths[0], MARGIN), (0, 5), textcoords="offset points", color=COLORS["rival"], va="bottom")
    ax.set_xscale("log", base=2)
    ax.set_xticks(widths, map(str, widths))
    ax.minorticks_off()
    ax.set(xlabel="channels of the first layer", ylabel="points of test accuracy")
    ax.set_title("Separable minus standard,\nsame widths")


CLAIM = Claim(
    id="A4",
    chapter="architecture",
    title="Accuracy survives",
    question="A net of separable convolutions is about as accurate as one of standard convolutions, and more accurate than one "
    "shrunk to its size.",
    measure=measure_a4,
    plans=WITH_COLOUR,
    effects=(
        Effect(
            name="test accuracy, separable minus standard of the same widths, mean over widths",
            of=effect_a4,
            unit="points",
            margin=MARGIN,
            holds=holds_a4,
            rests_on=(learns(arm=("separable", "standard"), by="width"),),
        ),
        Effect(
            name="test accuracy, separable minus standard shrunk to the same size, mean over widths",
            of=functools.partial(effect_a4, baseline="shrunk"),
            unit="points",
            smallest=1.0,
            holds=functools.partial(holds_a4, baseline="shrunk"),
            rests_on=(learns(arm=("separable", "shrunk"), by="width"),),
        ),
    ),
    figure=a4,
    ratios=ratios_a4,
    note="The first half is supported if less than one point is lost, as the mean over widths. The shrunk net is a narrower "
    "standard net with at most the separable net's number of parameters. All train for the same number of epochs. Each picks its "
    "learning rate on validation data; for a ResNet-20, all have the same.",
    source="Howard et al. 2017, table 4",
)
