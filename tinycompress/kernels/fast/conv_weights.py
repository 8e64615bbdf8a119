"""The gradient of a convolution's weights: sums over all pixels of the batch, in two kinds of tiles.

    gw[k, o] = the sum over output pixels of (element k of the pixel's window) * (channel o of its g)

For each pixel, a tile adds the outer product of a run of the window and a run of g's channels, both neighbouring numbers. Either
can be the rows, of which one number at a time is spread over a vector, and the other the columns, which are whole vectors:

    `add_by_channels`   rows: 14 elements of the window, 8 of a short one
                        columns: two vectors of channels, from a strip (`registers/strip.py`)
    `add_by_windows`    rows: 8 channels
                        columns: three vectors of the window, as it lies in the image

Few channels fill the columns of the first only in part, and short windows, as of grey images, those of the second.
"""

import math

import numpy as np

from ..registers.strip import copy_strip, new_strip
from ..registers.tile import lanes_of, tile_add_to, tile_narrow, tile_outer_add
from ..registers.vectors import ROWS, TALL_ROWS, VECTOR_BYTES, WIDE_ROWS, WIDE_VECTORS
from ..runtime.jit import jit
from ..runtime.memory import aligned_empty
from ..runtime.threads import share
from . import winograd
from .conv import images_as_rows
from .windows import (
    FEW_PIXELS,
    HALF_A_TILE,
    PART_OF_A_VECTOR,
    forward_geometry,
    new_scratch,
    padded,
    parts_for,
    vectors_for,
)

CHUNKS = 12
"""The gradient of w is summed over at most this many parts of the batch, and then over the parts, for any number of threads:
the same sums in the same order give the same bits. 12 parts split evenly among 1, 2, 3, 4, 6 or 12 threads."""


