"""Claim Q4: weights of one bit, as -1 and +1 and as the notes write them, 0 and 1, beside ternary and float weights."""

import functools

import numpy as np

from ... import data
from ...data import Dataset
from ...nn import BatchNorm, Dense, Dropout, Flatten, Module, ReLU, Sequential
from ...nn.weighted import effective
from ...quantization import binarize_weights, recalibrate_batch_norm, tcz, ternarize_weights
from ...selection import pick_on_validation, train
from ...training import evaluate
from ...workshop.interval import seed_band, verdict
from ...workshop.style import COLORS, curve_with_band, figure
from ..claim import Claim, Effect
from ..images.shares import accuracy_on
from ..learned import learns
from ..rows import paired
from .nets import PLANS, Plan, plan_for

ARMS = ("float", "ternary", "binary", "binary, 0 and 1")
PUBLISHED = {"float": 1.30, "float, dropout": 1.01, "binary": 1.29, "binary, stochastic": 1.18}  # % error, on MNIST
# At the other arms' rates, weights of 0 and 1 hardly learn, as validation data of another seed say. Perhaps since none is
# negative: all neurons then share a large part of their sums, and batch norm divides by its spread, and so the gradients.
LARGER = {"binary, 0 and 1": 10}  # learning rates
SHOWN_FEATURES = 12
SMALLEST = 1.0  # point of test error that would matter


def measure_q4(data_name: str, budget: str, seed: int) -> list[dict]:
    """Errors of one net with several kinds of weights on training and test images; binary nets are judged by their bits.

    The budget "paper" also measures the paper's other arms.
    """
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    rows = []
    for arm in dict.fromkeys((*ARMS, *PUBLISHED)) if budget == "paper" else ARMS:
        lrs = [LARGER.get(arm, 1) * lr for lr in plan.binary_lrs]
        for run in range(plan.binary_runs):
            curves = {}

            def trained(lr, arm=arm, run=run, curves=curves):
                curves[lr] = []
                return _train(arm, dataset, plan, [seed, 4, run], lr, curves[lr])

            net, lr = pick_on_validation(trained, lrs, dataset)
            lrs = (lr,)  # one choice per seed
            rows.append(
                {
                    "seed": seed,
                    "arm": arm,
                    "run": run,
                    "lr": lr,
                    "epochs": plan.binary_epochs,
                    "train_error": 100 * (1 - evaluate(net, dataset.train).accuracy),
                    "test_error": accuracy_on(net, dataset.test).rest,
                    "curve": [100 * (1 - value) for value in curves[lr]],
                    "published": PUBLISHED.get(arm) if budget == "paper" else None,
                    "image_shape": list(dataset.image_shape),
                }
                | (_stored(net) if run == 0 else {})
            )
            if seed == run == 0 and arm in ("float", "binary"):
                rows[-1]["features"] = effective(net[1], "weight")[:, :SHOWN_FEATURES].astype(float).round(3)
    return rows


def _stored(net: Module) -> dict:
    """Bytes of the net's file, and bits per weight of its dense layers in it, tables included."""
    contents = tcz.inspect_bytes(tcz.to_bytes(net))
    dense = {
        f"{name}.weight": layer.latent("weight").size for name, layer in net.named_modules() if isinstance(layer, Dense)
    }
    bits = 8 * sum(part.nbytes for part in contents.parts if part.array in dense)
    return {"bytes": contents.nbytes, "bits": bits / sum(dense.values())}


def _train(arm: str, dataset: Dataset, plan: Plan, seed: list[int], lr: float, curve: list[float]) -> Module:
    rng = np.random.default_rng(seed)
    net = build(arm, dataset, plan.binary_widths, rng)
    train(net, dataset, lr=lr, epochs=plan.binary_epochs, rng=rng, batch_size=plan.batch_size, curve=curve)
    if arm == "binary, stochastic":  # training used random signs, but the net is judged by the deterministic ones
        recalibrate_batch_norm(net, dataset.x_train)
    return net


