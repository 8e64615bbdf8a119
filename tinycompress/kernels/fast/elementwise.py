"""Operations on each element, compiled; `kernels/elementwise.py` defines them."""

import math

import numpy as np

from ..elementwise import TINY
from ..registers.tile import lanes_of, tile_at_least, tile_load, tile_store, tile_zeros
from ..registers.vectors import ROWS, VECTOR_BYTES
from ..runtime.jit import jit
from ..runtime.threads import share

COST = 16
"""Multiply-adds in the time it takes to load two numbers and store one."""


@jit
def sgd_flat(w, g, velocity, lr, momentum, weight_decay, nesterov, tiny, new):
    zero = lr * 0  # of their type
    for i in range(len(w)):
        d = g[i] + weight_decay * w[i] if weight_decay else g[i]
        v = momentum * velocity[i] + d
        velocity[i] = zero if abs(v) < tiny else v  # NaN stays
        new[i] = w[i] - lr * (d + momentum * velocity[i] if nesterov else velocity[i])


def sgd(w, g, velocity, lr, momentum, weight_decay, nesterov):
    new, number = np.empty(w.shape, w.dtype), w.dtype.type  # with Python floats, the sums would be float64
    numbers = number(lr), number(momentum), number(weight_decay)
    sgd_flat(w.ravel(), g.ravel(), velocity.reshape(-1), *numbers, nesterov, number(TINY), new.reshape(-1))
    return new


@jit
def add_vectors(start, end, a, b, floor, y):
    """Compute the vectors from `start` up to `end` of the flat arrays, ROWS at a time."""
    lanes = lanes_of(a)
    like, one = tile_zeros(ROWS, 1, a), tile_zeros(1, 1, a)
    at, stop = start * lanes, min(end * lanes, y.size)
    while at + ROWS * lanes <= stop:
        total = tile_load(like, a, at, lanes, None) + tile_load(like, b, at, lanes, None)
        tile_store(tile_at_least(total, floor), y, at, lanes, ROWS, None)
        at += ROWS * lanes
    while at < stop:
        columns = min(lanes, stop - at)
        total = tile_load(one, a, at, 0, columns) + tile_load(one, b, at, 0, columns)
        tile_store(tile_at_least(total, floor), y, at, 0, 1, columns)
        at += lanes


def add(a, b, relu, y):
    flat, floor = [array.reshape(-1) for array in (a, b)], 0.0 if relu else -math.inf
    vectors = math.ceil(y.size * y.itemsize / VECTOR_BYTES)
    share(lambda start, end: add_vectors(start, end, *flat, floor, y.reshape(-1)), vectors, COST * y.size)
    return y
