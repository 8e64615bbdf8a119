"""The figures of the claims that look across the chapters, each drawn from a claim's rows alone."""

import numpy as np

from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, figure, percent_axis

CHAPTERS = {
    "": "reference",
    "pruning": "claim",
    "distillation": "rival",
    "quantization": "other",
    "architecture": "extra",
    "dynamic": "more",
}
CONTROLS = ("another order", "another start")


def c1(rows):
    """Accuracy over bytes and over milliseconds, one number a method; and the three ratios of each beside its name."""
    fig = figure(ncols=3, width=22, height=8, width_ratios=(1, 1, 1.15))
    by_bytes, by_ms, ratios = fig.axes
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    for ax, key, label in ((by_bytes, "bytes", "bytes of the file"), (by_ms, "ms", "ms for 64 images")):
        for number, arm in enumerate(arms):
            chosen = [row for row in rows if row["arm"] == arm]
            _point(ax, chosen, key, number)
        ax.set_xscale("log")
        ax.set(xlabel=label, ylabel="test accuracy")
        percent_axis(ax.yaxis, 100)
        ax.margins(0.09)
    _readable_log_ticks(by_bytes, lambda t: f"{t / 1000:g} KB")
    _readable_log_ticks(by_ms, lambda t: f"{t:g}")
    by_ms.set_ylabel("")
    by_bytes.set_title("On disk: upper left is best")
    by_ms.set_title("On the clock")
    _ratios(ratios, rows, arms)
    return fig


def _point(ax, chosen, key, number):
    color = COLORS[CHAPTERS[chosen[0]["chapter"]]]
    x = float(np.exp(np.mean(np.log([row[key] for row in chosen]))))
    mean, low, high = map(float, mean_interval(np.array([row["accuracy"] for row in chosen])))
    if not np.isnan(low):
        ax.plot([x, x], [low, high], color=color, linewidth=2, alpha=0.6)
    ax.plot([x], [mean], "o", color=color, markersize=21)
    ax.annotate(str(number), (x, mean), color="white", ha="center", va="center", fontsize=12, fontweight="bold")


def _readable_log_ticks(ax, text):
    low, high = ax.get_xlim()
    ticks = [m * 10.0**e for e in range(-4, 8) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    ax.set_xticks(ticks, [text(t) for t in ticks])
    ax.minorticks_off()


MARKS = (
    ("work_ratio", "s", "counted work", "ideal"),
    ("disk_ratio", "D", "disk", "last"),
    ("clock_ratio", "o", "clock", "rival"),
)


def _ratios(ax, rows, arms):
    """How many times smaller or faster each method is by counting, on disk and on the clock."""
    for place, arm in enumerate(arms):
        chosen = [row for row in rows if row["arm"] == arm]
        means = [float(np.exp(np.mean(np.log([row[key] for row in chosen])))) for key, *_ in MARKS]
        ax.plot([min(means), max(means)], [place, place], color="#BBBBBB", linewidth=2, zorder=1)
        for mean, (_, mark, _, role) in zip(means, MARKS, strict=True):
            ax.plot([mean], [place], mark, color=COLORS[role], markersize=11, zorder=2)
    for _, mark, name, role in MARKS:
        ax.plot([], [], mark, color=COLORS[role], label=name, markersize=11)
    ax.set_yticks(range(len(arms)), [f"{arm}  {number}" for number, arm in enumerate(arms)])
    for tick, arm in zip(ax.get_yticklabels(), arms, strict=True):
        tick.set_color(COLORS[CHAPTERS[next(row["chapter"] for row in rows if row["arm"] == arm)]])
    ax.invert_yaxis()
    ax.set_xscale("log")
    _readable_log_ticks(ax, lambda t: f"{t:g}×")
    ax.axvline(1, color=COLORS["reference"], linewidth=1.5)
    ax.grid(axis="x", color="#E4E4E4")
    ax.set_xlabel("times smaller or faster than the teacher")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handletextpad=0.1, columnspacing=1.0)


