"""# The same numbers, one layer less

A layer with batch norm is given, and a last layer that classifies the UCI digits by its outputs. Your functions fold the batch
norm into the layer before it. Left: the logits of the folded net over those of the net as it was. Right: the largest
difference for each class.

Look for a straight line on the left, from which no point deviates, and for differences on the right that are only rounding.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style


def measure(exercise):
    """Logits of 100 images before and after folding, and the largest differences of each class."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    x, val = (images.reshape(len(images), -1) for images in (data.x_train, data.x_val[:100]))
    weight = rng.normal(size=(x.shape[1], 24)) * (2 / x.shape[1]) ** 0.5
    z = x @ weight
    statistics = rng.uniform(0.5, 2, 24), rng.normal(size=24), z.mean(0), z.var(0)
    h = np.maximum(normalised(z, *statistics), 0)
    last = np.linalg.lstsq(h, np.eye(data.num_classes)[data.y_train], rcond=None)[0]
    before = np.maximum(normalised(val @ weight, *statistics), 0) @ last
    folded, bias = exercise.fold_after(weight, None, *exercise.as_line(*statistics, 1e-3))
    after = np.maximum(val @ folded + bias, 0) @ last
    difference = np.abs(after - before).max(0)
    return {"before": before.ravel().tolist(), "after": after.ravel().tolist(), "difference": difference.tolist()}


def normalised(z, gamma, beta, mean, var):
    return gamma * (z - mean) / np.sqrt(var + 1e-3) + beta


def draw(yours, reference):
    """Plot the logits after over those before, and the differences."""
    with style.applied():
        fig = style.figure(2)
        same, difference = fig.axes
        ends = [min(reference["before"]), max(reference["before"])]
        same.plot(ends, ends, color="0.2", lw=8, alpha=0.3, label="no difference")
        same.plot(yours["before"], yours["after"], ".", ms=4, label="your folded net")
        same.set(xlabel="logits with batch norm", ylabel="logits of the folded net")
        same.legend()
        difference.bar(np.arange(len(yours["difference"])), np.maximum(yours["difference"], 1e-17))
        difference.set(xlabel="class", ylabel="largest difference of 100 images", yscale="log", ylim=(1e-17, 10))
    return fig
