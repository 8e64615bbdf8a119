"""Learning from a teacher's doubts (35 minutes, 7 points).

A teacher that says "a 3, and if not, rather an 8 than a 1" says more than a label does. Its doubts are small numbers. A
temperature T makes them larger (Hinton et al. 2015): p = softmax(z / T) for logits z. With t the teacher's logits and s the
student's, the student minimises

    L = alpha T^2 * cross-entropy(softmax(t / T), softmax(s / T)) + (1 - alpha) * cross-entropy(label, softmax(s))

where both cross-entropies are means over the batch. To train the student you need the derivative of L by its logits. A
temperature has another use, too. Nets are usually too confident, and dividing all logits by one number, found on validation
data, fixes that (Guo et al. 2017, "On Calibration of Modern Neural Networks").

One example of two classes: for t = (2, 0) and T = 2 the teacher says (0.73, 0.27); at T = 1 it would say (0.88, 0.12).
"""

import numpy as np


def soften(logits: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(logits / T), of shape (N, classes), for logits of any magnitude. Raises ValueError unless T > 0."""
    ### BEGIN SOLUTION
    if not temperature > 0:
        raise ValueError(f"a temperature must be above 0, got {temperature}")
    z = logits / temperature
    p = np.exp(z - z.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)
    ### END SOLUTION


def gradient(
    student: np.ndarray, teacher: np.ndarray, labels: np.ndarray, temperature: float, alpha: float
) -> np.ndarray:
    """dL/ds for the loss above. student, teacher: logits (N, classes); labels: (N,). Returns (N, classes)."""
    ### BEGIN SOLUTION
    soft = temperature * (soften(student, temperature) - soften(teacher, temperature))
    hard = soften(student, 1.0)
    hard[np.arange(len(labels)), labels] -= 1
    return (alpha * soft + (1 - alpha) * hard) / len(labels)
    ### END SOLUTION


def calibrate(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature between 0.05 and 20 at which the cross-entropy with the labels is smallest, to within 0.1 %.

    logits: (N, classes), of validation data; labels: (N,). (As a function of 1 / T the cross-entropy is convex, so it has
    only one minimum.)
    """
    ### BEGIN SOLUTION
    rows = np.arange(len(labels))

    def slope(b):  # derivative of the mean cross-entropy by b = 1 / T
        return ((soften(b * logits, 1.0) * logits).sum(1) - logits[rows, labels]).mean()

    low, high = 1 / 20, 1 / 0.05
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return float(1 / low)
    ### END SOLUTION
