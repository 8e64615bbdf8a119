"""Plausible wrong answers to taylor_neurons, and what each is worth of the 9 points."""

import numpy as np

from tinycompress.course import wrong


@wrong("importance", points=7, why="the absolute value of each product, also within an image")
def absolute_values_first(h, grad):
    return np.abs(h * grad).reshape(-1, h.shape[-1]).sum(0)


@wrong("importance", points=6, why="divides by the number of examples once more")
def mean_of_the_mean(h, grad):
    change = h * grad
    return np.abs(change.sum((1, 2)) if change.ndim == 4 else change).mean(0)


@wrong("importance", points=6, why="lets examples that are helped and harmed make up for each other")
def signs_cancel(h, grad):
    return np.abs((h * grad).reshape(-1, h.shape[-1]).sum(0))


@wrong("comparable", points=7, why="divides by the largest score, and by 0 where there is none")
def by_the_largest(scores):
    with np.errstate(invalid="ignore"):
        return [s / s.max() for s in scores]


@wrong("keep", points=7, why="a threshold, which takes all equals and whole layers")
def threshold(scores, count):
    limit = np.sort(np.concatenate(scores))[count]
    return [s >= limit for s in scores]
