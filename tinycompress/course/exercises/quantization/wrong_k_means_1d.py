"""Plausible wrong answers to k_means_1d, and how many of the 24 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("assign", points=21, why="takes the first of equally near centroids, even if they are not sorted")
def the_first(values, centroids):
    return np.abs(values[..., None] - centroids).argmin(-1)


@wrong("assign", points=21, why="returns indices into the sorted centroids")
def numbers_when_sorted(values, centroids):
    middles = np.sort(centroids)
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, values, side="left")


@wrong("update", points=21, why="moves the centroid of an empty cluster to 0")
def empty_to_zero(values, assignments, centroids):
    k = len(centroids)
    counts = np.bincount(assignments.ravel(), minlength=k)
    return np.bincount(assignments.ravel(), weights=values.ravel(), minlength=k) / np.maximum(counts, 1)


@wrong("best_clusters", points=10.4, why="cuts the sorted values into runs of equal length")
def equal_runs(values, k):
    return np.array([run.mean() for run in np.array_split(np.sort(values), k)])


@wrong("best_clusters", points=16.4, why="takes the best of twenty runs of k-means from random starts")
def twenty_starts(values, k):
    rng, found = np.random.default_rng(0), []
    for _ in range(20):
        centroids = rng.choice(values, k, replace=False).astype(float)
        for _ in range(100):
            nearest = np.abs(values[:, None] - centroids).argmin(1)
            counts = np.bincount(nearest, minlength=k)
            means = np.bincount(nearest, weights=values, minlength=k) / np.maximum(counts, 1)
            centroids = np.where(counts, means, centroids)
        error = ((values[:, None] - centroids) ** 2).min(1).sum()
        found.append((error, np.sort(centroids).tolist()))
    return np.array(min(found)[1])


@wrong("update", points=21, why="cuts off empty clusters at the end")
def shorter(values, assignments, centroids):
    counts = np.bincount(assignments.ravel())
    sums = np.bincount(assignments.ravel(), weights=values.ravel())
    return np.where(counts > 0, sums / np.maximum(counts, 1), centroids[: len(counts)])


@wrong("update", points=23.4, why="returns centroids in the dtype of the values")
def in_their_dtype(values, assignments, centroids):
    found = centroids.copy()
    for j in np.unique(assignments):
        found[j] = values[assignments == j].mean()
    return found


@wrong("assign", points=21, why="gives equally near values to the larger centroid")
def the_larger(values, centroids):
    order = np.lexsort((np.arange(len(centroids)), -centroids))
    return order[np.abs(values[..., None] - centroids[order]).argmin(-1)]


@wrong("update", points=23.4, why="adds up in float32")
def sums_in_float32(values, assignments, centroids):
    found = [np.float32(values[assignments == j].astype(np.float32).mean()) for j in np.unique(assignments)]
    centroids = centroids.astype(np.float64)
    centroids[np.unique(assignments)] = found
    return centroids
