"""Claim A1: a depthwise filter sees only its own channel."""

import numpy as np

from ... import data
from ...architecture import channel_jacobian, jacobian
from ...nn import Conv2d, DepthwiseConv2d, PointwiseConv2d
from ...workshop.style import figure
from ..claim import Claim, Effect
from ..learned import learns
from .drawing import draw_bar, draw_chance, draw_matrix, draw_reads
from .nets import PLANS, plan_for
from .pairs import PAIR_SPLIT, accuracy, trained

CHANNELS, PIXELS, SHOWN = 4, 7, (3, 3, 1)  # of the layers' inputs; the output (i, j, channel) drawn
KERNEL = 3  # height and width of the standard and depthwise kernels


def measure_a1(data_name: str, budget: str, seed: int) -> list[dict]:
    """What one output of each kind of convolution reads, and the accuracy of depthwise convolutions alone.

    Their task needs both channels (question "same") or only one of them ("own").
    """
    plan = plan_for(budget, data.load(data_name))
    rows = []
    for layer, convolution in _convolutions(np.random.default_rng(seed)).items():
        x = np.random.default_rng([seed, 1]).random((PIXELS, PIXELS, CHANNELS), np.float32)
        reads = np.abs(jacobian(convolution, x)[SHOWN])
        rows.append(
            {"seed": seed, "layer": layer, "output": SHOWN, "reads": reads.round(4)}
            | {"channels": channel_jacobian(convolution, x), "parameters": convolution.latent("weight").size}
        )
    for arm, question in (
        ("depthwise alone", "same"),
        ("depthwise alone", "own"),
        ("depthwise, answers added", "same"),
    ):
        net, pairs = trained(data_name, plan, seed, arm, question)
        rows.append(
            {"seed": seed, "arm": arm, "question": question, "accuracy": accuracy(net, pairs)}
            | {"channels": channel_jacobian(net, pairs.x_test[0]), "epochs": plan.pair_epochs}
        )
    return rows


def _convolutions(rng) -> dict:
    return {
        "standard": Conv2d(CHANNELS, CHANNELS, KERNEL, padding="same", bias=False, rng=rng),
        "depthwise": DepthwiseConv2d(CHANNELS, KERNEL, padding="same", bias=False, rng=rng),
        "pointwise": PointwiseConv2d(CHANNELS, CHANNELS, bias=False, rng=rng),
    }


def effect_local(rows) -> bool:
    """Whether depthwise layers have as many filters of KERNEL × KERNEL as channels, and an output depends on the pixels under
    its filter in its own channel, and on nothing else."""
    found = []
    for row in rows:
        if row.get("layer") == "depthwise":
            seen, (i, j, channel) = np.array(row["reads"]) > 0, row["output"]
            window = np.zeros_like(seen)
            half = KERNEL // 2
            window[i - half : i + half + 1, j - half : j + half + 1, channel] = True
            filters = row["parameters"] / KERNEL**2
            found.append(filters == seen.shape[-1] == len(row["channels"]) and (seen == window).all())
    return bool(found) and all(found)


def effect_a1(rows) -> bool:
    """Whether outputs of depthwise convolutions, and of nets of them, do not depend on other channels at all, and such nets
    answer exactly half of the questions about two channels correctly."""
    alone = [row for row in rows if row.get("layer") == "depthwise" or row.get("arm") == "depthwise alone"]
    diagonal = all(not _off_diagonal(row["channels"]).any() for row in alone)
    return diagonal and all(row["accuracy"] == 50 for row in alone if row.get("question") == "same")


def _off_diagonal(matrix) -> np.ndarray:
    matrix = np.array(matrix)
    return matrix[~np.eye(len(matrix), dtype=bool)]


KINDS = ("standard", "depthwise", "pointwise")


def a1(rows):
    """What one output reads in each kind of convolution, which channels depend on which, and accuracy on the task."""
    fig = figure(ncols=4, nrows=2, width=17, height=9.5, width_ratios=(1, 1, 1, 1.25))
    layers = {row["layer"]: row for row in rows if "layer" in row and row["seed"] == rows[0]["seed"]}
    titles = {
        "standard": "standard: 3×3 in\nevery channel",
        "depthwise": "depthwise: 3×3 in\nits own channel",
        "pointwise": "pointwise: one pixel in\nevery channel",
    }
    for column, kind in enumerate(KINDS):
        row = layers[kind]
        draw_reads(fig.axes[column], np.array(row["reads"]), row["output"])
        fig.axes[column].set_title(titles[kind])
        draw_matrix(fig.axes[4 + column], row["channels"])
        fig.axes[4 + column].set_title(f"{row['parameters']} weights")
    formula, bars = fig.axes[3], fig.axes[7]
    formula.set_axis_off()
    formula.text(
        0,
        0.95,
        "Top: the inputs that one\noutput depends on,\n|∂ output / ∂ input|\n\n"
        "Bottom: which output\nchannel depends on which\ninput channel (0: not at all)\n\n"
        "Bottom right: can depthwise\nconvolutions tell whether two\nchannels show the same digit?",
        va="top",
        fontsize=16,
        transform=formula.transAxes,
    )
    arms = (
        ("depthwise alone", "own", "its own\ndigit", "other"),
        ("depthwise alone", "same", "the same\nin both?", "rival"),
        ("depthwise, answers added", "same", "answers\nadded", "more"),
    )
    for place, (arm, question, _, role) in enumerate(arms):
        values = [r["accuracy"] for r in rows if (r.get("arm"), r.get("question")) == (arm, question)]
        draw_bar(bars, place, values, role)
    bars.set_xticks(range(len(arms)), [label for _, _, label, _ in arms])
    draw_chance(bars, len(arms))
    bars.set_title("depthwise convolutions, asked")
    return fig


CLAIM = Claim(
    id="A1",
    chapter="architecture",
    title="Depthwise: each filter sees only its own channel",
    measure=measure_a1,
    plans=PLANS,
    effects=(
        Effect(
            name=f"as many filters as channels, and an output depends on {KERNEL}×{KERNEL} pixels of its own channel only",
            of=effect_local,
            decides=("N26", "N27"),
        ),
        Effect(
            name="no output depends on another channel, and exactly half of the questions about two channels are "
            "answered correctly",
            of=effect_a1,
            decides=("N26", "N27"),
            rests_on=(learns(question="own", split=PAIR_SPLIT, name="the net asked about one channel"),),
        ),
    ),
    figure=a1,
    note="The drawing shows |∂ output / ∂ input| of real layers. In the task, each channel shows a digit and is asked "
    "whether the other channel shows the same one. Exactly half is right by construction: every image occurs equally often "
    "in pairs of the same digit and of different ones, so whatever sees one channel alone must score 50 %. "
    "Asked about its own digit, the same net does well. Adding the two answers at the end hardly helps: a sum "
    "f(a) + g(b) can be right in at most three of the four cases.",
    source="Howard et al. 2017, MobileNets; Chollet 2017, Xception",
)
