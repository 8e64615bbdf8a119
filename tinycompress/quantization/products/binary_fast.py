"""Binary weights over register tiles: see `binary.py` for the two ideas, and `bytes_and_bits.py` for the operations."""

import numpy as np

from ...kernels.registers.tile import tile_store, tile_zeros
from ...kernels.registers.vectors import ROWS, VECTOR_BYTES, VECTORS
from ...kernels.runtime.jit import jit
from ...kernels.runtime.threads import share
from .binary import BITS, LINE
from .bytes_and_bits import TILE_OUTPUTS, sign_bits, tile_count_differences, tile_dots_of_signs
from .tables import COUNTS_BY_TABLE, tile_add_bytes_to, tile_add_looked_up, tile_add_nibble_sums

WORD_TABLES = 8 * 16
"""Numbers in the tables for the 32 inputs of a word: 16 per four inputs."""


@jit
def pack_rows(start, end, x, inputs, bits, words):
    """Pack the signs of the rows start:end of x (batch, inputs) into bits (batch, words)."""
    whole = inputs // BITS
    for b in range(start, end):
        for k in range(whole):
            bits[b * words + k] = sign_bits(x, b * inputs + k * BITS)
        if whole < words:
            word = np.uint32(0)
            for k in range(whole * BITS, inputs):
                word |= np.uint32(x[b * inputs + k] < 0) << np.uint32(k % BITS)
            bits[b * words + whole] = word


@jit
def multiply(start, end, bits, batch, w, words, inputs, y, outputs):
    """Compute the tiles start:end of the outputs by counting bits, for the whole batch."""
    block = words * LINE
    for o in range(start * TILE_OUTPUTS, min(end * TILE_OUTPUTS, outputs), TILE_OUTPUTS):
        line = o // LINE * block + o % LINE
        block_step = block if o + LINE < outputs else 0  # last block: read it twice, but store it once
        for b in range(0, batch, ROWS):
            different = tile_zeros(ROWS, VECTORS, y)
            for k in range(words):
                at, left = b * words + k, batch - b
                different = tile_count_differences(different, bits, at, words, left, w, line + k * LINE, block_step)
            tile_store(tile_dots_of_signs(different, inputs), y, b * outputs + o, outputs, batch - b, outputs - o)


DIFFERENT = np.bitwise_count(np.arange(16)[:, None] ^ np.arange(16)).astype(np.uint8).reshape(-1)
"""DIFFERENT[16 * a + b]: the number of bits in which the 4-bit numbers a and b differ."""

BYTES_A_SUM = 31
"""How many times two numbers up to 4 can be added into a byte."""

SIDE = 64
"""Outputs per tile of bytes: the largest register."""

SIDE_VECTORS = SIDE // VECTOR_BYTES


