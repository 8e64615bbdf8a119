"""The nets of the lecture. Each function takes the shape of one image (H, W, C), the number of classes and a Generator,
or its seed.

>>> net = lenet_300_100((28, 28, 1), 10, rng=0)
>>> net.summary().parameters
266610
"""

from __future__ import annotations

from math import prod

import numpy as np

from .nn import (
    BatchNorm,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Flatten,
    GlobalAvgPool,
    MaxPool2d,
    Normalize,
    PointwiseConv2d,
    ReLU,
    Residual,
    Sequential,
)
from .nn.init import generator
from .text.names import keywords


def normalized(net: Sequential, x: np.ndarray) -> Sequential:
    """The net behind a layer that brings each channel to mean 0 and variance 1, measured on the training images x (N, H, W, C).

    It is trained on raw pixels and predicts from them, also once it is loaded, optimised or converted to integers. The layers
    are shared with `net`.
    """
    return Sequential(Normalize.of(x), *net.layers, input_shape=net.input_shape)


_keywords = keywords(hidden="widths", num_classes="classes", seed="rng")


def _checked(input_shape, rng) -> tuple[tuple[int, int, int], np.random.Generator]:
    """The shape of an image, checked, and a Generator."""
    if not isinstance(input_shape, tuple | list) or len(input_shape) != 3:
        raise ValueError(f"the shape of one image is (H, W, C), such as data.image_shape; got {input_shape!r}")
    return tuple(input_shape), generator(rng)


@_keywords
def mlp(input_shape, widths, classes: int, *, rng: np.random.Generator | int) -> Sequential:
    """Dense layers of the given hidden widths with ReLU between; images are flattened first. (N, H, W, C) -> (N, classes).

    input_shape and widths: an int stands for a tuple of one.
    """
    input_shape, widths = (
        values if isinstance(values, tuple | list) else (values,) for values in (input_shape, widths)
    )
    rng, widths = generator(rng), [prod(input_shape), *widths]
    layers = [Flatten()]
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [Dense(inputs, outputs, rng=rng), ReLU()]
    return Sequential(*layers, Dense(widths[-1], classes, rng=rng), input_shape=tuple(input_shape))


@_keywords
def lenet_300_100(input_shape=(28, 28, 1), classes: int = 10, *, rng: np.random.Generator | int) -> Sequential:
    """LeNet-300-100 (LeCun et al. 1998): two hidden layers of 300 and 100; 266,610 parameters on MNIST."""
    return mlp(input_shape, (300, 100), classes, rng=rng)


@_keywords
def lenet_5(input_shape=(28, 28, 1), classes: int = 10, *, rng: np.random.Generator | int) -> Sequential:
    """LeNet-5 as the compression papers use it (Caffe's 20-50-500-10); 431,080 parameters on MNIST.

    For images too small for two unpadded 5×5 convolutions (under 16 pixels per side), the padding is "same".
    """
    input_shape, rng = _checked(input_shape, rng)
    height, width, channels = input_shape
    padding = "valid" if min(height, width) >= 16 else "same"

    def after(n):  # one unpadded or padded convolution, then pooling by 2
        return (n - 4 if padding == "valid" else n) // 2

    pixels = after(after(height)) * after(after(width))
    return Sequential(
        Conv2d(channels, 20, 5, padding=padding, rng=rng),
        MaxPool2d(2),
        ReLU(),  # after pooling: same result, a quarter of the work
        Conv2d(20, 50, 5, padding=padding, rng=rng),
        MaxPool2d(2),
        ReLU(),
        Flatten(),
        Dense(50 * pixels, 500, rng=rng),
        ReLU(),
        Dense(500, classes, rng=rng),
        input_shape=input_shape,
    )


@_keywords
def convnet(input_shape, classes: int = 10, widths=(16, 32), *, rng: np.random.Generator | int) -> Sequential:
    """3×3 convolutions with batch norm and ReLU, halving the image after each, then one dense layer."""
    input_shape, rng = _checked(input_shape, rng)
    height, width, channels = input_shape
    layers = []
    for outputs in widths:
        layers += [
            Conv2d(channels, outputs, 3, padding="same", bias=False, rng=rng),
            BatchNorm(outputs),
            ReLU(),
            MaxPool2d(2),
        ]
        channels, height, width = outputs, height // 2, width // 2
    return Sequential(*layers, Flatten(), Dense(channels * height * width, classes, rng=rng), input_shape=input_shape)


@_keywords
def separable_net(input_shape, classes: int = 10, widths=(16, 32, 64), *, rng: np.random.Generator | int) -> Sequential:
    """A small MobileNet (Howard et al. 2017): a 3×3 convolution, then pairs of depthwise 3×3 (stride 2) and pointwise."""
    input_shape, rng = _checked(input_shape, rng)
    layers = [Conv2d(input_shape[2], widths[0], 3, padding="same", bias=False, rng=rng), BatchNorm(widths[0]), ReLU()]
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [DepthwiseConv2d(inputs, 3, stride=2, padding="same", bias=False, rng=rng), BatchNorm(inputs), ReLU()]
        layers += [PointwiseConv2d(inputs, outputs, bias=False, rng=rng), BatchNorm(outputs), ReLU()]
    return Sequential(*layers, GlobalAvgPool(), Dense(widths[-1], classes, rng=rng), input_shape=input_shape)


