"""Plausible wrong answers to cubic_counts, and how many of the 4 points each earns."""

from math import ceil

import numpy as np

from tinycompress.course import wrong


@wrong("removed_counts", points=3.4, why="uses floats, which may be slightly too large before they are rounded up")
def floats(before, final, steps):
    return [ceil(final + (before - final) * (1 - k / steps) ** 3) for k in range(1, steps + 1)]


@wrong("removed_counts", points=3, why="starts from 0, ignoring `before`")
def from_nothing(before, final, steps):
    return [final - final * (steps - k) ** 3 // steps**3 for k in range(1, steps + 1)]


@wrong("removed_counts", points=1.8, why="removes the same number in every step")
def linear(before, final, steps):
    return [before + (final - before) * k // steps for k in range(1, steps + 1)]


@wrong("removed_counts", points=3.6, why="computes in 64 bits, which a billion weights and thousands of steps exceed")
def in_64_bits(before, final, steps):
    k = np.arange(1, steps + 1)
    return (final - (final - before) * (steps - k) ** 3 // steps**3).tolist()


@wrong("removed_counts", points=2, why="rounds to the nearest number")
def nearest(before, final, steps):
    return [final - round(float(final - before) * ((steps - k) / steps) ** 3) for k in range(1, steps + 1)]


@wrong("prune_to", points=3, why="removes the last of equal magnitudes")
def last_of_equals(weight, mask, count):
    if not np.sum(~mask) <= count <= mask.size:
        raise ValueError
    magnitude = np.where(mask, np.abs(weight), -1).ravel()
    order = sorted(range(mask.size), key=lambda i: (magnitude[i], -i))
    after = mask.copy()
    after.reshape(-1)[order[:count]] = False
    return after


@wrong("prune_to", points=3, why="takes a removed weight for one of magnitude 0, so that kept zeros stay in its place")
def removed_are_zeros(weight, mask, count):
    if not np.sum(~mask) <= count <= mask.size:
        raise ValueError
    after = np.ones(mask.shape, bool)
    after.reshape(-1)[np.argsort(np.abs(weight) * mask, axis=None, kind="stable")[:count]] = False
    return after


@wrong("prune_to", points=2.4, why="refuses to remove nothing")
def something_must_go(weight, mask, count):
    if not np.sum(~mask) < count <= mask.size:
        raise ValueError
    after = mask.copy()
    after.reshape(-1)[np.argsort(np.where(mask, np.abs(weight), -1), axis=None, kind="stable")[:count]] = False
    return after


@wrong("prune_to", points=3.4, why="refuses to remove all weights")
def something_must_stay(weight, mask, count):
    if not np.sum(~mask) <= count < mask.size:
        raise ValueError
    after = mask.copy()
    after.reshape(-1)[np.argsort(np.where(mask, np.abs(weight), -1), axis=None, kind="stable")[:count]] = False
    return after


@wrong("prune_to", points=2.4, why="ranks the removed weights again, so that large ones come back")
def revived(weight, mask, count):
    after = np.ones(mask.shape, bool)
    after.reshape(-1)[np.argsort(np.abs(weight), axis=None, kind="stable")[:count]] = False
    return after


@wrong("prune_to", points=3, why="uses a threshold, which treats equal magnitudes alike")
def threshold(weight, mask, count):
    gone = int((~mask).sum())
    if not gone <= count <= mask.size:
        raise ValueError
    kept = np.sort(np.abs(weight[mask]))
    return mask if count == gone else mask & (np.abs(weight) > kept[count - gone - 1])


@wrong("prune_to", points=3.7, why="changes the old mask instead of a copy")
def in_place(weight, mask, count):
    if not np.sum(~mask) <= count <= mask.size:
        raise ValueError
    order = np.argsort(np.where(mask, np.abs(weight), -1), axis=None, kind="stable")
    mask[np.unravel_index(order[:count], mask.shape)] = False
    return mask


@wrong(
    "removed_counts",
    points=3.4,
    why="subtracts a small number before it rounds up, so that a hair too much does not count",
)
def with_a_tolerance(before, final, steps):
    return [ceil(final + (before - final) * (1 - k / steps) ** 3 - 1e-6) for k in range(1, steps + 1)]


@wrong("prune_to", points=3, why="removes the first of equal magnitudes in the order of memory")
def in_the_order_of_memory(weight, mask, count):
    gone = int((~mask).sum())
    if not gone <= count <= mask.size:
        raise ValueError
    layout = "C" if weight.flags.c_contiguous else "F"
    kept = mask.flatten(layout)
    there = np.flatnonzero(kept)
    order = np.argsort(np.abs(weight.flatten(layout)[there]), kind="stable")
    kept[there[order[: count - gone]]] = False
    return kept.reshape(mask.shape, order=layout)
