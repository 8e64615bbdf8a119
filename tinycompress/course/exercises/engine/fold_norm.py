"""Batch norm costs nothing, once it is folded away (20 minutes, 4 points).

When a net is used, its batch norm computes with fixed numbers: y = gamma * (z - mean) / sqrt(var + eps) + beta. That is one
factor and one summand per channel. If z comes from a layer z = x * weight + bias, both can be moved into that layer: its
weight and bias change, and the batch norm is gone (Jacob et al. 2018, section 3.2). It works for every layer whose output
channels are the last axis of its weight, dense or convolution.

    one channel: gamma 6, beta 1, mean 2, var 4, eps 0:    y = 3 z - 5      weight 10 becomes 30,   bias 1 becomes 3 - 5 = -2

The other way round, if batch norm comes *before* a layer, its factors scale the layer's rows, and its summands go through
the weight into the bias. With a convolution that is padded this would be wrong: the zeros at the border are added after the
batch norm, and no bias can be right for both the border and the middle.
"""

import numpy as np


def as_line(gamma, beta, mean, var, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """(factor, summand), float64 (channels,): batch norm as y = factor * z + summand. gamma, beta, mean, var: (channels,)."""
    ### BEGIN SOLUTION
    factor = gamma.astype(np.float64) / np.sqrt(var.astype(np.float64) + eps)
    return factor, beta - factor * mean
    ### END SOLUTION


def fold_after(weight: np.ndarray, bias: np.ndarray | None, factor: np.ndarray, summand: np.ndarray) -> tuple:
    """(weight, bias) of one layer that does what the layer and the batch norm after it did.

    weight: (..., channels), of a dense layer or a convolution; bias: (channels,), or None for a layer without one. The
    results have the dtype of the weight. No argument may be changed.
    """
    ### BEGIN SOLUTION
    bias = 0 if bias is None else bias
    return (weight * factor).astype(weight.dtype), (bias * factor + summand).astype(weight.dtype)
    ### END SOLUTION


def fold_before(weight: np.ndarray, bias: np.ndarray, factor: np.ndarray, summand: np.ndarray, padding: int) -> tuple:
    """(weight, bias) of one convolution that does what a batch norm and the convolution after it did.

    weight: (kh, kw, channels, outputs); bias: (outputs,); factor, summand: (channels,). The results have the dtype of the
    weight. Raises ValueError if there is padding, unless all summands are 0. No argument may be changed.
    """
    ### BEGIN SOLUTION
    if padding and summand.any():
        raise ValueError("padded zeros do not pass through the batch norm: it cannot be folded into this convolution")
    moved = bias + np.einsum("abco,c->o", weight, summand)
    return (weight * factor[:, None]).astype(weight.dtype), moved.astype(weight.dtype)
    ### END SOLUTION
