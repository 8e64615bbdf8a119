"""Claim Q1: weights of fewer bits, rounded after training or trained on the grid."""

import numpy as np

from ... import data
from ...nn.weighted import effective
from ...quantization import calibrate, quantize_weights, tcz, to_integers
from ...selection import pick_on_validation
from ...workshop import colour
from ...workshop.style import COLORS, curve_with_band, figure, table
from ..claim import Claim, Effect
from ..images.shares import accuracy_on
from ..learned import learns
from .nets import WITH_COLOUR, dense_net, longer_net, plan_for, train_more

SHOWN_BITS = 3  # of the grid under the histogram


def measure_q1(data_name: str, budget: str, seed: int) -> list[dict]:
    """Accuracy over bits, rounded after training and trained on the grid, with equal epochs in total; and in integers."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset, WITH_COLOUR)
    start, (trained, _) = dense_net(data_name, plan, seed), longer_net(data_name, plan, seed)
    whole = len(tcz.to_bytes(trained, "fixed"))
    common = {"seed": seed, "epochs": plan.dense + plan.more, "float_accuracy": accuracy_on(trained, dataset.test)}
    rows = []

    def on_the_grid(bits, per_channel):
        def arm(lr):
            return train_more(quantize_weights(start.copy(), bits, per_channel), dataset, plan, seed, lr)

        def make():
            return pick_on_validation(arm, plan.lrs, dataset)[0]

        name = f"Q1: {bits} bits per {'channel' if per_channel else 'tensor'}, seed {seed}"
        return colour.kept(plan, name, [start], dataset, make, plan.more * len(plan.lrs))

    for grain in ("per tensor", "per channel"):
        per_channel = grain == "per channel"
        for bits in plan.bits:
            rounded = quantize_weights(trained.copy(), bits, per_channel)
            arms = {"after training": rounded}
            if bits in plan.trained_bits:
                arms["during training"] = on_the_grid(bits, per_channel)
            for arm, net in arms.items():
                size = len(tcz.to_bytes(net, "fixed"))
                rows.append(
                    common
                    | {"arm": arm, "grain": grain, "bits": bits}
                    | {"accuracy": accuracy_on(net, dataset.test), "disk_ratio": whole / size}
                )
    integers = to_integers(trained, dataset.x_train[:512])
    weights = effective(trained[1], "weight")
    grid = calibrate(weights, SHOWN_BITS, method="mse")
    counts, edges = np.histogram(weights, 81)
    rows.append(
        common
        | {"arm": "in integers", "grain": "per channel", "bits": 8, "accuracy": accuracy_on(integers, dataset.test)}
        | {"memory_ratio": 4 * sum(p.size for p in trained.parameters()) / integers.nbytes}
        | {"histogram": counts, "edges": edges, "grid": grid.dequantize(_all_integers(grid))}
    )
    return rows


def _all_integers(grid) -> np.ndarray:
    return np.arange(grid.low, grid.high + 1)


def effect_q1(rows):
    """Per seed, accuracy in 8-bit integers from end to end minus that of the float net."""
    return [row["accuracy"] - row["float_accuracy"] for row in rows if row["arm"] == "in integers"]


def size_q1(rows):
    """Per seed, log2 of the bytes of the float32 file over those of the .tcz file of the net rounded to 8 bits."""
    where = "after training", 8, "per channel"
    return [float(np.log2(r["disk_ratio"])) for r in rows if (r["arm"], r["bits"], r["grain"]) == where]


def ratios_q1(rows):
    return {"theory": 4.0, "disk": float(2 ** np.mean(size_q1(rows)))}


def q1(rows):
    """Accuracy over bits, rounded after training and trained on the grid, and a histogram of weights with a grid."""
    fig = figure(ncols=2, width=17, height=6, width_ratios=(1.35, 1))
    left, right = fig.axes
    styles = {
        "per tensor": {"linestyle": ":", "marker": "s", "mfc": "white", "ms": 13, "mew": 2},
        "per channel": {"marker": "o"},
    }
    for arm, label, role in (
        ("during training", "trained on the grid", "claim"),
        ("after training", "only rounded", "rival"),
    ):
        for grain, line in styles.items():
            bits, values = table(rows, arm, "bits", "accuracy", grain=grain)
            words = f" {label}" if grain == "per channel" else ""
            curve_with_band(left, bits, values, words, COLORS[role], **line)
    dense = np.mean([row["float_accuracy"] for row in rows])
    left.plot([8, 1], [dense, dense], color=COLORS["ideal"], linestyle="--", linewidth=2)
    integers = np.mean([row["accuracy"] for row in rows if row["arm"] == "in integers"])
    left.plot(8, integers, "*", color=COLORS["reference"], markersize=20, zorder=5)
    left.annotate(
        f"float32 {dense:.1f} %, and ★ all in 8-bit integers {integers:.1f} %",
        (8, dense),
        xytext=(0, 12),
        textcoords="offset points",
    )
    left.text(
        0.03, 0.12, "● solid: one grid per neuron\n□ dotted: one per layer", transform=left.transAxes, fontsize=14
    )
    left.set_xlim(8.3, 0.8)
    left.set_ylim(None, 102)
    left.set(xlabel="bits per weight", ylabel="test accuracy", xticks=range(8, 0, -1))
    left.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    left.set_title("Rounded after training, or trained on the grid")

    shown = next(row for row in rows if "histogram" in row)
    edges = np.array(shown["edges"])
    right.stairs(shown["histogram"], edges, fill=True, color=COLORS["ideal"], alpha=0.6)
    for value in shown["grid"]:
        right.axvline(value, color=COLORS["claim"], linewidth=2.5)
    reach = 1.6 * max(map(abs, shown["grid"]))
    right.set_xlim(-reach, reach)
    right.set(xlabel="weight", ylabel="number of weights")
    right.set_title(f"The first layer in {SHOWN_BITS} bits: {len(shown['grid'])} values")
    return fig


CLAIM = Claim(
    id="Q1",
    chapter="quantization",
    title="Fewer bits",
    measure=measure_q1,
    plans=WITH_COLOUR,
    rests_on=(learns("float_accuracy", name="the float net"),),
    effects=(
        Effect(
            name="test accuracy, in 8-bit integers from end to end minus float32",
            of=effect_q1,
            unit="points",
            margin=-0.5,
            decides=("N19",),
        ),
        Effect(
            name="size, bytes of the float32 file over those of the file in 8 bits",
            of=size_q1,
            unit="log2 ×",
            decides=("N19",),
        ),
    ),
    figure=q1,
    ratios=ratios_q1,
    note="Each weight is stored as the number of its grid point: a code of fixed length, which Q3 shortens. The accuracy is "
    "supported if less than half a point is lost. Below 4 bits, rounding a trained net costs more and more, while a net "
    "trained on its grid (gradients pass straight through the rounding) loses less. All arms train for the same number of "
    "epochs; from a ResNet-20, those on the grid at one learning rate, and the net that is rounded at the better of two on "
    "validation data. Disk: the .tcz file in 8 bits. For the clock, see Q6.",
    source="Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient "
    "Integer-Arithmetic-Only Inference; Esser et al. 2020, Learned Step Size Quantization",
)
