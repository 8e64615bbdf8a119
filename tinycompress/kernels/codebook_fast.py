"""Clustered weights times a vector, over register tiles: see `codebook.py` for the order of the codes."""

import numpy as np

from .codebook import GROUP, ROWS
from .jit import jit
from .lowbit_tile import tile_add_code_products, tile_row_sum
from .threads import share
from .tile import tile_zeros


@jit
def multiply(start, end, codes, codebook, x, y):
    """The groups of four outputs `start` up to `end`. They share the numbers of x, and have eight sums to hide an
    addition's time."""
    inputs = len(x)
    groups = inputs // GROUP
    step = -(-inputs // GROUP) * 16
    for o in range(start * ROWS, end * ROWS, ROWS):
        acc = tile_zeros(ROWS, 2, y)
        for g in range(groups):
            acc = tile_add_code_products(acc, codebook, codes, o * step + g * 16, step, x, g * GROUP)
        y[o] = tile_row_sum(acc, 0)
        y[o + 1] = tile_row_sum(acc, 1)
        y[o + 2] = tile_row_sum(acc, 2)
        y[o + 3] = tile_row_sum(acc, 3)
        for i in range(groups * GROUP, inputs):
            for row in range(o, o + ROWS):
                pair = np.int64(codes[row * step + groups * 16 + i % 16])
                y[row] += x[i] * codebook[pair >> 4 if i % GROUP >= 16 else pair & 15]


def codebook_matvec(x, w):
    inputs, outputs = w.shape
    y = np.empty(len(w.codes), np.float32)
    codes = w.codes.reshape(-1)

    def work(start, end):
        multiply(start, end, codes, w.codebook, x, y)

    share(work, len(y) // ROWS, inputs * outputs // 4)
    return y[:outputs]
