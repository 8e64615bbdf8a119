"""Strips: a contiguous copy of as many columns of a matrix as a tile has.

In the matrix itself, the rows of a tile's columns lie far apart. If the distance is a power of two, they all compete for
the same few places in the cache, and vectors may not begin at cache lines. A strip fills the cache evenly, and holds zeros
for columns beyond the matrix, so that no masks are needed.
"""

from ..runtime.jit import jit
from ..runtime.memory import aligned_zeros
from .tile import lanes_of, tile_load, tile_store, tile_zeros
from .vectors import VECTOR_BYTES, VECTORS


def new_strip(like, rows):
    """A strip of zeros with this many rows and the dtype of `like`."""
    return aligned_zeros((rows * VECTORS * VECTOR_BYTES // like.itemsize,), like.dtype)


@jit(inline="always")
def copy_strip(vectors, source, at, step, rows, columns, strip, to):
    """Copy `columns` numbers per row from `source`, whose rows are `step` apart from position `at` on, to whole vectors of
    `strip`, from position `to` on."""
    block = vectors * lanes_of(source)
    for row in range(rows):
        numbers = tile_load(tile_zeros(1, vectors, source), source, at + row * step, 0, columns)
        tile_store(numbers, strip, to + row * block, 0, 1, None)
