"""Scale, shift, ReLU and their gradients, compiled; `kernels/affine.py` defines them.

A tile holds a few columns and goes down the rows. Rows are split into blocks, whose sums are added in the same order for
any number of threads.
"""

import math

import numpy as np

from ..registers.tile import lanes_of, tile_at_least, tile_full, tile_load, tile_store, tile_where_above, tile_zeros
from ..registers.vectors import VECTOR_BYTES, VECTORS
from ..runtime.jit import jit
from ..runtime.memory import aligned_empty
from ..runtime.threads import share

BLOCK = 256
"""Rows per block."""

FEW = 32
"""Rows of a block that are added one by one, before their sum is added to that of the block."""

COST = 16
"""Multiply-adds in the time it takes to load a number from memory and store it."""


@jit
def apply_rows(start, end, x, scale, shift, floor, y):
    rows, C = x.shape
    block = VECTORS * lanes_of(x)
    like = tile_zeros(1, VECTORS, x)
    for k in range(start, end):
        for c in range(0, C, block):
            columns = min(block, C - c)
            a, b = tile_load(like, scale, c, 0, columns), tile_load(like, shift, c, 0, columns)
            for r in range(k * BLOCK, min(rows, (k + 1) * BLOCK)):
                z = tile_load(like, x, r * C + c, 0, columns) * a + b
                tile_store(tile_at_least(z, floor), y, r * C + c, 0, 1, columns)


