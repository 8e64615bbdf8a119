"""# What a zero point saves

Your functions quantize the weights of a net that was trained on the UCI digits to 2 to 8 bits, without any further training.
Your `integer_matmul` computes the products of the last layer. Dashed: one symmetric grid per layer. With few bits it matters
that each channel has a grid that fits its weights.

Look for the smallest numbers of bits: there your grids save the net, while with 4 bits and more they make no
difference.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

BITS = (2, 3, 4, 5, 6, 8)


def measure(exercise):
    """Validation accuracy in percent for each number of bits: with your grids, and with one symmetric grid per layer."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (32,), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=15, rng=rng, progress=False)
    (w1, b1, w2, b2), (x, y) = [p.data for p in net.parameters()], data.val
    x = x.reshape(len(x), -1)
    found = {"yours": [], "symmetric": []}
    for bits in BITS:
        scale, zero = exercise.channel_grids(w1, bits)
        hidden = x @ (scale * (exercise.quantize(w1, scale, zero, bits).astype(float) - zero)) + b1
        hidden = np.maximum(hidden, 0)
        step = hidden.max() / 255
        scale, zero = exercise.channel_grids(w2, bits)
        q = exercise.quantize(w2, scale, zero, bits)
        logits = step * scale * exercise.integer_matmul(np.rint(hidden / step).astype(np.uint8), 0, q, zero) + b2
        found["yours"].append(100 * float((logits.argmax(1) == y).mean()))
        hidden = np.maximum(x @ symmetric(w1, bits) + b1, 0)
        found["symmetric"].append(100 * float(((hidden @ symmetric(w2, bits) + b2).argmax(1) == y).mean()))
    return found


def symmetric(weight, bits):
    step = np.abs(weight).max() / (2 ** (bits - 1) - 1)
    return step * np.rint(weight / step)


def draw(yours, reference):
    """Plot accuracy over bits."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(BITS, reference["symmetric"], "--", color="0.6", label="one symmetric grid per layer")
        ax.plot(BITS, reference["yours"], color="0.2", lw=6, alpha=0.3, label="the solution's grids")
        ax.plot(BITS, yours["yours"], "o-", label="your grids")
        ax.set(xlabel="bits per weight", ylabel="validation accuracy (%)", xticks=BITS)
        ax.legend()
    return fig
