"""The figures of claims A1 to A5, each drawn from a claim's rows alone."""

import numpy as np

from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis

KINDS = ("standard", "depthwise", "pointwise")


def a1(rows):
    """What one output reads in each kind of convolution; which channels depend on which; and the task."""
    fig = figure(ncols=4, nrows=2, width=20, height=10, width_ratios=(1, 1, 1, 1.15))
    layers = {row["layer"]: row for row in rows if "layer" in row and row["seed"] == rows[0]["seed"]}
    titles = {
        "standard": "standard: 3×3 in\nevery channel",
        "depthwise": "depthwise: 3×3 in\nits own channel",
        "pointwise": "pointwise: one pixel in\nevery channel",
    }
    for column, kind in enumerate(KINDS):
        row = layers[kind]
        _draw_reads(fig.axes[column], np.array(row["reads"]), row["output"])
        fig.axes[column].set_title(titles[kind])
        _draw_matrix(fig.axes[4 + column], row["channels"])
        fig.axes[4 + column].set_title(f"{row['parameters']} weights")
    formula, bars = fig.axes[3], fig.axes[7]
    formula.set_axis_off()
    formula.text(
        0,
        0.95,
        "Top: the inputs that one output\ndepends on, |∂ output / ∂ input|\n\n"
        "Below: which output channel\ndepends on which input channel\n(white: not at all)\n\n"
        "Right below: can depthwise\nconvolutions tell whether two\nchannels show the same digit?",
        va="top",
        fontsize=17,
        transform=formula.transAxes,
    )
    arms = (
        ("depthwise alone", "own", "its own\ndigit", "other"),
        ("depthwise alone", "same", "the same\nin both?", "rival"),
        ("depthwise, answers added", "same", "the same?\nanswers\nadded", "more"),
    )
    for place, (arm, question, _, role) in enumerate(arms):
        values = [r["accuracy"] for r in rows if (r.get("arm"), r.get("question")) == (arm, question)]
        _bar(bars, place, values, role)
    bars.set_xticks(range(len(arms)), [label for _, _, label, _ in arms])
    _chance(bars, len(arms))
    bars.set_title("depthwise alone: at chance")
    return fig


