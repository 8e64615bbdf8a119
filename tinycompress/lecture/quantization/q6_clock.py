"""Claim Q6: the speed of weights with fewer bits."""

import functools

import numpy as np

from ... import models
from ...kernels import matmul
from ...profiling import latency
from ...quantization import binarize_weights, pack_binary, to_integers
from ...quantization.products.binary import binary_linear, binary_matmul, pack_signs
from ...quantization.products.codebook import codebook_matvec, pack_codes
from ...quantization.products.int8 import int8_linear, pack_int8
from ...training import predict
from ...workshop.interval import seed_band, verdict
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect, Settings

SHAPES = {"quick": ((1024, 1024),), "full": ((1024, 1024), (4096, 4096)), "paper": ((1024, 1024), (4096, 4096))}
BATCHES = (1, 128)


def tasks_q6(settings: Settings):
    shapes = [*SHAPES[settings.budget], (784, 0)]  # the last stands for the whole LeNet-300-100
    return [(*shape, batch, seed) for seed in settings.each_seed for shape in shapes for batch in BATCHES]


def measure_q6(inputs: int, outputs: int, batch: int, seed: int) -> list[dict]:
    """Time one dense layer (or, with outputs=0, LeNet-300-100) with weights of 32, 8, 4 bits and 1 bit; and their bytes."""
    rng = np.random.default_rng(seed)
    forms = _layer(inputs, outputs, batch, rng) if outputs else _net(batch, rng)
    times = latency({name: call for name, (call, _) in forms.items()}, rounds=7, round_ms=3)
    rows = []
    for name, (_, nbytes) in forms.items():
        low, high = times[name].spread
        rows.append(
            {
                "seed": seed,
                "shape": f"{inputs}×{outputs}" if outputs else "LeNet-300-100",
                "batch": batch,
                "arm": name,
                "ms": times[name].median,
                "ms_low": low,
                "ms_high": high,
                "speedup": times["float32"].median / times[name].median,
                "memory_bytes": nbytes,
                "memory_ratio": forms["float32"][1] / nbytes,
                "threads": times[name].threads,
            }
        )
    return rows


def _layer(inputs, outputs, batch, rng) -> dict:
    w = rng.standard_normal((inputs, outputs), np.float32)
    x = rng.standard_normal((batch, inputs), np.float32)
    scale = np.full(outputs, 0.01, np.float32)
    x8 = rng.integers(0, 256, x.shape, np.uint8)
    w8, signs = pack_int8(rng.integers(-127, 128, w.shape, np.int8)), pack_signs(w)
    forms = {
        "float32": (lambda: matmul(x, w), w.nbytes),
        "8 bits": (lambda: int8_linear(x8, w8, scale, 128), w8.nbytes),
        "1 bit": (lambda: binary_linear(x, signs) * scale, signs.nbytes),
        "1 bit, activations too": (lambda: binary_matmul(x, signs), signs.nbytes),
    }
    if batch == 1:
        codes = pack_codes(rng.integers(0, 16, w.shape), np.linspace(-1, 1, 16))
        forms["4 bits"] = (lambda: codebook_matvec(x[0], codes), codes.nbytes)
    return forms


def _net(batch, rng) -> dict:
    net = models.lenet_300_100(rng=rng).eval()
    x = rng.random((batch, 28, 28, 1), np.float32)
    integers, binary = (
        to_integers(net, rng.random((64, 28, 28, 1), np.float32)),
        pack_binary(binarize_weights(net.copy())),
    )
    bits = sum(layer.nbytes for layer in binary.layers if hasattr(layer, "packed"))
    return {
        "float32": (lambda: predict(net, x), 4 * sum(p.size for p in net.parameters())),
        "8 bits": (lambda: predict(integers, x), integers.nbytes),
        "1 bit": (lambda: predict(binary, x), bits),
    }


def effect_q6(rows, arm: str = "8 bits"):
    """Per repetition, log2 of the speed-up of the arm over float32, mean over the shapes and batches that are built."""
    chosen = [row for row in rows if row["arm"] == arm]
    return [
        float(np.mean([np.log2(row["speedup"]) for row in chosen if row["seed"] == seed]))
        for seed in sorted({row["seed"] for row in chosen})
    ]


def where_q6(rows, arm: str) -> str:
    """For which shapes and batches the arm is faster than float32 and for which slower, each on its own, with the speed-up."""
    words = {"supported": [], "contradicted": [], "not shown": []}
    for shape, batch in dict.fromkeys((row["shape"], row["batch"]) for row in rows if row["arm"] == arm):
        found = verdict(effect_q6([row for row in rows if (row["shape"], row["batch"]) == (shape, batch)], arm))
        words[found.verdict].append(f"{shape}, {_at_once(batch)} ({2**found.effect:.2f}×)")
    names = {"supported": "faster", "contradicted": "slower", "not shown": "neither shown"}
    return "; ".join(f"{names[word]}: {', '.join(some)}" for word, some in words.items() if some)


