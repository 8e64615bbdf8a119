"""The figure of network slimming, drawn from the claim's rows alone."""

import numpy as np

from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, figure, percent_axis

ROLES = {"whole": "reference", "slimmed": "claim", "from scratch": "ideal"}


def p4b(rows):
    """The scales that training left, and where they were cut; the error of the three nets."""
    fig = figure(ncols=2, width=16, height=6)
    curve, bars = fig.axes
    one = next(row for row in rows if row["scales"])
    for i, (scales, kept, role) in enumerate(zip(one["scales"], one["widths"], ("claim", "rival"), strict=False)):
        places = np.arange(len(scales)) + 1
        curve.plot(places, scales, color=COLORS[role])
        curve.plot(kept, scales[kept - 1], "o", color=COLORS[role], markersize=12)
        words = f"layer {i + 1}: {kept} of {len(scales)} neurons stay"
        curve.text(0.97, 0.95 - 0.08 * i, words, color=COLORS[role], ha="right", transform=curve.transAxes)
    curve.set(
        xlabel="neurons, by their scale",
        ylabel="scale of batch norm",
        ylim=(0, 1.25 * max(max(scales) for scales in one["scales"])),
    )
    curve.set_title("what training left, one net")

    for place, (arm, role) in enumerate(ROLES.items()):
        chosen = [row for row in rows if row["arm"] == arm]
        mean, low, high = mean_interval(np.array([100 - row["accuracy"] for row in chosen]))
        spread = None if np.isnan(low) else [[mean - low], [high - mean]]
        bars.bar(place, mean, 0.6, color=COLORS[role], yerr=spread, capsize=6)
        bars.text(place, np.nan_to_num(high, nan=mean) * 1.01, f"{mean:.2f} %", ha="center", va="bottom")
        if published := chosen[0]["published"]:
            bars.plot([place - 0.3, place + 0.3], [published] * 2, color=COLORS["rival"])
            bars.annotate("the paper's", (place + 0.3, published), color=COLORS["rival"], va="center", fontsize=13)
    gone = np.mean([row["gone"] for row in rows if row["arm"] == "slimmed"])
    labels = ["whole net", f"slimmed,\n−{100 * gone:.1f} % parameters", "those widths,\nfrom scratch"]
    bars.set_xticks(range(len(ROLES)), labels)
    bars.set(ylabel="test error", ylim=(0, 1.08 * bars.get_ylim()[1]))
    percent_axis(bars.yaxis, 100)
    bars.set_title(f"equally many epochs each: {rows[0]['epochs']}")
    return fig
