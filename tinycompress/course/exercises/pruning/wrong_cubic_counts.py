"""Plausible wrong answers to cubic_counts, and what each is worth of the 6 points."""

from math import ceil

import numpy as np

from tinycompress.course import wrong


@wrong("removed_counts", points=5, why="in floats, which are a hair too large before they are rounded up")
def floats(before, final, steps):
    return [ceil(final + (before - final) * (1 - k / steps) ** 3) for k in range(1, steps + 1)]


@wrong("removed_counts", points=5, why="begins at 0, whatever is removed already")
def from_nothing(before, final, steps):
    return [final - final * (steps - k) ** 3 // steps**3 for k in range(1, steps + 1)]


@wrong("removed_counts", points=3, why="the same number in every step")
def linear(before, final, steps):
    return [before + (final - before) * k // steps for k in range(1, steps + 1)]


@wrong("prune_to", points=4, why="ranks the removed weights, too, so that large ones come back")
def revived(weight, mask, count):
    after = np.ones(mask.shape, bool)
    after.reshape(-1)[np.argsort(np.abs(weight), axis=None, kind="stable")[:count]] = False
    return after


@wrong("prune_to", points=5, why="a threshold, which removes all equals")
def threshold(weight, mask, count):
    gone = int((~mask).sum())
    if not gone <= count <= mask.size:
        raise ValueError
    kept = np.sort(np.abs(weight[mask]))
    return mask if count == gone else mask & (np.abs(weight) > kept[count - gone - 1])
