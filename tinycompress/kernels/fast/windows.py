"""What convolutions have in common: their sizes, images with padding, and weights in panels.

The weights of a tile's columns are packed into a panel, with zeros where the channels end. A tile then reads its weights in
order, whole vectors at a time, and the inner loop has neither masks nor branches:

    w[k, :]  | 0 1 2 ... 15 | 16 ... 19 |        panel 0: rows of channels 0-15     panel 1: rows of 16-19 and 12 zeros

Few channels take a half or a quarter of a vector (`parts_for`), of which a core can multiply two in the time of a whole one.
"""

import math
from typing import NamedTuple

from ..registers.tile import copy
from ..registers.vectors import ROWS, VECTOR_BYTES, VECTORS, WIDE_VECTORS
from ..runtime.jit import jit
from ..runtime.memory import aligned_zeros
from ..shapes import output_size

UNROLLED = 4
"""Elements of a window that the inner loop takes at once, if a row of the window has at least LONG_RUN."""

LONG_RUN = 16

FEW_PIXELS = 256
"""The gradient of w adds at most this many pixels one by one, from several small images or a part of a large one, and then
adds these sums: a long sum has a larger rounding error."""

PART_OF_A_VECTOR = 0.6
"""The time of an outer product with half a vector or a quarter, relative to a whole one."""

SMALLEST_VECTOR = 16
"""Bytes of the smallest vector of any CPU."""

HALF_A_TILE = 0.7
"""The time of an outer product with a tile of one vector, relative to two: it loads as many pixels."""


class Geometry(NamedTuple):
    """The sizes of a convolution of images x into y, counted in images, pixels and channels; positions in elements."""

    N: int
    H: int
    W: int
    C: int
    kh: int
    kw: int
    sh: int
    sw: int
    top: int  # rows of zeros above x; if negative, rows of x to skip
    left: int
    OH: int
    OW: int
    OC: int
    y0: int  # the position of y's first pixel, and the distances to the next pixel, row and image
    y_pixel: int
    y_row: int
    y_image: int


@jit
def beyond(G):
    """How many numbers a tile may read beyond an image: its rows are pixels, or its columns neighbouring numbers."""
    return ROWS * G.sw * G.C + WIDE_VECTORS * VECTOR_BYTES // 4


@jit
def padded(x, first, images, scratch, G):
    """Some images from `first` on, with padding: (array, position, elements to the next row, elements to the next image).

    They are copied into `scratch`, between zeros, so that they stay in the cache and tiles need not check borders. Without
    padding, x itself is returned, except for the last images, since a tile may read past their end.
    """
    height, width = (G.OH - 1) * G.sh + G.kh, (G.OW - 1) * G.sw + G.kw
    size = G.H * G.W * G.C
    inside = G.top == 0 and G.left == 0 and height <= G.H and width <= G.W
    if inside and (first + images) * size + beyond(G) <= x.size:
        return x, first * size, G.W * G.C, size
    w0 = max(0, -G.left)
    w1 = max(w0, min(G.W, width - G.left))
    for n in range(first, min(first + images, G.N)):
        for h in range(max(0, -G.top), min(G.H, height - G.top)):
            to = (((n - first) * height + G.top + h) * width + G.left + w0) * G.C
            copy(scratch, to, x, ((n * G.H + h) * G.W + w0) * G.C, (w1 - w0) * G.C)
    return scratch, 0, width * G.C, height * width * G.C


def new_scratch(x, images, G):
    """Zeros for `images` padded images, and for what a tile may read (but does not use) beyond them."""
    height, width = (G.OH - 1) * G.sh + G.kh, (G.OW - 1) * G.sw + G.kw
    return aligned_zeros((images * height * width * G.C + beyond(G),), x.dtype)


def forward_geometry(x_shape, w_shape, stride, padding):
    N, H, W, C = x_shape
    kh, kw, OC = w_shape[0], w_shape[1], w_shape[-1]
    OH, OW = output_size((H, W), (kh, kw), stride, padding)
    return Geometry(N, H, W, C, kh, kw, *stride, padding[0][0], padding[1][0], OH, OW, OC, 0, OC, OW * OC, OH * OW * OC)


def vectors_for(channels, like):
    """A tuple as long as a tile for this many channels has vectors; see `tile_zeros`."""
    return (0,) * (1 if channels * like.itemsize <= VECTOR_BYTES else VECTORS)


def parts_for(channels, like):
    """A tuple as long as a vector has parts of which one is enough for this many channels; see `tile_narrow`."""
    parts = 1
    while 2 * parts * channels * like.itemsize <= VECTOR_BYTES and VECTOR_BYTES > parts * SMALLEST_VECTOR:
        parts *= 2
    return (0,) * parts


def steps_for(run):
    """A tuple as long as the inner loop takes steps at once, of `run` in all; one at a time if these are few."""
    return (0,) * (UNROLLED if run >= LONG_RUN else 1)


def panels(w, vectors, parts=1):
    """Pack w (…, OC) into panels: (panels, …, columns of a tile of so many vectors), zeros beyond OC; returned flat."""
    OC, block = w.shape[-1], vectors * VECTOR_BYTES // parts // w.itemsize
    packed = aligned_zeros((math.ceil(OC / block), *w.shape[:-1], block), w.dtype)
    for panel, o in zip(packed, range(0, OC, block), strict=True):
        panel[..., : OC - o] = w[..., o : o + block]
    return packed.reshape(-1)
