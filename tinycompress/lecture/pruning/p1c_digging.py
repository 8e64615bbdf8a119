"""Claim P1c: what the neurons that are left do, before and after fine-tuning.

A net that makes better use of its neurons would miss each one more, and their activity would lie in more directions. Training
alone may do the same to any net, so the whole net trains on for as many epochs.
"""

import numpy as np

from ... import data
from ...data import Dataset
from ...nn import Module, ReLU, Sequential, trace
from ...pruning import keep_neurons, remove_neurons
from ...selection import pick_on_validation, train
from ...training import predict
from ...workshop.style import COLORS, curve_with_band, figure, table
from ..claim import Claim, Effect
from ..images.doubt import decided
from ..images.shares import Share, accuracy_on, mean_of, percent_of
from ..learned import learns
from ..plans import plan_of
from ..rows import paired
from .nets import PLANS, Plan, dense_net

REMOVED = (0.75, 0.875, 0.95)  # of the neurons of each hidden layer
JUDGED = 2000  # test images at most
NETS = 2  # per seed, averaged
COSTS = 0.1  # the smallest difference that matters, in % of the net's accuracy: ten neurons make one per cent
DIRECTIONS = float(np.log2(1.1))  # a tenth more directions
BEFORE, AFTER, WHOLE, CONTROL = "before fine-tuning", "after fine-tuning", "whole net", "whole net, trained on"


def further(net: Module, dataset: Dataset, plan: Plan, seed: int) -> Module:
    """A copy, trained for `plan.pruned` more epochs at the learning rate picked on validation data."""

    def arm(lr):
        rng = np.random.default_rng([seed, 1])
        return train(net.copy(), dataset, lr=lr, epochs=plan.pruned, rng=rng, batch_size=plan.batch_size)

    return pick_on_validation(arm, plan.lrs, dataset)[0]


def hidden(net: Sequential, x: np.ndarray) -> dict[int, np.ndarray]:
    """The activity (images, neurons) of each hidden layer, by the place of its ReLU in the net."""
    with net.evaluation(), trace() as calls:
        net(x)
    outputs = {id(layer): out.data for layer, _, out in calls}
    return {place: outputs[id(layer)] for place, layer in enumerate(net.layers) if isinstance(layer, ReLU)}


def costs(net: Sequential, neurons: list[np.ndarray], x: np.ndarray, labels: np.ndarray) -> list[Share]:
    """Points of accuracy that each of the neurons (indices, per hidden layer) costs when it alone is removed."""
    right, found = (predict(net, x).argmax(1) == labels).astype(int), []
    for (place, activity), indices in zip(hidden(net, x).items(), neurons, strict=True):
        rest = Sequential(*net.layers[place + 1 :])
        for index in indices:
            without = activity.copy()
            without[:, index] = 0
            found.append(percent_of(right - (predict(rest, without).argmax(1) == labels)))
    return found


def directions(activity: np.ndarray) -> float:
    """In how many directions activity (images, neurons) lies: the participation ratio of its principal components, (sum of
    variances)² / sum of (variances²). It is 1 if all neurons vary together, and n if n neurons vary alike, each on its own."""
    covariance = np.atleast_2d(np.cov(activity.T.astype(float)))
    if not covariance.any():
        return 1.0  # all neurons are dead; 0 would have no logarithm
    return float(np.trace(covariance) ** 2 / (covariance**2).sum())


def measure_p1c(data_name: str, budget: str, seed: int) -> list[dict]:
    """Cost per neuron and directions, of pruned nets before and after fine-tuning and of the whole net; means over NETS nets."""
    dataset = data.load(data_name)
    plan = plan_of(PLANS, budget, dataset)
    several = [list(states_of_a_net(dataset, plan, NETS * seed + number)) for number in range(NETS)]
    return [
        {"seed": seed, "arm": arm, "removed": share, "left": left}
        | {value: _mean_over_nets([measured[value] for *_, measured in same]) for value in same[0][-1]}
        for same in zip(*several, strict=True)
        for arm, share, left, _ in same[:1]
    ]


def _mean_over_nets(values: list[float]) -> float:
    return mean_of(values) if isinstance(values[0], Share) else float(np.mean(values))


def states_of_a_net(dataset: Dataset, plan: Plan, seed: int):
    """Yield (arm, share removed, neurons left, measured values) of one net."""
    whole = dense_net(dataset, plan, seed)
    control = further(whole, dataset, plan, seed)
    x, labels = dataset.x_test[:JUDGED], dataset.y_test[:JUDGED]
    for share in REMOVED:
        kept = keep_neurons(whole, 1 - share)
        small = remove_neurons(whole, kept)
        left = [len(index) for index in kept.values()]
        for arm, net, neurons in (
            (BEFORE, small, map(np.arange, left)),
            (AFTER, further(small, dataset, plan, seed), map(np.arange, left)),
            (WHOLE, whole, kept.values()),  # the same neurons, among all the others
            (CONTROL, control, kept.values()),
        ):
            ratios = {f"directions_{i + 1}": directions(h) for i, h in enumerate(hidden(net, x).values())}
            cost = mean_of(costs(net, list(neurons), x, labels))
            yield arm, share, left, {"cost": cost, "accuracy": accuracy_on(net, (x, labels))} | ratios


