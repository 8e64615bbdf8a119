"""Claims A4 and A5: what separable and low-rank layers cost in accuracy."""

from bisect import bisect_right

import numpy as np

from ... import data, models
from ...architecture import factorise, make_separable, ranks_by_budget, ranks_by_energy, singular_values
from ...data import Dataset
from ...nn import Module
from ...profiling import stored_bytes
from ...selection import pick_on_validation, train
from ...training import evaluate
from .nets import Plan, plan_for

BUDGET, ENERGY = 0.25, 0.6  # of A5: the share of parameters to keep, or of the singular values' squares


def accuracy(net: Module, dataset: Dataset) -> float:
    """On the test split, in per cent."""
    return 100 * evaluate(net, dataset.test).accuracy


# A4 ------------------------------------------------------------------------------------------------------------------


ARMS = ("standard", "separable", "separable, from standard", "shrunk")
STEPS = 512  # of the factors by which a net is shrunk


def measure_a4(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy over parameters of the nets of all arms, for each width."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    rows = []
    for width in plan.widths:
        for arm in ARMS:
            net, lr = pick_on_validation(
                lambda lr, arm=arm, width=width: _conv_net(arm, width, dataset, plan, seed, lr), plan.conv_lrs, dataset
            )
            cost = net.summary()
            rows.append(
                {"seed": seed, "arm": arm, "width": width, "parameters": cost.parameters, "macs": cost.macs}
                | {"bytes": stored_bytes(net), "accuracy": accuracy(net, dataset), "lr": lr, "epochs": plan.epochs}
            )
    return rows


def _conv_net(arm: str, width: int, dataset: Dataset, plan: Plan, seed: int, lr: float) -> Module:
    """The arm's net of three convolutions, trained for `plan.epochs` in all."""
    rng = np.random.default_rng(seed)

    def trained(net, epochs):
        return train(net, dataset, lr=lr, epochs=epochs, rng=rng, batch_size=plan.conv_batch_size)

    def convnet(factor):
        widths = [max(1, round(factor * width * times)) for times in (1, 2, 4)]
        return models.convnet(dataset.image_shape, dataset.num_classes, widths, rng=rng)

    standard = convnet(1)
    if arm == "standard":
        return trained(standard, plan.epochs)
    if arm == "separable, from standard":  # half way it becomes the separable net that is nearest to it
        half = plan.epochs // 2
        nearest = make_separable(trained(standard, half), between=False, from_weights=True, rng=rng)
        return trained(nearest, plan.epochs - half)
    separable = make_separable(standard, rng=rng)
    if arm == "separable":
        return trained(separable, plan.epochs)
    most = separable.summary().parameters
    steps = bisect_right(range(STEPS), most, key=lambda step: convnet(step / STEPS).summary().parameters)
    return trained(convnet((steps - 1) / STEPS), plan.epochs)


def effect_a4(rows):
    """Per seed, the separable net's accuracy minus that of the standard net of the same widths, mean over widths."""
    return _difference(rows, "standard")


def _difference(rows, rival: str) -> list[float]:
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        found = {(r["arm"], r["width"]): r["accuracy"] for r in rows if r["seed"] == seed}
        widths = sorted({width for _, width in found})
        effects.append(float(np.mean([found["separable", width] - found[rival, width] for width in widths])))
    return effects


def ratios_a4(rows):
    """Of the widest nets."""
    widest = max(row["width"] for row in rows)
    by_arm = {row["arm"]: row for row in rows if row["width"] == widest}
    standard, separable = by_arm["standard"], by_arm["separable"]
    return {
        "theory": standard["parameters"] / separable["parameters"],
        "disk": standard["bytes"] / separable["bytes"],
    }


# A5 ------------------------------------------------------------------------------------------------------------------


def measure_a5(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy over rank, before and after fine-tuning, of a trained LeNet-300-100; and its singular values."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)

    def dense(lr):
        rng = np.random.default_rng(seed)
        net = models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=rng)
        return train(net, dataset, lr=lr, epochs=plan.dense, rng=rng, batch_size=plan.batch_size)

    start = pick_on_validation(dense, plan.lrs, dataset)[0]
    whole = _fine_tuned(start, dataset, plan, seed)
    common = {"seed": seed, "epochs": plan.dense + plan.more, "whole_accuracy": accuracy(whole, dataset)}
    parameters, size = whole.summary().parameters, stored_bytes(whole)
    every = {
        **{str(rank): {name: rank for name in ("1", "3")} for rank in plan.ranks},
        "by budget": ranks_by_budget(start, BUDGET),
        "by energy": ranks_by_energy(start, ENERGY),
    }
    rows = []
    for choice, ranks in every.items():
        small = factorise(start, ranks)
        tuned = _fine_tuned(small, dataset, plan, seed)
        for arm, net in (("before", small), ("after", tuned)):
            rows.append(
                common
                | {"arm": arm, "choice": choice, "ranks": ranks, "accuracy": accuracy(net, dataset)}
                | {"kept": net.summary().parameters / parameters, "disk_ratio": size / stored_bytes(net)}
            )
    untrained = models.lenet_300_100(dataset.image_shape, dataset.num_classes, rng=np.random.default_rng(seed))
    for arm, net in (("trained", start), ("untrained", untrained)):
        for layer, values in singular_values(net).items():
            rows.append(
                common | {"arm": arm, "layer": layer, "shape": net[int(layer)].weight.shape, "values": values.round(5)}
            )
    return rows


def _fine_tuned(net: Module, dataset: Dataset, plan: Plan, seed: int) -> Module:
    """A copy after `plan.more` further epochs, at the learning rate that validation data prefer."""

    def arm(lr):
        rng = np.random.default_rng([seed, 1])
        return train(net.copy(), dataset, lr=lr, epochs=plan.more, rng=rng, batch_size=plan.batch_size)

    return pick_on_validation(arm, plan.lrs, dataset)[0]


def effect_a5(rows):
    """Per seed, accuracy with a quarter of the parameters after fine-tuning, minus that of the whole net."""
    chosen = [row for row in rows if row["arm"] == "after" and row["choice"] == "by budget"]
    return [row["accuracy"] - row["whole_accuracy"] for row in chosen]


def ratios_a5(rows):
    chosen = [row for row in rows if row["arm"] == "after" and row["choice"] == "by budget"]
    return {
        "theory": float(np.mean([1 / row["kept"] for row in chosen])),
        "disk": float(np.mean([row["disk_ratio"] for row in chosen])),
    }
