"""The figures of chapter 1, each drawn from a claim's rows alone."""

import numpy as np

from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, curve_with_band, figure, label_end, percent_axis


def table(rows, arm, x, y, **where):
    """(xs, values): `y` of one arm as (seeds, len(xs)), over the sorted `x`, among the rows equal to `where`."""
    chosen = [row for row in rows if row["arm"] == arm and all(row[key] == value for key, value in where.items())]
    xs, seeds = sorted({row[x] for row in chosen}), sorted({row["seed"] for row in chosen})
    values = {(row["seed"], row[x]): row[y] for row in chosen}
    return xs, [[values.get((seed, at)) for at in xs] for seed in seeds]


def p1(rows):
    """Accuracy over the weights that are left, three ways of removing them."""
    fig = figure(width=11)
    (ax,) = fig.axes
    arms = (("a little at a time", "claim"), ("all at once", "rival"), ("not fine-tuned", "other"))
    for arm, role in arms:
        removed, accuracy = table(rows, arm, "removed", "accuracy")
        curve_with_band(ax, [1 - share for share in removed], accuracy, arm, COLORS[role], marker="o")
    dense = np.mean([row["dense_accuracy"] for row in rows])
    ax.axhline(dense, color=COLORS["ideal"], linestyle="--", linewidth=2)
    kept = [1 - share for share in removed]
    ax.annotate(
        "nothing removed",
        (min(kept), dense),
        ha="right",
        xytext=(0, 6),
        textcoords="offset points",
        color=COLORS["ideal"],
    )
    ax.set_xscale("log")
    ax.set_xticks(kept, [f"{100 * k:.0f} %" for k in kept])
    ax.minorticks_off()
    ax.invert_xaxis()
    ax.set(xlabel="weights left", ylabel="test accuracy")
    percent_axis(ax.yaxis, 100)
    ax.set_title(f"The same {rows[0]['epochs']} epochs in all, spent in three ways")
    return fig


def p1b(rows):
    """Accuracy over what was removed: weights, neurons and channels by each criterion, and one layer at a time."""
    fig = figure(ncols=2, nrows=2, width=17, height=11.5, sharey=True)
    panels = (
        ("weights", "weights removed", "single weights of a dense net"),
        ("neurons", "neurons removed", "neurons of the same net"),
        ("channels", "channels removed", "channels of a convolutional net with batch norm"),
        ("layers", "weights removed of one layer", "sensitivity: weights of one layer alone"),
    )
    roles = {"magnitude": "claim", "gradient": "rival", "activation": "other", "chance": "ideal"}
    roles |= {"magnitude, each layer": "last", "batch-norm scale": "extra", "slimmed": "more"}
    roles |= {"layer 1": "claim", "layer 2": "rival", "layer 3": "other"}
    for ax, (part, xlabel, title) in zip(fig.axes, panels, strict=True):
        chosen = [row for row in rows if row["part"] == part]
        for arm in dict.fromkeys(row["arm"] for row in chosen):
            removed, accuracy = table(chosen, arm, "removed", "accuracy")
            curve_with_band(ax, removed, accuracy, arm, COLORS[roles[arm]], marker="o")
        ax.set(xlabel=xlabel, ylim=(0, 102))
        ax.set_title(title)
        percent_axis(ax.xaxis)
        percent_axis(ax.yaxis, 100)
    for ax in fig.axes[::2]:
        ax.set_ylabel("accuracy, not fine-tuned")
    return fig


