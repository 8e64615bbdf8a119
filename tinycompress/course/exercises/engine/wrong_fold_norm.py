"""Plausible wrong answers to fold_norm, and how many of the 4 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("as_line", points=3.4, why="adds eps outside of the root")
def eps_outside(gamma, beta, mean, var, eps):
    factor = gamma / (np.sqrt(var) + eps)
    return factor, beta - factor * mean


@wrong("as_line", points=3.3, why="forgets the root")
def without_root(gamma, beta, mean, var, eps):
    factor = gamma / (var + eps)
    return factor, beta - factor * mean


@wrong("as_line", points=3.3, why="subtracts the mean without its factor")
def plain_mean(gamma, beta, mean, var, eps):
    return gamma / np.sqrt(var + eps), beta - mean


@wrong("fold_after", points=2.7, why="leaves the old bias unscaled")
def old_bias(weight, bias, factor, summand):
    bias = 0 if bias is None else bias
    return (weight * factor).astype(weight.dtype), (bias + summand).astype(weight.dtype)


@wrong("fold_after", points=3.2, why="does not know layers without a bias")
def needs_a_bias(weight, bias, factor, summand):
    return (weight * factor).astype(weight.dtype), (bias * factor + summand).astype(weight.dtype)


@wrong("fold_after", points=3.6, why="returns float64")
def in_float64(weight, bias, factor, summand):
    return weight * factor, (0 if bias is None else bias) * factor + summand


@wrong("fold_after", points=3.8, why="scales the caller's weight")
def in_place(weight, bias, factor, summand):
    weight *= factor.astype(weight.dtype)
    bias = 0 if bias is None else bias
    return weight, (bias * factor + summand).astype(weight.dtype)


def before(weight, bias, factor, summand):
    moved = bias + np.einsum("abco,c->o", weight, summand)
    return (weight * factor[:, None]).astype(weight.dtype), moved.astype(weight.dtype)


@wrong("fold_before", points=3.4, why="ignores the padding")
def ignores_padding(weight, bias, factor, summand, padding):
    return before(weight, bias, factor, summand)


@wrong("fold_before", points=3.4, why="refuses all padding")
def refuses_all(weight, bias, factor, summand, padding):
    if padding:
        raise ValueError
    return before(weight, bias, factor, summand)


@wrong("fold_before", points=2.6, why="takes the summand through the weight that is already scaled")
def scaled_first(weight, bias, factor, summand, padding):
    if padding and summand.any():
        raise ValueError
    weight = weight * factor[:, None]
    return weight, bias + np.einsum("abco,c->o", weight, summand)


@wrong("fold_before", points=2.8, why="adds the middle tap alone to the bias")
def one_tap(weight, bias, factor, summand, padding):
    if padding and summand.any():
        raise ValueError
    middle = weight[weight.shape[0] // 2, weight.shape[1] // 2]
    return weight * factor[:, None], bias + summand @ middle


@wrong("as_line", points=3.7, why="computes in the dtype of the statistics")
def in_their_dtype(gamma, beta, mean, var, eps):
    factor = gamma / np.sqrt(var + gamma.dtype.type(eps))
    return factor, beta - factor * mean


@wrong("fold_before", points=3.4, why="refuses padding only if a summand is positive")
def positive_summands(weight, bias, factor, summand, padding):
    if padding and summand.max() > 0:
        raise ValueError
    return before(weight, bias, factor, summand)


@wrong("as_line", points=3.7, why="computes in the dtype of the statistics, and returns float64")
def in_their_dtype_first(gamma, beta, mean, var, eps):
    return tuple(part.astype(np.float64) for part in in_their_dtype(gamma, beta, mean, var, eps))
