"""A class that the student never saw (30 minutes, 8 points).

A student that learned from a teacher's outputs, but never saw a 3, knows what a 3 looks like: the teacher's doubts about 8s
and 2s told it. Only it thinks that 3s are rare, since none came, and seldom says so. Hinton et al. (2015, section 3) mend
that with one number, added to the logit of the 3. They chose it on the test set. You do without.

1. If one knows how frequent a class is, say from the teacher's outputs on images without labels, then the number follows:
   with it, the student's probabilities of this class are as large as that on average.
2. If only the frequencies change between training and use, all logits can be corrected without any search: Bayes' rule
   multiplies p(class | image) by new / old frequency, and makes the products add up to 1 again.
"""

import numpy as np


def shift(logits: np.ndarray, unseen: int, frequency: float) -> float:
    """The number b that, added to the logit of the class `unseen`, makes its mean probability equal to `frequency`.

    logits: (N, classes), of images without labels; 0 < frequency < 1, else ValueError. Exact to 1e-6; b is between -50 and 50.
    """
    ### BEGIN SOLUTION
    if not 0 < frequency < 1:
        raise ValueError(f"a frequency is between 0 and 1, but this is {frequency}")
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
    """Logits (N, classes) of a net that is used where classes are as frequent as `new`, but was trained where they were
    as frequent as `old`; both (classes,), and add up to 1.

    A class that does not come any more gets -inf. Raises ValueError where one would come that never came before: no factor
    turns a 0 into something.
    """
    ### BEGIN SOLUTION
    if ((old == 0) & (new > 0)).any():
        raise ValueError("Bayes' rule cannot bring back a class that never came")
    with np.errstate(divide="ignore"):
        factor = np.log(np.where(new > 0, new / np.where(old > 0, old, 1), 0))
    return logits + factor
    ### END SOLUTION


def recalls(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each class the share of its images that are recognised, (classes,); NaN for a class of which there are none."""
    ### BEGIN SOLUTION
    right = logits.argmax(1) == labels
    classes = np.arange(logits.shape[1])
    with np.errstate(invalid="ignore"):
        return np.array([right[labels == c].sum() for c in classes]) / np.array([(labels == c).sum() for c in classes])
    ### END SOLUTION