def a2(rows):
    """Pairs of the task, what the trained nets' channels depend on, and how often they are right."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    fig = figure(ncols=3, width=19, height=7, width_ratios=(0.8, 1.1, 1.5))
    examples, matrices, bars = fig.axes
    (shown,) = (row for row in rows if "examples" in row)
    images = np.array(shown["examples"])
    n, height, width, _ = images.shape
    gap = max(1, height // 8)
    canvas = np.full((n * (height + gap), 2 * width + gap), np.nan)
    for place, image in enumerate(images):
        top = place * (height + gap)
        canvas[top : top + height, :width], canvas[top : top + height, width + gap :] = image[..., 0], image[..., 1]
        same = shown["same"][place]
        examples.text(
            2 * width + 3 * gap,
            top + height / 2,
            "same" if same else "different",
            va="center",
            color=COLORS["other" if same else "rival"],
            fontsize=17,
        )
    examples.imshow(canvas, cmap="gray_r")
    examples.set_axis_off()
    examples.set_title("two channels, one question")
    examples.set_xlim(-0.5, 2 * width + 2 * gap + 1.6 * width)

    seed = rows[0]["seed"]
    matrices.set_axis_off()
    matrices.set_title("which answer depends\non which channel")
    for place, arm in enumerate(arms):
        (row,) = (r for r in rows if r["arm"] == arm and r["seed"] == seed)
        x, y = place % 2, place // 2
        inset = matrices.inset_axes([0.05 + 0.5 * x, 0.56 - 0.54 * y, 0.36, 0.36])
        _draw_matrix(inset, row["channels"], labels=False)
        inset.set_title(arm.replace(" and ", "\nand "), fontsize=14, loc="center")
    roles = {"depthwise alone": "rival", "pointwise alone": "more", "depthwise and pointwise": "claim"}
    for place, arm in enumerate(arms):
        _bar(bars, place, [row["accuracy"] for row in rows if row["arm"] == arm], roles.get(arm, "reference"))
    counts = [next(row["parameters"] for row in rows if row["arm"] == arm) for arm in arms]
    names = [arm.replace(" alone", "\nalone").replace(" and ", "\nand ") for arm in arms]
    bars.set_xticks(range(len(arms)), [f"{name}\n({count:,})" for name, count in zip(names, counts, strict=True)])
    _chance(bars, len(arms))
    bars.set_xlabel("(parameters)")
    bars.set_title("Solved once pointwise convolutions are added")
    return fig


def a3(rows):
    """How many times smaller and faster, over channels; and the multiplications a second that explain the difference."""
    batches, pixels = sorted({row["batch"] for row in rows}), rows[0]["pixels"]
    fig = figure(ncols=2, width=18, height=7, width_ratios=(1.2, 1))
    ratio, speed = fig.axes
    channels, formula = _over_channels(rows, batches[-1], "formula")
    ratio.plot(channels, formula[0], color=COLORS["ideal"], linestyle="--")
    _, disk = _over_channels(rows, batches[-1], "disk")
    curve_with_band(ratio, channels, formula, "in theory", COLORS["ideal"], linestyle="--")
    curve_with_band(ratio, channels, disk, "on disk", COLORS["other"], marker="o")
    for batch, role, name in zip(batches, ("last", "claim"), ("clock, one image", "clock, {} images"), strict=False):
        _, clock = _over_channels(rows, batch, "clock")
        curve_with_band(ratio, channels, clock, name.format(batch), COLORS[role], marker="s")
        for at, theory, measured in zip(channels, formula[0], np.mean(clock, axis=0), strict=True):
            if max(theory / measured, measured / theory) > 1.5:
                ratio.plot(at, measured, "o", markersize=22, markerfacecolor="none", color=COLORS["rival"], mew=2)
    ratio.axhline(1, color=COLORS["reference"], linewidth=1.5)
    _channel_axis(ratio, channels)
    ratio.set_ylabel("standard / separable")
    ratio.set_ylim(0, None)
    ratio.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    ratio.set_title(
        "How many times smaller, and how many times faster\n(ringed: the clock disagrees by more than 1.5×)"
    )

    for kind, role in (("standard", "reference"), ("pointwise", "other"), ("depthwise", "rival")):
        _, values = _over_channels(rows, batches[-1], "gmacs_a_second", kind)
        curve_with_band(speed, channels, values, kind, COLORS[role], marker="o")
    _channel_axis(speed, channels)
    speed.set_ylabel("billion multiply-adds a second")
    speed.set_ylim(0, None)
    speed.set_title(f"Why: how fast each layer multiplies\n({batches[-1]} images of {pixels}×{pixels} pixels)")
    return fig


def a4(rows):
    """Accuracy over parameters of standard, separable and shrunk nets; dotted, what has the same widths."""
    fig = figure(width=13, height=7)
    (ax,) = fig.axes
    arms = (
        ("standard", "standard", "reference"),
        ("separable", "separable, of the same widths", "claim"),
        ("separable, from standard", "separable, half way from a standard one", "last"),
        ("shrunk", "standard, shrunk to as many parameters", "other"),
    )
    widths, seeds = (sorted({row[key] for row in rows}) for key in ("width", "seed"))
    ends = {}
    for arm, label, role in arms:
        found = {(r["seed"], r["width"]): r for r in rows if r["arm"] == arm}
        sizes = [found[seeds[0], width]["parameters"] for width in widths]
        values = np.array([[found[seed, width]["accuracy"] for width in widths] for seed in seeds])
        curve_with_band(ax, sizes, values, "", COLORS[role], marker="o")
        ax.plot(
            [], [], color=COLORS[role], marker="o", label=label
        )  # the curves are too close for labels at their ends
        ends[arm] = list(zip(sizes, values.mean(0), strict=True))
    for width, *pair in zip(widths, ends["standard"], ends["separable"], strict=True):
        ax.plot(*zip(*pair, strict=True), color=COLORS["ideal"], linestyle=":", linewidth=2, zorder=1)
        side = "right" if width == widths[-1] else "center"
        label = f"{width}, {2 * width}, {4 * width}"
        ax.annotate(label, pair[0], (0, 12), textcoords="offset points", ha=side)
    ax.legend(loc="lower right")
    ax.set_xscale("log")
    low, high = min(ends["separable"])[0], max(ends["standard"])[0]
    ticks = [n * 10**power for power in range(2, 8) for n in (1, 2, 5) if 0.8 * low < n * 10**power < 1.2 * high]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="parameters", ylabel="test accuracy")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    ax.set_title(f"Three convolutions of so many channels, {rows[0]['epochs']} epochs")
    return fig


def a5(rows):
    """Singular values of the trained and the untrained layers; accuracy over rank, before and after fine-tuning."""
    fig = figure(ncols=2, width=19, height=7, width_ratios=(1, 1.3))
    spectrum, ax = fig.axes
    layers = sorted({row["layer"] for row in rows if "layer" in row})[:2]
    for layer, role in zip(layers, ("claim", "other"), strict=True):
        for arm, line in (("trained", "-"), ("untrained", ":")):
            chosen = [row for row in rows if row.get("layer") == layer and row["arm"] == arm]
            values = np.array([row["values"] for row in chosen])
            held = np.cumsum(values**2, axis=1) / (values**2).sum(1, keepdims=True)
            rank = np.arange(held.shape[1] + 1)
            held = np.hstack([np.zeros((len(held), 1)), held])
            curve_with_band(spectrum, rank, held, "", COLORS[role], linestyle=line)
        inputs, outputs = chosen[0]["shape"]
        spectrum.plot([], [], color=COLORS[role], label=f"{inputs}×{outputs}")
    spectrum.plot([], [], color=COLORS["ideal"], label="trained")
    spectrum.plot([], [], color=COLORS["ideal"], linestyle=":", label="as it began")
    spectrum.legend(loc="lower right")
    percent_axis(spectrum.yaxis)
    spectrum.set_ylim(0, 1.02)
    spectrum.set(xlabel="the K largest singular values …", ylabel="… hold of the sum of all squares")
    spectrum.set_title("How many directions a layer needs")

    ranks = sorted({row["choice"] for row in rows if row.get("choice", "").isdigit()}, key=int)
    seeds = sorted({row["seed"] for row in rows})
    for arm, label, role in (("after", "fine-tuned", "claim"), ("before", "only factorised", "rival")):
        found = {(r["seed"], r["choice"]): r for r in rows if r["arm"] == arm}
        kept = [found[seeds[0], rank]["kept"] for rank in ranks]
        values = [[found[seed, rank]["accuracy"] for rank in ranks] for seed in seeds]
        curve_with_band(ax, kept, values, "", COLORS[role], marker="o")
        at = len(ranks) // 2
        place = (-12, 14, "right") if arm == "after" else (12, -22, "left")
        ax.annotate(
            label,
            (kept[at], np.mean(values, axis=0)[at]),
            xytext=place[:2],
            textcoords="offset points",
            ha=place[2],
            color=COLORS[role],
        )
        for choice, marker in (("by budget", "*"), ("by energy", "D")):
            x, y = (np.mean([found[seed, choice][key] for seed in seeds]) for key in ("kept", "accuracy"))
            size = 20 if marker == "*" else 11
            ax.plot(x, y, marker, color=COLORS[role], markersize=size, markeredgecolor="black", zorder=5)
    for rank, x in zip(ranks, kept, strict=True):
        ax.annotate(f"K={rank}", (x, 0.02), xycoords=("data", "axes fraction"), ha="center", fontsize=13)
    whole = np.mean([row["whole_accuracy"] for row in rows])
    ax.axhline(whole, color=COLORS["ideal"], linestyle="--", linewidth=2)
    ax.annotate("not factorised", (kept[0], whole), xytext=(0, 6), textcoords="offset points", color=COLORS["ideal"])
    ax.plot([], [], "*", color="white", markeredgecolor="black", markersize=18, label="ranks by budget")
    ax.plot([], [], "D", color="white", markeredgecolor="black", markersize=10, label="ranks by energy")
    ax.legend(loc="center right")
    ax.set_xscale("log")
    percent_axis(ax.xaxis)
    ax.minorticks_off()
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if min(kept) < t < max(kept) * 1.2]
    ax.set_xticks(ticks, [f"{100 * t:g} %" for t in ticks])
    ax.set(xlabel="parameters left", ylabel="test accuracy")
    ax.set_ylim(0, 108)
    percent_axis(ax.yaxis, 100)
    ax.set_title(f"N×M becomes N×K and K×M ({rows[0]['epochs']} epochs in all)")
    return fig


def _draw_reads(ax, reads, output):
    """Sheets of input pixels, one a channel, those read in colour by how much; above them the output that reads them."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    height, width, channels = reads.shape
    slant, lift = np.array([0.45, 0.32]), 2.9
    strength = reads / reads.max()
    base, low, high = (np.array(to_rgb(color)) for color in ("white", "#CFE3F2", COLORS["claim"]))
    for channel in range(channels):
        corners, colors = [], []
        for i in range(height):
            for j in range(width):
                square = np.array([(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)], float)
                corners.append(_slanted(square, height, slant) + [0, lift * channel])
                s = strength[i, j, channel]
                colors.append(base if s == 0 else low + s * (high - low))
        ax.add_collection(PolyCollection(corners, facecolors=colors, edgecolors="#999999", linewidths=0.8))
        ax.text(-0.4, lift * channel + 0.5, f"in {channel + 1}", ha="right", va="center", fontsize=13)
    i, j, out = output
    top = lift * channels + 1.2
    square = np.array([(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)], float)
    outline = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    for shape, color in ((outline, "white"), (square, COLORS["rival"])):
        sheet = _slanted(shape, height, slant) + [0, top]
        ax.add_collection(PolyCollection([sheet], facecolors=[color], edgecolors="#999999", linewidths=0.8))
    ax.text(-0.4, top + 0.5, f"out {out + 1}", ha="right", va="center", fontsize=13, color=COLORS["rival"])
    ax.set(xlim=(-3.2, width + slant[0] * height + 0.3), ylim=(-0.3, top + slant[1] * height + 0.3))
    ax.set_aspect("equal", adjustable="box")
    ax.set_axis_off()


