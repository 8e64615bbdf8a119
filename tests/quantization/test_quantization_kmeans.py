"""k-means on a line: the optimum is one, Lloyd's steps never raise the error, and the order of values plays no part."""

import warnings
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import kernels
from tinycompress.quantization import kmeans, kmeans_fast
from tinycompress.quantization.kmeans import INITS, kmeans_1d
from tinycompress.quantization.kmeans_fast import border

VARIANTS = ["loop", "numpy", "fast"]
STARTS = [init for init in INITS if init != "optimal"]


@pytest.fixture(autouse=True)
def default_variant():
    yield
    kernels.use("fast")


def weights(n, seed=0, dtype=np.float32):
    return (0.05 * np.random.default_rng(seed).standard_normal(n)).astype(dtype)


@st.composite
def values(draw, least=1):
    """Numbers as weights have them, as well as few, equal, far apart, tiny and huge ones."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    if draw(st.booleans()):
        return weights(draw(st.integers(least, 300)), draw(st.integers(0, 99)), dtype)
    numbers = st.one_of(
        st.integers(-9, 9).map(float),
        st.floats(-(2.0**100), 2.0**100, width=32),
        st.sampled_from([0.0, -0.0, 1e-45, 1e-30, 1.0, 1.0000001, 1e30]),
    )
    return np.array(draw(st.lists(numbers, min_size=least, max_size=40)), dtype)


def cluster(x, k, init="linear", **others):
    return kmeans_1d(x, k, init, np.random.default_rng(0), **others)


def squared_error(x, centroids):
    """Of each value from its nearest centroid."""
    distances = np.abs(x.astype(np.float64)[:, None] - centroids.astype(np.float64))
    return np.sum(distances.min(axis=1) ** 2)


# ---- the optimum ----


def exact_error(run):
    """The squared distances from the mean, as a fraction, without any rounding."""
    numbers = [Fraction(x) for x in run.tolist()]
    mean = sum(numbers) / len(numbers)
    return sum((x - mean) ** 2 for x in numbers)


def least_error(x, k):
    """By trying all ways to cut the sorted values into k runs."""
    n, ordered = len(x), np.sort(x)
    error = {(i, j): exact_error(ordered[i:j]) for j in range(n + 1) for i in range(j)}
    ways = combinations(range(1, n), min(k, n) - 1)
    return min(sum(error[run] for run in pairwise((0, *cuts, n))) for cuts in ways)


few_values = values().map(lambda x: x[:9])


@given(few_values, st.integers(1, 6), st.sampled_from(VARIANTS))
def test_no_way_to_cut_the_values_into_runs_is_better(x, k, variant):
    with kernels.use(variant):
        found = kmeans_1d(x, k)
    error = sum(exact_error(x[found.assignments == j]) for j in np.unique(found.assignments))
    assert error <= least_error(x, k) * (1 + 1e-9) + 1e-28 * float(np.ptp(x)) ** 2


@given(values(), st.integers(1, 20), st.one_of(st.sampled_from(STARTS), st.integers(0, 99)))
def test_no_start_of_lloyds_algorithm_is_better(x, k, start):
    x = x.astype(np.float64)  # centroids are rounded as the values are
    if isinstance(start, int):
        start = np.random.default_rng(start).choice(x, k)
    assert kmeans_1d(x, k).inertia <= cluster(x, k, start).inertia * (1 + 1e-9)


@given(values(least=2), st.data())
def test_the_variants_find_the_same_least_error(x, data):
    x = np.sort(x[:30]).astype(np.float64) / max(1, np.abs(x).max())
    first = np.flatnonzero(np.append(True, x[1:] != x[:-1]))
    sums = kmeans.moments(x - x[len(x) // 2], first)
    k = data.draw(st.integers(1, len(first)))
    errors = []
    for name in VARIANTS:
        with kernels.use(name):
            borders = kmeans.choose(kmeans.optimal_loop, kmeans.optimal_numpy, lambda: kmeans_fast.optimal)(sums, k)
        assert borders[0] == 0 and borders[-1] == len(first) and len(borders) == k + 1 and np.diff(borders).min() > 0
        errors.append(np.sum(kmeans.within(sums, borders[:-1], borders[1:])))
    np.testing.assert_allclose(errors, errors[0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["numpy", "fast"])
@pytest.mark.parametrize("n, k", [(20, 3), (300, 7), (300, 90), (300, 151), (300, 299)])
def test_evenly_spaced_values_are_shared_out_evenly(name, n, k):
    """Everything is a tie here: a run less costs the same for many k, and any place may have the longer runs."""
    with kernels.use(name):
        sizes = np.bincount(kmeans_1d(np.arange(float(n)), k).assignments, minlength=k)
    assert sorted(sizes) == [n // k] * (k - n % k) + [n // k + 1] * (n % k)


def test_the_more_clusters_the_less_error_and_the_less_each_one_saves():
    x = weights(80, dtype=np.float64)
    errors = [kmeans_1d(x, k).inertia for k in range(1, 81)]
    saved = -np.diff(errors)
    assert saved.min() > 0 and np.diff(saved).max() < 1e-15
    np.testing.assert_allclose(errors[0], len(x) * x.var())
    assert errors[-1] == 0


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40), st.integers(1, 9), st.integers(-300, 300), st.data())
def test_the_optimum_moves_with_the_values(numbers, k, exponent, data):
    x, shift = np.array(numbers, np.float64), data.draw(st.integers(-(10**9), 10**9))
    order = np.random.default_rng(0).permutation(len(x))
    here, there = kmeans_1d(x, k), kmeans_1d(np.ldexp(x[order] + shift, exponent), k)
    np.testing.assert_array_equal(there.assignments, here.assignments[order])
    np.testing.assert_allclose(np.ldexp(there.centroids, -exponent) - shift, here.centroids, atol=1e-6)
    mirrored = kmeans_1d(-x, k)
    np.testing.assert_allclose(mirrored.inertia, here.inertia, rtol=1e-12, atol=1e-12)


def test_values_close_together_are_told_apart_however_far_off_others_are():
    x = weights(60, dtype=np.float64)
    left, right = np.ldexp(np.round(np.ldexp(x[:25], 20)), -20), np.ldexp(np.round(np.ldexp(x[25:], 20)), -20)
    for far in (2.0**20, -(2.0**31)):  # nothing of the values is rounded there
        for k in (4, 12, 50):
            apart = min(
                kmeans_1d(left, p).inertia + kmeans_1d(right, k - p).inertia
                for p in range(max(1, k - len(right)), min(k, len(left) + 1))
            )
            found = kmeans_1d(np.concatenate([left, right + far]), k)
            np.testing.assert_allclose(found.inertia, apart, rtol=1e-6)


def test_the_least_and_the_greatest_numbers_are_clustered_too():
    x = np.array([0, 1, 2, 10, 11, 31])
    for dtype, unit in ((np.float64, 5e-324), (np.float64, 1e138), (np.float32, 1e-45), (np.float32, 1e37)):
        for name in VARIANTS:
            with kernels.use(name):
                found = kmeans_1d((x * unit).astype(dtype), 3)
            assert found.assignments.tolist() == [0, 0, 0, 1, 1, 2]
            np.testing.assert_allclose(found.centroids[[0, 2]], (x[[1, 5]] * unit).astype(dtype), rtol=1e-6)


def test_a_square_that_underflows_still_counts_less_than_others():
    x = np.array([0, 0, 1e-200, 1, 2])
    for name in VARIANTS:
        with kernels.use(name):
            assert kmeans_1d(x, 3).assignments.tolist() == [0, 0, 0, 1, 2]


def test_what_is_equal_is_its_own_mean():
    x = np.repeat(np.random.default_rng(0).random(9), 1001)
    for name in VARIANTS:
        with kernels.use(name):
            assert set(kmeans_1d(np.append(x, 2 + 0.1 * np.arange(2)), 10).centroids[:9]) == set(x)


# ---- any start ----


@given(values(), st.integers(1, 20), st.sampled_from(INITS))
def test_every_value_belongs_to_its_nearest_centroid(x, k, init):
    centroids, assignments, inertia = cluster(x, k, init)
    distances = np.abs(x.astype(np.float64)[:, None] - centroids.astype(np.float64))
    mine = np.take_along_axis(distances, assignments[:, None].astype(int), axis=1)[:, 0]
    np.testing.assert_allclose(mine, distances.min(axis=1), rtol=1e-9, atol=0)
    np.testing.assert_allclose(inertia, np.sum(mine**2), rtol=1e-9)
    assert centroids.dtype == x.dtype
    assert 1 <= len(centroids) <= k
    assert np.all(np.diff(centroids) >= 0)
    assert x.min() <= centroids[0] and centroids[-1] <= x.max()


@given(values(), st.integers(1, 20), st.sampled_from(INITS))
def test_centroids_are_the_means_of_their_values_and_none_is_without(x, k, init):
    centroids, assignments, _ = cluster(x, k, init)
    rounding = 4 * len(x) * np.finfo(x.dtype).eps * np.abs(x).max() + np.finfo(x.dtype).smallest_subnormal
    middles = (centroids[:-1].astype(np.float64) + centroids[1:]) / 2
    if len(centroids) < k or np.abs(x[:, None] - middles).min(initial=np.inf) < rounding:
        return  # a value on a border changes sides when its centroids are rounded
    for j, centroid in enumerate(centroids):
        assert np.any(assignments == j)
        assert abs(centroid - x[assignments == j].mean(dtype=np.float64)) <= rounding


@given(values(), st.integers(1, 12), st.sampled_from(INITS))
def test_no_step_raises_the_error(x, k, init):
    errors = [cluster(x, k, init, iterations=n).inertia for n in (0, 1, 2, 3, 5, 8, 100)]
    scale = np.sum((x.astype(np.float64) - np.median(x)) ** 2)
    for before, after in zip(errors[:-1], errors[1:], strict=True):
        assert after <= before + 1e-6 * np.sqrt(scale * before) + 1e-12 * scale


@given(values(least=2), st.integers(1, 12), st.sampled_from(INITS), st.integers(0, 9))
def test_the_order_and_shape_of_the_values_have_no_influence(x, k, init, seed):
    order = np.random.default_rng(seed).permutation(len(x))
    expected = cluster(x, k, init)
    got = cluster(x[order].reshape(1, -1, 1), k, init)
    np.testing.assert_array_equal(got.centroids, expected.centroids)
    np.testing.assert_array_equal(got.assignments[0, :, 0], expected.assignments[order])


@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n, k", [(1, 1), (60, 1), (60, 2), (200, 7), (200, 16), (90, 40), (40, 39)])
def test_the_variants_of_lloyds_algorithm_agree(init, dtype, n, k):
    for x in (weights(n, n, dtype), np.random.default_rng(n).integers(-50, 50, n).astype(dtype)):
        results = []
        for name in VARIANTS:
            with kernels.use(name):
                results.append(cluster(x, k, init))
        for other in results[1:]:
            np.testing.assert_allclose(other.centroids, results[0].centroids, rtol=0, atol=1e-6 * np.abs(x).max())
            np.testing.assert_array_equal(other.assignments, results[0].assignments)
            np.testing.assert_allclose(other.inertia, results[0].inertia, rtol=1e-6)


def test_numpy_and_compiled_steps_agree_at_a_working_size():
    x = weights(20_000)
    for k, init in ((16, "linear"), (256, "linear"), (64, "density"), (5, "optimal"), (16, "optimal")):
        with kernels.use("numpy"):
            expected = cluster(x, k, init)
        got = cluster(x, k, init)
        np.testing.assert_array_equal(got.centroids, expected.centroids)
        np.testing.assert_array_equal(got.assignments, expected.assignments)


@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("k", [4, 16, 64])
def test_no_worse_than_lloyd_of_scikit_learn_from_the_same_start(init, k):
    sklearn = pytest.importorskip("sklearn.cluster")
    x = weights(4096, seed=k, dtype=np.float64)
    start = cluster(x, k, init, iterations=0).centroids
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rival = sklearn.KMeans(k, init=start[:, None], n_init=1, max_iter=10_000, tol=0, algorithm="lloyd").fit(
            x[:, None]
        )
    assert cluster(x, k, init).inertia <= squared_error(x, rival.cluster_centers_[:, 0]) * (1 + 1e-6)


def test_means_are_exact_beside_a_number_that_is_far_off():
    for x in (np.array([-1e30, 1, 2, 10, 11]), np.array([1, 2, 10, 11, 1e30])):
        for name in VARIANTS:
            with kernels.use(name):
                for init in ("optimal", x[[0, 1, 3]], x[[0, 2, 4]]):
                    assert {1.5, 10.5} < set(kmeans_1d(x, 3, init).centroids.tolist())


def test_a_given_start_is_used():
    x = np.array([0, 1, 10, 11, 100, 101], np.float32)
    assert kmeans_1d(x, 3, [101, 10, 0]).centroids.tolist() == [0.5, 10.5, 100.5]
    assert kmeans_1d(x, 3, [0, 10, 101], iterations=0).centroids.tolist() == [0, 10, 101]


def test_an_empty_cluster_is_given_to_the_worst_one():
    x = np.array([0, 1, 2, 3, 100], np.float32)
    for name in VARIANTS:
        with kernels.use(name):
            assert kmeans_1d(x, 3, [-500, 0, 700]).centroids.tolist() == [0.5, 2.5, 100]


def test_a_cluster_is_split_even_where_its_mean_is_rounded_to_its_greatest_value():
    least = np.nextafter(0, 1)
    x = np.array([-least] + [0] * 1000 + [3 * least, 4 * least])
    for name in VARIANTS:
        with kernels.use(name):
            assert kmeans_1d(x, 3, [0, 4 * least, 1]).centroids.tolist() == [-least, 0, 4 * least]


def test_starts():
    x = np.concatenate([np.zeros(90), np.linspace(0, 1, 11)[1:]]).astype(np.float32)
    assert cluster(x, 3, "linear", iterations=0).centroids.tolist() == [0, 0.5, 1]
    assert cluster(x, 4, "density", iterations=0).centroids.tolist() == [0, 0, 0, 0]
    assert cluster(np.arange(8.0), 4, "density", iterations=0).centroids.tolist() == [1, 3, 5, 7]
    assert np.isin(cluster(x, 5, "random", iterations=0).centroids, x).all()


def test_fewer_different_values_than_clusters_are_their_own_centroids():
    x = np.array([3, 1, 3, 1, 2], np.float32)
    for k in (3, 4, 300):
        centroids, assignments, inertia = kmeans_1d(x, k)
        assert centroids.tolist() == [1, 2, 3]
        assert assignments.tolist() == [2, 0, 2, 0, 1]
        assert inertia == 0


def test_indices_take_no_more_bytes_than_they_need():
    x = weights(2000)
    assert kmeans_1d(x, 256).assignments.dtype == np.uint8
    assert kmeans_1d(x, 257).assignments.dtype == np.uint16


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=50), st.integers(-6, 6), st.data())
def test_a_border_is_found_from_any_guess(numbers, x, data):
    ordered = np.sort(np.array(numbers, np.float64))
    guess = data.draw(st.integers(0, len(ordered)))
    assert border(ordered, float(x), guess) == np.searchsorted(ordered, x, side="right")


@pytest.mark.parametrize(
    "x, k, others, error, message",
    [
        ([], 2, {}, ValueError, "no values"),
        ([1, np.nan], 2, {}, ValueError, "finite"),
        ([1, np.inf], 2, {}, ValueError, "finite"),
        ([1e200, -1e200], 2, {}, ValueError, "too far apart"),
        ([1, 2], 0, {}, ValueError, "whole number from 1"),
        ([1, 2], 2, {"iterations": -1}, ValueError, "negative"),
        ([1, 2], 2, {"init": "forgy"}, ValueError, "'optimal', 'linear', 'density', 'random'"),
        ([1, 2], 2, {"init": "random"}, ValueError, "default_rng"),
        ([1, 2], 2, {"init": [1]}, ValueError, r"shape \(1,\)"),
        ([1, 2], 2, {"init": [1, np.nan]}, ValueError, "finite"),
    ],
)
def test_what_cannot_be_clustered_is_refused(x, k, others, error, message):
    with pytest.raises(error, match=message):
        kmeans_1d(np.array(x, np.float64), k, **others)


def test_integers_are_not_clustered_by_mistake():
    with pytest.raises(TypeError, match="are int64"):
        kmeans_1d(np.arange(9), 3)
