"""# How many images may leave

Two nets were trained on the UCI digits: a small one, which answers first, and a larger one for images that do not leave. On
validation images your `choose_threshold` finds a threshold for each of several accuracies. Your `judge` then applies it to
the test images, which nothing was fitted to: how many leave, and how many answers are right?

Look for how far the test accuracy lies from the one asked for: a threshold that just suffices on validation images
was also chosen for their noise.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

LOSSES = (0, 0.5, 1, 2, 3, 4)  # percent of the validation images


def measure(exercise):
    """For each loss of validation accuracy that is allowed, the percentages of test images that leave and that are right."""
    data = tc.data.load("digits")
    nets = []
    for widths, epochs in (((10,), 20), ((64,), 20)):
        rng = np.random.default_rng(0)
        net = tc.models.mlp(data.image_shape, widths, data.num_classes, rng=rng)
        sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        tc.fit(net, data.train, optimizer=sgd, epochs=epochs, rng=rng, progress=False)
        nets.append(net)
    tables = []
    for x, y in data.val, data.test:
        early, late = (tc.predict(net, x) for net in nets)
        tables.append((exercise.entropy(early), early.argmax(1) == y, late.argmax(1) == y))
    best = float(tables[0][2].mean())
    found = {"leave": [], "right": []}
    for loss in LOSSES:
        threshold = exercise.choose_threshold(*tables[0], best - loss / 100)
        for name, share in zip(found, exercise.judge(*tables[1], threshold), strict=True):
            found[name].append(100 * float(share))
    return found


def draw(yours, reference):
    """Plot accuracy over the share that leaves."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(reference["leave"], reference["right"], color="0.2", lw=7, alpha=0.3, label="the solution's thresholds")
        ax.plot(yours["leave"], yours["right"], "o-", label="your thresholds")
        ax.set(xlabel="test images that leave early (%)", ylabel="test accuracy (%)")
        ax.legend()
    return fig
