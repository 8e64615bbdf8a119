"""Operations on each element, compiled; `kernels/elementwise.py` defines them."""

import math

import numpy as np

from ..elementwise import TINY
from ..registers.tile import lanes_of, tile_at_least, tile_load, tile_store, tile_where_above, tile_zeros
from ..registers.vectors import ROWS, VECTOR_BYTES
from ..runtime.jit import jit
from ..runtime.memory import aligned_empty
from ..runtime.threads import are_shared, share

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
    flat = w.reshape(-1), g.reshape(-1), velocity.reshape(-1)
    numbers, to = (number(lr), number(momentum), number(weight_decay), nesterov, number(TINY)), new.reshape(-1)
    if are_shared():
        share(lambda i, j: sgd_flat(*(array[i:j] for array in flat), *numbers, to[i:j]), w.size, COST * w.size)
    else:  # making the pool would take the threads of BLAS from a net that has nothing but dense layers
        sgd_flat(*flat, *numbers, to)
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


@jit
def passed_vectors(start, end, g, y, floor, gx):
    """As `add_vectors`, for `passed_relu`."""
    lanes = lanes_of(g)
    like, one = tile_zeros(ROWS, 1, g), tile_zeros(1, 1, g)
    at, stop = start * lanes, min(end * lanes, y.size)
    while at + ROWS * lanes <= stop:
        sent = tile_where_above(tile_load(like, g, at, lanes, None), tile_load(like, y, at, lanes, None), floor)
        tile_store(sent, gx, at, lanes, ROWS, None)
        at += ROWS * lanes
    while at < stop:
        columns = min(lanes, stop - at)
        sent = tile_where_above(tile_load(one, g, at, 0, columns), tile_load(one, y, at, 0, columns), floor)
        tile_store(sent, gx, at, 0, 1, columns)
        at += lanes


def by_vectors(kernel, a, b, floor, y):
    """Run the kernel on parts of the flat arrays, which start with whole vectors."""
    flat, result = [array.reshape(-1) for array in (a, b)], y.reshape(-1)
    vectors = math.ceil(y.size * y.itemsize / VECTOR_BYTES)
    share(lambda start, end: kernel(start, end, *flat, y.dtype.type(floor), result), vectors, COST * y.size)
    return y


def add(a, b, relu, y):
    return by_vectors(add_vectors, a, b, 0.0 if relu else -math.inf, y)


def passed_relu(g, y):
    return by_vectors(passed_vectors, g, y, 0.0, aligned_empty(y.shape, y.dtype))
