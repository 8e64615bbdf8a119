"""# How sharp does a net want its bends?

Your operation is the activation of a small net, trained on the UCI digits with the engine. Each of the 32 neurons begins with
the sharpness b = 1 and learns its own. Left: the loss, with your derivatives. Right: the 32 values of b in the end, sorted.

Look for whether your points lie on the grey lines; and on the right, for how far the neurons have moved from 1, though only
a derivative that you wrote told them which way.
"""

import numpy as np

import tinycompress as tc
from tinycompress.tensor import Tensor, record
from tinycompress.workshop import style

STEPS = 150


def measure(exercise):
    """The loss of every fifth step, and the sharpness of each neuron in the end."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    x = data.x_train.reshape(len(data.x_train), -1).astype(float)
    first = Tensor(rng.normal(size=(x.shape[1], 32)) * (2 / x.shape[1]) ** 0.5, requires_grad=True)
    last = Tensor(rng.normal(size=(32, data.num_classes)) * (1 / 32) ** 0.5, requires_grad=True)
    sharpness = Tensor(np.ones(32), requires_grad=True)
    optimizer = tc.optim.Adam([first, last, sharpness], lr=0.02)
    losses = []
    for number in range(STEPS):
        rows = rng.integers(0, len(x), 128)
        loss = tc.functional.cross_entropy(
            activated(exercise, Tensor(x[rows]) @ first, sharpness) @ last, data.y_train[rows]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number % 5 == 0:
            losses.append(float(loss.data))
    return {"losses": losses, "sharpness": np.sort(sharpness.data).tolist()}


def activated(exercise, h, b):
    """The student's softplus as an operation of the engine."""
    y = exercise.softplus(h.data, b.data)

    def part(k):
        return lambda grad: exercise.gradients(grad, h.data, b.data, y)[k]

    return record(y, (h, part(0)), (b, part(1)))


def draw(yours, reference):
    """Plot the loss over the steps, and the sorted sharpness."""
    with style.applied():
        fig = style.figure(2)
        loss, sharp = fig.axes
        steps = 5 * np.arange(len(reference["losses"]))
        loss.plot(steps, reference["losses"], color="0.2", lw=8, alpha=0.3, label="with the solution")
        loss.plot(steps, yours["losses"], "-", label="with your operation")
        loss.set(xlabel="steps", ylabel="loss", ylim=(0, None))
        loss.legend()
        sharp.plot(reference["sharpness"], color="0.2", lw=8, alpha=0.3)
        sharp.plot(yours["sharpness"], "o")
        sharp.axhline(1, color="0.6", ls="--", label="at the start")
        sharp.set(xlabel="neurons, sorted", ylabel="sharpness b", ylim=(0, None))
        sharp.legend()
    return fig
