"""Plausible wrong answers to taylor_neurons, and how many of the 9 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("importance", points=7, why="takes the absolute value of each product, even within an image")
def absolute_values_first(h, grad):
    return np.abs(h * grad).reshape(-1, h.shape[-1]).sum(0)


@wrong("importance", points=6, why="divides by the number of examples once more")
def mean_of_the_mean(h, grad):
    change = h * grad
    return np.abs(change.sum((1, 2)) if change.ndim == 4 else change).mean(0)


@wrong("importance", points=6, why="lets helped and harmed examples cancel")
def signs_cancel(h, grad):
    return np.abs((h * grad).reshape(-1, h.shape[-1]).sum(0))


@wrong("comparable", points=7, why="divides by the largest score, even if it is 0")
def by_the_largest(scores):
    with np.errstate(invalid="ignore"):
        return [s / s.max() for s in scores]


@wrong("keep", points=7, why="uses a threshold, which treats equals alike and may empty a layer")
def threshold(scores, count):
    limit = np.sort(np.concatenate(scores))[count]
    return [s >= limit for s in scores]
