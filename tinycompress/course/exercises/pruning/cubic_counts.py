"""A little at a time, to the last weight (20 minutes, 6 points).

Gradual pruning removes much while much is superfluous, and little towards the end (Zhu & Gupta 2017, equation 1): with
`before` weights removed at first and `final` at last, after step k of n there should be

    final + (before - final) * (1 - k / n)^3     removed weights, rounded up.

From 0 to 64 in four steps: 37, 56, 63, 64. All of these are counts, and a count can be exact: with floats, 1 - 3 / 10 is
already not quite 0.7, and what should be a whole number is rounded up to the next one. Python's integers do not round.
"""

import numpy as np


def removed_counts(before: int, final: int, steps: int) -> list[int]:
    """How many weights are removed in all after each of the steps 1 to `steps`: the formula, exactly, rounded up.

    0 <= before <= final, up to a billion weights. Returns `steps` integers, of which the last is `final`.
    """
    ### BEGIN SOLUTION
    return [final - (final - before) * (steps - k) ** 3 // steps**3 for k in range(1, steps + 1)]
    ### END SOLUTION


def prune_to(weight: np.ndarray, mask: np.ndarray, count: int) -> np.ndarray:
    """The next mask: exactly `count` weights removed in all. Those removed before stay so, then the smallest magnitudes go.

    weight: (inputs, outputs), with whatever values at the removed places; mask: booleans of its shape, True = kept. Of
    equal magnitudes the one that comes first in memory (row by row) goes first. Raises ValueError where `count` is less
    than what is removed already, or more than there is.
    """
    ### BEGIN SOLUTION
    if not np.sum(~mask) <= count <= mask.size:
        raise ValueError(f"{count} cannot be removed of {mask.size} weights, {np.sum(~mask)} of them removed already")
    magnitude = np.where(mask, np.abs(weight), -1)  # before all others, whatever their values are
    after = mask.copy()
    after.reshape(-1)[np.argsort(magnitude, axis=None, kind="stable")[:count]] = False
    return after
    ### END SOLUTION
