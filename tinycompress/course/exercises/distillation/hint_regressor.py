"""Hints from the teacher's hidden layer (45 minutes, 9 points).

A hint is a hidden layer of the teacher that a hidden layer of the student should learn to predict (Romero et al. 2015,
FitNets). The two layers have different widths. So a small extra layer, the regressor, translates the student's outputs h
into the teacher's t: t ~ h W + b. It is used only in training, which minimises the squared error

    L = 1 / (2 M) * sum over all M rows of |h W + b - t|^2

A row is an example. For images, a row is a pixel of an example: the regressor is then a 1 x 1 convolution, shared by all
pixels.
"""

import numpy as np


def loss_and_gradients(h: np.ndarray, t: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple:
    """The loss L above, and its derivatives by h, weight and bias.

    h: (batch, s) or (batch, height, width, s), for s units of the student; t: the same, but with the teacher's t units in
    the last axis; weight: (s, t); bias: (t,). Returns (loss, dL/dh, dL/dweight, dL/dbias), the derivatives with the shapes
    of h, weight and bias.
    """
    ### BEGIN SOLUTION
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    error = (rows @ weight + bias - targets) / len(rows)
    loss = float(len(rows) / 2 * (error**2).sum())
    return loss, (error @ weight.T).reshape(h.shape), rows.T @ error, error.sum(0)
    ### END SOLUTION


def best_regressor(h: np.ndarray, t: np.ndarray, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """The weight and bias that minimise L + decay / 2 * |weight|^2, where decay > 0; the bias is not decayed.

    h, t: as above. Returns (weight (s, t), bias (t,)). It must also work if some units of h are constant or equal.
    """
    ### BEGIN SOLUTION
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    mean, target = rows.mean(0), targets.mean(0)
    centred = rows - mean
    squares = centred.T @ centred / len(rows) + decay * np.eye(rows.shape[1])
    weight = np.linalg.solve(squares, centred.T @ (targets - target) / len(rows))
    return weight, target - mean @ weight
    ### END SOLUTION


def explained(h: np.ndarray, t: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> float:
    """The share of the teacher layer's variance that the regressor explains: 1 - |h W + b - t|^2 / |t - mean of t|^2.

    Both squares are summed over all rows and units; each unit has its own mean over the rows. 1 means that everything is
    explained, 0 that the regressor is no better than the mean; the share may be negative.
    """
    ### BEGIN SOLUTION
    targets = t.reshape(-1, t.shape[-1])
    error = h.reshape(-1, h.shape[-1]) @ weight + bias - targets
    return float(1 - (error**2).sum() / ((targets - targets.mean(0)) ** 2).sum())
    ### END SOLUTION
