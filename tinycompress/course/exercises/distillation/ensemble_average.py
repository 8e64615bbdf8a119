"""Two ways to average teachers (25 minutes, 7 points).

Several teachers know more than one. Their average can be taken of what they believe, or of what they would say:

    arithmetic: the mean of softmax(logits / T)                 one sure teacher is enough to make a class possible
    geometric:  softmax of the mean of logits / T, which is the geometric mean of the probabilities, made to add up to 1:
                one sure teacher is enough to make a class impossible

Two teachers say (0.9, 0.1) and (0.5, 0.5). Arithmetic: (0.7, 0.3). Geometric: sqrt(0.45) to sqrt(0.05), so (0.75, 0.25).

Both functions return logarithms, since a student needs them: exp(-1000) is 0 in any float, but -1000 is a number like any
other. So never take the logarithm of a probability; np.logaddexp adds probabilities whose logarithms are given.
"""

import numpy as np

### BEGIN SOLUTION


def _log_softmax(z):
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


### END SOLUTION


def arithmetic(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logarithms of the arithmetic mean of the teachers' probabilities at the temperature T.

    logits: (teachers, N, classes). Returns (N, classes); finite, and exact to rounding, however sure the teachers are.
    """
    ### BEGIN SOLUTION
    return np.logaddexp.reduce(_log_softmax(logits / temperature), axis=0) - np.log(len(logits))
    ### END SOLUTION


def geometric(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logarithms of the normalised geometric mean of the teachers' probabilities at T; shapes as in `arithmetic`."""
    ### BEGIN SOLUTION
    return _log_softmax(logits.mean(0) / temperature)
    ### END SOLUTION


def gain(logits: np.ndarray, labels: np.ndarray) -> float:
    """By how much the arithmetic mean's cross-entropy (T = 1) is below that of a teacher on average; in nats.

    logits: (teachers, N, classes); labels: (N,). The mean over teachers and examples, less that of the ensemble. It is never
    negative (why?), and 0 where the teachers agree.
    """
    ### BEGIN SOLUTION
    rows = np.arange(len(labels))
    return float((arithmetic(logits, 1.0)[rows, labels] - _log_softmax(logits)[:, rows, labels].mean(0)).mean())
    ### END SOLUTION
