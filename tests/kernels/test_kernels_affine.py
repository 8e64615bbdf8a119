"""Scale and shift of columns, with their gradients: the variants agree, and batch norm makes the right use of them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinycompress import functional as F
from tinycompress import kernels, nn
from tinycompress.kernels import affine
from tinycompress.tensor import Tensor

PROPERTY = settings(deadline=None, max_examples=100, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def matrices(draw):
    """(g, x, six columns, relu) in sizes that are multiples of nothing, not always contiguous, far from zero or not."""
    rows, columns = draw(st.sampled_from([1, 2, 7, 24, 255, 260, 515])), draw(st.sampled_from([1, 3, 8, 17, 20, 33]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = (rng.standard_normal((rows, columns)) + draw(st.sampled_from([0, 50]))).astype(dtype)
    g = rng.standard_normal((rows, columns)).astype(dtype)
    if draw(st.booleans()):
        x, g = np.asfortranarray(x), np.repeat(g, 2, axis=1)[:, ::2]
    return g, x, rng.standard_normal((6, columns)).astype(dtype), draw(st.booleans())


def in_each_variant(kernel, *args):
    for name in ("loop", "numpy", "fast"):
        with kernels.use(name):
            result = kernel(*args)
        yield result if isinstance(result, tuple | list) else [result]


def assert_variants_agree(kernel, *args, scale=1.0):
    expected, *others = in_each_variant(kernel, *args)
    for other in others:
        for actual, wanted in zip(other, expected, strict=True):
            assert actual.dtype == wanted.dtype
            size = max(scale, np.abs(wanted).max())
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=200 * np.finfo(wanted.dtype).eps * size)


@PROPERTY
@given(matrices())
def test_variants_agree(case):
    g, x, (scale, shift, centre, a, b, c), relu = case
    # A sum just above or below zero may round to either side: those elements are not compared.
    near = np.abs(x * scale + shift) < 1e-4
    g, x = np.where(near, 0, g), np.where(near, 0, x)
    shift = np.where(np.abs(shift) < 1e-3, 1, shift).astype(x.dtype)
    assert_variants_agree(affine.apply, x, scale, shift, relu, scale=50)
    assert_variants_agree(affine.moments, x, scale=2500)
    assert_variants_agree(affine.sums, g, x, scale, shift, centre, relu, scale=50 * len(x))
    assert_variants_agree(affine.grad_x, g, x, scale, shift, centre, a, b, c, relu, scale=50)


@PROPERTY
@given(matrices())
def test_moments_are_those_of_float64(case):
    x = case[1]
    mean, variance = affine.moments(x)
    exact = x.astype(np.float64)
    tolerance = 20 * np.finfo(x.dtype).eps
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=200 * np.finfo(x.dtype).eps, atol=1e-12)


@PROPERTY
@given(matrices())
def test_column_sums_are_those_of_float64(case):
    x = case[1]
    exact = x.astype(np.float64).sum(axis=0)
    size = np.abs(x).sum(axis=0).max()
    np.testing.assert_allclose(affine.column_sums(x), exact, rtol=0, atol=100 * np.finfo(x.dtype).eps * size)


def test_the_variance_survives_a_mean_that_is_a_thousand_times_as_large():
    x = (np.random.default_rng(0).standard_normal((4096, 24)) + 1000).astype(np.float32)
    exact = x.astype(np.float64).var(axis=0)
    np.testing.assert_allclose(affine.moments(x)[1], exact, rtol=1e-5)


@pytest.mark.parametrize("variant", ["loop", "numpy", "fast"])
def test_nan_survives(variant):
    x = np.array([[np.nan, -1.0, 2.0]])
    with kernels.use(variant):
        y = affine.apply(x, np.ones(3), np.zeros(3), True)
    np.testing.assert_array_equal(y, [[np.nan, 0, 2]])


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("variant", ["loop", "numpy", "fast"])
def test_no_gradient_hides_a_nan(variant, relu):
    # Columns: a NaN in x, in g where a ReLU lets it pass, in g where it does not, in neither but x is infinite, in neither.
    x, g = np.ones((300, 5), np.float32), np.ones((300, 5), np.float32)
    x[70, 0] = g[70, 1] = g[70, 2] = np.nan
    x[70, 2], x[70, 3] = -3, -np.inf
    columns = np.ones(5, np.float32), np.zeros(5, np.float32), np.ones(5, np.float32)
    with kernels.use(variant):
        of_g, of_gx = affine.sums(g, x, *columns, relu)
        gx = affine.grad_x(g, x, *columns, *columns, relu)
    dropped = np.nan if not relu else 299
    np.testing.assert_array_equal(of_g, [300, np.nan, dropped, 299 if relu else 300, 300])
    np.testing.assert_array_equal(np.isfinite(of_gx), [False, False, relu, False, True])
    np.testing.assert_array_equal(np.isfinite(gx).all(axis=0), [False, False, relu, False, True])
    gx[70] = 0
    assert np.isfinite(gx).all()


@pytest.mark.parametrize("variant", ["loop", "numpy", "fast"])
def test_moments_of_a_column_with_nan_are_nan_and_those_of_others_are_not(variant):
    x = np.random.default_rng(0).standard_normal((600, 5)).astype(np.float32)
    x[77, 3] = np.nan
    with kernels.use(variant):
        for moment in affine.moments(x):
            assert np.isnan(moment).tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_batch_norm_passes_nan_where_pytorch_does(training, relu):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    data, g = rng.standard_normal((2, 40, 4)).astype(np.float32)
    data[5, 1] = g[np.argmax(data[:, 2]), 2] = g[np.argmin(data[:, 3]), 3] = np.nan
    mean, var = np.zeros(4, np.float32), np.ones(4, np.float32)
    x, weight, bias = (Tensor(a, True) for a in (data, var.copy(), mean.copy()))
    if training:
        y = F.batch_norm_training(x, weight, bias, relu=relu)[0]
    else:
        y = F.batch_norm(x, weight, bias, mean, var, relu=relu)
    y.backward(g)
    theirs = [torch.from_numpy(a.copy()).requires_grad_() for a in (data, var, mean)]
    y = torch.nn.functional.batch_norm(
        theirs[0], torch.from_numpy(mean), torch.from_numpy(var), *theirs[1:], training=training
    )
    (y.relu() if relu else y).backward(torch.from_numpy(g))
    for ours, other in zip((x, weight, bias), theirs, strict=True):
        # With given statistics, x itself does not matter to its gradient, but a NaN in it is still a NaN in ours.
        seen = ~np.isnan(data) if ours is x and not training else slice(None)
        np.testing.assert_allclose(ours.grad[seen], other.grad.numpy()[seen], rtol=1e-4, atol=1e-4)


def test_results_are_the_same_bits_for_any_number_of_threads():
    g, x = np.random.default_rng(0).standard_normal((2, 9000, 20)).astype(np.float32)
    columns = np.random.default_rng(1).standard_normal((6, 20)).astype(np.float32)
    before, results = kernels.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            kernels.set_num_threads(threads)
            results.append(
                [
                    affine.apply(x, *columns[:2], True),
                    *affine.moments(x),
                    *affine.sums(g, x, *columns[:3], True),
                    affine.grad_x(g, x, *columns, True),
                ]
            )
    finally:
        kernels.set_num_threads(before)
    for other in results[1:]:
        for actual, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_shapes_that_do_not_fit_are_refused():
    x, three, four = np.zeros((5, 3)), np.zeros(3), np.zeros(4)
    with pytest.raises(ValueError, match=r"scale.*3 columns.*\(4,\)"):
        affine.apply(x, four, three)
    with pytest.raises(ValueError, match=r"g has the shape \(5, 4\), but x \(5, 3\)"):
        affine.sums(np.zeros((5, 4)), x, three, three, three)
    with pytest.raises(ValueError, match="no rows"):
        affine.moments(np.zeros((0, 3)))


@pytest.mark.parametrize("training", [True, False])
def test_a_relu_taken_along_with_batch_norm_changes_neither_values_nor_gradients(training):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((6, 5, 5, 3))
    mean, var = rng.standard_normal(3), rng.random(3) + 0.5
    found = []
    for together in (True, False):
        x, weight, bias = (Tensor(a, True) for a in (data, np.array([1.0, -2.0, 0.5]), np.array([0.1, 0.0, -0.3])))
        if training:
            y = F.batch_norm_training(x, weight, bias, relu=together)[0]
        else:
            y = F.batch_norm(x, weight, bias, mean, var, relu=together)
        y = y if together else F.relu(y)
        y.backward(np.random.default_rng(1).standard_normal(y.shape))
        found.append([y.data, x.grad, weight.grad, bias.grad])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_a_sequence_gives_the_same_bits_whether_its_layers_are_traced_or_not():
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Conv2d(2, 6, 3, rng=rng), nn.BatchNorm(6), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU(), nn.ReLU(), nn.Flatten()
    )
    x = rng.standard_normal((4, 8, 8, 2)).astype(np.float32)
    for _ in range(2):
        plain = net(x).data
        with nn.trace() as calls:
            traced = net(x).data
        assert [module for module, _, _ in calls] == [*net.layers, net]
        np.testing.assert_array_equal(plain, traced)
        net.eval()


def test_a_batch_norm_of_ones_own_is_not_asked_for_a_relu():
    class Shifted(nn.BatchNorm):
        def forward(self, x):
            return super().forward(x) - 10.0

    x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    assert not nn.Sequential(Shifted(3), nn.ReLU())(x).data.any()


@pytest.mark.parametrize("value", [0.0, 3.3, -1e8])
def test_a_constant_column_has_no_variance(value):
    for rows, columns in (1, 3), (256, 8), (4112, 5):
        mean, variance = affine.moments(np.full((rows, columns), value, np.float32))
        np.testing.assert_array_equal(mean, np.float32(value))
        np.testing.assert_array_equal(variance, 0)
