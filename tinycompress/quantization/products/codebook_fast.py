"""Clustered weights times a vector, over register tiles: see `codebook.py` for the order of the codes."""

import numpy as np

from ...kernels.registers.tile import tile_zeros
from ...kernels.registers.vectors import VECTOR_BYTES
from ...kernels.runtime.jit import jit
from ...kernels.runtime.threads import share
from .codebook import GROUP, ROWS
from .tables import order_for_codes, tile_add_code_products, tile_store_row_sums

TOGETHER, SUMS = (ROWS, 2) if VECTOR_BYTES == 64 else (1, 4)
"""Outputs that share each load of x, and partial sums per output: enough independent sums to hide the latency of an
addition, few enough to stay in registers."""


@jit
def multiply(start, end, codes, codebook, x, y):
    """Compute the groups start:end of ROWS outputs. A row sum adds the lanes only once, after all inputs."""
    step = len(x) // GROUP * 16
    for o in range(start * ROWS, end * ROWS, TOGETHER):
        acc = tile_zeros(TOGETHER, SUMS, y)
        for g in range(len(x) // GROUP):
            acc = tile_add_code_products(acc, codebook, codes, o * step + g * 16, step, x, g * GROUP)
        tile_store_row_sums(acc, y, o)


def codebook_matvec(x, w):
    inputs, outputs = w.shape
    y = np.empty(len(w.codes), np.float32)
    whole = np.zeros(w.codes.shape[1] * GROUP, np.float32)
    whole[:inputs] = x
    whole, codes = order_for_codes(whole), w.codes.reshape(-1)

    def work(start, end):
        multiply(start, end, codes, w.codebook, whole, y)

    share(work, len(y) // ROWS, inputs * outputs // 4)
    return y[:outputs]
