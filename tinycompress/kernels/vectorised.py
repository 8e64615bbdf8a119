"""Every kernel in NumPy: views of all windows at once, and BLAS matrix products.

The arguments are described in the package (`tinycompress.kernels`). Two ideas do all the work:
- `windows` views an image as all its overlapping windows without copying (repeated strides). A convolution is then one
  `tensordot`, which copies the windows to the rows of a matrix ("im2col") and calls BLAS.
- Gradients go back to the inputs tap by tap: the inputs seen by tap (i, j) of the window are a strided slice.
"""

import math

import numpy as np

from .reductions import column_sums
from .shapes import output_size

FEW_PIXELS = 512
"""Pixels per matrix product in the gradient of w."""


def pad(x, padding):
    return np.pad(x, ((0, 0), *padding, (0, 0))) if np.any(padding) else x


def windows(x, size, stride):
    """View images (N, H, W, C) as windows (N, OH, OW, C, kh, kw)."""
    sh, sw = stride
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))[:, ::sh, ::sw]


def seen(x, i, j, stride, y_size):
    """The pixels of the images x seen by tap (i, j) of the window, as a view (N, OH, OW, C)."""
    (sh, sw), (OH, OW) = stride, y_size
    return x[:, i : i + sh * OH : sh, j : j + sw * OW : sw][:, :OH, :OW]


def padded_zeros(x_shape, padding, dtype):
    """Zeros for padded images, and a view of them without the padding."""
    N, H, W, C = x_shape
    (top, bottom), (left, right) = padding
    whole = np.zeros((N, top + H + bottom, left + W + right, C), dtype)
    return whole, whole[:, top : top + H, left : left + W]


def conv2d(x, w, stride, padding, bias=None):
    output_size(x.shape[1:3], w.shape[:2], stride, padding)
    y = np.tensordot(windows(pad(x, padding), w.shape[:2], stride), w, axes=((4, 5, 3), (0, 1, 2)))
    return y if bias is None else np.add(y, bias, out=y)


def conv2d_grad_x(g, w, stride, padding, x_shape):
    padded, gx = padded_zeros(x_shape, padding, g.dtype)
    for i, j in np.ndindex(w.shape[:2]):
        seen(padded, i, j, stride, g.shape[1:3])[...] += g @ w[i, j].T
    return np.ascontiguousarray(gx)


def conv2d_grad_w(x, g, stride, padding, w_shape):
    seen_by = windows(pad(x, padding), w_shape[:2], stride).transpose(0, 1, 2, 4, 5, 3)
    rows, sent = seen_by.reshape(-1, math.prod(w_shape[:3])), g.reshape(-1, w_shape[3])
    gw = np.zeros((rows.shape[1], w_shape[3]), x.dtype)
    for first in range(0, len(rows), FEW_PIXELS):  # a few at a time: a long sum has a larger rounding error
        gw += rows[first : first + FEW_PIXELS].T @ sent[first : first + FEW_PIXELS]
    return gw.reshape(w_shape)


def depthwise_conv2d(x, w, stride, padding, bias=None):
    size = output_size(x.shape[1:3], w.shape[:2], stride, padding)
    padded = pad(x, padding)
    y = np.zeros((len(x), *size, x.shape[3]), x.dtype)
    for i, j in np.ndindex(w.shape[:2]):
        y += seen(padded, i, j, stride, size) * w[i, j]
    return y if bias is None else np.add(y, bias, out=y)


def depthwise_conv2d_grad_x(g, w, stride, padding, x_shape):
    padded, gx = padded_zeros(x_shape, padding, g.dtype)
    for i, j in np.ndindex(w.shape[:2]):
        seen(padded, i, j, stride, g.shape[1:3])[...] += g * w[i, j]
    return np.ascontiguousarray(gx)


def depthwise_conv2d_grad_w(x, g, stride, padding, w_shape):
    padded = pad(x, padding)
    gw = np.empty(w_shape, x.dtype)
    for i, j in np.ndindex(w_shape[:2]):
        gw[i, j] = column_sums((seen(padded, i, j, stride, g.shape[1:3]) * g).reshape(-1, w_shape[2]))
    return gw


def max_pool2d(x, size, stride, relu=False):
    output_size(x.shape[1:3], size, stride)
    seen_by = windows(x, size, stride)
    flat = seen_by.reshape(*seen_by.shape[:4], size[0] * size[1])
    argmax = flat.argmax(axis=-1)
    y = np.take_along_axis(flat, argmax[..., None], axis=-1)[..., 0]
    if relu:
        argmax[y <= 0] = -1
        y = np.maximum(y, 0)
    return y, argmax.astype(np.int32)


def max_pool2d_grad(g, argmax, size, stride, x_shape):
    gx = np.zeros(x_shape, g.dtype)
    for k, (i, j) in enumerate(np.ndindex(*size)):
        seen(gx, i, j, stride, g.shape[1:3])[...] += np.where(argmax == k, g, 0)
    return gx


def avg_pool2d(x, size, stride):
    output_size(x.shape[1:3], size, stride)
    # Columns first, then rows: two short means take fewer additions and have a smaller rounding error than a long one.
    columns = windows(x, (size[0], 1), (stride[0], 1)).mean(axis=(4, 5))
    return windows(columns, (1, size[1]), (1, stride[1])).mean(axis=(4, 5))


def avg_pool2d_grad(g, size, stride, x_shape):
    gx = np.zeros(x_shape, g.dtype)
    share = g / g.dtype.type(size[0] * size[1])
    for i, j in np.ndindex(*size):
        seen(gx, i, j, stride, g.shape[1:3])[...] += share
    return gx
