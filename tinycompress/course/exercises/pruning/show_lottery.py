"""# Does the ticket win?

Your `ticket` prunes a net for the UCI digits, round by round. Then the net that is left is trained three times: from its
first weights, from other random weights, and with as many weights that were chosen at random.

Look for how the lines part as weights go. The fewer are left, the more it matters which ones stay, and from which values they
begin: the ticket from its own first weights is best.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

ROUNDS, SHARE = (0, 2, 4, 6, 8), 0.35


def measure(exercise):
    """Validation accuracy in percent after training, for each number of rounds and each of the three beginnings."""
    data = tc.data.load("digits")
    x, val = (images.reshape(len(images), -1).astype(float) for images in (data.x_train[:400], data.x_val))
    labels, rng = data.y_train[:400], np.random.default_rng(0)
    first, other = ([0.15 * rng.normal(size=(x.shape[1], 24)), 0.25 * rng.normal(size=(24, 10))] for _ in "ab")
    found = {"ticket": [], "other weights": [], "random masks": [], "kept": []}
    for rounds in ROUNDS:
        masks = exercise.ticket(first, x, labels, rounds, SHARE, 40, 0.5)
        mixed = [rng.permutation(m.ravel()).reshape(m.shape) for m in masks]
        for name, begin, kept in zip(found, (first, other, first), (masks, masks, mixed), strict=False):
            w1, w2 = exercise.train(begin, kept, x, labels, 80, 0.5)
            found[name].append(100 * float(((np.maximum(val @ w1, 0) @ w2).argmax(1) == data.y_val).mean()))
        found["kept"].append(100 * sum(int(m.sum()) for m in masks) / sum(m.size for m in masks))
    return found


def draw(yours, reference):
    """Plot accuracy over the share of weights that are left."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        for name in "ticket", "other weights", "random masks":
            ax.plot(reference["kept"], reference[name], color="0.2", lw=7, alpha=0.2)
            ax.plot(yours["kept"], yours[name], "o-", label=name)
        ax.set(xlabel="weights left (%)", ylabel="validation accuracy (%)", xscale="log")
        ax.invert_xaxis()
        ax.legend(loc="lower left")
    return fig
