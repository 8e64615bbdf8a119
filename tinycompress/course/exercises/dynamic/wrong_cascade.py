"""Plausible wrong answers to cascade, and how many of the 10 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("leaving", points=7, why="requires a confidence above the threshold, not at least the threshold")
def above(confidences, thresholds):
    leaves = np.ones(confidences.shape, bool)
    leaves[:-1] = confidences[:-1] > thresholds[:, None]
    return leaves.argmax(0)


@wrong("mean_cost", points=6, why="lets an image pay only for the net that answers")
def only_the_last(costs, exits):
    return float(costs[exits].mean())


@wrong("share_to_pay", points=9, why="returns the share of images that may stay, not of those that must leave")
def without_the_first_question(cheap, costly):
    return 1 - cheap / costly


@wrong("best_subset", points=8, why="takes either all nets or only the first")
def all_of_them(costs, confidences, correct, threshold, budget):
    if costs[0] > budget:
        raise ValueError
    return [0] if costs.sum() > budget else list(range(len(costs)))