def build(arm: str, dataset: Dataset, widths, rng: np.random.Generator) -> Sequential:
    """Dense layers with batch norm, also after the last one, as in Courbariaux et al. 2015, section 3.1."""
    layers, inputs = [Flatten()], int(np.prod(dataset.image_shape))
    for outputs in widths:
        layers += [Dense(inputs, outputs, rng=rng), BatchNorm(outputs), ReLU()]
        if arm == "float, dropout":
            layers.append(Dropout(0.5, rng=rng))
        inputs = outputs
    layers += [Dense(inputs, dataset.num_classes, rng=rng), BatchNorm(dataset.num_classes)]
    net = Sequential(*layers, input_shape=dataset.image_shape)
    if arm == "ternary":
        ternarize_weights(net)
    elif arm.startswith("binary"):
        values = (0, 1) if arm == "binary, 0 and 1" else (-1, 1)
        binarize_weights(net, stochastic=arm == "binary, stochastic", rng=rng, values=values)
    return net


def effect_q4(rows, arm: str = "binary"):
    """Per seed, the test error of float weights minus that of the arm; empty if it was not measured."""
    return paired(rows, "float", arm, "test_error") if any(row["arm"] == arm for row in rows) else []


def falling(rows, arm: str) -> str:
    """By how much the arm's validation error fell in the last quarter of the epochs, if that is shown."""
    curves = _per_seed(rows, arm, "curve")
    if not len(curves):
        return ""
    epochs = curves.shape[1]
    last = max(1, epochs // 4)
    found = verdict(curves[:, -1 - last] - curves[:, -1], smallest=SMALLEST) if last < epochs else None
    if not found or found.verdict != "supported":
        return ""
    return f"within {epochs} epochs; in the last {last} the validation error still fell, by {found.effect:.0f} points"


def ratios_q4(rows):
    whole, binary = (
        np.mean([row["bytes"] for row in rows if row["arm"] == arm and "bytes" in row]) for arm in ("float", "binary")
    )
    return {"theory": 32.0, "disk": float(whole / binary)}


SHOWN_ARMS = (
    ("binary", "−1, +1", "claim"),
    ("binary, 0 and 1", "0, 1", "last"),
    ("ternary", "−1, 0, +1", "other"),
    ("float", "float", "rival"),
    ("float, dropout", "float,\ndropout", "more"),
    ("binary, stochastic", "−1, +1,\nstochastic", "extra"),
)


def q4(rows):
    """Learning curves, errors on training and test images, and the first neurons' weights as images."""
    fig = figure(ncols=3, width=20, height=6.5, width_ratios=(1.15, 1.1, 0.9))
    curves, bars, pictures = fig.axes
    arms = [shown for shown in SHOWN_ARMS if any(row["arm"] == shown[0] for row in rows)]
    _draw_curves(curves, rows, arms)
    _draw_errors(bars, rows, arms)
    _draw_features(pictures, rows)
    return fig


def _per_seed(rows, arm: str, value: str) -> np.ndarray:
    """(seeds, ...): `value` of the arm, mean over the runs of each seed."""
    chosen = [row for row in rows if row["arm"] == arm]
    seeds = sorted({row["seed"] for row in chosen})
    return np.array([np.mean([row[value] for row in chosen if row["seed"] == seed], 0) for seed in seeds])


def _draw_curves(ax, rows, arms):
    """Draw the error on validation images over epochs."""
    found = {arm: _per_seed(rows, arm, "curve") for arm, _, _ in arms}
    for arm, name, role in arms:
        values = np.maximum(found[arm], 0.1)  # 0 has no place on a logarithmic axis
        curve_with_band(ax, range(1, values.shape[1] + 1), values, name.replace("\n", " "), COLORS[role])
    means = np.array([values.mean(0) for values in found.values()])
    low, high = max(0.6 * means.min(), 0.3), min(1.5 * means.max(), 100)
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 50) if low <= t <= high]
    ax.set_yscale("log")
    ax.set_yticks(ticks, [f"{t:g} %" for t in ticks])
    ax.set_ylim(low, high)
    ax.minorticks_off()
    ax.set(xlabel="epoch", ylabel="validation error")
    ax.set_title("Learning with few values per weight")


