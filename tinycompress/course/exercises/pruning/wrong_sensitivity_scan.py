"""Plausible wrong answers to sensitivity_scan, and how many of the 8 points each earns."""

import numpy as np

import tinycompress as tc
from tinycompress.course import wrong


def logits(weights, biases, x):
    w, b = [tc.Tensor(weight) for weight in weights], [tc.Tensor(bias) for bias in biases]
    y = tc.functional.max_pool2d(tc.functional.conv2d(tc.Tensor(x), w[0], b[0]).relu(), 2)
    return ((tc.functional.flatten(y) @ w[1] + b[1]).relu() @ w[2] + b[2]).data


def without(weight, order, count):
    left = weight.copy()
    left[np.unravel_index(order[:count], weight.shape)] = 0
    return left


def by_size(weight):
    return np.argsort(np.abs(weight), axis=None, kind="stable")


def removed(weight, share):
    return without(weight, by_size(weight), int(share * weight.size))


def right_of(weights, biases, x, labels):
    return (logits(weights, biases, x).argmax(1) == labels).sum()


@wrong("pruned", points=5.5, why="removes the smallest values, so that negative ones go first")
def smallest_values(weight, share):
    return without(weight, np.argsort(weight, axis=None, kind="stable"), int(share * weight.size))


@wrong("pruned", points=6.6, why="rounds the number of weights up")
def rounds_up(weight, share):
    return without(weight, by_size(weight), int(np.ceil(share * weight.size)))


@wrong("pruned", points=6.1, why="takes a quantile as the threshold, which removes other numbers, and all equals")
def quantile(weight, share):
    return np.where(np.abs(weight) <= np.quantile(np.abs(weight), share), 0, weight)


@wrong("pruned", points=7.5, why="removes the last of equals")
def last_of_equals(weight, share):
    order = weight.size - 1 - np.argsort(np.abs(weight).ravel()[::-1], kind="stable")
    return without(weight, order, int(share * weight.size))


@wrong("pruned", points=6.66, why="prunes the net that it was given")
def in_place(weight, share):
    weight[np.unravel_index(by_size(weight)[: int(share * weight.size)], weight.shape)] = 0
    return weight


@wrong("pruned", points=7.1, why="returns float64, whatever the weight's dtype")
def in_double(weight, share):
    return removed(weight.astype(np.float64), share)


@wrong("scan", points=4.8, why="goes on with the layers that were pruned before")
def pruned_before(weights, biases, x, labels, shares):
    right = np.zeros((len(weights), len(shares)), np.int64)
    for column, share in enumerate(shares):
        tried = list(weights)
        for layer, weight in enumerate(weights):
            tried[layer] = removed(weight, share)
            right[layer, column] = right_of(tried, biases, x, labels)
    return right


@wrong("scan", points=4.8, why="prunes all layers at once")
def all_at_once(weights, biases, x, labels, shares):
    rows = [[right_of([removed(w, s) for w in weights], biases, x, labels) for s in shares] for _ in weights]
    return np.array(rows, np.int64)


@wrong("scan", points=4.8, why="prunes all layers but the one")
def all_but_one(weights, biases, x, labels, shares):
    return np.array(
        [
            [
                right_of([w if k == i else removed(w, s) for k, w in enumerate(weights)], biases, x, labels)
                for s in shares
            ]
            for i in range(len(weights))
        ],
        np.int64,
    )


@wrong("scan", points=5.4, why="prunes in place, and sets the layer back afterwards")
def sets_back(weights, biases, x, labels, shares):
    right = np.zeros((len(weights), len(shares)), np.int64)
    for layer, weight in enumerate(weights):
        for column, share in enumerate(shares):
            weights[layer] = removed(weight, share)
            right[layer, column] = right_of(weights, biases, x, labels)
    return right


@wrong("scan", points=5.4, why="goes through the shares in ascending order")
def sorts_the_shares(weights, biases, x, labels, shares):
    right = np.zeros((len(weights), len(shares)), np.int64)
    for layer, weight in enumerate(weights):
        for column, share in enumerate(sorted(shares)):
            tried = [*weights[:layer], removed(weight, share), *weights[layer + 1 :]]
            right[layer, column] = right_of(tried, biases, x, labels)
    return right


@wrong("scan", points=4.6, why="returns accuracies in percent instead of counts")
def in_percent(weights, biases, x, labels, shares):
    right = [
        [right_of([*weights[:i], removed(w, s), *weights[i + 1 :]], biases, x, labels) for s in shares]
        for i, w in enumerate(weights)
    ]
    return 100 * np.array(right) / len(labels)


def largest(allowed, shares):
    return np.where(allowed, np.asarray(shares, np.float64), 0.0).max(1, initial=0.0)


@wrong("choose", points=6.6, why="stops at the first share that costs too much")
def first_too_much(right, whole, count, shares, points):
    order = np.argsort(shares)
    allowed = np.logical_and.accumulate(100 * (whole - right[:, order]) / count <= points, 1)
    return largest(allowed, np.asarray(shares)[order])


@wrong("choose", points=6.6, why="takes the last share that is allowed, as if they were sorted")
def last_allowed(right, whole, count, shares, points):
    allowed = 100 * (whole - right) / count <= points
    return np.array([([0.0] + [s for s, a in zip(shares, row, strict=True) if a])[-1] for row in allowed])


@wrong("choose", points=7.3, why="does not allow a cost of exactly `points`")
def less_than(right, whole, count, shares, points):
    return largest(100 * (whole - right) / count < points, shares)


@wrong("choose", points=6.6, why="takes the cost relative to what the whole net gets right")
def relative(right, whole, count, shares, points):
    return largest(100 * (whole - right) / whole <= points, shares)


@wrong("choose", points=5.9, why="lets one share serve for all layers")
def one_for_all(right, whole, count, shares, points):
    allowed = (100 * (whole - right) / count <= points).all(0)
    return np.full(len(right), largest(allowed[None], shares)[0])


@wrong("choose", points=5.9, why="takes the share with the most images right, if it is allowed")
def most_right(right, whole, count, shares, points):
    best = right.argmax(1)
    allowed = 100 * (whole - right.max(1)) / count <= points
    return np.where(allowed, np.asarray(shares)[best], 0.0)


@wrong("choose", points=7.2, why="gives a layer without an allowed share the smallest one")
def at_least_the_smallest(right, whole, count, shares, points):
    return np.maximum(largest(100 * (whole - right) / count <= points, shares), min(shares))


@wrong("choose", points=7.6, why="takes a gain for a cost")
def either_way(right, whole, count, shares, points):
    return largest(100 * np.abs(whole - right) / count <= points, shares)


@wrong("pruned", points=7.5, why="removes the first of equals in the order of memory")
def in_the_order_of_memory(weight, share):
    layout = "C" if weight.flags.c_contiguous else "F"
    flat = weight.flatten(layout)
    flat[np.argsort(np.abs(flat), kind="stable")[: int(share * weight.size)]] = 0
    return flat.reshape(weight.shape, order=layout)
