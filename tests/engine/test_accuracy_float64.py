"""Long sums in float32 beside float64: many terms of one sign, which add up what each addition loses in rounding."""

import numpy as np
import pytest

from tinycompress import Tensor, kernels, nn
from tinycompress.kernels import affine

NONE = (0, 0), (0, 0)
UNIT = 2.0**-24  # of rounding, in float32; 30,000 terms added one after the other have lost some hundred


def one_sign(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape).astype(np.float32)


def assert_within(units, actual, exact):
    assert actual.dtype == np.float32
    lost = np.abs(actual / exact - 1).max() / UNIT
    assert lost < units, f"{lost:.1f} units of rounding are lost"


compressed = pytest.mark.parametrize("variant", ["numpy", "fast"])

CONVOLUTIONS = {
    "small images": ((500, 8, 8, 3), (3, 3), NONE, 5),
    "one large image": ((1, 160, 170, 2), (3, 3), NONE, 3),
    "a row of thousands": ((1, 1, 30_000, 2), (1, 3), NONE, 3),
    "one channel": ((1, 180, 160, 1), (5, 5), ((2, 2), (2, 2)), 1),
    "pointwise": ((64, 20, 20, 1), (1, 1), NONE, 6),
    "single pixels": ((30_000, 1, 1, 6), (1, 1), NONE, 4),
}


@compressed
@pytest.mark.parametrize("x_shape, kernel, padding, filters", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_gradients_of_weights_lose_little_over_many_pixels(variant, x_shape, kernel, padding, filters):
    def gradients(x, g, gd):
        w = *kernel, x_shape[3]
        yield kernels.conv2d_grad_w(x, g, (1, 1), padding, (*w, filters))
        yield kernels.depthwise_conv2d_grad_w(x, gd, (1, 1), padding, w)

    size = (n + sum(p) - k + 1 for n, p, k in zip(x_shape[1:3], padding, kernel, strict=True))
    N, H, W = x_shape[0], *size
    arrays = one_sign(*x_shape), one_sign(N, H, W, filters, seed=1), one_sign(N, H, W, x_shape[3], seed=2)
    with kernels.use("numpy"):
        expected = list(gradients(*(a.astype(np.float64) for a in arrays)))
    with kernels.use(variant):
        for actual, exact in zip(gradients(*arrays), expected, strict=True):
            assert_within(15, actual, exact)


@compressed
@pytest.mark.parametrize("shape", [(30_000, 1), (30_000, 16), (40_000, 3), (2_000, 200)], ids=str)
def test_sums_and_moments_of_columns_lose_little(variant, shape):
    x, g = one_sign(*shape), one_sign(*shape, seed=1)
    columns = np.ones((3, shape[1]), np.float32)
    wide, wide_g = x.astype(np.float64), g.astype(np.float64)
    with kernels.use(variant):
        mean, variance = affine.moments(x)
        of_g, of_gx = affine.sums(g, x, *columns, relu=True)
    assert_within(6, mean, wide.mean(axis=0))
    assert_within(10, variance, wide.var(axis=0))
    assert_within(6, of_g, wide_g.sum(axis=0))
    size = np.abs(wide_g * (wide - 1)).sum(axis=0)
    np.testing.assert_allclose(of_gx, (wide_g * (wide - 1)).sum(axis=0), rtol=0, atol=6 * UNIT * size.max())
    assert_within(6, affine.column_sums(x), wide.sum(axis=0))


@pytest.mark.parametrize("spread", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("rows", [20, 64, 250, 600])
def test_moments_of_few_rows_are_nearly_as_exact_as_their_rounding(rows, spread):
    # Also where the first number, which serves as a centre, happens to lie far out.
    x = (1 + spread * np.random.default_rng(0).standard_normal((rows, 200))).astype(np.float32)
    exact = x.astype(np.float64)
    mean, variance = affine.moments(x)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=0, atol=2 * UNIT * (1 + spread))
    assert_within(8, variance, exact.var(axis=0))


@compressed
@pytest.mark.parametrize("size", [(150, 160), (40, 300), (17, 16)], ids=str)
def test_the_mean_of_a_large_window_loses_little(variant, size):
    x = one_sign(2, *size, 3)
    with kernels.use(variant):
        y = kernels.avg_pool2d(x, size, size)
    assert_within(15, y[:, 0, 0], x.astype(np.float64).mean(axis=(1, 2)))


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (1, 2), (0, 2)], ids=str)
def test_sum_and_mean_of_a_tensor_lose_little(axis):
    x = one_sign(150, 160, 3) if axis != 2 else one_sign(3, 20, 5000)
    for array in x, np.ascontiguousarray(x.T).T, np.repeat(x, 2, axis=1)[:, ::2]:
        assert_within(10, Tensor(array).sum(axis).data, array.astype(np.float64).sum(axis))
        assert_within(10, Tensor(array).mean(axis).data, array.astype(np.float64).mean(axis))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 1, 3), (20, 3), (150, 1, 1)], ids=str)
