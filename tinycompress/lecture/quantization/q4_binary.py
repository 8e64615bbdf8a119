"""Claim Q4: binary weights, deterministic and stochastic, compared with float weights with and without dropout."""

import numpy as np

from ... import data
from ...data import Dataset
from ...nn import BatchNorm, Dense, Dropout, Flatten, Module, ReLU, Sequential
from ...nn.weighted import effective
from ...quantization import binarize_weights, recalibrate_batch_norm, tcz
from ...selection import pick_on_validation, train
from ...training import evaluate
from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, curve_with_band, figure
from ..claim import Claim, Effect
from ..rows import paired
from .nets import PLANS, Plan, plan_for

ARMS = ("float", "float, dropout", "binary", "binary, stochastic")
PUBLISHED = {"float": 1.30, "float, dropout": 1.01, "binary": 1.29, "binary, stochastic": 1.18}  # % error, on MNIST
SHOWN_FEATURES = 24


def measure_q4(data_name: str, budget: str, seed: int) -> list[dict]:
    """Errors of one net with four kinds of weights on training and test images; binary nets are judged by their signs."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    rows = []
    for arm in ARMS:
        curves = {}

        def trained(lr, arm=arm, curves=curves):
            curves[lr] = []
            return _train(arm, dataset, plan, seed, lr, curves[lr])

        net, lr = pick_on_validation(trained, plan.binary_lrs, dataset)
        rows.append(
            {
                "seed": seed,
                "arm": arm,
                "lr": lr,
                "epochs": plan.binary_epochs,
                "train_error": 100 * (1 - evaluate(net, dataset.train).accuracy),
                "test_error": 100 * (1 - evaluate(net, dataset.test).accuracy),
                "train_loss": evaluate(net, dataset.train).loss,
                "test_loss": evaluate(net, dataset.test).loss,
                "curve": [100 * (1 - value) for value in curves[lr]],
                "bytes": len(tcz.to_bytes(net)),
                "weights": sum(m.latent("weight").size for m in net.modules() if isinstance(m, Dense)),
                "published": PUBLISHED[arm] if budget == "paper" else None,
                "image_shape": list(dataset.image_shape),
                "features": effective(net[1], "weight")[:, :SHOWN_FEATURES].astype(float).round(3) if seed == 0 else [],
            }
        )
    return rows


def _train(arm: str, dataset: Dataset, plan: Plan, seed: int, lr: float, curve: list[float]) -> Module:
    rng = np.random.default_rng([seed, 4])
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
    if arm.startswith("binary"):
        binarize_weights(net, stochastic="stochastic" in arm, rng=rng)
    return net


def effect_q4(rows):
    """Per seed, the test error of float weights minus that of deterministic binary weights."""
    return paired(rows, "float", "binary", "test_error")


def ratios_q4(rows):
    float_bytes = np.mean([row["bytes"] for row in rows if row["arm"] == "float"])
    return {
        "theory": 32.0,
        "disk": float(float_bytes / np.mean([row["bytes"] for row in rows if row["arm"] == "binary"])),
    }


BINARY_ARMS = (
    ("binary", "claim"),
    ("float", "rival"),
    ("float, dropout", "more"),
    ("binary, stochastic", "other"),
)


def q4(rows):
    """Learning curves, errors on training and test images, and the first neurons' weights as images."""
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
    curves.set_title("Binary weights learn, too")

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
    """Draw the first layer's weights as images, float above and binary below."""
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


CLAIM = Claim(
    id="Q4",
    chapter="quantization",
    title="Binary weights",
    measure=measure_q4,
    plans=PLANS,
    effects=(Effect(name="test error, float minus binary", of=effect_q4, unit="points", decides=("N23",)),),
    figure=q4,
    ratios=ratios_q4,
    note="All arms have the same net with batch norm, train for the same number of epochs and pick their learning rate "
    "on validation data. Binary nets are judged by their signs. Stochastic signs regularise more, and need many more "
    "epochs than fit into a lecture. For the clock, see Q6.",
    source="Courbariaux et al. 2015, BinaryConnect",
)
