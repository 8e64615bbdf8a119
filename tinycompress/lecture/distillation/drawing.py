"""The figures of chapter 2, each drawn from a claim's rows alone."""

import numpy as np

from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis


def d1(rows):
    """Learning curves on validation data, and test errors, of the same student on three kinds of targets."""
    shares = sorted({row["share"] for row in rows if row["arm"] != "teacher"})
    fig = figure(ncols=2, width=13 + 3 * len(shares), height=6.2, width_ratios=(1.2, 0.55 + 0.45 * len(shares)))
    curves, errors = fig.axes
    arms = (("labels", "rival"), ("smoothed labels", "other"), ("teacher outputs", "claim"))
    few = [row for row in rows if row["share"] == shares[0] and row["arm"] != "teacher"]
    _curves(curves, few, arms)
    curves.set_title(f"learning from {_images(few)}")
    for group, share in enumerate(shares):
        chosen = [row for row in rows if row["share"] == share and row["arm"] != "teacher"]
        _error_bars(errors, chosen, [(arm, role, "") for arm, role in arms], start=4 * group)
    for place, (arm, role) in enumerate(arms):
        errors.bar(place, 0, color=COLORS[role], label=arm)
    teacher = [row for row in rows if row["arm"] == "teacher"]
    mean = np.mean([100 - row["accuracy"] for row in teacher])
    errors.axhline(mean, color=COLORS["reference"], linestyle="--", linewidth=2, label="teacher")
    if teacher[0]["published"] is not None:  # then there is one group of bars, and room for the teacher's beside it
        _error_bars(errors, teacher, [("teacher", "reference", "")], start=3)
    labels = [_images([row for row in rows if row["share"] == share and row["arm"] != "teacher"]) for share in shares]
    errors.set_xticks([4 * group + 1 for group in range(len(shares))], labels)
    errors.legend(loc="upper left", bbox_to_anchor=(1, 1))
    errors.set_ylim(bottom=0)
    times = teacher[0]["parameters"] / few[0]["parameters"]
    errors.set_title(f"a student {times:.2g}× smaller than its teacher")
    return fig


def d2(rows):
    """What the teacher says about classes that are absent, and how well students know classes they never saw."""
    fig = figure(ncols=3, width=23, height=7, width_ratios=(1.05, 1, 1.35))
    matrix, recall, classes = fig.axes
    teacher = next(row for row in rows if row["arm"] == "teacher" and "knowledge" in row)
    names = teacher["classes"]
    one = next(row["unseen"] for row in rows if row["without"] == "one class")
    _knowledge(matrix, np.array(teacher["knowledge"]), names, one)
    matrix.set_title("what the teacher says beside the right class")

    bars = (
        ("labels", "as learned", "rival", "labels"),
        ("labels", "corrected", "rival", "labels,\nbias\ncorrected"),
        ("teacher outputs", "as learned", "claim", "teacher\noutputs"),
        ("teacher outputs", "corrected", "claim", "teacher\noutputs, bias\ncorrected"),
    )
    for place, (arm, bias, role, _) in enumerate(bars):
        chosen = [r for r in rows if (r["arm"], r.get("bias"), r["without"]) == (arm, bias, "one class")]
        values, hatch = [r["recall"] for r in chosen], "//" if bias == "corrected" else None
        _bar(recall, place, values, COLORS[role], text=False, hatch=hatch)
        number = {"ha": "center", "fontsize": 14, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 2}}
        recall.text(place, 3, f"{np.mean(values):.3g} %", **number)  # below, where no line crosses it
        if chosen[0]["published"] is not None:
            _published(recall, place, chosen[0]["published"])
    best = np.mean([row["recalls"][one[0]] for row in rows if row["arm"] == "teacher"])
    _reference_line(recall, best, "teacher")
    recall.set_xticks(range(len(bars)), [label for *_, label in bars], fontsize=13)
    recall.set(ylabel=f"test images of class {names[one[0]]} recognised", ylim=(0, 112))
    recall.set_yticks(range(0, 101, 20))
    percent_axis(recall.yaxis, 100)
    recall.set_title(f"students that never saw a {names[one[0]]}")

    for shift, arm, role in ((-0.2, "labels", "rival"), (0.2, "teacher outputs", "claim")):
        chosen = [r for r in rows if (r["arm"], r.get("bias"), r["without"]) == (arm, "corrected", "all but two")]
        for c in range(len(names)):
            _bar(classes, c + shift, [r["recalls"][c] for r in chosen], COLORS[role], width=0.38, text=False)
        classes.bar(0, 0, color=COLORS[role], label=arm)
    seen = [c for c in range(len(names)) if c not in chosen[0]["unseen"]]
    classes.axvspan(min(seen) - 0.5, max(seen) + 0.5, color="#EEEEEE", zorder=0)
    classes.text(np.mean(seen), 121, "seen", ha="center", color="#555555", fontsize=14)
    classes.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 4 else 45)
    classes.set(xlabel="class", ylabel="test images recognised, bias corrected", ylim=(0, 130))
    classes.set_yticks(range(0, 101, 20))
    percent_axis(classes.yaxis, 100)
    classes.legend(loc="upper left", ncols=2, bbox_to_anchor=(0, 1.0), title=None)
    classes.set_title(f"students that saw only {' and '.join(names[c] for c in seen)}", pad=12)
    return fig


