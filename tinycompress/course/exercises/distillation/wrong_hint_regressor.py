"""Plausible wrong answers to hint_regressor, and how many of the 11 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("loss_and_gradients", points=9, why="divides by the number of examples, not by the number of rows")
def mean_over_examples(h, t, weight, bias):
    error = (h @ weight + bias - t) / len(h)
    loss = float(len(h) / 2 * (error**2).sum())
    rows, flat = h.reshape(-1, h.shape[-1]), error.reshape(-1, t.shape[-1])
    return loss, error @ weight.T, rows.T @ flat, flat.sum(0)


@wrong("loss_and_gradients", points=7, why="returns the derivatives of a sum, although the loss is a mean")
def sums(h, t, weight, bias):
    error = h @ weight + bias - t
    rows, flat = h.reshape(-1, h.shape[-1]), error.reshape(-1, t.shape[-1])
    return float((flat**2).sum() / 2 / len(flat)), error @ weight.T, rows.T @ flat, flat.sum(0)


@wrong("best_regressor", points=10, why="adds the decay to a sum over the rows, not to their mean")
def decay_of_the_sum(h, t, decay):
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    mean, target = rows.mean(0), targets.mean(0)
    centred = rows - mean
    weight = np.linalg.solve(centred.T @ centred + decay * np.eye(rows.shape[1]), centred.T @ (targets - target))
    return weight, target - mean @ weight


@wrong("best_regressor", points=10, why="decays the bias as well")
def decayed_bias(h, t, decay):
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    rows = np.hstack([rows, np.ones((len(rows), 1))])
    both = np.linalg.solve(rows.T @ rows / len(rows) + decay * np.eye(rows.shape[1]), rows.T @ targets / len(rows))
    return both[:-1], both[-1]


@wrong("explained", points=10, why="uses one mean for all units, which makes any regressor look good")
def one_mean(h, t, weight, bias):
    return float(1 - ((h @ weight + bias - t) ** 2).sum() / ((t - t.mean()) ** 2).sum())
