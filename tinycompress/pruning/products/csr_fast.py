"""Sparse (CSR) times dense, with the batch in the lanes."""

from ...kernels.registers.strip import copy_strip, new_strip
from ...kernels.registers.tile import lanes_of, tile_outer_add, tile_store, tile_zeros
from ...kernels.registers.vectors import VECTOR_BYTES, VECTORS
from ...kernels.runtime.jit import jit
from ...kernels.runtime.memory import aligned_empty
from ...kernels.runtime.threads import share


@jit(inline="always")
def multiply_rows(vectors, start, end, indptr, indices, values, x, step, lanes, y, y0, batch, columns):
    """Compute rows `start` up to `end` of some columns of y. Rows of x are `step` apart; `lanes` numbers of each are
    loaded, or whole vectors if `lanes` is None.

    Four independent sums, since each multiply-add has to wait for the previous one of its sum.
    """
    for r in range(start, end):
        k, stop = indptr[r], indptr[r + 1]
        sum0 = tile_zeros(1, vectors, x)
        sum1 = sum2 = sum3 = sum0
        while k + 4 <= stop:
            sum0 = tile_outer_add(sum0, values, k, 0, x, indices[k] * step, lanes)
            sum1 = tile_outer_add(sum1, values, k + 1, 0, x, indices[k + 1] * step, lanes)
            sum2 = tile_outer_add(sum2, values, k + 2, 0, x, indices[k + 2] * step, lanes)
            sum3 = tile_outer_add(sum3, values, k + 3, 0, x, indices[k + 3] * step, lanes)
            k += 4
        while k < stop:
            sum0 = tile_outer_add(sum0, values, k, 0, x, indices[k] * step, lanes)
            k += 1
        total = (sum0 + sum1) + (sum2 + sum3)
        tile_store(total, y, y0 + r * batch, 0, 1, columns)


@jit
def multiply_narrow(start, end, indptr, indices, values, x, strip, y, batch):
    multiply_rows(1, start, end, indptr, indices, values, x, batch, batch, y, 0, batch, batch)


@jit
def multiply_wide(start, end, indptr, indices, values, x, strip, y, batch):
    block = VECTORS * lanes_of(x)
    for b in range(0, batch, block):
        columns = min(block, batch - b)
        # Side by side in a strip, these columns of x stay in the cache while all rows use them.
        copy_strip(tile_zeros(1, VECTORS, x), block, x, b, batch, x.size // batch, columns, strip, 0)
        multiply_rows(VECTORS, start, end, indptr, indices, values, strip, block, None, y, b, batch, columns)


def csr_matmul(indptr, indices, values, x):
    rows, (inputs, batch) = len(indptr) - 1, x.shape
    y = aligned_empty((rows, batch), x.dtype)
    narrow = batch * x.itemsize <= VECTOR_BYTES
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)

    def work(start, end):
        strip = new_strip(x, 0 if narrow else inputs)
        kernel = multiply_narrow if narrow else multiply_wide
        kernel(start, end, indptr, indices, values, flat_x, strip, flat_y, batch)

    share(work, rows, len(values) * batch)
    return y
