"""Your own overconfident net.

Its logits for 200 images of {classes} classes, and the labels of the images, are

    rng = numpy.random.default_rng({seed})
    logits = {percent} / 100 * rng.normal(size=(200, {classes}))
    labels = (logits * 100 / {percent} + rng.gumbel(size=logits.shape)).argmax(1)

Which temperature does your `calibrate` find?
"""

import numpy as np

POINTS = 2
NUMBERS = {"classes": range(5, 21), "seed": range(1000, 10_000), "percent": range(150, 600)}


def answer(exercise, classes, seed, percent):
    """A temperature near percent / 100, by which the logits were made too large."""
    rng = np.random.default_rng(seed)
    logits = percent / 100 * rng.normal(size=(200, classes))
    labels = (logits * 100 / percent + rng.gumbel(size=logits.shape)).argmax(1)
    return exercise.calibrate(logits, labels)
