"""k-means of single numbers: the k values that stand for all weights of a layer with the least squared error.

In the plane that is hard, but on a line the optimum can be computed. In sorted order a cluster is a run of numbers. The
best q runs of the first j numbers are some last run, and the best q - 1 runs of what lies before it: a dynamic program
over q and j. Its three variants are three algorithms, each exact, however many numbers there are:

    loop     every number may begin the last run                    O(k n²)
    numpy    its best beginning never moves back as j grows         O(k n log n), and k n indices in memory
    fast     runs have a price, but any number of them is allowed   O(n log n) for any k, some ten times

Lloyd's algorithm, which "k-means" mostly means, needs a start and may end far from the optimum. It gives each
number to its nearest centroid, moves each centroid to the mean of its numbers, and repeats until nothing changes. On a
line this needs no distances at all, as a run ends half-way between two centroids:

    centroids             c0              c1                    c2
    sorted numbers    x x xx x x    x  xx  x xx x        x x  xxx x x xx
    borders           0            6               13                    22     by binary search for (c0 + c1) / 2 ...

and with the sums of all numbers before each position, a cluster's mean is a difference of two of them over another. A
step takes k searches instead of k distances for each of the numbers.

A cluster that ends up without numbers is lost for good, though a codebook has room for it. The one with the greatest
squared error is then split at its mean, until there are k again; that cannot raise the error either.

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
"""The values are not farther apart than this, so that the squares of their distances, and sums of them, are finite."""

INITS = ("optimal", "linear", "density", "random")


@functools.cache
def _fast():
    from . import kmeans_fast

    return kmeans_fast


class Clusters(NamedTuple):
    """What `kmeans_1d` finds. values ~ centroids[assignments]"""

    centroids: np.ndarray  # (k,), rising, of the values' type; fewer if there are fewer different values
    assignments: (
        np.ndarray
    )  # the index of each value's nearest centroid, the lower one on ties, in the values' shape; unsigned
    inertia: float  # the sum of squared distances to them


def kmeans_1d(values, k, init="optimal", rng=None, iterations=10_000):
    """Cluster `values`, float32 or float64 of any shape, around at most k centroids: `Clusters`.

    init:
        "optimal"   the centroids of least squared error, exactly but for rounding: no start is better. Where several
                    clusterings are equally good, any of them
        The others start Lloyd's algorithm, which ends at a local optimum (Han et al. 2016, Deep Compression, section
        3.2):
        "linear"    evenly from the least to the greatest value; keeps the few large weights apart, the authors' choice
        "density"   evenly in the order of the values, so that all clusters start with as many of them
        "random"    at k of the values, drawn with `rng`
        or k numbers.
    iterations: at most so many steps of Lloyd's algorithm, none of which raises the error; fewer if nothing changes
    any more, mostly after some hundreds. From one step on no cluster is empty. The order of the values has no
    influence. TypeError unless they are floats, ValueError if one is not finite, or there are none.
    """
    values = np.asarray(values)
    if values.dtype not in (np.float32, np.float64):
        raise TypeError(f"the values should be float32 or float64, but are {values.dtype}; convert with .astype")
    check(values.size > 0, "there are no values to cluster")
    check(k >= 1 and k == int(k), f"the number of clusters is a whole number from 1, not {k}")
    k = int(k)
    check(iterations >= 0, f"the number of iterations cannot be negative, but is {iterations}")
    flat = np.ascontiguousarray(values).reshape(-1)
    ordered = np.sort(flat)
    check(
        np.isfinite(ordered[0]) and np.isfinite(ordered[-1]),
        "the values should be finite, but some are infinite or NaN",
    )
    start = _start(ordered, k, init, rng)
    # Distances from a value in the middle: sums of them are exact where sums of large and nearly equal numbers are not.
    origin = np.float64(ordered[len(ordered) // 2])
    shifted = ordered - origin
    check(
        shifted[-1] - shifted[0] < MAX_RANGE,
        "the values are too far apart to square their distances",
    )
    first = np.flatnonzero(np.append(True, shifted[1:] != shifted[:-1]))  # of each different value
    if len(first) <= k:
        centroids = ordered[first]
    else:
        found = _optimum(shifted, first, k) if start is None else _lloyd(shifted, start - origin, iterations)
        centroids = np.clip(found + origin, ordered[0], ordered[-1]).astype(values.dtype)
    assignments, inertia = _assign(flat, centroids)
    return Clusters(centroids, assignments.reshape(values.shape), float(inertia))


def _start(ordered, k, init, rng):
    """The first centroids, float64, rising; None for "optimal"."""
    if not isinstance(init, str):
        centroids = np.sort(np.asarray(init, np.float64))
        check(centroids.shape == (k,), f"{k} clusters start at {k} numbers, but init has the shape {centroids.shape}")
        check(bool(np.isfinite(centroids).all()), "the clusters should start at finite numbers")
        return centroids
    check(init in INITS, f"clusters start {', '.join(map(repr, INITS))}, or at {k} given numbers, not {init!r}")
    if init == "optimal":
        return None
    if init == "linear":
        return np.linspace(ordered[0], ordered[-1], k, dtype=np.float64)
    if init == "density":
        return ordered[(np.arange(k) * 2 + 1) * len(ordered) // (2 * k)].astype(np.float64)
    check(rng is not None, "a random start needs a source of random numbers: rng=np.random.default_rng(seed)")
    return np.sort(rng.choice(ordered, k, replace=len(ordered) < k).astype(np.float64))


# The optimum ---------------------------------------------------------------------------------------------------------


def _optimum(ordered, first, k):
    """The centroids of least squared error, float64, rising. first: where each different value begins, more than k.

    The errors of runs will be differences of sums over all values, which lose what is close together but far from the
    rest. So gaps that no run can span are shortened first: a run that spans one has half of its square as its error, at
    least, and Lloyd's algorithm finds less in all.
    """
    scale = np.frexp(ordered[-1] - ordered[0])[1]  # with a power of two nothing is rounded, and no square underflows
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
    """How many values lie before each different one and before the end, their sum, and that of their squares.

    (3, m + 1) for m different values, which begin at the indices `first`. Equal values never are in two clusters.
    """
    borders = np.append(first, len(ordered))
    return np.stack([borders, prefix_sums(ordered)[borders], prefix_sums(ordered**2)[borders]])


def within(sums, i, j):
    """The squared distances of the different values i to j - 1 from their mean, summed. i, j: integers, or arrays."""
    count, total, squares = sums[:, j] - sums[:, i]
    return squares - total * total / count


def optimal_loop(sums, k):
    """The borders of the best k runs of the m different values that `moments` has summed: k + 1 integers, from 0 to m."""
    m = sums.shape[1] - 1
    least = np.full((k + 1, m + 1), np.inf)  # least[q, j]: the error of the best q runs of the first j values,
    begin = np.zeros((k + 1, m + 1), np.int64)  # begin[q, j]: and where the last of them begins
    least[0, 0] = 0
    for q in range(1, k + 1):
        for j in range(q, m + 1):
            for i in range(q - 1, j):
                error = least[q - 1, i] + within(sums, i, j)
                if error < least[q, j]:
                    least[q, j], begin[q, j] = error, i
    return _trace(begin)


def _trace(begin):
    """The borders, from where the last run begins back to the first."""
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
    """From the errors of the best q - 1 runs of the first 0 to m values to those of q, and where the last run begins.

    This never moves back as j grows. So first a j in the middle tries all beginnings, then those in the middle of the
    halves only the ones up to its best, and from it on, and so on: each time, all j together try some m.
    """
    m = len(before) - 1
    least = np.full(m + 1, np.inf)
    begin = np.append(np.zeros(m + 1, np.int64), m)
    for half in 1 << np.arange(m.bit_length())[::-1]:
        j = np.arange(half, m + 1, 2 * half)
        low, high = begin[j - half], np.minimum(begin[np.minimum(j + half, m + 1)], j - 1)
        sizes = high - low + 1
        starts = np.cumsum(sizes) - sizes
        i = np.arange(sizes.sum()) + np.repeat(low - starts, sizes)
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
    """The sum of all numbers before each position, less that before the middle.

    It grows from there to both sides, so that what lies far out, on either side, is not added to what does not.
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
