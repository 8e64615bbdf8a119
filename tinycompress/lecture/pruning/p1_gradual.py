"""Claim P1: remove a little at a time and fine-tune in between."""

import numpy as np

from ... import data
from ...profiling import stored_bytes
from ...pruning import prune_weights, sensitivity, shares_from_scan, sparsity
from ...workshop import colour
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis, table
from ..claim import Claim, Effect
from ..images.doubt import decided
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import plan_of
from ..rows import paired
from .drawing import draw_scan
from .nets import JUDGES, WITH_COLOUR, dense_net, pruned_gradually, trained_further, without_pruning

SCANNED = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)  # shares of one layer's weights, in the scan of the ResNet-20
BY_SCAN = "all at once, by a scan"
JUDGED = 0.9  # shares from here on decide
SMALLEST = 1.0  # points of accuracy that matter


def measure_p1(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy of three ways to remove the same share of weights, each with dense + pruned epochs in total.

    For the ResNet-20 there is a fourth way: a sensitivity scan says how much to remove from each layer.
    """
    dataset = data.load(data_name)
    plan = plan_of(WITH_COLOUR, budget, dataset)
    dense = colour.trained_resnet(data_name, seed) if plan.stored else dense_net(dataset, plan, seed)

    def kept(name, make, epochs):
        return colour.kept(plan, f"P1: {name}, seed {seed}", [dense], dataset, make, epochs)

    def pruned(share, arm, steps):
        def make():
            augment = colour.augmentation(plan)
            return pruned_gradually(dense, dataset, plan, seed, share, steps, augment=augment)

        return kept(f"{100 * share:g} % {arm}", make, plan.pruned * len(plan.lrs))

    # The arm without fine-tuning spends its epochs on the dense net.
    trained_on, lr = without_pruning(dense, dataset, plan, seed)
    whole, rows = stored_bytes(trained_on), []
    for share in plan.removed:
        arms = {
            "not fine-tuned": (prune_weights(trained_on.copy(), share), lr),
            "all at once": pruned(share, "all at once", 1),
            "a little at a time": pruned(share, "a little at a time", plan.steps),
        }
        if plan.stored and share == plan.removed[0]:
            images = tuple(part[:JUDGES] for part in dataset.val)
            scan = kept("a scan", lambda images=images: sensitivity(dense, images, SCANNED), epochs=0)
            by_scan = prune_weights(dense.copy(), shares_from_scan(dense, scan, SCANNED, share))
            arms[BY_SCAN] = kept(BY_SCAN, lambda net=by_scan: trained_further(net, dataset, plan, seed), plan.pruned)
        for arm, (net, rate) in arms.items():
            rows.append(
                {
                    "seed": seed,
                    "arm": arm,
                    "removed": share,
                    "measured_sparsity": sparsity(net),
                    "accuracy": accuracy_on(net, dataset.test),
                    "dense_accuracy": accuracy_on(trained_on, dataset.test),
                    "lr": rate,
                    "epochs": plan.dense + plan.pruned,
                    "disk_ratio": whole / stored_bytes(net),
                }
                | (colour.file_sizes(plan, trained_on, net) if arm == BY_SCAN else {})
            )
    if plan.stored:
        rows[0]["scan"] = {name: [100 * found.accuracy for found in curve] for name, curve in scan.items()}
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
        one = decided(rows, lead, share, smallest=SMALLEST)
        words.append(f"{100 * share:.0f} % removed: {one.effect:+.1f} ({one.verdict})")
    return ", ".join(words)


def ratios_p1(rows):
    chosen = [row for row in rows if row["arm"] == "a little at a time" and row["removed"] == 0.95]
    return {
        "theory": float(np.mean([1 / (1 - row["measured_sparsity"]) for row in chosen])),
        "disk": float(np.mean([row["disk_ratio"] for row in chosen])),
    }


def p1(rows):
    """Accuracy over the weights removed, for several ways to spend the same epochs."""
    scan = next((row["scan"] for row in rows if "scan" in row), None)
    fig = figure(ncols=2, width=18, width_ratios=(1.4, 1)) if scan else figure(width=11)
    _draw_arms(fig.axes[0], rows)
    if scan:
        fig.axes[0].margins(y=0.12)
        draw_scan(fig.axes[1], scan, SCANNED, "weights")
    return fig


def _draw_arms(ax, rows):
    roles = {"a little at a time": "claim", "all at once": "rival", BY_SCAN: "extra", "not fine-tuned": "other"}
    arms = [arm for arm in roles if any(row["arm"] == arm for row in rows)]
    for arm in arms:
        removed, accuracy = table(rows, arm, "removed", "accuracy")
        label = arm if len(removed) > 1 else ""
        curve_with_band(ax, [1 - share for share in removed], accuracy, label, COLORS[roles[arm]], marker="o")
        if not label:  # a single point has no end: its name stands below it
            place = {"xytext": (0, -14), "textcoords": "offset points", "va": "top", "color": COLORS[roles[arm]]}
            ax.annotate(arm, (1 - removed[0], np.mean(accuracy)), **place)
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
    ways = {3: "three", 4: "four"}[len(arms)]
    ax.set_title(f"The same {rows[0]['epochs']} epochs in total, spent in {ways} ways")


CLAIM = Claim(
    id="P1",
    chapter="pruning",
    title="A little at a time",
    measure=measure_p1,
    plans=WITH_COLOUR,
    rests_on=(
        learns("dense_accuracy", name="the dense net"),
        learns(arm=("a little at a time", "all at once"), removed=lambda share: share >= JUDGED, by="removed"),
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
    note="All arms train for the same number of epochs in total. Each picks its learning rate on validation data; for a "
    "ResNet-20, all have the same. Disk: the compressed file of the net with 95 % removed. Zeros compress well in a zip file, "
    "even without a sparse format.",
    source="Han et al. 2015, Learning both Weights and Connections; Zhu & Gupta 2017, To prune, or not to prune",
)
