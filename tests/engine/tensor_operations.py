"""The operations of a tensor, for the tests that go through all of them."""

import numpy as np

from tinycompress import maximum, stack, where


def spread(*shape, rng, positive=False):
    """Values that all differ in size, none near 0: no operation has a kink or a tie there."""
    n = int(np.prod(shape))
    values = rng.permutation(np.linspace(0.3, 2.0, max(n, 1)))[:n]
    if not positive:
        values = values * rng.choice((-1, 1), n)
    return values.reshape(shape)


UNARY = {
    "neg": lambda x: -x,
    "exp": lambda x: x.exp(),
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "relu": lambda x: x.relu(),
    "abs": lambda x: x.abs(),
    "clip": lambda x: x.clip(-0.77, 1.11),
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "inverse": lambda x: x**-1,
    "power 0": lambda x: x**0 * x,
    "3 - x": lambda x: 3 - x,
    "3 + x": lambda x: 3 + x,
    "3 x": lambda x: 3 * x,
    "3 / x": lambda x: 3 / x,
    "sum": lambda x: x.sum() * x,
    "mean": lambda x: x.mean() * x,
    "var": lambda x: x.var() * x,
    "max": lambda x: x.max() * x,
    "min": lambda x: x.min() * x,
    "reshape": lambda x: x.reshape(-1) * 2,
    "transpose": lambda x: x.T * 2,
    "index": lambda x: x[...] * 2,
    "stack": lambda x: stack([x, 2 * x, x]),
}
POSITIVE = {
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "power 1.5": lambda x: x**1.5,
    "power -0.5": lambda x: x**-0.5,
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": maximum,
    "where": lambda a, b: where(np.arange(3) % 2 == 0, a, b),
}
