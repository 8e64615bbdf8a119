"""Strips: a contiguous copy of as many columns of a matrix as a tile has.

In the matrix itself, the rows of a tile's columns lie far apart. If the distance is a power of two, they all compete for
the same few places in the cache, and vectors may not begin at cache lines. A strip fills the cache evenly, and holds zeros
for columns beyond the matrix, so that no masks are needed.
"""

from ..runtime.jit import jit
from ..runtime.memory import aligned_zeros
from .tile import tile_load, tile_store
from .vectors import VECTOR_BYTES, VECTORS


def new_strip(like, rows):
    """A strip of zeros with this many rows and the dtype of `like`."""
    return aligned_zeros((rows * VECTORS * VECTOR_BYTES // like.itemsize,), like.dtype)


@jit(inline="always")
def copy_strip(row, block, source, at, step, rows, columns, strip, to):
    """Copy `columns` numbers per row from `source`, whose rows are `step` apart from position `at` on, to `strip`, from
    position `to` on. row: a tile of one row, which has `block` columns."""
    for r in range(rows):
        tile_store(tile_load(row, source, at + r * step, 0, columns), strip, to + r * block, 0, 1, None)
