"""How much rank a layer needs (1 hour, 12 points).

A dense layer of rank r is two thin ones: weight (inputs, outputs) ≈ first (inputs, r) @ second (r, outputs), with r (inputs +
outputs) weights instead of inputs * outputs. The nearest such product is the first r terms of the singular value
decomposition (Eckart & Young 1936), and what it loses is the sum of the other singular values' squares. The "energy" that
it keeps is the share of the first r squares in the sum of all:

    singular values 4, 2, 1, 0:   squares 16 4 1 0,   kept by r = 1, 2, 3:   16/21 = 76 %, 20/21 = 95 %, all

One energy for all layers is one rule. Another one spends a budget of weights where it buys most energy: begin with rank 1
everywhere, and give one rank more, again and again, to the layer that gains most energy for each weight that it costs.
"""

import numpy as np


def rank_for_energy(singular: np.ndarray, energy: float) -> int:
    """The smallest rank, from 1, that keeps at least this share of the energy, from 0 to 1.

    singular: (n,), the largest first. If all are zero the rank is 1. A rank that falls short of the energy by no more than
    1e-12 keeps it. Raises ValueError for a share outside 0 to 1.
    """
    ### BEGIN SOLUTION
    if not 0 <= energy <= 1:
        raise ValueError(f"an energy is a share from 0 to 1, got {energy}")
    squares = np.cumsum(singular.astype(np.float64) ** 2)
    if squares[-1] == 0:
        return 1
    return int((squares / squares[-1] >= energy - 1e-12).argmax()) + 1
    ### END SOLUTION


def factors(weight: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """first (inputs, rank) and second (rank, outputs), whose product is the nearest of that rank to weight.

    Both are equally large: first.T @ first = second @ second.T, the diagonal matrix of the singular values, so that they
    train alike.
    """
    ### BEGIN SOLUTION
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    root = np.sqrt(s[:rank])
    return u[:, :rank] * root, root[:, None] * vt[:rank]
    ### END SOLUTION


def ranks_for_budget(singular: list, prices: list, budget: int) -> list[int]:
    """The rank of each layer, by the second rule of the statement.

    singular: for each layer its singular values, the largest first; prices: what one rank of each layer costs, inputs +
    outputs. A layer's energy is the share of its *own* squares; no layer has them all zero. The rank goes to the layer that
    gains most energy for each weight, among those that are not at full rank and whose next rank the budget still allows; of
    equals to the first; until there is none. Raises ValueError where rank 1 everywhere is above the budget.
    """
    ### BEGIN SOLUTION
    gains = [np.asarray(s, np.float64) ** 2 / np.sum(np.asarray(s, np.float64) ** 2) for s in singular]
    ranks, left = [1] * len(prices), budget - sum(prices)
    if left < 0:
        raise ValueError(f"rank 1 everywhere takes {sum(prices)} weights, and the budget is {budget}")
    while True:
        open_ = [i for i, rank in enumerate(ranks) if rank < len(gains[i]) and prices[i] <= left]
        if not open_:
            return ranks
        best = max(open_, key=lambda i: gains[i][ranks[i]] / prices[i])
        ranks[best] += 1
        left -= prices[best]
    ### END SOLUTION
