"""Depthwise convolution: each channel has its own filter, so the lanes of a vector are neighbouring channels.

Each multiply-add needs a new number of x, so loads are the bottleneck. Each row of the images is therefore read once, into a
ring buffer of kh zero-padded rows that stays in the L1 cache: row r of the padded image replaces row r - kh, which no later
window sees.

    ring, kh = 3:   | row 3 | row 1 | row 2 |     output row 1 (stride 1) sees rows 1, 2, 3
                    | row 3 | row 4 | row 2 |     output row 2 sees rows 2, 3, 4

A row of the ring is ordered by blocks of channels, as wide as a tile, with zeros where the channels end; so are the weights:

    row of x:      pixel 0: channels 0-15, 16-19    pixel 1: channels 0-15, 16-19    ...
    in the ring:   channels 0-15 of pixels 0, 1, 2 ...    channels 16-19 and 12 zeros of pixels 0, 1, 2 ...

So everything a tile reads lies at offsets that are known at compile time, and no instructions compute addresses.
"""

import math

import numpy as np

from ..registers.strip import copy_strip
from ..registers.tile import (
    lanes_of,
    tile_at_least,
    tile_load,
    tile_multiply_add,
    tile_store,
    tile_window_add,
    tile_zeros,
)
from ..registers.vectors import VECTOR_BYTES, VECTORS
from ..runtime.jit import jit
from ..runtime.memory import aligned_empty, aligned_zeros
from ..runtime.threads import share
from .conv import convolve_back
from .conv_weights import FEW_PIXELS, sum_in_chunks
from .windows import forward_geometry, panels

PIXELS = 4
"""Neighbouring pixels per tile: the width of most images is a multiple of 4."""

TAPS = 3
"""The gradient of w is summed for 3 x 3 taps at a time: nine vectors, which fit into the registers."""


@jit
def padded_width(G):
    """Pixels per padded row."""
    return (G.OW - 1) * G.sw + G.kw


@jit
def line_length(x, G):
    """The distance between rows of the ring, in elements; 16 longer than a padded row, so that rows whose length is a power
    of two do not compete for the same places in the cache."""
    block = VECTORS * lanes_of(x)
    return (G.C + block - 1) // block * block * padded_width(G) + 16


@jit
def take_pixels(x, at, pixels, C, line, to, width):
    """Copy `pixels` pixels of C channels from position `at` of x to `line`, from `to` on; a block has room for `width`."""
    row, block = tile_zeros(1, VECTORS, x), VECTORS * lanes_of(x)
    for c in range(0, C, block):
        copy_strip(row, block, x, at + c, C, pixels, min(block, C - c), line, to + c * width)


@jit
def take_row(x, n, h, ring, line, G):
    """Copy row h of image n, or zeros if it lies outside the image, to the row of the ring at position `line`."""
    block, width, first = VECTORS * lanes_of(x), padded_width(G), max(0, -G.left)
    pixels = min(G.W, width - G.left) - first
    to = line + (G.left + first) * block
    if 0 <= h < G.H:
        take_pixels(x, ((n * G.H + h) * G.W + first) * G.C, pixels, G.C, ring, to, width)
    else:
        for c in range(0, G.C, block):
            for p in range(pixels):
                tile_store(tile_zeros(1, VECTORS, x), ring, to + c * width + p * block, 0, 1, None)


