"""Depthwise convolution: each channel through its own filter, so that the lanes of a vector are neighbouring channels."""

import math

import numpy as np

from .conv import Geometry, forward_geometry, new_scratch, padded, sum_in_chunks
from .jit import jit
from .shapes import phases
from .threads import share
from .tile import tile_add_to, tile_multiply_add, tile_store, tile_zeros
from .vectors import ROWS, VECTOR_BYTES, VECTORS

TAPS = 3
"""Rows of the tile for the gradient of w: neighbouring taps of a filter, most of which are 3 wide."""


@jit(inline="always")
def convolve(vectors, start, end, x, scratch, w, y, G):
    """y of the images from `start` up to `end`; a tile's rows are neighbouring pixels."""
    block = vectors * (VECTOR_BYTES // x.itemsize)
    for n in range(start, end):
        source, image, row, _ = padded(x, n, scratch, G)
        for oh in range(G.OH):
            for c in range(0, G.C, block):
                columns = min(block, G.C - c)
                for ow in range(0, G.OW, ROWS):
                    window = image + oh * G.sh * row + ow * G.sw * G.C + c
                    acc = tile_zeros(ROWS, vectors, x)
                    for i in range(G.kh):
                        for j in range(G.kw):
                            tap = i * row + j * G.C
                            acc = tile_multiply_add(
                                acc, source, window + tap, G.sw * G.C, w, (i * G.kw + j) * G.C + c, columns
                            )
                    pixel = G.y0 + n * G.y_image + oh * G.y_row + ow * G.y_pixel
                    tile_store(acc, y, pixel + c, G.y_pixel, min(ROWS, G.OW - ow), columns)


@jit
def convolve_narrow(start, end, x, scratch, w, y, G):
    convolve(1, start, end, x, scratch, w, y, G)


@jit
def convolve_wide(start, end, x, scratch, w, y, G):
    convolve(VECTORS, start, end, x, scratch, w, y, G)


@jit
def add_grad_w(start, end, x, scratch, g, gw, G):
    """gw += what the images from `start` up to `end` contribute; a tile's rows are neighbouring taps, summed over all pixels."""
    block = VECTORS * (VECTOR_BYTES // x.itemsize)
    for n in range(start, end):
        source, image, row, _ = padded(x, n, scratch, G)
        for c in range(0, G.C, block):
            columns = min(block, G.C - c)
            for i in range(G.kh):
                for j in range(0, G.kw, TAPS):
                    acc = tile_zeros(TAPS, VECTORS, x)
                    for oh in range(G.OH):
                        window = image + (oh * G.sh + i) * row + j * G.C + c
                        pixel = G.y0 + n * G.y_image + oh * G.y_row + c
                        for ow in range(G.OW):
                            acc = tile_multiply_add(
                                acc, source, window + ow * G.sw * G.C, G.C, g, pixel + ow * G.y_pixel, columns
                            )
                    tile_add_to(acc, gw, (i * G.kw + j) * G.C + c, G.C, min(TAPS, G.kw - j), columns)


def depthwise_conv2d(x, w, stride, padding):
    G = forward_geometry(x.shape, w.shape, stride, padding, images=1)
    y = np.empty((G.N, G.OH, G.OW, G.C), x.dtype)
    _convolve(x, y, [(w, G)])
    return y


def _convolve(x, y, parts):
    C = x.shape[3]
    kernel = convolve_narrow if C * x.itemsize <= VECTOR_BYTES else convolve_wide
    x, y = x.reshape(-1), y.reshape(-1)
    parts = [(weights.reshape(-1), G) for weights, G in parts]
    N = parts[0][1].N

    def work(start, end):
        for weights, G in parts:
            kernel(start, end, x, new_scratch(x, G), weights, y, G)

    share(work, N, N * sum(G.OH * G.OW * weights.size for weights, G in parts))


def depthwise_conv2d_grad_x(g, w, stride, padding, x_shape):
    (N, H, W, C), (kh, kw, _), (sh, sw) = x_shape, w.shape, stride
    OH, OW = g.shape[1:3]
    gx = (np.empty if kh >= sh and kw >= sw else np.zeros)(x_shape, g.dtype)
    parts = []
    for h0, rows, i, top in phases(H, kh, sh, padding[0][0]):
        for w0, columns, j, left in phases(W, kw, sw, padding[1][0]):
            taps = np.ascontiguousarray(w[i::sh, j::sw][::-1, ::-1])
            places = (h0 * W + w0) * C, sw * C, sh * W * C, H * W * C
            sizes = N, OH, OW, C, *taps.shape[:2], 1, 1, top, left, rows, columns, C
            parts.append((taps, Geometry(*sizes, *places, 1)))
    if parts:  # else no pixel was ever seen
        _convolve(g, gx, parts)
    return gx


def depthwise_conv2d_grad_w(x, g, stride, padding, w_shape):
    G = forward_geometry(x.shape, w_shape, stride, padding, images=1)
    x, g = x.reshape(-1), g.reshape(-1)

    def work(start, end, gw):
        add_grad_w(start, end, x, new_scratch(x, G), g, gw, G)

    return sum_in_chunks(work, G.N, G.OH * G.OW, math.prod(w_shape), x.dtype).reshape(w_shape)
