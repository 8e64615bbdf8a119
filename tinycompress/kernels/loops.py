"""Every kernel as the plain loop that defines it: to read, to step through in a debugger, and to test the others against.

There are no padded images: positions outside the image count as zero and are skipped. The arguments are described in the
package (`tinycompress.kernels`). Very slow: seconds for a small batch.
"""

import numpy as np

from .shapes import output_size


def inside(h, w, image_shape):
    return 0 <= h < image_shape[0] and 0 <= w < image_shape[1]


def taps(y_shape, window, stride, padding, image_shape):
    """Yield (oh, ow, i, j, h, w) for each output pixel (oh, ow) that sees input pixel (h, w) at (i, j) of its window."""
    for oh in range(y_shape[0]):
        for ow in range(y_shape[1]):
            for i in range(window[0]):
                for j in range(window[1]):
                    h = oh * stride[0] + i - padding[0][0]
                    w = ow * stride[1] + j - padding[1][0]
                    if inside(h, w, image_shape):
                        yield oh, ow, i, j, h, w


def conv2d(x, w, stride, padding, bias=None):
    N, H, W, C = x.shape
    kh, kw, _, OC = w.shape
    OH, OW = output_size((H, W), (kh, kw), stride, padding)
    y = np.zeros((N, OH, OW, OC), x.dtype)
    if bias is not None:
        y += bias
    for n in range(N):
        for oh, ow, i, j, h, v in taps((OH, OW), (kh, kw), stride, padding, (H, W)):
            for c in range(C):
                for o in range(OC):
                    y[n, oh, ow, o] += x[n, h, v, c] * w[i, j, c, o]
    return y


def conv2d_grad_x(g, w, stride, padding, x_shape):
    N, H, W, C = x_shape
    kh, kw, _, OC = w.shape
    gx = np.zeros(x_shape, g.dtype)
    for n in range(N):
        for oh, ow, i, j, h, v in taps(g.shape[1:3], (kh, kw), stride, padding, (H, W)):
            for c in range(C):
                for o in range(OC):
                    gx[n, h, v, c] += g[n, oh, ow, o] * w[i, j, c, o]
    return gx


def conv2d_grad_w(x, g, stride, padding, w_shape):
    N, H, W, C = x.shape
    kh, kw, _, OC = w_shape
    gw = np.zeros(w_shape, x.dtype)
    for n in range(N):
        for oh, ow, i, j, h, v in taps(g.shape[1:3], (kh, kw), stride, padding, (H, W)):
            for c in range(C):
                for o in range(OC):
                    gw[i, j, c, o] += x[n, h, v, c] * g[n, oh, ow, o]
    return gw


def depthwise_conv2d(x, w, stride, padding, bias=None):
    N, H, W, C = x.shape
    kh, kw, _ = w.shape
    OH, OW = output_size((H, W), (kh, kw), stride, padding)
    y = np.zeros((N, OH, OW, C), x.dtype)
    if bias is not None:
        y += bias
    for n in range(N):
        for oh, ow, i, j, h, v in taps((OH, OW), (kh, kw), stride, padding, (H, W)):
            for c in range(C):
                y[n, oh, ow, c] += x[n, h, v, c] * w[i, j, c]
    return y


def depthwise_conv2d_grad_x(g, w, stride, padding, x_shape):
    N, H, W, C = x_shape
    gx = np.zeros(x_shape, g.dtype)
    for n in range(N):
        for oh, ow, i, j, h, v in taps(g.shape[1:3], w.shape[:2], stride, padding, (H, W)):
            for c in range(C):
                gx[n, h, v, c] += g[n, oh, ow, c] * w[i, j, c]
    return gx


def depthwise_conv2d_grad_w(x, g, stride, padding, w_shape):
    N, H, W, C = x.shape
    gw = np.zeros(w_shape, x.dtype)
    for n in range(N):
        for oh, ow, i, j, h, v in taps(g.shape[1:3], w_shape[:2], stride, padding, (H, W)):
            for c in range(C):
                gw[i, j, c] += x[n, h, v, c] * g[n, oh, ow, c]
    return gw


def max_pool2d(x, size, stride, relu=False):
    N, H, W, C = x.shape
    kh, kw = size
    OH, OW = output_size((H, W), size, stride)
    y = np.empty((N, OH, OW, C), x.dtype)
    argmax = np.empty((N, OH, OW, C), np.int32)
    for n, oh, ow, c in np.ndindex(y.shape):
        best, where = x[n, oh * stride[0], ow * stride[1], c], 0
        for k in range(1, kh * kw):
            value = x[n, oh * stride[0] + k // kw, ow * stride[1] + k % kw, c]
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
    N, H, W, C = x.shape
    kh, kw = size
    OH, OW = output_size((H, W), size, stride)
    y = np.zeros((N, OH, OW, C), x.dtype)
    for n, oh, ow, c in np.ndindex(y.shape):
        for i in range(kh):
            for j in range(kw):
                y[n, oh, ow, c] += x[n, oh * stride[0] + i, ow * stride[1] + j, c] / (kh * kw)
    return y


def avg_pool2d_grad(g, size, stride, x_shape):
    kh, kw = size
    gx = np.zeros(x_shape, g.dtype)
    for n, oh, ow, c in np.ndindex(g.shape):
        for i in range(kh):
            for j in range(kw):
                gx[n, oh * stride[0] + i, ow * stride[1] + j, c] += g[n, oh, ow, c] / (kh * kw)
    return gx
