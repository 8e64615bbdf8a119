"""# One energy for all, or a budget

The layers of a net that was trained on the UCI digits are replaced by products of low rank, which your `factors` computes,
without any further training. The ranks follow two rules: every layer keeps the same energy (your `rank_for_energy`), or a
budget is spent where it buys most (your `ranks_for_budget`). Neither rule looks at the images. Which one is better?

Look for which line is higher at the same number of weights, and where they meet; one energy is better only where
almost nothing is left.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

ENERGIES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)


def measure(exercise):
    """For each rule, pairs of the factors' weights in thousands and the validation accuracy in percent."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (48, 32), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=15, rng=rng, progress=False)
    layers = [p for p in net.parameters() if p.data.ndim == 2]
    trained = [p.data.astype(float) for p in layers]
    spectra = [np.linalg.svd(w, compute_uv=False) for w in trained]
    prices = [sum(w.shape) for w in trained]
    found = {"energy": [], "budget": []}
    for energy in ENERGIES:
        ranks = [exercise.rank_for_energy(s, energy) for s in spectra]
        cost = int(np.dot(ranks, prices))
        for name, chosen in (("energy", ranks), ("budget", exercise.ranks_for_budget(spectra, prices, cost))):
            for layer, weight, rank in zip(layers, trained, chosen, strict=True):
                first, second = exercise.factors(weight, int(rank))
                layer.data = (first @ second).astype(np.float32)
            found[name].append([float(np.dot(chosen, prices)) / 1000, 100 * tc.evaluate(net, data.val).accuracy])
    return found


def draw(yours, reference):
    """Plot accuracy over weights."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        for rule, label, color in (("energy", "one energy", "claim"), ("budget", "a budget", "rival")):
            ax.plot(*zip(*reference[rule], strict=True), color="0.2", lw=7, alpha=0.3)
            ax.plot(*zip(*yours[rule], strict=True), "o-", color=style.COLORS[color], label=f"{label}, by you")
        ax.plot([], [], color="0.2", lw=7, alpha=0.3, label="the solution")
        ax.set(xlabel="weights of the factors (thousands)", ylabel="validation accuracy (%)")
        ax.legend()
    return fig
