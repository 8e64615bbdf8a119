"""# A depthwise layer learns

Two channels of digits are filtered, each by its own 3×3 edge detector. Your `depthwise` and your `weight_gradient` have to find
these two filters, in 30 steps of gradient descent that start from zeros, with a stride of 2. If both functions are right,
the error falls almost to 0.

Look for a line that is straight on this scale, because each step removes about the same share of the error. If yours
flattens out, the derivative is wrong.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

STEPS, RATE = 30, 0.4


def measure(exercise):
    """The mean squared error before each step, in percent of the first one."""
    x = np.repeat(tc.data.load("digits").x_train[:100].astype(float), 2, axis=3)
    x -= x.mean()
    sobel = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]) / 4
    target = exercise.depthwise(x, np.stack([sobel, sobel.T], axis=2), 2, 1)
    weight, found = np.zeros((3, 3, 2)), []
    for _ in range(STEPS):
        error = exercise.depthwise(x, weight, 2, 1) - target
        found.append(float((error**2).mean()))
        count = error[..., 0].size
        weight = weight - RATE * exercise.weight_gradient(x, 2 * error / count, (3, 3), 2, 1)
    return {"error": [100 * e / found[0] for e in found]}


def draw(yours, reference):
    """Plot the error over steps."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(reference["error"], color="0.2", lw=7, alpha=0.3, label="with the solution")
        ax.plot(yours["error"], label="with your functions")
        ax.set(xlabel="steps of gradient descent", ylabel="squared error (% of the first)", yscale="log")
        ax.legend()
    return fig
