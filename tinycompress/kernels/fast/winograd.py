"""Convolution by 3 x 3 filters with stride 1 from 2.25 times fewer multiplications (Winograd's minimal filtering).

Two neighbouring outputs of a filter of three weights, y0 = d0 w0 + d1 w1 + d2 w2 and y1 = d1 w0 + d2 w1 + d3 w2, take six
multiplications, or four:

    m0 = (d0 - d2) w0                       y0 = m0 + m1 + m2
    m1 = (d1 + d2) (w0 + w1 + w2) / 2       y1 = m1 - m2 - m3
    m2 = (d2 - d1) (w0 - w1 + w2) / 2
    m3 = (d1 - d3) w2

Downwards and across, 2 x 2 outputs take 16 instead of 36. The sums of the weights are made once, and those of a patch of 4 x 4
pixels for all filters that see it. As matrices, y = A' [(G w G') * (B' d B)] A, where * is element by element and ' means
transposed. With channels, each of the 16 numbers becomes a matrix product over them, for as many patches as there are:

    images  -- B' d B -->  patches (16, patches, C)
                           16 products with weights (16, C, OC)
                           products (16, patches, OC)  -- A' m A -->  images

A gradient goes the same way back: that of the weights is G' [(B' d B) * (A g A')] G, summed over all patches.

The sums have C instead of 9 C terms, so that rounding errors are no larger than those of a plain convolution, as long as a patch
has no numbers much larger than the others. If one is infinite, or the sum of two is, its outputs are NaN.

Source: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks, section 4.1 (whose names these are).
"""

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from ..registers.tile import (
    lanes_of,
    tile_add_to,
    tile_at_least,
    tile_load,
    tile_outer_add,
    tile_outer_adds,
    tile_store,
    tile_zeros,
)
from ..registers.vectors import ROWS, VECTOR_BYTES, VECTORS, Tile
from ..runtime.jit import jit
from ..runtime.memory import aligned_zeros
from .windows import FEW_PIXELS, HALF_A_TILE, Geometry, new_scratch, padded, panels, parts_for, steps_for, vectors_for

B_TRANSPOSED = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
A_TRANSPOSED = ((1, 1, 1, 0), (0, 1, -1, -1))
A = tuple(zip(*A_TRANSPOSED, strict=True))
G_TWICE = np.kron(*[((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))] * 2)
"""G w G' for a filter w of nine numbers in a row: a matrix (16, 9)."""

PATCHES = 2 * ROWS
"""How many patches are transformed at once, so that they stay in the cache until their products are made."""

PATCHES_OF_A_SUM = FEW_PIXELS // 4
"""The same for the gradient of the weights, which adds up their products one by one."""

UNUSED = 1
"""Places for patches that stay empty, since their 16 numbers, a power of two apart, would compete for places in the cache."""

STEPS_OF_A_PATCH = 110
"""Transforming a patch takes as long as this many products per channel of x and of y."""

WORTH_IT = 0.8
"""This way is taken if its estimated time is below this share of the plain one's."""


def rows_times(matrix):
    """An intrinsic that multiplies a tile by a matrix of 1, 0 and -1: its row i is the sum over k of matrix[i][k] * row k."""

    def codegen(context, builder, signature, args):
        (rows,), result = args, signature.return_type
        out = ir.Constant(ir.ArrayType(result.vector, result.rows * result.vectors), ir.Undefined)
        for i, factors in enumerate(matrix):
            for v in range(result.vectors):
                total = ir.Constant(result.vector, None)  # zeros; LLVM drops the addition to them
                for k, factor in enumerate(factors):
                    vector = builder.extract_value(rows, k * result.vectors + v)
                    if factor:
                        total = (builder.fadd if factor == 1 else builder.fsub)(total, vector, flags=("nsz",))
                out = builder.insert_value(out, total, i * result.vectors + v)
        return out

    def typed(typingctx, tile):
        return Tile(tile.dtype, len(matrix), tile.vectors, tile.lanes)(tile), codegen

    return intrinsic(typed)


of_pixels, of_products, of_gradients = rows_times(B_TRANSPOSED), rows_times(A_TRANSPOSED), rows_times(A)


def even(G):
    """The geometry with whole patches: an even number of rows and columns of y."""
    return G._replace(OH=G.OH + G.OH % 2, OW=G.OW + G.OW % 2)


@jit
def place_of(patch, G):
    """Which image of several a patch is in, and where its outputs are: (image, row, column)."""
    across, down = (G.OW + 1) // 2, (G.OH + 1) // 2
    return patch // (across * down), 2 * (patch // across % down), 2 * (patch % across)


@jit(inline="always")
def next_place(image, row, column, G):
    """The place of the next patch, without a division."""
    if column + 2 < G.OW:
        return image, row, column + 2
    if row + 2 < G.OH:
        return image, row + 2, 0
    return image + 1, 0, 0


