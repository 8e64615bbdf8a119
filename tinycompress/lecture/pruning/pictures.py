"""Pictures of chapter 1: a net that loses weights, a net that loses neurons, and how much each layer can lose."""

import numpy as np

from ...nn import Module
from ...nn.weighted import effective
from ...pruning import fan_in, prunable
from ...workshop.style import COLORS, applied, figure, label_end, percent_axis
from .p2_irregular import _draw_net

REACH = 3.0  # of the weights' histogram, the same at every position of the slider
FORMS = (
    ("fewer neurons", "claim"),
    ("masked dense", "rival"),
)  # P3 asks about CSR, so the picture before it does not tell


@applied()
def sparse_net(net: Module, removed: float, accuracies: dict[str, dict[float, float]], times: list[dict]):
    """One sparsity: the pruned net, its weights, its accuracy, and the speed of a layer of that sparsity.

    accuracies: arm -> share removed -> accuracy (0 to 1). times: rows of `measure_p3` of one shape;
    of several seeds, the median is shown.
    """
    fig = figure(nrows=2, ncols=2, width=13, height=9.5, width_ratios=(1.25, 1))
    drawn, weights, curve, bars = fig.axes
    layers = [effective(layer, "weight") for layer in prunable(net).values()]
    _draw_net(drawn, [len(w) for w in layers] + [layers[-1].shape[1]], [np.argwhere(w) for w in layers])
    idle = sum(int((fan_in(layer) == 0).sum()) for layer in prunable(net).values())
    drawn.set_title(f"{100 * (1 - removed):.3g} % of the connections; {idle} neurons with none", pad=12)

    values = np.concatenate([w.ravel() for w in layers])
    weights.hist(values[values != 0], 41, range=(-REACH, REACH), color=COLORS["claim"])
    weights.set(xlabel="weight", ylabel="number of weights left", xlim=(-REACH, REACH))
    weights.set_title("The weights left")

    for (name, by_share), role in zip(accuracies.items(), ("rival", "claim"), strict=True):
        shares = list(by_share)
        curve.plot(shares, list(by_share.values()), color=COLORS[role])
        curve.plot(removed, by_share[removed], "o", color=COLORS[role], markersize=14)
        label_end(curve, [(share, by_share[share]) for share in shares], name, COLORS[role])
    curve.set(xlabel="weights removed", ylabel="test accuracy", ylim=(0, 1.04))
    percent_axis(curve.xaxis), percent_axis(curve.yaxis)
    curve.set_title("Accuracy, before and after fine-tuning")

    chosen = [row for row in times if row["removed"] == removed]
    ms = {arm: np.median([row["ms"] for row in chosen if row["arm"] == arm]) for arm in {row["arm"] for row in chosen}}
    for place, (form, role) in enumerate(FORMS):
        speedup = ms["dense"] / ms[form] if ms else 1.0
        bars.barh(-place, speedup, 0.7, color=COLORS[role])
        bars.text(
            1.1 * speedup, -place, f"{speedup:.2g}×" if ms else "", va="center", fontsize=14, backgroundcolor="white"
        )
    bars.axvline(1, color=COLORS["reference"], linewidth=1.5)
    bars.axvline(1 / (1 - removed), color=COLORS["ideal"], linestyle="--", linewidth=2)
    bars.set_yticks(-np.arange(len(FORMS)), [form for form, _ in FORMS])
    bars.set(xscale="log", xlim=(0.04, 200), xlabel="times faster than dense")
    bars.grid(False)
    bars.set_title("One layer's speed (dashed: ideal)")
    return fig


@applied()
def neurons(net: Module, small: Module, kept: dict[str, np.ndarray], report: str):
    """A dense net before and after removing neurons; before, those to be removed are drawn without connections."""
    fig = figure(ncols=2, width=13, height=5.5)
    for ax, shown, title in zip(fig.axes, (net, small), ("before", "after: an ordinary, smaller net"), strict=True):
        layers = [effective(layer, "weight") for layer in prunable(shown).values()]
        widths = [len(w) for w in layers] + [layers[-1].shape[1]]
        alive = [np.ones(width, bool) for width in widths]
        if shown is net:
            for number, name in enumerate(prunable(net), start=1):
                if name in kept:
                    alive[number] = np.isin(np.arange(widths[number]), kept[name])
        pairs = [np.argwhere(np.outer(a, b)) for a, b in zip(alive[:-1], alive[1:], strict=True)]
        _draw_net(ax, widths, pairs)
        ax.set_title(title, pad=12)
    fig.suptitle(report, fontsize=17)
    return fig


@applied()
def sensitivity_scan(scan: dict[str, list], shares: list[float], chosen: str):
    """Accuracy over the share removed from one layer alone, the chosen layer in colour. scan: from `pruning.sensitivity`."""
    fig = figure(width=11, height=5)
    (ax,) = fig.axes
    for layer, results in scan.items():
        values = [result.accuracy for result in results]
        role, line = ("claim", 4) if layer == chosen else ("ideal", 1.5)
        ax.plot(shares, values, color=COLORS[role], linewidth=line, zorder=2 + (layer == chosen))
        label_end(ax, [(shares[0], values[0]), (shares[-1], values[-1])], f"layer {layer}", COLORS[role])
    ax.set(xlabel="weights removed from this layer alone", ylabel="validation accuracy", ylim=(0, 1.04))
    percent_axis(ax.xaxis), percent_axis(ax.yaxis)
    ax.set_title("Which layers can lose weights? (not fine-tuned)")
    return fig