def c2(rows):
    """Change of each class's recall, by method; the share of images that change sides; those that most methods lose."""
    fig = figure(ncols=3, width=22, height=8.4, width_ratios=(1.15, 0.6, 0.9))
    heat, bars, gallery = fig.axes
    arms = [arm for arm in dict.fromkeys(row["arm"] for row in rows) if arm != "the teacher"]
    arms = [arm for arm in arms if arm not in CONTROLS] + [arm for arm in CONTROLS if arm in arms]
    teacher = {row["seed"]: row for row in rows if row["arm"] == "the teacher"}
    change, flipped = [], []
    for arm in arms:
        chosen = [row for row in rows if row["arm"] == arm]
        change.append(np.mean([np.subtract(r["recalls"], teacher[r["seed"]]["recalls"]) for r in chosen], 0))
        flipped.append([row["flipped"] for row in chosen])
    _heat(heat, np.array(change), arms, next(iter(teacher.values()))["classes"])
    _flip_bars(bars, flipped, arms)
    _gallery(gallery, rows, teacher)
    return fig


def _heat(ax, change, arms, classes):
    most = max(1.0, float(np.abs(change).max()))
    shown = ax.imshow(change, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    ax.grid(False)
    for (i, j), value in np.ndenumerate(change):
        if round(value, 1) == 0:
            continue
        dark = abs(value) > 0.6 * most
        ax.text(j, i, f"{value:+.1f}", ha="center", va="center", fontsize=11, color="white" if dark else "black")
    ax.set_yticks(range(len(arms)), arms)
    ax.set_xticks(range(len(classes)), classes, rotation=0 if max(map(len, classes)) < 4 else 45)
    ax.set_xlabel("class")
    ax.set_title("Change of recall (points)")
    ax.figure.colorbar(shown, ax=ax, location="bottom", shrink=0.6, aspect=40, label="points; red: the class pays")


def _flip_bars(ax, flipped, arms):
    from matplotlib.ticker import MaxNLocator

    for place, (values, arm) in enumerate(zip(flipped, arms, strict=True)):
        mean, low, high = map(float, mean_interval(np.array(values)))
        spread = None if np.isnan(low) else [[mean - max(low, 0)], [high - mean]]
        color = COLORS["ideal" if arm in CONTROLS else "claim"]
        ax.barh(place, mean, 0.7, color=color, xerr=spread, capsize=4, ecolor="#555555")
    ax.set_ylim(len(arms) - 0.5, -0.5)
    ax.set_yticks(range(len(arms)), [""] * len(arms))
    ax.grid(axis="x", color="#E4E4E4")
    ax.xaxis.set_major_locator(MaxNLocator(3))
    percent_axis(ax.xaxis, 100)
    ax.set_xlabel("of test images")
    ax.set_title("Images that change sides")


def _gallery(ax, rows, teacher):
    """The images that are lost most often, over methods and seeds, and what they are taken for."""
    ax.set_axis_off()
    pictures = {v["image"]: v for row in teacher.values() for v in row["victims"]}
    said = {}
    for row in rows:
        if row["arm"] != "the teacher" and row["arm"] not in CONTROLS:
            for image, answer in zip(row["lost"], row["says"], strict=True):
                said.setdefault(image, []).append(answer)
    total = sum(row["arm"] != "the teacher" and row["arm"] not in CONTROLS for row in rows)
    worst = sorted((i for i in said if i in pictures), key=lambda i: (-len(said[i]), i))[:12]
    classes = next(iter(teacher.values()))["classes"]
    ax.set_title(f"Lost most often (of {total} nets)" if worst else "No image is lost")
    for place, image in enumerate(worst):
        across, down = place % 3, place // 3
        inset = ax.inset_axes((across / 3 + 0.02, 0.77 - down * 0.25, 0.27, 0.19))
        pixels = np.array(pictures[image]["pixels"], float) / 255
        inset.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray_r", vmin=0, vmax=1)
        inset.set_axis_off()
        answers, counts = np.unique(said[image], return_counts=True)
        name, taken = classes[pictures[image]["label"]], classes[answers[counts.argmax()]]
        inset.set_title(f"{name} → {taken}  {len(said[image])}×", fontsize=13, loc="center", pad=3)
