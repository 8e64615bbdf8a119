"""# The best threshold, and the rule of thumb

Your `ternarize` makes the first layer of a trained net ternary: first the rows of 16 inputs, then of 32, 48 and 64. The plot
shows the squared error as a share of the weights' squares, without any further training. Dashed: the lecture's rule, zeros
below 0.7 times the mean magnitude. Its error is close to yours, but never smaller.

Look for how close the rule of thumb comes to the optimum, although it never computes an error.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

ROWS = (16, 32, 48, 64)


def measure(exercise):
    """Squared error in percent of the squared weights: yours, after packing and unpacking, and the rule of thumb's."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (32,), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=10, rng=rng, progress=False)
    whole = next(iter(net.parameters())).data.astype(float)
    found = {"yours": [], "rule": []}
    for rows in ROWS:
        weight = whole[:rows]
        signs, scales = exercise.ternarize(weight)
        signs = exercise.unpack(exercise.pack(signs.ravel()), signs.size).reshape(signs.shape)
        found["yours"].append(share(weight, signs * scales))
        size = np.abs(weight)
        kept = size > 0.7 * size.mean(0)
        found["rule"].append(share(weight, np.sign(weight) * kept * (size * kept).sum(0) / kept.sum(0)))
    return found


def share(weight, ternary):
    return 100 * float(((weight - ternary) ** 2).sum() / (weight**2).sum())


def draw(yours, reference):
    """Plot the error over rows."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(ROWS, reference["rule"], "--", color="0.6", label="rule of thumb: 0.7 times the mean")
        ax.plot(ROWS, reference["yours"], color="0.2", lw=6, alpha=0.3, label="the solution's threshold")
        ax.plot(ROWS, yours["yours"], "o-", label="your threshold")
        ax.set(xlabel="inputs per neuron", ylabel="squared error (% of the weights' squares)", xticks=ROWS)
        ax.legend()
    return fig
