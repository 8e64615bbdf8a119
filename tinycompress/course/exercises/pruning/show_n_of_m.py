"""# What a pattern costs

Your `n_of_m_mask` prunes a net that was trained on the UCI digits: 3, 2 or 1 of every 4 weights stay, without any further
training. Dashed: the same number of weights, chosen by magnitude anywhere in the layer. The regular pattern, which hardware
can use, costs a little accuracy.

Look for where the two lines part: 3 of 4 costs almost nothing, 2 of 4 a few percent before the net is trained
further, and with 1 of 4 too few weights are left for either.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

KEPT = (4, 3, 2, 1)  # of every 4


def measure(exercise):
    """Validation accuracy in percent for each n: with n of every 4 inputs, and with as many weights chosen freely."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (64, 32), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=20, rng=rng, progress=False)
    layers = [p for p in net.parameters() if p.data.ndim == 2]
    trained = [p.data.copy() for p in layers]
    found = {"kept": [n / 4 for n in KEPT], "pattern": [], "free": []}
    for n in KEPT:
        for name in "pattern", "free":
            for layer, weight in zip(layers, trained, strict=True):
                mask = exercise.n_of_m_mask(weight, n, 4) if name == "pattern" else largest(weight, n / 4)
                layer.data = weight * mask
            found[name].append(100 * tc.evaluate(net, data.val).accuracy)
    return found


def largest(weight, share):
    order = np.argsort(-np.abs(weight).ravel(), kind="stable")
    mask = np.zeros(weight.size, bool)
    mask[order[: round(share * weight.size)]] = True
    return mask.reshape(weight.shape)


def draw(yours, reference):
    """Plot accuracy over the share of weights kept."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        kept = 100 * np.array(reference["kept"])
        ax.plot(kept, reference["free"], "--", color="0.6", label="free choice")
        ax.plot(kept, reference["pattern"], color="0.2", lw=6, alpha=0.3, label="the solution's n of 4")
        ax.plot(kept, yours["pattern"], "o-", label="your n of 4")
        ax.set(xlabel="weights kept (%)", ylabel="validation accuracy (%)", xticks=kept)
        ax.invert_xaxis()
        ax.legend()
    return fig
