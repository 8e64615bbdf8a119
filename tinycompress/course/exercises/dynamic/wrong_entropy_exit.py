"""Plausible wrong answers to entropy_exit, and how many of the 10 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("entropy", points=8.8, why="computes the definition literally, which fails for large logits")
def as_it_stands(logits):
    with np.errstate(all="ignore"):
        weights = np.exp(logits)
        p = weights / weights.sum(1, keepdims=True)
        return -(p * np.log(p)).sum(1)


@wrong("entropy", points=7, why="returns bits instead of nats")
def in_bits(logits):
    z = logits - logits.max(1, keepdims=True)
    weights = np.exp(z)
    total = weights.sum(1)
    return np.maximum(np.log(total) - (weights * z).sum(1) / total, 0) / np.log(2)


@wrong("judge", points=8, why="returns the accuracy of only the images that leave")
def of_those_that_leave(entropies, early, late, threshold):
    leaves = entropies <= threshold
    return float(leaves.mean()), float(early[leaves].mean()) if leaves.any() else 1.0


@wrong("choose_threshold", points=8.5, why="stops when the accuracy falls for the first time")
def stops_at_the_first_fall(entropies, early, late, accuracy):
    best = None
    for threshold in (-1.0, *np.unique(entropies).tolist()):
        if np.where(entropies <= threshold, early, late).mean() >= accuracy:
            best = threshold
        elif best is not None:
            break
    if best is None:
        raise ValueError
    return best


@wrong("choose_threshold", points=9, why="returns 0 if no image may leave, so that images of entropy 0 leave")
def zero_for_nobody(entropies, early, late, accuracy):
    good = [t for t in np.unique(entropies).tolist() if np.where(entropies <= t, early, late).mean() >= accuracy]
    if not good and late.mean() < accuracy:
        raise ValueError
    return max(good, default=0.0)
