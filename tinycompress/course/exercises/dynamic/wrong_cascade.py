"""Plausible wrong answers to cascade, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("leaving", points=5.35, why="requires a confidence above the threshold, not at least the threshold")
def above(confidences, thresholds):
    leaves = np.ones(confidences.shape, bool)
    leaves[:-1] = confidences[:-1] > thresholds[:, None]
    return leaves.argmax(0)


@wrong("mean_cost", points=4.95, why="lets an image pay only for the net that answers")
def only_the_last(costs, exits):
    return float(costs[exits].mean())


@wrong("share_to_pay", points=5.45, why="returns the share of images that may stay, not of those that must leave")
def without_the_first_question(cheap, costly):
    return 1 - cheap / costly


@wrong("best_subset", points=4, why="takes either all nets or only the first")
def all_of_them(costs, confidences, correct, threshold, budget):
    if costs[0] > budget:
        raise ValueError
    return [0] if costs.sum() > budget else list(range(len(costs)))


@wrong("leaving", points=3.6, why="lets an image leave at the most confident net")
def most_confident(confidences, thresholds):
    return confidences.argmax(0).astype(np.int64)


@wrong("share_to_pay", points=5.6, why="limits the share to 1")
def at_most_one(cheap, costly):
    return min(1.0, cheap / costly)


@wrong("mean_cost", points=4.95, why="averages over the nets instead of the images")
def mean_over_nets(costs, exits):
    return float(np.cumsum(costs)[np.unique(exits)].mean())


def _choices(costs, confidences, correct, threshold):
    for code in range(1, 2 ** len(costs)):
        nets = [i for i in range(len(costs)) if code >> i & 1]
        leaves = confidences[nets] >= threshold
        leaves[-1] = True
        exits = leaves.argmax(0)
        cost = np.cumsum(costs[nets])[exits].mean()
        yield correct[nets][exits, np.arange(len(exits))].mean(), cost, nets


@wrong("best_subset", points=5.4, why="asks for less than the budget")
def below_the_budget(costs, confidences, correct, threshold, budget):
    found = [choice for choice in _choices(costs, confidences, correct, threshold) if choice[1] < budget]
    if not found:
        raise ValueError
    return max(found, key=lambda c: (c[0], -c[1]))[2]


@wrong("best_subset", points=4.64, why="takes the most expensive of equally accurate choices")
def dearest_of_equals(costs, confidences, correct, threshold, budget):
    found = [choice for choice in _choices(costs, confidences, correct, threshold) if choice[1] <= budget]
    if not found:
        raise ValueError
    return max(found)[2]


@wrong("best_subset", points=4.64, why="always keeps the last net, as if an image had to be able to reach it")
def with_the_last(costs, confidences, correct, threshold, budget):
    found = [c for c in _choices(costs, confidences, correct, threshold) if c[1] <= budget]
    found = [c for c in found if c[2][-1] == len(costs) - 1] or found
    if not found:
        raise ValueError
    return max(found, key=lambda c: (c[0], -c[1]))[2]


@wrong("best_subset", points=5.6, why="leaves at least one net out")
def never_all(costs, confidences, correct, threshold, budget):
    found = [c for c in _choices(costs, confidences, correct, threshold) if c[1] <= budget]
    found = [c for c in found if len(c[2]) < max(2, len(costs))]
    if not found:
        raise ValueError
    return max(found, key=lambda c: (c[0], -c[1]))[2]
