"""Claim A3: depthwise and pointwise together need fewer parameters than a standard convolution."""

import functools
from fractions import Fraction

import numpy as np

from ...architecture import separable_block, separable_share
from ...inference import optimize
from ...nn import Conv2d, Sequential
from ...profiling import latency
from ...quantization import tcz
from ...workshop.style import COLORS, curve_with_band, figure
from ..claim import DISAGREEMENT, Claim, Effect, Settings

A3_CHANNELS = {"quick": (8, 16, 32, 64, 128), "full": (8, 16, 32, 64, 128, 256), "paper": (8, 16, 32, 64, 128, 256)}

A3_BATCHES = (1, 16)
A3_IMAGE, KERNEL = 14, 3
RANDOM_SHAPES = 10
RATIO_CHANNELS = 64
KINDS = ("standard", "depthwise", "pointwise")


def tasks_a3(settings: Settings):
    return [
        (channels, batch, seed)
        for seed in settings.each_seed
        for channels in A3_CHANNELS[settings.budget]
        for batch in A3_BATCHES
    ]


def measure_a3(channels: int, batch: int, seed: int) -> list[dict]:
    """Compare a standard and a separable 3×3 layer, both from `channels` to `channels`: counts, bytes of a .tcz file, time.

    `weights`: those counted in each layer. `wrong`: the number of random shapes for which a count differs from the formula.
    """
    rng = np.random.default_rng([seed, channels, batch])
    wrong = sum(not counts_fit(*_random_shape(rng), rng) for _ in range(RANDOM_SHAPES))
    standard, separable = _both(channels, channels, KERNEL, 1, rng)
    shape = (A3_IMAGE, A3_IMAGE, channels)
    x = rng.random((batch, *shape), np.float32)
    depthwise, pointwise = separable.layers
    calls = {"standard": standard, "separable": separable, "depthwise": depthwise, "pointwise": pointwise}
    calls = {name: functools.partial(optimize(net, x).run, x) for name, net in calls.items()}
    times = latency(calls, rounds=5, round_ms=3)
    low, high = times["separable"].spread
    costs = standard.summary(shape), separable.summary(shape)
    sizes = [len(tcz.to_bytes(net, "fixed")) for net in (standard, separable)]
    counted = dict(zip(KINDS, (*costs[0].layers, *costs[1].layers), strict=True))
    return [
        {
            "seed": seed,
            "channels": channels,
            "batch": batch,
            "pixels": A3_IMAGE,
            "wrong": wrong,
            "weights": {name: cost.parameters for name, cost in counted.items()},
            "formula": float(1 / separable_share(channels, KERNEL)),
            "parameters": costs[0].parameters / costs[1].parameters,
            "macs": costs[0].macs / costs[1].macs,
            "disk": sizes[0] / sizes[1],
            "clock": times["standard"].median / times["separable"].median,
            "ms": {name: time.median for name, time in times.items()},
            "ms_low": low,
            "ms_high": high,
            "gmacs_a_second": {name: batch * cost.macs / times[name].median / 1e6 for name, cost in counted.items()},
        }
    ]


def _both(inputs, outputs, kernel, stride, rng) -> tuple[Sequential, Sequential]:
    standard = Conv2d(inputs, outputs, kernel, stride, "same", bias=False, rng=rng)
    return Sequential(standard), separable_block(inputs, outputs, kernel, stride, "same", between=False, rng=rng)


def _random_shape(rng) -> tuple:
    inputs, outputs, height, width = (int(n) for n in rng.integers(1, 40, 4))
    return inputs, outputs, tuple(int(k) for k in rng.integers(1, 6, 2)), int(rng.integers(1, 4)), (height, width)


def counts_fit(inputs, outputs, kernel, stride, pixels, rng) -> bool:
    """Whether the ratios of the two layers' parameters and multiply-accumulates equal the formula exactly."""
    costs = [net.summary((*pixels, inputs)) for net in _both(inputs, outputs, kernel, stride, rng)]
    share = separable_share(outputs, kernel)
    return all(Fraction(getattr(costs[1], what), getattr(costs[0], what)) == share for what in ("parameters", "macs"))


