"""Tests of k_means_1d. Public: a few values. Hidden: ties, empty clusters and the exact optimum."""

from itertools import combinations

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.8)
def test_each_value_goes_to_the_nearest_centroid(submission):
    """Of 0, 1.5 and 2, the last two are nearer to 2 than to 0."""
    found = submission.assign(np.array([0.0, 1.5, 2.0]), np.array([0.0, 2.0]))
    assert expect_array(found, (3,), "int", "the assignments").tolist() == [0, 1, 1], (
        "the distance is |value - centroid|"
    )


@pytest.mark.public
@pytest.mark.points(0.8)
def test_each_centroid_goes_to_the_mean(submission):
    """0 and 1 have the mean 0.5."""
    found = submission.update(np.array([0.0, 1.0, 2.0]), np.array([0, 0, 1]), np.array([0.0, 2.0]))
    expect_close(found, [0.5, 2.0], "a centroid is the mean of the values assigned to it")


@pytest.mark.public
@pytest.mark.points(0.8)
def test_the_best_two_clusters_of_four_values(submission):
    """The clusters are 1, 2 and 8, 10."""
    found = submission.best_clusters(np.array([10.0, 1.0, 8.0, 2.0]), 2)
    expect_close(
        found, [1.5, 9.0], "sort the values; the best runs are 1, 2 and 8, 10, and the centroids are their means"
    )


def loop_assign(values, centroids):
    ranked = [(c, number) for number, c in enumerate(centroids.tolist())]
    flat = [min(ranked, key=lambda c, v=v: (abs(v - c[0]), c))[1] for v in values.ravel().tolist()]
    return np.array(flat).reshape(values.shape)


@pytest.mark.hidden
@pytest.mark.points(2)
def test_values_of_any_shape(submission, rng):
    """A layer's weight keeps its shape, whatever its order in memory; there may be one centroid, or no values."""
    right = True
    for shape, k in ((3, 4, 2), 5), ((7,), 1), ((0, 4), 3), ((6, 5), 40):
        values, centroids = rng.normal(size=shape[::-1]).T, np.sort(rng.normal(size=k))
        found = expect_array(submission.assign(values, centroids), shape, "int", "the assignments")
        assert np.array_equal(found, loop_assign(values, centroids)), "compare each value with every centroid"
        right &= found.dtype == np.int64
    if not right:
        raise Partial(0.8, "assignments are int64")


@pytest.mark.hidden
@pytest.mark.points(3)
def test_ties_go_to_the_smaller_centroid(submission, rng):
    """Values may lie exactly in the middle, and centroids may come in any order, and be equal."""
    for _ in range(6):
        values, centroids = rng.permutation(np.arange(-1.0, 6.0)), 2.0 * rng.integers(0, 4, 4)
        found = expect_array(submission.assign(values, centroids), (7,), "int", "the assignments")
        assert found.min() >= 0 and found.max() < 4, "assignments are indices into the centroids as they were given"
        near = np.abs(values - centroids[found]) == np.abs(values[:, None] - centroids).min(1)
        assert near.all(), "assignments are indices into the centroids as they were given, not into the sorted ones"
        message = "of two equally near centroids take the one of smaller value, and of equal ones the first"
        assert np.array_equal(found, loop_assign(values, centroids)), message


@pytest.mark.hidden
@pytest.mark.points(3)
def test_a_centroid_without_values_stays(submission, rng):
    """Some clusters may be empty, the last ones, too; float32 values have means in float64."""
    right = True
    for dtype in "float64", "float32":
        values, centroids = rng.normal(size=(5, 6)).astype(dtype).T, rng.normal(size=8).astype(dtype)
        used = np.sort(rng.permutation(7)[:4])
        assignments = rng.choice(used, (6, 5))
        assignments[0, :4] = used
        found = expect_array(submission.update(values, assignments, centroids), (8,), "float", "the centroids")
        empty = np.setdiff1d(np.arange(8), used)
        message = "the mean of no values is 0 / 0: such a centroid keeps its old value"
        expect_close(found[empty], centroids[empty], message)
        means = [values[assignments == j].astype(np.float64).mean() for j in used]
        expect_close(found[used], means, "sum the values of each cluster, and divide by their number")
        right &= found.dtype == np.float64 and np.allclose(found[used], means, 1e-12, 1e-14)
    if not right:
        raise Partial(0.8, "centroids are float64, and so are the sums")


def error_of(values, centroids):
    return float(((values[:, None] - centroids) ** 2).min(1).sum())


def least_error(values, k):
    """The least possible error, by trying all ways to cut the sorted values into k runs."""
    v = np.sort(values)
    cuts = combinations(range(1, len(v)), k - 1)
    return min(sum(float(((run - run.mean()) ** 2).sum()) for run in np.split(v, cut)) for cut in cuts)


@pytest.mark.hidden
@pytest.mark.points(6)
def test_no_clusters_are_better(submission, rng):
    """Your clusters are compared with every way to cut a few values into runs."""
    best = 0
    cases = [(7, 3), (5, 1), (4, 4), (1, 1), (9, 2), (8, 4), (9, 3)]
    for n, k in cases:
        values = rng.random(n) if n % 2 else rng.normal(size=n) ** 3  # outliers lead k-means to poor solutions
        found = expect_array(submission.best_clusters(values, k), (k,), "float", "the centroids")
        assert (np.diff(found) >= 0).all(), "return the centroids in increasing order"
        best += error_of(values, found) <= least_error(values, k) * (1 + 1e-9) + 1e-12
    assert best > 3, "there are better centroids: try every last run, with the best k - 1 runs before it"
    if best < len(cases):
        raise Partial(0.3, "there are better centroids in some cases: k-means may end at a poor solution")


@pytest.mark.hidden
@pytest.mark.points(7.6)
@pytest.mark.timeout(30)
def test_the_best_of_many_values(submission, reference, rng):
    """200 values are put into 30 clusters, in polynomial time. Alternating from many random starts does not get there."""
    for dtype in "float64", "float32":
        values = (rng.normal(size=200) ** 3).astype(dtype)
        found = expect_array(submission.best_clusters(values, 30), (30,), "float", "the centroids")
        values = values.astype(float)
        least = error_of(values, reference.best_clusters(values, 30))
        assert error_of(values, found) <= least * (1 + 1e-6), "there are better centroids"
    if found.dtype != np.float64:
        raise Partial(0.9, "centroids are float64, also those of values in float32")
