"""Leave where the entropy is low (30 minutes, 6 points).

In a net with an early exit, an image leaves at the exit if the exit is sure enough. BranchyNet (Teerapittayanon et al. 2016)
measures this by the entropy of the exit's probabilities p, in nats:

    H = - sum over classes of  p * log(p)

H is 0 if one class has all the probability, and log(classes) if all classes are equally likely. Images with H <= T leave.
With a larger threshold T more images leave, and the net is faster. T is chosen on validation images: as many images as
possible should leave, while the accuracy of all answers, early and late ones together, reaches a given value. For example:

    entropies 0.1 0.2 0.3 0.4    early answers right: yes no yes no     late answers right: no yes yes yes
    no image leaves: 75 %    T = 0.1: 100 %    T = 0.2: 75 %    T = 0.3: 75 %    T = 0.4: 50 %

So the accuracy may rise and fall with T. For an accuracy of 75 % the threshold is 0.3.
"""

import numpy as np


def entropy(logits: np.ndarray) -> np.ndarray:
    """The entropy in nats of each image's probabilities, the softmax of its logits: (N, classes) -> (N,) float64.

    Exact to 1e-9, also for logits of a thousand and more: never infinite, NaN or below 0.
    """
    ### BEGIN SOLUTION
    z = logits.astype(np.float64)
    z = z - z.max(1, keepdims=True)
    weights = np.exp(z)
    total = weights.sum(1)
    return np.maximum(np.log(total) - (weights * z).sum(1) / total, 0)
    ### END SOLUTION


def judge(entropies: np.ndarray, early: np.ndarray, late: np.ndarray, threshold: float) -> tuple[float, float]:
    """(the share of images that leave, the share of all images whose answer is right) at this threshold.

    entropies: (N,), at the exit; early, late: booleans (N,), whether the exit's answer and the whole net's answer are right.
    """
    ### BEGIN SOLUTION
    leaves = entropies <= threshold
    return float(leaves.mean()), float(np.where(leaves, early, late).mean())
    ### END SOLUTION


def choose_threshold(entropies: np.ndarray, early: np.ndarray, late: np.ndarray, accuracy: float) -> float:
    """The largest threshold at which the share of right answers, as in `judge`, is at least `accuracy`.

    The threshold is one of the entropies, or -1 if no image may leave. Raises ValueError if even -1 does not reach the
    accuracy.
    """
    ### BEGIN SOLUTION
    good = [
        threshold
        for threshold in (-1.0, *np.unique(entropies).tolist())
        if np.where(entropies <= threshold, early, late).mean() >= accuracy
    ]
    if not good:
        raise ValueError(f"no threshold reaches an accuracy of {accuracy:.4f}")
    return max(good)
    ### END SOLUTION