@jit
def transform_pixels(first, count, size, x, at, row, image, patches, G):
    """patches (16, size, C) = B' d B for `count` patches from `first` on, of the padded images x that begin at `at`."""
    four = tile_zeros(4, 1, x)
    step = size * G.C
    n, h, w = place_of(first, G)
    for p in range(count):
        corner = at + n * image + h * row + w * G.C
        for c in range(0, G.C, lanes_of(x)):
            channels = min(lanes_of(x), G.C - c)
            # Tiles of four rows of a patch, one for each of its columns.
            d0 = of_pixels(tile_load(four, x, corner + c, row, channels))
            d1 = of_pixels(tile_load(four, x, corner + c + G.C, row, channels))
            d2 = of_pixels(tile_load(four, x, corner + c + 2 * G.C, row, channels))
            d3 = of_pixels(tile_load(four, x, corner + c + 3 * G.C, row, channels))
            to = p * G.C + c
            tile_store(d0 - d2, patches, to, 4 * step, 4, channels)
            tile_store(d1 + d2, patches, to + step, 4 * step, 4, channels)
            tile_store(d2 - d1, patches, to + 2 * step, 4 * step, 4, channels)
            tile_store(d1 - d3, patches, to + 3 * step, 4 * step, 4, channels)
        n, h, w = next_place(n, h, w, G)


@jit
def multiply(rows, vectors, steps, count, size, patches, w, products, G):
    """products (16, size, OC) = patches (16, size, C) @ w (16, C, OC in panels), for `count` patches."""
    block = len(vectors) * lanes_of(patches)
    zeros = tile_zeros(rows, vectors, patches)
    for o in range(0, G.OC, block):
        columns = min(block, G.OC - o)
        for i in range(16):
            weights = (o * 16 + i * block) * G.C
            for p in range(0, count, len(rows)):
                at, acc, k = (i * size + p) * G.C, zeros, 0
                while k + len(steps) <= G.C:
                    acc = tile_outer_adds(acc, patches, at + k, G.C, w, weights + k * block, steps)
                    k += len(steps)
                while k < G.C and len(steps) > 1:
                    acc = tile_outer_add(acc, patches, at + k, G.C, w, weights + k * block, None)
                    k += 1
                tile_store(acc, products, (i * size + p) * G.OC + o, G.OC, len(rows), columns)


@jit
def transform_products(first, count, size, n, products, bias, floor, y, G):
    """y = A' m A + bias, at least `floor`, for `count` patches from `first` on, of the images from n on."""
    four = tile_zeros(4, 1, y)
    step = size * G.OC
    image, h, w = place_of(first, G)
    for p in range(count):
        pixel, used = G.y0 + (n + image) * G.y_image + h * G.y_row + w * G.y_pixel, min(2, G.OH - h)
        for o in range(0, G.OC, lanes_of(y)):
            channels, at = min(lanes_of(y), G.OC - o), p * G.OC + o
            m0 = of_products(tile_load(four, products, at, 4 * step, channels))
            m1 = of_products(tile_load(four, products, at + step, 4 * step, channels))
            m2 = of_products(tile_load(four, products, at + 2 * step, 4 * step, channels))
            m3 = of_products(tile_load(four, products, at + 3 * step, 4 * step, channels))
            start, to = tile_load(m0, bias, o, 0, None), pixel + o
            tile_store(tile_at_least(start + m0 + m1 + m2, floor), y, to, G.y_row, used, channels)
            if w + 1 < G.OW:
                tile_store(tile_at_least(start + m1 - m2 - m3, floor), y, to + G.y_pixel, G.y_row, used, channels)
        image, h, w = next_place(image, h, w, G)


@jit
def convolve_patches(rows, vectors, steps, images, size, start, end, x, memory, w, bias, floor, y, G, whole):
    """Compute y for the images from `start` up to `end`, `images` at a time. whole: `even(G)`. memory: for padded images, patches
    and products, `size` of them with the unused ones."""
    scratch, patches, products = memory
    of_an_image = whole.OH * whole.OW // 4
    for n in range(start, end, images):
        source, at, row, image = padded(x, n, images, scratch, whole)
        patches_here = min(images, end - n) * of_an_image
        for first in range(0, patches_here, size - UNUSED):
            count = min(size - UNUSED, patches_here - first)
            transform_pixels(first, count, size, source, at, row, image, patches, G)
            multiply(rows, vectors, steps, count, size, patches, w, products, G)
            transform_products(first, count, size, n, products, bias, floor, y, G)


@jit
def transform_gradients(first, count, size, g, at, row, image, sent, G):
    """sent (16, size, OC) = A g A' for `count` patches from `first` on, of images of whole patches that begin at `at`."""
    two = tile_zeros(2, 1, g)
    zero, step = of_gradients(two), size * G.OC
    n, h, w = place_of(first, G)
    for p in range(count):
        corner = at + n * image + h * row + w * G.OC
        for o in range(0, G.OC, lanes_of(g)):
            channels, to = min(lanes_of(g), G.OC - o), p * G.OC + o
            g0 = of_gradients(tile_load(two, g, corner + o, row, channels))
            g1 = of_gradients(tile_load(two, g, corner + o + G.OC, row, channels))
            tile_store(g0, sent, to, 4 * step, 4, channels)
            tile_store(g0 + g1, sent, to + step, 4 * step, 4, channels)
            tile_store(g0 - g1, sent, to + 2 * step, 4 * step, 4, channels)
            tile_store(zero - g1, sent, to + 3 * step, 4 * step, 4, channels)
        n, h, w = next_place(n, h, w, G)


