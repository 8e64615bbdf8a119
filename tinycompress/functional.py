"""Differentiable operations on tensors: the building blocks of the layers in `nn` and of the losses.

Images are (N, H, W, C), convolution weights (kh, kw, in, out), dense weights (in, out). Expensive operations call
`kernels` in both passes.

>>> logits = Tensor(np.log([[0.7, 0.2, 0.1]]))
>>> softmax(logits).data.round(3)
array([[0.7, 0.2, 0.1]])
>>> round(cross_entropy(logits, np.array([0])).item(), 3)  # -log 0.7
0.357
"""

from __future__ import annotations

from math import ceil, prod

import numpy as np

from . import kernels
from .kernels import affine, elementwise
from .kernels.runtime.memory import aligned_empty
from .kernels.shapes import NO_PADDING
from .tensor import Tensor, record

relu = Tensor.relu
sigmoid = Tensor.sigmoid
tanh = Tensor.tanh


def leaky_relu(x: Tensor, slope: float = 0.01) -> Tensor:
    """x if x > 0, else slope * x. x: of any shape."""
    factor = np.where(x.data > 0, 1, slope).astype(x.dtype)
    return record(x.data * factor, (x, lambda g: g * factor))


def gelu(x: Tensor) -> Tensor:
    """Gaussian error linear unit, in its tanh form (Hendrycks & Gimpel 2016, section 2)."""
    return 0.5 * x * (1 + (0.7978845608028654 * (x + 0.044715 * x**3)).tanh())


def hard_swish(x: Tensor) -> Tensor:
    """x * clip(x + 3, 0, 6) / 6 (Howard et al. 2019, MobileNetV3, section 5.2)."""
    return x * (x + 3).clip(0, 6) * (1 / 6)


