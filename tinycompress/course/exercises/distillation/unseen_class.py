"""A class that the student never saw (30 minutes, 6 points).

A student that learned from a teacher's outputs, but never saw a 3, still knows what a 3 looks like: it learned that from the
teacher's doubts about 8s and 2s. But it thinks that 3s are rare, since it saw none, and so it seldom answers 3. Hinton et al.
(2015, section 3) fix this with one number, added to the logit of the 3. They chose it on the test set. You can do better:

1. You may know how frequent a class is, for example from the teacher's outputs on images without labels. This determines
   the number: with it, the student's mean probability of the class must equal that frequency.
2. If only the frequencies change between training and use, all logits can be corrected without a search. Bayes' rule
   multiplies p(class | image) by new / old frequency, and normalises the products to add up to 1 again.
"""

import numpy as np


def shift(logits: np.ndarray, unseen: int, frequency: float) -> float:
    """The number b that, added to the logit of the class `unseen`, makes the class's mean probability equal to `frequency`.

    logits: (N, classes), of images without labels. Raises ValueError unless 0 < frequency < 1. The mean probability must be
    right to 1e-6; b is between -50 and 50.
    """
    ### BEGIN SOLUTION
    if not 0 < frequency < 1:
        raise ValueError(f"a frequency must be between 0 and 1, got {frequency}")
    others = np.delete(logits, unseen, axis=1)
    largest = others.max(1)
    ahead = logits[:, unseen] - largest - np.log(np.exp(others - largest[:, None]).sum(1))
    low, high = -50.0, 50.0
    for _ in range(60):
        b = (low + high) / 2
        mean = (1 / (1 + np.exp(-(ahead + b)))).mean()
        low, high = (b, high) if mean < frequency else (low, b)
    return float(low)
    ### END SOLUTION


def with_new_frequencies(logits: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Corrected logits (N, classes) of a net that was trained at the class frequencies `old` and is used at `new`.

    old, new: (classes,), each with the sum 1. A class with the new frequency 0 gets the logit -inf. Raises ValueError for a
    class whose old frequency is 0 and whose new one is not: no factor turns 0 into something else.
    """
    ### BEGIN SOLUTION
    if ((old == 0) & (new > 0)).any():
        raise ValueError("Bayes' rule cannot bring back a class that never occurred")
    with np.errstate(divide="ignore"):
        factor = np.log(np.where(new > 0, new / np.where(old > 0, old, 1), 0))
    return logits + factor
    ### END SOLUTION


def recalls(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each class, the share of its images that are recognised, (classes,); NaN for a class without images."""
    ### BEGIN SOLUTION
    right = logits.argmax(1) == labels
    classes = np.arange(logits.shape[1])
    with np.errstate(invalid="ignore"):
        return np.array([right[labels == c].sum() for c in classes]) / np.array([(labels == c).sum() for c in classes])
    ### END SOLUTION
