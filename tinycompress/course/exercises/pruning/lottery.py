"""The lottery ticket (45 minutes, 9 points).

A net that was pruned to a tenth of its weights is good. But train such a small net from the beginning, and it is worse. Is that
because it is small? Frankle & Carbin (2019) found that it depends on where it begins: with the *same* first weights that the
large net began with, the small one trains as well as the large one. They call it a winning ticket. It is found like this:

    1. train the net from its first weights;
    2. of the weights that are left in each layer, remove a share of the smallest;
    3. set those that are left back to their first values, and begin again at 1, for some rounds.

Here a net has two layers and no biases: its logits are relu(x @ (w1 * m1)) @ (w2 * m2), with masks m1, m2 of booleans, True =
kept. It is trained with this course's engine, by plain gradient descent on the whole batch, with the mean cross-entropy:

    import tinycompress as tc
    w1 = tc.Tensor(array, requires_grad=True)       y = (tc.Tensor(x) @ w1).relu()        y * mask also takes an array
    loss = tc.functional.cross_entropy(logits, labels)      loss.backward(), and then w1.grad;  w1.grad = None empties it
"""

import numpy as np

import tinycompress as tc


def train(weights: list, masks: list, x: np.ndarray, labels: np.ndarray, steps: int, lr: float) -> list:
    """[w1, w2] after this many steps, float64; a weight that the mask removes is 0 in the result.

    weights: the first w1 (inputs, hidden) and w2 (hidden, classes), float64; masks: booleans of the same shapes; x: (N,
    inputs); labels: (N,). No argument may be changed.
    """
    ### BEGIN SOLUTION
    net = [tc.Tensor(w * m, requires_grad=True) for w, m in zip(weights, masks, strict=True)]
    x = tc.Tensor(x)
    for _ in range(steps):
        loss = tc.functional.cross_entropy((x @ net[0]).relu() @ net[1], labels)
        loss.backward()
        for w, m in zip(net, masks, strict=True):
            w.data = w.data - lr * w.grad * m
            w.grad = None
    return [w.data for w in net]
    ### END SOLUTION


def pruned(trained: list, masks: list, share: float) -> list:
    """The next masks: in each layer, int(share * kept) more weights are removed, those of smallest magnitude.

    trained: arrays; masks: booleans of the same shapes, of which `kept` are True. A weight that was removed stays removed. Of
    equal magnitudes the first one goes, row by row. No argument may be changed.
    """
    ### BEGIN SOLUTION
    new = []
    for weight, mask in zip(trained, masks, strict=True):
        size = np.where(mask, np.abs(weight), np.inf)
        after = mask.copy()
        order = np.argsort(size, axis=None, kind="stable")[: int(share * mask.sum())]
        after[np.unravel_index(order, mask.shape)] = False
        new.append(after)
    return new
    ### END SOLUTION


def ticket(first: list, x: np.ndarray, labels: np.ndarray, rounds: int, share: float, steps: int, lr: float) -> list:
    """The masks after this many rounds of training, pruning, and going back to the first weights; all True after none."""
    ### BEGIN SOLUTION
    masks = [np.ones(w.shape, bool) for w in first]
    for _ in range(rounds):
        masks = pruned(train(first, masks, x, labels, steps, lr), masks, share)
    return masks
    ### END SOLUTION
