"""8-bit products over register tiles: see `int8.py` for the order of the weights, and `bytes_and_bits.py` for the
operations on tiles."""

import numpy as np

from ...kernels.registers.tile import tile_load, tile_store, tile_zeros
from ...kernels.registers.vectors import ROWS, VECTORS
from ...kernels.runtime.jit import jit
from ...kernels.runtime.threads import share
from .bytes_and_bits import PARTS, TILE_OUTPUTS, tile_dot2_add, tile_dot4_add, tile_scaled, widen_line
from .int8 import LINE


@jit(inline="always")
def widen(rows, w, o, words, outputs, strip):
    """Without VNNI, products need 16-bit numbers. For many rows, widen the weights of the tile of output o only once,
    into `strip`; a single row widens them on the fly."""
    if PARTS == 2 and rows > 1:
        block = words * LINE
        start = o // LINE * block + o % LINE
        block_step = block if o + LINE < outputs else 0
        for k in range(words):
            widen_line(w, start + k * LINE, block_step, strip, k * PARTS * TILE_OUTPUTS)


@jit(inline="always")
def add_products(acc, rows, x, b, left, w, o, words, outputs, strip):
    """Add products to the tile: those of the batch rows from b on, of which `left` exist, and the outputs from o on."""
    step = PARTS * words
    if PARTS == 2 and rows > 1:
        for k in range(step):
            acc = tile_dot2_add(acc, x, b * step + k, step, left, strip, k * TILE_OUTPUTS)
    else:
        block = words * LINE
        start = o // LINE * block + o % LINE
        block_step = block if o + LINE < outputs else 0  # last block: read it twice, but store it once
        for k in range(words):
            acc = tile_dot4_add(acc, x, b * step + k * PARTS, step, left, w, start + k * LINE, block_step)
    return acc


@jit(inline="always")
def multiply(rows, start, end, x, batch, w, words, y, outputs):
    """Compute the tiles start:end of the outputs, for the whole batch. w: words of four bytes. x: see `words_of`.

    Outputs are the outer loop, so that the widened weights of a tile serve all rows.
    """
    strip = np.empty(PARTS * words * TILE_OUTPUTS, np.int32)
    for o in range(start * TILE_OUTPUTS, min(end * TILE_OUTPUTS, outputs), TILE_OUTPUTS):
        widen(rows, w, o, words, outputs, strip)
        for b in range(0, batch, rows):
            acc = tile_zeros(rows, VECTORS, y)
            acc = add_products(acc, rows, x, b, batch - b, w, o, words, outputs, strip)
            tile_store(acc, y, b * outputs + o, outputs, batch - b, outputs - o)


@jit(allocates=True)
def multiply_rows(start, end, x, batch, w, words, y, outputs):
    multiply(ROWS, start, end, x, batch, w, words, y, outputs)


@jit(allocates=True)
def multiply_row(start, end, x, batch, w, words, y, outputs):
    multiply(1, start, end, x, batch, w, words, y, outputs)


@jit(inline="always")
def linear(rows, start, end, x, batch, w, words, offset, scale, bias, y, outputs):
    """The same as `multiply`, but sums start at offset[o], and are converted to float in registers before they are
    stored."""
    strip = np.empty(PARTS * words * TILE_OUTPUTS, np.int32)
    for o in range(start * TILE_OUTPUTS, min(end * TILE_OUTPUTS, outputs), TILE_OUTPUTS):
        widen(rows, w, o, words, outputs, strip)
        for b in range(0, batch, rows):
            acc = tile_load(tile_zeros(rows, VECTORS, offset), offset, o, 0, outputs - o)
            acc = add_products(acc, rows, x, b, batch - b, w, o, words, outputs, strip)
            real = tile_scaled(acc, scale, bias, o, outputs - o)
            tile_store(real, y, b * outputs + o, outputs, batch - b, outputs - o)


@jit(allocates=True)
def linear_rows(start, end, x, batch, w, words, offset, scale, bias, y, outputs):
    linear(ROWS, start, end, x, batch, w, words, offset, scale, bias, y, outputs)


@jit(allocates=True)
def linear_row(start, end, x, batch, w, words, offset, scale, bias, y, outputs):
    linear(1, start, end, x, batch, w, words, offset, scale, bias, y, outputs)


def words_of(x):
    """The rows of x as words of four bytes, padded with zeros; returns all words (1-D, int32), and the words per row.

    Without VNNI each of these words becomes two, with two 16-bit numbers each.
    """
    batch, inputs = x.shape
    words = -(-inputs // 4)
    if inputs % 4 or x.ctypes.data % 4:
        whole = np.zeros((batch, words * 4), np.uint8)
        whole[:, :inputs] = x
        x = whole
    if PARTS == 2:
        x = x.astype(np.int16)
    return x.reshape(-1).view(np.int32), words


def int8_matmul(x, w):
    batch, outputs = len(x), w.shape[1]
    y = np.empty((batch, outputs), np.int32)
    flat_x, words = words_of(x)
    flat_y, lines = y.reshape(-1), w.lines.reshape(-1).view(np.int32)
    kernel = multiply_row if batch == 1 else multiply_rows

    def work(start, end):
        kernel(start, end, flat_x, batch, lines, words, flat_y, outputs)

    share(work, -(-outputs // TILE_OUTPUTS), y.size * words)
    return y


def prepare_int8_linear(x, w, scale, zero_point, bias):
    """A new array y and a function without arguments that computes it, from what x then holds."""
    batch, outputs = len(x), w.shape[1]
    y = np.empty((batch, outputs), np.float32)
    flat_y, lines = y.reshape(-1), w.lines.reshape(-1).view(np.int32)
    offset = -zero_point * w.sums
    kernel = linear_row if batch == 1 else linear_rows

    def run():
        flat_x, words = words_of(x)

        def work(start, end):
            kernel(start, end, flat_x, batch, lines, words, offset, scale, bias, flat_y, outputs)

        share(work, -(-outputs // TILE_OUTPUTS), y.size * words)

    return y, run


def int8_linear(*arguments):
    y, run = prepare_int8_linear(*arguments)
    run()
    return y
