"""Claim A4: what separable convolutions cost in accuracy."""

from bisect import bisect_right

import numpy as np

from ... import data, models
from ...architecture import make_separable
from ...data import Dataset
from ...nn import Module
from ...profiling import stored_bytes
from ...selection import pick_on_validation, train
from ...workshop.style import COLORS, curve_with_band, figure
from ..claim import Claim, Effect
from .nets import PLANS, Plan, accuracy, plan_for

ARMS = ("standard", "separable", "separable, from standard", "shrunk")
STEPS = 512  # a net is shrunk by a factor of 0/512 to 511/512


def measure_a4(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy and size of each arm's net at each width."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    rows = []
    for width in plan.widths:
        for arm in ARMS:
            net, lr = pick_on_validation(
                lambda lr, arm=arm, width=width: _conv_net(arm, width, dataset, plan, seed, lr), plan.conv_lrs, dataset
            )
            cost = net.summary()
            rows.append(
                {"seed": seed, "arm": arm, "width": width, "parameters": cost.parameters, "macs": cost.macs}
                | {"bytes": stored_bytes(net), "accuracy": accuracy(net, dataset), "lr": lr, "epochs": plan.epochs}
            )
    return rows


def _conv_net(arm: str, width: int, dataset: Dataset, plan: Plan, seed: int, lr: float) -> Module:
    """The arm's net of three convolutions, trained for `plan.epochs` epochs in total."""
    rng = np.random.default_rng(seed)

    def trained(net, epochs):
        return train(net, dataset, lr=lr, epochs=epochs, rng=rng, batch_size=plan.conv_batch_size)

    def convnet(factor):
        widths = [max(1, round(factor * width * times)) for times in (1, 2, 4)]
        return models.convnet(dataset.image_shape, dataset.num_classes, widths, rng=rng)

    standard = convnet(1)
    if arm == "standard":
        return trained(standard, plan.epochs)
    if arm == "separable, from standard":  # halfway, replace it by the nearest separable net
        half = plan.epochs // 2
        nearest = make_separable(trained(standard, half), between=False, from_weights=True, rng=rng)
        return trained(nearest, plan.epochs - half)
    separable = make_separable(standard, rng=rng)
    if arm == "separable":
        return trained(separable, plan.epochs)
    # The widest standard net that has no more parameters than the separable one.
    most = separable.summary().parameters
    steps = bisect_right(range(STEPS), most, key=lambda step: convnet(step / STEPS).summary().parameters)
    return trained(convnet((steps - 1) / STEPS), plan.epochs)


def effect_a4(rows):
    """Per seed, the separable net's accuracy minus that of the standard net of the same widths, mean over widths."""
    return _difference(rows, "standard")


def _difference(rows, rival: str) -> list[float]:
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        found = {(r["arm"], r["width"]): r["accuracy"] for r in rows if r["seed"] == seed}
        widths = sorted({width for _, width in found})
        effects.append(float(np.mean([found["separable", width] - found[rival, width] for width in widths])))
    return effects


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
    """Accuracy over parameters of standard, separable and shrunk nets; dotted lines join nets of the same widths."""
    fig = figure(width=13, height=7)
    (ax,) = fig.axes
    arms = (
        ("standard", "standard", "reference"),
        ("separable", "separable, same widths", "claim"),
        ("separable, from standard", "standard, made separable halfway", "last"),
        ("shrunk", "standard, shrunk to the same size", "other"),
    )
    widths, seeds = (sorted({row[key] for row in rows}) for key in ("width", "seed"))
    ends = {}
    for arm, label, role in arms:
        found = {(r["seed"], r["width"]): r for r in rows if r["arm"] == arm}
        sizes = [found[seeds[0], width]["parameters"] for width in widths]
        values = np.array([[found[seed, width]["accuracy"] for width in widths] for seed in seeds])
        curve_with_band(ax, sizes, values, "", COLORS[role], marker="o")
        ax.plot(
            [], [], color=COLORS[role], marker="o", label=label
        )  # the curves are too close for labels at their ends
        ends[arm] = list(zip(sizes, values.mean(0), strict=True))
    for width, *pair in zip(widths, ends["standard"], ends["separable"], strict=True):
        ax.plot(*zip(*pair, strict=True), color=COLORS["ideal"], linestyle=":", linewidth=2, zorder=1)
        side = "right" if width == widths[-1] else "center"
        label = f"{width}, {2 * width}, {4 * width}"
        ax.annotate(label, pair[0], (0, 12), textcoords="offset points", ha=side)
    ax.legend(loc="lower right")
    ax.set_xscale("log")
    low, high = min(ends["separable"])[0], max(ends["standard"])[0]
    ticks = [n * 10**power for power in range(2, 8) for n in (1, 2, 5) if 0.8 * low < n * 10**power < 1.2 * high]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="parameters", ylabel="test accuracy")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    ax.set_title(f"Three convolutions, labelled by their channels, {rows[0]['epochs']} epochs")
    return fig


CLAIM = Claim(
    id="A4",
    chapter="architecture",
    title="Accuracy survives",
    question="A net of separable convolutions is about as accurate as one of standard convolutions.",
    measure=measure_a4,
    plans=PLANS,
    effects=(
        Effect(
            name="test accuracy, separable minus standard of the same widths, mean over widths",
            of=effect_a4,
            unit="points",
            margin=-1.0,
        ),
    ),
    figure=a4,
    ratios=ratios_a4,
    note="Supported: less than one point is lost. The shrunk net is a narrower standard net with at most the separable "
    "net's number of parameters. Light blue: a standard net for half of the epochs, then the nearest separable net, "
    "without a nonlinearity between its two layers. All train for the same number of epochs and pick their learning rate "
    "on validation data.",
    source="Howard et al. 2017, table 4; Guo et al. 2018, Network Decoupling",
)