def p2(rows):
    """The net before and after, how many connections its neurons keep, and which pixels are still looked at."""
    one = [row for row in rows if row["seed"] == rows[0]["seed"]]
    fig = figure(ncols=2, nrows=2, width=15, height=11)
    before, after, histogram, image = fig.axes
    widths = [row["inputs"] for row in one] + [len(one[-1]["fan_in"])]
    everything = [np.argwhere(np.ones((a, b))) for a, b in zip(widths[:-1], widths[1:], strict=True)]
    _draw_net(before, widths, everything)
    before.set_title("before: every neuron sees every input")
    if all(row["connections"] for row in one):
        _draw_net(after, widths, [np.array(row["connections"]) for row in one])
        after.set_title("after: 5 % of the connections are left")
    else:  # too many connections to draw: the last two layers stand for the rest
        after.set_axis_off()
        after.set_title("(too many connections to draw)")

    most = 16
    bins = np.arange(-0.5, most + 1.5)
    hidden = sorted({row["layer"] for row in rows})[:-1]
    for layer, role in zip(hidden, ("claim", "rival", "other"), strict=False):
        counts = np.concatenate([row["fan_in"] for row in rows if row["layer"] == layer])
        share = np.histogram(np.minimum(counts, most), bins)[0] / len(counts)
        ticks = np.arange(most + 1)
        histogram.bar(
            ticks + 0.4 * (layer - 0.5),
            share,
            0.4,
            color=COLORS[role],
            label=f"hidden layer {layer + 1}: {len(one[layer]['fan_in'])} neurons",
        )
    histogram.set_xticks(range(0, most + 1, 2), [*map(str, range(0, most, 2)), f"{most}+"])
    histogram.set(xlabel="connections that a neuron keeps", ylabel="share of neurons")
    histogram.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    histogram.legend()
    histogram.set_title("some neurons keep two or three, some one, some none")

    height, width, channels = one[0]["image_shape"]
    picture = np.array(one[0]["fan_out"]).reshape(height, width, channels).sum(2)
    shown = image.imshow(picture, cmap="cividis")
    image.set_title("connections left at each pixel of the image")
    image.set_axis_off()
    fig.colorbar(shown, ax=image, label="connections")
    return fig


def p3(rows):
    """Speed-up against the dense layer over sparsity, one panel for each shape and batch."""
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    batches = sorted({row["batch"] for row in rows})
    fig = figure(
        ncols=len(batches),
        nrows=len(shapes),
        width=6.2 * len(batches) + 2.5,
        height=5.2 * len(shapes),
        sharex=True,
        sharey=True,
    )
    arms = (("fewer neurons", "claim"), ("CSR, ours", "other"), ("CSR, scipy", "more"), ("masked dense", "rival"))
    for ax, (shape, batch) in zip(fig.axes, [(s, b) for s in shapes for b in batches], strict=True):
        last = batch == batches[-1]
        for arm, role in arms:
            removed, speedup = table(rows, arm, "removed", "speedup", shape=shape, batch=batch)
            curve_with_band(ax, removed, speedup, arm if last else "", COLORS[role], marker="o")
            crossover = crossover_sparsity(removed, np.median(np.array(speedup, float), axis=0))
            if arm.startswith("CSR") and crossover is not None:
                ax.axvline(crossover, color=COLORS[role], linestyle=":", linewidth=2)
                at_most = "≤ " if crossover == removed[0] else ""
                ax.annotate(
                    f"{at_most}{100 * crossover:.0f} %",
                    (crossover, 0.02),
                    xycoords=("data", "axes fraction"),
                    color=COLORS[role],
                    ha="center",
                    fontsize=13,
                    backgroundcolor="white",
                )
        shares = np.linspace(min(removed), max(removed), 50)
        ax.plot(shares, 1 / (1 - shares), color=COLORS["ideal"], linestyle="--", linewidth=2)
        if last:
            label_end(ax, [(shares[0], 2), (shares[-1], 1 / (1 - shares[-1]))], "weights saved", COLORS["ideal"])
        ax.axhline(1, color=COLORS["reference"], linewidth=1.5)
        ax.set_yscale("log")
        ax.set_yticks([0.1, 1, 10, 100], ["0.1×", "1×", "10×", "100×"])
        ax.set_title(f"{shape}, batch {batch}")
        ax.set_xlim(0.46, 1)
        percent_axis(ax.xaxis)
    for ax in fig.axes[-len(batches) :]:
        ax.set_xlabel("weights removed")
    for ax in fig.axes[:: len(batches)]:
        ax.set_ylabel("speed-up against dense")
    return fig


