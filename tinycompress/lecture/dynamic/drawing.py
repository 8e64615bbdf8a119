"""Counts on an axis, and two panels of Y4: every measured width and exit with their frontier, and what a budget buys."""

import numpy as np

from ...workshop.style import COLORS, curve_with_band


def count_label(count: float, most: float) -> str:
    """A number of multiplications in thousands or, where the largest is 10 million or more, in millions: "157k", "2.63M"."""
    if not count:
        return "0"
    return f"{count / 1e6:.3g}M" if most >= 1e7 else f"{count / 1e3:,.0f}k"


def draw_settings(ax, settings):
    """Draw accuracy over time of each setting, by width, and the frontier of settings that none dominates."""
    widths = sorted({row["width"] for row in settings})
    for width, color in zip(widths, (COLORS[r] for r in ("last", "other", "more", "claim")), strict=False):
        points = _over_seeds([row for row in settings if row["width"] == width])
        ax.plot(*zip(*points, strict=True), "o", color=color, markersize=10)
        # The points are too scattered for labels beside them, so the widths are listed at the left, where none is.
        y = 0.9 - 0.08 * widths.index(width)
        ax.text(0.03, y, f"width {width:g}", color=color, transform=ax.transAxes)
    best = []  # by rising time, only what is more accurate than everything faster
    for us, accuracy in sorted(_over_seeds(settings)):
        if not best or accuracy > best[-1][1]:
            best.append((us, accuracy))
    ax.step(*zip(*best, strict=True), where="post", color=COLORS["reference"], linewidth=2)
    ax.set(xlabel="µs per image, in batches", ylabel="validation accuracy", xlim=(0, None))
    ax.set_title("every width and exit, and the frontier")


def draw_budgets(ax, rows):
    """Draw test accuracy over budget, by what may be adjusted."""
    for arm, role in (("depth and width", "claim"), ("width alone", "more"), ("depth alone", "rival")):
        all_budgets, accuracy = _by_budget(rows, arm)
        # An arm that cannot get fast enough has no accuracy at small budgets. Its curve starts where all seeds have one.
        accuracy = accuracy[:, np.isfinite(accuracy).all(0)]
        budgets = all_budgets[len(all_budgets) - accuracy.shape[1] :]
        shown = accuracy if role == "claim" else [accuracy.mean(0)]  # three bands would hide each other
        if accuracy.size:
            curve_with_band(ax, 1000 * budgets, shown, arm, COLORS[role], marker="o")
    ax.set(xlabel="budget, µs per image", ylabel="test accuracy")
    ax.set_xscale("log")
    low, high = (float(1000 * end) for end in (all_budgets[0], all_budgets[-1]))
    steps = (1, 2, 5) if high > 9 * low else range(1, 10)
    ticks = [round(n * 10.0**e, 9) for e in range(-3, 7) for n in steps if 0.97 * low <= n * 10.0**e <= 1.03 * high]
    ax.set_xticks(ticks, [f"{us:g}" for us in ticks])
    ax.minorticks_off()
    ax.set_title("what a budget buys")


def _by_budget(rows, arm) -> tuple[np.ndarray, np.ndarray]:
    """Budgets in ms, means over seeds because each seed has its own; and accuracies (seeds, budgets), NaN if none fits."""
    seeds = sorted({row["seed"] for row in rows if row["arm"] == arm})
    mine = [[row for row in rows if row["arm"] == arm and row["seed"] == seed] for seed in seeds]
    budgets = np.mean([[row["budget"] for row in some] for some in mine], 0)
    return budgets, np.array([[row["accuracy"] for row in some] for some in mine], float)


def _over_seeds(settings) -> list[tuple[float, float]]:
    """(µs, accuracy) of each setting, means over seeds."""
    keys = list(dict.fromkeys((row["width"], row["exit"]) for row in settings))
    same = [[row for row in settings if (row["width"], row["exit"]) == key] for key in keys]
    return [
        tuple(float(np.mean([row[k] * unit for row in some])) for k, unit in (("ms", 1000), ("accuracy", 1)))
        for some in same
    ]