def test_the_gradient_of_what_was_broadcast_loses_little(shape):
    g = one_sign(200, 150, 20, 3)
    a = Tensor(np.zeros(shape, np.float32), requires_grad=True)
    (a + np.zeros_like(g)).backward(g)
    exact = g.astype(np.float64).sum(axis=tuple(range(4 - len(shape))))
    repeated = tuple(axis for axis, n in enumerate(shape) if n == 1)
    assert a.grad.shape == shape
    assert_within(10, a.grad, exact.sum(axis=repeated, keepdims=True).reshape(shape))


@pytest.mark.parametrize("channels", [1, 3, 64])
def test_the_mean_over_a_large_image_loses_little(channels):
    x = one_sign(2, 150, 160, channels)
    assert_within(10, nn.GlobalAvgPool()(Tensor(x)).data, x.astype(np.float64).mean(axis=(1, 2)))


def test_the_mean_of_equal_numbers_is_that_number():
    for n in range(1, 200):
        assert Tensor(np.full(n, 3, np.float32)).mean().item() == 3


# Beside PyTorch, over several shapes: where float32 itself is the limit, ours may be no further from float64.
@pytest.mark.parametrize("shape", [(64, 28, 28, 6), (500, 8, 8, 16), (1, 150, 160, 3)], ids=str)
def test_no_sum_loses_much_more_than_that_of_pytorch(shape):
    torch = pytest.importorskip("torch")
    x = one_sign(*shape)
    theirs = torch.from_numpy(x)
    images = theirs.permute(0, 3, 1, 2).contiguous()
    bias, their_bias = Tensor(np.zeros(shape[3], np.float32), True), torch.zeros(shape[3], requires_grad=True)
    (bias + np.zeros_like(x)).backward(x)
    (their_bias + torch.zeros(shape)).backward(theirs)
    exact = x.astype(np.float64)
    cases = {
        "sum": (Tensor(x).sum((0, 1, 2)).data, theirs.sum((0, 1, 2)), exact.sum(axis=(0, 1, 2))),
        "bias": (bias.grad, their_bias.grad, exact.sum(axis=(0, 1, 2))),
        "pool": (nn.GlobalAvgPool()(Tensor(x)).data, images.mean((2, 3)), exact.mean(axis=(1, 2))),
        "mean": (affine.moments(x.reshape(-1, shape[3]))[0], images.mean((0, 2, 3)), exact.mean(axis=(0, 1, 2))),
    }
    for name, (ours, other, expected) in cases.items():
        lost, their_loss = (np.abs(np.asarray(a) / expected - 1).max() / UNIT for a in (ours, other))
        assert lost <= 3 + 2 * their_loss, f"{name}: {lost:.1f} units of rounding, but {their_loss:.1f} in PyTorch"


# Batch norm's running statistics.
@compressed
@pytest.mark.parametrize("momentum", [0.001, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("mean, spread", [(0.1, 1.0), (1000.0, 1.0), (1e-3, 1e-4)])
def test_running_statistics_stay_with_those_of_float64(variant, momentum, mean, spread, rng):
    norm = nn.BatchNorm(5, momentum)
    expected_mean, expected_var, size = np.zeros(5), np.ones(5), 0
    for _ in range(5):
        x = (mean + spread * rng.standard_normal((600, 5))).astype(np.float32)
        with kernels.use(variant):
            norm(Tensor(x))
        exact = x.astype(np.float64)
        expected_mean = (1 - momentum) * expected_mean + momentum * exact.mean(axis=0)
        expected_var = (1 - momentum) * expected_var + momentum * exact.var(axis=0, ddof=1)
        size = (1 - momentum) * size + momentum * (mean + spread)
    np.testing.assert_allclose(norm.running_mean, expected_mean, rtol=0, atol=8 * UNIT * size)
    assert_within(10, norm.running_var, expected_var)


def test_a_momentum_of_1_takes_the_statistics_of_the_batch_alone(rng):
    norm = nn.BatchNorm(3, momentum=1.0)
    norm.running_mean += 1e6
    norm.running_var += 1e6
    x = (1e-5 * rng.standard_normal((64, 3))).astype(np.float32)
    norm(Tensor(x))
    mean, var = affine.moments(x)
    np.testing.assert_array_equal(norm.running_mean, mean)
    np.testing.assert_allclose(norm.running_var, var * (64 / 63), rtol=4 * UNIT)


def test_running_statistics_of_a_float64_net_are_rounded_to_their_buffers_only(rng):
    x = 3 + rng.standard_normal((64, 8, 8, 3))
    exact_mean, exact_var = 0.1 * x.mean(axis=(0, 1, 2)), 0.9 + 0.1 * x.var(axis=(0, 1, 2), ddof=1)
    for dtype, rounding in (np.float32, UNIT), (np.float64, 1e-13):
        norm = nn.BatchNorm(3)
        norm.weight, norm.bias = nn.Parameter(np.ones(3)), nn.Parameter(np.zeros(3))
        norm.running_mean, norm.running_var = norm.running_mean.astype(dtype), norm.running_var.astype(dtype)
        norm(Tensor(x))
        assert norm.running_mean.dtype == norm.running_var.dtype == dtype
        np.testing.assert_allclose(norm.running_mean, exact_mean, rtol=1.01 * rounding)
        np.testing.assert_allclose(norm.running_var, exact_var, rtol=1.01 * rounding)
