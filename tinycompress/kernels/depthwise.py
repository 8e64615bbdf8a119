"""Depthwise convolution: each channel through its own filter, so that the lanes of a vector are neighbouring channels.

A multiply-add here needs a new number of x each time, so that memory sets the pace. Hence each row of the images is read
once, into a ring of kh rows with zeros at both ends, which stays in the first-level cache: row r of the padded image
takes the place of row r - kh, which no window will see again.

    ring, kh = 3:   | row 3 | row 1 | row 2 |     output row 1 (stride 1) sees rows 1, 2, 3
                    | row 3 | row 4 | row 2 |     output row 2 sees rows 2, 3, 4

The last vector of a pixel's channels may reach into the next pixel: the copies that are read here (ring, weights, bias,
g) have room for that at their ends, and what such lanes compute is not stored.
"""

import math

import numpy as np

from .conv import Geometry, forward_geometry, sum_in_chunks
from .jit import jit
from .memory import aligned_empty, aligned_zeros
from .shapes import phases
from .threads import share
from .tile import copy, lanes_of, tile_load, tile_multiply_add, tile_store, tile_window_add, tile_zeros
from .vectors import VECTOR_BYTES, VECTORS

PIXELS = 4
"""Neighbouring pixels of a tile: the rows of most images are multiples of 4 long."""

TAPS = 3
"""The gradient of w is summed for 3 x 3 taps at a time, nine vectors."""


@jit
def line_length(G):
    """Of a padded row in the ring; a little longer than it must be, so that rows whose length is a power of two do not
    all compete for the same places of the cache."""
    return ((G.OW - 1) * G.sw + G.kw) * G.C + 16


@jit(inline="always")
def take_row(x, n, h, ring, line, G):
    """Row h of image n, or zeros if it lies outside, into the line of the ring that begins there."""
    first = max(0, -G.left)
    pixels = min(G.W, (G.OW - 1) * G.sw + G.kw - G.left) - first
    to = line + (G.left + first) * G.C
    if 0 <= h < G.H:
        copy(ring, to, x, ((n * G.H + h) * G.W + first) * G.C, pixels * G.C)
    else:
        for k in range(to, to + pixels * G.C):
            ring[k] = 0


@jit
def convolve(start, end, x, ring, w, bias, y, G):
    """y of the images from `start` up to `end`; a tile's rows are neighbouring pixels, its columns channels."""
    block = VECTORS * lanes_of(x)
    line = line_length(G)
    usual = G.kh == 3 and G.kw == 3 and G.sh == 1 and G.sw == 1
    for n in range(start, end):
        taken = 0
        for oh in range(G.OH):
            while taken < oh * G.sh + G.kh:
                take_row(x, n, taken - G.top, ring, taken % G.kh * line, G)
                taken += 1
            row0, row1, row2 = oh % 3 * line, (oh + 1) % 3 * line, (oh + 2) % 3 * line  # for 3 x 3 taps and stride 1
            oldest = oh * G.sh % G.kh
            for ow in range(0, G.OW, PIXELS):
                pixel = G.y0 + n * G.y_image + oh * G.y_row + ow * G.y_pixel
                pixels = min(PIXELS, G.OW - ow)
                for c in range(0, G.C, block):
                    acc = tile_load(tile_zeros(PIXELS, VECTORS, x), bias, c, 0, None)
                    seen = ow * G.sw * G.C + c
                    if usual:  # neighbours see the same pixels, which are loaded once
                        acc = tile_window_add(acc, ring, row0 + seen, 1, G.C, 3, w, c)
                        acc = tile_window_add(acc, ring, row1 + seen, 1, G.C, 3, w, 3 * G.C + c)
                        acc = tile_window_add(acc, ring, row2 + seen, 1, G.C, 3, w, 6 * G.C + c)
                    else:
                        for i in range(G.kh):
                            row = (oldest + i if oldest + i < G.kh else oldest + i - G.kh) * line + seen
                            for j in range(G.kw):
                                tap = (i * G.kw + j) * G.C + c
                                acc = tile_multiply_add(acc, ring, row + j * G.C, G.sw * G.C, w, tap, None)
                    tile_store(acc, y, pixel + c, G.y_pixel, pixels, min(block, G.C - c))


