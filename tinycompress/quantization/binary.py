"""Binary and ternary weights: trained as real numbers, used as signs; and packed nets with 32 weights per word."""

from collections.abc import Callable
from math import prod

import numpy as np

from .. import functional as F
from .. import kernels
from ..guards import all_or_nothing, check_distinct, computes_as
from ..nn import Conv2d, Dense, DepthwiseConv2d, Module, Parameter, Residual, Sequential
from ..nn.weighted import effective, weighted_layers
from ..tensor import Tensor, record
from .products.binary import (
    BITS,
    binary_linear,
    binary_matmul,
    multiply_signs,
    pack_signs,
    scale_dots,
    sign_words,
    unpack_signs,
)


class Binarize(Module):
    """Parametrization: each weight becomes +scale or -scale (Courbariaux et al. 2015, BinaryConnect).

    deterministic: by its sign (equation 1). stochastic, in training mode: +scale with probability clip((w / scale +
    1) / 2, 0, 1) (equation 2), drawn by `rng` in each forward pass; in evaluation mode by its sign. The gradient
    passes straight through to the latent weight. This is clipped to [-scale, scale] in the next forward pass of
    training (algorithm 1, step 3), since larger values have no effect. scale: a number; or None for the mean of
    |latent| per channel, which fits the signs to the real weights best (Rastegari et al. 2016, equation 6), and
    without clipping. values: what stands for negative and for other weights, times the scale; (0, 1) gives weights
    that are there or not.

    Exact zeros (pruned weights) stay 0. Raises ValueError for a stochastic one without a scale or an rng, and for a scale
    that is not above 0.
    """

    def __init__(
        self,
        scale: float | None = None,
        stochastic: bool = False,
        rng: np.random.Generator | None = None,
        values: tuple[float, float] = (-1, 1),
    ):
        if stochastic and (scale is None or rng is None):
            raise ValueError(
                "Binarize: stochastic weights need a scale, which sets the probabilities, and an rng to draw from"
            )
        if scale is not None and not scale > 0:
            raise ValueError(f"Binarize: the scale must be above 0, got {scale}")
        if len(values) != 2 or not values[0] < values[1]:
            raise ValueError(f"Binarize: values must be two numbers, the smaller first, such as (0, 1); got {values}")
        self.scale, self.stochastic, self.rng, self.values = scale, stochastic, rng, tuple(values)

    def forward(self, latent):
        w = latent.data
        if self.scale is None:
            scale = _mean_size(w)
        else:
            scale = w.dtype.type(self.scale)
            if self.training and latent.requires_grad and not latent._edges:
                w = latent.data = np.clip(w, -scale, scale)
        if self.stochastic and self.training:
            up = self.rng.random(w.shape, np.float32) < (w / scale + 1) / 2
        else:
            up = w >= 0
        low, high = (scale * w.dtype.type(value) for value in self.values)
        return record(np.where(up, high, low) * (w != 0), (latent, lambda g: g))

    def take(self, kept, axis: int) -> "Binarize":
        """The same parametrization for a smaller weight; it does not depend on the weight's shape."""
        return Binarize(self.scale, self.stochastic, self.rng, self.values)

    def extra_repr(self) -> str:
        values = "" if self.values == (-1, 1) else f", values={self.values}"
        return f"scale={self.scale or 'mean'}{values}" + (", stochastic" if self.stochastic else "")


def _mean_size(w: np.ndarray) -> np.ndarray:
    """The mean of |w| per channel (channels,), without exact zeros, which are pruned and stay 0."""
    axes = tuple(range(w.ndim - 1))
    return np.abs(w).sum(axes) / np.maximum((w != 0).sum(axes), 1).astype(w.dtype)


class Ternarize(Module):
    """Parametrization: each weight becomes +a, 0 or -a, with one a per channel (Li & Liu 2016, equations 5 and 6).

    Weights with |latent| up to `threshold` times its mean become 0, and a is the mean of |latent| over the others. The
    gradient passes straight through.
    """

    def __init__(self, threshold: float = 0.7):
        self.threshold = threshold

    def forward(self, latent):
        w = latent.data
        size, axes = np.abs(w), tuple(range(w.ndim - 1))
        kept = size > self.threshold * _mean_size(w)
        scale = (size * kept).sum(axes) / np.maximum(kept.sum(axes), 1).astype(w.dtype)
        return record(scale * np.sign(w) * kept, (latent, lambda g: g))

    def take(self, kept, axis: int) -> "Ternarize":
        """The same parametrization for a smaller weight; it does not depend on the weight's shape."""
        return Ternarize(self.threshold)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}"


class Sign(Module):
    """Activation: +1 or -1. The gradient passes straight through where |x| <= 1 (Courbariaux et al. 2016, equation
    4)."""

    def forward(self, x):
        signs = np.where(x.data >= 0, x.dtype.type(1), x.dtype.type(-1))
        return record(signs, (x, lambda g: g * (np.abs(x.data) <= 1)))


