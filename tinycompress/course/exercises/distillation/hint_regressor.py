"""What the teacher's hidden layer hints at (45 minutes, 11 points).

A hint is a hidden layer of the teacher that a hidden layer of the student should be able to say (Romero et al. 2015, FitNets).
The two have different widths, so that a small layer of its own, the regressor, translates: t ~ h W + b. It is used in
training only. The student is paid for the squared error that is left,

    L = 1 / (2 M) * sum over all M rows of |h W + b - t|^2

where a row is an example, and for images each pixel of each example: the regressor is then a 1 x 1 convolution, and all
pixels share it.
"""

import numpy as np


def loss_and_gradients(h: np.ndarray, t: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple:
    """The loss above, and its derivatives by h, weight and bias.

    h: (batch, s) or (batch, height, width, s); t: the same with another last axis, t; weight: (s, t); bias: (t,).
    Returns (loss, dL/dh, dL/dweight, dL/dbias), the derivatives in the shapes of what they belong to.
    """
    ### BEGIN SOLUTION
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    error = (rows @ weight + bias - targets) / len(rows)
    loss = float(len(rows) / 2 * (error**2).sum())
    return loss, (error @ weight.T).reshape(h.shape), rows.T @ error, error.sum(0)
    ### END SOLUTION


def best_regressor(h: np.ndarray, t: np.ndarray, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """The weight and bias that make L + decay / 2 * |weight|^2 least; the bias is not decayed. decay > 0.

    h, t: as above. Returns (weight (s, t), bias (t,)). Also where units of h always say the same, or the same as others.
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
    """Which share of the teacher layer's variance the regressor explains: 1 - |h W + b - t|^2 / |t - mean of t|^2, each summed
    over rows and units. 1 is all of it, 0 no better than the mean, and it may be negative. The mean is of each unit.
    """
    ### BEGIN SOLUTION
    targets = t.reshape(-1, t.shape[-1])
    error = h.reshape(-1, h.shape[-1]) @ weight + bias - targets
    return float(1 - (error**2).sum() / ((targets - targets.mean(0)) ** 2).sum())
    ### END SOLUTION
