"""Standard and pointwise convolution over register tiles (see `tile.py` for what a tile is).

A convolution is a matrix product whose left matrix is never built: row p is the window of output pixel p, column k the k-th element of
the window. Images are NHWC, so a window's row i is one run of kw*C consecutive numbers, and the next pixel's window has the same element
sw*C further on. A tile of 8 neighbouring pixels x 32 output channels therefore needs, for each k, 8 numbers at equal steps
and one run of 32 weights.

                    pixel ow sees              pixel ow+1 sees            element k of both, for sw = 1:
    row oh       . [a b c] d e .             . a [b c d] e .              x[at + k] and x[at + k + C]
    row oh+1     . [f g h] i j .             . f [g h i] j .
    row oh+2     . [k l m] n o .             . k [l m n] o .

Where the output is too narrow for 8 neighbours, the 8 rows of the tile are the same pixel of 8 images; only the step differs.

All of it is one sum of outer products walked through in different directions: forward over the window, the gradient of w over the
pixels, and the gradient of x is itself a convolution, of g with the weights turned round.
"""

import math
from typing import NamedTuple

import numpy as np

from .jit import jit
from .shapes import NO_PADDING, output_size, phases
from .threads import share
from .tile import copy, tile_add_to, tile_outer_add, tile_store, tile_zeros
from .vectors import ROWS, VECTOR_BYTES, VECTORS

GROUP_BYTES = 128 * 1024
"""The gradient of w takes images together up to this size, a fraction of the second-level cache."""

CHUNKS = 12
"""The gradient of w is summed over at most this many parts of the batch, and then over the parts, whatever the number of threads: the same
sums in the same order give the same bits. Twelve parts share out evenly among 1, 2, 3, 4, 6 or 12 threads."""


class Geometry(NamedTuple):
    """The sizes of a convolution of images x into y; all counts are of elements, pixels or images."""

    N: int
    H: int
    W: int
    C: int
    kh: int
    kw: int
    sh: int
    sw: int
    top: int  # rows of zeros above x; negative: so many rows of x are passed over
    left: int
    OH: int
    OW: int
    OC: int
    y0: int  # where y's first pixel is, and how far it is to the next one, the next row and the next image
    y_pixel: int
    y_row: int
    y_image: int
    images: int  # taken together; forward: 1, and a tile's rows are neighbouring pixels, or ROWS, and they are the same pixel of each


@jit(inline="always")
def sum_of_outer_products(acc, x, x0, x_step, x_strides, w, w0, w_strides, counts, columns):
    """acc[p, :] += the sum over indices (a, b, k) < counts of x[x0 + (a,b,k)·x_strides + p*x_step] * w[w0 + (a,b,k)·w_strides :]."""
    for a in range(counts[0]):
        for b in range(counts[1]):
            x_at = x0 + a * x_strides[0] + b * x_strides[1]
            w_at = w0 + a * w_strides[0] + b * w_strides[1]
            for k in range(counts[2]):
                acc = tile_outer_add(
                    acc, x, x_at + k * x_strides[2], x_step, w, w_at + k * w_strides[2], columns
                )
    return acc


@jit
def padded(x, first, scratch, G):
    """The images from `first` on, where the tiles can read them: (array, position, elements to the next row, to the next image).

    They are copied into `scratch` with their zeros around them, so that they stay in the cache and the tiles know no borders. If there are no
    borders, x itself will do, but for the last images, since a tile may read past them.
    """
    height, width = (G.OH - 1) * G.sh + G.kh, (G.OW - 1) * G.sw + G.kw
    size = G.H * G.W * G.C
    inside = G.top == 0 and G.left == 0 and height <= G.H and width <= G.W
    if inside and (first + G.images) * size + ROWS * G.sw * G.C <= x.size:
        return x, first * size, G.W * G.C, size
    w0 = max(0, -G.left)
    w1 = max(w0, min(G.W, width - G.left))
    for n in range(first, min(first + G.images, G.N)):
        for h in range(max(0, -G.top), min(G.H, height - G.top)):
            to = (((n - first) * height + G.top + h) * width + G.left + w0) * G.C
            copy(scratch, to, x, ((n * G.H + h) * G.W + w0) * G.C, (w1 - w0) * G.C)
    return scratch, 0, width * G.C, height * width * G.C


