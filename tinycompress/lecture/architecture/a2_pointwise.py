"""Claim A2: 1×1 kernels look across the channels, and at one pixel."""

import numpy as np

from ... import data
from ...architecture import channel_jacobian, jacobian
from ...nn import PointwiseConv2d
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect
from ..learned import learns
from ..rows import paired
from .drawing import draw_bar, draw_chance, draw_matrix, draw_reads
from .nets import PLANS, plan_for
from .pairs import PAIR_SPLIT, accuracy, trained

A2_ARMS = ("depthwise alone", "pointwise alone", "depthwise and pointwise", "standard")
EXAMPLES = 6
CHANNELS, PIXELS, SHOWN = 4, 7, (3, 3, 1)  # of the input of one pointwise layer; the output (i, j, channel) drawn


def measure_a2(data_name: str, budget: str, seed: int) -> list[dict]:
    """What an output of a pointwise layer reads; test accuracy of four nets on pairs, and which channels they connect."""
    plan = plan_for(budget, data.load(data_name))
    rng = np.random.default_rng([seed, 1])
    layer = PointwiseConv2d(CHANNELS, CHANNELS, bias=False, rng=rng)
    reads = np.abs(jacobian(layer, rng.random((PIXELS, PIXELS, CHANNELS), np.float32))[SHOWN])
    rows = [{"seed": seed, "arm": "a pointwise layer", "output": SHOWN, "reads": reads}]
    for arm in A2_ARMS:
        net, pairs = trained(data_name, plan, seed, arm)
        rows.append(
            {"seed": seed, "arm": arm, "accuracy": accuracy(net, pairs), "epochs": plan.pair_epochs}
            | {"channels": channel_jacobian(net, pairs.x_test[0]), "parameters": net.summary().parameters}
        )
        if arm == A2_ARMS[0]:
            shown = np.linspace(0, len(pairs.x_test) - 1, EXAMPLES).astype(int)
            rows[-1] |= {"examples": pairs.x_test[shown].round(2), "same": pairs.y_test[shown, 0]}
    return rows


def effect_reads(rows) -> bool:
    """Whether outputs of pointwise layers depend on their own pixel in every channel, and on no other pixel at all."""
    found = []
    for row in rows:
        if "reads" in row:
            i, j, _ = row["output"]
            seen = np.array(row["reads"]) > 0
            found.append(seen[i, j].all() and seen.sum() == seen.shape[-1])
    return bool(found) and all(found)


def effect_a2(rows):
    """Per seed, the accuracy of depthwise and pointwise convolutions minus that of depthwise convolutions alone."""
    return paired(rows, "depthwise and pointwise", "depthwise alone", "accuracy")


def a2(rows):
    """Pairs of the task, what one output reads, the channels that the trained nets' answers depend on, and their accuracy."""
    fig = figure(ncols=2, nrows=2, width=15, height=12.5, width_ratios=(1, 1.25))
    examples, layer, matrices, bars = fig.axes
    _draw_examples(examples, rows)
    drawn = [row for row in rows if "reads" in row][:1]
    layer.set_axis_off()
    layer.set_title("What one output of a pointwise layer reads")
    for row in drawn:
        draw_reads(layer, np.array(row["reads"]), row["output"])
    arms = [arm for arm in A2_ARMS if any(row["arm"] == arm for row in rows)]
    _draw_matrices(matrices, rows, arms)
    _draw_accuracies(bars, rows, arms)
    return fig


def _draw_examples(ax, rows):
    """Draw a few pairs of images, and whether they show the same digit."""
    shown = next(row for row in rows if "examples" in row)
    images = np.array(shown["examples"])
    n, height, width, _ = images.shape
    gap = max(1, height // 8)
    canvas = np.full((n * (height + gap), 2 * width + gap), np.nan)
    for place, image in enumerate(images):
        top = place * (height + gap)
        canvas[top : top + height, :width], canvas[top : top + height, width + gap :] = image[..., 0], image[..., 1]
        word, role = ("same", "other") if shown["same"][place] else ("different", "rival")
        x, y = 2 * width + 3 * gap, top + height / 2
        ax.text(x, y, word, va="center", color=COLORS[role], fontsize=17)
    ax.imshow(canvas, cmap="gray_r")
    ax.set_axis_off()
    ax.set_title("Two channels: the same digit?")
    ax.set_xlim(-0.5, 2 * width + 2 * gap + 1.6 * width)


def _draw_matrices(ax, rows, arms):
    """Draw which of a net's two answers depends on which channel, for the first seed."""
    ax.set_axis_off()
    ax.set_title("Which of a net's two answers (row)\ndepends on which channel (column)")
    for place, arm in enumerate(arms):
        row = next(r for r in rows if r["arm"] == arm and r["seed"] == rows[0]["seed"])
        x, y = place % 2, place // 2
        inset = ax.inset_axes([0.05 + 0.5 * x, 0.56 - 0.54 * y, 0.36, 0.34])
        draw_matrix(inset, row["channels"], labels=False)
        inset.set_title(arm.replace(" and ", "\nand "), fontsize=14, loc="center")


def _draw_accuracies(ax, rows, arms):
    """Draw the accuracy of each net on pairs, with its number of parameters."""
    roles = {"depthwise alone": "rival", "pointwise alone": "more", "depthwise and pointwise": "claim"}
    names = []
    for place, arm in enumerate(arms):
        chosen = [row for row in rows if row["arm"] == arm]
        draw_bar(ax, place, [row["accuracy"] for row in chosen], roles.get(arm, "reference"))
        name = arm.replace(" alone", "\nalone").replace(" and ", "\nand ")
        names.append(f"{name}\n({chosen[0]['parameters']:,})")
    ax.set_xticks(range(len(arms)), names)
    draw_chance(ax, len(arms))
    ax.set_xlabel("(parameters)")
    ax.set_title("The same digit? Four nets")


CLAIM = Claim(
    id="A2",
    chapter="architecture",
    title="Pointwise: 1×1 kernels look across the channels",
    measure=measure_a2,
    plans=PLANS,
    effects=(
        Effect(
            name="an output of a pointwise layer depends on one pixel of every channel, and on no other pixel",
            of=effect_reads,
            decides=("N28",),
        ),
        Effect(
            name="test accuracy on pairs, depthwise and pointwise minus depthwise alone",
            of=effect_a2,
            unit="points",
            margin=40,
            decides=("N28",),
            rests_on=(learns(arm="depthwise and pointwise", split=PAIR_SPLIT),),
            tested_on="of a class",
        ),
    ),
    figure=a2,
    note="Each net gives two answers, 1 and 2, one per channel of its output, both to the question whether the digits are the "
    "same. Supported: at least 40 points above the 50 % that depthwise convolutions reach alone, so that 9 of 10 answers are "
    "right; more than 50 points are impossible. Pointwise "
    "convolutions alone compare the two digits pixel by pixel, without seeing shapes. All nets train for the same "
    "number of epochs and pick their learning rate on validation pairs.",
    source="Lin et al. 2014, Network in Network; Howard et al. 2017",
)
