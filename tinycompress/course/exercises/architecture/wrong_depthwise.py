"""Plausible wrong answers to depthwise, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


def _size(n, k, stride, padding):
    return (n + 2 * padding - k) // stride + 1


@wrong("depthwise", points=7.1, why="flips the kernel")
def flipped(x, weight, stride, padding):
    return _convolve(x, weight[::-1, ::-1], stride, padding)


@wrong("depthwise", points=8.375, why="ignores the stride")
def without_stride(x, weight, stride, padding):
    return _convolve(x, weight, 1, padding)


@wrong("depthwise", points=11.3, why="converts everything to float64")
def in_float64(x, weight, stride, padding):
    return _convolve(x.astype(float), weight, stride, padding)


@wrong("weight_gradient", points=8.2, why="takes the mean over the images instead of the sum")
def mean_over_images(x, g, kernel, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    weight = np.zeros((*kernel, x.shape[3]))
    rows, columns = g.shape[1:3]
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            part = padded[:, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride]
            weight[a, b] = (part * g).sum((1, 2)).mean(0)
    return weight


@wrong("output_size", points=10.8, why="rounds up, as if part of a kernel were enough")
def rounds_up(size, kernel, stride, padding):
    if size + 2 * padding < kernel:
        raise ValueError
    return -(-(size + 2 * padding - kernel) // stride) + 1


@wrong("output_size", points=11.4, why="returns 0 or less where a kernel does not fit")
def no_question(size, kernel, stride, padding):
    return (size + 2 * padding - kernel) // stride + 1


@wrong("output_size", points=11.4, why="refuses a kernel as large as the padded image")
def must_be_smaller(size, kernel, stride, padding):
    if size + 2 * padding <= kernel:
        raise ValueError
    return (size + 2 * padding - kernel) // stride + 1


@wrong("depthwise", points=8.5, why="adds up the channels, as a standard convolution does")
def channels_mixed(x, weight, stride, padding):
    y = _convolve(x, weight, stride, padding)
    return np.repeat(y.sum(3, keepdims=True), y.shape[3], axis=3)


@wrong("depthwise", points=9.0833, why="computes only the first image")
def first_image(x, weight, stride, padding):
    y = _convolve(x, weight, stride, padding)
    y[1:] = 0
    return y


@wrong("depthwise", points=8.975, why="takes the kernel to be square")
def square_kernels(x, weight, stride, padding):
    return _convolve(x, weight[:, : len(weight)], stride, padding)


@wrong("weight_gradient", points=8.2, why="takes the pixels without the stride")
def gradient_without_stride(x, g, kernel, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = g.shape[1:3]
    weight = np.zeros((*kernel, x.shape[3]))
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            weight[a, b] = (padded[:, a : a + rows, b : b + columns] * g).sum((0, 1, 2))
    return weight


def _convolve(x, weight, stride, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = (_size(n, k, stride, padding) for n, k in zip(x.shape[1:3], weight.shape[:2], strict=True))
    y = np.zeros((len(x), rows, columns, x.shape[3]), x.dtype)
    for a in range(weight.shape[0]):
        for b in range(weight.shape[1]):
            part = padded[:, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride]
            y += part * weight[a, b]
    return y
