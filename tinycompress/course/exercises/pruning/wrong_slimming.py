"""Plausible wrong answers to slimming, and how many of the 5 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("pulled", points=3.3, why="takes a gradient step of the penalty, which jumps about 0")
def subgradient(gamma, grad, lr, strength):
    return gamma - lr * (grad + strength * np.sign(gamma)).astype(gamma.dtype)


@wrong("pulled", points=3.3, why="pulls with the square, as weight decay does, which never reaches 0")
def weight_decay(gamma, grad, lr, strength):
    return gamma - (lr * (grad + strength * gamma)).astype(gamma.dtype)


@wrong("pulled", points=3.3, why="does not multiply the pull by the learning rate")
def without_lr(gamma, grad, lr, strength):
    moved = gamma - lr * grad
    return (np.sign(moved) * np.maximum(np.abs(moved) - strength, 0)).astype(gamma.dtype)


@wrong("pulled", points=4, why="keeps the sign of before the step")
def old_sign(gamma, grad, lr, strength):
    moved = gamma - lr * grad
    return (np.sign(gamma) * np.maximum(np.abs(moved) - lr * strength, 0)).astype(gamma.dtype)


@wrong("pulled", points=4, why="allows no factor below 0")
def never_negative(gamma, grad, lr, strength):
    return np.maximum(gamma - lr * grad - lr * strength, 0).astype(gamma.dtype)


@wrong("kept_channels", points=4.3, why="removes negative factors")
def positive(gammas):
    kept = [gamma > 0 for gamma in gammas]
    for mask in kept:
        mask[0] |= not mask.any()
    return kept


@wrong("kept_channels", points=4.6, why="may empty a layer")
def empties(gammas):
    return [gamma != 0 for gamma in gammas]


@wrong("kept_channels", points=4.4, why="takes small factors for 0")
def about_zero(gammas):
    kept = [~np.isclose(gamma, 0) for gamma in gammas]
    for mask in kept:
        mask[0] |= not mask.any()
    return kept


def _smaller(layer, kept):
    return {name: part[..., kept] for name, part in layer.items()}


@wrong("slim", points=2.8, why="forgets what a channel with gamma 0 still says")
def silent(layer, reader, reader_bias, kept):
    return _smaller(layer, kept), reader[kept], reader_bias


@wrong("slim", points=3, why="adds beta without the ReLU")
def without_relu(layer, reader, reader_bias, kept):
    return _smaller(layer, kept), reader[kept], reader_bias + layer["beta"][~kept] @ reader[~kept]


@wrong("slim", points=4.6, why="adds to the caller's bias")
def in_place(layer, reader, reader_bias, kept):
    reader_bias += np.maximum(layer["beta"][~kept], 0) @ reader[~kept]
    return _smaller(layer, kept), reader[kept], reader_bias
