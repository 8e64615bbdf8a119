"""Standard and pointwise convolution over register tiles (see `registers/tile.py` for what a tile is).

A convolution is a matrix product whose left matrix is never built: row p is the window of output pixel p, column k is
element k of the window. Images are NHWC, so row i of a window is a run of kw*C consecutive numbers, and the window of the
next pixel has the same element sw*C further on. For each k, a tile of neighbouring pixels (8 with AVX-512, 6 with AVX2, or
one fewer, whichever divides a row of the image better) x two vectors of output channels therefore needs one number per pixel,
at equal steps, and one run of weights.

                    pixel ow sees              pixel ow+1 sees            element k of both, for sw = 1:
    row oh       . [a b c] d e .             . a [b c d] e .              x[at + k] and x[at + k + C]
    row oh+1     . [f g h] i j .             . f [g h i] j .
    row oh+2     . [k l m] n o .             . k [l m n] o .

If the output is too narrow for that many neighbours, the tile's rows are the same pixel of several images; only the step
differs.

How padding and weights are laid out for that is in `windows.py`; `winograd.py` has a way that multiplies less, for filters of
3 x 3. The gradient of x is a convolution, too.
"""

import functools
import math

import numpy as np

from ..registers.tile import (
    copy,
    lanes_of,
    tile_add_to,
    tile_at_least,
    tile_load,
    tile_narrow,
    tile_outer_add,
    tile_outer_adds,
    tile_store,
    tile_zeros,
)
from ..registers.vectors import ROWS, VECTOR_BYTES, VECTORS
from ..runtime.jit import jit
from ..runtime.memory import aligned_empty, aligned_zeros
from ..runtime.threads import share
from ..shapes import NO_PADDING, output_size, phases
from . import winograd
from .windows import (
    HALF_A_TILE,
    PART_OF_A_VECTOR,
    Geometry,
    forward_geometry,
    new_scratch,
    padded,
    panels,
    parts_for,
    steps_for,
    vectors_for,
)

LONGEST_ROW = 64
"""The most pixels that a pointwise convolution treats as one row of an image, so that they stay in the L1 cache."""

STEPS_OF_AN_ADDITION = 6
"""Adding a tile to memory takes as long as this many outer products."""


@jit
def convolve(rows, vectors, parts, steps, images, start, end, x, scratch, w, bias, floor, y, G):
    """Compute y for the images from `start` up to `end`, 1 or len(rows) at a time, in tiles of len(rows) x len(vectors)
    vectors that start as the bias. Results below `floor` become `floor`: 0 for a ReLU, else -inf."""
    run, block = G.kw * G.C, len(vectors) * lanes_of(x) // len(parts)
    zeros = tile_narrow(rows, vectors, parts, x)
    for n in range(start, end, images):
        source, image, row, image_size = padded(x, n, images, scratch, G)
        if images == 1:
            across, x_step, y_step = len(rows), G.sw * G.C, G.y_pixel
            left, per_pixel = G.OW, 1
        else:
            across, x_step, y_step = 1, image_size, G.y_image
            left, per_pixel = end - n, 0
        for oh in range(G.OH):
            for o in range(0, G.OC, block):
                panel = o * G.kh * run
                columns = min(block, G.OC - o)
                for ow in range(0, G.OW, across):
                    window = image + oh * G.sh * row + ow * G.sw * G.C
                    acc = tile_load(zeros, bias, o, 0, None)
                    for i in range(G.kh):
                        at, weights = window + i * row, panel + i * run * block
                        k = 0
                        while k + len(steps) <= run:
                            acc = tile_outer_adds(acc, source, at + k, x_step, w, weights + k * block, steps)
                            k += len(steps)
                        while k < run and len(steps) > 1:
                            acc = tile_outer_add(acc, source, at + k, x_step, w, weights + k * block, None)
                            k += 1
                    pixel = G.y0 + n * G.y_image + oh * G.y_row + ow * G.y_pixel
                    acc = tile_at_least(acc, floor)
                    tile_store(acc, y, pixel + o, y_step, min(len(rows), left - ow * per_pixel), columns)


