"""What a cascade costs (30 minutes, 10 points).

A cascade asks a cheap net first; if it is not sure enough, the next one, which begins from the image again; and so on (Viola &
Jones 2001). An image that reaches the last net has paid for all of them. With nets of 10, 50 and 100 million MACs of which
70 % of the images leave after the first and 20 % after the second, an image costs

    0.7 * 10 + 0.2 * (10 + 50) + 0.1 * (10 + 50 + 100) = 35 million MACs on average.

If nobody left early it would be 160, more than the 100 of the last net alone. A cascade can lose, too.
"""

import numpy as np


def leaving(confidences: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The number of the net, from 0, whose answer each image gets: int64 (N,).

    confidences: (nets, N); thresholds: (nets - 1,). An image leaves at the first net whose confidence is at least its
    threshold; at the last net all leave.
    """
    ### BEGIN SOLUTION
    leaves = np.ones(confidences.shape, bool)
    leaves[:-1] = confidences[:-1] >= thresholds[:, None]
    return leaves.argmax(0).astype(np.int64)
    ### END SOLUTION


def mean_cost(costs: np.ndarray, exits: np.ndarray) -> float:
    """The mean cost of an image. costs: (nets,), of each net by itself; exits: (N,), as `leaving` has them."""
    ### BEGIN SOLUTION
    return float(np.cumsum(costs)[exits].mean())
    ### END SOLUTION


def share_to_pay(cheap: float, costly: float) -> float:
    """The share of images that must leave after the cheap net, so that the cascade of two costs just what the costly net
    alone does. Above 1 if it cannot. Both costs are above 0.
    """
    ### BEGIN SOLUTION
    return cheap / costly  # cheap + (1 - share) * costly = costly
    ### END SOLUTION


def best_subset(
    costs: np.ndarray, confidences: np.ndarray, correct: np.ndarray, threshold: float, budget: float
) -> list[int]:
    """Which nets to have in the cascade, as rising numbers: of all choices whose mean cost is at most the budget, the most
    accurate; of equally accurate ones the cheapest. No two choices tie in both.

    costs: (nets,); confidences and correct (booleans): (nets, N), of each net for each image. The nets of a choice are asked
    in order of their numbers, all with the same threshold. A net alone is a cascade, too. Up to 6 nets. Raises ValueError
    if nothing fits the budget.
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
        raise ValueError(f"no cascade costs {budget} or less")
    return max(found)[2]
    ### END SOLUTION
