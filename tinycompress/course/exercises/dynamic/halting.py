"""Halting: an average over the moments when a net might stop (30 minutes, 6 points).

"Stop here or go on" is a jump, which gradient descent cannot learn. Adaptive computation time (Graves 2016) makes it smooth.
At each exit k the net says with which probability h_k it stops there, if it has come that far. So

    p_k = h_k (1 - h_0) (1 - h_1) ... (1 - h_{k-1})

is the probability that it stops at exit k. At the last exit it must stop: there h counts as 1, whatever it is. Then the p_k
have the sum 1. The net's output is the mean of the exits' outputs with these probabilities, and its cost is the mean of the
exits' costs. Both are smooth, and the loss for training adds them up:

    L = mean over the images of sum_k p_k (loss_k + price * cost_k)

    three exits, h = 1/2, 1/4 and whatever:     p = 1/2, 1/2 * 1/4 = 1/8, and the rest, 3/8

When the net is used, no average is needed: it stops at the first exit by which it has probably stopped.
"""

import numpy as np


def stop_probabilities(h: np.ndarray) -> np.ndarray:
    """p, (exits, N), for h (exits, N) with values from 0 to 1. h may not be changed."""
    ### BEGIN SOLUTION
    come = np.vstack([np.ones((1, h.shape[1])), np.cumprod(1 - h[:-1], axis=0)])
    return come * np.vstack([h[:-1], np.ones((1, h.shape[1]))])
    ### END SOLUTION


def loss_and_gradient(h: np.ndarray, p: np.ndarray, losses: np.ndarray, costs: np.ndarray, price: float) -> tuple:
    """(L, dL/dh), dL/dh of the shape of h, (exits, N).

    p: as `stop_probabilities` returns it for h; losses: (exits, N); costs: (exits,). h is above 0 and below 1. The last row of
    dL/dh is 0. If h_k grows, p_k grows, and all later p shrink in proportion.
    """
    ### BEGIN SOLUTION
    bill = losses + price * costs[:, None]
    grad = np.zeros(h.shape)
    later = np.cumsum((p * bill)[::-1], axis=0)[::-1]
    grad[:-1] = p[:-1] * bill[:-1] / h[:-1] - later[1:] / (1 - h[:-1])
    return float((p * bill).sum(0).mean()), grad / h.shape[1]
    ### END SOLUTION


def stops(p: np.ndarray, share: float) -> np.ndarray:
    """The exit at which each image stops in use, int64 (N,): the first k with p_0 + ... + p_k >= share, 0 < share <= 1.

    p: as `stop_probabilities` returns it. A sum that falls short of `share` by no more than 1e-9 counts as enough, because of
    rounding.
    """
    ### BEGIN SOLUTION
    enough = np.cumsum(p, axis=0) >= share - 1e-9
    enough[-1] = True
    return enough.argmax(0)
    ### END SOLUTION
