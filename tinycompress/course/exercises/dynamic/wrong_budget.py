"""Plausible wrong answers to budget, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("hull", points=7.6, why="returns the Pareto frontier: settings that no other single setting beats")
def frontier(costs, accuracies):
    kept = []
    for i in np.argsort(costs).tolist():
        if not kept or accuracies[i] > accuracies[kept[-1]]:
            kept.append(i)
    return kept


@wrong("mixture", points=9.2, why="takes the best single setting")
def single(costs, accuracies, hull, budget):
    if budget < costs[hull[0]]:
        raise ValueError
    shares = np.zeros(len(costs))
    shares[[i for i in hull if costs[i] <= budget][-1]] = 1
    return shares


@wrong("mixture", points=8.6, why="mixes only the cheapest and the most accurate setting")
def ends_alone(costs, accuracies, hull, budget):
    low, high = hull[0], hull[-1]
    if budget < costs[low]:
        raise ValueError
    shares = np.zeros(len(costs))
    share = 1.0 if low == high else min(1.0, (budget - costs[low]) / (costs[high] - costs[low]))
    shares[low] += 1 - share
    shares[high] += share
    return shares


@wrong(
    "next_setting", points=8.8, why="gives each image an equal part of the time left, which saves more than is needed"
)
def equal_parts(costs, accuracies, left, images):
    fitting = [i for i in range(len(costs)) if costs[i] <= left / images]
    return max(fitting, key=lambda i: (accuracies[i], -costs[i])) if fitting else int(costs.argmin())


@wrong("hull", points=10.6, why="keeps settings that lie on the line between two others")
def with_points_on_lines(costs, accuracies):
    order = np.argsort(costs).tolist()
    last = order.index(max(order, key=lambda i: (accuracies[i], -costs[i])))
    kept = []
    for i in order[: last + 1]:
        while len(kept) >= 2:
            a, b = kept[-2:]
            rise = (accuracies[i] - accuracies[a]) * (costs[b] - costs[a])
            if (accuracies[b] - accuracies[a]) * (costs[i] - costs[a]) >= rise:
                break
            kept.pop()
        kept.append(i)
    return kept


@wrong("mixture", points=11.4, why="refuses a budget that is just the cheapest cost")
def above_the_cheapest(costs, accuracies, hull, budget):
    if budget <= costs[hull[0]]:
        raise ValueError
    return _mixed(costs, hull, budget)


@wrong("mixture", points=9.6, why="gives the two settings each other's share")
def swapped(costs, accuracies, hull, budget):
    if budget < costs[hull[0]]:
        raise ValueError
    shares = _mixed(costs, hull, budget)
    used = np.flatnonzero(shares)
    shares[used] = shares[used[::-1]]
    return shares


@wrong("mixture", points=11.4, why="returns the cheapest setting for a budget below its cost")
def never_refuses(costs, accuracies, hull, budget):
    return _mixed(costs, hull, max(budget, costs[hull[0]]))


def _mixed(costs, hull, budget):
    shares = np.zeros(len(costs))
    for a, b in zip(hull[:-1], hull[1:], strict=True):
        if budget < costs[b]:
            shares[b] = (budget - costs[a]) / (costs[b] - costs[a])
            shares[a] = 1 - shares[b]
            return shares
    shares[hull[-1]] = 1
    return shares


@wrong("next_setting", points=10.6, why="counts the next image among those after it")
def one_image_too_many(costs, accuracies, left, images):
    fitting = [i for i in range(len(costs)) if costs[i] <= left - images * costs.min()]
    return max(fitting, key=lambda i: (accuracies[i], -costs[i])) if fitting else int(costs.argmin())


@wrong("next_setting", points=10.6, why="leaves more time than necessary: a setting that fits exactly does not count")
def not_exactly(costs, accuracies, left, images):
    fitting = [i for i in range(len(costs)) if costs[i] < left - (images - 1) * costs.min()]
    return max(fitting, key=lambda i: (accuracies[i], -costs[i])) if fitting else int(costs.argmin())


@wrong("next_setting", points=9.2, why="takes the most expensive setting that fits, even if another is more accurate")
def the_dearest(costs, accuracies, left, images):
    fitting = [i for i in range(len(costs)) if costs[i] <= left - (images - 1) * costs.min()]
    return max(fitting, key=lambda i: costs[i]) if fitting else int(costs.argmin())
