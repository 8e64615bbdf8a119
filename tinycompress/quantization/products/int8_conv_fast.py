"""Convolutions of bytes over register tiles; `int8_conv.py` defines them and the order of the weights.

As in `kernels/fast/conv.py`, a row of a window is a run of consecutive numbers, and a tile holds neighbouring pixels times
output channels. Here a step takes four numbers of each window at once: one word, times a line of weights (see
`bytes_and_bits.py`). The sums of a tile are scaled, rounded and clipped while they are in the cache, so that neither windows
nor 32-bit sums go to memory.
"""

import numpy as np

from ...kernels.fast.conv import rows_for
from ...kernels.registers.tile import copy, lanes_of, tile_load, tile_store, tile_zeros
from ...kernels.registers.vectors import ROWS, VECTORS
from ...kernels.runtime.jit import jit
from ...kernels.runtime.threads import share
from ...kernels.shapes import output_size
from .bytes_and_bits import (
    LINE,
    PARTS,
    WORDS,
    tile_dot4_add,
    tile_multiply_add_bytes,
    tile_requantized,
    tile_widened,
)

NUMBER = np.uint8 if PARTS == 1 else np.int16
"""What padded images consist of: without VNNI, bytes are multiplied as 16-bit numbers."""


@jit(inline="always")
def fill(x, n, scratch, H, W, C, top, left, height, width):
    """Copy image n into `scratch`, an image of height x width pixels whose border already holds the integer for 0."""
    w0 = max(0, -left)
    count = max(0, min(W, width - left) - w0) * C
    for h in range(max(0, -top), min(H, height - top)):
        copy_bytes(scratch, ((h + top) * width + w0 + left) * C, x, ((n * H + h) * W + w0) * C, count)


@jit(inline="always")
def copy_bytes(to, to0, source, source0, n):
    """Copy n bytes to an array of bytes or, without VNNI, of 16-bit numbers."""
    if PARTS == 1:
        copy(to, to0, source, source0, n)
    else:
        like = tile_zeros(1, 1, to)
        for k in range(0, n, lanes_of(to)):
            wide = tile_widened(tile_load(like, source, source0 + k, 0, n - k), to)
            tile_store(wide, to, to0 + k, 0, 1, n - k)