@jit
def moment_sums(start, end, x, centre, total, squared):
    """Per block of rows: a centre x0, and the sums of x - x0 and of its square.

    With any x0 near the numbers, these give the variance (Chan, Golub and LeVeque, "Algorithms for Computing the Sample
    Variance", 1983). x0 is the mean of up to FEW rows: a single row may be an outlier, and the large squares around it would
    cancel badly. FEW rows are summed at a time, and then their sums, which reduces the rounding error.
    """
    rows, C = x.shape
    block = VECTORS * lanes_of(x)
    like = tile_zeros(1, VECTORS, x)
    for k in range(start, end):
        first, last = k * BLOCK, min(rows, (k + 1) * BLOCK)
        step = (last - first + FEW - 1) // FEW
        for c in range(0, C, block):
            columns = min(block, C - c)
            x0, away = tile_load(like, x, first * C + c, 0, columns), like
            for r in range(first, last, step):
                away = away + (tile_load(like, x, r * C + c, 0, columns) - x0)
            x0 = x0 + away * tile_full(like, 1 / ((last - first + step - 1) // step))
            sums, squares = like, like
            for r0 in range(first, last, FEW):
                few, few_squares = like, like
                for r in range(r0, min(last, r0 + FEW)):
                    d = tile_load(like, x, r * C + c, 0, columns) - x0
                    few, few_squares = few + d, d * d + few_squares
                sums, squares = sums + few, squares + few_squares
            tile_store(x0, centre, k * C + c, 0, 1, columns)
            tile_store(sums, total, k * C + c, 0, 1, columns)
            tile_store(squares, squared, k * C + c, 0, 1, columns)


@jit
def join_moments(rows, centre, total, squared, mean, variance):
    """Combine the results of `moment_sums` in mean and variance, zeros of float64.

    First the mean of all blocks. Then, per block, the squares around its own mean, plus count * (its mean - mean)².
    """
    columns, C = centre.shape[1], len(mean)
    N = rows * columns // C
    for k in range(len(total)):
        count = min(BLOCK, rows - k * BLOCK)
        for first in range(0, columns, C):
            for c in range(C):
                mean[c] += np.float64(centre[k, first + c]) * count + total[k, first + c]
    for c in range(C):
        mean[c] /= N
    for k in range(len(total)):
        count = min(BLOCK, rows - k * BLOCK)
        for first in range(0, columns, C):
            for c in range(C):
                shift = np.float64(total[k, first + c]) / count
                around = np.float64(centre[k, first + c]) + shift - mean[c]
                variance[c] += max(squared[k, first + c] - shift * total[k, first + c], 0.0) + around * around * count
    for c in range(C):
        variance[c] /= N


@jit
def join_sums(sum_g, sum_gx, of_g, of_gx):
    """Add the results of `gradient_sums` to of_g and of_gx, zeros of float64."""
    C = len(of_g)
    for k in range(len(sum_g)):
        for first in range(0, sum_g.shape[1], C):
            for c in range(C):
                of_g[c] += sum_g[k, first + c]
                of_gx[c] += sum_gx[k, first + c]


@jit
def gradient_sums(start, end, g, x, scale, shift, centre, floor, sum_g, sum_gx):
    """Per block of rows: the sums of g and of g * (x - centre)."""
    rows, C = x.shape
    block = VECTORS * lanes_of(x)
    like = tile_zeros(1, VECTORS, x)
    for k in range(start, end):
        for c in range(0, C, block):
            columns = min(block, C - c)
            a, b = tile_load(like, scale, c, 0, columns), tile_load(like, shift, c, 0, columns)
            mean = tile_load(like, centre, c, 0, columns)
            sums, products = like, like
            for r in range(k * BLOCK, min(rows, (k + 1) * BLOCK)):
                value = tile_load(like, x, r * C + c, 0, columns)
                sent = tile_where_above(tile_load(like, g, r * C + c, 0, columns), value * a + b, floor)
                sums, products = sums + sent, sent * (value - mean) + products
            tile_store(sums, sum_g, k * C + c, 0, 1, columns)
            tile_store(products, sum_gx, k * C + c, 0, 1, columns)


@jit
def grad_x_rows(start, end, g, x, scale, shift, centre, a, b, c, floor, gx):
    rows, C = x.shape
    block = VECTORS * lanes_of(x)
    like = tile_zeros(1, VECTORS, x)
    for k in range(start, end):
        for i in range(0, C, block):
            columns = min(block, C - i)
            slope, offset = tile_load(like, scale, i, 0, columns), tile_load(like, shift, i, 0, columns)
            mean = tile_load(like, centre, i, 0, columns)
            of_g, of_x = tile_load(like, a, i, 0, columns), tile_load(like, b, i, 0, columns)
            constant = tile_load(like, c, i, 0, columns)
            for r in range(k * BLOCK, min(rows, (k + 1) * BLOCK)):
                value = tile_load(like, x, r * C + i, 0, columns)
                sent = tile_where_above(tile_load(like, g, r * C + i, 0, columns), value * slope + offset, floor)
                tile_store(of_g * sent + (of_x * (value - mean) + constant), gx, r * C + i, 0, 1, columns)


def joined(x):
    """How many rows are joined so that they fill whole vectors, and the matrix of joined rows: with 8 lanes, 8 rows of 5
    numbers are one row of 40."""
    (rows, C), lanes = x.shape, VECTOR_BYTES // x.itemsize
    m = lanes // math.gcd(C, lanes)
    m = 1 if C % lanes == 0 or rows % m else m
    return m, x.reshape(-1, m * C)


def repeated(m, *columns):
    """Each of the columns repeated m times; np.tile takes longer than the kernel of a small batch."""
    return columns if m == 1 else [np.concatenate([column] * m) for column in columns]


def floor_of(relu, x):
    """0 with a ReLU; without one NaN, since no number, not even -inf, is below it."""
    return x.dtype.type(0 if relu else np.nan)


def run(kernel, x, *arguments):
    """Call kernel(start, end, *arguments) for shares of the blocks of rows of x, on several threads."""
    share(lambda start, end: kernel(start, end, *arguments), math.ceil(len(x) / BLOCK), x.size * COST)


def apply(x, scale, shift, relu):
    y = aligned_empty(x.shape, x.dtype)
    m, wide = joined(x)
    run(apply_rows, wide, wide, *repeated(m, scale, shift), floor_of(relu, x), y.reshape(wide.shape))
    return y


def moments(x):
    m, wide = joined(x)
    found = [*aligned_empty((3, math.ceil(len(wide) / BLOCK), wide.shape[1]), x.dtype)]
    run(moment_sums, wide, wide, *found)
    mean, variance = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    join_moments(len(wide), *found, mean, variance)
    return mean.astype(x.dtype), variance.astype(x.dtype)


def sums(g, x, scale, shift, centre, relu):
    m, wide = joined(x)
    found = [*aligned_empty((2, math.ceil(len(wide) / BLOCK), wide.shape[1]), x.dtype)]
    columns = repeated(m, scale, shift, centre)
    run(gradient_sums, wide, g.reshape(wide.shape), wide, *columns, floor_of(relu, x), *found)
    of_g, of_gx = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    join_sums(*found, of_g, of_gx)
    return of_g.astype(x.dtype), of_gx.astype(x.dtype)


def grad_x(g, x, scale, shift, centre, a, b, c, relu):
    gx = aligned_empty(x.shape, x.dtype)
    m, wide = joined(x)
    columns = repeated(m, scale, shift, centre, a, b, c)
    run(grad_x_rows, wide, g.reshape(wide.shape), wide, *columns, floor_of(relu, x), gx.reshape(wide.shape))
    return gx
