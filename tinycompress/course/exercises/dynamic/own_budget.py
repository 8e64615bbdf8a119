"""Your own settings.

A net has eight settings, whose costs (ms per image) and accuracies (%) are

    rng = numpy.random.default_rng({seed})
    costs = rng.permutation(numpy.cumsum(rng.uniform(0.2, 2, 8)))
    accuracies = rng.uniform(60, 97, 8)

The budget is the cheapest cost plus {percent} % of the way from there to the cost of the most accurate setting. What error,
100 minus the accuracy in percent, does the best mixture have, by your `hull` and `mixture`?
"""

import numpy as np

POINTS = 2
NUMBERS = {"seed": range(1000, 100_000), "percent": range(5, 96)}


def answer(exercise, seed, percent):
    """The mean error in percent."""
    rng = np.random.default_rng(seed)
    costs = rng.permutation(np.cumsum(rng.uniform(0.2, 2, 8)))
    accuracies = rng.uniform(60, 97, 8)
    kept = exercise.hull(costs, accuracies)
    budget = costs[kept[0]] + percent / 100 * (costs[kept[-1]] - costs[kept[0]])
    return 100 - float(exercise.mixture(costs, accuracies, kept, budget) @ accuracies)
