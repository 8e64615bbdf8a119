"""Check derivatives against finite differences."""

from __future__ import annotations

import numpy as np

from .tensor import Tensor


class GradcheckError(AssertionError):
    """A derivative that disagrees with finite differences."""


def gradcheck(function, *inputs, rng: np.random.Generator, step=1e-5, rtol=1e-5, atol=1e-7) -> bool:
    """Compare the gradients of `function(*tensors)` with central differences, element by element, in float64.

    inputs: arrays; each becomes a tensor that requires a gradient. The output is weighted with a random cotangent,
    since a plain sum hides errors (a softmax sums to 1, so the gradient of its sum is always 0). Keep inputs small, and
    away from kinks and ties. Returns True. Raises GradcheckError, which names the worst element, or TypeError if the
    output is not float64 (something was cast implicitly).

    >>> gradcheck(lambda t: t * t, [1.0, 2.0], rng=np.random.default_rng(0))
    True
    """
    arrays = [np.array(x, np.float64) for x in inputs]
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    out = function(*tensors)
    if out.dtype != np.float64:
        raise TypeError(f"gradcheck: float64 inputs gave a {out.dtype} output; the function casts somewhere")
    cotangent = rng.standard_normal(out.shape)
    out.backward(cotangent)
    for number, (tensor, array) in enumerate(zip(tensors, arrays, strict=True)):
        analytic = np.zeros_like(array) if tensor.grad is None else tensor.grad
        numeric = np.empty_like(array)
        for index in np.ndindex(array.shape):
            value = array[index]
            sides = []
            for moved in (value + step, value - step):
                array[index] = moved
                sides.append((function(*map(Tensor, arrays)).data * cotangent).sum())
            array[index] = value
            numeric[index] = (sides[0] - sides[1]) / (2 * step)
        error = np.abs(analytic - numeric) - rtol * np.abs(numeric)
        if array.size and not error.max() <= atol:
            worst = np.unravel_index(np.argmax(error), array.shape)
            raise GradcheckError(
                f"input {number}, element {tuple(map(int, worst))}: the derivative says {analytic[worst]:.8g}, "
                f"finite differences say {numeric[worst]:.8g}"
            )
    return True
