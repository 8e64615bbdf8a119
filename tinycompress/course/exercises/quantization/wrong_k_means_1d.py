"""Plausible wrong answers to k_means_1d, and what each is worth of the 12 points."""

import numpy as np

from tinycompress.course import wrong


@wrong("assign", points=10, why="of equally near centroids the first, which is the smaller only if they are sorted")
def the_first(values, centroids):
    return np.abs(values[..., None] - centroids).argmin(-1)


@wrong("assign", points=10, why="numbers the centroids as they are when sorted")
def numbers_when_sorted(values, centroids):
    middles = np.sort(centroids)
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, values, side="left")


@wrong("update", points=10, why="an empty cluster moves to 0")
def empty_to_zero(values, assignments, centroids):
    k = len(centroids)
    counts = np.bincount(assignments.ravel(), minlength=k)
    return np.bincount(assignments.ravel(), weights=values.ravel(), minlength=k) / np.maximum(counts, 1)


@wrong("best_clusters", points=8, why="runs of equally many values")
def equal_runs(values, k):
    return np.array([run.mean() for run in np.array_split(np.sort(values), k)])
