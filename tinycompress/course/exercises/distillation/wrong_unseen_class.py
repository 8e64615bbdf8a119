"""Plausible wrong answers to unseen_class, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("shift", points=3.7, why="matches the share of images that are assigned to the class, which jumps")
def share_of_answers(logits, unseen, frequency):
    if not 0 < frequency < 1:
        raise ValueError
    ahead = np.sort(np.delete(logits, unseen, axis=1).max(1) - logits[:, unseen])
    return float(ahead[min(int(frequency * len(ahead)), len(ahead) - 1)])


@wrong("shift", points=5.1, why="overflows, and accepts any frequency")
def naive(logits, unseen, frequency):
    low, high = -50.0, 50.0
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(60):
            b = (low + high) / 2
            z = np.exp(logits + b * (np.arange(logits.shape[1]) == unseen))
            low, high = (b, high) if (z / z.sum(1, keepdims=True))[:, unseen].mean() < frequency else (low, b)
    return low


@wrong("with_new_frequencies", points=3.7, why="multiplies by the new frequency, and forgets the old")
def prior_alone(logits, old, new):
    with np.errstate(divide="ignore"):
        return logits + np.log(new)


@wrong("with_new_frequencies", points=5, why="divides by 0 if a class never occurred")
def no_question(logits, old, new):
    with np.errstate(divide="ignore", invalid="ignore"):
        return logits + np.log(new / old)


@wrong("recalls", points=4.6, why="divides by the images that are assigned to a class, which gives the precision")
def precision(logits, labels):
    answers = logits.argmax(1)
    with np.errstate(invalid="ignore"):
        return np.array(
            [((answers == c) & (labels == c)).sum() / np.float64((answers == c).sum()) for c in range(logits.shape[1])]
        )


@wrong("shift", points=3.7, why="searches a grid with steps of 0.01")
def grid(logits, unseen, frequency):
    if not 0 < frequency < 1:
        raise ValueError
    others = np.logaddexp.reduce(np.delete(logits, unseen, axis=1), axis=1)
    ahead = logits[:, unseen] - others
    tried = np.arange(-20, 20, 0.01)
    means = (1 / (1 + np.exp(-(ahead[:, None] + tried)))).mean(0)
    return float(tried[np.abs(means - frequency).argmin()])


@wrong("shift", points=5.1, why="accepts a frequency of 0 and of 1")
def ends_too(logits, unseen, frequency):
    if not 0 <= frequency <= 1:
        raise ValueError
    ahead = logits[:, unseen] - np.logaddexp.reduce(np.delete(logits, unseen, axis=1), axis=1)
    low, high = -50.0, 50.0
    for _ in range(60):
        b = (low + high) / 2
        low, high = (b, high) if (1 / (1 + np.exp(-(ahead + b)))).mean() < frequency else (low, b)
    return low


@wrong("with_new_frequencies", points=5, why="refuses classes that occur neither before nor after")
def no_old_zeros(logits, old, new):
    if (old == 0).any():
        raise ValueError
    with np.errstate(divide="ignore"):
        return logits + np.log(new / old)


@wrong("recalls", points=4.8, why="returns 0 for a class without images")
def zero_for_none(logits, labels):
    right = logits.argmax(1) == labels
    return np.array([right[labels == c].mean() if (labels == c).any() else 0.0 for c in range(logits.shape[1])])


@wrong("recalls", points=4.8, why="ends at the largest label that occurs")
def up_to_the_last_label(logits, labels):
    right = logits.argmax(1) == labels
    with np.errstate(invalid="ignore"):
        return np.array([right[labels == c].sum() / np.float64((labels == c).sum()) for c in range(labels.max() + 1)])
