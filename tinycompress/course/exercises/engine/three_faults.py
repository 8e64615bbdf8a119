"""Three faults in a training loop (30 minutes, 6 points).

This file trains a small net, and it runs. It even learns. But it has three faults, each of which was found in real code, and
somebody noticed three things:

1. "A few images are never used, in any epoch. When I tried 32 images with batches of 32, nothing was learned at all."
2. "The larger the batch, the smaller the learning rate must be, or the last layer explodes. The first layer is fine."
3. "Momentum 0 should be plain gradient descent. But with momentum 0 the weights do not move; with 0.9 they do."

Find the faults and repair them. Each has its own place, and a few characters are enough for each. The net is a hidden layer
with ReLU and a layer of logits; its weights are (w1, b1, w2, b2), and its loss is the mean cross-entropy of the batch.

Do not read the code for long: make each complaint reproducible first. Call one function with numbers so small that you know
the result by hand, or compare a derivative with a difference quotient.
"""

import numpy as np


def batches(order: np.ndarray, size: int) -> list:
    """The images' numbers in `order`, cut into arrays of `size`; the last one may be shorter, but is not empty."""
    ### BEGIN SOLUTION
    return [order[start : start + size] for start in range(0, len(order), size)]
    ### STUDENTS GET
    # return [order[start : start + size] for start in range(0, len(order) - size, size)]
    ### END SOLUTION


def gradients(weights: list, x: np.ndarray, labels: np.ndarray) -> list:
    """The derivatives of the mean cross-entropy by w1, b1, w2 and b2, in their shapes. x: (N, inputs); labels: (N,)."""
    w1, b1, w2, b2 = weights
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    error = np.exp(z - z.max(1, keepdims=True))
    error /= error.sum(1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    ### BEGIN SOLUTION
    error /= len(labels)
    back = (error @ w2.T) * (h > 0)
    ### STUDENTS GET
    # back = (error / len(labels)) @ w2.T * (h > 0)
    ### END SOLUTION
    return [x.T @ back, back.sum(0), h.T @ error, error.sum(0)]


def step(weight: np.ndarray, velocity: np.ndarray, grad: np.ndarray, lr: float, momentum: float) -> tuple:
    """(weight, velocity) after a step with momentum (Polyak 1964): the velocity becomes momentum * velocity - lr * grad,
    and is then added to the weight. No argument is changed.
    """
    velocity = momentum * velocity - lr * grad
    ### BEGIN SOLUTION
    return weight + velocity, velocity
    ### STUDENTS GET
    # return weight + momentum * velocity, velocity
    ### END SOLUTION


def train(weights: list, x: np.ndarray, labels: np.ndarray, lr: float, momentum: float, size: int, seed: int) -> list:
    """The weights after one epoch in shuffled batches. There is no fault in this function."""
    order = np.random.default_rng(seed).permutation(len(x))
    velocities = [np.zeros_like(weight) for weight in weights]
    for rows in batches(order, size):
        found = gradients(weights, x[rows], labels[rows])
        moved = [step(w, v, g, lr, momentum) for w, v, g in zip(weights, velocities, found, strict=True)]
        weights, velocities = [w for w, _ in moved], [v for _, v in moved]
    return weights