def d3(rows):
    """Test errors of small nets, of their averages, and of one small net that learned the average."""
    fig = figure(width=13, height=6.5)
    (ax,) = fig.axes
    count = rows[0]["members"]
    bars = (
        ("one member", "rival", "one net\non labels"),
        ("student of one member", "more", "student of\none such net"),
        ("student of the average", "claim", f"student of\n{count} averaged"),
        ("average of logits", "ideal", f"all {count} nets,\nlogits averaged"),
        ("average of probabilities", "reference", f"all {count} nets,\nprobabilities\naveraged"),
    )
    _error_bars(ax, rows, bars)
    ax.axvline(2.5, color=COLORS["ideal"], linewidth=1.5, linestyle=":")
    ax.set_title(f"left, a single small net runs for each image; right, {count} of them")
    return fig


def d4(rows):
    """One image's soft targets at several temperatures; accuracy, and the size of the gradient, over the temperature."""
    first = next(row for row in rows if "image" in row)
    names, shown = first["classes"], first["shown"]
    fig = figure(ncols=2 * (1 + len(shown)), nrows=2, width=19, height=10.5, height_ratios=(1, 1.5))
    grid, columns = fig.axes[0].get_gridspec(), 2 * (1 + len(shown))
    for ax in list(fig.axes):
        ax.remove()
    image = fig.add_subplot(grid[0, :2])
    image.imshow(np.array(first["image"]).squeeze(), cmap="gray_r")
    image.set_axis_off()
    image.set_title("one image")
    for i, (T, p) in enumerate(shown.items(), 1):
        ax = fig.add_subplot(grid[0, 2 * i : 2 * i + 2])
        colors = [COLORS["claim" if c != np.argmax(p) else "reference"] for c in range(len(p))]
        ax.bar(range(len(p)), 100 * np.array(p), color=colors)
        ax.set_xticks(range(len(p)), names if max(map(len, names)) < 3 else [""] * len(p), fontsize=13)
        ax.set(ylim=(0, 100))
        percent_axis(ax.yaxis, 100)
        ax.set_title(f"teacher, T = {T}" if i == 1 else f"T = {T}")
    accuracy, gradient = fig.add_subplot(grid[1, : columns // 2]), fig.add_subplot(grid[1, columns // 2 :])

    finite = sorted({row["temperature"] for row in rows if row["temperature"] is not None})
    seeds = sorted({row["seed"] for row in rows})
    by = {(row["seed"], row["temperature"]): row for row in rows}

    def values(key, at=finite):
        return [[by[seed, T][key] for T in at] for seed in seeds]

    curve_with_band(accuracy, finite, values("accuracy"), "", COLORS["claim"], marker="o")
    mean, low, high = (float(v[0]) for v in mean_interval(np.array(values("accuracy", [None]))))
    limit = 2.5 * max(finite)
    spread = None if np.isnan(low) else [[mean - low], [high - mean]]
    accuracy.errorbar([limit], [mean], spread, color=COLORS["claim"], marker="o", capsize=5)
    accuracy.set_xscale("log", base=2)
    accuracy.set_xticks([*finite, limit], [*(f"{T:g}" for T in finite), "∞"])
    accuracy.minorticks_off()
    accuracy.set(xlabel="temperature T", ylabel="test accuracy of the student")
    percent_axis(accuracy.yaxis, 100)
    accuracy.set_title("a student that learns from soft targets alone")

    curve_with_band(gradient, finite, values("gradient"), "T² KL", COLORS["claim"], marker="o")
    curve_with_band(gradient, finite, values("gradient_without_T2"), "KL alone", COLORS["rival"], marker="o")
    gradient.set_xscale("log", base=2)
    gradient.set_yscale("log")
    gradient.set_xticks(finite, [f"{T:g}" for T in finite])
    gradient.minorticks_off()
    gradient.set(xlabel="temperature T", ylabel="gradient for one example, untrained")
    gradient.set_title("T² keeps the gradient from vanishing")
    return fig


def d5(rows):
    """Learning curves and test errors of a deep, thin student, without and with hints for its hidden layers."""
    fig = figure(ncols=2, width=17, height=6.5, width_ratios=(1.1, 1))
    curves, errors = fig.axes
    arms = (
        ("and two hidden layers", "other", "and two\nhidden layers"),
        ("and one hidden layer", "claim", "and one\nhidden layer"),
        ("teacher outputs", "more", "teacher\noutputs"),
        ("labels", "rival", "labels"),
    )
    _curves(curves, rows, [(arm, role) for arm, role, _ in arms])
    _error_bars(errors, rows, arms[::-1])
    curves.set_title(f"a student of {rows[0]['layers']} hidden layers of {rows[0]['width']}")
    errors.set_title("test errors of the nets that validation chose")
    return fig


def _curves(ax, rows, arms):
    """Validation accuracy over epochs, the part of it that tells the arms apart."""
    lowest = []
    for arm, role in arms:
        curves = np.array([row["curve"] for row in rows if row["arm"] == arm])
        curve_with_band(ax, np.arange(1, curves.shape[1] + 1), curves, arm, COLORS[role])
        lowest.append(curves.mean(0)[max(1, curves.shape[1] // 10)])
    top = max(line.get_ydata().max() for line in ax.lines)
    ax.set_ylim(max(0, min(min(lowest), top - 5)), min(100, top + 0.3 * (100 - top) + 0.2))
    ax.set(xlabel="epoch", ylabel="validation accuracy")
    ax.xaxis.get_major_locator().set_params(integer=True)
    percent_axis(ax.yaxis, 100)


def _images(rows) -> str:
    """How many training images these rows' nets saw."""
    return f"{rows[0]['images']:,} images"


def _error_bars(ax, rows, bars, start=0):
    """Test errors in per cent, one bar an arm of `bars` (arm, colour's role, label), with the published ones if any."""
    for place, (arm, role, _) in enumerate(bars, start):
        chosen = [row for row in rows if row["arm"] == arm]
        by_seed = [
            np.mean([100 - r["accuracy"] for r in chosen if r["seed"] == s]) for s in {r["seed"] for r in chosen}
        ]
        _bar(ax, place, by_seed, COLORS[role])
        if chosen[0].get("published") is not None:
            _published(ax, place, 100 * chosen[0]["published"] / chosen[0]["tested"])
    ax.set_xticks(range(start, start + len(bars)), [label for *_, label in bars])
    ax.set_ylabel("test errors")
    ax.margins(y=0.12)
    percent_axis(ax.yaxis, 100)


def _bar(ax, place, values, color, width=0.7, text=True, **look):
    """A bar with the mean over seeds, its 95 % interval as far as a share in per cent can lie, and the mean in figures above."""
    mean, low, high = map(float, np.clip(mean_interval(np.array(values, float)), 0, 100))
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


def _published(ax, place, value):
    """The paper's own number beside ours."""
    first = not any(line.get_label() == "Hinton et al. 2015" for line in ax.lines)
    label = "Hinton et al. 2015" if first else "_"
    ax.plot([place], [value], "D", color=COLORS["more"], markeredgecolor="black", markersize=11, label=label)
    ax.legend()


def _reference_line(ax, value, label):
    ax.axhline(value, color=COLORS["reference"], linestyle="--", linewidth=2)
    ax.annotate(label, (-0.4, value), xytext=(0, 5), textcoords="offset points", color=COLORS["reference"])


def _knowledge(ax, share, names, unseen):
    """Mean soft targets by true class, without the right class, whose share would hide all others."""
    share = 100 * np.where(np.eye(len(share), dtype=bool), np.nan, share)
    shown = ax.imshow(share, cmap="cividis")
    ax.grid(False)
    ax.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 4 else 45)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="is said to resemble", ylabel="an image of")
    for c in unseen:
        ax.add_patch(_frame(c - 0.5, -0.5, 1, len(names)))
    bar = ax.figure.colorbar(shown, ax=ax, shrink=0.8, label="teacher's output at T = 4")
    percent_axis(bar.ax.yaxis, 100)


def _frame(x, y, width, height):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, fill=False, edgecolor=COLORS["rival"], linewidth=4)
