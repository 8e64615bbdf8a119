"""# A net that learns by your derivative

Your `forward` and `backward` are the hidden layer, with 32 neurons, of a net that is trained on the UCI digits by plain
gradient descent. With a wrong derivative a net often learns, too, only less and more slowly. That is why derivatives are
checked against difference quotients, and not by the accuracy that they reach.

Look for whether your line follows the grey one exactly: the runs have the same random numbers, so that a right
derivative gives the same accuracies.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

EPOCHS = 15


def measure(exercise):
    """Validation accuracy in percent before training and after each epoch."""
    data = tc.data.load("digits")
    x, val = (images.reshape(len(images), -1).astype(float) for images in (data.x_train, data.x_val))
    rng = np.random.default_rng(0)
    hidden = [rng.normal(size=(x.shape[1], 32)) * (2 / x.shape[1]) ** 0.5, np.zeros(32)]
    last = rng.normal(size=(32, data.num_classes)) * (1 / 32) ** 0.5
    accuracy = []
    for _ in range(EPOCHS + 1):
        right = (exercise.forward(val, *hidden) @ last).argmax(1) == data.y_val
        accuracy.append(100 * float(right.mean()))
        order = rng.permutation(len(x))
        for rows in np.array_split(order, len(x) // 32):
            y = exercise.forward(x[rows], *hidden)
            p = np.exp(y @ last)
            error = p / p.sum(1, keepdims=True)
            error[np.arange(len(rows)), data.y_train[rows]] -= 1
            error /= len(rows)
            _, dweight, dbias = exercise.backward(error @ last.T, x[rows], hidden[0], y)
            last -= 0.2 * y.T @ error
            hidden = [hidden[0] - 0.2 * dweight, hidden[1] - 0.2 * dbias]
    return {"accuracy": accuracy}


def draw(yours, reference):
    """Plot accuracy over epochs."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(reference["accuracy"], color="0.2", lw=8, alpha=0.3, label="with the solution's derivative")
        ax.plot(yours["accuracy"], "o-", label="with yours")
        ax.set(xlabel="epochs of training", ylabel="validation accuracy (%)", ylim=(0, 101))
        ax.legend(loc="lower right")
    return fig
