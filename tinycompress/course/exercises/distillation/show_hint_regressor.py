"""# How much of the teacher's layer does a small layer know?

A teacher for the UCI digits has a hidden layer of 64 units. Small nets with 2 to 32 hidden units learned the digits from
labels only, without the teacher. On training images, your `best_regressor` learns to translate their hidden layer into the
teacher's. What share of the teacher's variance does it explain on validation images?

Look for the distance between the two lines: what learning the same task has in common, beyond what any random layer
knows. With many units a random layer knows much, too.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

WIDTHS = (2, 4, 8, 16, 32)


def measure(exercise):
    """The explained variance in percent, for trained and for untrained hidden layers of each width."""
    data = tc.data.load("digits")
    x, val = (images.reshape(len(images), -1).astype(float) for images in (data.x_train, data.x_val))

    def hidden(width, seed, epochs):
        rng = np.random.default_rng(seed)
        net = tc.models.mlp(data.image_shape, (width,), data.num_classes, rng=rng)
        sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        tc.fit(net, data.train, optimizer=sgd, epochs=epochs, rng=rng, progress=False)
        weight, bias = (p.data.astype(float) for p in list(net.parameters())[:2])
        return [np.maximum(images @ weight + bias, 0) for images in (x, val)]

    t, t_val = hidden(64, 0, 20)
    found = {"trained": [], "untrained": []}
    for width in WIDTHS:
        for name, epochs in ("trained", 20), ("untrained", 0):
            h, h_val = hidden(width, 1, epochs)
            regressor = exercise.best_regressor(h, t, 1e-3)
            found[name].append(100 * float(exercise.explained(h_val, t_val, *regressor)))
    return found


def draw(yours, reference):
    """Plot explained variance over width."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        for name, marker in ("trained", "o-"), ("untrained", "s--"):
            ax.plot(WIDTHS, reference[name], color="0.2", lw=8, alpha=0.3)
            ax.plot(WIDTHS, yours[name], marker, label=f"{name} hidden layer (the solution is grey)")
        ax.set_xscale("log", base=2)
        ax.set_xticks(WIDTHS, WIDTHS)
        ax.set(xlabel="hidden units of the small net", ylabel="teacher's variance explained (%)", ylim=(0, 101))
        ax.legend(loc="upper left")
    return fig
