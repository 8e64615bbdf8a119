"""Slimming: a pull that removes whole channels (25 minutes, 5 points).

Batch norm ends each hidden layer with one factor gamma per channel. If training adds a pull towards 0 to all of them, those of
channels that matter little become exactly 0, and these channels can be removed from the net (Liu et al. 2017, "Learning
Efficient Convolutional Networks through Network Slimming"). The pull is the penalty strength * |gamma|. A gradient step
would only make gamma jump about 0. A proximal step lands on it: first the step for the loss alone, then gamma moves towards
0 by lr * strength, and stops there.

    gamma 0.5, gradient 1, lr 0.1, strength 2:     0.5 - 0.1 = 0.4,    then 0.4 - 0.2 = 0.2
    gamma 0.5, gradient 4, lr 0.1, strength 2:     0.5 - 0.4 = 0.1,    which is less than 0.2, so that gamma is 0

A channel with gamma 0 is not silent: its output is constant, relu(beta). The layer that reads it adds that up, like a bias.
Here a layer is y = relu(gamma * (x @ weight - mean) / sqrt(var + eps) + beta), and its reader is y @ reader + reader_bias.
"""

import numpy as np


def pulled(gamma: np.ndarray, grad: np.ndarray, lr: float, strength: float) -> np.ndarray:
    """gamma after a proximal step: a new array, in the dtype of gamma. grad: the derivative of the loss without penalty."""
    ### BEGIN SOLUTION
    moved = gamma - lr * grad
    return (np.sign(moved) * np.maximum(np.abs(moved) - lr * strength, 0)).astype(gamma.dtype)
    ### END SOLUTION


def kept_channels(gammas: list) -> list:
    """Which channels stay: an array of booleans per layer, True where gamma is not 0.

    A layer in which all are 0 keeps one channel, the first one, since nothing could pass through it otherwise.
    """
    ### BEGIN SOLUTION
    kept = [gamma != 0 for gamma in gammas]
    for mask in kept:
        mask[0] |= not mask.any()
    return kept
    ### END SOLUTION


def slim(layer: dict, reader: np.ndarray, reader_bias: np.ndarray, kept: np.ndarray) -> tuple:
    """(layer, reader, reader_bias) without the channels that are not kept, whose gamma is 0. The outputs do not change.

    layer: a dict of arrays, "weight" (inputs, channels) and "gamma", "beta", "mean", "var" (channels,); reader: (channels,
    outputs); reader_bias: (outputs,); kept: (channels,) booleans. Return a new dict with the same keys; no argument may be
    changed.
    """
    ### BEGIN SOLUTION
    constant = np.maximum(layer["beta"], 0)
    smaller = {name: part[..., kept] for name, part in layer.items()}
    return smaller, reader[kept], reader_bias + constant[~kept] @ reader[~kept]
    ### END SOLUTION
