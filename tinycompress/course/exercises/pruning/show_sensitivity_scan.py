"""# Which layer can lose most?

A small net with one convolution learns the UCI digits. Your `scan` prunes each of its three layers alone. Left: validation
accuracy over the share that is removed, a line per layer. Right: nets whose three shares your `choose` gave, for several
numbers of points, beside nets that lose the same share everywhere.

Look for the layer that falls first: the convolution, which has few weights. It decides how much the dashed nets can lose, while
yours prune it less than the others. But look also at how far yours fall: together, three layers cost more than any of them
alone.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
POINTS = (0.5, 1.0, 2.0, 4.0, 8.0)
NAMES = "convolution", "dense", "output"


def measure(exercise):
    """Accuracies in percent: of the scan, of nets with chosen shares, and of nets with the same share in each layer."""
    data, rng = tc.data.load("digits"), np.random.default_rng(0)
    inputs = 8 * ((data.image_shape[0] - 2) // 2) * ((data.image_shape[1] - 2) // 2)
    layers = [
        tc.nn.Conv2d(1, 8, 3, rng=rng),
        tc.nn.ReLU(),
        tc.nn.MaxPool2d(2),
        tc.nn.Flatten(),
        tc.nn.Dense(inputs, 96, rng=rng),
        tc.nn.ReLU(),
        tc.nn.Dense(96, 10, rng=rng),
    ]
    net = tc.nn.Sequential(*layers)
    adam = tc.optim.Adam(net.parameters(), lr=0.003, weight_decay=1e-3)
    tc.fit(net, data.train, optimizer=adam, epochs=40, rng=rng, progress=False)
    weights, biases = ([getattr(layers[i], part).data for i in (0, 4, 6)] for part in ("weight", "bias"))
    (x, labels), size = data.val, sum(w.size for w in weights)
    whole, shares = int(exercise.scan(weights, biases, x, labels, [0.0])[0, 0]), list(SHARES)
    right = np.asarray(exercise.scan(weights, biases, x, labels, shares))
    found = {"scan": (100 * right / len(labels)).tolist(), "chosen": [], "same": []}
    trials = [("chosen", exercise.choose(right, whole, len(labels), shares, points)) for points in POINTS]
    trials += [("same", [share] * 3) for share in shares]
    for arm, each in trials:
        left = [exercise.pruned(w, float(s)) for w, s in zip(weights, each, strict=True)]
        correct = exercise.scan(left, biases, x, labels, [0.0])[0, 0]
        removed = 100 * (1 - sum(np.count_nonzero(w) for w in left) / size)
        found[arm].append([float(removed), float(100 * correct / len(labels))])
    return found


def draw(yours, reference):
    """Plot the scan, and what the choices cost together."""
    with style.applied():
        fig = style.figure(2)
        lines, together = fig.axes
        for k, name in enumerate(NAMES):
            lines.plot(100 * np.array(SHARES), reference["scan"][k], color="0.2", lw=6, alpha=0.2)
            lines.plot(100 * np.array(SHARES), yours["scan"][k], "o-", label=name)
        lines.set(
            xlabel="weights removed in this layer (%)", ylabel="validation accuracy (%)", title="one layer at a time"
        )
        lines.legend(loc="lower left")
        together.plot(*np.transpose(reference["chosen"]), color="0.2", lw=6, alpha=0.2, label="the solution")
        together.plot(*np.transpose(yours["chosen"]), "o-", label="your shares")
        together.plot(*np.transpose(yours["same"]), "s--", color="0.5", label="the same share")
        together.set(xlabel="weights removed in all (%)", title="all layers together")
        together.legend(loc="lower left")
    return fig
