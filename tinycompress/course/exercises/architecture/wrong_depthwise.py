"""Plausible wrong answers to depthwise, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


def _size(n, k, stride, padding):
    return (n + 2 * padding - k) // stride + 1


@wrong("depthwise", points=6, why="flips the kernel")
def flipped(x, weight, stride, padding):
    return _convolve(x, weight[::-1, ::-1], stride, padding)


@wrong("depthwise", points=8.6, why="ignores the stride")
def without_stride(x, weight, stride, padding):
    return _convolve(x, weight, 1, padding)


@wrong("depthwise", points=11, why="converts everything to float64")
def in_float64(x, weight, stride, padding):
    return _convolve(x.astype(float), weight, stride, padding)


@wrong("weight_gradient", points=9, why="takes the mean over the images instead of the sum")
def mean_over_images(x, g, kernel, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    weight = np.zeros((*kernel, x.shape[3]))
    rows, columns = g.shape[1:3]
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            part = padded[:, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride]
            weight[a, b] = (part * g).sum((1, 2)).mean(0)
    return weight


@wrong("output_size", points=11, why="rounds up, as if part of a kernel were enough")
def rounds_up(size, kernel, stride, padding):
    if size + 2 * padding < kernel:
        raise ValueError
    return -(-(size + 2 * padding - kernel) // stride) + 1


def _convolve(x, weight, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = (_size(n, k, stride, padding) for n, k in zip(x.shape[1:3], weight.shape[:2], strict=True))
    y = np.zeros((len(x), rows, columns, x.shape[3]), x.dtype)
    for a in range(weight.shape[0]):
        for b in range(weight.shape[1]):
            part = padded[:, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride]
            y += part * weight[a, b]
    return y
