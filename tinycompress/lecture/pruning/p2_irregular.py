"""Claim P2: pruning single weights leaves an irregular net."""

import numpy as np

from ... import data
from ...nn.weighted import effective
from ...pruning import fan_in, prunable
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect, first_seed_drawn
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import plan_of
from .nets import PLANS, dense_net, pruned_gradually

MORE_THAN_HALF = 50  # % of the neurons
SOME = 1  # "some neurons" are more than one
DOZEN = 12


def measure_p2(data_name: str, budget: str, seed: int, drawn: bool) -> list[dict]:
    """Fan-in of every neuron after removing 95 % of the weights a little at a time; if `drawn`, also the connections."""
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
            "connections": np.argwhere(weight).tolist() if drawn and weight.size < 100_000 else [],
            "accuracy": accuracy_on(net, dataset.test),
        }
        for number, (weight, layer) in enumerate(zip(layers, prunable(net).values(), strict=True))
    ]


def hidden_fan_in(rows) -> list[list[np.ndarray]]:
    """Per seed, the fan-in of the neurons of each hidden layer."""
    seeds = sorted({row["seed"] for row in rows})
    return [[np.array(row["fan_in"]) for row in rows if row["seed"] == seed][:-1] for seed in seeds]


def other_than_most(rows):
    """Per seed, the % of hidden neurons whose fan-in is not the most common one in their layer; 0 in a regular net."""
    return [
        float(100 * sum(len(counts) - np.bincount(counts).max() for counts in hidden) / sum(map(len, hidden)))
        for hidden in hidden_fan_in(rows)
    ]


def keeping(*fan_ins: int):
    """The effect: per seed, how many hidden neurons keep so many connections."""
    return lambda rows: [float(np.isin(np.concatenate(hidden), fan_ins).sum()) for hidden in hidden_fan_in(rows)]


def of_how_many(rows) -> str:
    return f"of {sum(map(len, hidden_fan_in(rows)[0]))} hidden neurons"


def how_many_keep_none(rows) -> str:
    """The share of neurons without a connection, mean over seeds, in each hidden layer, in words."""
    layers = zip(*hidden_fan_in(rows), strict=True)
    shares = [100 * np.mean([np.mean(counts == 0) for counts in layer]) for layer in layers]
    return "without a connection: " + ", ".join(
        f"{share:.0f} % of hidden layer {number}" for number, share in enumerate(shares, 1)
    )


def p2(rows):
    """The net before and after, twelve of its neurons, how many connections all keep, and the pixels that are still read."""
    one = [row for row in rows if row["seed"] == rows[0]["seed"]]
    fig = figure(ncols=2, nrows=3, width=15, height=14, height_ratios=(1, 0.8, 1))
    before, after, dozen, spare, histogram, image = fig.axes
    spare.remove()
    dozen.set_subplotspec(dozen.get_subplotspec().get_gridspec()[1, :])
    widths = [row["inputs"] for row in one] + [len(one[-1]["fan_in"])]
    everything = [np.argwhere(np.ones((a, b))) for a, b in zip(widths[:-1], widths[1:], strict=True)]
    left = sum(sum(row["fan_in"]) for row in one) / sum(map(len, everything))
    _draw_net(before, widths, everything)
    before.set_title("before: every neuron reads every neuron before it")
    if all(row["connections"] for row in one):
        _draw_net(after, widths, [np.array(row["connections"]) for row in one])
        after.set_title(f"after: {100 * left:.2g} % of the connections are left")
    else:
        after.set_axis_off()
        after.set_title("(too many connections to draw)")
    _draw_dozen(dozen, one[-2])
    _draw_histogram(histogram, rows)
    height, width, channels = one[0]["image_shape"]
    picture = np.array(one[0]["fan_out"]).reshape(height, width, channels).sum(2)
    shown = image.imshow(picture, cmap="cividis", vmin=0)
    image.set_title("connections left at each pixel of the image")
    image.set_axis_off()
    fig.colorbar(shown, ax=image, label="connections")
    return fig


