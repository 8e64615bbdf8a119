"""Shared weights: k-means, and the best clusters there are (an evening, 12 points).

If the weights of a layer share k values, each weight is stored as a number from 0 to k - 1 (Han et al. 2016, section 3).
K-means looks for good values in turns (Lloyd 1982): every weight goes to the nearest centroid, every centroid to the mean
of its weights. Neither step makes the squared error larger, but the turns may end at a poor place:

    values 0, 1, 2 and centroids 0, 2:  1 lies in the middle and goes to 0;  the centroids become 0.5 and 2

On a line the best clusters can be found for certain. Sorted, each cluster is a run of neighbours, and the best k runs of
the first n values end with some run, before which lie the best k - 1 runs of the values that are left (Wang & Song 2011).
"""

import numpy as np


def assign(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The number of each value's nearest centroid, int64, of the shape of values; of equally near ones the smallest.

    values: any shape; centroids: (k,), in any order. "Smallest" is the centroid of smallest value, and among equal
    centroids that with the smallest number.
    """
    ### BEGIN SOLUTION
    order = np.argsort(centroids, kind="stable")
    distance = np.abs(values[..., None] - centroids[order])
    return order[distance.argmin(-1)].astype(np.int64)
    ### END SOLUTION


def update(values: np.ndarray, assignments: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The mean of each centroid's values, (k,) float64; a centroid to which no value was assigned stays where it was.

    values and assignments: of one shape, assignments from 0 to k - 1; centroids: (k,).
    """
    ### BEGIN SOLUTION
    k = len(centroids)
    counts = np.bincount(assignments.ravel(), minlength=k)
    sums = np.bincount(assignments.ravel(), weights=values.ravel(), minlength=k)
    return np.where(counts > 0, sums / np.maximum(counts, 1), centroids)
    ### END SOLUTION


def best_clusters(values: np.ndarray, k: int) -> np.ndarray:
    """The k centroids with the least possible sum of squared distances, (k,) float64, in rising order.

    values: (n,), n >= k >= 1, all different. Found in at most about k * n**2 steps, for n up to 200.
    """
    ### BEGIN SOLUTION
    v = np.sort(values.astype(np.float64))
    n, sums, squares = len(v), np.append(0, np.cumsum(v)), np.append(0, np.cumsum(v**2))
    least = np.append(0.0, np.full(n, np.inf))  # error of the best runs of the first i values
    starts = []
    for _ in range(k):
        new, start = np.full(n + 1, np.inf), np.zeros(n + 1, np.int64)
        for i in range(1, n + 1):
            j = np.arange(i)  # the last run is j to i - 1
            error = least[:i] + squares[i] - squares[j] - (sums[i] - sums[j]) ** 2 / (i - j)
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
