"""Sums of many numbers, in blocks: so float32 loses little more than the rounding of the result.

A sum that grows number by number is rounded at each step, beside a total that is large already: of n numbers of one sign
it loses some sqrt(n) units in the last place, and n at worst. Sums of a few, which are then added up, are still small
where most of the additions happen; in a tree of them the loss is log(n) units at worst (Higham, "The Accuracy of Floating
Point Summation", SIAM J. Sci. Comput. 1993). NumPy adds in such a tree along the axis that is contiguous in memory, but
row after row along all others, which in channels-last images are those of the batch, the height and the width.
"""

import itertools
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

FEW = 32
"""So many numbers are added one after the other; twice as many where that saves a round."""

LONG_ROW = 4096
"""Numbers of a row that is added at once: enough to forget what NumPy takes to begin, and all in the first-level cache.
Of an array that is no longer, NumPy may add all rows as it likes: blocks would take longer than they are worth."""


def axis_sums(x, axis=None, keepdims=False):
    """`x.sum(axis, keepdims=keepdims)`, in blocks: the same arguments, and the same result but for rounding."""
    if x.size <= LONG_ROW or (axis is None and x.flags.forc):
        return x.sum(axis, keepdims=keepdims)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if math.prod([x.shape[a] for a in axes]) <= FEW:
        return x.sum(axis, keepdims=keepdims)
    order = sorted(range(x.ndim), key=x.strides.__getitem__, reverse=True)  # that of memory, if x was transposed
    y, columns = np.ascontiguousarray(x.transpose(order)), 1
    # From the last axis to the first, neighbouring ones together.
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

    Not a product of BLAS with ones: it adds one by one, and leaves threads behind that keep a core busy for milliseconds,
    a core that the next kernel needs.
    """
    return sum_rows(x[None])[0]


def sum_rows(x):
    """x (n, rows, columns) -> (n, columns).

    As rows are short, some of them are taken together as a long one. The long rows are added up, then what is left, and
    then the rows that the sum consists of:

        rows a b c d e f g h i        (a b) + (c d) + (e f) + (g h) = (s t)        (s+i t)        s+i + t
    """
    n, rows, columns = x.shape
    if columns == 1:
        return np.add.reduce(x.reshape(n, rows), axis=1, keepdims=True)  # contiguous, so NumPy adds in a tree
    together = max(1, min(rows // FEW * 2, LONG_ROW // max(columns, 1)))
    together = 1 << together.bit_length() - 1  # a power of 2, which can be halved to the end
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
    """x (n, rows, columns) -> (n, columns): each FEW rows, and so on with their sums."""
    n, rows, columns = x.shape
    if rows <= 2 * FEW:
        return np.add.reduce(x, axis=1)
    whole = rows // FEW * FEW
    blocks = np.add.reduce(x[:, :whole].reshape(n, -1, FEW, columns), axis=2)
    return _sum_long_rows(blocks) + np.add.reduce(x[:, whole:], axis=1)
