"""Chapter 4, architecture design: the claims A1 to A5; A1 to A3 measured here."""

from fractions import Fraction

import numpy as np

from ... import data
from ...architecture import channel_jacobian, jacobian, separable_block, separable_share
from ...nn import Conv2d, DepthwiseConv2d, PointwiseConv2d, Sequential
from ...profiling import latency
from ...quantization import tcz
from ...training import predict
from ..claim import Claim, Settings
from ..rows import paired
from . import a1_depthwise as figures
from .a4_accuracy import effect_a4, effect_a5, measure_a4, measure_a5, ratios_a4, ratios_a5
from .nets import plan_for
from .pairs import accuracy, trained


def _tasks_per_seed(settings: Settings):
    return [(settings.data, settings.budget, seed) for seed in range(settings.seeds)]


# A1 ------------------------------------------------------------------------------------------------------------------

CHANNELS, PIXELS, SHOWN = 4, 7, (3, 3, 1)  # of the layers that are asked what they read; the output that is drawn


def measure_a1(data_name: str, budget: str, seed: int) -> list[dict]:
    """What one output of each kind of convolution reads; and the accuracy of depthwise convolutions alone where two
    channels, or only one, must be seen."""
    plan = plan_for(budget, data.load(data_name))
    rows = []
    for layer, convolution in _convolutions(np.random.default_rng(seed)).items():
        x = np.random.default_rng([seed, 1]).random((PIXELS, PIXELS, CHANNELS), np.float32)
        reads = np.abs(jacobian(convolution, x)[SHOWN])
        rows.append(
            {"seed": seed, "layer": layer, "output": SHOWN, "reads": reads.round(4)}
            | {"channels": channel_jacobian(convolution, x), "parameters": convolution.latent("weight").size}
        )
    for arm, question in (
        ("depthwise alone", "same"),
        ("depthwise alone", "own"),
        ("depthwise, answers added", "same"),
    ):
        net, pairs = trained(data_name, plan, seed, arm, question)
        rows.append(
            {"seed": seed, "arm": arm, "question": question, "accuracy": accuracy(net, pairs.test)}
            | {"channels": channel_jacobian(net, pairs.x_test[0]), "epochs": plan.pair_epochs}
        )
    return rows


def _convolutions(rng) -> dict:
    return {
        "standard": Conv2d(CHANNELS, CHANNELS, 3, padding="same", bias=False, rng=rng),
        "depthwise": DepthwiseConv2d(CHANNELS, 3, padding="same", bias=False, rng=rng),
        "pointwise": PointwiseConv2d(CHANNELS, CHANNELS, bias=False, rng=rng),
    }


def effect_a1(rows) -> bool:
    """Whether no output of a depthwise convolution, or of a net of them, depends on another channel at all, and such
    nets are right exactly half of the time."""
    alone = [row for row in rows if row.get("layer") == "depthwise" or row.get("arm") == "depthwise alone"]
    diagonal = all(not _off_diagonal(row["channels"]).any() for row in alone)
    return diagonal and all(row["accuracy"] == 50 for row in alone if row.get("question") == "same")


def _off_diagonal(matrix) -> np.ndarray:
    matrix = np.array(matrix)
    return matrix[~np.eye(len(matrix), dtype=bool)]


# A2 ------------------------------------------------------------------------------------------------------------------

A2_ARMS = ("depthwise alone", "pointwise alone", "depthwise and pointwise", "standard")
EXAMPLES = 6


def measure_a2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy on pairs of four nets, and their channel-to-channel Jacobians on one pair."""
    plan = plan_for(budget, data.load(data_name))
    rows = []
    for arm in A2_ARMS:
        net, pairs = trained(data_name, plan, seed, arm)
        rows.append(
            {"seed": seed, "arm": arm, "accuracy": accuracy(net, pairs.test), "epochs": plan.pair_epochs}
            | {"channels": channel_jacobian(net, pairs.x_test[0]), "parameters": net.summary().parameters}
        )
        if seed == 0 and arm == A2_ARMS[0]:
            shown = np.linspace(0, len(pairs.x_test) - 1, EXAMPLES).astype(int)
            rows[-1] |= {"examples": pairs.x_test[shown].round(2), "same": pairs.y_test[shown, 0]}
    return rows


def effect_a2(rows):
    return paired(rows, "depthwise and pointwise", "depthwise alone", "accuracy")


# A3 ------------------------------------------------------------------------------------------------------------------

A3_CHANNELS = {"quick": (8, 16, 32, 64, 128), "full": (8, 16, 32, 64, 128, 256), "paper": (8, 16, 32, 64, 128, 256)}
A3_BATCHES = (1, 16)
A3_IMAGE = 14
RANDOM_SHAPES = 10
RATIO_CHANNELS = 64


def tasks_a3(settings: Settings):
    return [
        (channels, batch, seed)
        for seed in range(settings.seeds)
        for channels in A3_CHANNELS[settings.budget]
        for batch in A3_BATCHES
    ]


def measure_a3(channels: int, batch: int, seed: int) -> list[dict]:
    """A standard 3×3 layer and a separable one, from `channels` to as many: counts, bytes of a .tcz file, and the clock.

    `wrong`: in how many random shapes a count differs from the formula.
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
    """Whether parameters and multiply-accumulates of both layers stand exactly in the formula's ratio."""
    costs = [net.summary((*pixels, inputs)) for net in _both(inputs, outputs, kernel, stride, rng)]
    share = separable_share(outputs, kernel)
    return all(Fraction(getattr(costs[1], what), getattr(costs[0], what)) == share for what in ("parameters", "macs"))


