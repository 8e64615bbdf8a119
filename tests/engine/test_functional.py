"""Layers' operations against naive loops written from their definitions; what does not fit is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import Tensor, gradcheck, nn
from tinycompress import functional as F


# Naive references: written from the definitions alone.
def pads(size, kernel, stride, padding):
    """((top, bottom), (left, right)) for every way to write a padding."""
    if padding == "valid":
        return ((0, 0), (0, 0))
    if padding == "same":
        totals = [max(0, (-(-n // s) - 1) * s + k - n) for n, k, s in zip(size, kernel, stride, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, int):
        return ((padding, padding), (padding, padding))
    return tuple((p, p) if isinstance(p, int) else p for p in padding)


def naive_windows(x, kernel, stride, padding):
    """(n, i, j, window of shape (kh, kw, C)) for every place of the window."""
    (kh, kw), (sh, sw) = kernel, stride
    padded = np.pad(x, ((0, 0), *pads(x.shape[1:3], kernel, stride, padding), (0, 0)))
    for n in range(len(x)):
        for i, top in enumerate(range(0, padded.shape[1] - kh + 1, sh)):
            for j, left in enumerate(range(0, padded.shape[2] - kw + 1, sw)):
                yield n, i, j, padded[n, top : top + kh, left : left + kw]


def naive(x, kernel, stride, padding, value, channels):
    """Fill (N, H', W', channels) with value(window)."""
    places = [(n, i, j, value(window)) for n, i, j, window in naive_windows(x, kernel, stride, padding)]
    y = np.zeros((len(x), 1 + max(p[1] for p in places), 1 + max(p[2] for p in places), channels))
    for n, i, j, v in places:
        y[n, i, j] = v
    return y


def pair(value):
    return (value, value) if isinstance(value, int) else value


def naive_conv2d(x, w, stride, padding):
    def value(window):
        return [sum((window[..., c] * w[..., c, o]).sum() for c in range(w.shape[2])) for o in range(w.shape[3])]

    return naive(x, w.shape[:2], pair(stride), padding, value, w.shape[3])


def naive_depthwise(x, w, stride, padding):
    def value(window):
        return [(window[..., c] * w[..., c]).sum() for c in range(w.shape[2])]

    return naive(x, w.shape[:2], pair(stride), padding, value, w.shape[2])


# Convolutions: (image, kernel, stride, padding).
WINDOWS = [
    ((5, 6), (3, 3), 1, "same"),
    ((5, 6), (3, 3), 1, "valid"),
    ((5, 6), (3, 3), 2, "same"),
    ((6, 5), (3, 3), 2, "valid"),
    ((7, 4), (3, 3), 3, "same"),
    ((7, 4), (2, 2), 3, "valid"),
    ((4, 5), (2, 2), 1, "same"),  # an even kernel: the odd zero goes below and right
    ((5, 5), (4, 2), 2, "same"),
    ((5, 6), (3, 2), (1, 2), 1),
    ((6, 5), (2, 3), (3, 1), (1, 2)),
    ((5, 5), (3, 3), 2, ((0, 1), (2, 0))),
    ((4, 4), (3, 3), 1, ((1, 0), (0, 3))),
    ((3, 3), (1, 1), 1, "same"),
    ((5, 5), (1, 1), 2, "same"),
    ((3, 3), (5, 5), 1, "same"),  # a kernel larger than the image
    ((3, 3), (3, 3), 1, "valid"),  # one place only
    ((1, 7), (1, 3), 1, "same"),
    ((1, 1), (3, 3), 2, 1),
]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_conv2d_is_the_sum_over_the_window(window, batch, rng):
    image, kernel, stride, padding = window
    x, w = rng.standard_normal((batch, *image, 2)), rng.standard_normal((*kernel, 2, 3))
    b = rng.standard_normal(3)
    expected = naive_conv2d(x, w, stride, padding)
    np.testing.assert_allclose(F.conv2d(Tensor(x), Tensor(w), None, stride, padding).data, expected, atol=1e-12)
    y = F.conv2d(*(Tensor(a.astype(np.float32)) for a in (x, w, b)), stride, padding).data
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected + b, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_depthwise_conv2d_is_the_sum_over_each_channels_window(window, batch, rng):
    image, kernel, stride, padding = window
    x, w = rng.standard_normal((batch, *image, 3)), rng.standard_normal((*kernel, 3))
    b = rng.standard_normal(3)
    expected = naive_depthwise(x, w, stride, padding)
    np.testing.assert_allclose(
        F.depthwise_conv2d(Tensor(x), Tensor(w), None, stride, padding).data, expected, atol=1e-12
    )
    y = F.depthwise_conv2d(*(Tensor(a.astype(np.float32)) for a in (x, w, b)), stride, padding).data
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected + b, atol=1e-4)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_derivatives_of_convolutions(window, rng):
    image, kernel, stride, padding = window
    x = rng.standard_normal((2, *image, 2))
    w, b = rng.standard_normal((*kernel, 2, 3)), rng.standard_normal(3)
    assert gradcheck(lambda x, w, b: F.conv2d(x, w, b, stride, padding), x, w, b, rng=rng, rtol=1e-4)
    w, b = rng.standard_normal((*kernel, 2)), rng.standard_normal(2)
    assert gradcheck(lambda x, w, b: F.depthwise_conv2d(x, w, b, stride, padding), x, w, b, rng=rng, rtol=1e-4)


@pytest.mark.parametrize(("convolve", "w_shape"), [(F.conv2d, (3, 2, 2, 3)), (F.depthwise_conv2d, (2, 2, 3))])
def test_derivatives_of_convolutions_where_nothing_is_contiguous(convolve, w_shape, rng):
    def function(x, w):
        return convolve(x.T, w.T, None, (2, 1), "same").transpose(1, 3, 0, 2)

    assert gradcheck(function, rng.standard_normal((2, 5, 6, 2)), rng.standard_normal(w_shape), rng=rng, rtol=1e-4)


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: F.conv2d(x, Tensor(np.ones((3, 3, 2, 4))), None, 2, "same"),
        lambda x: F.depthwise_conv2d(x, Tensor(np.ones((3, 3, 2))), None, 1, "same"),
        lambda x: F.dense(x, Tensor(np.ones((2, 4)))),
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.avg_pool2d(x, 2),
        lambda x: F.batch_norm_training(x, Tensor(np.arange(2.0)), Tensor(np.ones(2)))[0] ** 2,
    ],
    ids=["conv2d", "depthwise", "dense", "max_pool", "avg_pool", "batch_norm"],
)
def test_a_gradient_broadcast_from_one_number_is_as_good_as_a_written_out_one(operation, rng):
    values = rng.standard_normal((2, 4, 5, 2))
    x, z = Tensor(values, requires_grad=True), Tensor(values, requires_grad=True)
    operation(x).sum().backward()  # arrives as a read-only view with strides 0
    y = operation(z)
    y.backward(np.ones(y.shape))
    np.testing.assert_allclose(x.grad, z.grad)


@given(
    n=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    k=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    s=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_same_padding_gives_the_size_divided_by_the_stride_rounded_up(n, k, s):
    y = F.conv2d(Tensor(np.ones((1, *n, 1))), Tensor(np.ones((*k, 1, 1))), None, s, "same")
    assert y.shape == (1, math.ceil(n[0] / s[0]), math.ceil(n[1] / s[1]), 1)


def test_a_pointwise_convolution_is_a_dense_layer_on_every_pixel(rng):
    x, w, b = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((5, 6)), rng.standard_normal(6)
    on_pixels = F.dense(Tensor(x), Tensor(w), Tensor(b)).data
    np.testing.assert_allclose(on_pixels, F.conv2d(Tensor(x), Tensor(w[None, None]), Tensor(b)).data)


@pytest.mark.parametrize("shape", [(4, 3), (1, 3), (0, 3), (2, 5, 3), (2, 3, 2, 3)], ids=str)
def test_dense_and_its_derivatives(shape, rng):
    x, w, b = rng.standard_normal(shape), rng.standard_normal((3, 2)), rng.standard_normal(2)
    y = F.dense(Tensor(x), Tensor(w), Tensor(b)).data
    for index in np.ndindex(y.shape):
        assert y[index] == pytest.approx(sum(x[*index[:-1], i] * w[i, index[-1]] for i in range(3)) + b[index[-1]])
    assert gradcheck(F.dense, x, w, b, rng=rng)
    assert gradcheck(lambda x, w: F.dense(x, w.T.T), x, w, rng=rng)


# Pooling: (image, size, stride).
POOLS = [
    ((4, 6), 2, None),
    ((5, 7), 2, None),  # what sticks out is left away
    ((5, 5), 3, 2),  # overlapping
    ((7, 5), 2, 3),  # gaps
    ((4, 5), (1, 3), None),
    ((5, 4), (2, 3), (1, 1)),
    ((3, 3), 3, None),
    ((1, 1), 1, None),
]


@pytest.mark.parametrize("pool", POOLS, ids=str)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling_takes_the_largest_or_the_mean_of_each_window(kind, pool, rng):
    image, size, stride = pool
    x = rng.permutation(np.linspace(-1, 1, 2 * image[0] * image[1] * 3)).reshape(2, *image, 3)
    function = {"max": F.max_pool2d, "avg": F.avg_pool2d}[kind]
    of_window = {"max": lambda w: w.max((0, 1)), "avg": lambda w: w.sum((0, 1)) / (w.shape[0] * w.shape[1])}[kind]
    expected = naive(x, pair(size), pair(stride or size), "valid", of_window, 3)
    np.testing.assert_allclose(function(Tensor(x), size, stride).data, expected)
    y = function(Tensor(x.astype(np.float32)), size, stride).data
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, atol=1e-6)
    assert gradcheck(lambda x: function(x, size, stride), x[:1], rng=rng)


def test_on_a_tie_the_first_in_reading_order_gets_the_gradient():
    x = Tensor(np.zeros((1, 2, 4, 1)), requires_grad=True)
    x.data = np.array([[[0, 5, 1, 1], [5, 5, 1, 1]]], float)[..., None]
    F.max_pool2d(x, 2).backward(np.array([3.0, 7.0]).reshape(1, 1, 2, 1))
    np.testing.assert_array_equal(x.grad[0, :, :, 0], [[0, 3, 7, 0], [0, 0, 0, 0]])


# Batch norm.
@pytest.mark.parametrize("shape", [(4, 3), (2, 3), (3, 2, 2, 3), (1, 2, 1, 3)], ids=str)
def test_batch_norm_in_training_normalises_by_the_batch(shape, rng):
    x, weight, bias = rng.standard_normal(shape) * 3 + 5, rng.standard_normal(3), rng.standard_normal(3)
    y, mean, var = F.batch_norm_training(Tensor(x), Tensor(weight), Tensor(bias), eps=0.01)
    for c in range(3):
        values = x[..., c].ravel().tolist()
        m = math.fsum(values) / len(values)
        v = math.fsum((a - m) ** 2 for a in values) / len(values)
        assert (mean[c], var[c]) == (pytest.approx(m), pytest.approx(v))
        expected = [(a - m) / math.sqrt(v + 0.01) * weight[c] + bias[c] for a in values]
        np.testing.assert_allclose(y.data[..., c].ravel(), expected)
    assert gradcheck(lambda *t: F.batch_norm_training(*t, eps=0.01)[0], x, weight, bias, rng=rng, rtol=1e-4)


@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 3, 3)], ids=str)
def test_batch_norm_in_evaluation_uses_what_it_is_given(shape, rng):
    x, weight, bias, mean = (rng.standard_normal(s) for s in (shape, 3, 3, 3))
    var = rng.random(3) + 0.5
    y = F.batch_norm(Tensor(x), Tensor(weight), Tensor(bias), mean, var, eps=0.1).data
    for index in np.ndindex(shape):
        c = index[-1]
        assert y[index] == pytest.approx((x[index] - mean[c]) / math.sqrt(var[c] + 0.1) * weight[c] + bias[c])
    assert gradcheck(lambda *t: F.batch_norm(*t, mean, var), x, weight, bias, rng=rng)


def test_batch_norm_of_large_numbers_keeps_float32_precision(rng):
    x = rng.standard_normal((64, 3)) + 1000  # E[x²] - E[x]² would lose all digits here
    y, _, var = F.batch_norm_training(*(Tensor(a.astype(np.float32)) for a in (x, np.ones(3), np.zeros(3))))
    np.testing.assert_allclose(var, x.var(0), rtol=1e-3)
    np.testing.assert_allclose(y.data.std(0), 1, rtol=1e-3)


def test_batch_norm_refuses_a_single_value_a_channel():
    with pytest.raises(ValueError, match="no variance.*batch_size of 2 or more"):
        F.batch_norm_training(Tensor(np.ones((1, 3))), Tensor(np.ones(3)), Tensor(np.zeros(3)))


# Activations.
ACTIVATIONS = {
    F.relu: lambda x: max(x, 0.0),
    F.leaky_relu: lambda x: x if x > 0 else 0.01 * x,
    F.sigmoid: lambda x: 1 / (1 + math.exp(-x)),
    F.tanh: math.tanh,
    F.gelu: lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    F.hard_swish: lambda x: x * min(max(x + 3, 0), 6) / 6,
}


@pytest.mark.parametrize("function", ACTIVATIONS, ids=lambda f: f.__name__)
def test_activation_and_its_derivative(function, rng):
    x = np.array([-7.0, -3.3, -2.5, -1.0, -0.1, 0.2, 1.0, 2.9, 3.2, 8.0])
    np.testing.assert_allclose(function(Tensor(x)).data, [ACTIVATIONS[function](v) for v in x])
    assert gradcheck(function, x.reshape(2, 5), rng=rng)


def test_gelu_is_close_to_x_times_the_normal_distribution():
    x = np.linspace(-4, 4, 33)
    exact = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x]
    np.testing.assert_allclose(F.gelu(Tensor(x)).data, exact, atol=1e-3)


# Flatten and dropout.
def test_flatten_keeps_channels_fastest():
    x = np.arange(24.0).reshape(2, 2, 3, 2)
    np.testing.assert_array_equal(F.flatten(Tensor(x)).data, [range(12), range(12, 24)])


def test_dropout_keeps_the_mean_and_gives_gradients_to_what_it_kept():
    x = Tensor(np.ones((200, 200), np.float32), requires_grad=True)
    y = F.dropout(x, 0.3, np.random.default_rng(0))
    kept = y.data != 0
    assert kept.mean() == pytest.approx(0.7, abs=0.01)
    np.testing.assert_allclose(y.data[kept], 1 / 0.7, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, np.where(kept, 1 / 0.7, 0), rtol=1e-6)


# What does not fit is refused, with a message that helps.
def ones(*shape, dtype=np.float32):
    return Tensor(np.ones(shape, dtype))


REFUSED = {
    "labels too high": (lambda: F.cross_entropy(ones(2, 3), [0, 3]), "labels run from 0 to 3.*3 classes.*last layer"),
    "labels negative": (lambda: F.cross_entropy(ones(2, 3), [-1, 0]), "labels run from -1 to 0"),
    "labels one-hot": (
        lambda: F.cross_entropy(ones(2, 3), np.eye(3)[:2]),
        r"labels \(2, 3\) of float64.*class indices",
    ),
    "labels as floats": (lambda: F.cross_entropy(ones(2, 3), [0.0, 1.0]), "integer labels"),
    "labels too few": (lambda: F.cross_entropy(ones(3, 3), [0, 1]), r"logits \(3, 3\) and labels \(2,\)"),
    "images as logits": (lambda: F.cross_entropy(ones(2, 2, 2, 3), [0, 1]), "flatten"),
    "an empty batch": (lambda: F.cross_entropy(ones(0, 3), np.zeros(0, int)), "empty"),
    "kl of other shapes": (lambda: F.kl_div(ones(2, 3), np.ones((2, 4))), r"\(2, 3\) and \(2, 4\).*teacher"),
    "kl at temperature 0": (lambda: F.kl_div(ones(2, 3), np.ones((2, 3)), 0), "temperature must be above 0, got 0"),
    "softmax at temperature -1": (lambda: F.softmax(ones(2, 3), -1), "temperature must be above 0, got -1"),
    "mse of other shapes": (lambda: F.mse_loss(ones(2, 1), np.ones(2)), r"\(2, 1\) and the target \(2,\)"),
    "dense on images": (lambda: F.dense(ones(2, 4, 4, 1), ones(16, 3)), r"\(2, 4, 4, 1\).*\(16, 3\).*flatten"),
    "dense on a wrong width": (lambda: F.dense(ones(2, 5), ones(4, 3)), r"\(2, 5\).*\(4, 3\).*width"),
    "a bias that would be broadcast": (
        lambda: F.dense(ones(2, 5), ones(5, 3), ones(2, 1)),
        r"bias is \(2, 1\).*3 outputs",
    ),
    "a bias of another dtype": (
        lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 3), ones(3, dtype=np.float64)),
        "float64.*one float32 per neuron or channel",
    ),
    "dense on a vector": (lambda: F.dense(ones(4), ones(4, 3)), r"\(4,\).*\(4, 3\)"),
    "channels first": (lambda: F.conv2d(ones(2, 3, 8, 8), ones(3, 3, 3, 4)), "channels-last"),
    "conv on flat input": (lambda: F.conv2d(ones(2, 64), ones(3, 3, 1, 4)), r"\(2, 64\).*\(N, H, W, 1\)"),
    "conv with a depthwise weight": (lambda: F.conv2d(ones(2, 8, 8, 3), ones(3, 3, 3)), r"\(kh, kw, in, out\)"),
    "depthwise with a standard weight": (
        lambda: F.depthwise_conv2d(ones(2, 8, 8, 3), ones(3, 3, 3, 4)),
        r"\(kh, kw, channels\)",
    ),
    "a window too large": (lambda: F.conv2d(ones(2, 4, 4, 1), ones(5, 5, 1, 1)), "does not fit.*same"),
    "a pool too large": (lambda: F.max_pool2d(ones(2, 1, 4, 1)), r"window of \(2, 2\) does not fit.*fewer pooling"),
    "a pool on flat input": (lambda: F.avg_pool2d(ones(2, 64)), r"images \(N, H, W, C\), got \(2, 64\)"),
    "conv with a dense weight": (lambda: F.conv2d(ones(2, 8, 8, 3), ones(3, 4)), r"a weight of shape \(3, 4\)"),
    "nothing left by dropout": (lambda: F.dropout(ones(2), 1.0, np.random.default_rng(0)), r"\[0, 1\); got 1.0"),
    "dropout in percent": (lambda: F.dropout(ones(2), 50, np.random.default_rng(0)), r"\[0, 1\); got 50"),
    "stride 0": (
        lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, 0),
        "stride must be a positive integer",
    ),
    "stride 1.5": (
        lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, 1.5),
        "stride must be a positive integer.*1.5",
    ),
    "three strides": (lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, (1, 1, 1)), "or a pair"),
    "padding by name": (lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, 1, "full"), "same.*valid.*'full'"),
    "padding -1": (lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, 1, -1), "padding must"),
    "padding 0.5": (lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, 1, 0.5), "padding must"),
    "padding None": (lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, 1, None), "padding must"),
    "padding (0.5, 1)": (lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, 1, (0.5, 1)), "padding must"),
    "three paddings": (lambda: F.conv2d(ones(2, 4, 4, 1), ones(1, 1, 1, 1), None, 1, (1, 1, 1)), "padding must"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_with_a_message_that_helps(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match="(?s)" + message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.dense(x, ones(3, 2)),
        lambda x: F.conv2d(x, ones(1, 1, 3, 2)),
        lambda x: F.depthwise_conv2d(x, ones(1, 1, 3)),
        lambda x: F.batch_norm_training(x, ones(3), ones(3)),
        lambda x: F.batch_norm(x, ones(3), ones(3), np.zeros(3), np.ones(3)),
    ],
    ids=["dense", "conv2d", "depthwise_conv2d", "batch_norm_training", "batch_norm"],
)
def test_float64_input_to_a_float32_layer_is_refused_and_not_cast(call):
    with pytest.raises(TypeError, match="float64.*float32.*astype"):
        call(ones(2, 2, 2, 3, dtype=np.float64))


def test_the_sum_before_a_relu_has_the_values_and_gradients_of_the_two_operations(rng):
    a, b = (rng.standard_normal((3, 4, 5, 2)) for _ in range(2))
    weights = rng.standard_normal(a.shape)
    found = []
    for operation in (F.add_relu, lambda x, y: (x + y).relu()):
        x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
        (operation(x, y) * Tensor(weights)).sum().backward()
        found.append([operation(x, y).data, x.grad, y.grad])
    for ours, expected in zip(*found, strict=True):
        assert np.array_equal(ours, expected)
    x = Tensor(a, requires_grad=True)
    F.add_relu(x, x).sum().backward()  # both gradients go to one tensor
    assert np.array_equal(x.grad, 2.0 * (a > 0))
    with pytest.raises(ValueError, match="add_relu: the shapes"):
        F.add_relu(x, Tensor(b[:1]))


def test_a_residual_block_takes_the_relu_after_it(rng, monkeypatch):
    block = nn.Residual(nn.Conv2d(2, 2, 3, padding="same", rng=rng))
    x = rng.standard_normal((2, 5, 5, 2)).astype(np.float32)
    apart = block(Tensor(x)).relu()
    calls = []
    monkeypatch.setattr(F, "add_relu", lambda a, b, add_relu=F.add_relu: calls.append(1) or add_relu(a, b))
    assert np.array_equal(nn.Sequential(block, nn.ReLU())(Tensor(x)).data, apart.data) and calls == [1]


def test_large_gradients_of_one_tensor_are_added_in_order(rng):
    x = Tensor(rng.standard_normal((400, 300)), requires_grad=True)
    parts = [rng.standard_normal(x.shape) for _ in range(3)]
    y = x * 1.0
    sum((y * Tensor(part)).sum() for part in parts).backward()
    last, middle, first = parts
    assert np.array_equal(x.grad, (first + middle) + last)
