"""Sums of many numbers, in blocks, so that a float32 sum is hardly less exact than its last rounding.

A running sum is rounded at each step, when the total is already large: for n numbers of one sign the error is about
sqrt(n) units in the last place, and n at worst. Blocks of a few numbers, whose sums are then added, keep the totals small
during most additions; in a tree of blocks the error is at most log(n) units (Higham, "The Accuracy of Floating Point
Summation", SIAM J. Sci. Comput. 1993). NumPy adds in such a tree along the axis that is contiguous in memory, but row by
row along the others, which in channels-last images are batch, height and width.
"""

import itertools
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

FEW = 32
"""This many numbers are added one after the other; up to twice as many where that saves a round."""

LONG_ROW = 4096
"""Length of a row that is added at once: long enough to hide NumPy's overhead per call, short enough for the L1 cache. For
arrays up to this size, plain NumPy does: blocks would cost more time than they are worth."""


def axis_sums(x, axis=None, keepdims=False):
    """`x.sum(axis, keepdims=keepdims)`, in blocks: same arguments, same result except for rounding."""
    if x.size <= LONG_ROW or (axis is None and x.flags.forc):
        return x.sum(axis, keepdims=keepdims)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if math.prod([x.shape[a] for a in axes]) <= FEW:
        return x.sum(axis, keepdims=keepdims)
    order = sorted(range(x.ndim), key=x.strides.__getitem__, reverse=True)  # the order in memory, if x is transposed
    y, columns = np.ascontiguousarray(x.transpose(order)), 1
    # From the last axis to the first; neighbouring axes that are all summed, or all kept, form one group.
    for summed, group in itertools.groupby(reversed(order), axes.__contains__):
        length = math.prod([x.shape[a] for a in group])
        if summed:
            y = sum_rows(y.reshape(-1, length, columns))
        else:
            columns *= length
    y = y.reshape([1 if a in axes else x.shape[a] for a in order]).transpose(sorted(order, key=order.__getitem__))
    return y if keepdims else y.squeeze(axes)


def column_sums(x):
    """The sum of each column of x (rows, columns).

    A BLAS product with ones is not used: it adds one by one, and its threads keep spinning for milliseconds on a core that
    the next kernel needs.
    """
    return sum_rows(x[None])[0]


def sum_rows(x):
    """Sum over the rows: x (n, rows, columns) -> (n, columns).

    Rows are short, so several of them are taken together as one long row. The long rows are added, then the rest, and
    finally the parts of the resulting long row:

        rows a b c d e f g h i        (a b) + (c d) + (e f) + (g h) = (s t)        (s+i t)        s+i + t
    """
    n, rows, columns = x.shape
    if columns == 1:
        return np.add.reduce(x.reshape(n, rows), axis=1, keepdims=True)  # contiguous, so NumPy adds in a tree
    if rows <= 2 * FEW:
        return np.add.reduce(x, axis=1)
    together = max(1, min(rows // FEW * 2, LONG_ROW // max(columns, 1)))
    together = 1 << together.bit_length() - 1  # a power of 2, so that it can be halved down to 1
    long, rest = divmod(rows, together)
    total = _sum_long_rows(x[:, : long * together].reshape(n, long, together * columns))
    if rest:
        total[:, : rest * columns] += x[:, -rest:].reshape(n, -1)
    while together > 1:
        few = min(together, FEW)
        total = np.add.reduce(total.reshape(n, few, -1), axis=1)
        together //= few
    return total


def _sum_long_rows(x):
    """x (n, rows, columns) -> (n, columns): sum every FEW rows, then their sums in the same way."""
    n, rows, columns = x.shape
    if rows <= 2 * FEW:
        return np.add.reduce(x, axis=1)
    whole = rows // FEW * FEW
    blocks = np.add.reduce(x[:, :whole].reshape(n, -1, FEW, columns), axis=2)
    return _sum_long_rows(blocks) + np.add.reduce(x[:, whole:], axis=1)
