"""Claim Q2: weights that share a few values, clustered after training or pulled together during it."""

import functools

import numpy as np

from ... import data
from ... import functional as F
from ...nn import Module
from ...nn.weighted import effective, weighted_layers
from ...quantization import Pull, cluster_weights
from ...selection import pick_on_validation
from ...workshop import colour
from ...workshop.style import COLORS, curve_with_band, figure, table
from ..claim import Claim, Effect, first_seed_drawn
from ..images.doubt import decided
from ..images.shares import accuracy_on
from ..learned import learns
from ..rows import paired
from .nets import WITH_COLOUR, Plan, dense_net, longer_net, plan_for, train_more

SHOWN_CLUSTERS, SHOWN_LAYER = 4, 1  # whose weights are seen drawing together; the second layer
WEAKER = 10  # times, the pull that is watched; the others are done within an epoch
KEPT = 16  # values per layer, 4 bits, with which the accuracy should be kept
FEW = 4  # values per layer, up to which the pull should help
LOST = 1.0  # point of accuracy that would matter


def measure_q2(data_name: str, budget: str, seed: int, drawn: bool) -> list[dict]:
    """Accuracy of nets whose weights are clustered in four ways, over the number of values per layer.

    All four train for the same number of epochs in total.
    """
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset, WITH_COLOUR)
    start, (trained, dense_lr) = dense_net(data_name, plan, seed), longer_net(data_name, plan, seed)
    rows = []

    def picked(name, arm, settings):
        def make():
            return pick_on_validation(arm, settings, dataset)

        return colour.kept(plan, f"Q2: {name}, seed {seed}", [start], dataset, make, plan.more * len(settings))

    def tuned(k):
        def arm(lr):
            return train_more(cluster_weights(start.copy(), k), dataset, plan, seed, lr)

        return picked(f"{k} values, centroids fine-tuned", arm, plan.centroid_lrs)

    def pulled(k, name, soft):
        def arm(strength):
            return _pulled(start, dataset, plan, seed, k, strength, soft)

        return picked(f"{k} values, {name}", arm, plan.strengths)

    for k in plan.clusters:
        arms = {"after training": (cluster_weights(trained.copy(), k), dense_lr), "centroids fine-tuned": tuned(k)}
        for arm, soft in (("pulled while training", False), ("soft weight-sharing", True)):
            arms[arm] = pulled(k, arm, soft)
        for arm, (net, choice) in arms.items():
            row = {"seed": seed, "arm": arm, "k": k, "accuracy": accuracy_on(net, dataset.test), "choice": choice}
            row |= {"float_accuracy": accuracy_on(trained, dataset.test), "epochs": plan.dense + plan.more}
            row |= {"spread": spread(net)}
            row |= colour.file_sizes(plan, trained, net) if arm == "centroids fine-tuned" else {}
            rows.append(row)
    if drawn:
        name = f"Q2: a weak pull, watched, seed {seed}"
        rows[0] |= colour.kept(plan, name, [start], dataset, lambda: _watched(start, dataset, plan), plan.more)
    return rows