def binarize_weights(
    model: Module,
    stochastic: bool = False,
    scale: float | str | None = "glorot",
    rng: np.random.Generator | None = None,
    layers: list[str] | None = None,
    values: tuple[float, float] = (-1, 1),
) -> Module:
    """Parametrize every layer's weight with a `Binarize`, in place; returns the model.

    scale: a number, None for the mean of |latent| per channel, or "glorot", sqrt(1.5 / (fan_in + fan_out)), as in the
    paper's experiments, so that layers of all sizes train at one learning rate. With a number or "glorot", the latent
    weights are rescaled to this standard deviation. layers: names; all by default. values: what the two kinds of weights
    are, times the scale; with (0, 1) use batch norm after each layer, since no weight is negative. Raises ValueError for an
    unknown layer, and what `Binarize` raises.

    >>> from tinycompress import models
    >>> net = binarize_weights(models.mlp((8, 8, 1), (32,), 10, rng=0))
    >>> len(np.unique(net[1].weight.data))
    2
    """
    known = weighted_layers(model)
    with all_or_nothing(model):
        for name in known if layers is None else layers:
            if name not in known:
                raise ValueError(
                    f"binarize_weights: no layer with a weight is called {name!r}; there are {', '.join(known)}"
                )
            latent = known[name].latent("weight")
            size = _glorot(latent.shape) if scale == "glorot" else scale
            known[name].parametrize("weight", Binarize(size, stochastic, rng, values))
            if size is not None:
                latent.data = latent.data * (size / max(latent.data.std(), 1e-30))
    return model


def _glorot(shape) -> float:
    fan_in, fan_out = int(np.prod(shape[:-1])), int(np.prod(shape[:-2])) * shape[-1]
    return float(np.sqrt(1.5 / (fan_in + fan_out)))


def ternarize_weights(model: Module, threshold: float = 0.7) -> Module:
    """Parametrize every layer's weight with a `Ternarize`, in place; returns the model."""
    with all_or_nothing(model):
        for layer in weighted_layers(model).values():
            layer.parametrize("weight", Ternarize(threshold))
    return model


