"""The three variants of every kernel agree, and the gradients are those of the forward kernels."""

import threading

import numpy as np
import pytest
import threadpoolctl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinycompress import kernels
from tinycompress.kernels.runtime.threads import WORTH_A_THREAD, share
from tinycompress.pruning.products.csr import csr_matmul

VARIANTS = ["loop", "numpy", "fast"]
DTYPES = [np.float32, np.float64]
PROPERTY = settings(deadline=None, max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def default_settings():
    threads = kernels.get_num_threads()
    yield
    kernels.use("fast")
    kernels.set_num_threads(threads)


def numbers(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_close(actual, expected):
    """Equal up to the rounding of sums of some thousand products, in the precision of the numbers."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=200 * np.finfo(expected.dtype).eps * scale)


def in_each_variant(kernel, *args):
    results = []
    for name in VARIANTS:
        with kernels.use(name):
            results.append(kernel(*args))
    return results


def assert_variants_agree(kernel, *args):
    expected, *others = in_each_variant(kernel, *args)
    for actual in others:
        assert actual.flags.c_contiguous
        assert_close(actual, expected)
    return expected


def assert_fast_agrees_with_numpy(kernel, *args):
    with kernels.use("numpy"):
        expected = kernel(*args)
    assert_close(kernel(*args), expected)
    return expected


def spread_out(array):
    """The same numbers in memory that is not contiguous."""
    wide = np.repeat(array, 2, axis=-1)
    return wide[..., ::2]


@st.composite
def convolutions(draw, depthwise=False):
    """(x, w, stride, padding) in sizes that are multiples of nothing, with at least one output pixel."""
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    side = st.integers(0, 4)
    padding = draw(st.tuples(st.tuples(side, side), st.tuples(side, side)))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    size = [
        draw(st.integers(max(1, k - before - after), 9)) for k, (before, after) in zip(kernel, padding, strict=True)
    ]
    batch = draw(st.sampled_from([1, 2, 3, 7, 9]))
    channels = draw(st.sampled_from([1, 2, 3, 5, 17, 35] if depthwise else [1, 2, 3, 5]))
    filters = [] if depthwise else [draw(st.sampled_from([1, 3, 10, 17, 33]))]
    dtype = draw(st.sampled_from(DTYPES))
    seed = draw(st.integers(0, 1000))
    x = numbers((batch, *size, channels), dtype, seed)
    w = numbers((*kernel, channels, *filters), dtype, seed + 1)
    if draw(st.booleans()):
        x, w = spread_out(x), spread_out(w)
    return x, w, stride, padding


def assert_gradients_are_adjoint(x, w, stride, padding, forward, grad_x, grad_w):
    """A kernel linear in x and in w satisfies <y(x, w), g> = <x, grad_x(g, w)> = <w, grad_w(x, g)> for every g."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    y = forward(x, w, stride, padding)
    g = numbers(y.shape, seed=2)
    expected = np.vdot(y, g)
    scale = np.linalg.norm(y) * np.linalg.norm(g) + 1
    assert abs(np.vdot(x, grad_x(g, w, stride, padding, x.shape)) - expected) < 1e-12 * scale
    assert abs(np.vdot(w, grad_w(x, g, stride, padding, w.shape)) - expected) < 1e-12 * scale


CONV = kernels.conv2d, kernels.conv2d_grad_x, kernels.conv2d_grad_w
DEPTHWISE = kernels.depthwise_conv2d, kernels.depthwise_conv2d_grad_x, kernels.depthwise_conv2d_grad_w


def check_convolution(x, w, stride, padding, forward, grad_x, grad_w):
    # The plain loop takes about a microsecond for each product: small cases only, and the others against NumPy.
    compare = assert_variants_agree if x.size * w.size // w.shape[2] < 5_000 else assert_fast_agrees_with_numpy
    y = compare(forward, x, w, stride, padding)
    bias = numbers(w.shape[-1], y.dtype, seed=4)
    assert_close(compare(forward, x, w, stride, padding, bias), y + bias)
    g = numbers(y.shape, y.dtype, seed=3)
    compare(grad_x, g, w, stride, padding, x.shape)
    compare(grad_w, x, g, stride, padding, w.shape)


@PROPERTY
@given(convolutions())
def test_convolution_variants_agree(case):
    check_convolution(*case, *CONV)


@PROPERTY
@given(convolutions())
def test_convolution_gradients_are_adjoint_to_the_forward_kernel(case):
    assert_gradients_are_adjoint(*case, *CONV)


@PROPERTY
@given(convolutions(depthwise=True))
def test_depthwise_variants_agree(case):
    check_convolution(*case, *DEPTHWISE)


@PROPERTY
@given(convolutions(depthwise=True))
def test_depthwise_gradients_are_adjoint_to_the_forward_kernel(case):
    assert_gradients_are_adjoint(*case, *DEPTHWISE)


@pytest.mark.parametrize("variant", ["loop", "numpy"])
def test_gradients_of_the_readable_variants_are_adjoint_too(variant):
    x, w = numbers((2, 6, 5, 2)), numbers((3, 2, 2, 3), seed=1)
    with kernels.use(variant):
        assert_gradients_are_adjoint(x, w, (2, 1), ((1, 0), (0, 2)), *CONV)
        assert_gradients_are_adjoint(x, w[..., 0], (2, 1), ((1, 0), (0, 2)), *DEPTHWISE)


# Sizes at which the fast kernels take different ways: many small images, whole tiles, wide rows, single pixels.
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "x_shape, w_shape, stride, padding",
    [
        ((17, 5, 5, 6), (5, 5, 6, 16), (1, 1), ((0, 0), (0, 0))),
        ((64, 7, 7, 3), (3, 3, 3, 20), (1, 1), ((1, 1), (1, 1))),
        ((2, 28, 28, 1), (5, 5, 1, 6), (1, 1), ((2, 2), (2, 2))),
        ((16, 8, 8, 32), (3, 3, 32, 64), (1, 1), ((1, 1), (1, 1))),
        ((9, 16, 15, 16), (3, 3, 16, 24), (2, 2), ((0, 1), (1, 1))),
        ((3, 12, 70, 4), (3, 3, 4, 40), (1, 2), ((1, 1), (1, 1))),
        ((13, 11, 7, 19), (1, 1, 19, 35), (1, 1), ((0, 0), (0, 0))),
        ((8, 4, 4, 32), (1, 1, 32, 64), (1, 1), ((0, 0), (0, 0))),
        ((1, 1, 1009, 3), (1, 1, 3, 5), (1, 1), ((0, 0), (0, 0))),
        ((4, 9, 9, 8), (1, 1, 8, 8), (2, 2), ((0, 0), (0, 0))),
        ((4, 9, 9, 8), (2, 2, 8, 8), (3, 4), ((0, 0), (0, 0))),
        ((3, 4, 4, 5), (2, 3, 5, 7), (1, 1), ((6, 7), (5, 4))),
    ],
)
def test_convolution_agrees_with_numpy_at_working_sizes(x_shape, w_shape, stride, padding, dtype):
    x, w = numbers(x_shape, dtype), numbers(w_shape, dtype, seed=1)
    with kernels.use("numpy"):
        y = kernels.conv2d(x, w, stride, padding)
        g = numbers(y.shape, dtype, seed=2)
        gx = kernels.conv2d_grad_x(g, w, stride, padding, x_shape)
        gw = kernels.conv2d_grad_w(x, g, stride, padding, w_shape)
    assert_close(kernels.conv2d(x, w, stride, padding), y)
    assert_close(kernels.conv2d_grad_x(g, w, stride, padding, x_shape), gx)
    assert_close(kernels.conv2d_grad_w(x, g, stride, padding, w_shape), gw)


@st.composite
def poolings(draw):
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    size = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    shape = [draw(st.sampled_from([1, 2, 3, 9])), *(draw(st.integers(k, 8)) for k in size)]
    shape.append(draw(st.sampled_from([1, 3, 6, 17, 33])))
    # Few different numbers, so that there are ties.
    x = np.random.default_rng(draw(st.integers(0, 1000))).integers(-3, 4, shape)
    x = x.astype(draw(st.sampled_from(DTYPES)))
    return spread_out(x) if draw(st.booleans()) else x, size, stride


@PROPERTY
@given(poolings())
def test_pooling_variants_agree(case):
    x, size, stride = case
    for relu in (False, True):
        (y, argmax), *others = in_each_variant(kernels.max_pool2d, x, size, stride, relu)
        for other_y, other_argmax in others:
            np.testing.assert_array_equal(other_y, y)
            np.testing.assert_array_equal(other_argmax, argmax)
        g = numbers(y.shape, y.dtype)
        assert_variants_agree(kernels.max_pool2d_grad, g, argmax, size, stride, x.shape)
    assert_variants_agree(kernels.avg_pool2d, x, size, stride)
    assert_variants_agree(kernels.avg_pool2d_grad, g, size, stride, x.shape)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pooling_gradients_are_adjoint(variant):
    x, size, stride = numbers((2, 7, 6, 5)), (3, 2), (2, 2)
    with kernels.use(variant):
        y, argmax = kernels.max_pool2d(x, size, stride)
        g = numbers(y.shape, seed=1)
        # Max pooling is linear as long as the greatest elements stay where they are.
        assert np.vdot(y, g) == pytest.approx(
            np.vdot(x, kernels.max_pool2d_grad(g, argmax, size, stride, x.shape)), rel=1e-12
        )
        mean = kernels.avg_pool2d(x, size, stride)
        assert np.vdot(mean, g) == pytest.approx(
            np.vdot(x, kernels.avg_pool2d_grad(g, size, stride, x.shape)), rel=1e-12
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_nan_survives_max_pooling(variant):
    x = np.zeros((1, 2, 2, 3), np.float32)
    x[0, 1, 0, 1] = x[0, 1, 1, 1] = np.nan
    with kernels.use(variant):
        y, argmax = kernels.max_pool2d(x, (2, 2), (2, 2))
    assert np.isnan(y[0, 0, 0]).tolist() == [False, True, False]
    assert argmax[0, 0, 0].tolist() == [0, 2, 0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_max_pooling_of_minus_infinity_points_into_the_window(variant):
    with kernels.use(variant):
        y, argmax = kernels.max_pool2d(np.full((1, 2, 2, 2), -np.inf), (2, 2), (2, 2))
    assert np.isneginf(y).all()
    assert not argmax.any()


@PROPERTY
@given(
    rows=st.integers(1, 20),
    columns=st.integers(1, 20),
    batch=st.sampled_from([1, 2, 15, 33, 70]),
    density=st.floats(0, 1),
    index_type=st.sampled_from([np.int32, np.int64]),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 1000),
)
def test_csr_matmul_equals_the_dense_product(rows, columns, batch, density, index_type, dtype, seed):
    rng = np.random.default_rng(seed)
    dense = numbers((rows, columns), dtype, seed) * (rng.random((rows, columns)) < density)
    present = dense != 0
    indptr = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(index_type)
    indices = np.nonzero(present)[1].astype(index_type)
    x = numbers((columns, batch), dtype, seed + 1)
    y = assert_variants_agree(csr_matmul, indptr, indices, dense[present], x)
    assert_close(y, (dense @ x).astype(dtype))


def every_kernel(batch, dtype=np.float32, size=12):
    """The results of all kernels, by name, for a batch that is large enough for several threads."""
    C, OC, stride, padding = 9, 20, (1, 1), ((1, 1), (1, 1))
    x, w, d = numbers((batch, size, size, C), dtype), numbers((3, 3, C, OC), dtype), numbers((3, 3, C), dtype)
    g, gd = numbers((batch, size, size, OC), dtype, 1), numbers((batch, size, size, C), dtype, 1)
    y, argmax = kernels.max_pool2d(x, (2, 2), (2, 2))
    indptr, indices = np.arange(0, 64 * 8 + 1, 8), np.tile(np.arange(8), 64)
    many, wide = numbers((batch, size, size, 32), dtype), numbers((3, 3, 32, 32), dtype)  # fewer products (`winograd`)
    return {
        "conv2d, many channels": kernels.conv2d(many, wide, stride, padding),
        "many channels, grad_x": kernels.conv2d_grad_x(many, wide, stride, padding, many.shape),
        "many channels, grad_w": kernels.conv2d_grad_w(many, many, stride, padding, wide.shape),
        "conv2d": kernels.conv2d(x, w, stride, padding),
        "conv2d_grad_x": kernels.conv2d_grad_x(g, w, stride, padding, x.shape),
        "conv2d_grad_w": kernels.conv2d_grad_w(x, g, stride, padding, w.shape),
        "depthwise_conv2d": kernels.depthwise_conv2d(x, d, stride, padding),
        "depthwise_conv2d_grad_x": kernels.depthwise_conv2d_grad_x(gd, d, stride, padding, x.shape),
        "depthwise_conv2d_grad_w": kernels.depthwise_conv2d_grad_w(x, gd, stride, padding, d.shape),
        "max_pool2d": y,
        "max_pool2d_grad": kernels.max_pool2d_grad(y, argmax, (2, 2), (2, 2), x.shape),
        "avg_pool2d": kernels.avg_pool2d(x, (2, 2), (2, 2)),
        "avg_pool2d_grad": kernels.avg_pool2d_grad(y, (2, 2), (2, 2), x.shape),
        "csr_matmul": csr_matmul(indptr, indices, numbers(64 * 8, dtype), numbers((8, batch * 40), dtype)),
    }


def test_results_are_the_same_bits_for_any_number_of_threads():
    results = []
    for threads in (1, 2, 3):
        kernels.set_num_threads(threads)
        results.append(every_kernel(batch=50))
    for name, expected in results[0].items():
        for other in results[1:]:
            np.testing.assert_array_equal(other[name], expected, err_msg=name)


def test_kernels_may_be_called_from_several_threads_at_once():
    kernels.set_num_threads(2)
    expected = every_kernel(batch=30)
    results = [None] * 4

    def call(i):
        results[i] = every_kernel(batch=30)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for result in results:
        for name in expected:
            np.testing.assert_array_equal(result[name], expected[name], err_msg=name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_empty_batch_gives_empty_results(variant):
    with kernels.use(variant):
        for name, result in every_kernel(batch=0, size=4).items():
            if name.endswith("grad_w"):
                assert not result.any(), name
            else:
                assert result.size == 0, name


@pytest.mark.parametrize("index", [2, -1, 10**6])
def test_a_sparse_matrix_wider_than_x_is_refused(index):
    indptr, indices = np.array([0, 1, 2], np.int32), np.array([0, index], np.int32)
    with pytest.raises(IndexError, match="x, which has 2 rows"):
        csr_matmul(indptr, indices, numbers(2), numbers((2, 5)))


def test_inputs_are_left_as_they_are():
    x, w = numbers((3, 6, 6, 4)), numbers((3, 3, 4, 5))
    before = x.copy(), w.copy()
    y = kernels.conv2d(x, w, (1, 1), ((0, 0), (0, 0)))
    kernels.conv2d_grad_x(y, w, (1, 1), ((0, 0), (0, 0)), x.shape)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(w, before[1])


@pytest.mark.parametrize(("C", "OC"), [(3, 7), (64, 64)])
def test_infinity_in_one_image_does_not_leak_into_another(C, OC):
    # Tiles may read beyond the pixels they are made for; nothing of that may reach a result.
    x, w, none = numbers((9, 6, 6, C)), numbers((3, 3, C, OC)), ((0, 0), (0, 0))
    clean = kernels.conv2d(x, w, (1, 1), none)
    x[4] = np.inf
    dirty = kernels.conv2d(x, w, (1, 1), none)
    others = np.arange(9) != 4
    np.testing.assert_array_equal(dirty[others], clean[others])


def test_use_restores_the_variant_and_nests():
    assert kernels.variant() == "fast"
    with kernels.use("loop"):
        with kernels.use("numpy"):
            assert kernels.variant() == "numpy"
        assert kernels.variant() == "loop"
    assert kernels.variant() == "fast"
    kernels.use("numpy")
    assert kernels.variant() == "numpy"


def test_an_unknown_variant_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'quick'.*'loop', 'numpy', 'fast'"):
        kernels.use("quick")
    assert kernels.variant() == "fast"


@pytest.mark.parametrize(
    "n, error", [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError), (True, TypeError)]
)
def test_impossible_numbers_of_threads_are_refused(n, error):
    before = kernels.get_num_threads()
    with pytest.raises(error, match="number of threads"):
        kernels.set_num_threads(n)
    assert kernels.get_num_threads() == before


def threads_of_blas():
    (number,) = {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}
    return number


def test_blas_has_as_many_threads_until_a_kernel_shares_its_work():
    for threads in (1, 2):
        kernels.set_num_threads(threads)
        assert threads_of_blas() == threads
    share(lambda start, end: None, 2, 2 * WORTH_A_THREAD)
    assert threads_of_blas() == 1
    kernels.set_num_threads(2)  # nothing changes
    assert threads_of_blas() == 1
    kernels.set_num_threads(1)
    kernels.set_num_threads(2)  # a new pool
    assert threads_of_blas() == 2


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_is_numpys_product_on_any_number_of_threads(threads, dtype, monkeypatch):
    kernels.set_num_threads(threads)
    share(lambda start, end: None, 2, 2 * WORTH_A_THREAD)
    monkeypatch.setattr(kernels, "FASTER", 1)  # so that small products are shared, too
    a, b = numbers((70, 200), dtype), numbers((300, 200), dtype, seed=1)
    for left, right in ((a, b.T), (a.T, a), (b, a.T), (a[:, ::2], b.T[::2]), (a[:1], b.T), (a[:0], b.T)):
        y = kernels.matmul(left, right)
        assert y.dtype == dtype and y.flags.c_contiguous
        assert_close(y, left @ right)


def test_wrong_shapes_and_types_are_refused_with_both_sides_named():
    x, w, none = numbers((1, 4, 4, 3)), numbers((3, 3, 2, 5)), ((0, 0), (0, 0))
    with pytest.raises(ValueError, match="3 channels.*expect 2"):
        kernels.conv2d(x, w, (1, 1), none)
    with pytest.raises(ValueError, match=r"window of \(5, 5\) does not fit into an image of \(4, 4\)"):
        kernels.conv2d(x, numbers((5, 5, 3, 2)), (1, 1), none)
    with pytest.raises(TypeError, match="x is float32, w is float64"):
        kernels.conv2d(x.astype(np.float32), numbers((3, 3, 3, 2)), (1, 1), none)
    with pytest.raises(TypeError, match="int64"):
        kernels.max_pool2d(np.zeros((1, 4, 4, 3), np.int64), (2, 2), (2, 2))
    with pytest.raises(ValueError, match=r"output's shape \(1, 2, 2, 5\)"):
        kernels.conv2d_grad_x(numbers((1, 3, 3, 5)), numbers((3, 3, 3, 5)), (1, 1), none, x.shape)
    with pytest.raises(ValueError, match=r"the bias should have the shape \(5,\).*but has \(3,\)"):
        kernels.conv2d(x, numbers((3, 3, 3, 5)), (1, 1), none, numbers(3))
    with pytest.raises(ValueError, match="3 channels.*depthwise weights expect 2"):
        kernels.depthwise_conv2d(x, numbers((3, 3, 2)), (1, 1), none)
    with pytest.raises(ValueError, match="indptr"):
        csr_matmul(np.array([0, 5]), np.array([0]), numbers(1), numbers((2, 2)))
