"""# Weights that gather while they train

Your `train` goes on training a net for the UCI digits, from the same weights and the same three values per layer, with pulls of
several strengths. Left: the first layer's weights without a pull, and with the strongest one. Right: the validation accuracy of
the net as it is, and that with each weight replaced by its value, over the strength of the pull.

Look for the three spikes on the left: with the pull, the weights have gathered at the values that will replace them. On the right
the two lines approach each other. With a stronger pull the net itself gets worse, since its weights are less free, but the net
that will be stored gets better.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

STRENGTHS, VALUES, STEPS, LR = (0.0, 0.02, 0.05, 0.1, 0.2), 3, 200, 0.5


def measure(exercise):
    """Per strength, the first layer's weights, and the accuracy in percent before and after they are replaced."""
    data, rng = tc.data.load("digits"), np.random.default_rng(0)
    x, val = (images.reshape(len(images), -1).astype(float) for images in (data.x_train, data.x_val))
    first = [0.15 * rng.normal(size=(x.shape[1], 20)), 0.2 * rng.normal(size=(20, 10))]
    start, _ = exercise.train(first, [np.zeros(1), np.zeros(1)], x, data.y_train, 80, LR, 0.0)
    centroids = [np.linspace(w.min(), w.max(), VALUES) for w in start]
    for _ in range(24):
        centroids = [exercise.followed(w, c) for w, c in zip(start, centroids, strict=True)]
    found = {"weights": [], "as it is": [], "replaced": []}
    for strength in STRENGTHS:
        weights, values = exercise.train(start, centroids, x, data.y_train, STEPS, LR, strength)
        replaced = [c[np.abs(w[..., None] - c).argmin(-1)] for w, c in zip(weights, values, strict=True)]
        found["weights"].append(weights[0].ravel().tolist())
        for name, (w1, w2) in (("as it is", weights), ("replaced", replaced)):
            right = (np.maximum(val @ w1, 0) @ w2).argmax(1) == data.y_val
            found[name].append(100 * float(right.mean()))
    return found


def draw(yours, reference):
    """Plot histograms of the weights, and both accuracies over the strength."""
    with style.applied():
        fig = style.figure(ncols=2)
        left, right = fig.axes
        for at, label in (0, "no pull"), (-1, "the strongest pull"):
            left.hist(reference["weights"][at], 80, (-0.8, 0.8), color="0.2", alpha=0.15)
            left.hist(yours["weights"][at], 80, (-0.8, 0.8), histtype="step", label=label)
        for name, label in ("as it is", "as it is"), ("replaced", "each weight replaced by its value"):
            right.plot(STRENGTHS, reference[name], color="0.2", lw=7, alpha=0.2)
            right.plot(STRENGTHS, yours[name], "o-", label=label)
        left.set(xlabel="weight of the first layer", ylabel="weights")
        right.set(xlabel="strength of the pull", ylabel="validation accuracy (%)")
        left.legend()
        right.legend(loc="lower right")
    return fig
