"""Plausible wrong answers to unseen_class, and how many of the 8 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("shift", points=5, why="matches the share of images that are assigned to the class, which jumps")
def share_of_answers(logits, unseen, frequency):
    if not 0 < frequency < 1:
        raise ValueError
    ahead = np.sort(np.delete(logits, unseen, axis=1).max(1) - logits[:, unseen])
    return float(ahead[min(int(frequency * len(ahead)), len(ahead) - 1)])


@wrong("shift", points=7, why="overflows, and accepts any frequency")
def naive(logits, unseen, frequency):
    low, high = -50.0, 50.0
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(60):
            b = (low + high) / 2
            z = np.exp(logits + b * (np.arange(logits.shape[1]) == unseen))
            low, high = (b, high) if (z / z.sum(1, keepdims=True))[:, unseen].mean() < frequency else (low, b)
    return low


@wrong("with_new_frequencies", points=5, why="multiplies by the new frequency, and forgets the old")
def prior_alone(logits, old, new):
    with np.errstate(divide="ignore"):
        return logits + np.log(new)


@wrong("with_new_frequencies", points=7, why="divides by 0 if a class never occurred")
def no_question(logits, old, new):
    with np.errstate(divide="ignore", invalid="ignore"):
        return logits + np.log(new / old)


@wrong("recalls", points=6, why="divides by the images that are assigned to a class, which gives the precision")
def precision(logits, labels):
    answers = logits.argmax(1)
    with np.errstate(invalid="ignore"):
        return np.array(
            [((answers == c) & (labels == c)).sum() / np.float64((answers == c).sum()) for c in range(logits.shape[1])]
        )
