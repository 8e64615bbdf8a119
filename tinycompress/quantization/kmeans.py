"""k-means in one dimension: the k values that represent all weights of a layer with the least squared error.

In the plane this is NP-hard, but on a line the optimum can be computed. In sorted order a cluster is a run of consecutive
numbers. The best q runs of the first j numbers are a last run plus the best q - 1 runs of the numbers before it. This
gives a dynamic program over q and j. The three variants are three algorithms for it, all of them exact:

    loop     try every start of the last run                        O(k n²)
    numpy    the best start never moves back as j grows             O(k n log n), and k n indices in memory
    fast     price each run instead of counting the runs            O(n log n) for any k, repeated about ten times

"k-means" usually means Lloyd's algorithm, which depends on its start and may end far from the optimum. It assigns each
number to its nearest centroid, moves each centroid to the mean of its numbers, and repeats until nothing changes. On a
line this needs no distances, since a run ends half-way between two centroids:

    centroids             c0              c1                    c2
    sorted numbers    x x xx x x    x  xx  x xx x        x x  xxx x x xx
    borders           0            6               13                    22     by binary search for (c0 + c1) / 2 ...

With prefix sums of the sorted numbers, the mean of a cluster is the difference of two of them divided by its size. So a
step takes k binary searches instead of k distances per number.

A cluster that becomes empty would stay empty and waste an entry of the codebook. Instead, the cluster with the largest
squared error is split at its mean until there are k again. This cannot raise the error either.

Wang & Song 2011, Ckmeans.1d.dp: Optimal k-means Clustering in One Dimension by Dynamic Programming; Grønlund et al.
2017, Fast Exact k-Means, k-Medians and Bregman Divergence Clustering in 1D; Lloyd 1982, Least Squares Quantization in
PCM.
"""

import functools
from typing import NamedTuple

import numpy as np

from ..kernels.runtime.dispatch import choose
from ..kernels.shapes import check

MAX_RANGE = 1e140
"""Largest range of the values: their squared distances, and sums of these, stay finite."""

INITS = ("optimal", "linear", "density", "random")


@functools.cache
def _fast():
    from . import kmeans_fast

    return kmeans_fast


class Clusters(NamedTuple):
    """The result of `kmeans_1d`: values ≈ centroids[assignments]."""

    centroids: np.ndarray  # (k,), ascending, the dtype of the values; fewer if there are fewer distinct values
    assignments: (
        np.ndarray
    )  # the index of each value's nearest centroid (the lower one on ties), in the shape of the values; unsigned
    inertia: float  # the sum of squared distances to the assigned centroids