@jit
def convolve(start, end, x, ring, w, bias, floor, y, G):
    """Compute y for the images from `start` up to `end`; a tile's rows are neighbouring pixels, its columns channels.
    Results below `floor` become `floor`."""
    block, line, width = VECTORS * lanes_of(x), line_length(x, G), padded_width(G)
    for n in range(start, end):
        taken = 0
        for oh in range(G.OH):
            while taken < oh * G.sh + G.kh:
                take_row(x, n, taken - G.top, ring, taken % G.kh * line, G)
                taken += 1
            oldest = oh * G.sh % G.kh
            for ow in range(0, G.OW, PIXELS):
                for c in range(0, G.C, block):
                    columns = min(block, G.C - c)
                    acc = tile_load(tile_zeros(PIXELS, VECTORS, x), bias, c, 0, None)
                    taps = c * G.kh * G.kw
                    seen = c * width + ow * G.sw * block
                    for i in range(oldest, oldest + G.kh):
                        row = (i if i < G.kh else i - G.kh) * line + seen
                        # With constant taps and stride, a pixel seen by several rows of the tile is loaded once.
                        if G.kw == 3 and G.sw == 1:
                            acc = tile_window_add(acc, ring, row, 1, block, 3, w, taps)
                        elif G.kw == 3 and G.sw == 2:
                            acc = tile_window_add(acc, ring, row, 2, block, 3, w, taps)
                        elif G.kw == 2 and G.sw == 1:
                            acc = tile_window_add(acc, ring, row, 1, block, 2, w, taps)
                        else:
                            for j in range(G.kw):
                                acc = tile_multiply_add(
                                    acc, ring, row + j * block, G.sw * block, w, taps + j * block, None
                                )
                        taps += G.kw * block
                    pixel = G.y0 + n * G.y_image + oh * G.y_row + ow * G.y_pixel
                    tile_store(tile_at_least(acc, floor), y, pixel + c, G.y_pixel, min(PIXELS, G.OW - ow), columns)


@jit(inline="always")
def move_sums(sums, total):
    """total += sums, and reset sums to 0."""
    for k in range(len(sums)):
        total[k] += sums[k]
        sums[k] = 0


@jit
def add_grad_w(start, end, x, ring, g, g_row, sums, total, G):
    """total += the contribution of the images from `start` up to `end` to the gradient of w.

    The gradient of tap (i, j) is the sum over pixels of x[oh*sh + i, ow*sw + j] * g[oh, ow]. total and sums are (vectors of
    channels, kh, kw, lanes), with kh and kw rounded up to multiples of TAPS; the taps beyond the filter get garbage, which
    the caller cuts off. For precision, about FEW_PIXELS pixels are added to `sums` (zero on entry and exit) before they go
    to the total. A tile's rows are the taps of one row of the filter. The inner loops update three tiles, nine independent
    sums, which hide the latency of a multiply-add (4 cycles): one sum alone would wait for itself.
    """
    lanes, line, x_width = lanes_of(x), line_length(x, G), padded_width(G)
    block = VECTORS * lanes
    height, width = (G.kh + TAPS - 1) // TAPS * TAPS, (G.kw + TAPS - 1) // TAPS * TAPS
    down, like, added = width * lanes, tile_zeros(TAPS, 1, x), 0
    for n in range(start, end):
        taken = 0
        for oh in range(G.OH):
            while taken < oh * G.sh + G.kh:
                take_row(x, n, taken - G.top, ring, taken % G.kh * line, G)
                taken += 1
            take_pixels(g, G.y0 + n * G.y_image + oh * G.y_row, G.OW, G.C, g_row, 0, G.OW)
            for left in range(0, G.OW, FEW_PIXELS):
                right = min(G.OW, left + FEW_PIXELS)
                for c in range(0, G.C, lanes):
                    inside = c // block * block  # the start of c's block in rows of the ring and of g
                    for i in range(0, G.kh, TAPS):
                        # Channel c of the first pixel in the rows of the ring that taps i, i + 1 and i + 2 see.
                        row0 = (oh * G.sh + i) % G.kh * line + inside * x_width + c - inside
                        row1 = (oh * G.sh + i + 1) % G.kh * line + inside * x_width + c - inside
                        row2 = (oh * G.sh + i + 2) % G.kh * line + inside * x_width + c - inside
                        for j in range(0, G.kw, TAPS):
                            to = ((c * height) + i * lanes) * width + j * lanes
                            sums0 = tile_load(like, sums, to, lanes, None)
                            sums1 = tile_load(like, sums, to + down, lanes, None)
                            sums2 = tile_load(like, sums, to + 2 * down, lanes, None)
                            ow = left
                            while G.sw == 1 and ow + 2 <= right:  # two pixels at once share loads: 4 pixels of x, not 6
                                seen, pixel = (ow + j) * block, inside * G.OW + ow * block + c - inside
                                sums0 = tile_window_add(sums0, ring, row0 + seen, 1, block, 2, g_row, pixel)
                                sums1 = tile_window_add(sums1, ring, row1 + seen, 1, block, 2, g_row, pixel)
                                sums2 = tile_window_add(sums2, ring, row2 + seen, 1, block, 2, g_row, pixel)
                                ow += 2
                            while ow < right:
                                seen, pixel = (ow * G.sw + j) * block, inside * G.OW + ow * block + c - inside
                                sums0 = tile_multiply_add(sums0, ring, row0 + seen, block, g_row, pixel, None)
                                sums1 = tile_multiply_add(sums1, ring, row1 + seen, block, g_row, pixel, None)
                                sums2 = tile_multiply_add(sums2, ring, row2 + seen, block, g_row, pixel, None)
                                ow += 1
                            tile_store(sums0, sums, to, lanes, TAPS, None)
                            tile_store(sums1, sums, to + down, lanes, TAPS, None)
                            tile_store(sums2, sums, to + 2 * down, lanes, TAPS, None)
                added += right - left
                if added >= FEW_PIXELS:
                    move_sums(sums, total)
                    added = 0
    move_sums(sums, total)


