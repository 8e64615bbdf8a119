"""Claim D1c: how many labelled images one soft target is worth."""

import functools
from dataclasses import replace

import numpy as np

from ... import data
from ...workshop.style import COLORS, curve_with_band, figure, table
from ..claim import Claim, Effect
from ..images.doubt import decided
from ..learned import learns
from .d1_outputs import three_students
from .d4_temperature import CLAIMED_T
from .nets import PLANS, plan_for, scores, teacher_of, with_fewer_images

SOFT = "teacher outputs"
ARMS = {SOFT: "claim", "smoothed labels": "other", "labels": "rival"}
SMOOTHING = 0.1  # as in Szegedy et al. 2016, section 7
MATTERS = np.log2(1.2)  # a fifth more images: less is not worth training a teacher


def measure_d1c(data_name: str, budget: str, seed: int) -> list[dict]:
    """Train a student on labels, on smoothed labels and on a teacher's outputs, with more and more images."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    plan = replace(plan, decays=(0,), smoothings=(SMOOTHING,), soft=((CLAIMED_T, 1),))
    rows = []
    for share in plan.worth_shares:
        seen, longer = with_fewer_images(dataset, plan, share, seed)
        for arm, (net, chosen) in three_students(seen, longer, teacher, seed, curves=False).items():
            row = {"seed": seed, "arm": arm, "share": share, "images": len(seen.x_train), "epochs": longer.epochs}
            rows.append(row | chosen | scores(net, dataset))
    return rows


def worth(rows: list[dict], baseline: str) -> tuple[list[int], np.ndarray]:
    """The numbers of images but the first and the last, and log2 of how many times as many images the baseline needs.

    The second is (seeds, numbers): where the baseline's curve, made monotone and interpolated over log(images), reaches the
    accuracy of the teacher's outputs. If it does not reach it with all images, they count as enough, so the factor is a
    lower bound. The first and the last number only serve to interpolate.
    """
    images, soft = table(rows, SOFT, "images", "accuracy")
    _, labels = table(rows, baseline, "images", "accuracy")
    logs = np.log2(images)
    # A tiny slope gives each accuracy on a flat stretch one place, its left end.
    reached = [np.maximum.accumulate(curve) + 1e-9 * np.arange(len(curve)) for curve in labels]
    needed = np.array([np.interp(aim, curve, logs) for aim, curve in zip(soft, reached, strict=True)])
    return images[1:-1], (needed - logs)[:, 1:-1]


def mean_worth(rows, baseline):
    return worth(rows, baseline)[1].mean(1).tolist()


def _worth_at(rows, baseline, place: int):
    return worth(rows, baseline)[1][:, place]


def worth_more(rows, baseline):
    """For which numbers of images the interval of the factor is above 1."""
    images, _ = worth(rows, baseline)
    each = [decided(rows, _worth_at, baseline, place, points=False) for place in range(len(images))]
    held = [f"{count:,}" for count, one in zip(images, each, strict=True) if one.verdict == "supported"]
    if not held:
        return "shown at no number of images"
    return f"shown at {' and '.join(filter(None, (', '.join(held[:-1]), held[-1])))} images"


def d1c(rows):
    """Test errors over the number of images, and how many times as many images are needed without soft targets."""
    fig = figure(ncols=2, width=18, height=7.5)
    errors, factor = fig.axes
    for arm, role in ARMS.items():
        images, accuracies = table(rows, arm, "images", "accuracy")
        curve_with_band(errors, images, 100 - np.array(accuracies), arm, COLORS[role], marker="o")
    for baseline, role in list(ARMS.items())[1:]:
        inner, factors = worth(rows, baseline)
        curve_with_band(factor, inner, 2**factors, f"with {baseline}", COLORS[role], ratios=True, marker="o")
        most = np.log2(images[-1] / np.array(inner))
        short = np.isclose(factors, most).any(0)  # in some seed, all images were not enough
        hollow = {"markerfacecolor": "white", "markeredgewidth": 3, "zorder": 3}
        factor.plot(np.array(inner)[short], 2 ** factors.mean(0)[short], "o", color=COLORS[role], **hollow)
    factor.axhline(1, color=COLORS["ideal"], linestyle="--", linewidth=2)
    factor.plot(inner, 2**most, color=COLORS["ideal"], linestyle=":")
    gray = {"textcoords": "offset points", "color": "#555555"}
    factor.annotate(f"all {images[-1]:,} images", (inner[0], 2 ** most[0]), xytext=(16, -4), **gray)
    words = "hollow: or more, since in some seed\nall images were not enough"
    factor.annotate(words, (inner[0], 1), xytext=(0, 8), **gray)
    for ax, shown in ((errors, images), (factor, inner)):
        ax.set_xscale("log")
        ax.set_xticks(shown, [f"{count:,}" for count in shown])
        ax.set_xlabel("training images" if ax is errors else "images with soft targets")
    errors.set_yscale("log")
    shown = [share for share in (0.5, 1, 2, 5, 10, 20, 40, 80) if errors.get_ylim()[0] < share < errors.get_ylim()[1]]
    errors.set_yticks(shown, [f"{share:g} %" for share in shown])
    errors.set_ylabel("test errors of the student")
    factor.set_yscale("log", base=2)
    shown = [2**power for power in range(8) if 2**power <= 1.1 * 2 ** most[0]]
    factor.set_yticks(shown, [f"{times}×" for times in shown])
    factor.set_title("labelled images needed per image with a soft target")
    for ax in fig.axes:
        ax.minorticks_off()
    return fig


CLAIM = Claim(
    id="D1c",
    chapter="distillation",
    title="What one soft target is worth",
    measure=measure_d1c,
    plans=PLANS,
    rests_on=(learns(share=1),),
    effects=(
        Effect(
            name="labelled images needed per image with a soft target, mean over numbers of images",
            of=functools.partial(mean_worth, baseline="labels"),
            unit="log2 ×",
            smallest=float(MATTERS),
            tested_on="all",
            decides=("N16",),
            holds=functools.partial(worth_more, baseline="labels"),
        ),
        Effect(
            name="images with smoothed labels needed per image with a soft target, mean over numbers of images",
            of=functools.partial(mean_worth, baseline="smoothed labels"),
            unit="log2 ×",
            smallest=float(MATTERS),
            tested_on="all",
            decides=("N16",),
            holds=functools.partial(worth_more, baseline="smoothed labels"),
        ),
    ),
    figure=d1c,
    note="How many times as many images with labels it takes to be as good as with soft targets: the horizontal distance between "
    "the curves on the left. Where labels do not get there with all images (dotted), these count as enough, so that the factor "
    "is a lower bound (hollow). The fewest and the most images are missing on the right, since fewer or more would be needed to "
    "find their factors. Less than 1.2, a fifth more images, is not worth a teacher. Smoothed labels are as soft and say "
    "nothing about the image. The teacher itself has seen all images.",
    source="Hinton et al. 2015, section 5 and table 5: soft targets as regularizers with 3 % of the data",
)
