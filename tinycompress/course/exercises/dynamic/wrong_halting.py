"""Plausible wrong answers to halting, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("stop_probabilities", points=4.3, why="does not make the last exit stop")
def may_never_stop(h):
    return np.vstack([np.ones((1, h.shape[1])), np.cumprod(1 - h[:-1], axis=0)]) * h


@wrong("stop_probabilities", points=4.3, why="takes h itself for the probability")
def h_itself(h):
    p = h.copy()
    p[-1] = 1 - h[:-1].sum(0)
    return p


@wrong("stop_probabilities", points=4.5, why="looks at the exit before alone")
def one_before(h):
    come = np.vstack([np.ones((1, h.shape[1])), 1 - h[:-1]])
    p = come * h
    p[-1] = 1 - p[:-1].sum(0)
    return p


@wrong("stop_probabilities", points=4.3, why="divides by the sum to make it 1")
def normalised(h):
    p = np.vstack([np.ones((1, h.shape[1])), np.cumprod(1 - h[:-1], axis=0)]) * h
    return p / np.maximum(p.sum(0), 1e-12)


def _with(h, p, losses, costs, price, later=True, mean=True, last=False):
    bill = losses + price * costs[:, None]
    grad = np.zeros(h.shape)
    grad[:-1] = p[:-1] * bill[:-1] / h[:-1]
    if later:
        grad[:-1] -= np.cumsum((p * bill)[::-1], axis=0)[::-1][1:] / (1 - h[:-1])
    if last:
        grad[-1] = p[-1] * bill[-1] / h[-1]
    return float((p * bill).sum(0).mean()), grad / (h.shape[1] if mean else 1)


@wrong("loss_and_gradient", points=4, why="forgets that later exits lose what an earlier one gains")
def nothing_later(h, p, losses, costs, price):
    return _with(h, p, losses, costs, price, later=False)


@wrong("loss_and_gradient", points=4.2, why="returns the derivative of a sum over the images")
def of_the_sum(h, p, losses, costs, price):
    return _with(h, p, losses, costs, price, mean=False)


@wrong("loss_and_gradient", points=4, why="gives the last h a derivative, which does not matter")
def the_last_too(h, p, losses, costs, price):
    return _with(h, p, losses, costs, price, last=True)


@wrong("loss_and_gradient", points=3, why="leaves out the price")
def free_of_charge(h, p, losses, costs, price):
    return _with(h, p, losses, costs, 0.0)


@wrong("stops", points=4.7, why="stops at the most likely exit")
def most_likely(p, share):
    return p.argmax(0)


@wrong("stops", points=4.7, why="stops at the first exit whose own p reaches the share")
def by_p(p, share):
    good = p >= share
    good[-1] = True
    return good.argmax(0)


@wrong("stops", points=5.6, why="makes no allowance for rounding, so that a sum of almost 1 stops at exit 0")
def without_allowance(p, share):
    return (np.cumsum(p, axis=0) >= share).argmax(0)


@wrong("stop_probabilities", points=5.7, why="sets h to 1 at the last exit, in the caller's array")
def in_place(h):
    h[-1] = 1
    return np.vstack([np.ones((1, h.shape[1])), np.cumprod(1 - h[:-1], axis=0)]) * h
