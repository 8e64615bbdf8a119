"""The figures of chapter 5, each drawn from a claim's rows alone."""

import numpy as np

from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis
from ..pruning.p3_sparse_speed import table

EXIT_COLORS = [COLORS[role] for role in ("claim", "more", "rival", "extra")]


def y1(rows):
    """Accuracy over what it costs: multiplications, and time one image at a time and in a batch."""
    from matplotlib.ticker import MaxNLocator

    fig = figure(ncols=3, width=20, height=6.4, sharey=True)
    panels = (
        ("macs", "multiplications an image", "in theory"),
        ("ms_1", "ms an image", "on the clock, one image at a time"),
        ("ms_batch", "ms an image", "on the clock, in a batch"),
    )
    for ax, (key, label, title) in zip(fig.axes, panels, strict=True):
        ax.plot(*_means(rows, "threshold", key), "o-", color=COLORS["claim"])
        for arm, marker, role, size in (("exit", "s", "ideal", 11), ("plain", "D", "reference", 12)):
            ax.plot(*_means(rows, arm, key), marker, color=COLORS[role], markersize=size)
        ax.plot(*_means(rows, "chosen", key), "*", color=COLORS["rival"], markersize=24)
        ax.set(xlabel=label, xlim=(0, None))
        ax.set_title(f"{title}: ★ {_times_less(rows, key):.1f}× less")
    first = fig.axes[0]
    first.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f}k")
    first.xaxis.set_major_locator(MaxNLocator(5))
    first.set_ylabel("test accuracy")
    low, high = first.get_ylim()
    first.set_ylim(low - 0.75 * (high - low), high)  # room for the words
    percent_axis(first.yaxis, 100)
    for i, (x, y) in enumerate(zip(*_means(rows, "exit", "macs"), strict=True)):
        place = (
            {"xytext": (-12, 0), "ha": "right", "va": "center"}
            if i
            else {"xytext": (0, -12), "ha": "center", "va": "top"}
        )
        first.annotate(f"exit {i + 1}", (x, y), textcoords="offset points", color=COLORS["ideal"], **place)
    key = (
        ("◆ without exits", "reference"),
        ("■ all leave at one exit", "ideal"),
        ("● leave when this sure: 50 … 99 %", "claim"),
        ("★ chosen on validation data", "rival"),
    )
    for i, (words, role) in enumerate(key):
        fig.axes[1].text(0.98, 0.28 - 0.08 * i, words, color=COLORS[role], ha="right", transform=fig.axes[1].transAxes)
    fig.axes[2].text(
        *(0.98, 0.05, _shares(rows)), color=COLORS["rival"], ha="right", va="bottom", transform=fig.axes[2].transAxes
    )
    return fig


def _means(rows, arm, key):
    """(x, accuracy) of an arm's settings, each the mean over seeds, in the order of the rows."""
    names = list(dict.fromkeys(row["setting"] for row in rows if row["arm"] == arm))
    chosen = [[row for row in rows if (row["arm"], row["setting"]) == (arm, name)] for name in names]
    return [[float(np.mean([row[k] for row in some])) for some in chosen] for k in (key, "accuracy")]


def _times_less(rows, key) -> float:
    plain, chosen = ({row["seed"]: row[key] for row in rows if row["arm"] == arm} for arm in ("plain", "chosen"))
    return float(np.median([plain[seed] / chosen[seed] for seed in plain]))


def _shares(rows) -> str:
    chosen = [row for row in rows if row["arm"] == "chosen"]
    accuracy, plain = (np.mean([row["accuracy"] for row in rows if row["arm"] == arm]) for arm in ("chosen", "plain"))
    shares = 100 * np.mean([row["shares"] for row in chosen], axis=0)
    words = f"★ {accuracy:.2f} % right (◆ {plain:.2f} %)\nleave at exit " + ", ".join(
        f"{i + 1}: {share:.0f} %" for i, share in enumerate(shares)
    )
    if published := chosen[0]["published"]:
        words += (
            f"\nBranchyNet: {published['accuracy']:.2f} % (◆ {published['plain']:.2f} %),\n"
            f"{published['speedup']}× faster, at exit 1: {100 * published['share']:.1f} %"
        )
    return words


