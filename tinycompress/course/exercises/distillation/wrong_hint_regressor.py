"""Plausible wrong answers to hint_regressor, and how many of the 9 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("loss_and_gradients", points=7.4, why="divides by the number of examples, not by the number of rows")
def mean_over_examples(h, t, weight, bias):
    error = (h @ weight + bias - t) / len(h)
    loss = float(len(h) / 2 * (error**2).sum())
    rows, flat = h.reshape(-1, h.shape[-1]), error.reshape(-1, t.shape[-1])
    return loss, error @ weight.T, rows.T @ flat, flat.sum(0)


@wrong("loss_and_gradients", points=5.8, why="returns the derivatives of a sum, although the loss is a mean")
def sums(h, t, weight, bias):
    error = h @ weight + bias - t
    rows, flat = h.reshape(-1, h.shape[-1]), error.reshape(-1, t.shape[-1])
    return float((flat**2).sum() / 2 / len(flat)), error @ weight.T, rows.T @ flat, flat.sum(0)


@wrong("best_regressor", points=7, why="adds the decay to a sum over the rows, not to their mean")
def decay_of_the_sum(h, t, decay):
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    mean, target = rows.mean(0), targets.mean(0)
    centred = rows - mean
    weight = np.linalg.solve(centred.T @ centred + decay * np.eye(rows.shape[1]), centred.T @ (targets - target))
    return weight, target - mean @ weight


@wrong("best_regressor", points=7, why="decays the bias as well")
def decayed_bias(h, t, decay):
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    rows = np.hstack([rows, np.ones((len(rows), 1))])
    both = np.linalg.solve(rows.T @ rows / len(rows) + decay * np.eye(rows.shape[1]), rows.T @ targets / len(rows))
    return both[:-1], both[-1]


@wrong("explained", points=7.3, why="uses one mean for all units, which makes any regressor look good")
def one_mean(h, t, weight, bias):
    return float(1 - ((h @ weight + bias - t) ** 2).sum() / ((t - t.mean()) ** 2).sum())


@wrong("best_regressor", points=7, why="leaves out the decay")
def without_decay(h, t, decay):
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    centred = rows - rows.mean(0)
    weight = np.linalg.pinv(centred) @ (targets - targets.mean(0))
    return weight, targets.mean(0) - rows.mean(0) @ weight


@wrong("explained", points=7.3, why="averages the shares of the units, each with its own variance")
def mean_of_shares(h, t, weight, bias):
    targets = t.reshape(-1, t.shape[-1])
    error = h.reshape(-1, h.shape[-1]) @ weight + bias - targets
    return float((1 - (error**2).sum(0) / ((targets - targets.mean(0)) ** 2).sum(0)).mean())


@wrong("explained", points=7.3, why="never returns less than 0")
def never_negative(h, t, weight, bias):
    targets = t.reshape(-1, t.shape[-1])
    error = h.reshape(-1, h.shape[-1]) @ weight + bias - targets
    return max(0.0, float(1 - (error**2).sum() / ((targets - targets.mean(0)) ** 2).sum()))


@wrong("loss_and_gradients", points=5.6, why="forgets the factor 1/2 of the loss")
def without_one_half(h, t, weight, bias):
    rows, targets = h.reshape(-1, h.shape[-1]), t.reshape(-1, t.shape[-1])
    error = rows @ weight + bias - targets
    mean = error / len(rows)
    return float((error**2).sum() / len(rows)), (mean @ weight.T).reshape(h.shape), rows.T @ mean, mean.sum(0)