@jit
def add_grad_w(start, end, x, ring, g, g_row, sums, G):
    """sums += what the images from `start` up to `end` contribute to the gradient of w.

    sums is (kh, kw, channels), each rounded up, kh and kw to multiples of TAPS. A tile's rows are the taps of one row of
    the filter, and there are three tiles, as a sum cannot take its next number before four cycles are over: many sums
    keep the multipliers busy.
    """
    lanes = lanes_of(x)
    line = line_length(G)
    width, channels = (G.kw + TAPS - 1) // TAPS * TAPS, (G.C + lanes - 1) // lanes * lanes
    for n in range(start, end):
        taken = 0
        for oh in range(G.OH):
            while taken < oh * G.sh + G.kh:
                take_row(x, n, taken - G.top, ring, taken % G.kh * line, G)
                taken += 1
            copy(g_row, 0, g, G.y0 + n * G.y_image + oh * G.y_row, G.OW * G.C)
            for c in range(0, G.C, lanes):
                for i in range(0, G.kh, TAPS):
                    row0, row1, row2 = (
                        (oh * G.sh + i) % G.kh * line + c,
                        (oh * G.sh + i + 1) % G.kh * line + c,
                        (oh * G.sh + i + 2) % G.kh * line + c,
                    )
                    for j in range(0, G.kw, TAPS):
                        to = (i * width + j) * channels + c
                        down = width * channels
                        like = tile_zeros(TAPS, 1, x)
                        sums0 = tile_load(like, sums, to, channels, None)
                        sums1 = tile_load(like, sums, to + down, channels, None)
                        sums2 = tile_load(like, sums, to + 2 * down, channels, None)
                        ow = 0
                        while G.sw == 1 and ow + 2 <= G.OW:  # two pixels at once, which share what they see
                            seen, pixel = (ow + j) * G.C, ow * G.C + c
                            sums0 = tile_window_add(sums0, ring, row0 + seen, 1, G.C, 2, g_row, pixel)
                            sums1 = tile_window_add(sums1, ring, row1 + seen, 1, G.C, 2, g_row, pixel)
                            sums2 = tile_window_add(sums2, ring, row2 + seen, 1, G.C, 2, g_row, pixel)
                            ow += 2
                        while ow < G.OW:
                            seen, pixel = (ow * G.sw + j) * G.C, ow * G.C + c
                            sums0 = tile_multiply_add(sums0, ring, row0 + seen, G.C, g_row, pixel, None)
                            sums1 = tile_multiply_add(sums1, ring, row1 + seen, G.C, g_row, pixel, None)
                            sums2 = tile_multiply_add(sums2, ring, row2 + seen, G.C, g_row, pixel, None)
                            ow += 1
                        tile_store(sums0, sums, to, channels, TAPS, None)
                        tile_store(sums1, sums, to + down, channels, TAPS, None)
                        tile_store(sums2, sums, to + 2 * down, channels, TAPS, None)


def new_ring(x, G):
    """Room for kh padded rows, and for what a tile may read beyond them."""
    beyond = max(PIXELS * G.sw, TAPS) * G.C + VECTORS * VECTOR_BYTES // x.itemsize
    return aligned_zeros((G.kh * line_length(G) + beyond,), x.dtype)


def with_room(array):
    """The same numbers in a row, with room for a tile's columns behind them."""
    longer = aligned_zeros((array.size + VECTORS * VECTOR_BYTES // array.itemsize,), array.dtype)
    longer[: array.size] = array.reshape(-1)
    return longer


def depthwise_conv2d(x, w, stride, padding, bias=None):
    G = forward_geometry(x.shape, w.shape, stride, padding, images=1)
    y = aligned_empty((G.N, G.OH, G.OW, G.C), x.dtype)
    convolve_all(x, y, [(w, G)], bias)
    return y


def convolve_all(x, y, parts, bias=None):
    """Run the convolutions `parts`, pairs of (weights, geometry), of the same images x into parts of the same y."""
    N, C = parts[0][1].N, parts[0][1].C
    x, y = x.reshape(-1), y.reshape(-1)
    bias = with_room(np.zeros(C, x.dtype) if bias is None else bias)
    parts = [(with_room(weights), G) for weights, G in parts]

    def work(start, end):
        for weights, G in parts:
            convolve(start, end, x, new_ring(x, G), weights, bias, y, G)

    share(work, N, N * sum(G.OH * G.OW * weights.size for weights, G in parts))


def depthwise_conv2d_grad_x(g, w, stride, padding, x_shape):
    """A depthwise convolution of g with the filters turned by half a turn; see `shapes.phases` for strides."""
    (N, H, W, C), (kh, kw, _), (sh, sw) = x_shape, w.shape, stride
    OH, OW = g.shape[1:3]
    gx = (aligned_empty if kh >= sh and kw >= sw else aligned_zeros)(x_shape, g.dtype)
    parts = []
    for h0, height, i, top in phases(H, kh, sh, padding[0][0]):
        for w0, width, j, left in phases(W, kw, sw, padding[1][0]):
            taps = w[i::sh, j::sw][::-1, ::-1]
            sizes = N, OH, OW, C, *taps.shape[:2], 1, 1, top, left, height, width, C
            places = (h0 * W + w0) * C, sw * C, sh * W * C, H * W * C
            parts.append((taps, Geometry(*sizes, *places, images=1)))
    if parts:  # else no pixel of x was ever seen
        convolve_all(g, gx, parts)
    return gx


def depthwise_conv2d_grad_w(x, g, stride, padding, w_shape):
    G = forward_geometry(x.shape, w_shape, stride, padding, images=1)
    lanes = VECTOR_BYTES // x.itemsize
    rounded = [math.ceil(n / to) * to for n, to in zip(w_shape, (TAPS, TAPS, lanes), strict=True)]
    x, g = x.reshape(-1), g.reshape(-1)

    def scratch():
        return new_ring(x, G), with_room(np.zeros(G.OW * G.C, x.dtype))

    def work(start, end, sums, ring, g_row):
        add_grad_w(start, end, x, ring, g, g_row, sums, G)

    sums = sum_in_chunks(work, scratch, G.N, G.OH * G.OW, math.prod(rounded), x.dtype).reshape(rounded)
    return np.ascontiguousarray(sums[tuple(map(slice, w_shape))])
