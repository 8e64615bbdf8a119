"""Block-sparse times dense over register tiles; see `blocks.py` for the form of the weights and `tile.py` for what a tile is.

A tile is 16 rows of the batch x one block of outputs. For every block that is left it takes the 16 weights, and of its input the 16 numbers
that the rows of the batch have there. These lie far apart in x; in its transpose they are one cache line.
"""

import numpy as np

from .blocks import BLOCK
from .jit import jit
from .threads import share
from .tile import tile_outer_add, tile_store, tile_zeros
from .vectors import VECTOR_BYTES

ROWS = 16 if VECTOR_BYTES == 64 else 6 if VECTOR_BYTES == 32 else 3
"""Rows of the batch in a tile: as many as the registers hold sums for."""
VECTORS = BLOCK * 4 // VECTOR_BYTES
VECTORS_64 = 2 * VECTORS
"""Registers that hold a block of float32, and of float64."""
