"""Depthwise separable convolution: one filter per channel, then 1×1 filters across the channels.

A standard convolution of k × k from C to O channels has k² C O weights; a separable one has k² C + C O, the
share 1/O + 1/k² of them. Multiplications are weights times output pixels in both cases, so their share is the same
(Howard et al. 2017, MobileNets, section 3.1).
"""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from ..functional import _two
from ..guards import computes_as
from ..nn import BatchNorm, Conv2d, DepthwiseConv2d, Module, PointwiseConv2d, ReLU, Sequential
from .replace import chosen_layers, parametrized, replace_layers, with_weights

MOST_COLOURS = 4  # channels of an image


def separable_block(
    inputs: int,
    outputs: int,
    kernel_size=3,
    stride=1,
    padding="same",
    bias: bool = False,
    between: bool = True,
    *,
    rng: np.random.Generator,
) -> Sequential:
    """Depthwise and pointwise convolution in place of a standard one: (N, H, W, inputs) -> (N, H', W', outputs).

    between: batch norm and ReLU after the depthwise part, as in MobileNet (Howard et al. 2017, figure 3); without
    them the block is linear, as in Xception (Chollet 2017, section 4.7). Layers after the block, such as another batch
    norm and ReLU, are up to the net. bias: of the pointwise part. stride and padding as in `functional.conv2d`.
    """
    depthwise = DepthwiseConv2d(inputs, kernel_size, stride, padding, bias=False, rng=rng)
    middle = [BatchNorm(inputs), ReLU()] if between else []
    return Sequential(depthwise, *middle, PointwiseConv2d(inputs, outputs, bias=bias, rng=rng))


def separable_share(outputs: int, kernel_size=3) -> Fraction:
    """Weights (and multiply-accumulates) of a separable convolution as an exact share of a standard one's: 1/O + 1/k².

    outputs: O channels. kernel_size: k, or (kh, kw) with k² = kh kw. Batch norm and biases are not counted.
    """
    kh, kw = _two("separable_share", "kernel size", kernel_size)
    return Fraction(1, outputs) + Fraction(1, kh * kw)


def make_separable(
    model: Module,
    layers: Iterable[str] | None = None,
    between: bool = True,
    from_weights: bool = False,
    *,
    rng: np.random.Generator,
) -> Module:
    """A new net with separable convolutions in place of standard ones; sizes, strides, paddings and biases stay.

    layers: names of `Conv2d` layers. By default all with a kernel above 1×1, except those that read a single channel or
    the colours of an image (up to 4 channels), which have no channels to share filters between; MobileNet's first layer
    is standard, too. between: as in `separable_block`.

    from_weights: start from the separable convolution nearest to the trained one instead of from new weights (Guo et al.
    2018, Network Decoupling, with one term; see `nearest_separable`). Needs between=False, since the nearest linear map
    does not help a block with a ReLU in the middle.

    Raises ValueError for a layer that cannot be replaced, with the reason.

    >>> from tinycompress import models
    >>> rng = np.random.default_rng(0)
    >>> net = models.convnet((8, 8, 1), 10, rng=rng)
    >>> make_separable(net, rng=rng).summary().parameters < net.summary().parameters
    True
    """
    if from_weights and between:
        raise ValueError(
            "make_separable: from_weights fits a linear block, so batch norm and ReLU in the middle would undo the fit; "
            "pass between=False, or from_weights=False and train"
        )

    def build(layer: Conv2d) -> list[Module]:
        kh, kw, inputs, outputs = layer.weight.shape
        has_bias = layer.bias is not None
        block = separable_block(
            inputs, outputs, (kh, kw), layer.stride, layer.padding, bias=has_bias, between=between, rng=rng
        )
        depthwise, pointwise = block[0].weight.data, block[-1].weight.data
        if from_weights:
            depthwise, pointwise = nearest_separable(layer.weight.data)
        with_weights(block[0], depthwise, layer, bias=False)
        with_weights(block[-1], pointwise, layer, bias=from_weights)
        return block.layers

    chosen = chosen_layers("make_separable", model, _why_not_separable, layers)
    if layers is None:
        chosen = {name: layer for name, layer in chosen.items() if layer.weight.shape[2] > MOST_COLOURS}
        if not chosen:
            raise ValueError(
                f"make_separable: every standard convolution of the model reads {MOST_COLOURS} channels or fewer, which "
                "looks like an image; to replace some all the same, name them: layers=[…]"
            )
    return replace_layers(model, dict.fromkeys(chosen, build))


def nearest_separable(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The depthwise filters (kh, kw, in) and pointwise weights (in, out) whose product is nearest to a standard
    convolution's weight (kh, kw, in, out), in the sum of squares.

    For each input channel c, depthwise[i, j, c] * pointwise[c, o] is a matrix (kh kw, out) of rank 1. The nearest one is
    the first term of the singular value decomposition of that channel's weights (Eckart & Young 1936).
    """
    kh, kw, inputs, outputs = weight.shape
    matrices = weight.astype(np.float64).reshape(kh * kw, inputs, outputs).swapaxes(0, 1)
    u, s, vt = np.linalg.svd(matrices, full_matrices=False)
    root = np.sqrt(s[:, :1])
    depthwise = (u[:, :, 0] * root).T.reshape(kh, kw, inputs)
    return depthwise.astype(weight.dtype), (root * vt[:, 0]).astype(weight.dtype)


def _why_not_separable(layer: Module) -> str:
    if not computes_as(layer, Conv2d):
        return "is not a standard convolution"
    if layer.latent("weight").shape[:2] == (1, 1):
        return "has a 1×1 kernel: it is a pointwise convolution already"
    return parametrized(layer)
