"""Sums of bytes, and bytes of real numbers, in one pass each: see `requantize.py`."""

import numpy as np

from ...kernels.registers.tile import lanes_of, tile_load, tile_store, tile_zeros
from ...kernels.registers.vectors import VECTOR_BYTES
from ...kernels.runtime.jit import jit
from ...kernels.runtime.threads import share
from .bytes_and_bits import tile_sum_requantized

COST = 8
"""Multiply-adds in the time that the sum of two bytes takes."""


@jit
def sums(start, end, a, b, a_factor, b_factor, offset, shift, zero_point, low, high, y):
    lanes, like = lanes_of(y), tile_zeros(1, 1, y)
    for k in range(start * lanes, min(end * lanes, len(y)), lanes):
        left = min(lanes, len(y) - k)
        pair = tile_load(like, a, k, 0, left), tile_load(like, b, k, 0, left)
        q = tile_sum_requantized(pair[0], pair[1], a_factor, b_factor, offset, shift, zero_point, low, high)
        tile_store(q, y, k, 0, 1, left)


def prepare_sum(a, b, factors, offset, shift, zero_point, low, high):
    y = np.empty_like(a)
    flat_a, flat_b, flat_y = a.reshape(-1), b.reshape(-1), y.reshape(-1)
    largest = 255 * sum(map(abs, factors)) + abs(offset) + 255
    kind = np.int32 if largest < 2**31 and shift < 32 else np.int64
    numbers = [kind(number) for number in (*factors, offset, shift, zero_point, low, high)]

    def work(start, end):
        sums(start, end, flat_a, flat_b, *numbers, flat_y)

    return y, lambda: share(work, -(-y.size // VECTOR_BYTES), y.size * COST)


def requantize_sum(*arguments):
    y, run = prepare_sum(*arguments)
    run()
    return y


@jit
def to_bytes(x, scale, zero_point, low, high, y):
    for i in range(len(x)):
        y[i] = np.uint8(np.int32(min(max(np.rint(x[i] / scale + zero_point), low), high)))


def prepare_bytes(x, grid):
    y, flat_x = np.empty(x.shape, np.uint8), np.ascontiguousarray(x).reshape(-1)
    flat_y, numbers = y.reshape(-1), [np.float32(n) for n in (grid.scale, grid.zero_point, grid.low, grid.high)]
    return y, lambda: share(lambda start, end: to_bytes(flat_x[start:end], *numbers, flat_y[start:end]), x.size, x.size)