def _pulled(start: Module, dataset, plan: Plan, seed: int, k: int, strength: float, soft: bool, seen=None) -> Module:
    """A copy, trained while its weights are pulled together, then clustered.

    seen: a list, which gets the weights of the shown layer before each epoch.
    """
    net = start.copy()
    pull = Pull(net, k, strength, soft)
    steps, batches = 0, -(-len(dataset.y_train) // plan.batch_size)

    def loss(outputs, labels):
        nonlocal steps
        if seen is not None and steps % batches == 0:
            seen.append(_shown(net))
        steps += 1
        return F.cross_entropy(outputs, labels) + pull()

    train_more(net, dataset, plan, seed, plan.lrs[-1], loss=loss)
    return cluster_weights(net, k, init=pull.centroids)


def _watched(start: Module, dataset, plan: Plan) -> dict:
    """Histograms of a layer's weights before, during and after a training with a pull weak enough to be watched."""
    seen = []
    net = _pulled(start, dataset, plan, 0, SHOWN_CLUSTERS, plan.strengths[0] / WEAKER, False, seen)
    weights = [*seen, _shown(net)]
    shown = [0, *np.unique(np.geomspace(1, len(seen), 4).round().astype(int))]
    reach = np.percentile(np.abs(weights[0]), 99.5)
    edges = np.linspace(-reach, reach, 82)
    return {"after": shown, "edges": edges, "histograms": [np.histogram(weights[i], edges)[0] for i in shown]}


def _shown(net: Module) -> np.ndarray:
    """A copy of the weights of the shown layer, as they are trained."""
    return list(weighted_layers(net).values())[SHOWN_LAYER].latent("weight").data.copy()


def spread(net: Module) -> float:
    """How far the weights of a clustered net were from the value of their group, mean over layers.

    The root mean square distance, as a share of the standard deviation of the layer's weights.
    """
    shares = []
    for layer in weighted_layers(net).values():
        latent = layer.latent("weight").data
        shares.append(np.sqrt(np.mean((latent - effective(layer, "weight")) ** 2)) / latent.std())
    return float(np.mean(shares))


def effect_n20(rows):
    """Per seed, accuracy with KEPT values per layer and fine-tuned centroids minus that of the float net."""
    return _lost(rows, KEPT)


def _lost(rows, k: int):
    return [r["accuracy"] - r["float_accuracy"] for r in rows if (r["arm"], r["k"]) == ("centroids fine-tuned", k)]


def where_n20(rows) -> str:
    """The number of values from which on less than a point is lost; of one seed, what each number loses."""
    if len({row["seed"] for row in rows}) == 1:
        lost = {k: -_lost(rows, k)[0] for k in sorted({row["k"] for row in rows})}
        return "points lost: " + ", ".join(f"{points:.1f} with {k}" for k, points in lost.items()) + " values per layer"
    enough = None
    for k in sorted({row["k"] for row in rows}, reverse=True):
        if decided(rows, _lost, k, margin=-LOST).verdict != "supported":
            break
        enough = k
    return f"from {enough} values per layer on" if enough else "for no number of values"


def effect_spread(rows):
    """Per seed, log2 of the spread within groups without the pull over that with it, mean over all numbers of values."""
    logs = [row | {"log": float(np.log2(row["spread"]))} for row in rows]
    return paired(logs, "after training", "pulled while training", "log")


def each_spread(rows) -> str:
    """The effect for each number of values, and that the weights which are watched are not among them."""
    each = {k: 2 ** np.mean(effect_spread([row for row in rows if row["k"] == k])) for k in {row["k"] for row in rows}}
    words = ", ".join(f"{each[k]:.0f}× with {k}" for k in sorted(each))
    return f"{words} values per layer; the histograms show a weaker pull"


def effect_q2(rows, rival: str = "after training", most: int = FEW):
    """Per seed, accuracy with the pull minus that of the rival; the mean over 2, 3 and 4 values per layer."""
    return paired(rows, "pulled while training", rival, "accuracy", k=lambda k: k <= most)


def where_pull_helps(rows, rival: str = "after training") -> str:
    """The numbers of values per layer at which the pull beats the rival, each on its own, and the verdicts at the others."""
    words = {"supported": [], "no difference": [], "not shown": [], "contradicted": []}
    for k in sorted({row["k"] for row in rows}):
        some = [row for row in rows if row["k"] == k]
        words[decided(some, effect_q2, rival, k, smallest=LOST).verdict].append(str(k))
    found = [("" if word == "supported" else f"{word} ") + f"with {_or(ks)}" for word, ks in words.items() if ks]
    return "; ".join([f"{found[0]} values per layer", *found[1:]])


def _or(numbers: list[str]) -> str:
    return " or ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)


def q2(rows):
    """Accuracy over the number of values per layer, and the weights of one layer drawing together."""
    shown = next((row for row in rows if "histograms" in row), {"after": [0], "histograms": []})
    n = len(shown["after"])
    fig = figure(ncols=2, nrows=n, width=17, height=7.5, width_ratios=(1.35, 1))
    small = fig.axes[1::2]
    left = fig.add_subplot(fig.axes[0].get_gridspec()[:, 0])
    for ax in fig.axes[: 2 * n : 2]:
        ax.remove()
    _draw_accuracy(left, rows)
    for ax, counts, epoch in zip(small, shown["histograms"], shown["after"], strict=False):
        ax.stairs(counts, shown["edges"], fill=True, color=COLORS["claim"])
        ax.set(yticks=[], xlim=(shown["edges"][0], shown["edges"][-1]))
        ax.tick_params(labelbottom=ax is small[-1])
        ax.text(0.02, 0.75, f"after {epoch} epoch{'s' * (epoch != 1)}", transform=ax.transAxes, va="center")
    small[0].set_title(f"Layer 2, {SHOWN_CLUSTERS} values, pull ≥ {WEAKER}× weaker than left")
    small[-1].set_xlabel("weight (heights to scale within each panel)")
    return fig


def _draw_accuracy(ax, rows):
    arms = (
        ("pulled while training", "claim"),
        ("soft weight-sharing", "last"),
        ("centroids fine-tuned", "other"),
        ("after training", "rival"),
    )
    for arm, role in arms:
        k, values = table(rows, arm, "k", "accuracy")
        curve_with_band(ax, k, values, "", COLORS[role], marker="o")
        ax.plot([], [], color=COLORS[role], marker="o", label=arm)  # the curves are too close for labels
    whole = np.mean([row["float_accuracy"] for row in rows])
    ax.axhline(whole, color=COLORS["ideal"], linestyle="--", linewidth=2)
    ax.annotate("float32", (max(k), whole), (0, 6), textcoords="offset points", ha="right", color=COLORS["ideal"])
    ax.set_xscale("log", base=2)
    ax.set_xticks(k, [str(value) for value in k])
    ax.minorticks_off()
    ax.set(xlabel="different values per layer", ylabel="test accuracy")
    ax.set_ylim(None, 100)
    ax.legend(loc="lower right", title="when the weights are grouped", alignment="left", title_fontsize=14)
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:g} %")
    ax.set_title(f"The same {rows[0]['epochs']} epochs, spent in four ways")