def y2(rows):
    """Accuracy over multiplications: one set of weights, one net a width, and a shared batch norm."""
    fig = figure(ncols=2, width=19, height=6.4)
    both = (("one net a width", "reference", "o"), ("slimmable", "claim", "o"))
    for ax, arms in zip(fig.axes, (both, (*both, ("shared batch norm", "rival", "o"))), strict=True):
        for arm, role, marker in arms:
            macs, accuracy = table(rows, arm, "macs", "accuracy")
            curve_with_band(ax, macs, accuracy, arm, COLORS[role], marker=marker)
        macs, accuracy = table(rows, "width never trained", "macs", "accuracy")
        ax.plot(macs, np.mean(accuracy, 0), "D", color=COLORS["more"], markersize=11)
        ax.set_xscale("log")
        ax.set_xlabel("multiplications an image")
        percent_axis(ax.yaxis, 100)
    widths, macs = zip(*sorted({(r["width"], r["macs"]) for r in rows if r["arm"] == "slimmable"}), strict=True)
    for ax in fig.axes:
        ax.set_xticks(macs, [f"{m / 1000:,.0f}k\nwidth {w:g}" for w, m in zip(widths, macs, strict=True)], fontsize=13)
        ax.minorticks_off()
    close, whole = fig.axes
    close.set_ylabel("test accuracy")
    close.set_title("one set of weights for all widths")
    whole.set_title("and with one batch norm for all widths")
    close.text(0.97, 0.05, "◆ widths never trained", color=COLORS["more"], ha="right", transform=close.transAxes)
    return fig


def y3(rows):
    """Digits by the exit at which they leave, how hard each exit's digits are, and where each class leaves."""
    one = [row for row in rows if row["images"]]
    exits = [row["exit"] for row in one]
    fig = figure(ncols=3, width=21, height=6.8, width_ratios=(1.5, 0.8, 1.1))
    gallery, bars, classes = fig.axes
    gallery.imshow(_mosaic(one), cmap="gray_r", aspect="equal")
    height = _mosaic(one[:1]).shape[0]
    names = [f"exit {row['exit']}\n{100 * row['share']:.0f} %" for row in one]
    gallery.set_yticks([(i + 0.5) * height for i in range(len(one))], names)
    gallery.set_xticks([])
    for color, label in zip(EXIT_COLORS, gallery.get_yticklabels(), strict=False):
        label.set_color(color)
    for i in range(1, len(one)):
        gallery.axhline(i * height - 0.5, color=COLORS["ideal"], linewidth=1.5)
    gallery.grid(False)
    for spine in gallery.spines.values():
        spine.set_visible(False)
    gallery.set_title("test images, by the exit at which they leave")

    for i in exits:
        values = np.array([r["difficulty"] for r in rows if r["exit"] == i and r["difficulty"] is not None])
        mean, low, high = mean_interval(values)
        spread = None if np.isnan(low) else [[mean - low], [high - mean]]
        bars.bar(i, mean, 0.6, color=EXIT_COLORS[i - 1], yerr=spread, capsize=6)
        bars.text(i, np.nan_to_num(high, nan=mean), f" {mean:.1f} %", ha="center", va="bottom")
    bars.set_xticks(exits, [f"exit {i}" for i in exits])
    bars.set_ylabel("nearest images of another class")
    bars.margins(y=0.12)
    percent_axis(bars.yaxis, 100)
    bars.set_title("how hard they are")

    counts = np.array([sum(np.array(r["by_class"]) for r in rows if r["exit"] == i) for i in exits], float)
    shares = counts / counts.sum(0)
    order = np.argsort(-shares[0])
    left = np.zeros(len(order))
    for i, share in zip(exits, shares, strict=True):
        classes.barh(range(len(order)), share[order], 0.75, left, color=EXIT_COLORS[i - 1])
        left += share[order]
    classes.set_yticks(range(len(order)), [one[0]["classes"][k] for k in order])
    classes.invert_yaxis()
    classes.grid(False)
    percent_axis(classes.xaxis)
    classes.set(xlabel="test images", ylabel="class")
    classes.set_title("where each class leaves: exit " + ", ".join(map(str, exits)))
    return fig


