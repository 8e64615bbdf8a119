"""Plausible wrong answers to k_means_1d, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("assign", points=10, why="takes the first of equally near centroids, even if they are not sorted")
def the_first(values, centroids):
    return np.abs(values[..., None] - centroids).argmin(-1)


@wrong("assign", points=10, why="returns indices into the sorted centroids")
def numbers_when_sorted(values, centroids):
    middles = np.sort(centroids)
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, values, side="left")


@wrong("update", points=10, why="moves the centroid of an empty cluster to 0")
def empty_to_zero(values, assignments, centroids):
    k = len(centroids)
    counts = np.bincount(assignments.ravel(), minlength=k)
    return np.bincount(assignments.ravel(), weights=values.ravel(), minlength=k) / np.maximum(counts, 1)


@wrong("best_clusters", points=8, why="cuts the sorted values into runs of equal length")
def equal_runs(values, k):
    return np.array([run.mean() for run in np.array_split(np.sort(values), k)])
