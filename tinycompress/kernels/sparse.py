"""Sparse (CSR) times dense: the batch in the lanes."""

from .jit import jit
from .memory import aligned_empty
from .threads import share
from .tile import tile_outer_add, tile_store, tile_sum, tile_zeros
from .vectors import VECTOR_BYTES, VECTORS


@jit
def csr_rows(start, end, indptr, indices, values, x, batch, y):
    """Rows `start` up to `end` of y; whether all their indices lie within x (if not, the rest is not computed).

    Four sums side by side, as each multiply-add waits for the one before it in the same sum.
    """
    block = VECTORS * (VECTOR_BYTES // x.itemsize)
    inputs = x.size // batch
    for b in range(0, batch, block):
        columns = min(block, batch - b)
        for r in range(start, end):
            k, stop = indptr[r], indptr[r + 1]
            outside = False
            for index in indices[k:stop]:
                outside |= (index < 0) | (index >= inputs)
            if outside:
                return False
            sum0 = tile_zeros(1, VECTORS, x)
            sum1 = sum2 = sum3 = sum0
            while k + 4 <= stop:
                sum0 = tile_outer_add(sum0, values, k, 0, x, indices[k] * batch + b, columns)
                sum1 = tile_outer_add(sum1, values, k + 1, 0, x, indices[k + 1] * batch + b, columns)
                sum2 = tile_outer_add(sum2, values, k + 2, 0, x, indices[k + 2] * batch + b, columns)
                sum3 = tile_outer_add(sum3, values, k + 3, 0, x, indices[k + 3] * batch + b, columns)
                k += 4
            while k < stop:
                sum0 = tile_outer_add(sum0, values, k, 0, x, indices[k] * batch + b, columns)
                k += 1
            total = tile_sum(tile_sum(sum0, sum1), tile_sum(sum2, sum3))
            tile_store(total, y, r * batch + b, 0, 1, columns)
    return True


def csr_matmul(indptr, indices, values, x):
    rows, batch = len(indptr) - 1, x.shape[1]
    y = aligned_empty((rows, batch), x.dtype)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)
    inside = []

    def work(start, end):
        inside.append(csr_rows(start, end, indptr, indices, values, flat_x, batch, flat_y))

    if batch:
        share(work, rows, len(values) * batch)
    if not all(inside):
        raise IndexError(f"an index lies outside of x, which has {len(x)} rows; the sparse matrix is wider than that")
    return y
