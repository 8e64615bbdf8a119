"""Every kernel as the plain loop that defines it: to read, to step through in a debugger, and to test the others against.

There are no padded images: positions outside the image count as zero and are skipped. The arguments are described in the
package (`tinycompress.kernels`). Very slow: seconds for a small batch.
"""

import numpy as np

from .shapes import output_size


def taps(x_shape, y_shape, window, stride, padding):
    """Yield (n, oh, ow, i, j, h, w) for each pixel (oh, ow) of output n that sees input pixel (h, w) at (i, j) of its window."""
    for n, oh, ow, i, j in np.ndindex(*y_shape[:3], *window):
        h = oh * stride[0] + i - padding[0][0]
        w = ow * stride[1] + j - padding[1][0]
        if 0 <= h < x_shape[1] and 0 <= w < x_shape[2]:
            yield n, oh, ow, i, j, h, w


def conv2d(x, w, stride, padding, bias=None):
    C, OC = w.shape[2:]
    OH, OW = output_size(x.shape[1:3], w.shape[:2], stride, padding)
    y = np.zeros((len(x), OH, OW, OC), x.dtype)
    if bias is not None:
        y += bias
    for n, oh, ow, i, j, h, v in taps(x.shape, y.shape, w.shape[:2], stride, padding):
        for c in range(C):
            for o in range(OC):
                y[n, oh, ow, o] += x[n, h, v, c] * w[i, j, c, o]
    return y


def conv2d_grad_x(g, w, stride, padding, x_shape):
    C, OC = w.shape[2:]
    gx = np.zeros(x_shape, g.dtype)
    for n, oh, ow, i, j, h, v in taps(x_shape, g.shape, w.shape[:2], stride, padding):
        for c in range(C):
            for o in range(OC):
                gx[n, h, v, c] += g[n, oh, ow, o] * w[i, j, c, o]
    return gx


def conv2d_grad_w(x, g, stride, padding, w_shape):
    C, OC = w_shape[2:]
    gw = np.zeros(w_shape, x.dtype)
    for n, oh, ow, i, j, h, v in taps(x.shape, g.shape, w_shape[:2], stride, padding):
        for c in range(C):
            for o in range(OC):
                gw[i, j, c, o] += x[n, h, v, c] * g[n, oh, ow, o]
    return gw


def depthwise_conv2d(x, w, stride, padding, bias=None):
    OH, OW = output_size(x.shape[1:3], w.shape[:2], stride, padding)
    y = np.zeros((len(x), OH, OW, w.shape[2]), x.dtype)
    if bias is not None:
        y += bias
    for n, oh, ow, i, j, h, v in taps(x.shape, y.shape, w.shape[:2], stride, padding):
        for c in range(w.shape[2]):
            y[n, oh, ow, c] += x[n, h, v, c] * w[i, j, c]
    return y


def depthwise_conv2d_grad_x(g, w, stride, padding, x_shape):
    gx = np.zeros(x_shape, g.dtype)
    for n, oh, ow, i, j, h, v in taps(x_shape, g.shape, w.shape[:2], stride, padding):
        for c in range(w.shape[2]):
            gx[n, h, v, c] += g[n, oh, ow, c] * w[i, j, c]
    return gx


def depthwise_conv2d_grad_w(x, g, stride, padding, w_shape):
    gw = np.zeros(w_shape, x.dtype)
    for n, oh, ow, i, j, h, v in taps(x.shape, g.shape, w_shape[:2], stride, padding):
        for c in range(w_shape[2]):
            gw[i, j, c] += x[n, h, v, c] * g[n, oh, ow, c]
    return gw


def max_pool2d(x, size, stride, relu=False):
    OH, OW = output_size(x.shape[1:3], size, stride)
    y = np.empty((len(x), OH, OW, x.shape[3]), x.dtype)
    argmax = np.empty(y.shape, np.int32)
    for n, oh, ow, c in np.ndindex(y.shape):
        best, where = x[n, oh * stride[0], ow * stride[1], c], 0
        for k, (i, j) in enumerate(np.ndindex(*size)):
            value = x[n, oh * stride[0] + i, ow * stride[1] + j, c]
            # NaN counts as the largest number; otherwise a net with NaN activations would look healthy.
            if value > best or (np.isnan(value) and not np.isnan(best)):
                best, where = value, k
        if relu and best <= 0:
            best, where = 0, -1
        y[n, oh, ow, c], argmax[n, oh, ow, c] = best, where
    return y, argmax


def max_pool2d_grad(g, argmax, size, stride, x_shape):
    gx = np.zeros(x_shape, g.dtype)
    for n, oh, ow, c in np.ndindex(g.shape):
        i, j = divmod(int(argmax[n, oh, ow, c]), size[1])
        if i >= 0:
            gx[n, oh * stride[0] + i, ow * stride[1] + j, c] += g[n, oh, ow, c]
    return gx


def avg_pool2d(x, size, stride):
    OH, OW = output_size(x.shape[1:3], size, stride)
    y = np.zeros((len(x), OH, OW, x.shape[3]), x.dtype)
    for n, oh, ow, c, i, j in np.ndindex(*y.shape, *size):
        y[n, oh, ow, c] += x[n, oh * stride[0] + i, ow * stride[1] + j, c] / (size[0] * size[1])
    return y


def avg_pool2d_grad(g, size, stride, x_shape):
    gx = np.zeros(x_shape, g.dtype)
    for n, oh, ow, c, i, j in np.ndindex(*g.shape, *size):
        gx[n, oh * stride[0] + i, ow * stride[1] + j, c] += g[n, oh, ow, c] / (size[0] * size[1])
    return gx
