"""Pictures of chapter 5: which images leave at which exit, one set of weights at several widths, and budgets."""

from collections.abc import Sequence

import numpy as np

from ...dynamic import Costs, ExitTable, Setting, best_within, frontier
from ...workshop.style import COLORS, applied, corner_note, figure, label_end, percent_axis

ROLES = ("claim", "other", "more", "rival", "extra")  # colours of the exits, from the first
SHOWN = 10  # images per exit


@applied()
def who_leaves(table: ExitTable, costs: Costs, threshold: float, images: np.ndarray, labels: np.ndarray, classes):
    """One threshold for all exits: images that leave at each exit, shares by class, and accuracy over mean cost.

    table: the exits' outputs for the images (N, H, W, 1). Per exit, up to SHOWN images are drawn, from the most to the
    least confident.
    """
    exits = len(table.scores)
    left = table.leaving((threshold,) * (exits - 1))
    fig = figure(ncols=2, nrows=2, width=13, height=9, height_ratios=(0.75, 1))
    grid = fig.axes[0].get_gridspec()  # the gallery spans both columns of the first row
    for ax in fig.axes[:2]:
        ax.remove()
    gallery, (shares, curve) = fig.add_subplot(grid[0, :]), fig.axes[:2]
    for i in range(exits):
        here = np.flatnonzero(left == i)
        order = here[np.argsort(-table.scores[i, here], kind="stable")]
        picked = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).astype(int)] if len(order) else []
        for place, n in enumerate(picked):
            extent = (place + 0.05, place + 0.95, exits - i - 0.95, exits - i - 0.05)
            gallery.imshow(images[n].squeeze(-1), cmap="gray_r", extent=extent)
            if not table.correct[i, n]:
                gallery.plot(*np.array(extent).reshape(2, 2)[:, [1]], "X", color=COLORS["rival"], markersize=11)
        words = f"exit {i + 1}: {100 * len(here) / len(left):.0f} %"
        gallery.text(-0.2, exits - i - 0.5, words, ha="right", va="center", color=COLORS[ROLES[i]], fontsize=16)
    gallery.set(xlim=(-2.6, SHOWN), ylim=(0, exits))
    gallery.set_axis_off()
    gallery.set_title("Images that leave, the most confident left; ✕ marks errors")

    bottom = np.zeros(len(classes))
    for i in range(exits):
        share = np.array([(left[labels == c] == i).mean() for c in range(len(classes))])
        shares.bar(range(len(classes)), share, 0.8, bottom, color=COLORS[ROLES[i]])
        bottom += share
    shares.set_xticks(range(len(classes)), classes)
    shares.set(xlabel="class", ylabel="images that leave", ylim=(0, 1))
    percent_axis(shares.yaxis)
    shares.set_title("Who leaves early, by class")

    thresholds = np.linspace(0, 1, 101)
    judged = np.array([table.judge((t,) * (exits - 1), costs) for t in thresholds])
    curve.plot(judged[:, 1] / 1000, judged[:, 0], color=COLORS["ideal"])
    accuracy, cost = table.judge((threshold,) * (exits - 1), costs)
    curve.plot(cost / 1000, accuracy, "o", color=COLORS["claim"], markersize=16)
    curve.set(xlabel="thousand multiplications per image", ylabel="test accuracy")
    percent_axis(curve.yaxis)
    curve.set_title(f"{100 * accuracy:.1f} % correct at {cost / 1000:.0f} thousand")
    return fig


@applied()
def widths(slim: dict[float, tuple[float, float]], rivals: dict[str, dict[float, tuple[float, float]]], chosen: float):
    """Accuracy over multiplications of one net at several widths, one of them marked, and of its rivals.

    slim, and each of rivals: width -> (accuracy, MACs). slim also has widths that were not trained.
    """
    fig = figure(width=11, height=5.4)
    (ax,) = fig.axes
    for (name, by_width), role in zip(rivals.items(), ("rival", "other", "more"), strict=False):
        points = np.array([by_width[w] for w in sorted(by_width)])
        ax.plot(points[:, 1] / 1000, points[:, 0], color=COLORS[role], marker="o", linewidth=2)
        label_end(ax, [(x / 1000, y) for y, x in points], name, COLORS[role])
    points = np.array([slim[w] for w in sorted(slim)])
    ax.plot(points[:, 1] / 1000, points[:, 0], color=COLORS["claim"], marker="o")
    label_end(ax, [(x / 1000, y) for y, x in points], "one net, all widths", COLORS["claim"])
    accuracy, macs = slim[chosen]
    ax.plot(macs / 1000, accuracy, "o", color=COLORS["claim"], markersize=18)
    ax.set(xlabel="thousand multiplications per image", ylabel="test accuracy")
    percent_axis(ax.yaxis)
    ax.set_title(f"{100 * chosen:.0f} % of the channels: {macs / 1000:.0f} thousand, {100 * accuracy:.1f} % correct")
    return fig


@applied()
def within(settings: Sequence[Setting], ms: float, machine: str):
    """All measured settings of width and exits, their frontier, and the best one within a budget of ms per image."""
    fig = figure(width=11, height=5.8)
    (ax,) = fig.axes
    shades = {w: COLORS[role] for w, role in zip(sorted({s.width for s in settings}), ROLES[::-1][1:], strict=False)}
    for width, color in shades.items():
        some = [s for s in settings if s.width == width]
        places = [1000 * s.ms for s in some], [s.accuracy for s in some]
        ax.plot(*places, "o", color=color, alpha=0.6, label=f"{100 * width:.0f} %")
    best = frontier(settings)
    ax.step([1000 * s.ms for s in best], [s.accuracy for s in best], where="post", color=COLORS["ideal"], zorder=0)
    ax.axvline(1000 * ms, color=COLORS["reference"], linestyle="--", linewidth=2)
    try:
        found = best_within(settings, ms=ms)
        exits = ", ".join(f"{t:.2g}" for t in found.thresholds)
        chosen, right = 100 * found.width, 100 * found.accuracy
        title = f"{1000 * ms:.1f} µs: width {chosen:.0f} %, thresholds {exits}: {right:.1f} %"
        ax.plot(1000 * found.ms, found.accuracy, "*", color=COLORS["rival"], markersize=26, zorder=5)
    except ValueError:
        title = f"{1000 * ms:.1f} µs: no setting is that fast"
    ax.legend(title="width", loc="upper left", bbox_to_anchor=(1.01, 1))
    ax.set(xlabel="microseconds per image", ylabel="validation accuracy", xscale="log")
    ticks = [
        t for t in (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 500) if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]
    ]
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.minorticks_off()
    percent_axis(ax.yaxis)
    ax.set_title(title)
    corner_note(fig, machine)
    return fig