def with_shares(rows) -> list[dict]:
    """The rows, with the cost per neuron as a share of the net's own accuracy, in %: a net near chance has little to lose."""
    return [row | {"share": 100 * row["cost"] / row["accuracy"]} for row in rows]


def change(rows, value: str, **where) -> list[float]:
    """Per seed, what fine-tuning changed minus what as many epochs changed in the whole net, mean over the shares removed.

    Of a number of directions, the change is that of its log2.
    """
    rows = with_shares(rows) if value == "share" else [row | {value: float(np.log2(row[value]))} for row in rows]
    tuned, alone = paired(rows, AFTER, BEFORE, value, **where), paired(rows, CONTROL, WHOLE, value, **where)
    return [a - b for a, b in zip(tuned, alone, strict=True)]


def effect_of(value: str, name: str, unit: str, smallest: float) -> Effect:
    """The effect of fine-tuning on a value of the rows, and at which shares it is shown."""

    def where(rows):
        words = []
        for share in sorted({row["removed"] for row in rows}):
            one = decided(rows, change, value, smallest=smallest, points=False, removed=share.__eq__)
            size = f"{one.effect:+.2f}" if value == "share" else f"×{2**one.effect:.2f}"
            words.append(f"{100 * share:.0f} % removed: {size} ({one.verdict})")
        return ", ".join(words)

    return Effect(
        name=name,
        of=lambda rows: change(rows, value),
        unit=unit,
        smallest=smallest,
        tested_on="all" if value == "share" else "none",
        decides=("N3",),
        holds=where,
    )


def p1c(rows):
    """What a neuron costs when it alone is removed, and in how many directions the activity lies, over the neurons left."""
    fig = figure(ncols=2, nrows=2, width=15, height=11.5)
    cost, spare, *others = fig.axes
    spare.remove()
    cost.set_subplotspec(cost.get_subplotspec().get_gridspec()[0, :])
    roles = {AFTER: "claim", BEFORE: "rival", CONTROL: "ideal", WHOLE: "reference"}
    panels = (
        ("share", "% of the net's accuracy", "what a neuron costs when it alone is removed"),
        ("directions_1", "directions", "hidden layer 1: directions of its activity"),
        ("directions_2", "directions", "hidden layer 2: directions of its activity"),
    )
    rows = with_shares(rows)
    for number, (ax, (value, ylabel, title)) in enumerate(zip((cost, *others), panels, strict=True)):
        for arm, role in roles.items():
            removed, values = table(rows, arm, "removed", value)
            line = {"linestyle": "--"} if arm in (WHOLE, CONTROL) else {"marker": "o"}
            curve_with_band(ax, range(len(removed)), values, arm, COLORS[role], **line)
        ax.set_xticks(range(len(removed)), [left_of(rows, share, number) for share in removed])
        ax.set(xlabel="neurons left", ylabel=ylabel, title=title)
    cost.set_xlabel("neurons left (removed), and the net's accuracy before → after")
    return fig


def left_of(rows, share: float, layer: int) -> str:
    """How many neurons are left in a hidden layer; or, for 0, in both, and the accuracy before and after fine-tuning."""
    chosen = [row for row in rows if row["removed"] == share]
    if layer:
        return str(chosen[0]["left"][layer - 1])
    before, after = (np.mean([row["accuracy"] for row in chosen if row["arm"] == arm]) for arm in (BEFORE, AFTER))
    return f"{sum(chosen[0]['left'])} ({100 * share:.0f} %)\n{before:.0f} → {after:.0f} %"


CLAIM = Claim(
    id="P1c",
    chapter="pruning",
    title="Does the net dig deeper?",
    measure=measure_p1c,
    plans=PLANS,
    rests_on=(learns(arm=(WHOLE, CONTROL, AFTER)),),
    effects=(
        effect_of(
            "share",
            "share of its accuracy that the net loses when one neuron is removed: change through fine-tuning, minus that of the "
            "whole net trained on for as long",
            "%",
            COSTS,
        ),
        *(
            effect_of(
                f"directions_{layer}",
                f"directions of the activity of hidden layer {layer}: after fine-tuning over before, relative to the whole net "
                "trained on for as long",
                "log2 ×",
                DIRECTIONS,
            )
            for layer in (1, 2)
        ),
    ),
    figure=p1c,
    note="LeNet-300-100; of each hidden layer, the neurons with the smallest weights are removed. The whole net is the "
    "control: it trains on for as many epochs, and its costs are those of the same neurons among all others. Costs are "
    "relative to the net's own accuracy, since a net with little accuracy has little to lose. The sentence asks for all three "
    "effects, so if they differ, it holds in part. Directions: the participation "
    f"ratio of the principal components of a layer's activity. Per seed, the mean of {NETS} nets.",
    source="Han et al. 2015; Morcos et al. 2018, On the importance of single directions for generalization; Gao et al. 2017, "
    "A theory of multineuronal dimensionality, for the participation ratio",
)
