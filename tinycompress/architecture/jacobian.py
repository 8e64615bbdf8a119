"""Which inputs an output depends on: the Jacobian of a layer, by backpropagation."""

from math import prod

import numpy as np

from ..nn import Module
from ..tensor import Tensor


def jacobian(module: Module, x: np.ndarray) -> np.ndarray:
    """d output / d input of one example x (…), in evaluation mode: (output's shape) + (x's shape).

    Each output gets its own row of a batch, so one backward pass gives them all. Meant for small images.
    """
    x, frozen = np.asarray(x), module.copy().eval()
    for parameter in frozen.parameters():
        parameter.requires_grad = False
    shape = frozen(x[None]).shape[1:]
    count = prod(shape)
    batch = Tensor(np.repeat(x[None], count, axis=0), requires_grad=True)
    frozen(batch).backward(np.eye(count, dtype=x.dtype).reshape(count, *shape))
    return batch.grad.reshape(*shape, *x.shape)


def channel_jacobian(module: Module, x: np.ndarray) -> np.ndarray:
    """How much each output channel depends on each input channel: the sum of |d output / d input| over all pixels of
    both, for one example x (…, C): (outputs, C). 0 means no dependence at all.
    """
    whole = np.abs(jacobian(module, x))
    outputs = whole.ndim - np.ndim(x)
    by_output = whole.reshape(-1, *whole.shape[outputs - 1 :]).sum(0)
    return by_output.reshape(len(by_output), -1, x.shape[-1]).sum(1)
