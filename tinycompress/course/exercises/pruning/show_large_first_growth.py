"""# Does a net forget while it grows?

A net with 4 hidden neurons learns the UCI digits, and your `grown` widens it to 32: once with noise, once without. Gray: a net
of 32 neurons from the beginning. The lines are over the multiplications that were spent on training; left of the dotted line
the blue net is small.

Look for the dotted line: the net without noise begins exactly where the small one ended. But its copies stay copies, and it
hardly learns any more. With noise they part. And although small steps are cheap, the net that was large first is best in the
end.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

HIDDEN, WIDE, CLASSES, LR, NOISE = 4, 32, 10, 0.15, 0.5
BEFORE, AFTER = (0, 25, 50, 100, 200, 400), (0, 5, 10, 20, 40, 80, 160)  # steps of the small and of the wide net
FROM_START = (0, 10, 20, 40, 80, 120, 160, 210)


def measure(exercise):
    """The training loss of each net after some numbers of steps."""
    data, rng = tc.data.load("digits"), np.random.default_rng(0)
    x, labels = data.x_train[:400].reshape(400, -1).astype(float), data.y_train[:400]
    first, large = (net_of(rng, x.shape[1], n) for n in (HIDDEN, WIDE))
    copies, z = rng.integers(0, HIDDEN, WIDE - HIDDEN), rng.normal(size=(x.shape[1], WIDE - HIDDEN))

    nothing = np.zeros(0, int), 0.0, np.zeros((x.shape[1], 0))

    def losses(net, steps):
        """The loss after each of these numbers of steps, and the last net."""
        found, done = [], 0
        for count in steps:
            net, done = exercise.grown(net, x, labels, (count - done, 0), LR, *nothing), count
            logits = np.maximum(x @ net[0] + net[1], 0) @ net[2] + net[3]
            found.append(float(tc.functional.cross_entropy(tc.Tensor(logits), labels).item()))
        return found, net

    found = {"from the start": losses(large, FROM_START)[0]}
    found["small"], small = losses(first, BEFORE)
    for name, noise in ("with noise", NOISE), ("without noise", 0.0):
        found[name], _ = losses(exercise.grown(small, x, labels, (0, 0), LR, copies, noise, z), AFTER)
    return found


def net_of(rng, inputs, hidden):
    first = 0.15 * rng.normal(size=(inputs, hidden))
    return [first, np.zeros(hidden), hidden**-0.5 * rng.normal(size=(hidden, CLASSES)), np.zeros(CLASSES)]


def draw(yours, reference):
    """Plot the loss over the cost of training."""
    before = np.array(BEFORE) * HIDDEN / WIDE
    after = before[-1] + np.array(AFTER)
    lines = {"small": before, "with noise": after, "without noise": after, "from the start": FROM_START}
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        for name, cost in lines.items():
            color = {"small": "C0", "with noise": "C0", "without noise": "C1"}.get(name, "0.5")
            ax.plot(cost, reference[name], color="0.2", lw=7, alpha=0.15)
            ax.plot(cost, yours[name], "o-", color=color, ms=4, label=None if name == "small" else name)
        ax.axvline(before[-1], color="0.3", ls=":")
        ax.set(xlabel="cost of training (steps of the wide net)", ylabel="training loss", yscale="log")
        ax.legend()
    return fig
