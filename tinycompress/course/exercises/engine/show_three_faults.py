"""# What the faults cost

Your file trains a net with 16 hidden neurons on the UCI digits, with batches of 400 and momentum 0.9: one epoch after another.
Grey: the repaired file.

Look for how little a faulty file shows. With two of the faults left in, the net still learns; only beside the right curve
does one see that it could do better.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

EPOCHS = 30


def measure(exercise):
    """Validation accuracy in percent after each epoch."""
    data = tc.data.load("digits")
    x, val = (images.reshape(len(images), -1).astype(float) for images in (data.x_train, data.x_val))
    rng = np.random.default_rng(0)
    weights = [0.2 * rng.normal(size=(x.shape[1], 16)), np.zeros(16), 0.2 * rng.normal(size=(16, 10)), np.zeros(10)]
    accuracy = []
    for epoch in range(EPOCHS):
        weights = exercise.train(weights, x, data.y_train, 0.05, 0.9, 400, epoch)
        with np.errstate(all="ignore"):
            z = np.maximum(val @ weights[0] + weights[1], 0) @ weights[2] + weights[3]
        accuracy.append(100 * float((z.argmax(1) == data.y_val).mean()))
    return {"accuracy": accuracy}


def draw(yours, reference):
    """Plot accuracy over epochs."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        epochs = 1 + np.arange(EPOCHS)
        ax.plot(epochs, reference["accuracy"], color="0.2", lw=8, alpha=0.3, label="repaired")
        ax.plot(epochs, yours["accuracy"], "o-", label="your file")
        ax.set(xlabel="epochs", ylabel="validation accuracy (%)", ylim=(0, 101))
        ax.legend(loc="lower right")
    return fig
