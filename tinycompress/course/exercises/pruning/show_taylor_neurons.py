"""# Three ways to choose neurons

A net for the UCI digits with two hidden layers loses more and more of its neurons, without any training afterwards. Your
functions choose them by Taylor's importance on the training images. Dashed: by the norm of their weights. Dotted: at random.

Look for how many neurons each way can remove at no cost; with Taylor's importance the line stays flat for longest.
"""

import numpy as np

import tinycompress as tc
from tinycompress import functional as F
from tinycompress.workshop import style

REMOVED = (0, 16, 32, 48, 56, 64, 72)
WIDTHS = (64, 32)


def measure(exercise):
    """Validation accuracy in percent for each number of removed neurons, for three ways to choose them."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, WIDTHS, data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=15, rng=rng, progress=False)
    (w1, b1), (w2, b2), (w3, b3) = zip(*[iter(p.data for p in net.parameters())] * 2, strict=True)

    def hidden(images):
        first = np.maximum(images.reshape(len(images), -1) @ w1 + b1, 0)
        return first, np.maximum(first @ w2 + b2, 0)

    first, second = hidden(data.x_train)
    p = F.softmax(tc.Tensor(second @ w3 + b3)).data
    p[np.arange(len(p)), data.y_train] -= 1
    to_second = p @ w3.T / len(p)
    to_first = (to_second * (second > 0)) @ w2.T
    scores = {
        "taylor": [exercise.importance(first, to_first), exercise.importance(second, to_second)],
        "weights": [np.linalg.norm(w1, axis=0), np.linalg.norm(w2, axis=0)],
        "random": [rng.random(width) for width in WIDTHS],
    }
    found = {}
    for name, layers in scores.items():
        found[name] = []
        for count in REMOVED:
            kept = exercise.keep(exercise.comparable(layers), count)
            h = np.maximum(data.x_val.reshape(len(data.x_val), -1) @ w1 + b1, 0) * kept[0]
            right = (np.maximum(h @ w2 + b2, 0) * kept[1] @ w3 + b3).argmax(1) == data.y_val
            found[name].append(100 * float(right.mean()))
    return found


def draw(yours, reference):
    """Plot accuracy over the number of removed neurons."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(REMOVED, reference["random"], ":", color="0.6", label="at random")
        ax.plot(REMOVED, reference["weights"], "--", color="0.5", label="by the norm of their weights")
        ax.plot(REMOVED, reference["taylor"], color="0.2", lw=8, alpha=0.3, label="the solution's choice")
        ax.plot(REMOVED, yours["taylor"], "o-", label="your choice")
        ax.set(xlabel=f"neurons removed, of {sum(WIDTHS)}", ylabel="validation accuracy (%)", ylim=(0, 101))
        ax.legend(loc="lower left")
    return fig