def _slanted(points, height, slant):
    """Pixels (column, row) as they lie on a sheet seen from above and in front; row 0 is at the back."""
    back = height - points[:, 1]
    return np.column_stack([points[:, 0] + slant[0] * back, slant[1] * back])


def _draw_matrix(ax, channels, labels=True):
    """Output channels by input channels; white where there is no dependence at all, whatever the colour map says."""
    matrix = np.array(channels)
    shown = np.ma.masked_where(matrix == 0, matrix / matrix.max())
    ax.imshow(shown, cmap="Blues", vmin=-0.4, vmax=1.2)
    n, m = matrix.shape
    ax.set_xticks(range(m), range(1, m + 1))
    ax.set_yticks(range(n), range(1, n + 1))
    ax.grid(False)
    for i, j in np.argwhere(matrix == 0):
        ax.text(j, i, "0", ha="center", va="center", fontsize=14, color=COLORS["ideal"])
    for spine in ax.spines.values():
        spine.set_visible(True)
    if labels:
        ax.set(xlabel="input channel", ylabel="output channel")


def _bar(ax, place, values, role):
    mean, low, high = mean_interval(np.array(values))
    spread = None if np.isnan(low) else [[mean - low], [high - mean]]
    ax.bar(place, mean, 0.7, color=COLORS[role], yerr=spread, capsize=5)
    ax.text(place, max(mean, np.nan_to_num(high)) + 1, f"{mean:.1f} %", ha="center", va="bottom", fontsize=15)


def _chance(ax, count):
    ax.axhline(50, color=COLORS["ideal"], linestyle="--", linewidth=2)
    ax.text(count - 0.5, 51, "chance", color=COLORS["ideal"], va="bottom", fontsize=14)
    ax.set_ylim(0, 112)
    ax.set_yticks(range(0, 101, 25))
    ax.set_xlim(-0.6, count + 0.2)
    ax.set_ylabel("answers that are right")
    percent_axis(ax.yaxis, 100)


def _over_channels(rows, batch, key, kind=None):
    """(channels, values as (seeds, channels)) of one key at one batch."""
    found = {(r["seed"], r["channels"]): r[key] if kind is None else r[key][kind] for r in rows if r["batch"] == batch}
    channels, seeds = sorted({c for _, c in found}), sorted({s for s, _ in found})
    return channels, np.array([[found[seed, c] for c in channels] for seed in seeds])


def _channel_axis(ax, channels):
    ax.set_xscale("log", base=2)
    ax.set_xticks(channels, [str(c) for c in channels])
    ax.minorticks_off()
    ax.set_xlabel("channels, in and out")
