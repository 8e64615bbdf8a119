"""Claim A5: why it works. Trained layers have nearly low rank."""

import numpy as np

from ... import data, models
from ...architecture import factorise, ranks_by_budget, ranks_by_energy, singular_values
from ...data import Dataset
from ...nn import Module
from ...profiling import stored_bytes
from ...selection import pick_on_validation, train
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis
from ..claim import Claim, Effect
from .nets import PLANS, Plan, accuracy, plan_for

BUDGET, ENERGY = 0.25, 0.6  # shares to keep: of the parameters, or of the squared singular values


def measure_a5(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy over rank of a trained LeNet-300-100, before and after fine-tuning, and its singular values."""
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
    """A copy, trained for `plan.more` further epochs at the learning rate picked on validation data."""

    def arm(lr):
        rng = np.random.default_rng([seed, 1])
        return train(net.copy(), dataset, lr=lr, epochs=plan.more, rng=rng, batch_size=plan.batch_size)

    return pick_on_validation(arm, plan.lrs, dataset)[0]


def effect_a5(rows):
    """Per seed, fine-tuned accuracy with a quarter of the parameters minus that of the whole net."""
    chosen = [row for row in rows if row["arm"] == "after" and row["choice"] == "by budget"]
    return [row["accuracy"] - row["whole_accuracy"] for row in chosen]


def ratios_a5(rows):
    chosen = [row for row in rows if row["arm"] == "after" and row["choice"] == "by budget"]
    return {
        "theory": float(np.mean([1 / row["kept"] for row in chosen])),
        "disk": float(np.mean([row["disk_ratio"] for row in chosen])),
    }


def a5(rows):
    """Singular values of the trained and the untrained layers; accuracy over rank, before and after fine-tuning."""
    fig = figure(ncols=2, width=19, height=7, width_ratios=(1, 1.3))
    spectrum, curves = fig.axes
    _draw_spectrum(spectrum, rows)
    _draw_accuracy(curves, rows)
    return fig


def _draw_spectrum(ax, rows):
    """Draw the energy that the K largest singular values hold, for two layers, as trained and untrained."""
    layers = sorted({row["layer"] for row in rows if "layer" in row})[:2]
    for layer, role in zip(layers, ("claim", "other"), strict=True):
        for arm, line in (("trained", "-"), ("untrained", ":")):
            chosen = [row for row in rows if row.get("layer") == layer and row["arm"] == arm]
            values = np.array([row["values"] for row in chosen])
            held = np.cumsum(values**2, axis=1) / (values**2).sum(1, keepdims=True)
            rank = np.arange(held.shape[1] + 1)
            held = np.hstack([np.zeros((len(held), 1)), held])  # no direction holds nothing
            curve_with_band(ax, rank, held, "", COLORS[role], linestyle=line)
        inputs, outputs = chosen[0]["shape"]
        ax.plot([], [], color=COLORS[role], label=f"{inputs}×{outputs}")
    # Colour tells the layer and line style the training; empty plots give each its own line in the legend.
    ax.plot([], [], color=COLORS["ideal"], label="trained")
    ax.plot([], [], color=COLORS["ideal"], linestyle=":", label="untrained")
    ax.legend(loc="lower right")
    percent_axis(ax.yaxis)
    ax.set_ylim(0, 1.02)
    ax.set(xlabel="K largest singular values", ylabel="share of the sum of all squares")
    ax.set_title("How many directions a layer needs")


def _draw_accuracy(ax, rows):
    """Draw accuracy over the parameters left, for equal ranks K and for ranks chosen per layer."""
    ranks = sorted({row["choice"] for row in rows if row.get("choice", "").isdigit()}, key=int)
    kept = _draw_ranks(ax, rows, ranks)
    # K is not linear in the parameters, so it is written along the lower edge, not on a second axis.
    for rank, x in zip(ranks, kept, strict=True):
        ax.annotate(f"K={rank}", (x, 0.02), xycoords=("data", "axes fraction"), ha="center", fontsize=13)
    whole = np.mean([row["whole_accuracy"] for row in rows])
    ax.axhline(whole, color=COLORS["ideal"], linestyle="--", linewidth=2)
    ax.annotate("not factorised", (kept[0], whole), xytext=(0, 6), textcoords="offset points", color=COLORS["ideal"])
    ax.plot([], [], "*", color="white", markeredgecolor="black", markersize=18, label="ranks by budget")
    ax.plot([], [], "D", color="white", markeredgecolor="black", markersize=10, label="ranks by energy")
    ax.legend(loc="center right")
    ax.set_xscale("log")
    percent_axis(ax.xaxis)
    ax.minorticks_off()
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if min(kept) < t < max(kept) * 1.2]
    ax.set_xticks(ticks, [f"{100 * t:g} %" for t in ticks])
    ax.set(xlabel="parameters left", ylabel="test accuracy")
    ax.set_ylim(0, 108)
    percent_axis(ax.yaxis, 100)
    ax.set_title(f"N×M becomes N×K and K×M ({rows[0]['epochs']} epochs in total)")


def _draw_ranks(ax, rows, ranks) -> list[float]:
    """Draw the curves and markers of both arms; return the share of parameters that each of `ranks` keeps."""
    seeds = sorted({row["seed"] for row in rows})
    for arm, label, role in (("after", "fine-tuned", "claim"), ("before", "only factorised", "rival")):
        found = {(r["seed"], r["choice"]): r for r in rows if r["arm"] == arm}
        kept = [found[seeds[0], rank]["kept"] for rank in ranks]
        values = [[found[seed, rank]["accuracy"] for rank in ranks] for seed in seeds]
        curve_with_band(ax, kept, values, "", COLORS[role], marker="o")
        # Both curves end near the same point on the right, so the labels stand at their middles, above and below.
        at = len(ranks) // 2
        place = (-12, 14, "right") if arm == "after" else (12, -22, "left")
        ax.annotate(
            label,
            (kept[at], np.mean(values, axis=0)[at]),
            xytext=place[:2],
            textcoords="offset points",
            ha=place[2],
            color=COLORS[role],
        )
        for choice, marker in (("by budget", "*"), ("by energy", "D")):
            x, y = (np.mean([found[seed, choice][key] for seed in seeds]) for key in ("kept", "accuracy"))
            size = 20 if marker == "*" else 11
            ax.plot(x, y, marker, color=COLORS[role], markersize=size, markeredgecolor="black", zorder=5)
    return kept


CLAIM = Claim(
    id="A5",
    chapter="architecture",
    title="Low rank: why it works",
    question="Why it works: low rank. One layer of N×M weights becomes two of N×K and K×M.",
    measure=measure_a5,
    plans=PLANS,
    effects=(
        Effect(
            name="test accuracy, fine-tuned with a quarter of the parameters minus the whole net trained equally long",
            of=effect_a5,
            unit="points",
            margin=-1.0,
        ),
    ),
    figure=a5,
    ratios=ratios_a5,
    note="Supported: less than one point is lost. Without fine-tuning, much more is lost. Dotted, left: the same layer "
    "before training, a random matrix. Ranks by budget are chosen for a large product of the layers' kept energies.",
    source="Denil et al. 2013, Predicting Parameters in Deep Learning; Zhang et al. 2016; Sainath et al. 2013",
)
