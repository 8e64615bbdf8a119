"""A CSR matrix (compressed sparse rows) times a dense one, for weights that were pruned one by one."""

import functools

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check, floats


@functools.cache
def _fast():
    from . import csr_fast

    return csr_fast


def _integers(array):
    array = np.asarray(array)
    return np.ascontiguousarray(array, array.dtype if array.dtype in (np.int32, np.int64) else np.int64)


def csr_matmul(indptr, indices, values, x):
    """Multiply a sparse matrix (rows, cols) in CSR form by x (cols, batch): (rows, batch).

    Row r has the elements values[k] in columns indices[k] for indptr[r] <= k < indptr[r+1], as in scipy.sparse.csr_array. The
    batch is the innermost axis, so each element of the matrix multiplies a run of consecutive numbers. Raises
    IndexError if a column lies outside x.
    """
    values, x = floats(values=values, x=x)
    indptr, indices = _integers(indptr), _integers(indices)
    check(x.ndim == 2, f"x should be (columns, batch), but has the shape {x.shape}")
    check(
        indptr[0] == 0 and (indptr[:-1] <= indptr[1:]).all() and indptr[-1] == len(values) == len(indices),
        f"indptr should rise from 0 to the number of elements, but goes from {indptr[0]} to {indptr[-1]}, with "
        f"{len(values)} values and {len(indices)} indices",
    )
    # Viewed as unsigned, negative indices are huge: one pass finds those on either side.
    if indices.size and indices.view(f"u{indices.itemsize}").max() >= len(x):
        raise IndexError(f"an index lies outside x, which has {len(x)} rows; the sparse matrix has more columns")
    return kernel()(indptr, indices, values, x)


def kernel():
    """The active variant of `csr_matmul`, without its checks, for matrices that were checked before."""
    return choose(matmul_loop, matmul_numpy, lambda: _fast().csr_matmul)


def matmul_loop(indptr, indices, values, x):
    rows, batch = len(indptr) - 1, x.shape[1]
    y = np.zeros((rows, batch), x.dtype)
    for r in range(rows):
        for k in range(indptr[r], indptr[r + 1]):
            for b in range(batch):
                y[r, b] += values[k] * x[indices[k], b]
    return y


def matmul_numpy(indptr, indices, values, x):
    rows, batch = len(indptr) - 1, x.shape[1]
    y = np.zeros((rows, batch), x.dtype)
    for r in range(rows):
        row = slice(indptr[r], indptr[r + 1])
        y[r] = values[row] @ x[indices[row]]
    return y
