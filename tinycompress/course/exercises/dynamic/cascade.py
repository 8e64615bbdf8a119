"""What a cascade costs (30 minutes, 6 points).

A cascade asks a cheap net first. If that net is not sure enough, it asks the next one, which starts again from the image, and so
on (Viola & Jones 2001). An image that reaches the last net has paid for all of them. Suppose that the nets cost 10, 50 and
100 million MACs, and that 70 % of the images leave after the first net and 20 % after the second. Then an image costs

    0.7 * 10 + 0.2 * (10 + 50) + 0.1 * (10 + 50 + 100) = 35 million MACs on average.

If no image left early, it would cost 160 million, more than the 100 million of the last net alone. So a cascade can also lose.
"""

import numpy as np


def leaving(confidences: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The index of the net whose answer each image gets: int64 (N,).

    confidences: (nets, N); thresholds: (nets - 1,). An image leaves at the first net whose confidence is at least its
    threshold; at the last net all remaining images leave.
    """
    ### BEGIN SOLUTION
    leaves = np.ones(confidences.shape, bool)
    leaves[:-1] = confidences[:-1] >= thresholds[:, None]
    return leaves.argmax(0).astype(np.int64)
    ### END SOLUTION


def mean_cost(costs: np.ndarray, exits: np.ndarray) -> float:
    """The mean cost per image. costs: (nets,), of each net alone; exits: (N,), as `leaving` returns them."""
    ### BEGIN SOLUTION
    return float(np.cumsum(costs)[exits].mean())
    ### END SOLUTION


def share_to_pay(cheap: float, costly: float) -> float:
    """The share of images that must leave after the cheap net, so that a cascade of the two costs as much as the costly net
    alone. It is above 1 if no share is enough. Both costs are above 0.
    """
    ### BEGIN SOLUTION
    return cheap / costly  # cheap + (1 - share) * costly = costly
    ### END SOLUTION


def best_subset(
    costs: np.ndarray, confidences: np.ndarray, correct: np.ndarray, threshold: float, budget: float
) -> list[int]:
    """Which nets to put into the cascade, as increasing indices: of all choices whose mean cost is at most the budget, the
    most accurate one, and of equally accurate ones the cheapest. No two choices tie in both.

    costs: (nets,), of up to 6 nets; confidences and correct (booleans): (nets, N), of each net for each image. The nets of a
    choice are asked in the order of their indices, all with the same threshold. A single net is a cascade, too. Raises
    ValueError if no choice fits the budget.
    """
    ### BEGIN SOLUTION
    found = []
    for code in range(1, 2 ** len(costs)):
        nets = [i for i in range(len(costs)) if code >> i & 1]
        exits = leaving(confidences[nets], np.full(len(nets) - 1, threshold))
        cost = mean_cost(costs[nets], exits)
        if cost <= budget:
            found.append((correct[nets][exits, np.arange(len(exits))].mean(), -cost, nets))
    if not found:
        raise ValueError(f"no cascade has a mean cost of {budget} or less")
    return max(found)[2]
    ### END SOLUTION
