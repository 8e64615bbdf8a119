"""k-means of single numbers: the k values that stand for all weights of a layer with the least squared error.

Lloyd's algorithm gives each number to its nearest centroid, moves each centroid to the mean of its numbers, and
repeats until nothing changes. On a line this needs no distances at all. In sorted order a cluster is a run of
numbers, which ends half-way between two centroids:

    centroids             c0              c1                    c2
    sorted numbers    x x xx x x    x  xx  x xx x        x x  xxx x x xx
    borders           0            6               13                    22     by binary search for (c0 + c1) / 2 ...

and with the sums of all numbers before each position, a cluster's mean is a difference of two of them over another. A
step takes k searches instead of k distances for each of the numbers.

A cluster that ends up without numbers is lost for good, though a codebook has room for it. The one with the greatest
squared error is then split at its mean, until there are k again; that cannot raise the error either.
"""

from typing import NamedTuple

import numpy as np

from .dispatch import choose
from .shapes import check

MAX_RANGE = 1e140
"""The values are not farther apart than this, so that the squares of their distances, and sums of them, are finite."""

INITS = ("linear", "density", "random")


class Clusters(NamedTuple):
    """What `kmeans_1d` finds. values ~ centroids[assignments]"""

    centroids: np.ndarray  # (k,), rising, of the values' type; fewer if there are fewer different values
    assignments: (
        np.ndarray
    )  # the index of each value's nearest centroid, the lower one on ties, in the values' shape; unsigned
    inertia: float  # the sum of squared distances to them