@jit(inline="always")
def convolve(vectors, start, end, x, scratch, w, y, G):
    """y of the images from `start` up to `end`, in tiles of ROWS x `vectors`."""
    run = G.kw * G.C
    block = vectors * (VECTOR_BYTES // x.itemsize)
    for n in range(start, end, G.images):
        source, image, row, image_size = padded(x, n, scratch, G)
        if G.images == 1:
            across, x_step, y_step, left, per_pixel = ROWS, G.sw * G.C, G.y_pixel, G.OW, 1
        else:
            across, x_step, y_step, left, per_pixel = 1, image_size, G.y_image, end - n, 0
        for oh in range(G.OH):
            for o in range(0, G.OC, block):
                columns = min(block, G.OC - o)
                for ow in range(0, G.OW, across):
                    rows = min(ROWS, left - ow * per_pixel)
                    window = image + oh * G.sh * row + ow * G.sw * G.C
                    acc = tile_zeros(ROWS, vectors, x)
                    acc = sum_of_outer_products(
                        acc,
                        source,
                        window,
                        x_step,
                        (row, 0, 1),
                        w,
                        o,
                        (run * G.OC, 0, G.OC),
                        (G.kh, 1, run),
                        columns,
                    )
                    pixel = G.y0 + n * G.y_image + oh * G.y_row + ow * G.y_pixel
                    tile_store(acc, y, pixel + o, y_step, rows, columns)


@jit
def convolve_narrow(start, end, x, scratch, w, y, G):
    convolve(1, start, end, x, scratch, w, y, G)


@jit
def convolve_wide(start, end, x, scratch, w, y, G):
    convolve(VECTORS, start, end, x, scratch, w, y, G)


@jit(inline="always")
def add_grad_w(vectors, start, end, x, scratch, g, gw, G):
    """gw += what the images from `start` up to `end` contribute; the tile's rows are elements of the window's row, summed over all pixels."""
    run = G.kw * G.C
    block = vectors * (VECTOR_BYTES // x.itemsize)
    for n in range(start, end, G.images):
        source, image, row, image_size = padded(x, n, scratch, G)
        counts = (min(G.images, end - n), G.OH, G.OW)
        for i in range(G.kh):
            for r in range(0, run, ROWS):
                for o in range(0, G.OC, block):
                    columns = min(block, G.OC - o)
                    acc = tile_zeros(ROWS, vectors, x)
                    acc = sum_of_outer_products(
                        acc,
                        source,
                        image + i * row + r,
                        1,
                        (image_size, G.sh * row, G.sw * G.C),
                        g,
                        G.y0 + n * G.y_image + o,
                        (G.y_image, G.y_row, G.y_pixel),
                        counts,
                        columns,
                    )
                    tile_add_to(acc, gw, (i * run + r) * G.OC + o, G.OC, min(ROWS, run - r), columns)


@jit
def add_grad_w_narrow(start, end, x, scratch, g, gw, G):
    add_grad_w(1, start, end, x, scratch, g, gw, G)


@jit
def add_grad_w_wide(start, end, x, scratch, g, gw, G):
    add_grad_w(VECTORS, start, end, x, scratch, g, gw, G)


def new_scratch(x, G):
    """Zeros for the padded images taken together, and for what a tile may read beyond them (but makes nothing of)."""
    height, width = (G.OH - 1) * G.sh + G.kh, (G.OW - 1) * G.sw + G.kw
    return np.zeros((G.images * height * width + ROWS * G.sw) * G.C, x.dtype)


def is_narrow(x, channels):
    """Whether the output channels fit into one vector."""
    return channels * x.itemsize <= VECTOR_BYTES


def images_per_tile(N, OW):
    """1 or ROWS, whichever leaves fewer of the tile's rows empty."""

    def filled(count):
        return count / (max(1, math.ceil(count / ROWS)) * ROWS)

    return ROWS if filled(N) > 1.1 * filled(OW) else 1


def long_rows(x, kernel, stride, padding):
    """If a convolution looks at single pixels only, images do not matter: the shape with each group of them as one long row; else x's own."""
    N, H, W, C = x.shape
    if kernel != (1, 1) or stride != (1, 1) or padding != NO_PADDING or N == 0:
        return x.shape
    group = math.gcd(N, ROWS)
    return N // group, 1, group * H * W, C


def conv2d(x, w, stride, padding):
    kh, kw, C, OC = w.shape
    (top, _), (left, _) = padding
    y = np.empty((len(x), *output_size(x.shape[1:3], (kh, kw), stride, padding), OC), x.dtype)
    N, H, W, _ = long_rows(x, (kh, kw), stride, padding)
    OH, OW = output_size((H, W), (kh, kw), stride, padding)
    places = 0, OC, OW * OC, OH * OW * OC
    geometry = Geometry(N, H, W, C, kh, kw, *stride, top, left, OH, OW, OC, *places, images_per_tile(N, OW))
    _convolve(x, w, y, [(w, geometry)])
    return y


def _convolve(x, w, y, parts):
    """Run the convolutions `parts`, pairs of (weights, geometry), of the same images x into the same y, the batch shared by the threads."""
    kernel = convolve_narrow if is_narrow(x, parts[0][0].shape[3]) else convolve_wide
    x, y = x.reshape(-1), y.reshape(-1)
    parts = [(weights.reshape(-1), G) for weights, G in parts]
    step = max(G.images for _, G in parts)
    N = parts[0][1].N

    def work(start, end):
        for weights, G in parts:
            kernel(start * step, min(end * step, N), x, new_scratch(x, G), weights, y, G)

    share(work, math.ceil(N / step), N * sum(G.OH * G.OW * weights.size for weights, G in parts))


def conv2d_grad_x(g, w, stride, padding, x_shape):
    """For stride 1 a convolution of g with the weights turned by half a turn; see `shapes.phases` for the others."""
    (kh, kw, C, OC), (sh, sw) = w.shape, stride
    long = long_rows(g, (kh, kw), stride, padding)
    (N, OH, OW, _), (H, W) = long, x_shape[1:3] if long == g.shape else long[1:3]
    gx = (np.empty if kh >= sh and kw >= sw else np.zeros)(x_shape, g.dtype)
    parts = []
    for h0, rows, i, top in phases(H, kh, sh, padding[0][0]):
        for w0, columns, j, left in phases(W, kw, sw, padding[1][0]):
            taps = np.ascontiguousarray(w[i::sh, j::sw][::-1, ::-1].transpose(0, 1, 3, 2))
            places = (h0 * W + w0) * C, sw * C, sh * W * C, H * W * C
            sizes = N, OH, OW, OC, *taps.shape[:2], 1, 1, top, left, rows, columns, C
            parts.append((taps, Geometry(*sizes, *places, images_per_tile(N, columns))))
    if parts:  # else no pixel was ever seen
        _convolve(g, w, gx, parts)
    return gx


def conv2d_grad_w(x, g, stride, padding, w_shape):
    kh, kw, C, OC = w_shape
    (top, _), (left, _) = padding
    N, H, W, _ = long_rows(x, (kh, kw), stride, padding)
    OH, OW = output_size((H, W), (kh, kw), stride, padding)
    together = max(1, GROUP_BYTES // ((H * W * C + OH * OW * OC) * x.itemsize))
    places = 0, OC, OW * OC, OH * OW * OC
    geometry = Geometry(N, H, W, C, kh, kw, *stride, top, left, OH, OW, OC, *places, max(1, min(together, N)))
    kernel = add_grad_w_narrow if is_narrow(x, OC) else add_grad_w_wide
    x, g, size = x.reshape(-1), g.reshape(-1), math.prod(w_shape)

    def chunk_work(start, end, gw):
        kernel(start, end, x, new_scratch(x, geometry), g, gw, geometry)

    return sum_in_chunks(chunk_work, N, OH * OW, size, x.dtype).reshape(w_shape)


def sum_in_chunks(work, N, pixels, size, dtype):
    """Sum the gradient of `size` weights over N images of `pixels`: work(start, end, total) adds those of some images to `total`.

    Each chunk of the batch has its own total; there are fewer of them where adding up the totals would cost as much as making them.
    """
    chunks = max(1, min(CHUNKS, N, N * pixels // 64))
    totals = np.zeros((chunks, size), dtype)

    def chunks_work(first, last):
        for chunk in range(first, last):
            work(N * chunk // chunks, N * (chunk + 1) // chunks, totals[chunk])

    share(chunks_work, chunks, N * pixels * size)
    return totals[0] if chunks == 1 else totals.sum(axis=0)
