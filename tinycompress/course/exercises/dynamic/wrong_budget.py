"""Plausible wrong answers to budget, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("hull", points=9, why="returns the Pareto frontier: settings that no other single setting beats")
def frontier(costs, accuracies):
    kept = []
    for i in np.argsort(costs).tolist():
        if not kept or accuracies[i] > accuracies[kept[-1]]:
            kept.append(i)
    return kept


@wrong("mixture", points=9, why="takes the best single setting")
def single(costs, accuracies, hull, budget):
    if budget < costs[hull[0]]:
        raise ValueError
    shares = np.zeros(len(costs))
    shares[[i for i in hull if costs[i] <= budget][-1]] = 1
    return shares


@wrong("mixture", points=9, why="mixes only the cheapest and the most accurate setting")
def ends_alone(costs, accuracies, hull, budget):
    low, high = hull[0], hull[-1]
    if budget < costs[low]:
        raise ValueError
    shares = np.zeros(len(costs))
    share = 1.0 if low == high else min(1.0, (budget - costs[low]) / (costs[high] - costs[low]))
    shares[low] += 1 - share
    shares[high] += share
    return shares


@wrong("next_setting", points=9, why="gives each image an equal part of the time left, which saves more than is needed")
def equal_parts(costs, accuracies, left, images):
    fitting = [i for i in range(len(costs)) if costs[i] <= left / images]
    return max(fitting, key=lambda i: (accuracies[i], -costs[i])) if fitting else int(costs.argmin())
