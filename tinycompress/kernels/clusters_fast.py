"""k-means of single numbers, compiled: see `clusters.py` for the algorithm.

Two things are faster than in NumPy. From step to step a border moves less and less, so that it is searched for near
its last place. And many values at once find their centroids, without branches that the CPU would have to guess.
"""

import numpy as np

from .clusters import prefix_sums
from .jit import jit

TOGETHER = 256
"""Values that are searched for together."""


@jit
def border(ordered, x, guess):
    """How many of the sorted numbers are <= x. Looks near `guess` first, in steps that double, then halves the
    interval."""
    low, high = 0, len(ordered)  # ordered[:low] <= x < ordered[high:]
    step = 1
    if guess < high and ordered[guess] <= x:
        low = guess + 1
        while low + step < high and ordered[low + step] <= x:
            low += step + 1
            step *= 2
        high = min(high, low + step)
    else:
        high = guess
        while high - step > 0 and ordered[high - step] > x:
            high -= step
            step *= 2
        low = max(0, high - step)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] <= x:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def mean(ordered, sums, a, b):
    """Of ordered[a:b]. It lies among them, whatever is rounded, so that centroids stay in order."""
    return min(max((sums[b] - sums[a]) / (b - a), ordered[a]), ordered[b - 1])


@jit
def squared_error(ordered, sums, a, b):
    """Of ordered[a:b]."""
    squares = 0.0
    for i in range(a, b):
        squares += ordered[i] * ordered[i]
    total = sums[b] - sums[a]
    return squares - total * total / (b - a)


@jit
def without_empty(borders, ordered, sums):
    """Replace empty clusters: the worst one that is left is split, until there are as many as before. Borders stay
    sorted."""
    k = len(borders) - 1
    kept = 0
    for j in range(k):
        if borders[j + 1] > borders[j]:
            kept += 1
            borders[kept] = borders[j + 1]
    while kept < k:
        worst, most = 0, -np.inf
        for j in range(kept):
            a, b = borders[j], borders[j + 1]
            if ordered[a] < ordered[b - 1]:
                error = squared_error(ordered, sums, a, b)
                if error > most:
                    worst, most = j, error
        a, b = borders[worst], borders[worst + 1]
        at = mean(ordered, sums, a, b)
        middle = border(ordered, at if at < ordered[b - 1] else ordered[a], a)
        kept += 1
        for j in range(kept, worst + 1, -1):
            borders[j] = borders[j - 1]
        borders[worst + 1] = middle


@jit
def iterate(ordered, sums, centroids, borders, before, iterations):
    """Up to `iterations` steps, in place. `before` are the borders of the step before."""
    k = len(centroids)
    for _ in range(iterations):
        empty = False
        for j in range(1, k):
            borders[j] = border(ordered, (centroids[j - 1] + centroids[j]) / 2, before[j])
            empty |= borders[j] == borders[j - 1]
        if empty or borders[k - 1] == borders[k]:
            without_empty(borders, ordered, sums)
        changed = False
        for j in range(k):
            centroids[j] = mean(ordered, sums, borders[j], borders[j + 1])
            changed |= before[j + 1] != borders[j + 1]
            before[j + 1] = borders[j + 1]
        if not changed:
            break


@jit
def nearest(values, middles, centroids, place, assignments):
    """Fill in the assignments, and return the sum of squares. `middles` has one less than a power of two numbers,
    infinity at the end.

    Many values take each step of their binary searches together. They would go different ways at a branch; so all do
    the same arithmetic instead.
    """
    inertia = 0.0
    half = (len(middles) + 1) // 2
    for start in range(0, len(values), len(place)):
        count = min(len(place), len(values) - start)
        place[:count] = 0
        step = half
        while step > 0:
            for i in range(count):
                j = place[i]
                place[i] = j + (step if middles[j + step - 1] < values[start + i] else 0)
            step //= 2
        for i in range(count):
            assignments[start + i] = place[i]
            distance = values[start + i] - centroids[place[i]]
            inertia += distance * distance
    return inertia


def lloyd(ordered, start, iterations):
    centroids, borders = start.copy(), np.zeros(len(start) + 1, np.int64)
    borders[-1] = len(ordered)
    iterate(ordered, prefix_sums(ordered), centroids, borders, np.zeros_like(borders), iterations)
    return centroids


def assign(values, centroids):
    k = len(centroids)
    centroids = centroids.astype(np.float64)
    middles = np.full((1 << (k - 1).bit_length()) - 1, np.inf)
    middles[: k - 1] = (centroids[:-1] + centroids[1:]) / 2
    assignments = np.empty(len(values), np.min_scalar_type(k - 1))
    return assignments, nearest(values, middles, centroids, np.zeros(TOGETHER, np.int64), assignments)
