"""More accuracy from the same budget (1 hour, 12 points).

A table says what each setting of a net costs and how accurate it is, measured on validation images:

    setting     0      1      2      3
    cost        1      2      3      4     ms per image
    accuracy   80     88     85     96     %

With 3 ms per image, the best single setting is 1, with 88 %. But the budget is a mean over many images. Half of them at
setting 1 and half at setting 3 also cost 3 ms on average, and give 92 %. A third at 0 and two thirds at 3 cost the same, and
give 90.7 %. A mixture of two settings lies on the straight line between their points, so the best mixtures lie on the upper
hull of the table: here the settings 0, 1 and 3.

If a batch must be ready by a deadline, it is not known in advance how long each image will really take. So the setting of
the next image is chosen from the time that is left, and always so that the remaining images can still be finished.
"""

import numpy as np


def hull(costs: np.ndarray, accuracies: np.ndarray) -> list[int]:
    """The settings on the upper hull, cheapest first: from the cheapest setting to the most accurate one, without those that
    a mixture of two others equals or beats.

    costs, accuracies: (settings,), in any order, all costs different. If several settings are the most accurate, the
    cheapest of them counts.
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
    """The share of images per setting, (settings,) float64 with the sum 1, that is most accurate within the budget.

    budget: the mean cost allowed; anything above the cost of the most accurate setting is not spent. hull: as the function
    `hull` returns it. Raises ValueError for a budget below the cheapest cost.
    """
    ### BEGIN SOLUTION
    if budget < costs[hull[0]]:
        raise ValueError(f"even the cheapest setting costs {costs[hull[0]]}, but the budget is {budget}")
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
    """The setting for the next image of a batch: the most accurate one (of equals the cheapest) that leaves enough time to
    run each image after it at the cheapest setting; if there is none, the cheapest setting.

    costs: the longest time that each setting takes; left: the time that is left; images: how many images are still to be
    done, including the next one.
    """
    ### BEGIN SOLUTION
    spare = left - (images - 1) * costs.min()
    fitting = [i for i in range(len(costs)) if costs[i] <= spare]
    return max(fitting, key=lambda i: (accuracies[i], -costs[i])) if fitting else int(costs.argmin())
    ### END SOLUTION