@jit
def spread_fours(w, words, outputs, o, fours):
    """Unpack the signs of the outputs o to o + SIDE - 1, four inputs per byte, into fours (8 * words, SIDE)."""
    for line in range(min(SIDE // LINE, -(-(outputs - o) // LINE))):
        start = (o // LINE + line) * words * LINE
        for k in range(words):
            of_line = w[start + k * LINE : start + (k + 1) * LINE]
            for four in range(8):
                to = fours[(8 * k + four) * SIDE + line * LINE :]
                for i in range(LINE):
                    to[i] = of_line[i] >> np.uint32(4 * four) & np.uint32(15)


@jit(allocates=True)
def multiply_by_tables(start, end, bits, batch, w, words, inputs, different, y, outputs):
    """The same as `multiply`, if the CPU cannot count bits in all lanes: four bits of x select a table, four weights an
    entry.

    bits: the words of x as bytes. Counts are summed in bytes as long as these cannot overflow, and then added to 32-bit sums.
    """
    steps = 4 * words
    fours, counts = np.empty(2 * steps * SIDE, np.uint8), np.empty(ROWS * SIDE, np.int32)
    for o in range(start * SIDE, min(end * SIDE, outputs), SIDE):
        spread_fours(w, words, outputs, o, fours)
        for b in range(0, batch, ROWS):
            counts[:] = 0
            for first in range(0, steps, BYTES_A_SUM):
                acc = tile_zeros(ROWS, SIDE_VECTORS, fours)
                for k in range(first, min(first + BYTES_A_SUM, steps)):
                    acc = tile_add_looked_up(acc, different, bits, b * steps + k, steps, batch - b, fours, 2 * k * SIDE)
                tile_add_bytes_to(acc, counts, 0)
            for row in range(min(ROWS, batch - b)):
                of_row, to = counts[row * SIDE :], y[(b + row) * outputs + o :]
                for i in range(min(SIDE, outputs - o)):
                    to[i] = inputs - 2 * of_row[i]


@jit
def scale_rows(start, end, dots, scale, shift, y):
    pixels, outputs = shift.shape
    for r in range(start, end):
        of_pixel, of_row, to = shift[r % pixels], dots[r], y[r]
        for o in range(outputs):
            to[o] = np.float32(of_row[o]) * scale[o] + of_pixel[o]


@jit
def sign_tables(x, x0, inputs, tables):
    """For every four numbers of x[x0 : x0 + inputs], padded with zeros, tabulate the 16 sums with all patterns of signs.

    A set bit of the index means minus.
    """
    for j in range(len(tables) // 16):
        k = 4 * j
        x_0 = x[x0 + k] if k < inputs else 0
        x_1 = x[x0 + k + 1] if k + 1 < inputs else 0
        x_2 = x[x0 + k + 2] if k + 2 < inputs else 0
        x_3 = x[x0 + k + 3] if k + 3 < inputs else 0
        for pattern in range(4):
            low = (-x_0 if pattern & 1 else x_0) + (-x_1 if pattern & 2 else x_1)
            for rest in range(4):
                high = (-x_2 if rest & 1 else x_2) + (-x_3 if rest & 2 else x_3)
                tables[16 * j + 4 * rest + pattern] = low + high


@jit(allocates=True)
def choose_sums(first, last, start, end, x, inputs, w, words, y, outputs):
    """Compute the tiles start:end of the outputs with tables of sums, for the rows first:last of the batch."""
    block = words * LINE
    tables = np.empty(words * WORD_TABLES, np.float32)
    for b in range(first, last):
        sign_tables(x, b * inputs, inputs, tables)
        for o in range(start * TILE_OUTPUTS, min(end * TILE_OUTPUTS, outputs), TILE_OUTPUTS):
            line = o // LINE * block + o % LINE
            block_step = block if o + LINE < outputs else 0
            acc = tile_zeros(1, VECTORS, y)
            for k in range(words):
                acc = tile_add_nibble_sums(acc, tables, k * WORD_TABLES, w, line + k * LINE, block_step)
            tile_store(acc, y, b * outputs + o, outputs, 1, outputs - o)


def sign_words(x):
    batch, inputs = x.shape
    words = -(-inputs // BITS)
    bits, flat_x = np.empty((batch, words), np.uint32), x.reshape(-1)

    def work(start, end):
        pack_rows(start, end, flat_x, inputs, bits.reshape(-1), words)

    share(work, batch, x.size // 8)
    return bits


def multiply_signs(bits, w):
    (batch, words), (inputs, outputs) = bits.shape, w.shape
    y = np.empty((batch, outputs), np.int32)
    flat_y, lines = y.reshape(-1), w.lines.reshape(-1)
    if COUNTS_BY_TABLE:
        seen = bits.reshape(-1).view(np.uint8)

        def work(start, end):
            multiply_by_tables(start, end, seen, batch, lines, words, inputs, DIFFERENT, flat_y, outputs)

        share(work, -(-outputs // SIDE), y.size * words)
    else:

        def work(start, end):
            multiply(start, end, bits.reshape(-1), batch, lines, words, inputs, flat_y, outputs)

        share(work, -(-outputs // TILE_OUTPUTS), y.size * words)
    return y


def scale_dots(dots, scale, shift, y):
    share(lambda start, end: scale_rows(start, end, dots, scale, shift, y), len(dots), y.size)


def binary_linear(x, w):
    (batch, inputs), outputs = x.shape, w.shape[1]
    words = w.lines.shape[1]
    y = np.empty((batch, outputs), np.float32)
    flat_x, flat_y, lines = x.reshape(-1), y.reshape(-1), w.lines.reshape(-1)
    tiles = -(-outputs // TILE_OUTPUTS)

    def rows_work(first, last):
        choose_sums(first, last, 0, tiles, flat_x, inputs, lines, words, flat_y, outputs)

    def tiles_work(start, end):
        choose_sums(0, 1, start, end, flat_x, inputs, lines, words, flat_y, outputs)

    work = y.size * words * BITS // 16
    if batch == 1:
        share(tiles_work, tiles, work)
    else:
        share(rows_work, batch, work)
    return y
