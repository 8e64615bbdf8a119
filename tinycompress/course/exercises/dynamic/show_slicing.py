"""# Why slimmable nets need their own statistics at each width

A net with two hidden layers and batch norm was trained on the UCI digits, at full width only. Your `cut` makes it narrower,
without any further training, and your `recalibrate` measures its statistics again on the training images, without labels.
With new statistics, a net of half the width recognises about twice as many digits as with the old ones.

Look for the widths at which the two lines differ most. At full width they meet, since nothing was cut.
"""

import numpy as np

import tinycompress as tc
from tinycompress import nn
from tinycompress.workshop import style

WIDTHS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)


def measure(exercise):
    """Validation accuracy in percent at each width, with the old statistics and with new ones."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    parts = [nn.Flatten(), nn.Dense(64, 64, bias=False, rng=rng), nn.BatchNorm(64), nn.ReLU()]
    parts += [nn.Dense(64, 32, bias=False, rng=rng), nn.BatchNorm(32), nn.ReLU(), nn.Dense(32, 10, rng=rng)]
    net = nn.Sequential(*parts, input_shape=data.image_shape)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=10, rng=rng, progress=False)
    layers = []
    for dense, norm in ((parts[1], parts[2]), (parts[4], parts[5])):
        layer = {"weight": dense.weight.data, "gamma": norm.weight.data, "beta": norm.bias.data}
        layers.append({**layer, "mean": norm.running_mean, "var": norm.running_var})
    layers.append({"weight": parts[7].weight.data, "bias": parts[7].bias.data})
    layers = [{key: a.astype(float) for key, a in layer.items()} for layer in layers]
    x, y = data.val
    x, images = x.reshape(len(x), -1).astype(float), data.x_train.reshape(len(data.x_train), -1).astype(float)
    found = {"old": [], "new": []}
    for width in WIDTHS:
        small = exercise.cut(layers, width)
        for name, tried in (("old", small), ("new", exercise.recalibrate(small, images, 1e-5))):
            found[name].append(100 * float((exercise.forward(tried, x, 1e-5).argmax(1) == y).mean()))
    return found


def draw(yours, reference):
    """Plot accuracy over width."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        for name, label, color in (("new", "new statistics", "claim"), ("old", "old statistics", "rival")):
            ax.plot(WIDTHS, reference[name], color="0.2", lw=7, alpha=0.3)
            ax.plot(WIDTHS, yours[name], "o-", color=style.COLORS[color], label=f"{label}, by you")
        ax.plot([], [], color="0.2", lw=7, alpha=0.3, label="the solution")
        ax.set(xlabel="width (share of the channels)", ylabel="validation accuracy (%)")
        ax.legend()
    return fig
