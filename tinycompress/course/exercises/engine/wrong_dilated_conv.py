"""Plausible wrong answers to dilated_conv, and how many of the 24 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("output_size", points=21.4, why="counts the taps, not the pixels between them")
def without_holes(height, width, kernel, dilation):
    return height - kernel[0] + 1, width - kernel[1] + 1


@wrong("forward", points=22, why="right, but with Python loops over all pixels and channels")
def loops(x, w, dilation, size):
    kh, kw, channels, outputs = w.shape
    height, width = size
    y = np.zeros((len(x), height, width, outputs), x.dtype)
    for n in range(len(x)):
        for i in range(height):
            for j in range(width):
                for a in range(kh):
                    for b in range(kw):
                        for c in range(channels):
                            y[n, i, j] += x[n, i + a * dilation, j + b * dilation, c] * w[a, b, c]
    return y


@wrong("forward", points=14.4, why="flips the kernel, as mathematicians do")
def flipped(x, w, dilation, size):
    kh, kw, _, outputs = w.shape
    height, width = size
    y = np.zeros((len(x), height, width, outputs), x.dtype)
    for a in range(kh):
        for b in range(kw):
            top, left = a * dilation, b * dilation
            y += x[:, top : top + height, left : left + width] @ w[kh - 1 - a, kw - 1 - b]
    return y


@wrong("forward", points=15, why="computes only the first image")
def first_image(x, w, dilation, size):
    y = np.zeros((len(x), *size, w.shape[3]), x.dtype)
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            top, left = a * dilation, b * dilation
            y[:1] += x[:1, top : top + size[0], left : left + size[1]] @ w[a, b]
    return y


@wrong("forward", points=20, why="computes one of many images, and copies it")
def copied(x, w, dilation, size):
    kept = sorted({0, 1, 2, 5} & set(range(len(x))))
    y = np.zeros((len(x), *size, w.shape[3]), x.dtype)
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            top, left = a * dilation, b * dilation
            y[kept] += x[kept, top : top + size[0], left : left + size[1]] @ w[a, b]
    return y


@wrong("forward", points=20, why="returns float64 for images in float32")
def in_float64(x, w, dilation, size):
    y = np.zeros((len(x), *size, w.shape[3]))
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            top, left = a * dilation, b * dilation
            y += x[:, top : top + size[0], left : left + size[1]] @ w[a, b]
    return y


@wrong("backward", points=20, why="takes the mean over the images for dL/dw")
def mean_over_images(grad, x, w, dilation):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    height, width = grad.shape[1:3]
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            rows, columns = slice(a * dilation, a * dilation + height), slice(b * dilation, b * dilation + width)
            dx[:, rows, columns] += grad @ w[a, b].T
            dw[a, b] = np.tensordot(x[:, rows, columns], grad, axes=((0, 1, 2), (0, 1, 2))) / len(x)
    return dx, dw


@wrong("receptive_field", points=22.4, why="forgets the first pixel where there are no layers")
def nothing_without_layers(kernel, dilations):
    return 1 + (kernel - 1) * sum(dilations) if dilations else 0


@wrong("backward", points=20, why="overwrites what several outputs send back to a pixel, instead of adding it up")
def overwritten(grad, x, w, dilation):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    height, width = grad.shape[1:3]
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            rows, columns = slice(a * dilation, a * dilation + height), slice(b * dilation, b * dilation + width)
            dx[:, rows, columns] = grad @ w[a, b].T
            dw[a, b] = np.tensordot(x[:, rows, columns], grad, axes=((0, 1, 2), (0, 1, 2)))
    return dx, dw


@wrong("receptive_field", points=21.8, why="multiplies the layers' windows instead of adding up what each layer adds")
def product(kernel, dilations):
    return int(np.prod([(kernel - 1) * d + 1 for d in dilations]))


@wrong("forward", points=21.8, why="multiplies in the caller's images")
def in_place(x, w, dilation, size):
    y = np.zeros((len(x), *size, w.shape[3]), x.dtype)
    for a, b in np.ndindex(w.shape[:2]):
        window = x[:, a * dilation : a * dilation + size[0], b * dilation : b * dilation + size[1]]
        y += window @ w[a, b]
    x *= 0
    return y
