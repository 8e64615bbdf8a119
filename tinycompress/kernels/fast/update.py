"""The update of stochastic gradient descent, compiled; `kernels/update.py` defines it."""

import numpy as np

from ..runtime.jit import jit
from ..update import TINY


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
