"""# What a removed neuron leaves behind

A net for the UCI digits with 64 hidden neurons loses more and more of them, without any training. Those whose variation
changes the outputs least go first. With your `remove`, each leaves its mean over the training images in the reader's bias.
Dashed: the neurons are simply deleted.

Look for how many neurons may go before the lines part: only then does what they contributed on average begin to
matter.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

REMOVED = (0, 16, 24, 32, 40, 48, 52, 56, 60)


def measure(exercise):
    """Validation accuracy in percent for each number of removed neurons, with and without their means."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (64,), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=15, rng=rng, progress=False)
    weight, reader = (p.data for p in net.parameters() if p.data.ndim == 2)
    bias, reader_bias = (p.data for p in net.parameters() if p.data.ndim == 1)
    train, val = (x.reshape(len(x), -1) for x in (data.x_train, data.x_val))
    hidden = np.maximum(train @ weight + bias, 0)
    order = np.argsort(hidden.std(0) * np.linalg.norm(reader, axis=1))
    found = {"mean": [], "deleted": []}
    for count in REMOVED:
        kept = np.ones(64, bool)
        kept[order[:count]] = False
        for name, constant in ("mean", hidden.mean(0)), ("deleted", np.zeros(64, np.float32)):
            w, b, r, c = exercise.remove(weight, bias, reader, reader_bias, kept, constant)
            right = (np.maximum(val @ w + b, 0) @ r + c).argmax(1) == data.y_val
            found[name].append(100 * float(right.mean()))
    return found


def draw(yours, reference):
    """Plot accuracy over the number of removed neurons."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(REMOVED, reference["deleted"], "--", color="0.6", label="deleted")
        ax.plot(REMOVED, reference["mean"], color="0.2", lw=8, alpha=0.3, label="the solution's surgery")
        ax.plot(REMOVED, yours["mean"], "o-", label="your surgery")
        ax.set(xlabel="neurons removed, of 64", ylabel="validation accuracy (%)", ylim=(0, 101))
        ax.legend(loc="lower left")
    return fig
