"""Plausible wrong answers to low_rank, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("rank_for_energy", points=9.6, why="sums the singular values, not their squares")
def sums_of_values(singular, energy):
    if not 0 <= energy <= 1:
        raise ValueError
    sums = np.cumsum(singular)
    return 1 if sums[-1] == 0 else int((sums / sums[-1] >= energy - 1e-12).argmax()) + 1


@wrong("rank_for_energy", points=8.3, why="returns an index, which is one less than the rank")
def index_as_rank(singular, energy):
    if not 0 <= energy <= 1:
        raise ValueError
    squares = np.cumsum(singular**2)
    return 1 if squares[-1] == 0 else max(1, int((squares / squares[-1] >= energy - 1e-12).argmax()))


@wrong("rank_for_energy", points=10.7, why="asks for more than the share, not at least")
def more_than_the_share(singular, energy):
    if not 0 <= energy <= 1:
        raise ValueError
    squares = np.cumsum(singular**2)
    if squares[-1] == 0:
        return 1
    return min(int((squares / squares[-1] <= energy).sum()) + 1, len(singular))


@wrong("rank_for_energy", points=10.7, why="makes no allowance for rounding")
def without_tolerance(singular, energy):
    if not 0 <= energy <= 1:
        raise ValueError
    squares = np.cumsum(singular**2)
    return 1 if squares[-1] == 0 else int((squares >= energy * squares[-1]).argmax()) + 1


@wrong("rank_for_energy", points=10.7, why="accepts a negative share")
def negative_shares(singular, energy):
    if energy > 1:
        raise ValueError
    squares = np.cumsum(singular**2)
    return 1 if squares[-1] == 0 else int((squares / squares[-1] >= energy - 1e-12).argmax()) + 1


@wrong("ranks_for_budget", points=10.1, why="does not spend the last weights of the budget")
def not_to_the_last(singular, prices, budget):
    if budget < sum(prices):
        raise ValueError
    return _greedy(singular, prices, prices, max(budget - 1, sum(prices)), True)


@wrong("ranks_for_budget", points=8, why="stops where the best layer's next rank does not fit")
def stops_at_the_first(singular, prices, budget):
    squares = [s**2 / (s**2).sum() for s in singular]
    ranks, left = [1] * len(prices), budget - sum(prices)
    if left < 0:
        raise ValueError
    while below := [i for i, rank in enumerate(ranks) if rank < len(squares[i])]:
        best = max(below, key=lambda i: squares[i][ranks[i]] / prices[i])
        if prices[best] > left:
            break
        ranks[best] += 1
        left -= prices[best]
    return ranks


@wrong("ranks_for_budget", points=10.5, why="gives equal gains to the last layer")
def last_of_equals(singular, prices, budget):
    return _greedy(singular[::-1], prices[::-1], prices[::-1], budget, True)[::-1]


@wrong("factors", points=10.2, why="puts all of the singular values into one factor")
def unbalanced(weight, rank):
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    return u[:, :rank] * s[:rank], vt[:rank]


@wrong("ranks_for_budget", points=9.5, why="ignores the prices")
def gain_alone(singular, prices, budget):
    return _greedy(singular, [1] * len(prices), prices, budget, True)


@wrong("ranks_for_budget", points=8, why="compares the squares of layers with different scales")
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


@wrong("ranks_for_budget", points=10.5, why="stops when the next ranks gain nothing, although they fit")
def nothing_for_nothing(singular, prices, budget):
    ranks = _greedy(singular, prices, prices, budget, True)
    return [min(r, max(1, int(np.count_nonzero(s)))) for r, s in zip(ranks, singular, strict=True)]
