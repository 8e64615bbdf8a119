"""Claim A2: 1×1 kernels look across the channels."""

import numpy as np

from ... import data
from ...architecture import channel_jacobian
from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect
from ..rows import paired
from .nets import PLANS, plan_for
from .pairs import accuracy, trained

A2_ARMS = ("depthwise alone", "pointwise alone", "depthwise and pointwise", "standard")
EXAMPLES = 6


def measure_a2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy of four nets on pairs, and their channel-to-channel Jacobians at one pair."""
    plan = plan_for(budget, data.load(data_name))
    rows = []
    for arm in A2_ARMS:
        net, pairs = trained(data_name, plan, seed, arm)
        rows.append(
            {"seed": seed, "arm": arm, "accuracy": accuracy(net, pairs.test), "epochs": plan.pair_epochs}
            | {"channels": channel_jacobian(net, pairs.x_test[0]), "parameters": net.summary().parameters}
        )
        if seed == 0 and arm == A2_ARMS[0]:
            shown = np.linspace(0, len(pairs.x_test) - 1, EXAMPLES).astype(int)
            rows[-1] |= {"examples": pairs.x_test[shown].round(2), "same": pairs.y_test[shown, 0]}
    return rows


def effect_a2(rows):
    return paired(rows, "depthwise and pointwise", "depthwise alone", "accuracy")


def a2(rows):
    """Pairs of the task, the channels that the trained nets' answers depend on, and the nets' accuracy."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    fig = figure(ncols=3, width=19, height=7, width_ratios=(0.8, 1.1, 1.5))
    examples, matrices, bars = fig.axes
    (shown,) = (row for row in rows if "examples" in row)
    images = np.array(shown["examples"])
    n, height, width, _ = images.shape
    gap = max(1, height // 8)
    canvas = np.full((n * (height + gap), 2 * width + gap), np.nan)
    for place, image in enumerate(images):
        top = place * (height + gap)
        canvas[top : top + height, :width], canvas[top : top + height, width + gap :] = image[..., 0], image[..., 1]
        same = shown["same"][place]
        examples.text(
            2 * width + 3 * gap,
            top + height / 2,
            "same" if same else "different",
            va="center",
            color=COLORS["other" if same else "rival"],
            fontsize=17,
        )
    examples.imshow(canvas, cmap="gray_r")
    examples.set_axis_off()
    examples.set_title("two channels, one question")
    examples.set_xlim(-0.5, 2 * width + 2 * gap + 1.6 * width)

    seed = rows[0]["seed"]
    matrices.set_axis_off()
    matrices.set_title("which answer depends\non which channel")
    for place, arm in enumerate(arms):
        (row,) = (r for r in rows if r["arm"] == arm and r["seed"] == seed)
        x, y = place % 2, place // 2
        inset = matrices.inset_axes([0.05 + 0.5 * x, 0.56 - 0.54 * y, 0.36, 0.36])
        _draw_matrix(inset, row["channels"], labels=False)
        inset.set_title(arm.replace(" and ", "\nand "), fontsize=14, loc="center")
    roles = {"depthwise alone": "rival", "pointwise alone": "more", "depthwise and pointwise": "claim"}
    for place, arm in enumerate(arms):
        _bar(bars, place, [row["accuracy"] for row in rows if row["arm"] == arm], roles.get(arm, "reference"))
    counts = [next(row["parameters"] for row in rows if row["arm"] == arm) for arm in arms]
    names = [arm.replace(" alone", "\nalone").replace(" and ", "\nand ") for arm in arms]
    bars.set_xticks(range(len(arms)), [f"{name}\n({count:,})" for name, count in zip(names, counts, strict=True)])
    _chance(bars, len(arms))
    bars.set_xlabel("(parameters)")
    bars.set_title("Solved once pointwise convolutions are added")
    return fig


def _draw_matrix(ax, channels, labels=True):
    """Draw output channels by input channels. Zeros are masked, so that no dependence is white in any colour map."""
    matrix = np.array(channels)
    shown = np.ma.masked_where(matrix == 0, matrix / matrix.max())
    ax.imshow(shown, cmap="Blues", vmin=-0.4, vmax=1.2)
    n, m = matrix.shape
    ax.set_xticks(range(m), range(1, m + 1))
    ax.set_yticks(range(n), range(1, n + 1))
    ax.grid(False)
    for i, j in np.argwhere(matrix == 0):
        ax.text(j, i, "0", ha="center", va="center", fontsize=14, color=COLORS["ideal"])
    for spine in ax.spines.values():
        spine.set_visible(True)
    if labels:
        ax.set(xlabel="input channel", ylabel="output channel")


def _bar(ax, place, values, role):
    mean, low, high = mean_interval(np.array(values))
    spread = None if np.isnan(low) else [[mean - low], [high - mean]]
    ax.bar(place, mean, 0.7, color=COLORS[role], yerr=spread, capsize=5)
    ax.text(place, max(mean, np.nan_to_num(high)) + 1, f"{mean:.1f} %", ha="center", va="bottom", fontsize=15)


def _chance(ax, count):
    ax.axhline(50, color=COLORS["ideal"], linestyle="--", linewidth=2)
    ax.text(count - 0.5, 51, "chance", color=COLORS["ideal"], va="bottom", fontsize=14)
    ax.set_ylim(0, 112)
    ax.set_yticks(range(0, 101, 25))
    ax.set_xlim(-0.6, count + 0.2)
    ax.set_ylabel("correct answers")
    percent_axis(ax.yaxis, 100)


CLAIM = Claim(
    id="A2",
    chapter="architecture",
    title="Pointwise: 1×1 kernels look across the channels",
    measure=measure_a2,
    plans=PLANS,
    effects=(
        Effect(
            name="test accuracy on pairs, depthwise and pointwise minus depthwise alone",
            of=effect_a2,
            unit="points",
            margin=40,
            decides=("N28",),
        ),
    ),
    figure=a2,
    note="Supported: at least 40 points above the 50 % that depthwise convolutions reach alone. Pointwise "
    "convolutions alone compare the two digits pixel by pixel, without seeing shapes. All nets train for the same "
    "number of epochs and pick their learning rate on validation pairs.",
    source="Lin et al. 2014, Network in Network; Howard et al. 2017",
)
