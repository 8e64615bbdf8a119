"""Claim P2: pruning single weights leaves an irregular net."""

import numpy as np

from ... import data
from ...nn.weighted import effective
from ...pruning import fan_in, prunable
from ...training import evaluate
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect
from ..plans import plan_of
from .nets import PLANS, dense_net, pruned_gradually


def measure_p2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Fan-in of every neuron after removing 95 % of the weights a little at a time; for seed 0 also the connections."""
    dataset = data.load(data_name)
    plan = plan_of(PLANS, budget, dataset)
    net, _ = pruned_gradually(dense_net(dataset, plan, seed), dataset, plan, seed, 0.95, plan.steps)
    layers = [effective(layer, "weight") for layer in prunable(net).values()]
    return [
        {
            "seed": seed,
            "layer": number,
            "inputs": weight.shape[0],
            "fan_in": fan_in(layer).tolist(),
            "fan_out": np.count_nonzero(weight, axis=1).tolist(),
            "image_shape": list(dataset.image_shape),
            "connections": np.argwhere(weight).tolist() if seed == 0 and weight.size < 100_000 else [],
            "accuracy": 100 * evaluate(net, dataset.test).accuracy,
        }
        for number, (weight, layer) in enumerate(zip(layers, prunable(net).values(), strict=True))
    ]


def effect_p2(rows):
    """Per seed, the share of hidden neurons whose fan-in is not the most common one in their layer; 0 in a regular net."""
    shares = []
    for seed in sorted({row["seed"] for row in rows}):
        hidden = [row["fan_in"] for row in rows if row["seed"] == seed][:-1]
        other = sum(len(counts) - np.bincount(counts).max() for counts in hidden)
        shares.append(float(other / sum(map(len, hidden))))
    return shares


def p2(rows):
    """The net before and after, the number of connections that its neurons keep, and the pixels that are still read."""
    one = [row for row in rows if row["seed"] == rows[0]["seed"]]
    fig = figure(ncols=2, nrows=2, width=15, height=11)
    before, after, histogram, image = fig.axes
    widths = [row["inputs"] for row in one] + [len(one[-1]["fan_in"])]
    everything = [np.argwhere(np.ones((a, b))) for a, b in zip(widths[:-1], widths[1:], strict=True)]
    _draw_net(before, widths, everything)
    before.set_title("before: every neuron sees every input")
    if all(row["connections"] for row in one):
        _draw_net(after, widths, [np.array(row["connections"]) for row in one])
        after.set_title("after: 5 % of the connections are left")
    else:
        after.set_axis_off()
        after.set_title("(too many connections to draw)")

    most = 16
    bins = np.arange(-0.5, most + 1.5)  # the last bin also counts everything above
    hidden = sorted({row["layer"] for row in rows})[:-1]
    for layer, role in zip(hidden, ("claim", "rival", "other"), strict=False):
        counts = np.concatenate([row["fan_in"] for row in rows if row["layer"] == layer])
        share = np.histogram(np.minimum(counts, most), bins)[0] / len(counts)
        ticks = np.arange(most + 1)
        histogram.bar(
            ticks + 0.4 * (layer - 0.5),
            share,
            0.4,
            color=COLORS[role],
            label=f"hidden layer {layer + 1}: {len(one[layer]['fan_in'])} neurons",
        )
    histogram.set_xticks(range(0, most + 1, 2), [*map(str, range(0, most, 2)), f"{most}+"])
    histogram.set(xlabel="connections that a neuron keeps", ylabel="share of neurons")
    histogram.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    histogram.legend()
    histogram.set_title("some neurons keep two or three, some one, some none")

    height, width, channels = one[0]["image_shape"]
    picture = np.array(one[0]["fan_out"]).reshape(height, width, channels).sum(2)
    shown = image.imshow(picture, cmap="cividis")
    image.set_title("connections left at each pixel of the image")
    image.set_axis_off()
    fig.colorbar(shown, ax=image, label="connections")
    return fig


MOST_LINES = 4000


def _draw_net(ax, widths, connections):
    """Draw neurons as dots, one column per layer with inputs on the left, and connections as lines, a sample if many."""
    from matplotlib.collections import LineCollection

    places = [np.column_stack([np.full(n, float(i)), (np.arange(n) + 0.5) / n]) for i, n in enumerate(widths)]
    for i, pairs in enumerate(connections):
        # More lines would have to be fainter, and fainter lines round to nothing in the pixels of an SVG.
        pairs = np.random.default_rng(0).permutation(pairs)[:MOST_LINES]
        alpha = min(0.4, 1200 / max(1, len(pairs)))
        lines = np.stack([places[i][pairs[:, 0]], places[i + 1][pairs[:, 1]]], axis=1)
        ax.add_collection(LineCollection(lines, colors=COLORS["claim"], alpha=alpha, linewidths=0.5, rasterized=True))
    for i, dots in enumerate(places):
        ax.plot(*dots.T, ".", color=COLORS["reference"], markersize=3 if widths[i] > 50 else 8)
        ax.text(i, 1.02, str(widths[i]), ha="center", fontsize=14)
    ax.set(xlim=(-0.1, len(widths) - 0.9), ylim=(-0.02, 1.08))
    ax.set_axis_off()


CLAIM = Claim(
    id="P2",
    chapter="pruning",
    title="Pruning leaves an irregular net",
    measure=measure_p2,
    plans=PLANS,
    effects=(
        Effect(
            name="hidden neurons whose number of connections is not the most common one in their layer",
            of=effect_p2,
            unit="share",
            margin=0.5,
            decides=("N4",),
        ),
    ),
    figure=p2,
    note="In a regular net, all neurons of a layer have the same number of inputs, and the share is 0. Supported: more "
    "than half of the neurons differ.",
    source="Han et al. 2015",
)