@jit
def convolve_pairs(rows, parts, steps, start, end, x, scratch, w, bias, floor, y, G):
    """As `convolve`, for channels that fill one vector and a vertical stride of 1: two tiles, of the same pixels in an even row
    of y and in the next one, which see kh - 1 rows of x in common and take each number of those from one load."""
    run, lanes, x_step = G.kw * G.C, lanes_of(x) // len(parts), G.sw * G.C
    start_value = tile_load(tile_narrow(rows, 1, parts, x), bias, 0, 0, None)
    for n in range(start, end):
        source, image, row, _ = padded(x, n, 1, scratch, G)
        for oh in range(0, G.OH, 2):
            last = G.kh if oh + 1 < G.OH else G.kh - 1  # of an odd number of rows, the last has none below
            for ow in range(0, G.OW, len(rows)):
                upper, lower = start_value, start_value
                for i in range(last + 1):
                    at, k = image + (oh + i) * row + ow * x_step, 0
                    own, other = i * run * lanes, (i - 1) * run * lanes  # the weights of this row of x, for either tile
                    # Three loops, so that the inner ones have no branches.
                    if i == 0:
                        while k + len(steps) <= run:
                            upper = tile_outer_adds(upper, source, at + k, x_step, w, own + k * lanes, steps)
                            k += len(steps)
                    elif i == G.kh:
                        while k + len(steps) <= run:
                            lower = tile_outer_adds(lower, source, at + k, x_step, w, other + k * lanes, steps)
                            k += len(steps)
                    else:
                        while k + len(steps) <= run:
                            upper = tile_outer_adds(upper, source, at + k, x_step, w, own + k * lanes, steps)
                            lower = tile_outer_adds(lower, source, at + k, x_step, w, other + k * lanes, steps)
                            k += len(steps)
                    while k < run and len(steps) > 1:
                        if i < G.kh:
                            upper = tile_outer_add(upper, source, at + k, x_step, w, own + k * lanes, None)
                        if i > 0:
                            lower = tile_outer_add(lower, source, at + k, x_step, w, other + k * lanes, None)
                        k += 1
                pixel, used = G.y0 + n * G.y_image + oh * G.y_row + ow * G.y_pixel, min(len(rows), G.OW - ow)
                tile_store(tile_at_least(upper, floor), y, pixel, G.y_pixel, used, G.OC)
                if last == G.kh:
                    tile_store(tile_at_least(lower, floor), y, pixel + G.y_row, G.y_pixel, used, G.OC)


def filled(count, rows=ROWS):
    """The share of the tiles' rows that is used if `count` pixels or images are processed `rows` at a time."""
    return count / (max(1, math.ceil(count / rows)) * rows)


def rows_for(pixels):
    """A tuple as long as a tile has rows: ROWS, or one fewer if a tenth fewer of them are then empty."""
    return (0,) * (ROWS - 1 if filled(pixels, ROWS - 1) > 1.1 * filled(pixels) else ROWS)


def rows_and_images(N, OW):
    """A tile's rows, and how many images they come from: 1, or as many as rows if a tenth fewer of them are then empty."""
    rows = rows_for(OW)
    return ((0,) * ROWS, ROWS) if filled(N) > 1.1 * filled(OW, len(rows)) else (rows, 1)


@functools.cache
def row_length(pixels):
    """The divisor of `pixels` up to LONGEST_ROW that leaves the fewest rows of the tiles empty; the largest of those."""
    divisors = [n for n in range(1, min(pixels, LONGEST_ROW) + 1) if pixels % n == 0]
    return max(divisors, key=lambda n: (filled(n), n))