def crossover_sparsity(removed, speedup) -> float | None:
    """The sparsity from which on the speed-up stays above 1, by interpolating its logarithm; None if it never does."""
    logs = np.log(speedup)
    below = np.flatnonzero(logs <= 0)
    if len(below) == 0:
        return float(removed[0])
    i = below[-1]
    if i == len(logs) - 1:
        return None
    return float(removed[i] + (removed[i + 1] - removed[i]) * -logs[i] / (logs[i + 1] - logs[i]))


def p4(rows):
    """The nets before and after, and the measured speed-up beside the ideal one."""
    fig = figure(ncols=2, width=16, height=6, width_ratios=(1, 1.2))
    nets, bars = fig.axes
    one = [row for row in rows if row["net"] == rows[0]["net"] and row["seed"] == rows[0]["seed"]]
    drawn = [("whole", one[0]["widths_before"])] + [(f"−{100 * row['removed']:.0f} %", row["widths"]) for row in one]
    for column, (label, widths) in enumerate(drawn):
        for level, width in enumerate(widths):
            length = width / max(drawn[0][1])
            y = len(widths) - level
            nets.barh(
                y, 0.9 * length, 0.5, column + 0.45 - 0.45 * length, color=COLORS["claim" if column else "reference"]
            )
            nets.text(column + 0.45, y + 0.3, str(width), ha="center", va="bottom", fontsize=13)
        nets.text(column + 0.45, 0.3, label, ha="center", fontsize=16)
    nets.set_ylim(0.2, len(drawn[0][1]) + 0.7)
    nets.set_axis_off()
    nets.set_title(f"{rows[0]['net']}: neurons in each layer")

    settings = list(dict.fromkeys((row["net"], row["removed"]) for row in rows))
    for place, (net, removed) in enumerate(settings):
        chosen = [row for row in rows if (row["net"], row["removed"]) == (net, removed)]
        for shift, key, role in ((-0.2, "ideal_speedup", "ideal"), (0.2, "speedup", "claim")):
            values = [row[key] for row in chosen]
            mean, low, high = mean_interval(np.array(values))
            spread = None if key.startswith("ideal") or np.isnan(low) else [[mean - low], [high - mean]]
            bars.bar(
                place + shift,
                mean,
                0.38,
                color=COLORS[role],
                yerr=spread,
                capsize=5,
            )
            bars.text(
                place + shift,
                max(mean, np.nan_to_num(high)) + 0.15,
                f"{mean:.1f}×",
                ha="center",
                va="bottom",
                fontsize=13,
            )
    bars.axhline(1, color=COLORS["reference"], linewidth=1.5)
    bars.set_xticks(
        range(len(settings)), [f"{net}\n−{100 * removed:.0f} % neurons" for net, removed in settings], fontsize=13
    )
    bars.set(ylabel="times faster than the whole net")
    bars.set_title("fewer multiplications (grey), and the clock (blue)")
    return fig


def p5(rows):
    """Accuracy over the final net's size, reached in four ways."""
    fig = figure(width=11)
    (ax,) = fig.axes
    arms = (
        ("large, weights pruned", "claim"),
        ("large, neurons pruned", "last"),
        ("small from the start", "more"),
        ("smaller, then grown", "rival"),
    )
    sizes = {row["width"]: row["parameters"] for row in rows}
    best = max(row["accuracy"] for row in rows)
    bottom = max(0, best - 4 * (best - np.median([row["accuracy"] for row in rows])) - 4)
    for arm, role in arms:
        widths, accuracy = table(rows, arm, "width", "accuracy")
        shown = np.array(accuracy, float)
        for column, width in enumerate(widths):
            mean = shown[:, column].mean()
            if mean < bottom:  # nets that do not learn at all would press all others into one line
                shown[:, column] = np.nan
                at = {"xytext": (8, 2), "textcoords": "offset points", "va": "bottom"}
                ax.annotate(f"↓ {arm}: {mean:.0f} %", (sizes[width], bottom), color=COLORS[role], **at)
        curve_with_band(ax, [sizes[width] for width in widths], shown, arm, COLORS[role], marker="o")
    ax.set_ylim(bottom, min(100, best + 1))
    ax.set_xscale("log")
    ax.set_xticks([*sizes.values()], [f"{size:,}" for size in sizes.values()])
    ax.minorticks_off()
    ax.set(xlabel="parameters of the final net", ylabel="test accuracy")
    ax.yaxis.set_major_formatter("{x:g} %")
    ax.set_title("Equally many parameters, equally many multiplications in training")
    return fig


