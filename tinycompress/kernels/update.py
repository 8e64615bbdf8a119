"""The update of stochastic gradient descent with momentum, in one pass over the parameter.

In NumPy each of its operations reads and writes whole arrays.
"""

import functools

import numpy as np

from .runtime.dispatch import choose

TINY = 1e-30
"""Velocities below this become 0. That of a pruned weight shrinks in each step, and a CPU takes a hundred times as long for
numbers below 1e-38, which float32 holds only with fewer digits ("subnormal")."""


@functools.cache
def _fast():
    from .fast.update import sgd

    return sgd


def sgd(w, g, velocity, lr, momentum, weight_decay=0.0, nesterov=False):
    """Return the new w, with its shape; changes `velocity` in place. All variants give the same bits.

    d = g + weight_decay w,  velocity = momentum velocity + d,  w - lr velocity      Nesterov: w - lr (d + momentum velocity)
    """
    return choose(sgd_numpy, sgd_numpy, _fast)(w, g, velocity, lr, momentum, weight_decay, nesterov)


def sgd_numpy(w, g, velocity, lr, momentum, weight_decay, nesterov):
    if weight_decay:
        g = g + weight_decay * w
    velocity *= momentum
    velocity += g
    velocity[np.abs(velocity) < TINY] = 0
    step = np.multiply(g + momentum * velocity if nesterov else velocity, lr, out=np.empty_like(w))
    return np.subtract(w, step, out=step)
