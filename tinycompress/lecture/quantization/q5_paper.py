"""The figure of claim Q5 at the budget "paper": the stages of Deep Compression, and how small a net can become."""

import numpy as np

from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure
from .bytes_drawn import LABELS, STAGES, draw_line, size_label

NAMES = {"lenet_300_100": "LeNet-300-100", "lenet_5": "LeNet-5", "resnet20": "ResNet-20"}

# What the papers report, as (times smaller, test error in %). Han et al. 2016, tables 1, 4 and 5; Ullrich et al. 2017,
# table 1; Louizos et al. 2017, table 2.
STAGES_OF_HAN = {
    "pruned": 12,
    "clustered": {"lenet_300_100": 32, "lenet_5": 33},
    "Huffman": {"lenet_300_100": 40, "lenet_5": 39},
}
PUBLISHED = {
    "lenet_300_100": {
        "Deep Compression 2016": (40, 1.58),
        "soft weight-sharing 2017": (64, 1.94),
    },
    "lenet_5": {
        "Deep Compression 2016": (39, 0.74),
        "soft weight-sharing 2017": (162, 0.97),
        "Bayesian compression 2017": (771, 1.0),
    },
}


def q5_paper(rows):
    """One row of panels per net: bytes after each stage beside the paper's, and test error over the size of the file."""
    nets = list(dict.fromkeys(row["net"] for row in rows))
    fig = figure(ncols=2, nrows=len(nets), width=19, height=6.5 * len(nets), width_ratios=(1, 1.25), squeeze=False)
    for i, net in enumerate(nets):
        chosen = [row for row in rows if row["net"] == net]
        _draw_stages(fig.axes[2 * i], net, [row for row in chosen if row["arm"] == chosen[0]["arm"]])
        _draw_frontier(fig.axes[2 * i + 1], net, chosen)
    return fig


def _draw_stages(ax, net, rows):
    """Draw bytes as dots on a logarithmic axis, with the size and the error beside them, and the sizes that the paper reports."""
    whole, recipe = rows[0]["float_bytes"], rows[0]["arm"].removeprefix(f"{net}, ")
    some = [[row for row in rows if row["stage"] == stage] for stage in STAGES]
    sizes, errors = ([np.mean([row[key] for row in at]) for at in some] for key in ("bytes", "error"))
    draw_line(ax, sizes, COLORS["claim"])
    for place, (stage, size, error) in enumerate(zip(STAGES, sizes, errors, strict=True)):
        ax.annotate(
            f"{size_label(size)}\n{error:.2f} %", (place, size), (10, 4), textcoords="offset points", va="bottom",
            color=COLORS["claim"], fontsize=14,
        )  # fmt: skip
        ratio = STAGES_OF_HAN.get(stage)
        ratio = ratio.get(net) if isinstance(ratio, dict) else ratio
        if ratio:
            ax.plot(place, whole / ratio, "s", color=COLORS["rival"], markersize=12, zorder=1)
    for line, (words, role) in enumerate(
        (("ours; below each size: test error", "claim"), ("■ Han et al. 2016", "rival"))
    ):
        ax.text(0.98, 0.95 - 0.08 * line, words, transform=ax.transAxes, ha="right", color=COLORS[role])
    ax.set_yscale("log")
    ax.set_xlim(-0.3, len(STAGES) - 0.4)
    ax.set_ylim(min(row["bytes"] for row in rows) * 0.4, 2 * whole)
    _bytes_axis(ax.yaxis, *ax.get_ylim())
    ax.set_xticks(range(len(STAGES)), [LABELS.get(stage, stage) for stage in STAGES])
    ax.set_ylabel("bytes of the file")
    final = np.mean([row["float_bytes"] / row["bytes"] for row in rows if row["stage"] == STAGES[-1]])
    ax.set_title(f"{NAMES[net]}: {recipe}, {final:.0f}× smaller")


def _draw_frontier(ax, net, rows):
    """Draw every finished file as a dot, the mean of each recipe as a larger one, and published results as squares."""
    final = [row for row in rows if row["stage"] == STAGES[-1]]
    whole = final[0]["float_bytes"]
    dense = [row["error"] for row in {row["seed"]: row for row in rows if row["stage"] == STAGES[0]}.values()]
    ax.axhline(np.mean(dense), color=COLORS["ideal"], linestyle="--", linewidth=2)
    seeds = f"{len(dense)} seed" + "s" * (len(dense) > 1)
    means, ends = [], []
    for arm in dict.fromkeys(row["arm"] for row in final):
        some = [row for row in final if row["arm"] == arm]
        ax.plot([r["bytes"] for r in some], [r["error"] for r in some], "o", color=COLORS["claim"], alpha=0.35)
        size, error = np.mean([r["bytes"] for r in some]), np.mean([r["error"] for r in some])
        _, low, high = seed_band([r["error"] for r in some])
        spread = None if np.isnan(low) else [[error - low], [high - error]]
        ax.errorbar(size, error, spread, color=COLORS["claim"], fmt="o", markersize=13, capsize=5)
        means.append((size, error))
        ends += [error] if np.isnan(low) else [max(low, 0), high]
    means.sort()
    ax.plot(*np.array(means).T, color=COLORS["claim"], linewidth=1.5)
    for place, (size, error) in enumerate(means):  # close neighbours: alternate, and the smallest has room on the left
        where = "left" if place == 0 else "above" if place % 2 else "below"
        _label(ax, size, error, f"{whole / size:.0f}×", "claim", where)
    for name, (ratio, error) in PUBLISHED[net].items():
        ax.plot(whole / ratio, error, "s", color=COLORS["rival"], markersize=12)
        _label(ax, whole / ratio, error, f"{name.replace(' 20', chr(10) + '20')}, {ratio}×", "rival")
    sizes = [size for size, _ in means] + [whole / ratio for ratio, _ in PUBLISHED[net].values()]
    errors = ends + [row["error"] for row in final] + [error for _, error in PUBLISHED[net].values()]
    ax.set_xscale("log")
    ax.set_xlim(min(sizes) * 0.6, max(sizes) * 3.5)
    _bytes_axis(ax.xaxis, *ax.get_xlim())
    ax.set_ylim(max(0, min(*errors, *dense) - 0.12), max(errors) + 0.25)
    ax.annotate(
        f"dense, {size_label(whole)}: {np.mean(dense):.2f} %",
        (1, np.mean(dense)),
        xycoords=("axes fraction", "data"),
        xytext=(0, -6),
        textcoords="offset points",
        ha="right",
        va="top",
        color=COLORS["ideal"],
        fontsize=14,
    )
    ax.set(xlabel="bytes of the file", ylabel="test error (%)")
    ax.set_title(f"{NAMES[net]}: blue ours, {seeds}; orange published")


PLACES = {
    "above": {"xytext": (6, 12)},
    "below": {"xytext": (8, -10), "va": "top"},
    "left": {"xytext": (-12, 0), "va": "center", "ha": "right"},
}


def _label(ax, x, y, text, role, where="above"):
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}  # hides the error bars of other dots
    ax.annotate(
        text,
        (x, y),
        textcoords="offset points",
        color=COLORS[role],
        fontsize=14,
        bbox=behind,
        zorder=5,
        **PLACES[where],
    )


def _bytes_axis(axis, low, high):
    ticks = [t for t in (1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6) if low <= t <= high]
    axis.set_ticks(ticks, [size_label(t) for t in ticks])
    axis.set_minor_locator(_no_ticks())


def _no_ticks():
    from matplotlib.ticker import NullLocator

    return NullLocator()