def effect_a3(rows) -> bool:
    """Whether every count is exactly the formula's."""
    return all(
        row["wrong"] == 0 and max(abs(row[what] / row["formula"] - 1) for what in ("parameters", "macs")) < 1e-12
        for row in rows
    )


def ratios_a3(rows):
    """At 64 channels, or the most there are, in batches."""
    most = max([row["channels"] for row in rows if row["channels"] <= RATIO_CHANNELS], default=rows[0]["channels"])
    last = max(row["batch"] for row in rows)
    chosen = [row for row in rows if (row["channels"], row["batch"]) == (most, last)]
    names = {"theory": "formula", "disk": "disk", "clock": "clock"}
    return {name: float(np.median([row[key] for row in chosen])) for name, key in names.items()}


CLAIMS = [
    Claim(
        id="A1",
        chapter="architecture",
        title="Depthwise: each filter sees its own channel only",
        statement="Depthwise convolution has as many filters as channels, and each filter sees its own channel only.",
        tasks=_tasks_per_seed,
        measure=measure_a1,
        effect=effect_a1,
        effect_name="no output depends on another channel, and what needs two channels is answered right exactly half of "
        "the time",
        figure=figures.a1,
        note="The drawing shows |d output / d input| of real layers. In the task each channel shows a digit and is asked "
        "whether the other shows the same; pairs are balanced so that one channel alone tells nothing. Asked about its "
        "own digit, the same net has no difficulty. Adding the two answers up at the end does not help either: a sum "
        "f(a) + g(b) can be right in at most three of the four cases.",
        source="Howard et al. 2017, MobileNets; Chollet 2017, Xception",
    ),
    Claim(
        id="A2",
        chapter="architecture",
        title="Pointwise: 1×1 kernels look across the channels",
        statement="Pointwise convolution has kernels of 1×1, which look only at the relation between channels.",
        tasks=_tasks_per_seed,
        measure=measure_a2,
        effect=effect_a2,
        effect_name="test accuracy on pairs, depthwise and pointwise minus depthwise alone",
        unit="points",
        margin=40,
        figure=figures.a2,
        note="Supported means: at least 40 points above the 50 that depthwise convolutions reach alone. Pointwise "
        "convolutions alone compare the two digits pixel by pixel, without seeing a shape. All nets train equally "
        "long and pick their learning rate on validation pairs.",
        source="Lin et al. 2014, Network in Network; Howard et al. 2017",
    ),
    Claim(
        id="A3",
        chapter="architecture",
        title="Both together need fewer parameters",
        statement="Depthwise and pointwise convolution together need fewer parameters than a standard one: the share "
        "1/O + 1/k².",
        tasks=tasks_a3,
        measure=measure_a3,
        effect=effect_a3,
        effect_name="parameters and multiplications are exactly the formula's share, for every shape",
        timed=True,
        figure=figures.a3,
        ratios=ratios_a3,
        note="Counts are exact for random shapes, kernels and strides, else the claim fails. Disk is a .tcz file of 32-bit "
        "weights. The clock does not follow where there are few channels or images: a depthwise convolution uses each "
        "number that it loads only k² times, so memory sets its pace, and two layers have twice the overhead of one. "
        "Ratios are those at 64 channels, in batches.",
        source="Howard et al. 2017, section 3.1",
    ),
    Claim(
        id="A4",
        chapter="architecture",
        title="Accuracy survives",
        statement="A net of separable convolutions is about as accurate as one of standard convolutions.",
        tasks=_tasks_per_seed,
        measure=measure_a4,
        effect=effect_a4,
        effect_name="test accuracy, separable minus standard of the same widths, mean over widths",
        unit="points",
        margin=-1.0,
        figure=figures.a4,
        ratios=ratios_a4,
        note="Supported means: less than one point is lost. The shrunk net is a narrower standard one with as many "
        "parameters as the separable net. Light blue: a standard net for half of the epochs, then the nearest linear "
        "separable one. All train equally long and pick their learning rate on validation data.",
        source="Howard et al. 2017, table 4; Guo et al. 2018, Network Decoupling",
    ),
    Claim(
        id="A5",
        chapter="architecture",
        title="Low rank: why it works",
        statement="Why it works: low rank. One layer of N×M weights becomes two of N×K and K×M.",
        tasks=_tasks_per_seed,
        measure=measure_a5,
        effect=effect_a5,
        effect_name="test accuracy with a quarter of the parameters and fine-tuning, minus the whole net trained as long",
        unit="points",
        margin=-1.0,
        figure=figures.a5,
        ratios=ratios_a5,
        note="Supported means: less than one point is lost. Without fine-tuning much more is. Dotted, left: the same layer "
        "before training, a random matrix. Ranks by budget make the product of the layers' kept energies large.",
        source="Denil et al. 2013, Predicting Parameters in Deep Learning; Zhang et al. 2016; Sainath et al. 2013",
    ),
]
