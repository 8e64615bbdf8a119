"""Learning weights that are only signs (45 minutes, 9 points).

A layer whose weights are signs times one scale per neuron takes a bit per weight (Rastegari et al. 2016, XNOR-Net). But such
a layer cannot be trained by gradient descent: a small step changes no sign, so that the derivative is 0 almost everywhere.
The way out is the straight-through estimator (Hinton 2012, Bengio et al. 2013). Training keeps real weights, the latent ones.
The forward pass uses their signs; the backward pass treats the rounding as if it had done nothing. A latent weight thus adds
up many small steps, until its sign changes.

Two details (Courbariaux et al. 2016): where a latent weight is beyond -1 or 1, its gradient is set to 0; and after each step
the latent weights are clipped to -1 to 1. Otherwise they would run away, and never come back to change their signs.

    latent    0.3  -0.5           binary, with the scale 0.4 = (0.3 + 0.5) / 2 of the first neuron     0.4  -0.6
             -0.5   0.7           and 0.6 of the second                                               -0.4   0.6
"""

import numpy as np


def binarize(latent: np.ndarray) -> np.ndarray:
    """sign(latent) times the mean magnitude of its neuron, in the dtype and shape of latent, (inputs, neurons).

    The sign of 0 is 1, so that there are only two values per neuron.
    """
    ### BEGIN SOLUTION
    return np.where(latent >= 0, 1, -1).astype(latent.dtype) * np.abs(latent).mean(0)
    ### END SOLUTION


def straight_through(grad: np.ndarray, latent: np.ndarray) -> np.ndarray:
    """The gradient that is passed on to the latent weights: grad, or 0 where a latent weight is below -1 or above 1.

    grad: the derivative of the loss by the binary weights; latent: of the same shape. No argument may be changed.
    """
    ### BEGIN SOLUTION
    return np.where(np.abs(latent) <= 1, grad, 0)
    ### END SOLUTION


def step(latent: np.ndarray, bias: np.ndarray, x: np.ndarray, labels: np.ndarray, lr: float) -> tuple:
    """(latent, bias) after one step of gradient descent on the whole batch.

    The layer's logits are x @ binarize(latent) + bias, and the loss is the mean cross-entropy of their softmax with the
    labels. x: (N, inputs); labels: (N,), classes from 0; latent: (inputs, classes), clipped afterwards; bias: (classes,), an
    ordinary parameter, not clipped. No argument may be changed.
    """
    ### BEGIN SOLUTION
    z = x @ binarize(latent) + bias
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    p /= len(labels)
    moved = latent - lr * straight_through(x.T @ p, latent)
    return np.clip(moved, -1, 1), bias - lr * p.sum(0)
    ### END SOLUTION
