"""More accuracy from the same budget (1 hour, 12 points).

A table says what each setting of a net costs and how accurate it is, measured on validation images:

    setting     0      1      2      3
    cost        1      2      3      4     ms an image
    accuracy   80     88     85     96     %

With 3 ms an image the best single setting is 1, with 88 %. But the budget is a mean over many images: half of them at
setting 1 and half at setting 3 cost 3 ms, too, and give 92 %; a third at 0 and two thirds at 3 cost just as much and give
90.7 %. Every mixture lies on a straight line between two settings, so the best ones lie on the upper hull of the table: here
the points 0, 1 and 3.

If a batch has to be ready in time, nobody knows beforehand how long each image really takes. Then the next setting is chosen
from what is left, and never so that the others could not be finished.
"""

import numpy as np


def hull(costs: np.ndarray, accuracies: np.ndarray) -> list[int]:
    """The settings on the upper hull, cheapest first: from the cheapest one to the most accurate one, without those that
    a mixture of two others equals or beats.

    costs and accuracies: (settings,), all costs different, in any order. Of equally accurate ones the cheapest counts.
    """
    ### BEGIN SOLUTION
    order = np.argsort(costs).tolist()
    last = order.index(max(order, key=lambda i: (accuracies[i], -costs[i])))
    kept = []
    for i in order[: last + 1]:
        while len(kept) >= 2:
            a, b = kept[-2:]
            rise = (accuracies[i] - accuracies[a]) * (costs[b] - costs[a])
            if (accuracies[b] - accuracies[a]) * (costs[i] - costs[a]) > rise:
                break
            kept.pop()
        kept.append(i)
    return kept
    ### END SOLUTION


def mixture(costs: np.ndarray, accuracies: np.ndarray, hull: list[int], budget: float) -> np.ndarray:
    """The share of images for each setting, (settings,) float64 with the sum 1, that is most accurate within the budget.

    budget: the mean cost allowed; what is left above the most accurate setting's cost is not spent. hull: as the function
    `hull` has it. Raises ValueError for a budget below the cheapest cost.
    """
    ### BEGIN SOLUTION
    if budget < costs[hull[0]]:
        raise ValueError(f"even the cheapest setting costs {costs[hull[0]]}, and the budget is {budget}")
    shares = np.zeros(len(costs))
    for a, b in zip(hull[:-1], hull[1:], strict=True):
        if budget < costs[b]:
            shares[b] = (budget - costs[a]) / (costs[b] - costs[a])
            shares[a] = 1 - shares[b]
            return shares
    shares[hull[-1]] = 1
    return shares
    ### END SOLUTION


def next_setting(costs: np.ndarray, accuracies: np.ndarray, left: float, images: int) -> int:
    """The setting for the next image of a batch: the most accurate one (of equals the cheapest) that leaves the cheapest
    cost for each image after it; the cheapest setting if none does.

    costs: the most that each setting takes. left: the time that is left; images: how many are to be done yet, with the next.
    """
    ### BEGIN SOLUTION
    spare = left - (images - 1) * costs.min()
    fitting = [i for i in range(len(costs)) if costs[i] <= spare]
    return max(fitting, key=lambda i: (accuracies[i], -costs[i])) if fitting else int(costs.argmin())
    ### END SOLUTION
