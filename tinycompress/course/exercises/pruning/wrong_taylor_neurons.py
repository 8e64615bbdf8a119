"""Plausible wrong answers to taylor_neurons, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("importance", points=4.85, why="takes the absolute value of each product, even within an image")
def absolute_values_first(h, grad):
    return np.abs(h * grad).reshape(-1, h.shape[-1]).sum(0)


@wrong("importance", points=3.85, why="divides by the number of examples once more")
def mean_of_the_mean(h, grad):
    change = h * grad
    return np.abs(change.sum((1, 2)) if change.ndim == 4 else change).mean(0)


@wrong("importance", points=3.85, why="lets helped and harmed examples cancel")
def signs_cancel(h, grad):
    return np.abs((h * grad).reshape(-1, h.shape[-1]).sum(0))


@wrong("comparable", points=5.05, why="divides by the largest score, even if it is 0")
def by_the_largest(scores):
    with np.errstate(invalid="ignore"):
        return [s / s.max() for s in scores]


@wrong("keep", points=3.4, why="uses a threshold, which treats equals alike and may empty a layer")
def threshold(scores, count):
    limit = np.sort(np.concatenate(scores))[count]
    return [s >= limit for s in scores]


@wrong("keep", points=5, why="protects the first of a layer's most important neurons, so that a later equal goes")
def first_of_the_best(scores, count):
    if count > sum(len(s) - 1 for s in scores):
        raise ValueError
    kept = [np.ones(len(s), bool) for s in scores]
    places = [(v, i, k) for i, s in enumerate(scores) for k, v in enumerate(s) if k != np.argmax(s)]
    for _, layer, k in sorted(places)[:count]:
        kept[layer][k] = False
    return kept


@wrong("keep", points=3.25, why="refuses the largest count that can be removed")
def one_less(scores, count):
    if count >= sum(len(s) - 1 for s in scores):
        raise ValueError
    kept = [np.ones(len(s), bool) for s in scores]
    best = [len(s) - 1 - int(np.argmax(s[::-1])) for s in scores]
    places = [(v, i, k) for i, s in enumerate(scores) for k, v in enumerate(s) if k != best[i]]
    for _, layer, k in sorted(places)[:count]:
        kept[layer][k] = False
    return kept


@wrong("comparable", points=5.05, why="divides by the sum instead of the Euclidean norm")
def by_the_sum(scores):
    return [s / s.sum() if s.any() else s for s in scores]


@wrong("importance", points=4.85, why="adds up the pixels, but not with their gradients")
def sums_first(h, grad):
    if h.ndim == 4:
        h, grad = h.sum((1, 2)), grad.sum((1, 2))
    return np.abs(h * grad).sum(0)


@wrong("comparable", points=5.8, why="divides the caller's arrays in place")
def in_place(scores):
    for s in scores:
        s /= np.linalg.norm(s) or 1
    return scores


@wrong("keep", points=5, why="removes the later of equal neurons of a layer first")
def later_first(scores, count):
    if count > sum(len(s) - 1 for s in scores):
        raise ValueError
    kept = [np.ones(len(s), bool) for s in scores]
    best = [len(s) - 1 - int(np.argmax(s[::-1])) for s in scores]
    places = [(v, i, -k) for i, s in enumerate(scores) for k, v in enumerate(s) if k != best[i]]
    for _, layer, k in sorted(places)[:count]:
        kept[layer][-k] = False
    return kept
