"""Two ways to average teachers (25 minutes, 5 points).

Several teachers know more than one. One can average their probabilities, or their logits:

    arithmetic: the mean of softmax(logits / T): one sure teacher is enough to make a class possible
    geometric:  softmax of the mean of logits / T. This is the geometric mean of the probabilities, normalised so that they
                add up to 1: one sure teacher is enough to make a class impossible

Two teachers say (0.9, 0.1) and (0.5, 0.5). The arithmetic mean is (0.7, 0.3). The geometric means are sqrt(0.45) and
sqrt(0.05), a ratio of 3 to 1, so the result is (0.75, 0.25).

Both functions return logarithms, which a student's loss needs. exp(-1000) is 0 in floating point, but its logarithm, -1000,
is an ordinary number. So never take the logarithm of a probability that you have computed. np.logaddexp adds probabilities
that are given by their logarithms.
"""

import numpy as np

### BEGIN SOLUTION


def _log_softmax(z):
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


### END SOLUTION


def arithmetic(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logarithms of the arithmetic mean of the teachers' probabilities at temperature T.

    logits: (teachers, N, classes). Returns (N, classes): finite, and exact up to rounding, however sure the teachers are.
    """
    ### BEGIN SOLUTION
    return np.logaddexp.reduce(_log_softmax(logits / temperature), axis=0) - np.log(len(logits))
    ### END SOLUTION


def geometric(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logarithms of the normalised geometric mean of the teachers' probabilities at T. Shapes as in `arithmetic`."""
    ### BEGIN SOLUTION
    return _log_softmax(logits.mean(0) / temperature)
    ### END SOLUTION


def gain(logits: np.ndarray, labels: np.ndarray) -> float:
    """The average teacher's cross-entropy minus that of the arithmetic mean, both at T = 1, in nats.

    logits: (teachers, N, classes); labels: (N,). Both are means over the examples; the first is also a mean over the teachers.
    The gain is never negative (why?), and it is 0 if the teachers agree.
    """
    ### BEGIN SOLUTION
    rows = np.arange(len(labels))
    return float((arithmetic(logits, 1.0)[rows, labels] - _log_softmax(logits)[:, rows, labels].mean(0)).mean())
    ### END SOLUTION