def p6(rows):
    """Accuracy over the weights left at both learning rates, and how fast each net learns."""
    fig = figure(ncols=3, width=21, height=6.2)
    small, large, learning = fig.axes
    arms = (("ticket", "claim"), ("re-initialised", "rival"), ("shuffled mask", "extra"), ("small dense", "other"))
    for ax, is_large in ((small, False), (large, True)):
        chosen = [row for row in rows if row["large_lr"] == is_large]
        for arm, role in arms:
            kept, accuracy = table(chosen, arm, "kept", "accuracy")
            curve_with_band(ax, kept, accuracy, arm, COLORS[role], marker="o")
        ax.set_xscale("log")
        ax.invert_xaxis()
        ticks = sorted({row["kept"] for row in chosen if row["arm"] != "ticket"} | {1.0})
        ax.set_xticks(ticks, [percent(share) for share in ticks])
        ax.minorticks_off()
        ax.set(xlabel="weights left", ylabel="test accuracy")
        ax.set_title(f"{'large' if is_large else 'small'} learning rate, {chosen[0]['lr']:g}")
        percent_axis(ax.yaxis, 100)
    large.set_ylim(small.get_ylim())
    middle = [row for row in chosen if row["round"] == 7]
    for arm, role in arms:
        curves = [row["val_curve"] for row in middle if row["arm"] == arm]
        curve_with_band(learning, range(1, len(curves[0]) + 1), curves, arm, COLORS[role], marker="o")
    learning.set(xlabel="epoch", ylabel="validation accuracy")
    learning.xaxis.get_major_locator().set_params(integer=True)
    learning.set_title(f"while they learn: {percent(middle[0]['kept'])} left, rate {middle[0]['lr']:g}")
    percent_axis(learning.yaxis, 100)
    return fig


def percent(share: float) -> str:
    """A share in per cent with two digits at most."""
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %"


MOST_LINES = 4000


def _draw_net(ax, widths, connections):
    """Neurons as dots in one column a layer, inputs left; each connection a line, or a sample of them if there are many."""
    from matplotlib.collections import LineCollection

    places = [np.column_stack([np.full(n, float(i)), (np.arange(n) + 0.5) / n]) for i, n in enumerate(widths)]
    for i, pairs in enumerate(connections):
        # Fainter lines, which could be more, round to nothing in the pixels of an SVG.
        pairs = np.random.default_rng(0).permutation(pairs)[:MOST_LINES]
        alpha = min(0.4, 1200 / max(1, len(pairs)))
        lines = np.stack([places[i][pairs[:, 0]], places[i + 1][pairs[:, 1]]], axis=1)
        ax.add_collection(LineCollection(lines, colors=COLORS["claim"], alpha=alpha, linewidths=0.5, rasterized=True))
    for i, dots in enumerate(places):
        ax.plot(*dots.T, ".", color=COLORS["reference"], markersize=3 if widths[i] > 50 else 8)
        ax.text(i, 1.02, str(widths[i]), ha="center", fontsize=14)
    ax.set(xlim=(-0.1, len(widths) - 0.9), ylim=(-0.02, 1.08))
    ax.set_axis_off()