def effect_a3(rows) -> bool:
    """Whether all counts agree with the formula, and the separable layers measured have fewer parameters."""
    return all(
        row["wrong"] == 0
        and row["parameters"] > 1
        and max(abs(row[what] / row["formula"] - 1) for what in ("parameters", "macs")) < 1e-12
        for row in rows
    )


def holds_a3(rows) -> str:
    """From how many channels to how many, and how many times fewer parameters that is."""
    few, many = (pick(rows, key=lambda row: row["channels"]) for pick in (min, max))
    return (
        f"from {few['channels']} channels, {few['parameters']:.1f}× fewer, to {many['channels']}, "
        f"{many['parameters']:.1f}× fewer"
    )


def ratios_a3(rows):
    """Ratios at 64 channels, or the most below, for the larger batch."""
    most = max([row["channels"] for row in rows if row["channels"] <= RATIO_CHANNELS], default=rows[0]["channels"])
    last = max(row["batch"] for row in rows)
    chosen = [row for row in rows if (row["channels"], row["batch"]) == (most, last)]
    names = {"theory": "formula", "disk": "disk", "clock": "clock"}
    return {name: float(np.median([row[key] for row in chosen])) for name, key in names.items()}


def a3(rows):
    """The derivation, weight by weight; how many times smaller and faster, over channels; and how fast each layer multiplies."""
    fig = figure(ncols=4, nrows=2, width=17, height=9, height_ratios=(1, 1.25))
    _draw_derivation(fig.axes[:4], min(rows, key=lambda row: row["channels"]))
    grid = fig.axes[0].get_gridspec()
    for ax in fig.axes[4:]:
        ax.remove()
    _draw_ratios(fig.add_subplot(grid[1, :2]), rows)
    _draw_speed(fig.add_subplot(grid[1, 2:]), rows)
    return fig


def _draw_derivation(axes, row):
    """Draw every weight of one row's layers as a square, filters down and input channels across, and count them."""
    c, share = row["channels"], 1 / row["parameters"]
    counts = row.get("weights") or dict(zip(KINDS, (9 * c * c, 9 * c, c * c), strict=True))  # older rows lack them
    steps = (
        ("standard", "1 standard: O filters\nof k×k in I channels", f"k·k·I·O = 3·3·{c}·{c}", np.ones((c, c)), KERNEL),
        ("depthwise", "2 depthwise: a filter\nof k×k per channel", f"k·k·I = 3·3·{c}", np.eye(c), KERNEL),
        ("pointwise", "3 pointwise: O filters\nof 1×1 in I channels", f"I·O = {c}·{c}", np.ones((c, c)), 1),
    )
    for ax, (kind, title, product, used, size), role in zip(axes, steps, ("reference", "rival", "other"), strict=False):
        _draw_weights(ax, used, size, COLORS[role])
        ax.set_title(title)
        ax.set_xlabel(f"I = {c} channels\n{product} = {counts[kind]:,}")
    axes[0].set_ylabel(f"O = {c} filters")
    axes[3].set_axis_off()
    axes[3].set_title("4 both together, as\na share of standard")
    lines = (
        r"$\frac{k\,k\,I + I\,O}{k\,k\,I\,O} \;=\; \frac{1}{O} + \frac{1}{k\,k}$",
        rf"$\frac{{{counts['depthwise']} + {counts['pointwise']}}}{{{counts['standard']}}} \;=\; "
        rf"\frac{{1}}{{{c}}} + \frac{{1}}{{{KERNEL**2}}} \;=\; {share:.3f}$",
    )
    for y, line in zip((0.86, 0.62), lines, strict=True):
        axes[3].text(0, y, line, fontsize=25, va="center", transform=axes[3].transAxes)
    words = f"{1 / share:.2f}× fewer weights, and\nmultiplications, too: both\nlayers use each weight once\nper output pixel"
    axes[3].text(0, 0.42, words, va="top", transform=axes[3].transAxes)