def _at_once(batch: int) -> str:
    return "one image at a time" if batch == 1 else f"{batch} images at once"


def effect_room(rows):
    """Per repetition, log2 of the bytes of float32 weights over those of the arm that saves the least."""
    seeds = sorted({row["seed"] for row in rows})
    return [
        float(np.log2(min(row["memory_ratio"] for row in rows if row["seed"] == seed and row["arm"] != "float32")))
        for seed in seeds
    ]


def ratios_q6(rows):
    chosen = [row for row in rows if row["arm"] == "8 bits"]
    return {"theory": 4.0, "clock": float(2 ** np.mean([np.log2(row["speedup"]) for row in chosen]))}


ARMS = (("8 bits", "claim"), ("4 bits", "last"), ("1 bit", "other"), ("1 bit, activations too", "more"))


def q6(rows):
    """Speed-up over float32, one panel per batch size, one bar per form of the weights."""
    batches = sorted({row["batch"] for row in rows})
    fig = figure(ncols=len(batches), width=16, height=6.5, sharey=True)
    for ax, batch in zip(fig.axes, batches, strict=True):
        _draw_batch(ax, [row for row in rows if row["batch"] == batch])
        ax.set_title(_at_once(batch))
    fig.axes[0].set_ylabel("times faster than float32")
    speedups = [row["speedup"] for row in rows]
    fig.axes[0].set_ylim(min(0.5, 0.8 * min(speedups)), 2 ** np.ceil(np.log2(1.25 * max(speedups))))  # room for labels
    unique = {}
    for ax in fig.axes:
        unique |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    fig.legend(unique.values(), unique.keys(), loc="outside upper center", ncols=len(ARMS), fontsize=16)
    return fig


def _draw_batch(ax, rows):
    """Draw the speed-up of every shape and form as bars from 1×, up if faster and down if slower, or "not built"."""
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    width = len(ARMS) + 0.7
    for i, shape in enumerate(shapes):
        for j, (arm, role) in enumerate(ARMS):
            place = i * width + j
            chosen = [row["speedup"] for row in rows if (row["shape"], row["arm"]) == (shape, arm)]
            if not chosen:
                ax.text(place, 1.06, "not built", rotation=90, ha="center", va="bottom", color=COLORS[role])
                continue
            mean, low, high = (2**x for x in seed_band(np.log2(chosen)))
            spread = None if np.isnan(low) else [[mean - low], [high - mean]]
            ax.bar(place, mean - 1, 0.9, 1, color=COLORS[role], yerr=spread, capsize=4, label=arm)
            top = max(mean, 1, np.nan_to_num(high)) * 1.06
            ax.text(place, top, f"{mean:.1f}×", ha="center", va="bottom", fontsize=13)
    ax.set_xticks([i * width + (len(ARMS) - 1) / 2 for i in range(len(shapes))], shapes)
    ax.set_xlim(-0.8, len(shapes) * width - 0.9)
    ax.axhline(1, color=COLORS["reference"], linewidth=1.5)
    ax.set_yscale("log")
    ax.set_yticks([0.5, 1, 2, 4, 8, 16, 32, 64], [f"{t:g}×" for t in (0.5, 1, 2, 4, 8, 16, 32, 64)])
    ax.minorticks_off()


CLAIM = Claim(
    id="Q6",
    chapter="quantization",
    title="Fewer bits on the clock",
    question="Fewer bits take less room, and also less time to compute.",
    tasks=tasks_q6,
    measure=measure_q6,
    effects=(
        Effect(
            name="room, bytes of float32 weights over those of the form that saves least", of=effect_room, unit="log2 ×"
        ),
        *(
            Effect(
                name=f"speed-up over float32, {arm}, mean over the shapes and batches that are built",
                of=functools.partial(effect_q6, arm=arm),
                unit="log2 ×",
                holds=functools.partial(where_q6, arm=arm),
            )
            for arm, _ in ARMS
        ),
    ),
    timed=True,
    figure=q6,
    ratios=ratios_q6,
    note="One dense layer, and a whole net with everything around its layers. 4 bits: indices into 16 values. 1 bit: "
    "activations are floats (sums are looked up) or signs, too (bits are counted). Not built: a product of 4 bits for several "
    "images, and a whole net in other forms than 8 bits and weights of 1 bit. "
    "Each verdict is about the mean, and says where the form is faster and where it is slower.",
    source="Jacob et al. 2018; Courbariaux et al. 2016, Binarized Neural Networks; Rastegari et al. 2016, XNOR-Net",
)
