"""Claim A3: depthwise and pointwise together need fewer parameters than a standard convolution."""

from fractions import Fraction

import numpy as np

from ...architecture import separable_block, separable_share
from ...nn import Conv2d, Sequential
from ...profiling import latency
from ...quantization import tcz
from ...training import predict
from ...workshop.style import COLORS, curve_with_band, figure
from ..claim import Claim, Effect, Settings

A3_CHANNELS = {"quick": (8, 16, 32, 64, 128), "full": (8, 16, 32, 64, 128, 256), "paper": (8, 16, 32, 64, 128, 256)}

A3_BATCHES = (1, 16)
A3_IMAGE = 14
RANDOM_SHAPES = 10
RATIO_CHANNELS = 64


def tasks_a3(settings: Settings):
    return [
        (channels, batch, seed)
        for seed in settings.each_seed
        for channels in A3_CHANNELS[settings.budget]
        for batch in A3_BATCHES
    ]


def measure_a3(channels: int, batch: int, seed: int) -> list[dict]:
    """Compare a standard and a separable 3×3 layer, both from `channels` to `channels`: counts, bytes of a .tcz file, time.

    `wrong`: the number of random shapes for which a count differs from the formula.
    """
    rng = np.random.default_rng([seed, channels, batch])
    wrong = sum(not counts_fit(*_random_shape(rng), rng) for _ in range(RANDOM_SHAPES))
    standard, separable = _both(channels, channels, 3, 1, rng)
    shape = (A3_IMAGE, A3_IMAGE, channels)
    x = rng.random((batch, *shape), np.float32)
    depthwise, pointwise = separable.layers
    calls = {"standard": standard, "separable": separable, "depthwise": depthwise, "pointwise": pointwise}
    calls = {name: lambda net=net: predict(net, x) for name, net in calls.items()}
    times = latency(calls, rounds=9, round_ms=3)
    low, high = times["separable"].spread
    costs = standard.summary(shape), separable.summary(shape)
    sizes = [len(tcz.to_bytes(net, "fixed")) for net in (standard, separable)]
    macs = {"standard": costs[0].macs} | dict(
        zip(("depthwise", "pointwise"), (c.macs for c in costs[1].layers), strict=True)
    )
    return [
        {
            "seed": seed,
            "channels": channels,
            "batch": batch,
            "pixels": A3_IMAGE,
            "wrong": wrong,
            "formula": float(1 / separable_share(channels)),
            "parameters": costs[0].parameters / costs[1].parameters,
            "macs": costs[0].macs / costs[1].macs,
            "disk": sizes[0] / sizes[1],
            "clock": times["standard"].median / times["separable"].median,
            "ms": {name: time.median for name, time in times.items()},
            "ms_low": low,
            "ms_high": high,
            "gmacs_a_second": {name: batch * n / times[name].median / 1e6 for name, n in macs.items()},
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
    """Whether all counts agree with the formula."""
    return all(
        row["wrong"] == 0 and max(abs(row[what] / row["formula"] - 1) for what in ("parameters", "macs")) < 1e-12
        for row in rows
    )


def ratios_a3(rows):
    """Ratios at 64 channels, or the most below, for the larger batch."""
    most = max([row["channels"] for row in rows if row["channels"] <= RATIO_CHANNELS], default=rows[0]["channels"])
    last = max(row["batch"] for row in rows)
    chosen = [row for row in rows if (row["channels"], row["batch"]) == (most, last)]
    names = {"theory": "formula", "disk": "disk", "clock": "clock"}
    return {name: float(np.median([row[key] for row in chosen])) for name, key in names.items()}


def a3(rows):
    """How many times smaller and faster, over channels, and the multiplication rates that explain the difference."""
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
        "How many times smaller, and how many times faster\n(circled: the clock disagrees by more than 1.5×)"
    )

    for kind, role in (("standard", "reference"), ("pointwise", "other"), ("depthwise", "rival")):
        _, values = _over_channels(rows, batches[-1], "gmacs_a_second", kind)
        curve_with_band(speed, channels, values, kind, COLORS[role], marker="o")
    _channel_axis(speed, channels)
    speed.set_ylabel("billion multiply-adds per second")
    speed.set_ylim(0, None)
    speed.set_title(f"Why: how fast each layer multiplies\n({batches[-1]} images of {pixels}×{pixels} pixels)")
    return fig


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
            name="parameters and multiplications equal the formula exactly, for every shape",
            of=effect_a3,
            decides=("N29",),
        ),
    ),
    timed=True,
    figure=a3,
    ratios=ratios_a3,
    note="The claim fails unless counts are exact for random shapes, kernels and strides. Disk: a .tcz file of 32-bit "
    "weights. With few channels or images the clock lags behind: a depthwise convolution uses each number that it loads "
    "only k² times, so memory bandwidth limits it, and two layers have twice the overhead of one. The ratios are those "
    "at 64 channels, in batches.",
    source="Howard et al. 2017, section 3.1",
)