def images_as_rows(shape, kernel, stride, padding):
    """The shape to use instead of `shape`: if each output sees one pixel only, all pixels of the batch in equal rows."""
    N, H, W, C = shape
    if kernel != (1, 1) or stride != (1, 1) or padding != NO_PADDING or N == 0:
        return shape
    length = row_length(N * H * W)
    return N * H * W // length, 1, length, C


def conv2d(x, w, stride, padding, bias=None):
    y, run = prepare_conv2d(x, w, stride, padding, bias)
    run()
    return y


def prepare_conv2d(x, w, stride, padding, bias=None, relu=False):
    """A new array y and a function without arguments that computes it, from what x then holds. The weights are packed here,
    once for all calls."""
    kernel, OC = w.shape[:2], w.shape[3]
    y = aligned_empty((len(x), *output_size(x.shape[1:3], kernel, stride, padding), OC), x.dtype)
    G = forward_geometry(images_as_rows(x.shape, kernel, stride, padding), w.shape, stride, padding)
    return y, prepare(x, y, [(w, G)], bias, relu)


def convolve_all(x, y, parts):
    """Run the convolutions `parts`, pairs of (weights, geometry), all from the images x, each into its part of y."""
    prepare(x, y, parts)()


def prepare(x, y, parts, bias=None, relu=False):
    """A function without arguments that runs `parts`, as in `convolve_all`."""
    N, OC = parts[0][1].N, parts[0][1].OC
    size = N * sum(G.OH * G.OW * w.size for w, G in parts)
    x, y, floor = x.reshape(-1), y.reshape(-1), 0.0 if relu else -math.inf
    bias = panels(np.zeros(OC, x.dtype) if bias is None else bias, len(vectors_for(OC, x)))
    runs = []
    for w, G in parts:
        way = winograd.convolution if winograd.pays(G, x) else convolution
        runs.append(way(x, y, w, bias, floor, G))
    step = max(images for images, _ in runs)

    def work(start, end):
        for _, run in runs:
            run(start * step, min(end * step, N))

    return lambda: share(work, math.ceil(N / step), size)


def convolution(x, y, w, bias, floor, G):
    """(images, run): run(start, end) computes y for these images, `images` at a time; several threads may call it."""
    vectors, parts, steps = vectors_for(G.OC, x), parts_for(G.OC, x), steps_for(G.kw * G.C)
    (rows, images), weights = rows_and_images(G.N, G.OW), panels(w, len(vectors), len(parts))
    idle = []  # scratch that no thread is using; its borders stay zero

    def run(start, end):
        scratch = idle.pop() if idle else new_scratch(x, images, G)
        where = start, end, x, scratch, weights, bias, floor, y, G
        if len(vectors) == images == G.sh == 1 and G.kh > 1:
            convolve_pairs(rows, parts, steps, *where)
        else:
            convolve(rows, vectors, parts, steps, images, *where)
        idle.append(scratch)

    return images, run


def conv2d_grad_x(g, w, stride, padding, x_shape):
    if spreads_better(g.shape, w, stride, x_shape):
        return spread_grad_x(g, w, stride, padding, x_shape)
    rows = images_as_rows(g.shape, w.shape[:2], stride, padding)
    wide = x_shape if rows == g.shape else (*rows[:3], x_shape[3])
    gx = convolve_back(convolve_all, g.reshape(rows), w.transpose(0, 1, 3, 2), stride, padding, wide)
    return gx.reshape(x_shape)


