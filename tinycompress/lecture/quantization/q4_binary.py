"""Claim Q4: binary weights, deterministic and stochastic, beside float weights with and without dropout."""

import numpy as np

from ... import data
from ...data import Dataset
from ...nn import BatchNorm, Dense, Dropout, Flatten, Module, ReLU, Sequential
from ...nn.weighted import effective
from ...quantization import binarize_weights, recalibrate_batch_norm, tcz
from ...selection import pick_on_validation, train
from ...training import evaluate
from ..rows import paired
from .nets import Plan, plan_for

ARMS = ("float", "float, dropout", "binary", "binary, stochastic")
PUBLISHED = {"float": 1.30, "float, dropout": 1.01, "binary": 1.29, "binary, stochastic": 1.18}  # % error, on MNIST
SHOWN_FEATURES = 24


def measure_q4(data_name: str, budget: str, seed: int) -> list[dict]:
    """Error on training and test images of the same net with four kinds of weights; a binary net is judged by its
    signs."""
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
    if arm == "binary, stochastic":  # training saw other weights than the signs by which the net is judged
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
    """Per seed, the test error of float weights minus that of binary ones, both deterministic."""
    return paired(rows, "float", "binary", "test_error")


def ratios_q4(rows):
    float_bytes = np.mean([row["bytes"] for row in rows if row["arm"] == "float"])
    return {
        "theory": 32.0,
        "disk": float(float_bytes / np.mean([row["bytes"] for row in rows if row["arm"] == "binary"])),
    }
