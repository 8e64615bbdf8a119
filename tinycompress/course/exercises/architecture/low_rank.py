"""How much rank a layer needs (1 hour, 12 points).

A dense layer of rank r can be written as two thin ones: weight (inputs, outputs) ≈ first (inputs, r) @ second (r, outputs),
with r (inputs + outputs) weights instead of inputs * outputs. The nearest such product consists of the first r terms of the
singular value decomposition (Eckart & Young 1936). Its squared error is the sum of the squares of the other singular values.
The "energy" that it keeps is the sum of the first r squares, as a share of the sum of all squares:

    singular values 4, 2, 1, 0:   squares 16 4 1 0,   kept by r = 1, 2, 3:   16/21 = 76 %, 20/21 = 95 %, all

How large should each layer's rank be? One rule keeps the same energy in all layers. Another rule spends a budget of weights
where it buys most energy: begin with rank 1 everywhere; then, again and again, raise by 1 the rank of the layer that gains
most energy per weight that this costs.
"""

import numpy as np


def rank_for_energy(singular: np.ndarray, energy: float) -> int:
    """The smallest rank, at least 1, that keeps at least the share `energy`, from 0 to 1.

    singular: the singular values, (n,), largest first. If all are zero, the rank is 1. A rank that falls short of `energy` by
    no more than 1e-12 counts as enough, because of rounding. Raises ValueError for an energy outside 0 to 1.
    """
    ### BEGIN SOLUTION
    if not 0 <= energy <= 1:
        raise ValueError(f"energy is a share from 0 to 1, got {energy}")
    squares = np.cumsum(singular.astype(np.float64) ** 2)
    if squares[-1] == 0:
        return 1
    return int((squares / squares[-1] >= energy - 1e-12).argmax()) + 1
    ### END SOLUTION


def factors(weight: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """first (inputs, rank) and second (rank, outputs), whose product is the matrix of this rank nearest to weight.

    Both factors must be equally large, so that they train equally well: first.T @ first and second @ second.T both equal the
    diagonal matrix of the first `rank` singular values.
    """
    ### BEGIN SOLUTION
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    root = np.sqrt(s[:rank])
    return u[:, :rank] * root, root[:, None] * vt[:rank]
    ### END SOLUTION


def ranks_for_budget(singular: list, prices: list, budget: int) -> list[int]:
    """The rank of each layer, by the second rule of the statement: a list or an array of integers.

    singular: for each layer its singular values, largest first, not all zero; prices: for each layer the cost of one rank,
    inputs + outputs; budget: the number of weights allowed in all. A layer's energy is a share of its *own* squares. The next
    rank goes to the layer that gains most energy per weight, the first one if several gain equally. Only layers that are
    below full rank and whose next rank fits the remaining budget take part; stop when there are none. Raises ValueError if
    rank 1 everywhere exceeds the budget.
    """
    ### BEGIN SOLUTION
    gains = [np.asarray(s, np.float64) ** 2 / np.sum(np.asarray(s, np.float64) ** 2) for s in singular]
    ranks, left = [1] * len(prices), budget - sum(prices)
    if left < 0:
        raise ValueError(f"rank 1 everywhere takes {sum(prices)} weights, but the budget is {budget}")
    while True:
        open_ = [i for i, rank in enumerate(ranks) if rank < len(gains[i]) and prices[i] <= left]
        if not open_:
            return ranks
        best = max(open_, key=lambda i: gains[i][ranks[i]] / prices[i])
        ranks[best] += 1
        left -= prices[best]
    ### END SOLUTION
