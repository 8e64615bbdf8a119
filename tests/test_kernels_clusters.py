"""k-means on a line: assignments are nearest, the error never rises, and nothing depends on the order of the values."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import kernels
from tinycompress.kernels.clusters import kmeans_1d
from tinycompress.kernels.clusters_fast import border

VARIANTS = ["loop", "numpy", "fast"]
INITS = st.sampled_from(["linear", "density", "random"])


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


@given(values(), st.integers(1, 20), INITS)
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


@given(values(), st.integers(1, 20), INITS)
def test_centroids_are_the_means_of_their_values_and_none_is_without(x, k, init):
    centroids, assignments, _ = cluster(x, k, init)
    rounding = 4 * len(x) * np.finfo(x.dtype).eps * np.abs(x).max() + np.finfo(x.dtype).smallest_subnormal
    middles = (centroids[:-1].astype(np.float64) + centroids[1:]) / 2
    if len(centroids) < k or np.abs(x[:, None] - middles).min(initial=np.inf) < rounding:
        return  # a value on a border changes sides when its centroids are rounded
    for j, centroid in enumerate(centroids):
        assert np.any(assignments == j)
        assert abs(centroid - x[assignments == j].mean(dtype=np.float64)) <= rounding


@given(values(), st.integers(1, 12), INITS)
def test_the_error_never_rises(x, k, init):
    errors = [cluster(x, k, init, iterations=n).inertia for n in (0, 1, 2, 3, 5, 8, 100)]
    scale = np.sum((x.astype(np.float64) - np.median(x)) ** 2)
    for before, after in zip(errors[:-1], errors[1:], strict=True):
        assert after <= before + 1e-6 * np.sqrt(scale * before) + 1e-12 * scale


@given(values(least=2), st.integers(1, 12), INITS, st.integers(0, 9))
def test_the_order_and_shape_of_the_values_have_no_influence(x, k, init, seed):
    order = np.random.default_rng(seed).permutation(len(x))
    expected = cluster(x, k, init)
    got = cluster(x[order].reshape(1, -1, 1), k, init)
    np.testing.assert_array_equal(got.centroids, expected.centroids)
    np.testing.assert_array_equal(got.assignments[0, :, 0], expected.assignments[order])


@pytest.mark.parametrize("init", ["linear", "density", "random"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n, k", [(1, 1), (60, 1), (60, 2), (200, 7), (200, 16), (90, 40), (40, 39)])
def test_the_variants_agree(init, dtype, n, k):
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
    for k, init in ((16, "linear"), (256, "linear"), (64, "density")):
        with kernels.use("numpy"):
            expected = cluster(x, k, init)
        got = cluster(x, k, init)
        np.testing.assert_array_equal(got.centroids, expected.centroids)
        np.testing.assert_array_equal(got.assignments, expected.assignments)


@pytest.mark.parametrize("init", ["linear", "density", "random"])
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
        ([1, 2], 2, {"init": "forgy"}, ValueError, "'linear', 'density', 'random'"),
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
