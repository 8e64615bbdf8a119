"""The figures of claims Q4 and Q5, each drawn from a claim's rows alone."""

import numpy as np

from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, curve_with_band, figure

BINARY_ARMS = (
    ("binary", "claim"),
    ("float", "rival"),
    ("float, dropout", "more"),
    ("binary, stochastic", "other"),
)


def q4(rows):
    """Learning curves, error on training and test images, and what the first neurons look for."""
    fig = figure(ncols=3, width=20, height=6.3, width_ratios=(1.25, 1, 0.9))
    curves, bars, pictures = fig.axes
    for arm, role in BINARY_ARMS:
        values = [row["curve"] for row in rows if row["arm"] == arm]
        curve_with_band(curves, range(1, len(values[0]) + 1), values, arm, COLORS[role])
    curves.set_yscale("log")
    top = max(max(row["curve"][0] for row in rows if row["arm"] == arm) for arm, _ in BINARY_ARMS)
    low = min(min(row["curve"]) for row in rows)
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 50) if 0.7 * low <= t <= 1.2 * top]
    curves.set_yticks(ticks, [f"{t:g} %" for t in ticks])
    curves.set_ylim(max(0.6 * low, 0.3), min(1.2 * top, 100))
    curves.minorticks_off()
    curves.set(xlabel="epoch", ylabel="validation error")
    curves.set_title("Binary weights learn as well")

    for place, (arm, role) in enumerate(BINARY_ARMS):
        chosen = [row for row in rows if row["arm"] == arm]
        for shift, key, alpha in ((-0.2, "train_error", 0.45), (0.2, "test_error", 1.0)):
            values = np.array([row[key] for row in chosen])
            mean, low, high = mean_interval(values)
            spread = None if np.isnan(low) else [[min(mean - low, mean)], [high - mean]]
            bars.bar(place + shift, mean, 0.38, color=COLORS[role], alpha=alpha, yerr=spread, capsize=4)
            bars.text(
                place + shift,
                np.nan_to_num(high, nan=mean) + 0.05,
                f"{mean:.1f}",
                ha="center",
                va="bottom",
                fontsize=13,
            )
        if chosen[0]["published"]:
            bars.plot([place, place + 0.4], [chosen[0]["published"]] * 2, color=COLORS["reference"], linewidth=3)
    bars.set_xticks(range(len(BINARY_ARMS)), [arm.replace(", ", ",\n") for arm, _ in BINARY_ARMS], fontsize=13)
    bars.set_ylabel("error (%)")
    paper = ", line: the paper" if any(row["published"] for row in rows) else ""
    bars.set_title(f"Pale: training, full: test images{paper}")
    _draw_features(pictures, rows)
    return fig