@jit
def add_by_channels(tile_rows, vectors, parts, images, start, end, x, scratch, g, strip, gw, G):
    """gw (kh, run, OC) += the contribution of the images from `start` up to `end`, in tiles of len(tile_rows) x len(vectors)
    vectors.

    A tile sums over up to FEW_PIXELS pixels, of `images` images or of a rectangle in one image. A strip holds its channels of g.
    """
    run, pixels, block = G.kw * G.C, G.OH * G.OW, len(vectors) * lanes_of(x) // len(parts)
    zeros, row_of_zeros = tile_narrow(tile_rows, vectors, parts, x), tile_narrow(1, vectors, parts, x)
    rows = max(1, FEW_PIXELS // G.OW)
    for n in range(start, end, images):
        together = min(images, end - n)
        source, image, row, image_size = padded(x, n, images, scratch, G)
        for o in range(0, G.OC, block):
            columns = min(block, G.OC - o)
            copy_strip(row_of_zeros, block, g, n * pixels * G.OC + o, G.OC, together * pixels, columns, strip, 0)
            for top in range(0, G.OH, rows):
                for left in range(0, G.OW, FEW_PIXELS):
                    bottom, right = min(G.OH, top + rows), min(G.OW, left + FEW_PIXELS)
                    for i in range(G.kh):
                        for r in range(0, run, len(tile_rows)):
                            acc = zeros
                            for m in range(together):
                                for oh in range(top, bottom):
                                    seen = image + m * image_size + (oh * G.sh + i) * row + r
                                    sent = (m * pixels + oh * G.OW) * block
                                    for ow in range(left, right):
                                        acc = tile_outer_add(
                                            acc, source, seen + ow * G.sw * G.C, 1, strip, sent + ow * block, None
                                        )
                            tile_add_to(acc, gw, (i * run + r) * G.OC + o, G.OC, min(len(tile_rows), run - r), columns)


@jit
def add_by_windows(parts, images, start, end, x, scratch, g, gw, G):
    """gw (kh, OC, run) += the contribution of the images from `start` up to `end`, in tiles of WIDE_ROWS x WIDE_VECTORS vectors.
    The same sums in the same order as in `add_by_channels`; for whole tiles of channels only."""
    run, pixels, block = G.kw * G.C, G.OH * G.OW, WIDE_VECTORS * lanes_of(x) // len(parts)
    zeros = tile_narrow(WIDE_ROWS, WIDE_VECTORS, parts, x)
    rows = max(1, FEW_PIXELS // G.OW)
    for n in range(start, end, images):
        together = min(images, end - n)
        source, image, row, image_size = padded(x, n, images, scratch, G)
        for o in range(0, G.OC, WIDE_ROWS):
            for top in range(0, G.OH, rows):
                for left in range(0, G.OW, FEW_PIXELS):
                    bottom, right = min(G.OH, top + rows), min(G.OW, left + FEW_PIXELS)
                    for i in range(G.kh):
                        for r in range(0, run, block):
                            acc = zeros
                            for m in range(together):
                                for oh in range(top, bottom):
                                    seen = image + m * image_size + (oh * G.sh + i) * row + r
                                    sent = ((n + m) * pixels + oh * G.OW) * G.OC + o
                                    for ow in range(left, right):
                                        acc = tile_outer_add(
                                            acc, g, sent + ow * G.OC, 1, source, seen + ow * G.sw * G.C, None
                                        )
                            tile_add_to(acc, gw, (i * G.OC + o) * run + r, run, WIDE_ROWS, min(block, run - r))


def by_windows(G, like):
    """Whether tiles of `add_by_windows` take less time than those of `add_by_channels`."""
    run, rows = G.kw * G.C, len(rows_of(G.kw * G.C))
    vectors, parts = len(vectors_for(G.OC, like)), len(parts_for(G.OC, like))
    wide = G.OC * vectors_time(run, WIDE_VECTORS, len(thirds_of(run, like)), like)
    tall = up_to(run, rows) * vectors_time(G.OC, vectors, parts, like) * (1 if vectors > 1 else 2 * HALF_A_TILE)
    return G.OC % WIDE_ROWS == 0 and wide <= tall


def vectors_time(count, vectors, parts, like):
    """The time of the products with `count` numbers, padded to whole tiles; the unit is a lane of a whole vector."""
    tile = vectors * VECTOR_BYTES // like.itemsize
    return up_to(count, tile // parts) * (1 if parts == 1 else parts * PART_OF_A_VECTOR)


def thirds_of(run, like):
    """The parts of a vector, as `parts_for`, of which WIDE_VECTORS hold a run."""
    return parts_for(math.ceil(run / WIDE_VECTORS), like)


def rows_of(run):
    """A tuple as long as a tile of `add_by_channels` has rows: TALL_ROWS, or ROWS if fewer of them are then empty."""
    return (0,) * (ROWS if up_to(run, ROWS) < up_to(run, TALL_ROWS) - ROWS // 2 else TALL_ROWS)


def up_to(count, size):
    """The smallest multiple of `size` that is at least `count`."""
    return -(-count // size) * size


def conv2d_grad_w(x, g, stride, padding, w_shape):
    shape = images_as_rows(x.shape, w_shape[:2], stride, padding)
    G = forward_geometry(shape, w_shape, stride, padding)
    way = winograd.gradient_of_weights if winograd.pays(G, x) else gradient_of_weights
    scratch, work, size, back = way(x.reshape(-1), g.reshape(-1), G)
    return back(sum_in_chunks(work, scratch, G.N, G.OH * G.OW, size, x.dtype)).reshape(w_shape)


def gradient_of_weights(x, g, G):
    """(scratch, work, size, back) for `sum_in_chunks`: sums of `size` numbers, and what makes the gradient of w from them."""
    pixels, turned, vectors = G.OH * G.OW, by_windows(G, x), vectors_for(G.OC, x)
    images = max(1, min(FEW_PIXELS // pixels, G.N))

    def scratch():
        return new_scratch(x, images, G), None if turned else new_strip(x, images * pixels)

    def work(start, end, gw, scratch, strip):
        if turned:
            add_by_windows(thirds_of(G.kw * G.C, x), images, start, end, x, scratch, g, gw, G)
        else:
            add_by_channels(
                rows_of(G.kw * G.C), vectors, parts_for(G.OC, x), images, start, end, x, scratch, g, strip, gw, G
            )

    def back(gw):
        return np.ascontiguousarray(gw.reshape(G.kh, G.OC, G.kw, G.C).transpose(0, 2, 3, 1)) if turned else gw

    return scratch, work, G.kh * G.kw * G.C * G.OC, back


def sum_in_chunks(work, scratch, N, pixels, size, dtype):
    """Sum the gradient of `size` weights over N images of `pixels` output pixels each; returns (size,).

    work(start, end, total, *scratch()) adds the contribution of some images to `total`; each thread has its own scratch.
    Each chunk of the batch has its own total; small batches get fewer chunks, since clearing and adding totals takes time.
    """
    chunks = max(1, min(CHUNKS, N, N * pixels // 256))
    totals = aligned_empty((chunks, size), dtype)

    def chunks_work(first, last):
        own = scratch()
        for chunk in range(first, last):
            totals[chunk] = 0
            work(N * chunk // chunks, N * (chunk + 1) // chunks, totals[chunk], *own)

    share(chunks_work, chunks, N * pixels * size)
    if chunks == 1:
        return totals[0]
    whole = aligned_empty((size,), dtype)
    share(lambda start, end: np.add.reduce(totals[:, start:end], axis=0, out=whole[start:end]), size, totals.size)
    return whole