@_keywords
def vgg(input_shape=(32, 32, 3), classes: int = 10, share=0.25, *, rng: np.random.Generator | int) -> Sequential:
    """VGG-11 for small images: its eight 3×3 convolutions (Simonyan & Zisserman 2015, table 1, column A) with batch norm, the
    image halved after every second one (unless it is a single pixel by then), and one dense layer in place of three.

    share: of the published widths, by default a quarter: 579,098 parameters and 38.2 million multiply-adds on CIFAR-10.
    """
    input_shape, rng = _checked(input_shape, rng)
    layers, inputs, side = [], input_shape[2], min(input_shape[:2])
    for i, width in enumerate((64, 128, 256, 256, 512, 512, 512, 512)):
        outputs = max(1, round(share * width))
        layers += [Conv2d(inputs, outputs, 3, padding="same", bias=False, rng=rng), BatchNorm(outputs), ReLU()]
        if i % 2 and side > 1:
            layers.append(MaxPool2d(2))
            side //= 2
        inputs = outputs
    return Sequential(*layers, GlobalAvgPool(), Dense(inputs, classes, rng=rng), input_shape=input_shape)


@_keywords
def mobilenet(input_shape=(32, 32, 3), classes: int = 10, share=0.5, *, rng: np.random.Generator | int) -> Sequential:
    """MobileNet (Howard et al. 2017, table 1) for small images: the first two of its five halvings are left out, and one of its
    twelve pairs of depthwise and pointwise convolutions that only repeat others.

    share: of the published widths, by default half: 754,858 parameters and, as many as `resnet20`, 41.0 million multiply-adds
    on CIFAR-10.
    """
    input_shape, rng = _checked(input_shape, rng)
    inputs = max(1, round(share * 32))
    layers = [Conv2d(input_shape[2], inputs, 3, padding="same", bias=False, rng=rng), BatchNorm(inputs), ReLU()]
    repeated = 4 * [(512, 1)]
    pairs = [(64, 1), (128, 1), (128, 1), (256, 2), (256, 1), (512, 2), *repeated, (1024, 2), (1024, 1)]
    for width, stride in pairs:
        outputs = max(1, round(share * width))
        layers += [DepthwiseConv2d(inputs, 3, stride, padding=1, bias=False, rng=rng), BatchNorm(inputs), ReLU()]
        layers += [PointwiseConv2d(inputs, outputs, bias=False, rng=rng), BatchNorm(outputs), ReLU()]
        inputs = outputs
    return Sequential(*layers, GlobalAvgPool(), Dense(inputs, classes, rng=rng), input_shape=input_shape)


@_keywords
def resnet(
    input_shape, classes: int = 10, widths=(16, 32, 64), blocks: int = 1, *, rng: np.random.Generator | int
) -> Sequential:
    """A residual net (He et al. 2016, section 4.2): one 3×3 convolution, then per width `blocks` blocks of two.

    The first block of every width but the first halves the image. Where that changes the shape, the shortcut is a 1×1
    convolution with stride 2 and batch norm (the paper's option B; on CIFAR-10 it pads with zeros instead, option A). Elsewhere
    the shortcut is the identity.
    """
    input_shape, rng = _checked(input_shape, rng)

    def conv(inputs, outputs, size, stride):
        return Conv2d(inputs, outputs, size, stride, size // 2, bias=False, rng=rng), BatchNorm(outputs)

    layers, inputs = [*conv(input_shape[2], widths[0], 3, 1), ReLU()], widths[0]
    for stage, outputs in enumerate(widths):
        for block in range(blocks):
            halves = stage > 0 and block == 0
            stride = 2 if halves else 1
            body = Sequential(*conv(inputs, outputs, 3, stride), ReLU(), *conv(outputs, outputs, 3, 1))
            layers += [Residual(body, Sequential(*conv(inputs, outputs, 1, stride)) if halves else None), ReLU()]
            inputs = outputs
    return Sequential(*layers, GlobalAvgPool(), Dense(inputs, classes, rng=rng), input_shape=input_shape)


@_keywords
def resnet20(input_shape=(32, 32, 3), classes: int = 10, *, rng: np.random.Generator | int) -> Sequential:
    """ResNet-20 for CIFAR-10 (He et al. 2016, section 4.2): 20 layers; 272,474 parameters and 40.8 million multiply-adds.

    The paper's has 0.27 million parameters, too; the two shortcuts of option B (see `resnet`) add 1 % to them.
    """
    return resnet(input_shape, classes, (16, 32, 64), blocks=3, rng=rng)
