"""Plausible wrong answers to ensemble_average, and how many of the 7 points each earns."""

import numpy as np

from tinycompress.course import wrong


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


@wrong("arithmetic", points=6, why="takes the logarithm of the mean, which may be 0 where teachers are sure")
def log_of_the_mean(logits, temperature):
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_softmax(logits / temperature)).mean(0))


@wrong("arithmetic", points=6, why="averages at T = 1, and applies the temperature to the result")
def tempered_afterwards(logits, temperature):
    mean = np.logaddexp.reduce(log_softmax(logits), axis=0) - np.log(len(logits))
    return log_softmax(mean / temperature)


@wrong("geometric", points=5, why="takes the mean of the logarithms, and does not normalise the probabilities")
def not_normalised(logits, temperature):
    return log_softmax(logits / temperature).mean(0)


@wrong("gain", points=5, why="computes the gain of the geometric mean")
def gain_of_the_geometric(logits, labels):
    rows = np.arange(len(labels))
    together, alone = log_softmax(logits.mean(0)), log_softmax(logits)
    return float((together[rows, labels] - alone[:, rows, labels].mean(0)).mean())
