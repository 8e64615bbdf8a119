"""Shared weights: k-means, and the best clusters there are (an evening, 24 points).

If the weights of a layer share k values, each weight can be stored as a number from 0 to k - 1 (Han et al. 2016, section 3).
K-means searches for good values, the centroids, in two alternating steps (Lloyd 1982): each weight is assigned to the
nearest centroid, then each centroid moves to the mean of its weights. Neither step increases the squared error, but the
iteration may end at a poor solution. One iteration:

    values 0, 1, 2 and centroids 0, 2:  1 lies in the middle and is assigned to 0;  the centroids become 0.5 and 2

In one dimension the best clusters can be computed exactly. If the values are sorted, each cluster is a run of neighbours.
The best k runs of the first n values consist of a last run and the best k - 1 runs of the values before it. So try every
last run, and build on the results for k - 1 (Wang & Song 2011).
"""

import numpy as np


def assign(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The index of each value's nearest centroid, int64, with the shape of values.

    values: any shape; centroids: (k,), in any order. Of equally near centroids, take the one with the smaller value, and of
    equal centroids the one with the smallest index.
    """
    ### BEGIN SOLUTION
    order = np.argsort(centroids, kind="stable")
    distance = np.abs(values[..., None] - centroids[order])
    return order[distance.argmin(-1)].astype(np.int64)
    ### END SOLUTION


def update(values: np.ndarray, assignments: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The mean of the values assigned to each centroid, (k,) float64; a centroid without values keeps its old value.

    values, assignments: arrays of the same shape, assignments from 0 to k - 1; centroids: (k,), the old ones.
    """
    ### BEGIN SOLUTION
    k = len(centroids)
    counts = np.bincount(assignments.ravel(), minlength=k)
    sums = np.bincount(assignments.ravel(), weights=values.ravel(), minlength=k)
    return np.where(counts > 0, sums / np.maximum(counts, 1), centroids)
    ### END SOLUTION


def best_clusters(values: np.ndarray, k: int) -> np.ndarray:
    """The k centroids with the least possible sum of squared distances, (k,) float64, in increasing order.

    values: (n,), n >= k >= 1, all different, n up to 200. Use no more than about k * n**2 steps.
    """
    ### BEGIN SOLUTION
    v = np.sort(values.astype(np.float64))
    n, sums = len(v), np.append(0, np.cumsum(v))
    # error of the best runs of the first i values, less the sum of their squares, which all runs share
    least = np.append(0.0, np.full(n, np.inf))
    starts = []
    for _ in range(k):
        new, start = np.full(n + 1, np.inf), np.zeros(n + 1, np.int64)
        for i in range(1, n + 1):
            j = np.arange(i)  # the last run is j to i - 1
            error = least[:i] - (sums[i] - sums[j]) ** 2 / (i - j)
            start[i] = error.argmin()
            new[i] = error[start[i]]
        least = new
        starts.append(start)
    centroids, end = [], n
    for start in reversed(starts):
        centroids.append(v[start[end] : end].mean())
        end = start[end]
    return np.array(centroids[::-1])
    ### END SOLUTION
