"""Plausible wrong answers to entropy_exit, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("entropy", points=4.7, why="computes the definition literally, which fails for large logits")
def as_it_stands(logits):
    with np.errstate(all="ignore"):
        weights = np.exp(logits)
        p = weights / weights.sum(1, keepdims=True)
        return -(p * np.log(p)).sum(1)


@wrong("entropy", points=3.9, why="returns bits instead of nats")
def in_bits(logits):
    z = logits - logits.max(1, keepdims=True)
    weights = np.exp(z)
    total = weights.sum(1)
    return np.maximum(np.log(total) - (weights * z).sum(1) / total, 0) / np.log(2)


@wrong("judge", points=4.6, why="returns the accuracy of only the images that leave")
def of_those_that_leave(entropies, early, late, threshold):
    leaves = entropies <= threshold
    return float(leaves.mean()), float(early[leaves].mean()) if leaves.any() else 1.0


@wrong("choose_threshold", points=5.2, why="stops when the accuracy falls for the first time")
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


@wrong("choose_threshold", points=5.3, why="returns 0 if no image may leave, so that images of entropy 0 leave")
def zero_for_nobody(entropies, early, late, accuracy):
    good = [t for t in np.unique(entropies).tolist() if np.where(entropies <= t, early, late).mean() >= accuracy]
    if not good and late.mean() < accuracy:
        raise ValueError
    return max(good, default=0.0)


@wrong("entropy", points=4.1, why="computes in float32, as the net does")
def in_float32(logits):
    z = logits.astype(np.float32)
    z = z - z.max(1, keepdims=True)
    total = np.exp(z).sum(1)
    return np.maximum(np.log(total) - (np.exp(z) * z).sum(1) / total, 0).astype(np.float64)


@wrong("entropy", points=4.1, why="adds a small number before the logarithm")
def nearly(logits):
    z = np.exp(logits - logits.max(1, keepdims=True))
    p = z / z.sum(1, keepdims=True)
    return np.maximum(-(p * np.log(p + 1e-6)).sum(1), 0)


@wrong("judge", points=5.4, why="lets images leave below the threshold, but not at it")
def below(entropies, early, late, threshold):
    leaves = entropies < threshold
    return float(leaves.mean()), float(np.where(leaves, early, late).mean())


@wrong("choose_threshold", points=4.62, why="lets images leave below the threshold, but not at it")
def chosen_below(entropies, early, late, accuracy):
    tried = (-1.0, *np.unique(entropies).tolist())
    good = [t for t in tried if np.where(entropies < t, early, late).mean() >= accuracy]
    if not good:
        raise ValueError
    return max(good)


@wrong("choose_threshold", points=4.3, why="asks for more than the accuracy")
def more_than_the_accuracy(entropies, early, late, accuracy):
    tried = (-1.0, *np.unique(entropies).tolist())
    good = [t for t in tried if np.where(entropies <= t, early, late).mean() > accuracy]
    if not good:
        raise ValueError
    return max(good)


@wrong("choose_threshold", points=5.3, why="returns -1 if no threshold reaches the accuracy")
def without_an_error(entropies, early, late, accuracy):
    tried = (-1.0, *np.unique(entropies).tolist())
    return max((t for t in tried if np.where(entropies <= t, early, late).mean() >= accuracy), default=-1.0)


@wrong("choose_threshold", points=4.4, why="lets images of equal entropy leave one by one")
def one_by_one(entropies, early, late, accuracy):
    order = np.argsort(entropies, kind="stable")
    right = late.sum() + np.cumsum(early[order].astype(int) - late[order])
    good = entropies[order][right / len(late) >= accuracy]
    if not good.size and late.mean() < accuracy:
        raise ValueError
    return float(good.max(initial=-1.0))