def columns_of(x):
    """The number of channels in a block, which are the columns of a tile."""
    return VECTORS * VECTOR_BYTES // x.itemsize


def new_ring(x, G):
    """Zeros for kh padded rows, and for what a tile may read beyond them."""
    return aligned_zeros((G.kh * line_length(x, G) + max(PIXELS * G.sw, TAPS) * columns_of(x),), x.dtype)


def depthwise_conv2d(x, w, stride, padding, bias=None):
    y, run = prepare_depthwise_conv2d(x, w, stride, padding, bias)
    run()
    return y


def prepare_depthwise_conv2d(x, w, stride, padding, bias=None, relu=False):
    """As `conv.prepare_conv2d`."""
    G = forward_geometry(x.shape, w.shape, stride, padding)
    y = aligned_empty((G.N, G.OH, G.OW, G.C), x.dtype)
    return y, prepare(x, y, [(w, G)], bias, relu)


def convolve_all(x, y, parts):
    """Run the convolutions `parts`, pairs of (weights, geometry), all from the images x, each into its part of y."""
    prepare(x, y, parts)()


def prepare(x, y, parts, bias=None, relu=False):
    """A function without arguments that runs `parts`, as in `convolve_all`."""
    N, C = parts[0][1].N, parts[0][1].C
    x, y, floor = x.reshape(-1), y.reshape(-1), 0.0 if relu else -math.inf
    bias = panels(np.zeros(C, x.dtype) if bias is None else bias, VECTORS)
    parts, idle = [(panels(weights, VECTORS), G) for weights, G in parts], [[] for _ in parts]

    def work(start, end):
        for (weights, G), unused in zip(parts, idle, strict=True):
            ring = unused.pop() if unused else new_ring(x, G)
            convolve(start, end, x, ring, weights, bias, floor, y, G)
            unused.append(ring)

    size = N * sum(G.OH * G.OW * weights.size for weights, G in parts)
    return lambda: share(work, N, size)


def depthwise_conv2d_grad_x(g, w, stride, padding, x_shape):
    return convolve_back(convolve_all, g, w, stride, padding, x_shape)


def depthwise_conv2d_grad_w(x, g, stride, padding, w_shape):
    G = forward_geometry(x.shape, w_shape, stride, padding)
    (kh, kw, C), lanes, block = w_shape, VECTOR_BYTES // x.itemsize, columns_of(x)
    shape = math.ceil(C / lanes), math.ceil(kh / TAPS) * TAPS, math.ceil(kw / TAPS) * TAPS, lanes
    x, g = x.reshape(-1), g.reshape(-1)

    def scratch():
        g_row = aligned_zeros((math.ceil(C / block) * G.OW * block,), x.dtype)
        return new_ring(x, G), g_row, aligned_zeros((math.prod(shape),), x.dtype)

    def work(start, end, total, ring, g_row, sums):
        add_grad_w(start, end, x, ring, g, g_row, sums, total, G)

    sums = sum_in_chunks(work, scratch, G.N, G.OH * G.OW, math.prod(shape), x.dtype).reshape(shape)
    by_tap = sums.transpose(1, 2, 0, 3).reshape(*shape[1:3], -1)
    return np.ascontiguousarray(by_tap[:kh, :kw, :C])
