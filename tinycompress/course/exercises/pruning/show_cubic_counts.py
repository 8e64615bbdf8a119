"""# Gradually, or all at once

A net for the UCI digits loses 95 % of its weights in six steps, by your counts and masks, with one epoch of training after
each. Dashed: all at once, and then the same six epochs. With gradual pruning, the remaining weights have time to take over
the work of those removed.

Look for the first step: all at once loses more there than five gradual steps together, and the epochs after it win
only part of it back.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

STEPS = 6


def measure(exercise):
    """Validation accuracy in percent before the first and after each step: pruned gradually, and all in the first step."""
    found = {}
    for name in "gradual", "at once":
        data = tc.data.load("digits")
        rng = np.random.default_rng(0)
        net = tc.models.mlp(data.image_shape, (32,), data.num_classes, rng=rng)
        train(net, data, 10, rng)
        layers = [p for p in net.parameters() if p.data.ndim == 2]
        masks = [np.ones(p.data.shape, bool) for p in layers]
        counts = [exercise.removed_counts(0, round(0.95 * p.data.size), STEPS) for p in layers]
        found[name] = [100 * tc.evaluate(net, data.val).accuracy]
        for step in range(STEPS):
            for i, layer in enumerate(layers):
                count = int(counts[i][step if name == "gradual" else -1])
                masks[i] = exercise.prune_to(layer.data, masks[i], count)
            train(net, data, 1, rng, layers, masks)
            found[name].append(100 * tc.evaluate(net, data.val).accuracy)
    return found


def train(net, data, epochs, rng, layers=(), masks=()):
    """Train for this many epochs, with removed weights kept at 0."""

    def masked(x, rng):
        for layer, mask in zip(layers, masks, strict=True):
            layer.data = layer.data * mask
        return x

    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=epochs, rng=rng, augment=masked, progress=False)
    masked(None, rng)


def draw(yours, reference):
    """Plot accuracy over steps."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(reference["at once"], "--", color="0.6", label="95 % in the first step")
        ax.plot(reference["gradual"], color="0.2", lw=8, alpha=0.3, label="the solution's counts")
        ax.plot(yours["gradual"], "o-", label="your counts")
        ax.set(xlabel="steps of one epoch each", ylabel="validation accuracy (%)")
        ax.legend(loc="lower left")
    return fig
