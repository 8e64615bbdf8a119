"""Plausible wrong answers to straight_through, and how many of the 9 points each earns."""

import numpy as np

from tinycompress.course import wrong


def binary(latent):
    return np.where(latent >= 0, 1, -1).astype(latent.dtype) * np.abs(latent).mean(0)


def passed(grad, latent):
    return np.where(np.abs(latent) <= 1, grad, 0)


def error_of(z, labels):
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    return p / len(labels)


@wrong("binarize", points=8.6, why="has three values, since np.sign(0) is 0")
def sign_of_zero(latent):
    return np.sign(latent) * np.abs(latent).mean(0)


@wrong("binarize", points=6.9, why="has one scale for the whole layer")
def one_scale(latent):
    return np.where(latent >= 0, 1, -1).astype(latent.dtype) * np.abs(latent).mean()


@wrong("binarize", points=6.9, why="leaves out the scale")
def signs_only(latent):
    return np.where(latent >= 0, 1, -1).astype(latent.dtype)


@wrong("binarize", points=6.9, why="takes the mean, not the mean magnitude")
def mean_with_signs(latent):
    return np.where(latent >= 0, 1, -1).astype(latent.dtype) * np.abs(latent.mean(0))


@wrong("binarize", points=8.6, why="returns float64")
def in_float64(latent):
    return np.where(latent >= 0, 1.0, -1.0) * np.abs(latent).mean(0)


@wrong("straight_through", points=7.1, why="passes all gradients")
def all_pass(grad, latent):
    return grad.copy()


@wrong("straight_through", points=8.6, why="passes nothing at exactly 1 and -1")
def strictly_inside(grad, latent):
    return np.where(np.abs(latent) < 1, grad, 0)


@wrong("straight_through", points=7.1, why="clips the gradient instead of looking at the weights")
def clipped_gradient(grad, latent):
    return np.clip(grad, -1, 1)


@wrong("straight_through", points=8.64, why="writes into the caller's gradient")
def in_place(grad, latent):
    grad[np.abs(latent) > 1] = 0
    return grad


@wrong("step", points=4.7, why="moves the binary weights, so that small steps are lost")
def steps_from_binary(latent, bias, x, labels, lr):
    error = error_of(x @ binary(latent) + bias, labels)
    moved = binary(latent) - lr * passed(x.T @ error, latent)
    return np.clip(moved, -1, 1), bias - lr * error.sum(0)


@wrong("step", points=5.1, why="uses the latent weights in the forward pass")
def latent_forward(latent, bias, x, labels, lr):
    error = error_of(x @ latent + bias, labels)
    return np.clip(latent - lr * passed(x.T @ error, latent), -1, 1), bias - lr * error.sum(0)


@wrong("step", points=8.2, why="does not clip")
def not_clipped(latent, bias, x, labels, lr):
    error = error_of(x @ binary(latent) + bias, labels)
    return latent - lr * passed(x.T @ error, latent), bias - lr * error.sum(0)


@wrong("step", points=8.2, why="clips the bias, too")
def bias_clipped(latent, bias, x, labels, lr):
    error = error_of(x @ binary(latent) + bias, labels)
    moved = latent - lr * passed(x.T @ error, latent)
    return np.clip(moved, -1, 1), np.clip(bias - lr * error.sum(0), -1, 1)


@wrong("step", points=4.7, why="takes the sum over the batch")
def sum_over_the_batch(latent, bias, x, labels, lr):
    error = error_of(x @ binary(latent) + bias, labels) * len(labels)
    return np.clip(latent - lr * passed(x.T @ error, latent), -1, 1), bias - lr * error.sum(0)


@wrong("step", points=8, why="overflows")
def overflows(latent, bias, x, labels, lr):
    with np.errstate(all="ignore"):
        p = np.exp(x @ binary(latent) + bias)
        p /= p.sum(1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    p /= len(labels)
    return np.clip(latent - lr * passed(x.T @ p, latent), -1, 1), bias - lr * p.sum(0)


@wrong("step", points=8.2, why="passes the gradient to weights beyond -1 and 1, too")
def all_learn(latent, bias, x, labels, lr):
    error = error_of(x @ binary(latent) + bias, labels)
    return np.clip(latent - lr * x.T @ error, -1, 1), bias - lr * error.sum(0)