def softmax(x: Tensor | np.ndarray, temperature: float = 1.0, dim: int = -1) -> Tensor:
    """exp(x / T), normalised over the last axis, which is the only `dim`. x: (…, classes). Raises ValueError for another
    `dim`, and unless the temperature T is a number above 0."""
    x = _tensor(x)
    T = _temperature("softmax", x, temperature, dim)
    scaled = x.data / T
    p = np.exp(scaled - scaled.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return record(p, (x, lambda g: p * (g - (g * p).sum(-1, keepdims=True)) / T))


def log_softmax(x: Tensor | np.ndarray, temperature: float = 1.0, dim: int = -1) -> Tensor:
    """The logarithm of `softmax(x, temperature, dim)`, computed without overflow."""
    x = _tensor(x)
    T = _temperature("log_softmax", x, temperature, dim)
    y = _log_softmax(x.data / T)
    return record(y, (x, lambda g: (g - np.exp(y) * g.sum(-1, keepdims=True)) / T))


def cross_entropy(logits: Tensor | np.ndarray, labels, label_smoothing: float = 0.0) -> Tensor:
    """-log softmax(logits)[label], averaged over the batch.

    logits: (N, classes). labels: N integers from 0 to classes - 1. label_smoothing: the share of the target that is spread evenly
    over all classes, the right one included (Szegedy et al. 2016, section 7). Raises ValueError for other shapes or labels, and
    for a share that is not from 0 to 1; TypeError for labels that are a tensor, as where the two are swapped.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is a share from 0 to 1, got {label_smoothing}")
    if isinstance(labels, Tensor):
        raise TypeError(
            "cross_entropy: the logits come first, and then the labels, an array of integers; got a tensor as labels"
        )
    logits, labels = _tensor(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"cross_entropy: expected logits (N, classes) and N integer labels, got logits {logits.shape} and "
            f"labels {labels.shape} of {labels.dtype}; flatten before the last layer, and pass class indices"
        )
    n, classes = logits.shape
    if n == 0:
        raise ValueError("cross_entropy: the batch is empty, so it has no mean")
    if np.minimum.reduce(labels) < 0 or np.maximum.reduce(labels) >= classes:
        raise ValueError(
            f"cross_entropy: labels run from {labels.min()} to {labels.max()}, but the logits have {classes} classes "
            f"(0 to {classes - 1}); does the last layer have one output per class?"
        )
    log_p = _log_softmax(logits.data)
    picked = np.arange(0, n * classes, classes) + labels  # where they lie in the flattened array

    def derivative(g):
        d = np.exp(log_p)
        d.reshape(-1)[picked] -= 1 - label_smoothing
        if label_smoothing:
            d -= label_smoothing / classes
        d *= g / n
        return d

    value = -np.add.reduce(log_p.reshape(-1)[picked]) / n
    if label_smoothing:
        value = (1 - label_smoothing) * value - label_smoothing * log_p.mean()
    return record(value, (logits, derivative))


def kl_div(logits: Tensor | np.ndarray, target_logits, temperature: float = 1.0) -> Tensor:
    """T² KL(softmax(target / T) || softmax(logits / T)), averaged over the batch.

    The factor T² keeps the size of the gradients independent of the temperature (Hinton et al. 2015, section 2).
    logits and target_logits: (N, classes), else ValueError; the target, an array or tensor, gets no gradient.
    """
    logits = _tensor(logits)
    target = target_logits.data if isinstance(target_logits, Tensor) else np.asarray(target_logits)
    if logits.ndim != 2 or target.shape != logits.shape or target.size == 0:
        raise ValueError(
            f"kl_div: expected two arrays of logits (N, classes), got {logits.shape} and {target.shape}; "
            "the teacher must see the same batch and have the same classes"
        )
    n, T, target = len(target), _temperature("kl_div", logits, temperature), target.astype(logits.dtype, copy=False)
    log_q, log_p = _log_softmax(logits.data / T), _log_softmax(target / T)
    p = np.exp(log_p)
    value = T * T / n * (p * (log_p - log_q)).sum()
    return record(value, (logits, lambda g: g * (T / n) * (np.exp(log_q) - p)))


def mse_loss(x: Tensor | np.ndarray, target) -> Tensor:
    """The mean of (x - target)² over all elements. Raises ValueError unless both have the same shape."""
    x = _tensor(x)
    if x.shape != np.shape(target):
        raise ValueError(f"mse_loss: x is {x.shape} and the target {np.shape(target)}; they must be equal")
    return ((x - target) ** 2).mean()


def flatten(x: Tensor) -> Tensor:
    """Reshape (N, …) to (N, features), in memory order: for images, channels change fastest."""
    return x.reshape(len(x), prod(x.shape[1:]))  # -1 is ambiguous for an empty batch


def dropout(x: Tensor, p: float, rng: np.random.Generator) -> Tensor:
    """Zero each element with probability p and scale the rest by 1 / (1 - p), so that the mean is unchanged.

    x: of any shape. As a layer, `nn.Dropout` does this in training only. Raises ValueError unless p lies in [0, 1).
    """
    if not 0 <= p < 1:
        raise ValueError(f"dropout: p, the share to drop, must lie in [0, 1); got {p}")
    keep = (rng.random(x.shape, np.float32) >= p) * x.dtype.type(1 / (1 - p))
    return record(x.data * keep, (x, lambda g: g * keep))


def dense(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight + bias. x: (…, in), weight: (in, out), bias: (out,). Raises ValueError for other shapes."""
    _same_dtype("dense", x, weight)
    if x.ndim < 2 or x.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"dense: the input is {x.shape}, but a weight of shape {weight.shape} expects (…, {weight.shape[0]}); "
            + ("flatten the images first" if x.ndim > 2 else "it must match the width of the previous layer")
        )
    rows, w = x.data.reshape(-1, x.shape[-1]), weight.data
    _check_bias(bias, w.shape[1:], w.dtype)
    # On images this is a 1×1 convolution: the kernel adds the bias in the same pass.
    if x.ndim == 4:
        w, one = w[None, None], (1, 1)
        y = kernels.conv2d(x.data, w, one, NO_PADDING, None if bias is None else bias.data)
        to_x = (x, lambda g: kernels.conv2d_grad_x(g, w, one, NO_PADDING, x.shape))
        to_weight = (weight, lambda g: kernels.conv2d_grad_w(x.data, g, one, NO_PADDING, w.shape)[0, 0])
    else:
        y = kernels.matmul(rows, w).reshape(*x.shape[:-1], w.shape[1])
        if bias is not None:
            y += bias.data
        to_x = (x, lambda g: kernels.matmul(g.reshape(-1, w.shape[1]), w.T).reshape(x.shape))
        to_weight = (weight, lambda g: kernels.matmul(rows.T, g.reshape(-1, w.shape[1])))
    return record(y, to_x, to_weight, *_to_bias(bias))


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding="valid") -> Tensor:
    """Standard convolution (cross-correlation): every output channel reads every input channel.

    x: (N, H, W, in), weight: (kh, kw, in, out), bias: (out,) -> (N, H', W', out). stride: an int or (sh, sw). padding:
    "valid" (none), "same" (H' = ceil(H / stride), zeros on both sides, an odd one at the bottom and right), an int,
    (ph, pw), or ((top, bottom), (left, right)).
    """
    stride, padding = _window("conv2d", x, weight, weight.shape[2:3], stride, padding)
    _check_bias(bias, weight.shape[-1:], weight.dtype)
    y = kernels.conv2d(x.data, weight.data, stride, padding, None if bias is None else bias.data)
    return record(
        y,
        (x, lambda g: kernels.conv2d_grad_x(g, weight.data, stride, padding, x.shape)),
        (weight, lambda g: kernels.conv2d_grad_w(x.data, g, stride, padding, weight.shape)),
        *_to_bias(bias),
    )


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride=1, padding="valid") -> Tensor:
    """Depthwise convolution: one filter per channel, which sees that channel only.

    x: (N, H, W, C), weight: (kh, kw, C), bias: (C,) -> (N, H', W', C). stride and padding as in `conv2d`.
    """
    stride, padding = _window("depthwise_conv2d", x, weight, weight.shape[2:3], stride, padding)
    _check_bias(bias, weight.shape[-1:], weight.dtype)
    y = kernels.depthwise_conv2d(x.data, weight.data, stride, padding, None if bias is None else bias.data)
    return record(
        y,
        (x, lambda g: kernels.depthwise_conv2d_grad_x(g, weight.data, stride, padding, x.shape)),
        (weight, lambda g: kernels.depthwise_conv2d_grad_w(x.data, g, stride, padding, weight.shape)),
        *_to_bias(bias),
    )


