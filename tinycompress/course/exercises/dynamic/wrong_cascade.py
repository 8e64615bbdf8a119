"""Plausible wrong answers to cascade, and what each is worth of the 10 points."""

import numpy as np

from tinycompress.course import wrong


@wrong("leaving", points=7, why="above the threshold, not at least")
def above(confidences, thresholds):
    leaves = np.ones(confidences.shape, bool)
    leaves[:-1] = confidences[:-1] > thresholds[:, None]
    return leaves.argmax(0)


@wrong("mean_cost", points=6, why="an image pays only for the net that answers")
def only_the_last(costs, exits):
    return float(costs[exits].mean())


@wrong("share_to_pay", points=9, why="as if the images that leave did not pay for the cheap net's asking of the others")
def without_the_first_question(cheap, costly):
    return 1 - cheap / costly


@wrong("best_subset", points=8, why="all nets, or none")
def all_of_them(costs, confidences, correct, threshold, budget):
    if costs[0] > budget:
        raise ValueError
    return [0] if costs.sum() > budget else list(range(len(costs)))
