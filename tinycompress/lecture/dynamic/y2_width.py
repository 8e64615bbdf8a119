"""Claim Y2: one set of weights at several widths, compared with one net per width and with a shared batch norm."""

from dataclasses import replace

import numpy as np

from ... import data, models
from ...dynamic import Slimmable
from ...nn import Module
from ...selection import pick_on_validation, train
from ...workshop import colour
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis, table
from ..claim import Claim, Effect
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import COLOUR
from ..rows import paired
from . import nets
from .drawing import count_label
from .nets import mean_loss, plan_for, slimmable

# Narrower nets lose most of what the ResNet-20 knew, and learn it again at high rates.
_KEY = f"paper, {COLOUR}"
WITH_COLOUR = nets.PLANS | {_KEY: replace(nets.WITH_COLOUR[_KEY], lrs=(0.1,), joint_lrs=(0.05,))}

MARGIN = -1.0  # points of accuracy that one set of weights may cost


def measure_y2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Accuracy at each width of the slimmable net, of one with a shared batch norm, and of separately trained nets."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset, WITH_COLOUR)

    resnet = colour.trained_resnet(data_name, seed) if plan.stored else None

    def kept(name, make, lrs):
        name = f"Y2: {name}, seed {seed}"
        return colour.kept(plan, name, [resnet], dataset, make, plan.width_epochs * len(lrs))

    def new(width: float) -> Module:
        if resnet is not None:  # all start with the first channels of the trained net
            whole = resnet.copy()
            return whole if width == 1 else Slimmable(whole, plan.widths).cut(width)
        rng = np.random.default_rng(seed)
        channels = [max(1, round(width * n)) for n in plan.channels]
        return models.convnet(dataset.image_shape, dataset.num_classes, channels, rng=rng)

    def alone(width):
        def arm(lr):
            rng, augment = np.random.default_rng([seed, 1]), colour.augmentation(plan)
            how = {"epochs": plan.width_epochs, "batch_size": plan.batch_size, "augment": augment}
            return train(new(width), dataset, lr=lr, rng=rng, **how)

        rates = (colour.LR,) if plan.stored and width == 1 else plan.lrs  # the whole net has nothing to learn again
        return kept(f"width {width:g}", lambda: pick_on_validation(arm, rates, dataset), rates)

    def together(batch_norm):
        def arm(lr):
            return slimmable(new(1), dataset, plan, seed, lr, batch_norm)

        loss = mean_loss(lambda slim: [slim.at(width) for width in slim.widths], dataset)
        name = f"slimmable, {batch_norm} batch norm"
        return kept(name, lambda: pick_on_validation(arm, plan.joint_lrs, dataset, loss), plan.joint_lrs)

    (own, own_lr), (shared, shared_lr) = together("own"), together("shared")
    found = [("slimmable", w, own.cut(w), own_lr) for w in plan.widths]
    found += [("width never trained", w, own.between(w, dataset.x_train), own_lr) for w in plan.untrained]
    found += [("shared batch norm", w, shared.cut(w), shared_lr) for w in plan.widths]
    found += [("one net a width", w, *alone(w)) for w in plan.widths]
    return [
        {
            "seed": seed,
            "arm": arm,
            "width": width,
            "macs": net.copy().bake().summary().macs,
            "accuracy": accuracy_on(net, dataset.test),
            "lr": lr,
            "epochs": plan.width_epochs,
        }
        for arm, width, net, lr in found
    ]


def effect_y2(rows):
    """Per seed, the accuracy of the slimmable net minus that of separately trained nets, mean over widths."""
    return paired(rows, "slimmable", "one net a width", "accuracy")