@jit
def add_gradients(rows, vectors, images, size, start, end, x, g, memory, gw, G, whole, pixels):
    """gw (16, C, OC) += the sum over patches of (B' d B) (A g A'), for the images from `start` up to `end`.

    whole: `even(G)`. pixels: the geometry of g as images of whole patches. memory: for both, and for what becomes of them.
    """
    scratch, g_scratch, patches, sent = memory
    block, of_an_image = len(vectors) * lanes_of(x), whole.OH * whole.OW // 4
    zeros = tile_zeros(rows, vectors, x)
    for n in range(start, end, images):
        source, at, row, image = padded(x, n, images, scratch, whole)
        g_source, g_at, g_row, g_image = padded(g, n, images, g_scratch, pixels)
        patches_here = min(images, end - n) * of_an_image
        for first in range(0, patches_here, size - UNUSED):
            count = min(size - UNUSED, patches_here - first)
            transform_pixels(first, count, size, source, at, row, image, patches, G)
            transform_gradients(first, count, size, g_source, g_at, g_row, g_image, sent, G)
            for i in range(16):
                for o in range(0, G.OC, block):
                    for c in range(0, G.C, len(rows)):
                        acc = zeros
                        for p in range(i * size, i * size + count):
                            acc = tile_outer_add(acc, patches, p * G.C + c, 1, sent, p * G.OC + o, None)
                        to = (i * G.C + c) * G.OC + o
                        tile_add_to(acc, gw, to, G.OC, min(len(rows), G.C - c), min(block, G.OC - o))


def pays(G, like):
    """Whether this is a convolution that is done faster so, estimated in products of numbers."""
    if (G.kh, G.kw, G.sh, G.sw) != (3, 3, 1, 1) or len(parts_for(G.OC, like)) > 1:
        return False
    lanes = VECTOR_BYTES // like.itemsize
    product = G.C * G.OC * (1 if len(vectors_for(G.OC, like)) > 1 else 2 * HALF_A_TILE)
    transform = STEPS_OF_A_PATCH * lanes * (-(-G.C // lanes) + -(-G.OC // lanes))
    patches = -(-G.OH // 2) * -(-G.OW // 2)
    return patches * (16 * product + transform) < WORTH_IT * G.OH * G.OW * 9 * product


def images_for(G, size):
    """How many images fill `size` patches; at least one."""
    return max(1, min(G.N, 4 * size // max(1, even(G).OH * even(G).OW)))


def numbers(size, channels, like):
    """Memory for 16 numbers of `size` patches and so many channels, and for what tiles read beyond them."""
    return aligned_zeros((16 * size * channels + (VECTORS + 1) * VECTOR_BYTES // like.itemsize,), like.dtype)


def convolution(x, y, w, bias, floor, G):
    """(images, run): run(start, end) computes y for these images, `images` at a time. As in `conv.py`."""
    size, vectors, images, whole = PATCHES + UNUSED, vectors_for(G.OC, x), images_for(G, PATCHES), even(G)
    weights = panels((G_TWICE.astype(w.dtype) @ w.reshape(9, -1)).reshape(16, G.C, G.OC), len(vectors))
    shape, idle = ((0,) * ROWS, vectors, steps_for(G.C), images, size), []

    def run(start, end):
        memory = idle.pop() if idle else (new_scratch(x, images, whole), *(numbers(size, n, x) for n in (G.C, G.OC)))
        convolve_patches(*shape, start, end, x, memory, weights, bias, floor, y, G, whole)
        idle.append(memory)

    return images, run


def gradient_of_weights(x, g, G):
    """(scratch, work, size, back) for `sum_in_chunks`: sums of `size` numbers, and what makes the gradient of w from them."""
    size, images, whole = PATCHES_OF_A_SUM + UNUSED, images_for(G, PATCHES_OF_A_SUM), even(G)
    pixels = Geometry(G.N, G.OH, G.OW, G.OC, 1, 1, 1, 1, 0, 0, whole.OH, whole.OW, G.OC, 0, 0, 0, 0)
    shape = (0,) * ROWS, vectors_for(G.OC, x), images, size

    def scratch():
        return (
            new_scratch(x, images, whole),
            new_scratch(g, images, pixels),
            *(numbers(size, n, x) for n in (G.C, G.OC)),
        )

    def work(start, end, gw, *memory):
        add_gradients(*shape, start, end, x, g, memory, gw, G, whole, pixels)

    def back(gw):
        return G_TWICE.T.astype(x.dtype) @ gw.reshape(16, -1)

    return scratch, work, 16 * G.C * G.OC, back
