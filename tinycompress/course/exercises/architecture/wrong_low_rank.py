"""Plausible wrong answers to low_rank, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("rank_for_energy", points=9, why="sums the singular values, not their squares")
def sums_of_values(singular, energy):
    if not 0 <= energy <= 1:
        raise ValueError
    sums = np.cumsum(singular)
    return 1 if sums[-1] == 0 else int((sums / sums[-1] >= energy - 1e-12).argmax()) + 1


@wrong("rank_for_energy", points=9, why="returns an index, which is one less than the rank")
def index_as_rank(singular, energy):
    if not 0 <= energy <= 1:
        raise ValueError
    squares = np.cumsum(singular**2)
    return 1 if squares[-1] == 0 else max(1, int((squares / squares[-1] >= energy - 1e-12).argmax()))


@wrong("factors", points=10.8, why="puts all of the singular values into one factor")
def unbalanced(weight, rank):
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    return u[:, :rank] * s[:rank], vt[:rank]


@wrong("ranks_for_budget", points=10, why="ignores the prices")
def gain_alone(singular, prices, budget):
    return _greedy(singular, [1] * len(prices), prices, budget, True)


@wrong("ranks_for_budget", points=10, why="compares the squares of layers with different scales")
def absolute_squares(singular, prices, budget):
    return _greedy(singular, prices, prices, budget, False)


def _greedy(singular, weights, prices, budget, relative):
    squares = [s**2 / ((s**2).sum() if relative else 1) for s in singular]
    ranks, left = [1] * len(prices), budget - sum(prices)
    if left < 0:
        raise ValueError
    while fits := [i for i, rank in enumerate(ranks) if rank < len(squares[i]) and prices[i] <= left]:
        best = max(fits, key=lambda i: squares[i][ranks[i]] / weights[i])
        ranks[best] += 1
        left -= prices[best]
    return ranks
