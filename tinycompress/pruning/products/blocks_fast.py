"""Block-sparse times dense over register tiles. `blocks.py` has the format of the weights, `kernels/registers/tile.py` the
tiles.

A tile is some rows of the batch x 16 outputs. Every block of these outputs adds an outer product to it: the block's 16
weights times its input's values over the rows of the batch. Those values lie far apart in x, but side by side, in one
cache line, in its transpose.
"""

import numpy as np

from ...kernels.registers.tile import lanes_of, tile_outer_add, tile_store, tile_zeros
from ...kernels.registers.vectors import VECTOR_BYTES
from ...kernels.runtime.jit import jit
from ...kernels.runtime.threads import share
from .blocks import BLOCK
from .transpose import transpose_square

ROWS = 16 if VECTOR_BYTES == 64 else 8
"""Rows of the batch per tile."""

FEW = 4
"""Fewer rows than this do not pay for a transpose and are computed one by one."""


@jit
def transpose(x, rows, inputs, xt):
    """Transpose x (rows, inputs) into xt (rows / ROWS, inputs, ROWS); rows and inputs are multiples of ROWS."""
    side = VECTOR_BYTES // x.itemsize
    for b in range(0, rows, side):
        for i in range(0, inputs, side):
            transpose_square(x, b * inputs + i, inputs, xt, (b // ROWS * inputs + i) * ROWS + b % ROWS, ROWS)


@jit
def multiply_rows(start, end, indptr, indices, values, xt, inputs, batch, y, outputs):
    """Compute the columns of blocks from `start` up to `end` of y."""
    lanes = lanes_of(xt)
    for b in range(0, batch, ROWS):
        for j in range(start, end):
            for o in range(0, min(BLOCK, outputs - j * BLOCK), lanes):
                columns = min(lanes, outputs - j * BLOCK - o)
                acc = tile_zeros(ROWS, 1, xt)
                for k in range(indptr[j], indptr[j + 1]):
                    acc = tile_outer_add(acc, xt, b * inputs + indices[k] * ROWS, 1, values, k * BLOCK + o, None)
                tile_store(acc, y, b * outputs + j * BLOCK + o, outputs, batch - b, columns)


@jit
def multiply_row(start, end, indptr, indices, values, x, x0, y, y0, outputs):
    """The same for a single row of x, at x0. Four independent sums, since each multiply-add has to wait for the previous
    one of its sum."""
    lanes = lanes_of(x)
    for j in range(start, end):
        for o in range(0, min(BLOCK, outputs - j * BLOCK), lanes):
            columns = min(lanes, outputs - j * BLOCK - o)
            sum0 = tile_zeros(1, 1, x)
            sum1, sum2, sum3 = sum0, sum0, sum0
            k, stop = indptr[j], indptr[j + 1]
            while k + 4 <= stop:
                sum0 = tile_outer_add(sum0, x, x0 + indices[k], 0, values, k * BLOCK + o, None)
                sum1 = tile_outer_add(sum1, x, x0 + indices[k + 1], 0, values, (k + 1) * BLOCK + o, None)
                sum2 = tile_outer_add(sum2, x, x0 + indices[k + 2], 0, values, (k + 2) * BLOCK + o, None)
                sum3 = tile_outer_add(sum3, x, x0 + indices[k + 3], 0, values, (k + 3) * BLOCK + o, None)
                k += 4
            while k < stop:
                sum0 = tile_outer_add(sum0, x, x0 + indices[k], 0, values, k * BLOCK + o, None)
                k += 1
            total = (sum0 + sum1) + (sum2 + sum3)
            tile_store(total, y, y0 + j * BLOCK + o, 0, 1, columns)


def zero_padded(x, shape):
    padded = np.zeros(shape, x.dtype)
    padded[: x.shape[0], : x.shape[1]] = x
    return padded


def block_sparse_matmul(x, w):
    (batch, inputs), outputs = x.shape, w.shape[1]
    y = np.empty((batch, outputs), x.dtype)
    flat_x, flat_y, values = x.reshape(-1), y.reshape(-1), w.values.reshape(-1)
    if batch < FEW:

        def work(start, end):
            for b in range(batch):
                multiply_row(start, end, w.indptr, w.indices, values, flat_x, b * inputs, flat_y, b * outputs, outputs)

    else:
        rows, columns = (-(-n // ROWS) * ROWS for n in x.shape)
        if (rows, columns) != x.shape:
            flat_x = zero_padded(x, (rows, columns)).reshape(-1)
        xt = np.empty(rows * columns, x.dtype)
        transpose(flat_x, rows, columns, xt)

        def work(start, end):
            multiply_rows(start, end, w.indptr, w.indices, values, xt, columns, batch, flat_y, outputs)

    share(work, len(w.indptr) - 1, w.values.size * batch)
    return y
