"""Parts of chapter 2's figures: learning curves, bars with intervals, published numbers."""

import numpy as np

from ...workshop.interval import seed_band
from ...workshop.style import COLORS, curve_with_band, percent_axis


def draw_curves(ax, rows, arms, bands=True):
    """Draw validation accuracy over epochs, of `arms` (arm, colour role, label), limited to the range in which they differ.

    bands: whether to draw the bands over seeds, too, of which more than three are hard to tell apart.
    """
    lowest = []
    for arm, role, label in arms:
        curves = np.array([row["curve"] for row in rows if row["arm"] == arm])
        drawn = curves if bands else curves.mean(0)  # one curve has no band
        curve_with_band(ax, np.arange(1, curves.shape[1] + 1), drawn, label.replace("\n", " "), COLORS[role])
        lowest.append(curves.mean(0)[max(1, curves.shape[1] // 10)])
    top = max(line.get_ydata().max() for line in ax.lines)
    ax.set_ylim(max(0, min(min(lowest), top - 5)), min(100, top + 0.3 * (100 - top) + 0.2))
    ax.set(xlabel="epoch", ylabel="validation accuracy")
    ax.xaxis.get_major_locator().set_params(integer=True)
    percent_axis(ax.yaxis, 100)


def draw_images(rows) -> str:
    """The number of training images that these rows' nets saw, as a label."""
    return f"{rows[0]['images']:,} images"


def draw_error_bars(ax, rows, bars, start=0):
    """Draw test errors in per cent, one bar per arm of `bars` (arm, colour role, label), and published errors if any."""
    for place, (arm, role, _) in enumerate(bars, start):
        chosen = [row for row in rows if row["arm"] == arm]
        by_seed = [
            np.mean([100 - r["accuracy"] for r in chosen if r["seed"] == s]) for s in {r["seed"] for r in chosen}
        ]
        draw_bar(ax, place, by_seed, COLORS[role])
        if chosen[0].get("published") is not None:
            draw_published(ax, place, 100 * chosen[0]["published"] / chosen[0]["tested"])
    ax.set_xticks(range(start, start + len(bars)), [label for *_, label in bars])
    ax.set_ylabel("test errors")
    ax.margins(y=0.12)
    percent_axis(ax.yaxis, 100)


def draw_bar(ax, place, values, color, width=0.7, text=True, **look):
    """Draw the mean over seeds as a bar, its band over seeds clipped to 0 to 100 %, and the mean as a number above."""
    mean, low, high = map(float, np.clip(seed_band(np.array(values, float)), 0, 100))
    spread = None if np.isnan(low) else [[mean - low], [high - mean]]
    ax.bar(place, mean, width, color=color, yerr=spread, capsize=5, ecolor="#555555", edgecolor="white", **look)
    if text:
        ax.annotate(
            f"{mean:.3g}",
            (place, mean if np.isnan(high) else high),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=14,
        )


def draw_published(ax, place, value):
    """Mark the number that the paper reports."""
    first = not any(line.get_label() == "Hinton et al. 2015" for line in ax.lines)
    label = "Hinton et al. 2015" if first else "_"
    ax.plot([place], [value], "D", color=COLORS["more"], markeredgecolor="black", markersize=11, label=label)
    ax.legend()


def draw_reference_line(ax, value, label):
    """Draw a dashed line across the axes, with its label right of them, where no bar is."""
    ax.axhline(value, color=COLORS["reference"], linestyle="--", linewidth=2)
    place = ax.get_yaxis_transform()  # x in axes' units, y in data units
    ax.annotate(
        label,
        (1, value),
        xycoords=place,
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=COLORS["reference"],
    )
