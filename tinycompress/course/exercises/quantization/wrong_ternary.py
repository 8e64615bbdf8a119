"""Plausible wrong answers to ternary, and how many of the 9 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("ternarize", points=6.9, why="uses the rule of thumb: keeps what is above 0.7 times the mean magnitude")
def rule_of_thumb(weight):
    size = np.abs(weight)
    kept = size > 0.7 * size.mean(0)
    return (np.sign(weight) * kept).astype(np.int8), (size * kept).sum(0) / np.maximum(kept.sum(0), 1)


@wrong("ternarize", points=4.1, why="takes the mean of all magnitudes as the scale")
def mean_of_all(weight):
    size = np.abs(weight)
    kept = size > 0.7 * size.mean(0)
    return (np.sign(weight) * kept).astype(np.int8), size.mean(0)


@wrong("pack", points=7.5, why="gives the first sign the largest factor")
def first_counts_most(signs):
    filled = np.append(signs, np.zeros(-len(signs) % 5, np.int8)).astype(np.int64)
    return ((filled.reshape(-1, 5) + 1) @ 3 ** np.arange(5)[::-1]).astype(np.uint8)


@wrong("pack", points=7.8, why="fills up with digits of 0, which stand for signs of -1")
def filled_with_minus_one(signs):
    filled = np.append(signs.astype(np.int64) + 1, np.zeros(-len(signs) % 5, np.int64))
    return (filled.reshape(-1, 5) @ 3 ** np.arange(5)).astype(np.uint8)


@wrong("unpack", points=8.1, why="does not check the bytes")
def trusting(packed, count):
    digits = packed.astype(np.int64)[:, None] // 3 ** np.arange(5) % 3
    return (digits.ravel()[:count] - 1).astype(np.int8)


def _with(weight, most):
    """Signs and scales if the `most` largest magnitudes of each channel are kept."""
    size = np.abs(weight).astype(np.float64)
    order = np.argsort(-size, axis=0, kind="stable")
    kept = np.zeros(weight.shape, bool)
    np.put_along_axis(kept, order, np.arange(len(weight))[:, None] < most, axis=0)
    return (np.sign(weight) * kept).astype(np.int8), (size * kept).sum(0) / most


def _gains(weight):
    size = -np.sort(-np.abs(weight).astype(np.float64), axis=0)
    return np.cumsum(size, axis=0) ** 2 / np.arange(1, len(weight) + 1)[:, None]


@wrong("ternarize", points=8.4, why="takes the largest of equally good m")
def largest_of_equals(weight):
    return _with(weight, len(weight) - _gains(weight)[::-1].argmax(0))


@wrong("ternarize", points=6.9, why="stops at the first m after which the reduction falls")
def first_peak(weight):
    gains = _gains(weight)
    falls = np.vstack([gains[1:] < gains[:-1], np.ones((1, weight.shape[1]), bool)])
    return _with(weight, falls.argmax(0) + 1)


@wrong("ternarize", points=8.6, why="returns the scales in the dtype of the weight")
def scales_in_float32(weight):
    signs, scales = _with(weight, _gains(weight).argmax(0) + 1)
    return signs, scales.astype(weight.dtype)


@wrong("unpack", points=8.1, why="allows 243, the number of all bytes, as a byte")
def one_byte_too_many(packed, count):
    if len(packed) * 5 < count or (packed > 243).any():
        raise ValueError
    digits = packed.astype(np.int64)[:, None] // 3 ** np.arange(5) % 3
    return (digits.ravel()[:count] - 1).astype(np.int8)


@wrong("unpack", points=7.6, why="asks for whole bytes only")
def whole_bytes(packed, count):
    if len(packed) != -(-count // 5) or (packed > 242).any():
        raise ValueError
    digits = packed.astype(np.int64)[:, None] // 3 ** np.arange(5) % 3
    return (digits.ravel()[:count] - 1).astype(np.int8)