def _draw_features(ax, rows):
    """The first layer's weights as images, float above and binary below."""
    shape = rows[0]["image_shape"]
    strips = []
    for arm in ("float", "binary"):
        features = np.array(next(row["features"] for row in rows if row["arm"] == arm and row["features"]))
        features = features / np.abs(features).max(0)
        images = [np.pad(f.reshape(shape).mean(2), 1, constant_values=np.nan) for f in features.T[:12]]
        strips.append(np.vstack([np.hstack(images[i : i + 4]) for i in range(0, 12, 4)]))
    gap = np.full((max(2, shape[0] // 3), strips[0].shape[1]), np.nan)
    whole = np.vstack([strips[0], gap, strips[1]])
    ax.imshow(whole, cmap="PuOr", vmin=-1, vmax=1)
    ax.text(-0.02, 0.76, "float", rotation=90, transform=ax.transAxes, ha="right", va="center", color=COLORS["rival"])
    ax.text(-0.02, 0.24, "binary", rotation=90, transform=ax.transAxes, ha="right", va="center", color=COLORS["claim"])
    ax.set_title("12 neurons of the first layer")
    ax.set_axis_off()


STAGES = ("float32", "pruned", "clustered", "Huffman", "arithmetic")


def q5(rows):
    """Bytes of the file after each stage, and every byte of a finished file."""
    fig = figure(ncols=2, width=18, height=7, width_ratios=(1.15, 1))
    _draw_waterfall(fig.axes[0], rows)
    draw_bytes(fig.axes[1], next(row for row in rows if row.get("file")))
    return fig


def _draw_waterfall(ax, rows):
    """Bars of bytes on a logarithmic axis, with the error under each."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    roles = ("claim", "rival", "other", "more")
    for i, arm in enumerate(arms):
        stages = [s for s in dict.fromkeys(row["stage"] for row in rows if row["arm"] == arm)]
        for place, stage in enumerate(stages):
            chosen = [row for row in rows if row["arm"] == arm and row["stage"] == stage]
            size, error = np.mean([row["bytes"] for row in chosen]), np.mean([row["error"] for row in chosen])
            x = place + (i - (len(arms) - 1) / 2) * 0.8 / len(arms)
            ax.bar(x, size, 0.76 / len(arms), color=COLORS[roles[i]], label=arm if place == 0 else None)
            ax.text(x, size * 1.06, size_label(size), ha="center", va="bottom", fontsize=12 if len(arms) < 3 else 10)
            ax.text(
                x,
                size * 0.94,
                f"{error:.1f}",
                ha="center",
                va="top",
                fontsize=12 if len(arms) < 3 else 10,
                color="white",
            )
    ax.set_yscale("log")
    names = [*stages]
    if any(row["arm"].startswith("cluster") for row in rows):
        names[1:3] = ["1st step", "2nd step"]
    ax.set_xticks(range(len(names)), names)
    smallest, largest = min(row["bytes"] for row in rows), max(row["bytes"] for row in rows)
    ax.set_ylim(smallest * 0.35, largest * 2.2)
    ticks = [t for t in (1e3, 1e4, 1e5, 1e6) if smallest * 0.35 <= t <= largest * 2.2]
    ax.set_yticks(ticks, [size_label(t) for t in ticks])
    ax.minorticks_off()
    ax.set_ylabel("bytes of the file")
    ax.legend(loc="upper right", title="white: test error in %", title_fontsize=13, alignment="left")
    final = [
        row["float_bytes"] / row["bytes"] for row in rows if row["stage"] == "arithmetic" and row["arm"] == arms[0]
    ]
    net = {"lenet_300_100": "LeNet-300-100", "lenet_5": "LeNet-5"}.get(rows[0]["net"], rows[0]["net"])
    ax.set_title(f"{net}: {np.mean(final):.0f}× smaller")


def size_label(size: float) -> str:
    """Bytes in three digits."""
    if size < 950:
        return f"{size:.0f} B"
    return f"{size / 1000:.3g} KB" if size < 999_500 else f"{size / 1000:,.0f} KB"


KINDS = {
    "structure": "reference",
    "table": "extra",
    "positions": "last",
    "values": "claim",
}


def draw_bytes(ax, row):
    """Every byte of the file a square, in the colour of what it is for; its lightness is its value."""
    from matplotlib.colors import to_rgb

    content, parts = np.array(row["file"]), row["parts"]
    wide = int(np.ceil(np.sqrt(len(content) * 1.1)))
    high = -(-len(content) // wide)
    picture = np.ones((high * wide, 3))
    counts = dict.fromkeys(KINDS, 0)
    for _, kind, offset, size in parts:
        kind = {"header": "structure", "checksum": "structure", "end of stream": "values"}.get(kind, kind)
        color = np.array(to_rgb(COLORS[KINDS[kind]]))
        shade = 0.55 * content[offset : offset + size, None] / 255
        picture[offset : offset + size] = color + (1 - color) * shade
        counts[kind] += size
    ax.imshow(picture.reshape(high, wide, 3))
    ax.set_axis_off()
    names = {"structure": "layers, checksum", "table": "codebooks", "positions": "where", "values": "which value"}
    for i, (kind, count) in enumerate(counts.items()):
        ax.text(
            (i % 2) * 0.5,
            -0.06 - 0.07 * (i // 2),
            f"■ {names[kind]} {count:,}",
            transform=ax.transAxes,
            color=COLORS[KINDS[kind]],
            fontsize=15,
            va="top",
        )
    ax.set_title(f"Each of the file's {len(content):,} bytes")
