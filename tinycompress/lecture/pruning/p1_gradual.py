"""Claim P1: remove a little at a time and fine-tune in between."""

import numpy as np

from ... import data
from ...profiling import stored_bytes
from ...pruning import prune_weights, sparsity
from ...selection import pick_on_validation, train
from ...training import evaluate
from ...workshop.interval import verdict
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis, table
from ..claim import Claim, Effect
from ..learned import learns
from ..plans import plan_of
from ..rows import paired
from .nets import PLANS, dense_net, pruned_gradually

REMOVED = (0.5, 0.8, 0.9, 0.95, 0.98)
JUDGED = 0.9  # shares from here on decide
SMALLEST = 1.0  # points of accuracy that matter


def measure_p1(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy of three ways to remove the same share of weights, each with dense + pruned epochs in total."""
    dataset = data.load(data_name)
    plan = plan_of(PLANS, budget, dataset)
    dense = dense_net(dataset, plan, seed)

    def longer(lr):  # the arm without fine-tuning spends its epochs on the dense net
        return train(
            dense.copy(),
            dataset,
            lr=lr,
            epochs=plan.pruned,
            rng=np.random.default_rng([seed, 1]),
            batch_size=plan.batch_size,
        )

    trained_on, lr = pick_on_validation(longer, plan.lrs, dataset)
    whole = stored_bytes(trained_on)
    rows = []
    for share in REMOVED:
        arms = {
            "not fine-tuned": (prune_weights(trained_on.copy(), share), lr),
            "all at once": pruned_gradually(dense, dataset, plan, seed, share, 1),
            "a little at a time": pruned_gradually(dense, dataset, plan, seed, share, plan.steps),
        }
        for arm, (net, rate) in arms.items():
            rows.append(
                {
                    "seed": seed,
                    "arm": arm,
                    "removed": share,
                    "measured_sparsity": sparsity(net),
                    "accuracy": 100 * evaluate(net, dataset.test).accuracy,
                    "dense_accuracy": 100 * evaluate(trained_on, dataset.test).accuracy,
                    "lr": rate,
                    "epochs": plan.dense + plan.pruned,
                    "disk_ratio": whole / stored_bytes(net),
                }
            )
    return rows


def effect_p1(rows):
    return paired(rows, "a little at a time", "all at once", "accuracy", removed=lambda share: share >= JUDGED)


def lead(rows, share: float) -> list[float]:
    """Per seed, by how many points removing a little at a time is ahead when this share is removed."""
    return paired(rows, "a little at a time", "all at once", "accuracy", removed=share.__eq__)


def by_share(rows) -> str:
    """The difference and its verdict at each judged share of removed weights, in words."""
    words = []
    for share in sorted({row["removed"] for row in rows if row["removed"] >= JUDGED}):
        one = verdict(lead(rows, share), smallest=SMALLEST)
        words.append(f"{100 * share:.0f} % removed: {one.effect:+.1f} ({one.verdict})")
    return ", ".join(words)


def ratios_p1(rows):
    chosen = [row for row in rows if row["arm"] == "a little at a time" and row["removed"] == 0.95]
    return {
        "theory": float(np.mean([1 / (1 - row["measured_sparsity"]) for row in chosen])),
        "disk": float(np.mean([row["disk_ratio"] for row in chosen])),
    }


def p1(rows):
    """Accuracy over the weights removed, for three ways to spend the same epochs."""
    fig = figure(width=11)
    (ax,) = fig.axes
    arms = (("a little at a time", "claim"), ("all at once", "rival"), ("not fine-tuned", "other"))
    for arm, role in arms:
        removed, accuracy = table(rows, arm, "removed", "accuracy")
        curve_with_band(ax, [1 - share for share in removed], accuracy, arm, COLORS[role], marker="o")
    dense = np.mean([row["dense_accuracy"] for row in rows])
    ax.axhline(dense, color=COLORS["ideal"], linestyle="--", linewidth=2)
    kept = [1 - share for share in removed]
    ax.annotate(
        "nothing removed",
        (min(kept), dense),
        ha="right",
        xytext=(0, 6),
        textcoords="offset points",
        color=COLORS["ideal"],
    )
    ax.set_xscale("log")
    ahead = [np.mean(lead(rows, share)) for share in removed]
    ax.set_xticks(kept, [f"{100 * share:.0f} %\n{points:+.1f}" for share, points in zip(removed, ahead, strict=True)])
    ax.minorticks_off()
    ax.invert_xaxis()
    ax.set(
        xlabel="weights removed, and by how many points a little at a time leads all at once", ylabel="test accuracy"
    )
    percent_axis(ax.yaxis, 100)
    ax.set_title(f"The same {rows[0]['epochs']} epochs in total, spent in three ways")
    return fig


CLAIM = Claim(
    id="P1",
    chapter="pruning",
    title="A little at a time",
    measure=measure_p1,
    plans=PLANS,
    rests_on=(
        learns("dense_accuracy", name="the dense net"),
        learns(arm="a little at a time", removed=lambda share: share >= JUDGED),
    ),
    effects=(
        Effect(
            name="test accuracy, a little at a time minus all at once, mean over 90, 95 and 98 % removed",
            of=effect_p1,
            unit="points",
            smallest=SMALLEST,
            decides=("N2",),
            holds=by_share,
        ),
    ),
    figure=p1,
    ratios=ratios_p1,
    note="All arms train for the same number of epochs in total and pick their learning rate on validation data. Disk: the "
    "compressed file of the net with 95 % removed. Zeros compress well in a zip file, even without a sparse format.",
    source="Han et al. 2015, Learning both Weights and Connections; Zhu & Gupta 2017, To prune, or not to prune",
)
