"""The figures of claims Q1 to Q3 and Q6, each drawn from a claim's rows alone."""

import numpy as np

from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, curve_with_band, figure
from ..pruning.p3_sparse_speed import table

CLUSTER_COLORS = [COLORS[role] for role in ("rival", "more", "last", "claim")]


def q1(rows):
    """Accuracy over bits, rounded after training and trained on the grid; and the weights with a grid under them."""
    fig = figure(ncols=2, width=17, height=6, width_ratios=(1.35, 1))
    left, right = fig.axes
    styles = {
        ("during training", "per channel"): ("trained on the grid", "claim", "-"),
        ("during training", "per tensor"): ("", "claim", ":"),
        ("after training", "per channel"): ("only rounded", "rival", "-"),
        ("after training", "per tensor"): ("", "rival", ":"),
    }
    for (arm, grain), (label, role, line) in styles.items():
        bits, values = table(rows, arm, "bits", "accuracy", grain=grain)
        curve_with_band(left, bits, values, label, COLORS[role], linestyle=line, marker="o")
    dense = np.mean([row["float_accuracy"] for row in rows])
    left.axhline(dense, color=COLORS["ideal"], linestyle="--", linewidth=2)
    integers = np.mean([row["accuracy"] for row in rows if row["arm"] == "in integers"])
    left.plot(8, integers, "*", color=COLORS["reference"], markersize=20, zorder=5)
    left.annotate(
        f"float32 {dense:.1f} %, and ★ all in 8-bit integers {integers:.1f} %",
        (8, dense),
        xytext=(0, 12),
        textcoords="offset points",
    )
    left.text(0.03, 0.12, "solid: a grid a neuron\ndotted: one a layer", transform=left.transAxes, fontsize=14)
    left.set_xlim(8.3, 0.8)
    left.set_ylim(None, 102)
    left.set(xlabel="bits a weight", ylabel="test accuracy", xticks=range(8, 0, -1))
    left.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    left.set_title("Few bits do, if training knows about them")

    (shown,) = (row for row in rows if "histogram" in row)
    edges = np.array(shown["edges"])
    right.stairs(shown["histogram"], edges, fill=True, color=COLORS["ideal"], alpha=0.6)
    for value in shown["grid"]:
        right.axvline(value, color=COLORS["claim"], linewidth=2.5)
    reach = 1.6 * max(map(abs, shown["grid"]))
    right.set_xlim(-reach, reach)
    right.set(xlabel="weight", ylabel="weights of the first layer")
    right.set_title(f"All of them become one of these {len(shown['grid'])}")
    return fig


def q2(rows):
    """Accuracy over the number of values a layer; and one layer's weights in the colours of their clusters."""
    fig = figure(ncols=2, width=17, height=6.5, width_ratios=(1.35, 1))
    left, right = fig.axes
    arms = (
        ("pulled while training", "claim"),
        ("soft weight-sharing", "last"),
        ("centroids fine-tuned", "other"),
        ("after training", "rival"),
    )
    for arm, role in arms:
        k, values = table(rows, arm, "k", "accuracy")
        curve_with_band(left, k, values, "", COLORS[role], marker="o")
        left.plot([], [], color=COLORS[role], marker="o", label=arm)  # the curves are too close for labels
    left.axhline(np.mean([row["float_accuracy"] for row in rows]), color=COLORS["ideal"], linestyle="--", linewidth=2)
    left.annotate(
        "float32",
        (max(k), np.mean([row["float_accuracy"] for row in rows])),
        xytext=(0, 6),
        textcoords="offset points",
        ha="right",
        color=COLORS["ideal"],
    )
    left.set_xscale("log", base=2)
    left.set_xticks(k, [str(value) for value in k])
    left.minorticks_off()
    left.set(xlabel="different values a layer", ylabel="test accuracy")
    left.legend(loc="lower right")
    left.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    left.set_title(f"Few values a layer: the same {rows[0]['epochs']} epochs, spent in four ways")

    (shown,) = (row for row in rows if "weights" in row)
    weights = np.array(shown["weights"])
    values, members = np.unique(weights, return_inverse=True)
    _draw_clusters(right, members.reshape(weights.shape)[:40], values)
    right.set_title(f"40 inputs of the last layer's {weights.shape[1]} neurons")
    return fig


def _draw_clusters(ax, members, values):
    """A matrix in the colours of its clusters, and the table of their values beside it."""
    from matplotlib.colors import ListedColormap

    colors = CLUSTER_COLORS[: len(values)]
    ax.imshow(members, cmap=ListedColormap(colors), vmin=-0.5, vmax=len(values) - 0.5, aspect="auto")
    ax.set(xlabel="neuron", ylabel="input", xticks=[], yticks=[])
    ax.grid(False)
    for i, (value, color) in enumerate(zip(values, colors, strict=True)):
        y = 0.72 - 0.13 * i
        ax.annotate(
            "■", (1.06, y), xycoords="axes fraction", color=color, fontsize=26, va="center", annotation_clip=False
        )
        code = f"{i:0{max(1, (len(values) - 1).bit_length())}b}"
        ax.annotate(f"{code}   {value:+.3f}", (1.15, y), xycoords="axes fraction", fontsize=16, va="center")
    ax.annotate("stored", (1.15, 0.85), xycoords="axes fraction", fontsize=14, color=COLORS["ideal"])