def _mosaic(rows) -> np.ndarray:
    """Images as one picture: a band of rows an exit, a column a class; empty where no image of the class left there."""
    first = next(image for row in rows for some in row["images"] for image in some)
    height, width = np.shape(first)
    deep = max(len(some) for row in rows for some in row["images"])
    picture = np.zeros((len(rows), deep, height + 1, len(rows[0]["images"]), width + 1))
    for i, row in enumerate(rows):
        for k, some in enumerate(row["images"]):
            for j, image in enumerate(some):
                picture[i, j, :height, k, :width] = image
    return picture.reshape(len(rows) * deep * (height + 1), -1)


def y4(rows):
    """All settings and their frontier, the accuracy that a budget buys, and a budget that changes."""
    fig = figure(ncols=3, width=21, height=6.6)
    everything, bought, followed = fig.axes
    settings = [row for row in rows if row["arm"] == "table"]
    widths = sorted({row["width"] for row in settings})
    for width, color in zip(widths, (COLORS[r] for r in ("last", "other", "more", "claim")), strict=False):
        points = _over_seeds([row for row in settings if row["width"] == width])
        everything.plot(*zip(*points, strict=True), "o", color=color, markersize=10)
        everything.text(
            0.97,
            0.06 + 0.08 * widths.index(width),
            f"width {width:g}",
            color=color,
            ha="right",
            transform=everything.transAxes,
        )
    best = []
    for us, accuracy in sorted(_over_seeds(settings)):
        if not best or accuracy > best[-1][1]:
            best.append((us, accuracy))
    everything.step(*zip(*best, strict=True), where="post", color=COLORS["reference"], linewidth=2)
    everything.set(xlabel="µs an image, in batches", ylabel="validation accuracy", xlim=(0, None))
    everything.set_title("every width and exit, and the frontier")

    arms = (("depth and width", "claim"), ("width alone", "more"), ("depth alone", "rival"))
    for arm, role in arms:
        seeds = sorted({row["seed"] for row in rows if row["arm"] == arm})
        mine = [[row for row in rows if row["arm"] == arm and row["seed"] == seed] for seed in seeds]
        budgets = np.mean([[row["budget"] for row in some] for some in mine], 0)
        accuracy = np.array([[row["accuracy"] for row in some] for some in mine], float)  # NaN where nothing fits
        accuracy = accuracy[:, np.isfinite(accuracy).all(0)]
        budgets = budgets[-accuracy.shape[1] :] if accuracy.size else budgets[:0]
        shown = accuracy if role == "claim" else [accuracy.mean(0)]  # three bands would hide each other
        if accuracy.size:
            curve_with_band(bought, 1000 * budgets, shown, arm, COLORS[role], marker="o")
    bought.set(xlabel="budget, µs an image", ylabel="test accuracy")
    bought.set_xscale("log")
    ticks = 1000 * np.mean([[r["budget"] for r in rows if r["arm"] == arms[0][0] and r["seed"] == s] for s in seeds], 0)
    bought.set_xticks(ticks, [f"{us:.1f}" for us in ticks])
    bought.minorticks_off()
    bought.set_title("what a budget buys")

    steps = [row for row in rows if row["arm"] == "controller"]
    steps = [
        row for row in steps if row["seed"] == max(steps, key=lambda row: row["choices"])["seed"]
    ]  # most to choose from
    x = [row["step"] for row in steps]
    followed.step(x, [1000 * row["budget"] for row in steps], where="mid", color=COLORS["ideal"])
    followed.plot(x, [1000 * row["ms"] for row in steps], "o", color=COLORS["claim"], markersize=7)
    followed.set(xlabel="step, a batch each", ylabel="µs an image", ylim=(0, None))
    followed.set_title("a changing budget (grey), time taken (blue)")
    for ax in (everything, bought):
        percent_axis(ax.yaxis, 100)
    return fig


def _over_seeds(settings) -> list[tuple[float, float]]:
    """(µs, accuracy) of each setting, the mean over seeds."""
    keys = list(dict.fromkeys((row["width"], row["exit"]) for row in settings))
    same = [[row for row in settings if (row["width"], row["exit"]) == key] for key in keys]
    return [
        tuple(float(np.mean([row[k] * unit for row in some])) for k, unit in (("ms", 1000), ("accuracy", 1)))
        for some in same
    ]
