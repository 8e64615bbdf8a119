"""Which neuron would be missed? Taylor's answer (30 minutes, 6 points).

A neuron's importance is how much the loss changes when its output h becomes 0. The first term of a Taylor series estimates
this from one backward pass, without trying it: the change is about |h * dL/dh| (Molchanov et al. 2017, "Pruning
Convolutional Neural Networks for Resource Efficient Inference").

A channel's h is a whole image of numbers, and all of them become 0 at once. So their products are added up first (they may
cancel), and then the absolute value is taken. Between examples nothing cancels: an example that the neuron helps does not
make up for one that it harms. So the absolute value is taken for each example, and then the mean over the examples:

    one neuron, two examples:   h = 3, 1    dl/dh = 2, -5       (3*2, 1*-5) = (6, -5)       importance (6 + 5) / 2 = 5.5
    one channel of two pixels:  h = 3, 1    dl/dh = 2, -5       3*2 + 1*-5 = 1              importance 1

Here l is the loss of one example. A training step computes the derivative of the mean loss L of the batch instead, in which
each example's part is already divided by the number of examples.
"""

import numpy as np


def importance(h: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """Taylor's importance of each neuron or channel.

    h: outputs, (batch, neurons) or (batch, height, width, channels); grad: the derivative of the batch's mean loss L by h,
    of the same shape. Returns (neurons,) or (channels,).
    """
    ### BEGIN SOLUTION
    change = h * grad
    if change.ndim == 4:
        change = change.sum((1, 2))
    return np.abs(change).sum(0)  # grad already contains the factor 1 / batch of the mean
    ### END SOLUTION


def comparable(scores: list) -> list:
    """The scores of several layers, each layer's divided by their Euclidean norm, so that layers can be compared.

    scores: one array (neurons,) per layer, of different lengths. Returns new arrays. Scores that are all 0 stay 0.
    """
    ### BEGIN SOLUTION
    lengths = [np.linalg.norm(s) for s in scores]
    return [s / length if length else np.zeros(len(s)) for s, length in zip(scores, lengths, strict=True)]
    ### END SOLUTION


def keep(scores: list, count: int) -> list:
    """Which neurons stay when the `count` least important ones of the whole net are removed.

    scores: one array (neurons,) per layer, comparable between layers. Returns arrays of booleans, True = stays. A layer never
    loses its most important neuron, because nothing would get through it any more. Of equal scores, the earlier layer's neuron
    is removed first, and within a layer the earlier neuron. Raises ValueError if `count` neurons cannot be removed.
    """
    ### BEGIN SOLUTION
    if count > sum(len(s) - 1 for s in scores):
        raise ValueError(f"{count} neurons cannot be removed: each layer keeps at least one")
    kept = [np.ones(len(s), bool) for s in scores]
    best = [len(s) - 1 - int(np.argmax(s[::-1])) for s in scores]  # the last of equals stays
    places = [(s[k], layer, k) for layer, s in enumerate(scores) for k in range(len(s)) if k != best[layer]]
    for _, layer, k in sorted(places)[:count]:
        kept[layer][k] = False
    return kept
    ### END SOLUTION