CODES = (
    ("fixed", "equally long", "rival"),
    ("huffman", "Huffman", "claim"),
    ("entropy", "entropy", "ideal"),
    ("arithmetic", "arithmetic", "other"),
)


def q3(rows):
    """The code tree of one layer's values; and the bits a weight in four codes."""
    fig = figure(ncols=2, width=17, height=6.5, width_ratios=(1.5, 1))
    left, right = fig.axes
    shown = next(row for row in rows if row["code"] and row["layer"] != rows[0]["layer"])
    _draw_tree(left, dict(map(tuple, shown["code"])), shown["counts"], shown["values"])
    left.set_title(f"What is frequent gets a short code ({shown['symbols']:,} weights)")

    seeds = sorted({row["seed"] for row in rows})
    for place, (code, _, role) in enumerate(CODES):
        bottom = 0.0
        for stream, alpha in (("values", 1.0), ("gaps", 0.55)):
            bits = np.mean([_bits(rows, seed, code, stream) for seed in seeds])
            right.bar(place, bits, 0.7, bottom, color=COLORS[role], alpha=alpha)
            if place == 0:
                right.text(
                    place,
                    bottom + bits / 2,
                    {"values": "which value", "gaps": "where"}[stream],
                    ha="center",
                    va="center",
                    fontsize=12,
                    color="white",
                )
            bottom += bits
        right.text(place, bottom + 0.1, f"{bottom:.2f}", ha="center", fontsize=16)
    right.set_xticks(range(len(CODES)), [name for _, name, _ in CODES])
    right.set(ylabel="bits a weight that is left")
    right.set_title("The whole net, coded in four ways")
    return fig


def _bits(rows, seed, code, stream) -> float:
    chosen = [row for row in rows if row["seed"] == seed]
    weights = sum(row["symbols"] for row in chosen if row["stream"] == "values")
    return sum(row[code] * row["symbols"] for row in chosen if row["stream"] == stream) / weights


def _draw_tree(ax, code: dict[int, str], counts, values):
    """Leaves from left to right in the order of their codes; each edge is labelled with its bit."""
    leaves = sorted(code, key=lambda symbol: code[symbol])
    place = {code[symbol]: float(i) for i, symbol in enumerate(leaves)}
    inner = {bits[:n] for bits in code.values() for n in range(len(bits))}
    for prefix in sorted(inner, key=len, reverse=True):
        children = [place[prefix + bit] for bit in "01" if prefix + bit in place]
        place[prefix] = sum(children) / len(children)
    for bits, x in place.items():
        if bits:
            above = place[bits[:-1]]
            ax.plot([above, x], [1 - len(bits), -len(bits)], color=COLORS["ideal"], linewidth=2, zorder=1)
            ax.text(
                (above + x) / 2,
                0.5 - len(bits),
                bits[-1],
                fontsize=15,
                ha="center",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
    for symbol in leaves:
        bits = code[symbol]
        share = counts[symbol] / sum(counts)
        ax.plot(place[bits], -len(bits), "o", color=COLORS["claim"], markersize=12 + 60 * share, zorder=2)
        ax.text(
            place[bits],
            -len(bits) - 0.34 - share,
            f"{values[symbol]:+.2f}\n{100 * share:.0f} %\n{bits}",
            ha="center",
            va="top",
            fontsize=13,
        )
    ax.set_ylim(-max(map(len, code.values())) - 1.5, 0.3)
    ax.set_xlim(-0.7, len(leaves) - 0.3)
    ax.set_axis_off()


def q6(rows):
    """Times faster than float32, one panel a batch; bars for each form of the weights."""
    batches = sorted({row["batch"] for row in rows})
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    arms = (
        ("8 bits", "claim"),
        ("4 bits", "last"),
        ("1 bit", "other"),
        ("1 bit, activations too", "more"),
    )
    fig = figure(ncols=len(batches), width=16, height=6, sharey=True)
    for ax, batch in zip(fig.axes, batches, strict=True):
        ticks, names = [], []
        place = 0.0
        for shape in shapes:
            start = place
            for arm, role in arms:
                chosen = [r["speedup"] for r in rows if (r["batch"], r["shape"], r["arm"]) == (batch, shape, arm)]
                if not chosen:
                    continue
                mean, low, high = (2**x for x in mean_interval(np.log2(chosen)))
                spread = None if np.isnan(low) else [[mean - low], [high - mean]]
                ax.bar(place, mean - 1, 0.9, 1, color=COLORS[role], yerr=spread, capsize=4, label=arm)
                ax.text(
                    place,
                    max(mean, 1, np.nan_to_num(high)) * 1.06,
                    f"{mean:.1f}×",
                    ha="center",
                    va="bottom",
                    fontsize=13,
                )
                place += 1
            ticks.append((start + place - 1) / 2)
            names.append(shape)
            place += 0.7
        ax.set_xticks(ticks, names)
        ax.axhline(1, color=COLORS["reference"], linewidth=1.5)
        ax.set_yscale("log")
        ax.set_yticks([0.5, 1, 2, 4, 8, 16, 32, 64], [f"{t:g}×" for t in (0.5, 1, 2, 4, 8, 16, 32, 64)])
        ax.minorticks_off()
        ax.set_title("one image at a time" if batch == 1 else f"{batch} images at once")
    fig.axes[0].set_ylabel("times faster than float32")
    unique = {}
    for ax in fig.axes:
        unique |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    fig.axes[0].legend(unique.values(), unique.keys(), loc="upper left")
    return fig
