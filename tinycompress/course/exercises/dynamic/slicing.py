"""A narrower net in the same weights (1 hour, 12 points).

A slimmable net runs with only the first channels of its hidden layers, at a width that is chosen when the net is used (Yu et
al. 2019). At width 0.5, a layer from 8 inputs to 6 outputs is the upper left 4 × 3 part of its weight: rows are inputs,
columns are outputs. The first layer keeps all inputs (the image), and the last layer keeps all outputs (the classes).

Batch norm does not survive this. It normalises each hidden sum by the mean and the variance that the sum had at full width,
but a sum of half of the inputs has another mean and variance. They can be measured again, layer by layer, on some images
without labels (Yu & Huang 2019, section 3.2). Each layer must then see the outputs of layers that *already* use their new
statistics.

A net is a list of layers. A hidden layer is a dict of arrays,

    {"weight": (inputs, outputs), "gamma": (outputs,), "beta": (outputs,), "mean": (outputs,), "var": (outputs,)}
    y = relu(gamma * (x @ weight - mean) / sqrt(var + eps) + beta)

and the last layer is {"weight": (inputs, outputs), "bias": (outputs,)}, with y = x @ weight + bias.
"""

import numpy as np


def cut(layers: list, width: float) -> list:
    """The net at this width: a list of dicts with the same keys.

    width: a share, above 0 and up to 1. A hidden layer with n outputs keeps the first max(1, round(width * n)) of them, with
    Python's `round`.
    """
    ### BEGIN SOLUTION
    small, inputs = [], len(layers[0]["weight"])
    for layer in layers:
        outputs = layer["weight"].shape[1]
        if layer is not layers[-1]:
            outputs = max(1, round(width * outputs))
        small.append({key: a[:inputs, :outputs] if key == "weight" else a[:outputs] for key, a in layer.items()})
        inputs = outputs
    return small
    ### END SOLUTION


def forward(layers: list, x: np.ndarray, eps: float) -> np.ndarray:
    """The net's outputs for x (N, inputs): (N, classes)."""
    ### BEGIN SOLUTION
    for layer in layers[:-1]:
        x = (x @ layer["weight"] - layer["mean"]) / np.sqrt(layer["var"] + eps)
        x = np.maximum(layer["gamma"] * x + layer["beta"], 0)
    return x @ layers[-1]["weight"] + layers[-1]["bias"]
    ### END SOLUTION


def recalibrate(layers: list, x: np.ndarray, eps: float) -> list:
    """The same net with mean and var measured on x (N, inputs): a new list of new dicts, in which all other arrays are unchanged.

    var is the mean squared distance from the mean: divide by N, not by N - 1.
    """
    ### BEGIN SOLUTION
    measured = []
    for layer in layers[:-1]:
        z = x @ layer["weight"]
        layer = {**layer, "mean": z.mean(0), "var": z.var(0)}
        x = np.maximum(layer["gamma"] * (z - layer["mean"]) / np.sqrt(layer["var"] + eps) + layer["beta"], 0)
        measured.append(layer)
    return [*measured, layers[-1]]
    ### END SOLUTION