def convolve_back(convolve_all, g, w, stride, padding, x_shape):
    """The gradient of x, by `convolve_all` of this file or of `depthwise.py`: a convolution of g with the weights, which end
    in the channels of x, rotated by 180°; for a stride, as many convolutions as `phases` yields."""
    (N, OH, OW, OC), (_, H, W, C), (kh, kw), (sh, sw) = g.shape, x_shape, w.shape[:2], stride
    gx = (aligned_empty if kh >= sh and kw >= sw else aligned_zeros)(x_shape, g.dtype)
    parts = []
    for h0, height, i, top in phases(H, kh, sh, padding[0][0]):
        for w0, width, j, left in phases(W, kw, sw, padding[1][0]):
            taps = w[i::sh, j::sw][::-1, ::-1]
            places = (h0 * W + w0) * C, sw * C, sh * W * C, H * W * C
            parts.append((taps, Geometry(N, OH, OW, OC, *taps.shape[:2], 1, 1, top, left, height, width, C, *places)))
    if parts:  # otherwise no window sees a pixel of x
        convolve_all(g, gx, parts)
    return gx


@jit
def spread_images(start, end, g, w, scratch, gx, G):
    """Compute gx for the images from `start` up to `end`: each pixel of g, times the weights, is added to its window.

    The tile's columns are a row of the window, kw*C numbers, which fill a vector even if x has few channels. Its rows are
    the same pixel of several images, so that no two of them add to the same place. w: panels of (kh, 1, OC, kw*C).
    """
    run = G.kw * G.C
    block = VECTORS * lanes_of(g)
    height, width = (G.OH - 1) * G.sh + G.kh, (G.OW - 1) * G.sw + G.kw
    for first in range(start, end, ROWS):
        n = min(first, G.N - ROWS)  # the last tile overlaps the one before; both give the same result
        scratch[:] = 0
        for oh in range(G.OH):
            for ow in range(G.OW):
                pixel = n * G.y_image + oh * G.y_row + ow * G.y_pixel
                window = (oh * G.sh * width + ow * G.sw) * G.C
                for i in range(G.kh):
                    for r in range(0, run, block):
                        columns = min(block, run - r)
                        panel = (r * G.kh + i * block) * G.OC
                        acc = tile_zeros(ROWS, VECTORS, g)
                        for o in range(G.OC):
                            acc = tile_outer_add(acc, g, pixel + o, G.y_image, w, panel + o * block, None)
                        place = window + i * width * G.C + r
                        tile_add_to(acc, scratch, place, height * width * G.C, ROWS, columns)
        for p in range(ROWS):
            for h in range(min(G.H, height - G.top)):
                place = ((p * height + h + G.top) * width + G.left) * G.C
                copy(gx, ((n + p) * G.H + h) * G.W * G.C, scratch, place, max(0, min(G.W, width - G.left)) * G.C)


def spreads_better(g_shape, w, stride, x_shape):
    """Whether `spread_images` is faster than a convolution, estimated in steps of a tile.

    It fills vectors with rows of windows rather than channels of x, and skips products with padding, but it adds to memory.
    """
    (kh, kw, C, OC), block = w.shape, VECTORS * VECTOR_BYTES // w.itemsize
    spread = math.prod(g_shape[1:3]) * kh * math.ceil(kw * C / block) * (OC + STEPS_OF_AN_ADDITION)
    tiles = math.ceil(C / block) if len(vectors_for(C, w)) > 1 else HALF_A_TILE
    tiles *= 1 if len(parts_for(C, w)) == 1 else PART_OF_A_VECTOR
    convolved = math.prod(x_shape[1:3]) / math.prod(stride) * kh * kw * tiles * OC
    return g_shape[0] >= ROWS and spread < convolved


def spread_grad_x(g, w, stride, padding, x_shape):
    gx = aligned_zeros(x_shape, g.dtype)
    G = forward_geometry(x_shape, w.shape, stride, padding)
    weights = panels(w.transpose(0, 3, 1, 2).reshape(G.kh, 1, G.OC, G.kw * G.C), VECTORS)
    flat_g, flat_gx = g.reshape(-1), gx.reshape(-1)

    def work(start, end):
        spread_images(start * ROWS, min(end * ROWS, G.N), flat_g, weights, new_scratch(g, ROWS, G), flat_gx, G)

    share(work, math.ceil(G.N / ROWS), G.N * G.OH * G.OW * w.size)
    return gx
