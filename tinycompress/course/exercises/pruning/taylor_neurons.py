"""Which neuron would be missed? Taylor's answer (30 minutes, 9 points).

A neuron's importance is how much the loss changes when its output h becomes 0. Taylor's first term estimates that without
trying it, from one backward pass: the change is about |h * dL/dh| (Molchanov et al. 2017, "Pruning Convolutional Neural
Networks for Resource Efficient Inference").

For a channel, h is a whole image of numbers, which all go at once: their products are added up first, so that they may
cancel, and only then comes the absolute value. Over the examples it is the other way round: one that the neuron helps and
one that it harms do not make up for each other, so that each example's absolute value counts, and the mean is taken.

    one neuron, two examples:   h = 3, 1    dl/dh = 2, -5       (3*2, 1*-5) = (6, -5)       importance (6 + 5) / 2 = 5.5
    one channel of two pixels:  h = 3, 1    dl/dh = 2, -5       3*2 + 1*-5 = 1              importance 1

where l is the loss of an example. What a training step has at hand is the derivative of the mean loss L of the batch: in
that each example's part has already been divided by the number of examples.
"""

import numpy as np


def importance(h: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """Taylor's importance of each neuron or channel.

    h: outputs, (batch, neurons) or (batch, height, width, channels); grad: the derivative of the mean loss of the batch by
    them, of the same shape. Returns (neurons,) or (channels,).
    """
    ### BEGIN SOLUTION
    change = h * grad
    if change.ndim == 4:
        change = change.sum((1, 2))
    return np.abs(change).sum(0)  # grad has the 1 / batch of the mean in it
    ### END SOLUTION


def comparable(scores: list) -> list:
    """Scores of several layers, each divided by its Euclidean length, so that layers can be compared.

    scores: arrays (neurons,) of different lengths. Returns new arrays. A layer in which nothing matters stays 0.
    """
    ### BEGIN SOLUTION
    lengths = [np.linalg.norm(s) for s in scores]
    return [s / length if length else np.zeros(len(s)) for s, length in zip(scores, lengths, strict=True)]
    ### END SOLUTION


def keep(scores: list, count: int) -> list:
    """Which neurons stay when the `count` least important ones of the whole net go.

    scores: arrays (neurons,), comparable between layers. Returns arrays of booleans, True = stays. A layer never loses its
    most important neuron, as nothing would get through. Of equal scores the earlier layer, and in it the earlier neuron, goes
    first. Raises ValueError if so many cannot go.
    """
    ### BEGIN SOLUTION
    if count > sum(len(s) - 1 for s in scores):
        raise ValueError(f"{count} neurons cannot go: each layer keeps one")
    kept = [np.ones(len(s), bool) for s in scores]
    best = [len(s) - 1 - int(np.argmax(s[::-1])) for s in scores]  # of equals the last one stays
    places = [(s[k], layer, k) for layer, s in enumerate(scores) for k in range(len(s)) if k != best[layer]]
    for _, layer, k in sorted(places)[:count]:
        kept[layer][k] = False
    return kept
    ### END SOLUTION
