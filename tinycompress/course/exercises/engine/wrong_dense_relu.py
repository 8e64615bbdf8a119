"""Plausible wrong answers to dense_relu, and how many of the 3 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("forward", points=2.3, why="clips at 6, as ReLU6 does, which small outputs do not show")
def clipped_at_six(x, weight, bias):
    return np.clip(x @ weight + bias, 0, 6)


@wrong("forward", points=2.3, why="forgets the bias, which the example of the statement does not show")
def without_bias(x, weight, bias):
    return np.maximum(x @ weight, 0)


@wrong("backward", points=0.8, why="forgets the ReLU")
def linear(grad, x, weight, y):
    return grad @ weight.T, x.T @ grad, grad.sum(0)


@wrong("backward", points=2, why="takes the mean over the batch, although the loss is already one number")
def mean_over_the_batch(grad, x, weight, y):
    grad = grad * (y > 0)
    return grad @ weight.T, x.T @ grad / len(x), grad.mean(0)


@wrong("backward", points=0.8, why="applies the ReLU to the gradient instead of masking by where the neuron was open")
def relu_of_the_gradient(grad, x, weight, y):
    grad = np.maximum(grad, 0)
    return grad @ weight.T, x.T @ grad, grad.sum(0)


@wrong("backward", points=2.5, why="masks dL/dx by the inputs: the ReLU of the wrong layer")
def mask_of_the_inputs(grad, x, weight, y):
    grad = grad * (y > 0)
    return grad @ weight.T * (x > 0), x.T @ grad, grad.sum(0)


@wrong("backward", points=2.8, why="changes the caller's dL/dy")
def in_place(grad, x, weight, y):
    grad *= y > 0
    return grad @ weight.T, x.T @ grad, grad.sum(0)
