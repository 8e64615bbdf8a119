"""Plausible wrong answers to few_numbers, and how many of the 5 points each earns."""

import numpy as np

from tinycompress.course import wrong


def stored(p, order):
    return order.astype(np.uint16), np.take_along_axis(p, order, axis=1).astype(np.float16)


@wrong("store", points=3.6, why="stores the least likely classes first")
def least_first(p, k):
    return stored(p, np.argsort(p, axis=1, kind="stable")[:, -k:])


@wrong("store", points=4.6, why="puts the larger number first among equals")
def larger_first(p, k):
    return stored(p, np.argsort(p, axis=1, kind="stable")[:, ::-1][:, :k])


@wrong("store", points=3.9, why="stores class numbers in a byte")
def classes_in_a_byte(p, k):
    order = np.argsort(-p, axis=1, kind="stable")[:, :k]
    return order.astype(np.uint8), np.take_along_axis(p, order, axis=1).astype(np.float16)


@wrong("store", points=4.8, why="stores eight bytes for each number")
def eight_bytes(p, k):
    order = np.argsort(-p, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(p, order, axis=1)


@wrong("store", points=4, why="normalises the stored values to the sum 1, so that the rest is lost")
def normalised(p, k):
    order = np.argsort(-p, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(p, order, axis=1)
    return order.astype(np.uint16), (values / values.sum(1, keepdims=True)).astype(np.float16)


def restored(classes, values, count, rest):
    p = np.repeat(rest, count, axis=1)
    np.put_along_axis(p, classes.astype(np.int64), values.astype(np.float64), axis=1)
    return p


def left(values):
    return np.maximum(1 - values.astype(np.float64).sum(1, keepdims=True), 0)


@wrong("restore", points=3.7, why="gives the other classes nothing")
def zeros(classes, values, count):
    return restored(classes, values, count, 0 * left(values))


@wrong("restore", points=3.7, why="shares the rest among all classes, not among the others")
def among_all(classes, values, count):
    return restored(classes, values, count, left(values) / count)


@wrong("restore", points=4.5, why="may return probabilities below 0")
def below_zero(classes, values, count):
    rest = 1 - values.astype(np.float64).sum(1, keepdims=True)
    return restored(classes, values, count, rest / max(1, count - classes.shape[1]))


@wrong("restore", points=3.8, why="adds up in float16")
def sums_in_float16(classes, values, count):
    rest = np.maximum(1 - values.sum(1, keepdims=True), 0).astype(np.float64)
    return restored(classes, values, count, rest / max(1, count - classes.shape[1]))


@wrong("lost_bits", points=3.7, why="measures in nats")
def nats(p, q):
    there = p > 0
    return float((p * np.log(np.divide(p, q, out=np.ones(p.shape), where=there))).sum(1).mean())


@wrong("lost_bits", points=3.7, why="exchanges p and q")
def exchanged(p, q):
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(q * np.log2(q / p)).sum(1).mean())


@wrong("lost_bits", points=3.7, why="computes 0 log 0")
def not_a_number(p, q):
    with np.errstate(all="ignore"):
        return float((p * np.log2(p / q)).sum(1).mean())


@wrong("lost_bits", points=3.7, why="averages over the classes, too")
def over_classes(p, q):
    there = p > 0
    return float((p * np.log2(np.divide(p, q, out=np.ones(p.shape), where=there))).mean())


@wrong("stored_bytes", points=4.5, why="forgets that the classes are stored, too")
def values_alone(images, classes, k):
    return 4 * images * classes, 2 * images * k


@wrong("restore", points=4.5, why="divides by the number of other classes, even if there are none")
def among_none(classes, values, count):
    rest = [max(0.0, 1.0 - sum(row)) / (count - classes.shape[1]) for row in values.astype(float).tolist()]
    return restored(classes, values, count, np.array(rest)[:, None])


@wrong("store", points=4.6, why="sorts what float16 leaves of the probabilities")
def sorted_as_float16(p, k):
    rounded = p.astype(np.float16)
    classes = np.argsort(-rounded, axis=1, kind="stable")[:, :k]
    return classes.astype(np.uint16), np.take_along_axis(rounded, classes, 1)