def _draw_errors(ax, rows, arms):
    """Draw errors on training and test images as bars, and below each arm the bits per weight in its file."""
    ticks, top = [], 0.0
    for place, (arm, name, role) in enumerate(arms):
        for shift, key, alpha in ((-0.2, "train_error", 0.45), (0.2, "test_error", 1.0)):
            mean, low, high = seed_band(_per_seed(rows, arm, key))
            spread = None if np.isnan(low) else [[min(mean - low, mean)], [high - mean]]
            ax.bar(place + shift, mean, 0.38, color=COLORS[role], alpha=alpha, yerr=spread, capsize=4)
            above = float(np.nan_to_num(high, nan=mean))
            ax.annotate(
                f"{mean:.1f}", (place + shift, above), (0, 4), textcoords="offset points", ha="center", fontsize=13
            )
            top = max(top, above)
        chosen = [row for row in rows if row["arm"] == arm]
        if chosen[0]["published"]:
            ax.plot([place, place + 0.4], [chosen[0]["published"]] * 2, color=COLORS["reference"], linewidth=3)
        bits = [row["bits"] for row in chosen if "bits" in row]  # reports of earlier versions have none
        ticks.append(name + (f"\n{np.mean(bits):.1f} bits" if bits else ""))
    ax.set_xticks(range(len(arms)), ticks, fontsize=13)
    ax.set_ylim(0, 1.12 * top)
    bits = ", and bits per weight in the file" if any("bits" in row for row in rows) else ""
    ax.set(xlabel=f"values of a weight{bits}", ylabel="error (%)")
    paper = "; line: the paper" if any(row["published"] for row in rows) else ""
    ax.set_title(f"Pale: training, full: test images{paper}")


def _draw_features(ax, rows):
    """Draw the first layer's weights as images, float above and binary below."""
    ax.set_axis_off()
    if not any(row.get("features") for row in rows):  # only seed 0 has them
        return
    shape = rows[0]["image_shape"]
    strips = []
    for arm in ("float", "binary"):
        features = np.array(next(row["features"] for row in rows if row["arm"] == arm and row.get("features")))
        features = features / np.abs(features).max(0)
        images = [np.pad(f.reshape(shape).mean(2), 1, constant_values=np.nan) for f in features.T[:12]]
        strips.append(np.vstack([np.hstack(images[i : i + 4]) for i in range(0, 12, 4)]))
    gap = np.full((max(2, shape[0] // 3), strips[0].shape[1]), np.nan)
    whole = np.vstack([strips[0], gap, strips[1]])
    ax.imshow(whole, cmap="PuOr", vmin=-1, vmax=1)
    ax.text(-0.02, 0.76, "float", rotation=90, transform=ax.transAxes, ha="right", va="center", color=COLORS["rival"])
    ax.text(-0.02, 0.24, "binary", rotation=90, transform=ax.transAxes, ha="right", va="center", color=COLORS["claim"])
    ax.set_title("12 neurons of the first layer")


CLAIM = Claim(
    id="Q4",
    chapter="quantization",
    title="Binary weights",
    measure=measure_q4,
    plans=PLANS,
    effects=tuple(
        Effect(
            name=f"test error, float minus binary as {values}",
            of=functools.partial(effect_q4, arm=arm),
            unit="points",
            smallest=SMALLEST,
            decides=("N23",),
            rests_on=(learns("test_error", error=True, arm=("float", arm)),),
            holds=functools.partial(falling, arm=arm),
        )
        for arm, values in (("binary", "-1 and +1"), ("binary, 0 and 1", "0 and 1"))
    ),
    figure=q4,
    ratios=ratios_q4,
    note="The sentence can be read in two ways: the bit stands for −1 or +1, or it is the weight itself. "
    "One bit in place of 32 can at best hope to be as good as float. "
    "All arms have the same net with batch norm, train for the same "
    "number of epochs and pick one of equally many learning rates on validation data; weights of 0 and 1 get ten "
    "times larger ones. Binary nets are judged by their bits. Ternary weights, −1, 0 and +1, lie between binary and "
    "float ones. Why weights of 0 and 1 differ is not measured. Below each bar: bits per weight in the file, whose "
    "arithmetic code takes less than one bit where one of two values is more frequent. Theory counts the weights "
    "alone, 1 bit each in place of 32; the file also holds batch norm in floats, and float weights are coded, too. "
    "For the clock, see Q6.",
    source="Courbariaux et al. 2015, BinaryConnect",
)
