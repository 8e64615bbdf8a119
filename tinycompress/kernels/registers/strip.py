"""Strips: some columns of a matrix, as many as a tile has, copied to lie side by side.

In the whole matrix each row of a tile's columns lies in another corner of memory: the next row is a power of two away, so
that they all compete for the same few places of the cache, and no vector begins where a cache line does. In a strip they
fill the cache evenly, and the columns beyond the matrix are there as zeros, so that nothing needs masks.
"""

from ..runtime.jit import jit
from ..runtime.memory import aligned_zeros
from .tile import lanes_of, tile_load, tile_store, tile_zeros
from .vectors import VECTOR_BYTES, VECTORS


def new_strip(like, rows):
    """Room for so many rows of the type of `like`."""
    return aligned_zeros((rows * VECTORS * VECTOR_BYTES // like.itemsize,), like.dtype)


@jit(inline="always")
def copy_strip(vectors, source, at, step, rows, columns, strip, to):
    """Copy `columns` numbers of each of some rows, `step` apart from position `at` on, to whole vectors of strip."""
    block = vectors * lanes_of(source)
    for row in range(rows):
        numbers = tile_load(tile_zeros(1, vectors, source), source, at + row * step, 0, columns)
        tile_store(numbers, strip, to + row * block, 0, 1, None)
