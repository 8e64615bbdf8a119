"""Operations on each element of arrays of one shape, in one pass: in NumPy, each addition reads and writes whole arrays."""

import functools

import numpy as np

from .runtime.dispatch import choose

TINY = 1e-30
"""Velocities below this become 0. That of a pruned weight shrinks in each step, and a CPU takes a hundred times as long for
numbers below 1e-38, which float32 holds only with fewer digits ("subnormal")."""


@functools.cache
def _fast():
    from .fast import elementwise

    return elementwise


def sgd(w, g, velocity, lr, momentum, weight_decay=0.0, nesterov=False):
    """A step of stochastic gradient descent: returns the new w, changes `velocity` in place. All variants give the same bits.

    d = g + weight_decay w,  velocity = momentum velocity + d,  w - lr velocity      Nesterov: w - lr (d + momentum velocity)
    """
    return choose(sgd_numpy, sgd_numpy, lambda: _fast().sgd)(w, g, velocity, lr, momentum, weight_decay, nesterov)


def sgd_numpy(w, g, velocity, lr, momentum, weight_decay, nesterov):
    if weight_decay:
        g = g + weight_decay * w
    velocity *= momentum
    velocity += g
    velocity[np.abs(velocity) < TINY] = 0
    step = np.multiply(g + momentum * velocity if nesterov else velocity, lr, out=np.empty_like(w))
    return np.subtract(w, step, out=step)


def add(a, b, relu, y):
    """y = a + b, then a ReLU if `relu`; contiguous arrays of one shape and dtype, of which y may be one."""
    return choose(add_numpy, add_numpy, lambda: _fast().add)(a, b, relu, y)


def passed_relu(g, y):
    """The gradient of a ReLU's input, from that of its output y: g, and 0 where y is 0. NaN counts as passed, as in `affine`."""
    return choose(passed_relu_numpy, passed_relu_numpy, lambda: _fast().passed_relu)(g, y)


def passed_relu_numpy(g, y):
    return np.where(y <= 0, g.dtype.type(0), g)


def add_numpy(a, b, relu, y):
    np.add(a, b, out=y)
    if relu:
        np.maximum(y, y.dtype.type(0), out=y)
    return y
