"""Plausible wrong answers to dilated_conv, and how many of the 15 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("output_size", points=8, why="counts the taps, not the pixels between them")
def without_holes(height, width, kernel, dilation):
    return height - kernel[0] + 1, width - kernel[1] + 1


@wrong("forward", points=13, why="right, but with Python loops over all pixels")
def loops(x, w, dilation):
    kh, kw, channels, outputs = w.shape
    height, width = x.shape[1] - (kh - 1) * dilation, x.shape[2] - (kw - 1) * dilation
    y = np.zeros((len(x), height, width, outputs), x.dtype)
    for n in range(len(x)):
        for i in range(height):
            for j in range(width):
                for a in range(kh):
                    for b in range(kw):
                        for c in range(channels):
                            y[n, i, j] += x[n, i + a * dilation, j + b * dilation, c] * w[a, b, c]
    return y


@wrong("forward", points=10, why="flips the kernel, as mathematicians do")
def flipped(x, w, dilation):
    kh, kw, _, outputs = w.shape
    height, width = x.shape[1] - (kh - 1) * dilation, x.shape[2] - (kw - 1) * dilation
    y = np.zeros((len(x), height, width, outputs), x.dtype)
    for a in range(kh):
        for b in range(kw):
            top, left = a * dilation, b * dilation
            y += x[:, top : top + height, left : left + width] @ w[kh - 1 - a, kw - 1 - b]
    return y


@wrong("backward", points=12, why="overwrites what several outputs send back to a pixel, instead of adding it up")
def overwritten(grad, x, w, dilation):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    height, width = grad.shape[1:3]
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            rows, columns = slice(a * dilation, a * dilation + height), slice(b * dilation, b * dilation + width)
            dx[:, rows, columns] = grad @ w[a, b].T
            dw[a, b] = np.tensordot(x[:, rows, columns], grad, axes=((0, 1, 2), (0, 1, 2)))
    return dx, dw


@wrong("receptive_field", points=14, why="multiplies the layers' windows instead of adding up what each layer adds")
def product(kernel, dilations):
    return int(np.prod([(kernel - 1) * d + 1 for d in dilations]))