class BinaryDense(Module):
    """x @ weight + bias, for inference, with one bit per weight for its sign: 32 times smaller than float32.

    (…, in) to (…, out). scale: (out,), the factor of the signs. signs_only: x is known to be +1 or -1 (it comes from a
    `Sign`), so that products become exclusive ors, and sums become bit counts. Raises ValueError unless the weights of
    each channel are +a or -a.
    """

    inference_only = True

    def __init__(self, weight: np.ndarray, bias: np.ndarray | None, signs_only: bool = False):
        flat = weight.reshape(-1, weight.shape[-1])
        self.scale = np.abs(flat[0]).copy()
        if not (np.abs(flat) == self.scale).all() or not self.scale.all():
            raise ValueError(
                "BinaryDense: the weights of a channel must be +a or -a with one a above 0; call binarize_weights first, "
                "with values=(-1, 1)"
            )
        self.packed, self.signs_only = pack_signs(flat), signs_only
        self.bias = np.zeros_like(self.scale) if bias is None else bias.copy()

    @property
    def nbytes(self) -> int:
        """Bytes of signs, scales and biases."""
        return self.packed.nbytes + self.scale.nbytes + self.bias.nbytes

    def unpacked(self) -> Dense:
        """The same layer with float32 weights."""
        return self._with_weights(Dense.__new__(Dense), unpack_signs(self.packed) * self.scale)

    def _with_weights(self, layer: Module, weight: np.ndarray) -> Module:
        layer.weight, layer.bias = Parameter(weight), Parameter(self.bias.copy())
        return layer

    def forward(self, x):
        return Tensor(self.multiply(x.data))

    def multiply(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The outputs (…, out), float32, for an array x (…, in), written to `out` if it is given.

        With signs_only, the signs of x are taken first.
        """
        rows = np.ascontiguousarray(x.reshape(-1, x.shape[-1]))
        flat = None if out is None else out.reshape(-1, len(self.scale))
        if self.signs_only:
            y = scale_dots(binary_matmul(rows, self.packed), self.scale, self.bias[None], flat)
        else:
            y = np.add(binary_linear(rows, self.packed) * self.scale, self.bias, out=flat)
        return y.reshape(*x.shape[:-1], len(self.scale))

    def prepare(self, x: np.ndarray) -> tuple[np.ndarray, Callable[[], object]]:
        """An array (…, out) for the outputs of x (…, in), and a function that fills it for what x then holds."""
        y = np.empty((*x.shape[:-1], len(self.scale)), np.float32)
        return y, lambda: self.multiply(x, y)

    def extra_repr(self) -> str:
        return "{}, {}".format(*self.packed.shape) + (", of signs" if self.signs_only else "")


class BinaryConv2d(BinaryDense):
    """A convolution with one bit per weight: (N, H, W, in) to (N, H', W', out).

    Real numbers times signs take as many additions as a float convolution takes multiply-adds, so that one is used, with the
    signs unpacked for the call: the bits save memory, not time. Signs times signs are products of whole words: the signs of
    each pixel fill words of their own, so that a window is a few runs of words.
    """

    def __init__(self, layer: Conv2d, weight: np.ndarray, bias: np.ndarray | None, signs_only: bool = False):
        self.kernel, self.stride, self.padding = weight.shape, layer.stride, layer.padding
        super().__init__(weight, bias, signs_only)
        if signs_only:
            kh, kw, channels, outputs = weight.shape
            apart = np.ones((kh, kw, -(-channels // BITS) * BITS, outputs), np.float32)
            apart[:, :, :channels] = weight
            self.packed = pack_signs(apart.reshape(-1, outputs))
            self.tap_sums = (
                np.sign(weight).sum(2).astype(np.int32)
            )  # (kh, kw, out): what a pixel of +1 adds through each tap
            self.extra = kh * kw * (apart.shape[2] - channels)  # products of bits that only fill up words, all +1

    def unpacked(self) -> Conv2d:
        """The same layer with float32 weights."""
        layer = Conv2d.__new__(Conv2d)
        layer.stride, layer.padding = self.stride, self.padding
        return self._with_weights(layer, self._weight())

    def _weight(self) -> np.ndarray:
        """The weights (kh, kw, in, out), float32, without what fills up words."""
        kh, kw, channels, outputs = self.kernel
        return unpack_signs(self.packed).reshape(kh, kw, -1, outputs)[:, :, :channels] * self.scale

    def multiply(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        stride, padding = self._window(x)
        if self.signs_only:
            return self._of_signs(x, stride, padding, self._constants(x.shape[1:3], stride, padding), out)
        y = kernels.conv2d(x, self._weight(), stride, padding, self.bias)
        if out is None:
            return y
        np.copyto(out, y)
        return out

    def prepare(self, x: np.ndarray) -> tuple[np.ndarray, Callable[[], object]]:
        if not self.signs_only:
            y = self.multiply(x)
            return y, lambda: self.multiply(x, y)
        stride, padding = self._window(x)
        constants = self._constants(x.shape[1:3], stride, padding)
        y = np.empty((len(x), *constants.shape), np.float32)
        return y, lambda: self._of_signs(x, stride, padding, constants, y)

    def _window(self, x):
        """Stride and padding, after the checks of the real convolution, for whose weight a single zero stands here."""
        like = Tensor(np.broadcast_to(x.dtype.type(0), self.kernel))
        return F._window("BinaryConv2d", Tensor(x), like, self.kernel[2:3], self.stride, self.padding)

    def _of_signs(self, x, stride, padding, constants, out) -> np.ndarray:
        words = sign_words(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:3], -1)
        seen = self._windows(np.pad(words, ((0, 0), *padding, (0, 0))), stride)
        size = seen.shape[:3]
        dots = multiply_signs(seen.reshape(prod(size), -1), self.packed)
        flat = None if out is None else out.reshape(dots.shape)
        return scale_dots(dots, self.scale, constants.reshape(-1, dots.shape[1]), flat).reshape(*size, -1)

    def _constants(self, size, stride, padding) -> np.ndarray:
        """The bias, less what bits have added that stand for no number: (H', W', out). A pixel of padding is 0, but its bits say
        +1."""
        outside = np.pad(np.zeros((1, *size, 1), np.int32), ((0, 0), *padding, (0, 0)), constant_values=1)
        seen = self._windows(outside, stride)
        added = seen.reshape(-1, self.tap_sums[..., 0].size) @ self.tap_sums.reshape(-1, self.kernel[3]) + self.extra
        return (self.bias - added * self.scale).astype(np.float32).reshape(*seen.shape[1:3], -1)

    def _windows(self, image, stride) -> np.ndarray:
        """Every window of an image (n, H, W, words): a view (n, H', W', kh, kw, words)."""
        seen = np.lib.stride_tricks.sliding_window_view(image, self.kernel[:2], axis=(1, 2))
        return seen[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)


def pack_binary(model: Module) -> Module:
    """A copy for inference in which dense and standard convolution layers with a `Binarize` weight compute with bits.

    Raises ValueError for pruned binary weights (a bit cannot be 0), for layers without a binary form, and for a layer
    that appears twice in the net.
    """
    check_distinct("pack_binary", model)
    if not isinstance(model, Sequential | Residual):
        raise ValueError(f"pack_binary: expected a Sequential or a Residual, got {type(model).__name__}")
    model = model.copy().eval()
    for container in model.modules():
        if isinstance(container, Sequential):
            before = [None, *container.layers[:-1]]
            container.layers = [
                _packed(layer, isinstance(b, Sign)) for b, layer in zip(before, container.layers, strict=True)
            ]
    return model


def _packed(layer: Module, signs_only: bool) -> Module:
    if layer.parametrization("weight", Binarize) is None:
        return layer
    if isinstance(layer, DepthwiseConv2d):
        raise ValueError(
            f"pack_binary: {layer!r} is depthwise; the sums of a single channel are too short to count bits"
        )
    weight = effective(layer, "weight")
    bias = None if layer.latent("bias") is None else effective(layer, "bias")
    if computes_as(layer, Dense):
        return BinaryDense(weight, bias, signs_only)
    if computes_as(layer, Conv2d):
        return BinaryConv2d(layer, weight, bias, signs_only)
    raise ValueError(f"pack_binary: {layer!r} has no binary form; only dense and standard convolution layers do")
