"""Faults that are left in three_faults, or repaired badly, and how many of the 6 points are then earned."""

import numpy as np

from tinycompress.course import wrong


@wrong("batches", points=3.4, why="as it was: the last batch is never there")
def last_batch_missing(order, size):
    return [order[start : start + size] for start in range(0, len(order) - size, size)]


@wrong("batches", points=4, why="only full batches")
def full_batches(order, size):
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


@wrong("batches", points=4.8, why="begins a batch at the very end, which is empty where the size divides the number")
def an_empty_batch(order, size):
    return [order[start : start + size] for start in range(0, len(order) + 1, size)]


def _error(weights, x, labels):
    w1, b1, w2, b2 = weights
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    error = np.exp(z - z.max(1, keepdims=True))
    error /= error.sum(1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    return h, error, (error @ w2.T) * (h > 0)


@wrong("gradients", points=3.4, why="as it was: the last layer's derivatives are sums")
def sums_in_the_last_layer(weights, x, labels):
    h, error, back = _error(weights, x, labels)
    back /= len(labels)
    return [x.T @ back, back.sum(0), h.T @ error, error.sum(0)]


@wrong("gradients", points=3.4, why="divides twice for the first layer")
def divided_twice(weights, x, labels):
    h, error, back = _error(weights, x, labels)
    error, back = error / len(labels), back / len(labels) ** 2
    return [x.T @ back, back.sum(0), h.T @ error, error.sum(0)]


@wrong("gradients", points=3.4, why="repairs w2, but not its bias")
def only_w2(weights, x, labels):
    h, error, back = _error(weights, x, labels)
    back /= len(labels)
    return [x.T @ back, back.sum(0), h.T @ error / len(labels), error.sum(0)]


@wrong("step", points=4, why="as it was: the weight moves by momentum times the velocity")
def slowed(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity - lr * grad
    return weight + momentum * velocity, velocity


@wrong("step", points=4.2, why="repairs momentum 0 alone")
def only_without_momentum(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity - lr * grad
    return weight + (momentum or 1) * velocity, velocity


@wrong("step", points=4.2, why="adds the gradient once more, as Nesterov's momentum does")
def nesterov(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity - lr * grad
    return weight + momentum * velocity - lr * grad, velocity


@wrong("step", points=5.64, why="changes weight and velocity in place")
def in_place(weight, velocity, grad, lr, momentum):
    velocity *= momentum
    velocity -= lr * grad
    weight += velocity
    return weight, velocity