def holds_y2(rows) -> str:
    """How far the width adjusts the computation, and which widths that were never trained do worse than a smaller one."""
    macs = [row["macs"] for row in rows if row["arm"] == "slimmable"]
    trained, between = (_by_width(rows, arm) for arm in ("slimmable", "width never trained"))
    worse = []
    for width, accuracy in between.items():
        smaller = max(w for w in trained if w < width)
        if accuracy < trained[smaller] + MARGIN:
            worse.append(f"{width:g} ({accuracy:.1f} %) is worse than {smaller:g} ({trained[smaller]:.1f} %)")
    words = f"from {max(macs):,} to {min(macs):,} multiplications per image, {max(macs) / min(macs):.0f}× fewer"
    words += f"; for the widths that were trained: {', '.join(f'{w:g}' for w in trained)}"
    return words + (f"; of the others, {', '.join(worse)}" if worse else "")


def _by_width(rows, arm) -> dict[float, float]:
    """The accuracy of an arm at each of its widths, mean over seeds."""
    widths, accuracies = table(rows, arm, "width", "accuracy")
    return dict(zip(widths, np.mean(accuracies, axis=0), strict=True))


def y2(rows):
    """Accuracy over multiplications: one set of weights, one net per width, and a shared batch norm."""
    fig = figure(ncols=2, width=16, height=6.8)
    both = (("one net a width", "one net per width", "reference"), ("slimmable", "slimmable", "claim"))
    all_three = (*both, ("shared batch norm", "shared batch norm", "rival"))
    for ax, arms in zip(fig.axes, (both, all_three), strict=True):
        for arm, label, role in arms:
            macs, accuracy = table(rows, arm, "macs", "accuracy")
            curve_with_band(ax, macs, accuracy, label, COLORS[role], marker="o")
        macs, accuracy = table(rows, "width never trained", "macs", "accuracy")
        ax.plot(macs, np.mean(accuracy, 0), "D", color=COLORS["more"], markersize=11)
        if ax is fig.axes[0]:
            for at, height, width in zip(
                macs, np.mean(accuracy, 0), _by_width(rows, "width never trained"), strict=True
            ):
                place = {"xytext": (9, -5), "textcoords": "offset points", "va": "top", "fontsize": 14}
                ax.annotate(f"× {width:g}", (at, height), color=COLORS["more"], **place)
        ax.set_xscale("log")
        ax.set_xlabel("multiplications per image, and width")
        ax.set_ylim(None, min(100, ax.get_ylim()[1]))
        percent_axis(ax.yaxis, 100)
    widths, macs = zip(*sorted({(r["width"], r["macs"]) for r in rows if r["arm"] == "slimmable"}), strict=True)
    labels = [f"{count_label(m, max(macs))}\n× {w:g}" for w, m in zip(widths, macs, strict=True)]
    for ax in fig.axes:
        ax.set_xticks(macs, labels, fontsize=14)
        ax.minorticks_off()
    close, whole = fig.axes
    close.set_ylabel("test accuracy")
    close.set_title("one set of weights for all widths")
    whole.set_title("and with one batch norm for all widths")
    close.text(0.03, 0.95, "◆ widths never trained", color=COLORS["more"], va="top", transform=close.transAxes)
    return fig


CLAIM = Claim(
    id="Y2",
    chapter="dynamic",
    title="Adjust the width",
    measure=measure_y2,
    plans=WITH_COLOUR,
    rests_on=(learns(arm=("slimmable", "one net a width"), by="width"),),
    effects=(
        Effect(
            name="test accuracy, one set of weights minus one net per width, mean over widths",
            of=effect_y2,
            unit="points",
            margin=MARGIN,
            holds=holds_y2,
            decides=("N30",),
        ),
    ),
    figure=y2,
    note="Supported: one set of weights costs less than one point. Each width has its own batch norm; a shared one has "
    "statistics that are right for at most one width. For widths that were never trained, the statistics are measured on "
    "training images. All nets train for the same number of epochs and choose from the same number of learning rates. "
    "From a ResNet-20, all start with its trained weights, narrower ones with its first channels, and have one rate: "
    "0.02 for the whole net on its own, 0.1 for narrower ones, which have more to learn again, and 0.05 for one set. "
    "The smaller widths of one set learn half from the labels and half from its whole width; a net of its own learns from the "
    "labels alone.",
    source="Yu et al. 2019, Slimmable Neural Networks; Yu & Huang 2019, Universally Slimmable Networks",
)
