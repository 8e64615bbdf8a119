"""Leave where the entropy is low (30 minutes, 10 points).

A net with an early exit lets an image go if the exit is sure enough. BranchyNet (Teerapittayanon et al. 2016) measures that
by the entropy of the exit's probabilities p, in nats:

    H = - sum over classes of  p * log(p)

0 if one class has all the probability, log(classes) if all are equally likely. Images with H <= T leave. With a larger
threshold T more of them do, and the net is faster. T is chosen on validation images: as many as possible should leave while
the accuracy of the whole, early answers and late ones together, is what was asked for.

    entropies 0.1 0.2 0.3 0.4    early answers right: yes no yes no     late ones: no yes yes yes
    nobody leaves: 75 %    T = 0.1: 100 %    T = 0.2: 75 %    T = 0.3: 75 %    T = 0.4: 50 %

So accuracy may rise and fall with T: for 75 % the threshold is 0.3.
"""

import numpy as np


def entropy(logits: np.ndarray) -> np.ndarray:
    """The entropy in nats of each image's probabilities, the softmax of its logits: (N, classes) -> (N,) float64.

    Exact to 1e-9, also for logits of a thousand and more: no infinity, no NaN, nothing below 0.
    """
    ### BEGIN SOLUTION
    z = logits.astype(np.float64)
    z = z - z.max(1, keepdims=True)
    weights = np.exp(z)
    total = weights.sum(1)
    return np.maximum(np.log(total) - (weights * z).sum(1) / total, 0)
    ### END SOLUTION


def judge(entropies: np.ndarray, early: np.ndarray, late: np.ndarray, threshold: float) -> tuple[float, float]:
    """(the share of images that leave, the share of all images that get a right answer) at this threshold.

    entropies: (N,) at the exit; early, late: booleans (N,), whether the exit and the whole net are right.
    """
    ### BEGIN SOLUTION
    leaves = entropies <= threshold
    return float(leaves.mean()), float(np.where(leaves, early, late).mean())
    ### END SOLUTION


def choose_threshold(entropies: np.ndarray, early: np.ndarray, late: np.ndarray, accuracy: float) -> float:
    """The largest threshold that is right for at least `accuracy` (a share) of the images, as `judge` has it.

    Of the entropies themselves, or -1 if nobody may leave. Raises ValueError if the accuracy is not reached then, either.
    """
    ### BEGIN SOLUTION
    good = [
        threshold
        for threshold in (-1.0, *np.unique(entropies).tolist())
        if np.where(entropies <= threshold, early, late).mean() >= accuracy
    ]
    if not good:
        raise ValueError(f"no threshold is right for {accuracy:.4f} of the images")
    return max(good)
    ### END SOLUTION