@jit
def convolve(rows, vectors, start, end, x, scratch, w, y, sizes, offset, factor, shift, zero_point, low, high):
    """Compute y for the images from `start` up to `end`, in tiles of len(rows) pixels x len(vectors) vectors of outputs."""
    H, W, C, kh, words, sh, sw, top, left, height, width, OH, OW, OC = sizes
    block = len(vectors) * WORDS
    zeros = tile_zeros(rows, vectors, w)
    for n in range(start, end):
        fill(x, n, scratch, H, W, C, top, left, height, width)
        for oh in range(OH):
            for o in range(0, OC, block):
                first = (o // LINE) * kh * words * LINE + o % LINE
                to_next = (
                    kh * words * LINE if o // LINE * LINE + LINE < OC else 0
                )  # last block: read twice, stored once
                for ow in range(0, OW, len(rows)):
                    acc = zeros
                    for i in range(kh):
                        at = ((oh * sh + i) * width + ow * sw) * C
                        line = first + i * words * LINE
                        for k in range(words):
                            acc = tile_dot4_add(
                                acc, scratch, at + 4 * k, sw * C, len(rows), w, line + k * LINE, to_next
                            )
                    q = tile_requantized(acc, offset, factor, shift, o, zero_point, low, high)
                    pixel = ((n * OH + oh) * OW + ow) * OC + o
                    tile_store(q, y, pixel, OC, min(len(rows), OW - ow), min(block, OC - o))


@jit
def convolve_channels(rows, vectors, start, end, x, scratch, w, y, sizes, offset, factor, shift, zero_point, low, high):
    """Compute y for the images from `start` up to `end`, in tiles of len(rows) pixels x len(vectors) vectors of channels."""
    H, W, C, kh, kw, sh, sw, top, left, height, width, OH, OW = sizes
    block = len(vectors) * WORDS
    zeros = tile_zeros(rows, vectors, w)
    for n in range(start, end):
        fill(x, n, scratch, H, W, C, top, left, height, width)
        for c in range(0, C, block):
            for oh in range(OH):
                for ow in range(0, OW, len(rows)):
                    acc = zeros
                    for i in range(kh):
                        for j in range(kw):
                            at = ((oh * sh + i) * width + ow * sw + j) * C + c
                            acc = tile_multiply_add_bytes(
                                acc, scratch, at, sw * C, w, (c * kh + i * block) * kw + j * block
                            )
                    q = tile_requantized(acc, offset, factor, shift, c, zero_point, low, high)
                    pixel = ((n * OH + oh) * OW + ow) * C + c
                    tile_store(q, y, pixel, C, min(len(rows), OW - ow), min(block, C - c))


def vectors_for(outputs):
    """A tuple as long as a tile for this many outputs has vectors; see `tile_zeros`."""
    return (0,) * (1 if outputs <= WORDS else VECTORS)


def pixels_for(OW):
    """A tuple as long as a tile has pixels: one if y is one pixel wide, as that of a dense layer on one image."""
    return (0,) if OW == 1 else rows_for(OW)


def whole_vectors(finish, block):
    """The requantizer's fields, padded to whole tiles, with half a step added to the offset, so that the shift rounds."""
    rounded = finish.offset + (np.int64(1) << finish.shift - 1)
    more = -len(rounded) % block
    columns = [np.concatenate([a, np.zeros(more, np.int64)]) for a in (rounded, finish.factor, finish.shift)]
    return *columns, *finish[3:]


def prepare_int8_conv2d(x, w, stride, padding, zero_point, finish):
    """A new array y and a function without arguments that computes it, from what x then holds."""
    (N, H, W, C), (kh, kw, _, OC), (sh, sw) = x.shape, w.shape, stride
    (top, _), (left, _) = padding
    OH, OW = output_size((H, W), (kh, kw), stride, padding)
    height, width, words = (OH - 1) * sh + kh, (OW - 1) * sw + kw, w.lines.shape[2]
    sizes = H, W, C, kh, words, sh, sw, top, left, height, width, OH, OW, OC
    y, vectors = np.empty((N, OH, OW, OC), np.uint8), vectors_for(OC)
    lines, columns = w.lines.reshape(-1).view(np.int32), whole_vectors(finish, len(vectors) * WORDS)
    # A tile may read, but does not use, what lies beyond the last pixel.
    scratch = (height * width + ROWS * sw) * C + 4, zero_point, NUMBER
    return y, _shared(
        convolve, (pixels_for(OW), vectors), x, y, lines, sizes, columns, scratch, N * OH * OW * w.lines.size // 4
    )


def prepare_int8_depthwise(x, w, stride, padding, zero_point, finish):
    """As `prepare_int8_conv2d`."""
    (N, H, W, C), (kh, kw, _), (sh, sw) = x.shape, w.shape, stride
    (top, _), (left, _) = padding
    OH, OW = output_size((H, W), (kh, kw), stride, padding)
    height, width = (OH - 1) * sh + kh, (OW - 1) * sw + kw
    sizes = H, W, C, kh, kw, sh, sw, top, left, height, width, OH, OW
    y, vectors = np.empty((N, OH, OW, C), np.uint8), vectors_for(C)
    block = len(vectors) * WORDS
    filters = np.zeros((-(-C // block), kh, kw, block), np.int32)
    for filter_, c in zip(filters, range(0, C, block), strict=True):
        filter_[..., : C - c] = w[..., c : c + block]
    columns, scratch = whole_vectors(finish, block), ((height * width + ROWS * sw) * C + block, zero_point, NUMBER)
    weights = filters.reshape(-1)
    return y, _shared(
        convolve_channels, (pixels_for(OW), vectors), x, y, weights, sizes, columns, scratch, N * OH * OW * w.size
    )


def _shared(kernel, tile, x, y, w, sizes, columns, scratch, multiply_adds):
    """A function that runs the kernel on all images, each thread with scratch of its own: np.full(*scratch)."""
    flat_x, flat_y, unused = x.reshape(-1), y.reshape(-1), []

    def work(start, end):
        images = unused.pop() if unused else np.full(*scratch)
        kernel(*tile, start, end, flat_x, images, w, flat_y, sizes, *columns)
        unused.append(images)  # its border still holds the zero point

    return lambda: share(work, len(x), multiply_adds)


def int8_conv2d(*arguments):
    y, run = prepare_int8_conv2d(*arguments)
    run()
    return y


def int8_depthwise(*arguments):
    y, run = prepare_int8_depthwise(*arguments)
    run()
    return y
