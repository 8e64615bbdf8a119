"""# Trained to lose weights

Your `train` trains a net for the UCI digits three times: plainly, with dropout of any weight (a share of 1), and with targeted
dropout of the smaller three quarters. Then each is pruned, without any further training: the smallest weights of each output go.

Look for how far the lines stay level. The net with targeted dropout was trained to do without exactly the weights that are
removed here, and it falls last. Dropout of any weight already begins lower: all weights are there at last, half of which were
missing in each step, and nothing was scaled to make up for them.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

REMOVED = (0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
NETS = {"plain": (0.0, 0.0), "dropout of any": (1.0, 0.5), "targeted dropout": (0.75, 0.5)}  # share, alpha


def measure(exercise):
    """Validation accuracy in percent of each net, for each share that is removed."""
    data, rng = tc.data.load("digits"), np.random.default_rng(0)
    x, val = (images.reshape(len(images), -1).astype(float) for images in (data.x_train, data.x_val))
    first = [0.15 * rng.normal(size=(x.shape[1], 40)), 0.2 * rng.normal(size=(40, 10))]
    found = {}
    for name, (share, alpha) in NETS.items():
        weights = exercise.train(first, x, data.y_train, 400, 0.5, share, alpha, 0)
        found[name] = []
        for removed in REMOVED:
            w1, w2 = (np.where(exercise.targets(w, removed), 0, w) for w in weights)
            right = (np.maximum(val @ w1, 0) @ w2).argmax(1) == data.y_val
            found[name].append(100 * float(right.mean()))
    return found


def draw(yours, reference):
    """Plot accuracy over the share that is removed."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        for name in NETS:
            ax.plot(100 * np.array(REMOVED), reference[name], color="0.2", lw=7, alpha=0.2)
            ax.plot(100 * np.array(REMOVED), yours[name], "o-", label=name)
        ax.set(xlabel="weights removed per output (%)", ylabel="validation accuracy (%)")
        ax.legend(loc="lower left")
    return fig