def _draw_weights(ax, used, size, color):
    """Draw a block of `size` × `size` weights in each place (filter, input channel) where used is 1."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    gap = 0.16
    side = (1 - gap) / KERNEL
    start = gap / 2 + side * (KERNEL - size) / 2
    squares = [
        Rectangle((j + start + side * x, i + start + side * y), 0.86 * side, 0.86 * side)
        for i, j in np.argwhere(used)
        for x in range(size)
        for y in range(size)
    ]
    ax.add_collection(PatchCollection(squares, facecolor=color, edgecolor="none"))
    ax.set(xlim=(0, len(used)), ylim=(len(used), 0), aspect="equal", xticks=[], yticks=[])
    for at in range(len(used) + 1):
        ax.axhline(at, color="#CCCCCC", linewidth=0.8, zorder=0)
        ax.axvline(at, color="#CCCCCC", linewidth=0.8, zorder=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _draw_ratios(ax, rows):
    """Draw how many times smaller and faster the separable layer is, and circle where the clock disagrees."""
    batches = sorted({row["batch"] for row in rows})
    channels, formula = _over_channels(rows, batches[-1], "formula")
    curve_with_band(ax, channels, formula, "in theory", COLORS["ideal"], linestyle="--")
    curve_with_band(ax, channels, _over_channels(rows, batches[-1], "disk")[1], "on disk", COLORS["other"], marker="o")
    for batch, role, name in zip(
        batches, ("last", "claim"), (" clock,\n one image", " clock,\n {} images"), strict=False
    ):
        _, clock = _over_channels(rows, batch, "clock")
        curve_with_band(ax, channels, clock, name.format(batch), COLORS[role], marker="s")
        for at, theory, measured in zip(channels, formula[0], np.mean(clock, axis=0), strict=True):
            if max(theory / measured, measured / theory) > DISAGREEMENT:
                ax.plot(at, measured, "o", markersize=22, markerfacecolor="none", color=COLORS["rival"], mew=2)
    ax.axhline(1, color=COLORS["reference"], linewidth=1.5)
    _channel_axis(ax, channels)
    ax.set_ylabel("standard / separable")
    ax.set_ylim(0, None)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    ax.set_title(f"Times smaller, and times faster\n(circled: over {DISAGREEMENT:g}× off the theory)")


def _draw_speed(ax, rows):
    """Draw how many multiplications a second each kind of layer does, in batches."""
    batch = max(row["batch"] for row in rows)
    for kind, role in zip(KINDS, ("reference", "rival", "other"), strict=True):
        channels, values = _over_channels(rows, batch, "gmacs_a_second", kind)
        curve_with_band(ax, channels, values, kind, COLORS[role], marker="o")
    _channel_axis(ax, channels)
    ax.set_ylabel("billion counted multiply-adds/s")
    ax.set_ylim(0, None)
    pixels = rows[0]["pixels"]
    ax.set_title(f"Why: how fast each layer multiplies\n({batch} images of {pixels}×{pixels} pixels)")


def _over_channels(rows, batch, key, kind=None):
    """The channels, and an array (seeds, channels) of one key's values at one batch size."""
    found = {(r["seed"], r["channels"]): r[key] if kind is None else r[key][kind] for r in rows if r["batch"] == batch}
    channels, seeds = sorted({c for _, c in found}), sorted({s for s, _ in found})
    return channels, np.array([[found[seed, c] for c in channels] for seed in seeds])


def _channel_axis(ax, channels):
    ax.set_xscale("log", base=2)
    ax.set_xticks(channels, [str(c) for c in channels])
    ax.minorticks_off()
    ax.set_xlabel("input and output channels")


CLAIM = Claim(
    id="A3",
    chapter="architecture",
    title="Both together need fewer parameters",
    tasks=tasks_a3,
    measure=measure_a3,
    effects=(
        Effect(
            name="parameters and multiplications equal the formula 1/O + 1/k² exactly, for every shape",
            of=effect_a3,
            holds=holds_a3,
            decides=("N29",),
        ),
    ),
    timed=True,
    figure=a3,
    ratios=ratios_a3,
    note="Top: each square is a weight; filters are rows, input channels are columns. With a single output channel, or 1×1 "
    "kernels, the share is above 1, and nothing is saved. The claim fails unless counts are exact for random shapes, "
    "kernels and strides. Disk: a .tcz file of 32-bit weights. Clock: layers in their form for prediction. With few channels "
    "or images the clock lags behind, perhaps since a depthwise convolution uses each number that it loads only k² times, and "
    "memory limits it, and since two layers have twice the overhead of one. And a standard 3×3 convolution of many channels "
    "carries out 2.25 times fewer multiplications than are counted (Winograd). The ratios are those at 64 channels, in batches.",
    source="Howard et al. 2017, section 3.1",
)