def kmeans_1d(values, k, init="linear", rng=None, iterations=10_000):
    """Cluster `values`, float32 or float64 of any shape, around at most k centroids: `Clusters`.

    init: where the centroids start (Han et al., "Deep Compression", 2016, section 3.2):
        "linear"    evenly from the least to the greatest value; keeps the few large weights apart, the authors' choice
        "density"   evenly in the order of the values, so that all clusters start with as many of them
        "random"    at k of the values, drawn with `rng`
        or k numbers.
    iterations: at most so many steps; fewer if nothing changes any more, mostly after some hundreds. Then no cluster
    is empty. The order of the values has no influence. TypeError unless they are floats, ValueError if one is not
    finite, or there are none.
    """
    values = np.asarray(values)
    if values.dtype not in (np.float32, np.float64):
        raise TypeError(f"the values should be float32 or float64, but are {values.dtype}; convert with .astype")
    check(values.size > 0, "there are no values to cluster")
    check(k >= 1 and k == int(k), f"the number of clusters is a whole number from 1, not {k}")
    check(iterations >= 0, f"the number of iterations cannot be negative, but is {iterations}")
    flat = np.ascontiguousarray(values).reshape(-1)
    ordered = np.sort(flat)
    check(
        np.isfinite(ordered[0]) and np.isfinite(ordered[-1]),
        "the values should be finite, but some are infinite or NaN",
    )
    centroids = _start(ordered, int(k), init, rng)
    # Distances from a value in the middle: sums of them are exact where sums of large and nearly equal numbers are not.
    origin = np.float64(ordered[len(ordered) // 2])
    shifted = ordered - origin
    check(
        shifted[-1] - shifted[0] < MAX_RANGE,
        "the values are too far apart to square their distances",
    )
    different = np.concatenate([[True], shifted[1:] != shifted[:-1]])
    if np.count_nonzero(different) <= k:
        centroids = ordered[different]
    else:
        found = choose(lloyd_loop, lloyd_numpy, "clusters_fast.lloyd")(shifted, centroids - origin, iterations)
        centroids = np.clip(found + origin, ordered[0], ordered[-1]).astype(values.dtype)
    assignments, inertia = choose(assign_loop, assign_numpy, "clusters_fast.assign")(flat, centroids)
    return Clusters(centroids, assignments.reshape(values.shape), float(inertia))


def _start(ordered, k, init, rng):
    """The first centroids, float64, rising."""
    if not isinstance(init, str):
        centroids = np.sort(np.asarray(init, np.float64))
        check(centroids.shape == (k,), f"{k} clusters start at {k} numbers, but init has the shape {centroids.shape}")
        check(bool(np.isfinite(centroids).all()), "the clusters should start at finite numbers")
        return centroids
    check(init in INITS, f"clusters start {', '.join(map(repr, INITS))}, or at {k} given numbers, not {init!r}")
    if init == "linear":
        return np.linspace(ordered[0], ordered[-1], k, dtype=np.float64)
    if init == "density":
        return ordered[(np.arange(k) * 2 + 1) * len(ordered) // (2 * k)].astype(np.float64)
    check(rng is not None, "a random start needs a source of random numbers: rng=np.random.default_rng(seed)")
    return np.sort(rng.choice(ordered, k, replace=len(ordered) < k).astype(np.float64))


def lloyd_loop(ordered, centroids, iterations):
    centroids, before = centroids.tolist(), None
    for _ in range(iterations):
        clusters = [[] for _ in centroids]
        for x in ordered.tolist():
            clusters[_nearest(x, centroids)].append(x)
        clusters = [cluster for cluster in clusters if cluster]
        while len(clusters) < len(centroids):
            worst = max(range(len(clusters)), key=lambda j: _squared_error(clusters[j]))
            cluster = clusters.pop(worst)
            border = _split(cluster, _mean(cluster))
            clusters[worst:worst] = [x for x in cluster if x <= border], [x for x in cluster if x > border]
        sizes = [len(cluster) for cluster in clusters]
        centroids = [_mean(cluster) for cluster in clusters]
        if sizes == before:
            break
        before = sizes
    return np.array(centroids)


def _nearest(x, centroids):
    """The index of the nearest centroid: how many points half-way between two of them lie below x."""
    return sum(x > (a + b) / 2 for a, b in zip(centroids[:-1], centroids[1:], strict=True))


def _mean(cluster):
    """It lies among its numbers, which are sorted, whatever is rounded, so that centroids stay in order."""
    return min(max(sum(cluster) / len(cluster), cluster[0]), cluster[-1])


def _squared_error(cluster):
    if cluster[0] == cluster[-1]:
        return -np.inf
    return sum(x * x for x in cluster) - sum(cluster) ** 2 / len(cluster)


def _split(cluster, mean):
    """The greatest number of the lower part: at the mean, but no part is to be empty."""
    return mean if mean < cluster[-1] else cluster[0]


def prefix_sums(ordered):
    """The sum of all numbers before each position."""
    sums = np.zeros(len(ordered) + 1)
    np.cumsum(ordered, out=sums[1:])
    return sums


def lloyd_numpy(ordered, centroids, iterations):
    sums = prefix_sums(ordered)
    before = None
    for _ in range(iterations):
        borders = np.searchsorted(ordered, (centroids[:-1] + centroids[1:]) / 2, side="right")
        borders = np.unique(np.concatenate([[0], borders, [len(ordered)]]))
        while len(borders) <= len(centroids):
            clusters = np.split(ordered, borders[1:-1])
            worst = np.argmax([_squared_error(cluster) for cluster in clusters])
            border = _split(clusters[worst], _mean(clusters[worst]))
            borders = np.insert(borders, worst + 1, np.searchsorted(ordered, border, side="right"))
        means = np.diff(sums[borders]) / np.diff(borders)
        centroids = np.clip(means, ordered[borders[:-1]], ordered[borders[1:] - 1])
        if np.array_equal(borders, before):
            break
        before = borders
    return centroids


def assign_loop(values, centroids):
    centroids = centroids.tolist()
    assignments = np.empty(len(values), np.min_scalar_type(len(centroids) - 1))
    inertia = 0.0
    for i, x in enumerate(values.tolist()):
        j = _nearest(x, centroids)
        assignments[i] = j
        inertia += (x - centroids[j]) ** 2
    return assignments, inertia


def assign_numpy(values, centroids):
    centroids = centroids.astype(np.float64)
    assignments = np.searchsorted((centroids[:-1] + centroids[1:]) / 2, values, side="left")
    return assignments.astype(np.min_scalar_type(len(centroids) - 1)), np.sum((values - centroids[assignments]) ** 2)