def add_relu(a: Tensor, b: Tensor) -> Tensor:
    """max(a + b, 0), as after a residual block, with fewer passes over memory. a, b: of one shape; ValueError if they are not."""
    _same_dtype("add_relu", a, b)
    if a.shape != b.shape:
        raise ValueError(f"add_relu: the shapes {a.shape} and {b.shape} differ; they are added element by element")
    y = elementwise.add(*map(np.ascontiguousarray, (a.data, b.data)), True, aligned_empty(a.shape, a.dtype))
    found = []

    def derivative(g):
        if not found:
            found.append(elementwise.passed_relu(np.ascontiguousarray(g), y))
        return found[0]

    return record(y, (a, derivative), (b, derivative))


def max_pool2d(x: Tensor, size=2, stride=None, relu: bool = False) -> Tensor:
    """The largest value per window and channel; windows that do not fit are dropped. (N, H, W, C) -> (N, H', W', C).

    size and stride: an int or (height, width); stride: the size if None.
    On a tie the gradient goes to the first in reading order. With `relu`, a ReLU follows.
    """
    size, stride = _pool_window("max_pool2d", x, size, stride)
    y, argmax = kernels.max_pool2d(x.data, size, stride, relu)
    return record(y, (x, lambda g: kernels.max_pool2d_grad(g, argmax, size, stride, x.shape)))


