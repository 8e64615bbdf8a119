"""Plausible wrong answers to cubic_counts, and how many of the 6 points each earns."""

from math import ceil

import numpy as np

from tinycompress.course import wrong


@wrong("removed_counts", points=5, why="uses floats, which may be slightly too large before they are rounded up")
def floats(before, final, steps):
    return [ceil(final + (before - final) * (1 - k / steps) ** 3) for k in range(1, steps + 1)]


@wrong("removed_counts", points=5, why="starts from 0, ignoring `before`")
def from_nothing(before, final, steps):
    return [final - final * (steps - k) ** 3 // steps**3 for k in range(1, steps + 1)]


@wrong("removed_counts", points=3, why="removes the same number in every step")
def linear(before, final, steps):
    return [before + (final - before) * k // steps for k in range(1, steps + 1)]


@wrong("prune_to", points=4, why="ranks the removed weights again, so that large ones come back")
def revived(weight, mask, count):
    after = np.ones(mask.shape, bool)
    after.reshape(-1)[np.argsort(np.abs(weight), axis=None, kind="stable")[:count]] = False
    return after


@wrong("prune_to", points=5, why="uses a threshold, which treats equal magnitudes alike")
def threshold(weight, mask, count):
    gone = int((~mask).sum())
    if not gone <= count <= mask.size:
        raise ValueError
    kept = np.sort(np.abs(weight[mask]))
    return mask if count == gone else mask & (np.abs(weight) > kept[count - gone - 1])
