"""# How a pull empties a net

A layer of 40 channels is given, of which the loss needs only some: its derivative pulls each factor gamma to a goal of its
own, a few of which are large. Your `pulled` takes 100 steps, with a pull of several strengths. Left: the 40 factors over the
steps for one strength. Right: how many channels are left in the end.

Look for the lines that end *exactly* on 0 and stay there; a gradient step of the penalty would make them tremble about it.
"""

import numpy as np

from tinycompress.workshop import style

STRENGTHS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)


def measure(exercise):
    """The factors after each step for the strength 0.4, and the channels that are left for each strength."""
    rng = np.random.default_rng(0)
    goals = rng.normal(size=40) * np.where(rng.random(40) < 0.3, 2, 0.3)
    found = {"paths": [], "left": []}
    for strength in STRENGTHS:
        gamma = np.ones(40)
        for _step in range(100):
            gamma = exercise.pulled(gamma, gamma - goals, 0.1, strength)
            if strength == 0.4:
                found["paths"].append(np.asarray(gamma).tolist())
        found["left"].append(int(exercise.kept_channels([gamma])[0].sum()))
    return found


def draw(yours, reference):
    """Plot the factors over the steps, and the channels left over the strength."""
    with style.applied():
        fig = style.figure(2)
        paths, left = fig.axes
        paths.plot(np.array(yours["paths"]), color="C0", lw=1)
        paths.axhline(0, color="0.3", lw=1)
        paths.set(xlabel="steps", ylabel="gamma", title="your 40 factors")
        left.plot(STRENGTHS, reference["left"], color="0.2", lw=8, alpha=0.3, label="the solution")
        left.plot(STRENGTHS, yours["left"], "o-", label="yours")
        left.set(xlabel="strength of the pull", ylabel="channels left", ylim=(0, 41))
        left.legend()
    return fig
