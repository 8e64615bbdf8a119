"""Layers. Images are (N, H, W, C); convolution weights (kh, kw, in, out); dense weights (in, out)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import functional as F
from ..tensor import Tensor
from ..text.names import keywords
from .init import check_generator, initialise
from .module import Module, Parameter
from .weighted import Weighted


def _bias(bias: bool, n: int) -> Parameter | None:
    return Parameter(np.zeros(n, np.float32)) if bias else None


@keywords(activation="a layer of its own, such as nn.ReLU()", units="out_features")
class Dense(Weighted):
    """x @ weight + bias. (…, in_features) -> (…, out_features); weight (in_features, out_features)."""

    connects = "all"

    def __init__(self, in_features: int, out_features: int, bias: bool = True, init: str = "he_normal", *, rng):
        self.weight = Parameter(initialise((in_features, out_features), init, rng, in_features, out_features))
        self.bias = _bias(bias, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return F.dense(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return "{}, {}".format(*self.latent("weight").shape)


class PointwiseConv2d(Dense):
    """A 1×1 convolution: a dense layer applied to every pixel. (N, H, W, in) -> (N, H, W, out); weight (in, out)."""


@keywords(
    activation="a layer of its own, such as nn.ReLU()",
    filters="out_channels",
    groups="nn.DepthwiseConv2d(channels), with a group for each channel",
)
class Conv2d(Weighted):
    """Standard convolution. (N, H, W, in_channels) -> (N, H', W', out_channels); weight (kh, kw, in, out).

    kernel_size: an int or (kh, kw); stride and padding as in `functional.conv2d`.
    """

    connects = "all"

    def __init__(
        self, in_channels, out_channels, kernel_size=3, stride=1, padding="valid", bias=True, init="he_normal", *, rng
    ) -> None:
        kh, kw = F._two("Conv2d", "kernel size", kernel_size)
        shape = (kh, kw, in_channels, out_channels)
        self.weight = Parameter(initialise(shape, init, rng, kh * kw * in_channels, kh * kw * out_channels))
        self.bias = _bias(bias, out_channels)
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def extra_repr(self) -> str:
        kh, kw, inputs, outputs = self.latent("weight").shape
        return f"{inputs}, {outputs}, {kh}×{kw}, stride={self.stride}, padding={self.padding!r}"


class DepthwiseConv2d(Weighted):
    """Depthwise convolution: output channel c sees input channel c only. (N, H, W, channels) -> (N, H', W', channels);
    weight (kh, kw, channels); kernel_size, stride and padding as in `Conv2d`."""

    connects = "own"

    def __init__(self, channels, kernel_size=3, stride=1, padding="valid", bias=True, init="he_normal", *, rng) -> None:
        kh, kw = F._two("DepthwiseConv2d", "kernel size", kernel_size)
        self.weight = Parameter(initialise((kh, kw, channels), init, rng, kh * kw, kh * kw))
        self.bias = _bias(bias, channels)
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.depthwise_conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def extra_repr(self) -> str:
        kh, kw, channels = self.latent("weight").shape
        return f"{channels}, {kh}×{kw}, stride={self.stride}, padding={self.padding!r}"


class BatchNorm(Module):
    """Normalise each channel (the last axis) over all other axes, for dense layers and images alike.

    Training uses the statistics of the batch and updates running averages of them, which evaluation uses (Ioffe &
    Szegedy 2015). momentum: the weight of the new batch in the running average, as in PyTorch. Raises ValueError for an
    input whose last axis is not the channels.
    """

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5):
        self.weight = Parameter(np.ones(channels, np.float32))
        self.bias = Parameter(np.zeros(channels, np.float32))
        self.running_mean = np.zeros(channels, np.float32)
        self.running_var = np.ones(channels, np.float32)
        self.momentum, self.eps = momentum, eps

    def forward(self, x: Tensor, relu: bool = False) -> Tensor:
        if x.ndim < 2 or x.shape[-1] != len(self.running_mean):
            raise ValueError(
                f"BatchNorm({len(self.running_mean)}): the input is {x.shape}; its last axis must be the channels"
            )
        if not self.training:
            return F.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.eps, relu)
        y, mean, var = F.batch_norm_training(x, self.weight, self.bias, self.eps, relu)
        n, share = x.size // x.shape[-1], np.float64(self.momentum)  # float64, so that the average is rounded once
        self.running_mean[:] = (1 - share) * self.running_mean + share * mean
        self.running_var[:] = (1 - share) * self.running_var + share * n / (n - 1) * var
        return y

    def extra_repr(self) -> str:
        return str(len(self.running_mean))


class Normalize(Module):
    """(x - mean) / std per channel (the last axis), so that a net takes raw pixels. As the first layer, it is saved with the net.

    mean and std: one number per channel, buffers that are not trained. Raises ValueError for other shapes, and unless they are
    finite and each std is above 0.
    """

    def __init__(self, mean: Sequence[float] | np.ndarray, std: Sequence[float] | np.ndarray):
        self.mean, self.std = (np.array(values, np.float32) for values in (mean, std))
        per_channel = self.mean.ndim == 1 and self.mean.shape == self.std.shape
        if not per_channel or not (
            np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()
        ):
            raise ValueError(f"Normalize: expected one mean and one std above 0 per channel; got {mean} and {std}")

    @classmethod
    def of(cls, x: np.ndarray) -> Normalize:
        """The layer that brings each channel of x (N, …, C), usually the training split, to mean 0 and variance 1. A channel
        that never changes keeps its scale."""
        sums, squares = np.zeros((2, x.shape[-1]))
        for some in np.array_split(
            x, max(1, len(x) // 1000)
        ):  # parts, so that large data need little memory in float64
            rows = some.reshape(-1, x.shape[-1]).astype(np.float64)
            sums += rows.sum(0)
            squares += np.einsum("nc,nc->c", rows, rows)
        count = x.size // x.shape[-1]
        std = np.sqrt(np.maximum(squares / count - (sums / count) ** 2, 0))
        return cls(sums / count, np.where(std > 1e-6, std, 1))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != len(self.mean):
            raise ValueError(f"Normalize: the input is {x.shape}; its last axis must be the {len(self.mean)} channels")
        return F.normalize(x, self.mean, self.std)

    def extra_repr(self) -> str:
        return ", ".join(f"{mean:.3g}±{std:.3g}" for mean, std in zip(self.mean, self.std, strict=True))


class _Elementwise(Module):
    """An activation without parameters: its class attribute `function` is the operation."""

    def forward(self, x: Tensor) -> Tensor:
        return type(self).function(x)


class ReLU(_Elementwise):
    """max(x, 0)."""

    function = staticmethod(F.relu)


class LeakyReLU(_Elementwise):
    """x if x > 0, else 0.01 x."""

    function = staticmethod(F.leaky_relu)


class Sigmoid(_Elementwise):
    """1 / (1 + exp(-x))."""

    function = staticmethod(F.sigmoid)


class Tanh(_Elementwise):
    """The hyperbolic tangent."""

    function = staticmethod(F.tanh)


class GELU(_Elementwise):
    """Gaussian error linear unit, in its tanh form."""

    function = staticmethod(F.gelu)


class HardSwish(_Elementwise):
    """x * clip(x + 3, 0, 6) / 6."""

    function = staticmethod(F.hard_swish)


class Flatten(_Elementwise):
    """(N, …) -> (N, features); channels change fastest."""

    function = staticmethod(F.flatten)


class GlobalAvgPool(_Elementwise):
    """The mean over the image: (N, H, W, C) -> (N, C)."""

    @staticmethod
    def function(x: Tensor) -> Tensor:
        """The mean over the image: (N, H, W, C) -> (N, C). Raises ValueError for anything but images."""
        if x.ndim != 4 or 0 in x.shape[1:3]:
            raise ValueError(
                f"GlobalAvgPool: expected images (N, H, W, C), got {x.shape}; it stands before Flatten or Dense"
            )
        return x.mean((1, 2))


@keywords(kernel_size="size", pool_size="size")
class MaxPool2d(Module):
    """The largest value of each window, (N, H, W, C) -> (N, H', W', C).

    size: an int or (height, width); stride: the size if None.
    """

    def __init__(self, size=2, stride=None) -> None:
        self.size, self.stride = size, stride

    def forward(self, x: Tensor, relu: bool = False) -> Tensor:
        return F.max_pool2d(x, self.size, self.stride, relu)

    def extra_repr(self) -> str:
        return f"{self.size}" + (f", stride={self.stride}" if self.stride else "")


class AvgPool2d(MaxPool2d):
    """The mean of each window, (N, H, W, C) -> (N, H', W', C). size and stride: as in `MaxPool2d`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.size, self.stride)


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1 / (1 - p) (Srivastava et al. 2014).

    Raises ValueError unless p lies in [0, 1), and TypeError for an rng that is not a Generator.
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator):
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p, the share to drop, must lie in [0, 1); got {p}")
        check_generator(rng)
        self.p, self.rng = p, rng

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.rng) if self.training and self.p else x

    def extra_repr(self) -> str:
        return str(self.p)