CLAIM = Claim(
    id="Q2",
    chapter="quantization",
    title="Weight clustering",
    tasks=first_seed_drawn,
    measure=measure_q2,
    plans=WITH_COLOUR,
    rests_on=(
        learns("float_accuracy", name="the float net"),
        learns(arm=("pulled while training", "centroids fine-tuned"), k=KEPT),
    ),
    effects=(
        Effect(
            name=f"test accuracy, {KEPT} values per layer with centroids fine-tuned minus float32",
            of=effect_n20,
            unit="points",
            margin=-LOST,
            decides=("N20",),
            holds=where_n20,
        ),
        Effect(
            name="spread of the weights within their groups before they are set to one value, clustered after training "
            "over pulled while training, mean over all numbers of values per layer",
            of=effect_spread,
            unit="log2 ×",
            decides=("N21",),
            holds=each_spread,
        ),
        *(
            Effect(
                name=f"test accuracy, pulled together while training minus {rival}, mean over up to {FEW} values per layer",
                of=functools.partial(effect_q2, rival=arm),
                unit="points",
                smallest=LOST,
                decides=("N21",),
                holds=functools.partial(where_pull_helps, rival=arm),
                rests_on=(
                    learns("float_accuracy", name="the float net"),
                    learns(arm=trained, k=lambda k: k <= FEW, by="k"),
                ),
            )
            for arm, rival, trained in (  # a net that is clustered after training may be at chance: that is what it costs
                ("after training", "clustered after training", "pulled while training"),
                (
                    "centroids fine-tuned",
                    "clustered with centroids fine-tuned",
                    ("pulled while training", "centroids fine-tuned"),
                ),
            )
        ),
    ),
    figure=q2,
    note="One value per group is supported if less than one point is lost. All arms train for the same number of epochs and "
    "choose from the same number of settings on validation data; from a ResNet-20, each has one, but the net that is "
    "clustered after training is the better of two learning rates. The pull adds a penalty on the distance between each "
    "weight and its group's value; soft weight-sharing is the same with a mixture of Gaussians in place of the nearest "
    "value. Such a pull is done within an epoch; so the histograms show one that is at least ten times weaker, which no "
    "verdict uses.",
    source="Han et al. 2016, Deep Compression; Nowlan & Hinton 1992, Simplifying Neural Networks by Soft "
    "Weight-Sharing; Ullrich et al. 2017",
)
