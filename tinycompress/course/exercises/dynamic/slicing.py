"""A narrower net in the same weights (1 hour, 12 points).

A slimmable net runs with the first channels of its hidden layers, at a width that is chosen when it is used (Yu et al.
2019). A layer of 8 to 6 at width 0.5 is the upper left part of its weight, 4 × 3: rows are inputs, columns are outputs. The
first layer keeps all of the inputs, the image; the last one keeps all of the outputs, the classes.

Batch norm does not survive that. It normalises a hidden sum by the mean and the variance that the sum had at full width,
and with half of the inputs the sum has others. They can be measured anew, layer by layer, on some images without labels
(Yu & Huang 2019, section 3.2): each layer must see what the layers before it put out when they are *already* measured anew.

A net is a list of layers; a hidden one is a dict of arrays,

    {"weight": (inputs, outputs), "gamma": (outputs,), "beta": (outputs,), "mean": (outputs,), "var": (outputs,)}
    y = relu(gamma * (x @ weight - mean) / sqrt(var + eps) + beta)

and the last one is {"weight": (inputs, outputs), "bias": (outputs,)}, with y = x @ weight + bias.
"""

import numpy as np


def cut(layers: list, width: float) -> list:
    """The net of that width: a list of dicts with the same keys.

    width: a share above 0, up to 1. A hidden layer of n outputs keeps the first max(1, round(width * n)), by Python's round.
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
    """The same net with mean and var measured on x (N, inputs): a new list of dicts; all else stays.

    var is the mean squared distance from the mean (divided by N).
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