def avg_pool2d(x: Tensor, size=2, stride=None) -> Tensor:
    """The mean per window and channel; windows that do not fit are dropped. (N, H, W, C) -> (N, H', W', C).

    size and stride: as in `max_pool2d`.
    """
    size, stride = _pool_window("avg_pool2d", x, size, stride)
    y = kernels.avg_pool2d(x.data, size, stride)
    return record(y, (x, lambda g: kernels.avg_pool2d_grad(g, size, stride, x.shape)))


def batch_norm(
    x: Tensor, weight: Tensor, bias: Tensor, mean: np.ndarray, var: np.ndarray, eps=1e-5, relu: bool = False
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias with the given statistics (evaluation), followed by a ReLU if `relu`.

    x: (…, C); all others: (C,).
    """
    _same_dtype("batch_norm", x, weight)
    inverse = (1 / np.sqrt(var + eps)).astype(x.dtype)
    return _normalised(x, weight, bias, mean.astype(x.dtype), inverse, relu, constant=True)


def normalize(x: Tensor, mean: np.ndarray, std: np.ndarray) -> Tensor:
    """(x - mean) / std with constants per channel. x: (…, C); mean and std: (C,)."""
    scale = (1 / std).astype(x.dtype)
    y = affine.apply(x.data.reshape(-1, x.shape[-1]), scale, (-mean * scale).astype(x.dtype))
    return record(y.reshape(x.shape), (x, lambda g: g * scale))


def batch_norm_training(
    x: Tensor, weight: Tensor, bias: Tensor, eps=1e-5, relu: bool = False
) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Normalise by the batch's own statistics, over every axis but the last (Ioffe & Szegedy 2015, algorithm 1).

    x: (…, C), weight and bias: (C,). Returns the result, after a ReLU if `relu`, the mean, and the (population) variance,
    both (C,). Raises ValueError if there is only one value per channel.
    """
    _same_dtype("batch_norm", x, weight)
    rows = x.data.reshape(-1, x.shape[-1])
    if len(rows) < 2:
        raise ValueError(
            f"batch_norm: a batch of shape {x.shape} has one value per channel and so no variance; train with a "
            "batch_size of 2 or more, or call model.eval() first to predict"
        )
    mean, var = affine.moments(rows)
    inverse = 1 / np.sqrt(var + x.dtype.type(eps))
    return _normalised(x, weight, bias, mean, inverse, relu, constant=False), mean, var


def _normalised(x: Tensor, weight: Tensor, bias: Tensor, mean, inverse, relu, constant) -> Tensor:
    """(x - mean) * inverse * weight + bias, then a ReLU if `relu`; constant: the statistics do not depend on x."""
    rows = x.data.reshape(-1, x.shape[-1])
    scale = weight.data * inverse
    shift = bias.data - mean * scale
    found = []

    def sums(g):
        """The sums over the rows of g and of g * (normalised x): the gradients of bias and weight, also needed for x's."""
        if not found:
            of_g, of_gx = affine.sums(g.reshape(rows.shape), rows, scale, shift, mean, relu)
            found.extend((of_g, of_gx * inverse))
        return found

    def derivative(g):
        # With z = (x - mean) * inverse, gx = scale * (g - mean(g) - z * mean(g * z)): the last two terms come from the
        # mean and the variance, which depend on x too (Ioffe & Szegedy 2015, section 3).
        b = c = np.zeros_like(scale)
        if not constant:
            of_g, of_gz = sums(g)
            b, c = -scale * inverse * of_gz / len(rows), -scale * of_g / len(rows)
        return affine.grad_x(g.reshape(rows.shape), rows, scale, shift, mean, scale, b, c, relu).reshape(x.shape)

    y = affine.apply(rows, scale, shift, relu).reshape(x.shape)
    return record(y, (x, derivative), (weight, lambda g: sums(g)[1]), (bias, lambda g: sums(g)[0]))


def _tensor(x: Tensor | np.ndarray) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(x)


def _temperature(name: str, x: Tensor, value, dim: int = -1) -> float:
    if dim not in (-1, x.ndim - 1):
        raise ValueError(
            f"{name} runs over the last axis, here {x.ndim - 1}; got dim={dim}: transpose before and after"
        )
    if not value > 0:
        raise ValueError(f"{name}: the temperature must be above 0, got {value}")
    return float(value)  # a NumPy scalar would promote float32


def _log_softmax(x: np.ndarray) -> np.ndarray:
    # The methods `max` and `sum` take as long again to call these as a small batch takes to compute.
    x = x - np.maximum.reduce(x, -1, keepdims=True)
    x -= np.log(np.add.reduce(np.exp(x), -1, keepdims=True))
    return x


def _check_bias(bias: Tensor | None, shape: tuple[int, ...], dtype):
    if bias is not None and (bias.shape != shape or bias.dtype != dtype):
        raise ValueError(
            f"the bias is {bias.shape} of {bias.dtype}, but {shape[0]} outputs need one {dtype} per neuron or channel"
        )


def _to_bias(bias: Tensor | None) -> list:
    """The edge to a bias that was added to every row; `backward` sums the gradients of the rows."""
    return [] if bias is None else [(bias, lambda g: g)]


def _check_tensor(name: str, x: Tensor):
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: the input must be a tensor, got {type(x).__name__}; make one: tc.Tensor(array)")


def _same_dtype(name: str, x: Tensor, weight: Tensor):
    _check_tensor(name, x)
    if x.dtype != weight.dtype:
        raise TypeError(
            f"{name}: the input is {x.dtype} and the weight {weight.dtype}; convert the input: x.astype(numpy.{weight.dtype})"
        )


def _twice(value) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def _whole(values, least: int) -> bool:
    return len(values) == 2 and all(isinstance(v, int | np.integer) and v >= least for v in values)


def _two(name: str, what: str, value) -> tuple[int, int]:
    pair = _twice(value)
    if not _whole(pair, 1):
        raise ValueError(f"{name}: the {what} must be a positive integer or a pair of them, got {value!r}")
    return pair


def _window(name, x: Tensor, weight: Tensor, channels, stride, padding):
    """Check the input against the weight; return stride as (sh, sw) and padding as ((top, bottom), (left, right))."""
    _same_dtype(name, x, weight)
    if x.ndim != 4 or not channels or x.shape[3:] != channels:
        inputs = channels[0] if channels else "in"
        raise ValueError(
            f"{name}: the input is {x.shape}, but a weight of shape {weight.shape} expects (N, H, W, {inputs}); "
            "images are channels-last here"
        )
    stride = _two(name, "stride", stride)
    by_name = padding if isinstance(padding, str) else None
    if by_name == "same":
        needed = [
            max(0, (ceil(n / s) - 1) * s + k - n)
            for n, s, k in zip(x.shape[1:3], stride, weight.shape[:2], strict=True)
        ]
        pairs = tuple((total // 2, total - total // 2) for total in needed)
    else:
        pairs = tuple(map(_twice, _twice(0 if by_name == "valid" else padding)))
    if len(pairs) != 2 or not all(_whole(pair, 0) for pair in pairs):
        raise ValueError(
            f'{name}: padding must be "same", "valid", a non-negative integer, (ph, pw) or ((top, bottom), (left, right)), '
            f"got {padding!r}"
        )
    return stride, pairs


def _pool_window(name, x: Tensor, size, stride):
    _check_tensor(name, x)
    if x.ndim != 4:
        raise ValueError(f"{name}: expected images (N, H, W, C), got {x.shape}")
    size = _two(name, "window", size)
    return size, size if stride is None else _two(name, "stride", stride)