def kmeans_1d(values, k, init="optimal", rng=None, iterations=10_000):
    """Cluster `values`, float32 or float64 of any shape, around at most k centroids; returns `Clusters`.

    init:
        "optimal"   the global optimum, exact up to rounding; if several clusterings are equally good, any of them.
                    No start of Lloyd's algorithm does better
        The others are starts of Lloyd's algorithm, which ends at a local optimum (Han et al. 2016, Deep Compression,
        section 3.2):
        "linear"    evenly spaced from the smallest to the largest value. The authors' choice: it keeps the few large
                    weights apart
        "density"   at evenly spaced quantiles, so that all clusters start with equally many values
        "random"    at k of the values, drawn with `rng`
        k numbers   at these
    iterations: the maximum number of Lloyd steps. No step raises the error, after the first one no cluster is empty,
    and the steps stop early if nothing changes, usually after a few hundred. The result does not depend on the order
    of the values. Raises TypeError unless the values are float32 or float64, ValueError if there are none or some are
    not finite.
    """
    values = np.asarray(values)
    if values.dtype not in (np.float32, np.float64):
        raise TypeError(f"the values should be float32 or float64, but are {values.dtype}; convert them with .astype")
    check(values.size > 0, "there are no values to cluster")
    check(k >= 1 and k == int(k), f"the number of clusters should be a whole number from 1 on, not {k}")
    k = int(k)
    check(iterations >= 0, f"the number of iterations cannot be negative, but is {iterations}")
    flat = np.ascontiguousarray(values).reshape(-1)
    ordered = np.sort(flat)
    check(
        np.isfinite(ordered[0]) and np.isfinite(ordered[-1]),
        "the values should be finite, but some are infinite or NaN",
    )
    start = _start(ordered, k, init, rng)
    # Work with distances from the median: sums of large, nearly equal numbers would lose digits.
    origin = np.float64(ordered[len(ordered) // 2])
    shifted = ordered - origin
    check(
        shifted[-1] - shifted[0] < MAX_RANGE,
        f"the values are too far apart: their range must stay below {MAX_RANGE}, so that squared distances are finite",
    )
    first = np.flatnonzero(np.append(True, shifted[1:] != shifted[:-1]))  # the start of each distinct value
    if len(first) <= k:
        centroids = ordered[first]
    else:
        found = _optimum(shifted, first, k) if start is None else _lloyd(shifted, start - origin, iterations)
        centroids = np.clip(found + origin, ordered[0], ordered[-1]).astype(values.dtype)
    assignments, inertia = _assign(flat, centroids)
    return Clusters(centroids, assignments.reshape(values.shape), float(inertia))


def _start(ordered, k, init, rng):
    """The initial centroids, float64, ascending; None for "optimal"."""
    if not isinstance(init, str):
        centroids = np.sort(np.asarray(init, np.float64))
        check(centroids.shape == (k,), f"init should have {k} numbers, one per cluster, not shape {centroids.shape}")
        check(bool(np.isfinite(centroids).all()), "init should have finite numbers only")
        return centroids
    check(init in INITS, f"init should be one of {', '.join(map(repr, INITS))}, or {k} numbers, not {init!r}")
    if init == "optimal":
        return None
    if init == "linear":
        return np.linspace(ordered[0], ordered[-1], k, dtype=np.float64)
    if init == "density":
        return ordered[(np.arange(k) * 2 + 1) * len(ordered) // (2 * k)].astype(np.float64)
    check(rng is not None, "init='random' needs a random generator: rng=np.random.default_rng(seed)")
    return np.sort(rng.choice(ordered, k, replace=len(ordered) < k).astype(np.float64))


# The optimum ---------------------------------------------------------------------------------------------------------


def _optimum(ordered, first, k):
    """The centroids of least squared error, float64, ascending. first: the start of each distinct value, more than k.

    The errors of runs are differences of sums over all values, which lose precision where values lie close together but
    far from the rest. So gaps that no optimal run spans are shortened first. A run that spans a gap has an error of at
    least half the gap's square; if this exceeds the total error that Lloyd's algorithm finds, the run is not optimal.
    """
    scale = np.frexp(ordered[-1] - ordered[0])[1]  # scaling by a power of two is exact, and no square underflows
    x = np.ldexp(ordered, -scale)
    _, enough = _assign(x, _lloyd(x, np.linspace(x[0], x[-1], k), 100))
    gaps = np.minimum(np.diff(x), 1.5 * np.sqrt(enough) + 1e-150)
    closer = np.append(0.0, np.cumsum(gaps))
    sums = moments(closer - closer[len(x) // 2], first)
    borders = choose(optimal_loop, optimal_numpy, lambda: _fast().optimal)(sums, k)
    ends = np.append(first, len(x))[borders]
    means = np.add.reduceat(x, ends[:-1]) / np.diff(ends)
    return np.ldexp(np.clip(means, x[ends[:-1]], x[ends[1:] - 1]), scale)


def moments(ordered, first):
    """The number of values before each distinct one and before the end, their sum, and the sum of their squares.

    (3, m + 1) for m distinct values, which start at the indices `first`. Equal values always share a cluster.
    """
    borders = np.append(first, len(ordered))
    return np.stack([borders, prefix_sums(ordered)[borders], prefix_sums(ordered**2)[borders]])


def within(sums, i, j):
    """The sum of squared distances of the distinct values i to j - 1 from their mean. i, j: integers or arrays."""
    count, total, squares = sums[:, j] - sums[:, i]
    return squares - total * total / count


def optimal_loop(sums, k):
    """The borders of the best k runs of the m distinct values of `moments`: k + 1 integers from 0 to m."""
    m = sums.shape[1] - 1
    least = np.full((k + 1, m + 1), np.inf)  # least[q, j]: the error of the best q runs of the first j values
    begin = np.zeros((k + 1, m + 1), np.int64)  # begin[q, j]: where the last of these runs begins
    least[0, 0] = 0
    for q in range(1, k + 1):
        for j in range(q, m + 1):
            for i in range(q - 1, j):
                error = least[q - 1, i] + within(sums, i, j)
                if error < least[q, j]:
                    least[q, j], begin[q, j] = error, i
    return _trace(begin)


def _trace(begin):
    """The borders, traced from the start of the last run back to the first."""
    borders = [begin.shape[1] - 1]
    for row in begin[:0:-1]:
        borders.append(row[borders[-1]])
    return np.array(borders[::-1])


def optimal_numpy(sums, k):
    m = sums.shape[1] - 1
    least = np.append(0.0, np.full(m, np.inf))
    begin = np.zeros((k + 1, m + 1), np.int32)
    for q in range(1, k + 1):
        least, begin[q] = _one_run_more(sums, least)
    return _trace(begin)


def _one_run_more(sums, before):
    """From the errors of the best q - 1 runs of the first 0 to m values: the errors of q runs, and their last starts.

    The best start of the last run never moves back as j grows, so divide and conquer applies. The j in the middle tries
    all starts. The j in the middle of the left half only tries starts up to the best one found, and the j in the middle
    of the right half those from it on, and so on. Each round tries about m starts for all its j together.
    """
    m = len(before) - 1
    least = np.full(m + 1, np.inf)
    begin = np.append(np.zeros(m + 1, np.int64), m)
    for half in 1 << np.arange(m.bit_length())[::-1]:
        j = np.arange(half, m + 1, 2 * half)
        low, high = begin[j - half], np.minimum(begin[np.minimum(j + half, m + 1)], j - 1)
        sizes = high - low + 1
        starts = np.cumsum(sizes) - sizes
        i = np.arange(sizes.sum()) + np.repeat(low - starts, sizes)  # low … high of every j, end to end
        errors = before[i] + within(sums, i, np.repeat(j, sizes))
        least[j] = np.minimum.reduceat(errors, starts)
        best = np.flatnonzero(errors == np.repeat(least[j], sizes))
        begin[j] = i[best[np.searchsorted(best, starts)]]
    return least, begin[:-1]


# Lloyd's algorithm ---------------------------------------------------------------------------------------------------


def _lloyd(ordered, centroids, iterations):
    return choose(lloyd_loop, lloyd_numpy, lambda: _fast().lloyd)(ordered, centroids, iterations)


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
    """The index of the nearest centroid: the number of midpoints between neighbouring centroids below x."""
    return sum(x > (a + b) / 2 for a, b in zip(centroids[:-1], centroids[1:], strict=True))


def _mean(cluster):
    """The mean of sorted numbers, clipped to their range, so that rounding never puts centroids out of order."""
    return min(max(sum(cluster) / len(cluster), cluster[0]), cluster[-1])


def _squared_error(cluster):
    if cluster[0] == cluster[-1]:
        return -np.inf
    return sum(x * x for x in cluster) - sum(cluster) ** 2 / len(cluster)


def _split(cluster, mean):
    """Where to split a cluster: its numbers up to here form the lower part. Neither part is empty."""
    return mean if mean < cluster[-1] else cluster[0]


def prefix_sums(ordered):
    """The sum of all numbers before each position, minus the sum before the middle.

    Summing from the middle to both sides keeps the small numbers there apart from the large ones far out.
    """
    sums, middle = np.zeros(len(ordered) + 1), len(ordered) // 2
    np.cumsum(ordered[middle:], out=sums[middle + 1 :])
    sums[:middle] = -np.cumsum(ordered[:middle][::-1])[::-1]
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


# The nearest centroids -----------------------------------------------------------------------------------------------


def _assign(values, centroids):
    return choose(assign_loop, assign_numpy, lambda: _fast().assign)(values, centroids)


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