def _draw_dozen(ax, row):
    """Twelve neurons of a layer, at even steps from the fewest connections to the most, and the inputs that they read."""
    fan_ins = np.array(row["fan_in"])
    ranking = np.argsort(fan_ins, kind="stable")[np.count_nonzero(fan_ins == 0) :]
    chosen = ranking[np.linspace(0, len(ranking) - 1, min(DOZEN, len(ranking))).round().astype(int)]
    pairs = np.array(row["connections"]).reshape(-1, 2)
    inputs = (np.arange(row["inputs"]) + 0.5) / row["inputs"]
    ax.plot(inputs, np.ones_like(inputs), ".", color=COLORS["ideal"], markersize=3)
    for place, neuron in enumerate(chosen):
        x, few = (place + 0.5) / DOZEN, fan_ins[neuron] <= 3
        color = COLORS["ideal" if not few else "rival" if fan_ins[neuron] == 1 else "claim"]
        for read in inputs[pairs[pairs[:, 1] == neuron, 0]]:
            ax.plot([read, x], [1, 0], color=color, linewidth=3 if few else 1, zorder=2 + few)
            ax.plot(read, 1, ".", color=COLORS["reference"], markersize=8)
        ax.plot(x, 0, "o", color=color, markersize=14, zorder=4)
        ax.text(x, -0.14, str(fan_ins[neuron]), ha="center", va="top", fontsize=20, color=color)
    ax.set(xlim=(0, 1), ylim=(-0.4, 1.06))
    ax.set_axis_off()
    none = len(fan_ins) - len(ranking)
    ax.set_title(
        f"{len(chosen)} neurons of hidden layer {row['layer'] + 1}, from the fewest connections to the most; {none} of "
        f"{len(fan_ins)} keep none"
    )


def _draw_histogram(ax, rows):
    most = 16
    ticks = np.arange(most + 1)  # the last bin also counts everything above
    for layer, role in zip(sorted({row["layer"] for row in rows})[:-1], ("other", "extra", "more"), strict=False):
        fan_ins = [np.minimum(row["fan_in"], most) for row in rows if row["layer"] == layer]
        label = f"hidden layer {layer + 1}: {len(fan_ins[0])} neurons"
        shares = [np.bincount(counts, minlength=most + 1) / len(counts) for counts in fan_ins]
        mean, low, high = seed_band(shares)
        spread = None if np.isnan(low).any() else (mean - np.maximum(low, 0), high - mean)
        look = {"color": COLORS[role], "label": label, "yerr": spread, "capsize": 2}
        ax.bar(ticks + 0.4 * (layer - 0.5), mean, 0.4, **look, error_kw={"elinewidth": 1.5, "ecolor": "#555555"})
    ax.set_xticks(range(0, most + 1, 2), [*map(str, range(0, most, 2)), f"{most}+"])
    ax.set(xlabel="connections that a neuron keeps", ylabel="share of neurons")
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.legend()
    ax.set_title("how many connections each neuron keeps")


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
    tasks=first_seed_drawn,
    measure=measure_p2,
    plans=PLANS,
    rests_on=(learns(name="the pruned net"),),
    effects=(
        Effect(
            name="share of the hidden neurons whose number of connections is not the most common one in their layer",
            of=other_than_most,
            unit="%",
            margin=MORE_THAN_HALF,
            decides=("N4",),
            holds=how_many_keep_none,
        ),
        Effect(
            name="hidden neurons that keep two or three connections",
            of=keeping(2, 3),
            unit="neurons",
            margin=SOME,
            decides=("N4",),
            holds=of_how_many,
        ),
        Effect(
            name="hidden neurons that keep only one connection",
            of=keeping(1),
            unit="neurons",
            margin=SOME,
            decides=("N4",),
            holds=of_how_many,
        ),
    ),
    figure=p2,
    note="In a regular net, all neurons of a layer have the same number of inputs, and none differs. Irregular: more than "
    "half of the neurons differ. Some neurons: more than one. Connections are counted on the side of the inputs. A neuron that "
    "keeps none is dead: its output is the same for every image, so it can be removed whole. The drawings "
    "and the pixels show one net, the histogram those of all seeds.",
    source="Han et al. 2015",
)
