"""Plausible wrong answers to ternary, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("ternarize", points=9.6, why="uses the rule of thumb: keeps what is above 0.7 times the mean magnitude")
def rule_of_thumb(weight):
    size = np.abs(weight)
    kept = size > 0.7 * size.mean(0)
    return (np.sign(weight) * kept).astype(np.int8), (size * kept).sum(0) / np.maximum(kept.sum(0), 1)


@wrong("ternarize", points=6, why="takes the mean of all magnitudes as the scale")
def mean_of_all(weight):
    size = np.abs(weight)
    kept = size > 0.7 * size.mean(0)
    return (np.sign(weight) * kept).astype(np.int8), size.mean(0)


@wrong("pack", points=9.5, why="gives the first sign the largest factor")
def first_counts_most(signs):
    filled = np.append(signs, np.zeros(-len(signs) % 5, np.int8)).astype(np.int64)
    return ((filled.reshape(-1, 5) + 1) @ 3 ** np.arange(5)[::-1]).astype(np.uint8)


@wrong("pack", points=10.5, why="fills up with digits of 0, which stand for signs of -1")
def filled_with_minus_one(signs):
    filled = np.append(signs.astype(np.int64) + 1, np.zeros(-len(signs) % 5, np.int64))
    return (filled.reshape(-1, 5) @ 3 ** np.arange(5)).astype(np.uint8)


@wrong("unpack", points=11, why="does not check the bytes")
def trusting(packed, count):
    digits = packed.astype(np.int64)[:, None] // 3 ** np.arange(5) % 3
    return (digits.ravel()[:count] - 1).astype(np.int8)
