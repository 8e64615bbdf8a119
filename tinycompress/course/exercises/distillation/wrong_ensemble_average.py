"""Plausible wrong answers to ensemble_average, and how many of the 5 points each earns."""

import numpy as np

from tinycompress.course import wrong


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


@wrong("arithmetic", points=4.2, why="takes the logarithm of the mean, which may be 0 where teachers are sure")
def log_of_the_mean(logits, temperature):
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_softmax(logits / temperature)).mean(0))


@wrong("arithmetic", points=3.7, why="averages at T = 1, and applies the temperature to the result")
def tempered_afterwards(logits, temperature):
    mean = np.logaddexp.reduce(log_softmax(logits), axis=0) - np.log(len(logits))
    return log_softmax(mean / temperature)


@wrong("geometric", points=3.5, why="takes the mean of the logarithms, and does not normalise the probabilities")
def not_normalised(logits, temperature):
    return log_softmax(logits / temperature).mean(0)


@wrong("gain", points=3.8, why="computes the gain of the geometric mean")
def gain_of_the_geometric(logits, labels):
    rows = np.arange(len(labels))
    together, alone = log_softmax(logits.mean(0)), log_softmax(logits)
    return float((together[rows, labels] - alone[:, rows, labels].mean(0)).mean())


@wrong("geometric", points=4.2, why="overflows")
def naive_geometric(logits, temperature):
    with np.errstate(all="ignore"):
        p = np.exp(logits.mean(0) / temperature)
        return np.log(p / p.sum(-1, keepdims=True))


@wrong("geometric", points=3.7, why="takes two teachers for granted")
def of_two(logits, temperature):
    return log_softmax(logits[:2].mean(0) / temperature)


@wrong("arithmetic", points=2.6, why="forgets to divide by the number of teachers")
def sum_of_teachers(logits, temperature):
    return np.logaddexp.reduce(log_softmax(logits / temperature), axis=0)


@wrong("gain", points=3.8, why="has the wrong sign")
def loss_instead(logits, labels):
    return -gain_of(logits, labels).mean()


@wrong("gain", points=3.9, why="adds up the examples")
def sum_of_examples(logits, labels):
    return gain_of(logits, labels).sum()


def gain_of(logits, labels):
    """The gain of each example."""
    rows, alone = np.arange(len(labels)), log_softmax(logits)
    together = np.logaddexp.reduce(alone, axis=0) - np.log(len(logits))
    return together[rows, labels] - alone[:, rows, labels].mean(0)
