"""# What integers change

A net with one hidden layer learns the UCI digits. Your `integer_layer` then runs both of its layers, on bytes from the pixels to
the logits. Left: each logit beside that of the net in floating point. Right: how far the first layer's outputs are off, in steps
of their grid.

Look for the width on the right: an output is rounded itself, which explains half a step to each side. What lies further out
comes from the weights, which were rounded, too.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style


def measure(exercise):
    """Some logits of both nets, the first layer's errors in steps, and both accuracies in percent."""
    data, rng = tc.data.load("digits"), np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (32,), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=15, rng=rng, progress=False)
    (w1, b1, w2, b2), (x, y) = [p.data.astype(float) for p in net.parameters()], data.val
    x = x.reshape(len(x), -1).astype(float)
    hidden = np.maximum(x @ w1 + b1, 0)
    logits = hidden @ w2 + b2
    x_grid, h_grid, y_grid = grid(x), grid(hidden), grid(logits)
    pixels = np.clip(np.rint(x / x_grid[0]) + x_grid[1], 0, 255).astype(np.uint8)
    bytes1 = exercise.integer_layer(pixels, x_grid, w1, b1, h_grid, True)
    bytes2 = exercise.integer_layer(bytes1, h_grid, w2, b2, y_grid, False)
    errors = np.asarray(bytes1, float) - h_grid[1] - hidden / h_grid[0]
    found = y_grid[0] * (np.asarray(bytes2, float) - y_grid[1])
    return {
        "float": logits[:40].ravel().tolist(),
        "integer": found[:40].ravel().tolist(),
        "errors": errors[hidden > 0][:2000].tolist(),
        "accuracy": [100 * float((z.argmax(1) == y).mean()) for z in (logits, found)],
    }


def grid(values):
    """(scale, zero) of 256 steps that cover the values and 0."""
    low, high = min(values.min(), 0), max(values.max(), 0)
    return float((high - low) / 255), int(np.rint(-low / (high - low) * 255))


def draw(yours, reference):
    """Plot the logits against each other, and the errors of the first layer."""
    with style.applied():
        fig = style.figure(2)
        logits, errors = fig.axes
        logits.axline((0, 0), slope=1, color="0.2", lw=6, alpha=0.2)
        logits.plot(yours["float"], yours["integer"], ".", ms=4)
        title = "{:.1f} % right in floats, {:.1f} % in integers".format(*yours["accuracy"])
        logits.set(xlabel="logits in floating point", ylabel="your logits", title=title)
        bins = np.linspace(-2, 2, 41)
        errors.hist(np.clip(reference["errors"], -2, 2), bins, color="0.2", alpha=0.2, label="the solution")
        errors.hist(np.clip(yours["errors"], -2, 2), bins, histtype="step", lw=2, label="yours")
        errors.set(xlabel="error of the first layer (steps)", ylabel="outputs")
        errors.legend()
    return fig
