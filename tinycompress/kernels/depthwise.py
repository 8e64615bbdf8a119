"""Depthwise convolution: each channel through its own filter, so that the lanes of a vector are neighbouring channels.

A multiply-add here needs a new number of x each time, so that memory sets the pace. Hence only the few channels of one
tile are worked on at a time, and only kh rows of them are kept, in a ring that stays in the first-level cache: row r
of the padded image takes the place of row r - kh, which no window will see again.

    ring, kh = 3:   | row 3 | row 1 | row 2 |     output row 1 (stride 1) sees rows 1, 2, 3
                    | row 3 | row 4 | row 2 |     output row 2 sees rows 2, 3, 4
"""

import math

import numpy as np

from .conv import Geometry, forward_geometry, is_narrow, sum_in_chunks
from .jit import jit
from .memory import aligned_empty, aligned_zeros
from .shapes import phases
from .strip import copy_strip, new_strip
from .threads import share
from .tile import tile_add_to, tile_multiply_add, tile_store, tile_window_add, tile_zeros
from .vectors import ROWS, VECTOR_BYTES, VECTORS


@jit(inline="always")
def take_row(vectors, x, n, h, c, columns, ring, line, G):
    """Row h of image n, or zeros if it lies outside, into the line of the ring that begins there."""
    block = vectors * (VECTOR_BYTES // x.itemsize)
    first = max(0, -G.left)
    pixels = min(G.W, (G.OW - 1) * G.sw + G.kw - G.left) - first
    to = line + (G.left + first) * block
    if 0 <= h < G.H:
        copy_strip(vectors, x, ((n * G.H + h) * G.W + first) * G.C + c, G.C, pixels, columns, ring, to)
    else:
        for k in range(to, to + pixels * block):
            ring[k] = 0


@jit(inline="always")
def convolve(vectors, stride, start, end, x, ring, strip, w, y, G):
    """y of the images from `start` up to `end`; a tile's rows are neighbouring pixels."""
    block = vectors * (VECTOR_BYTES // x.itemsize)
    line = ((G.OW - 1) * G.sw + G.kw) * block
    for n in range(start, end):
        for c in range(0, G.C, block):
            columns = min(block, G.C - c)
            copy_strip(vectors, w, c, G.C, G.kh * G.kw, columns, strip, 0)
            taken = 0
            for oh in range(G.OH):
                while taken < oh * G.sh + G.kh:
                    take_row(vectors, x, n, taken - G.top, c, columns, ring, taken % G.kh * line, G)
                    taken += 1
                oldest = oh * G.sh % G.kh
                for ow in range(0, G.OW, ROWS):
                    acc = tile_zeros(ROWS, vectors, x)
                    for i in range(G.kh):
                        window = (oldest + i if oldest + i < G.kh else oldest + i - G.kh) * line + ow * G.sw * block
                        taps = i * G.kw * block
                        j = 0
                        while j + 3 <= G.kw:
                            acc = tile_window_add(acc, ring, window + j * block, stride, 3, strip, taps + j * block)
                            j += 3
                        if j + 2 == G.kw:
                            acc = tile_window_add(acc, ring, window + j * block, stride, 2, strip, taps + j * block)
                        elif j + 1 == G.kw:
                            acc = tile_window_add(acc, ring, window + j * block, stride, 1, strip, taps + j * block)
                    pixel = G.y0 + n * G.y_image + oh * G.y_row + ow * G.y_pixel
                    tile_store(acc, y, pixel + c, G.y_pixel, min(ROWS, G.OW - ow), columns)


@jit
def convolve_narrow(start, end, x, ring, strip, w, y, G):
    convolve(1, 1, start, end, x, ring, strip, w, y, G)


@jit
def convolve_wide(start, end, x, ring, strip, w, y, G):
    convolve(VECTORS, 1, start, end, x, ring, strip, w, y, G)


@jit
def convolve_narrow_strided(start, end, x, ring, strip, w, y, G):
    convolve(1, G.sw, start, end, x, ring, strip, w, y, G)


@jit
def convolve_wide_strided(start, end, x, ring, strip, w, y, G):
    convolve(VECTORS, G.sw, start, end, x, ring, strip, w, y, G)


@jit(inline="always")
def add_grad_w(vectors, start, end, x, ring, g, strip, gw, G):
    """gw += what the images from `start` up to `end` contribute, 3 x 3 taps at a time.

    A tile's rows are the taps of one row of the filter, and there are three tiles, as a sum cannot take its next number
    before four cycles are over: many sums keep the multipliers busy.
    """
    block = vectors * (VECTOR_BYTES // x.itemsize)
    line = ((G.OW - 1) * G.sw + G.kw) * block
    for n in range(start, end):
        for c in range(0, G.C, block):
            columns = min(block, G.C - c)
            for i in range(0, G.kh, 3):
                for j in range(0, G.kw, 3):
                    sums0 = tile_zeros(3, vectors, x)
                    sums1 = sums2 = sums0
                    taken = 0
                    for oh in range(G.OH):
                        while taken < oh * G.sh + G.kh:
                            take_row(vectors, x, n, taken - G.top, c, columns, ring, taken % G.kh * line, G)
                            taken += 1
                        pixels = G.y0 + n * G.y_image + oh * G.y_row + c
                        copy_strip(vectors, g, pixels, G.y_pixel, G.OW, columns, strip, 0)
                        row0 = (oh * G.sh + i) % G.kh * line + j * block
                        row1 = (oh * G.sh + i + 1) % G.kh * line + j * block
                        row2 = (oh * G.sh + i + 2) % G.kh * line + j * block
                        for ow in range(G.OW):
                            at, pixel = ow * G.sw * block, ow * block
                            sums0 = tile_multiply_add(sums0, ring, row0 + at, block, strip, pixel, block)
                            sums1 = tile_multiply_add(sums1, ring, row1 + at, block, strip, pixel, block)
                            sums2 = tile_multiply_add(sums2, ring, row2 + at, block, strip, pixel, block)
                    at, taps = (i * G.kw + j) * G.C + c, min(3, G.kw - j)
                    tile_add_to(sums0, gw, at, G.C, taps, columns)
                    if i + 1 < G.kh:
                        tile_add_to(sums1, gw, at + G.kw * G.C, G.C, taps, columns)
                    if i + 2 < G.kh:
                        tile_add_to(sums2, gw, at + 2 * G.kw * G.C, G.C, taps, columns)


@jit
def add_grad_w_narrow(start, end, x, ring, g, strip, gw, G):
    add_grad_w(1, start, end, x, ring, g, strip, gw, G)


@jit
def add_grad_w_wide(start, end, x, ring, g, strip, gw, G):
    add_grad_w(VECTORS, start, end, x, ring, g, strip, gw, G)


def new_ring(x, G):
    """Room for kh padded rows of one tile's channels, and for what a tile may read beyond them."""
    return new_strip(x, G.kh * ((G.OW - 1) * G.sw + G.kw) + ROWS * G.sw)


def depthwise_conv2d(x, w, stride, padding, bias=None):
    G = forward_geometry(x.shape, w.shape, stride, padding, images=1)
    y = aligned_empty((G.N, G.OH, G.OW, G.C), x.dtype)
    convolve_all(x, y, [(w, G)])
    if bias is not None:
        y += bias
    return y


def convolve_all(x, y, parts):
    """Run the convolutions `parts`, pairs of (weights, geometry), of the same images x into parts of the same y."""
    N, C = parts[0][1].N, parts[0][1].C
    if parts[0][1].sw == 1:
        kernel = convolve_narrow if is_narrow(x, C) else convolve_wide
    else:
        kernel = convolve_narrow_strided if is_narrow(x, C) else convolve_wide_strided
    x, y = x.reshape(-1), y.reshape(-1)
    parts = [(weights.reshape(-1), G) for weights, G in parts]

    def work(start, end):
        for weights, G in parts:
            kernel(start, end, x, new_ring(x, G), new_strip(x, G.kh * G.kw), weights, y, G)

    share(work, N, N * sum(G.OH * G.OW * weights.size for weights, G in parts))


def depthwise_conv2d_grad_x(g, w, stride, padding, x_shape):
    """A depthwise convolution of g with the filters turned by half a turn; see `shapes.phases` for strides."""
    (N, H, W, C), (kh, kw, _), (sh, sw) = x_shape, w.shape, stride
    OH, OW = g.shape[1:3]
    gx = (aligned_empty if kh >= sh and kw >= sw else aligned_zeros)(x_shape, g.dtype)
    parts = []
    for h0, height, i, top in phases(H, kh, sh, padding[0][0]):
        for w0, width, j, left in phases(W, kw, sw, padding[1][0]):
            taps = np.ascontiguousarray(w[i::sh, j::sw][::-1, ::-1])
            sizes = N, OH, OW, C, *taps.shape[:2], 1, 1, top, left, height, width, C
            places = (h0 * W + w0) * C, sw * C, sh * W * C, H * W * C
            parts.append((taps, Geometry(*sizes, *places, images=1)))
    if parts:  # else no pixel of x was ever seen
        convolve_all(g, gx, parts)
    return gx


def depthwise_conv2d_grad_w(x, g, stride, padding, w_shape):
    G = forward_geometry(x.shape, w_shape, stride, padding, images=1)
    kernel = add_grad_w_narrow if is_narrow(x, G.C) else add_grad_w_wide
    x, g = x.reshape(-1), g.reshape(-1)

    def work(start, end, gw):
        kernel(start, end, x, new_ring(x, G), g, new_strip(x, G.OW), gw, G)

    return sum_in_chunks(work, G.N, G.OH * G.OW, math.prod(w_shape), x.dtype).reshape(w_shape)
