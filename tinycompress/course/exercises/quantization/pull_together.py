"""Pulled together while they train (30 minutes, 6 points).

If the weights of a layer share a few values, each stores only the number of its value. To cluster a trained net moves every
weight to the nearest of these values, some of them far. It is better if the weights gather by themselves while the net trains.
So a penalty pulls each weight w towards the centroid c(w) that is nearest to it,

    P = strength / 2 * sum of (w - c(w))^2,        dP/dw = strength * (w - c(w)),

and after each step the centroids follow their weights, as in k-means: each becomes the mean of the weights to which it is the
nearest one. (Nowlan & Hinton 1992 pull towards Gaussians, whose widths follow the weights, too: soft weight-sharing.) A weight
that is exactly 0 was pruned. It belongs to no centroid, is not pulled, and stays 0.

    weights 0.1  0.6  0  0.9       centroids 0.2 and 0.8,  strength 2
    w - c(w)  -0.1 -0.2  -  0.1    P = 0.01 + 0.04 + 0.01 = 0.06       the centroids become 0.1 and (0.6 + 0.9) / 2 = 0.75

A step moves a weight by the share lr * strength of its distance to the centroid: this product must be below 1. In the engine:

    import tinycompress as tc
    w1 = tc.Tensor(array, requires_grad=True)       y = (tc.Tensor(x) @ w1).relu()
    loss = tc.functional.cross_entropy(logits, labels)      loss.backward(), and then w1.grad
"""

import numpy as np

import tinycompress as tc


### BEGIN SOLUTION
def _nearest(weight, centroids):
    return np.abs(weight[..., None] - centroids).argmin(-1)


### END SOLUTION
def pull(weight: np.ndarray, centroids: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
    """(P, dP/dw) of one layer, dP/dw in the shape of the weight.

    weight: any shape; centroids: (k,), in any order. Of equally near centroids, the first one pulls. No argument may be changed:
    `train` still needs the weights, so `weight -= …` costs points here and there.
    """
    ### BEGIN SOLUTION
    away = np.where(weight == 0, 0, weight - centroids[_nearest(weight, centroids)])
    return float(strength / 2 * (away**2).sum()), strength * away
    ### END SOLUTION


def followed(weight: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The centroids after they have followed their weights, (k,); one that is the nearest to no weight stays where it is.

    weight, centroids: as in `pull`. No argument may be changed.
    """
    ### BEGIN SOLUTION
    alive = weight[weight != 0]
    near = _nearest(alive, centroids)
    return np.array([alive[near == j].mean() if (near == j).any() else c for j, c in enumerate(centroids)])
    ### END SOLUTION


def lost(weight: np.ndarray, centroids: np.ndarray) -> float:
    """What is lost if each weight is replaced by its centroid: the sum of (w - c(w))^2, as a share of the sum of w^2.

    weight, centroids: as in `pull`. A weight of zeros only loses nothing, 0.
    """
    ### BEGIN SOLUTION
    squares = float((weight**2).sum())
    return 2 * pull(weight, centroids, 1.0)[0] / squares if squares else 0.0
    ### END SOLUTION


def train(
    weights: list, centroids: list, x: np.ndarray, labels: np.ndarray, steps: int, lr: float, strength: float
) -> tuple[list, list]:
    """([w1, w2], [centroids of w1, centroids of w2]) after this many steps of gradient descent on the whole batch.

    weights: the first w1 (inputs, hidden) and w2 (hidden, classes), float64; centroids: an array for each; x: (N, inputs);
    labels: (N,). The logits are relu(x @ w1) @ w2. The loss is the mean cross-entropy, plus the P of both layers. Each step moves
    the weights first, then the centroids. A weight that is 0 at the beginning stays 0. No argument may be changed.
    """
    ### BEGIN SOLUTION
    weights, centroids, x = [w.copy() for w in weights], [c.copy() for c in centroids], tc.Tensor(x)
    kept = [w != 0 for w in weights]
    for _ in range(steps):
        net = [tc.Tensor(w, requires_grad=True) for w in weights]
        tc.functional.cross_entropy((x @ net[0]).relu() @ net[1], labels).backward()
        for i, w in enumerate(weights):
            weights[i] = (w - lr * (net[i].grad + pull(w, centroids[i], strength)[1])) * kept[i]
            centroids[i] = followed(weights[i], centroids[i])
    return weights, centroids
    ### END SOLUTION
