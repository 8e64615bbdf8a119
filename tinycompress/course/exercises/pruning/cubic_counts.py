"""A little at a time, to the last weight (20 minutes, 4 points).

Gradual pruning removes many weights at first, while many are superfluous, and few towards the end (Zhu & Gupta 2017,
equation 1). If `before` weights are removed at the start and `final` at the end, then after step k of n there should be

    final + (before - final) * (1 - k / n)^3     removed weights, rounded up.

From 0 to 64 in four steps: 37, 56, 63, 64. These are counts, and a count should be exact. With floats it is not: 1 - 3 / 10
is not quite 0.7, so that a result that should be a whole number may be rounded up to the next one. Python's integers are
exact.
"""

import numpy as np


def removed_counts(before: int, final: int, steps: int) -> list[int]:
    """How many weights are removed in total after each of the steps 1 to `steps`: the formula, exact, rounded up.

    0 <= before <= final, up to a billion weights, in up to 5000 steps. Returns `steps` integers; the last one is `final`.
    """
    ### BEGIN SOLUTION
    return [final - (final - before) * (steps - k) ** 3 // steps**3 for k in range(1, steps + 1)]
    ### END SOLUTION


def prune_to(weight: np.ndarray, mask: np.ndarray, count: int) -> np.ndarray:
    """The next mask, with exactly `count` weights removed in total.

    Weights that are already removed stay removed. Then the kept weights of smallest magnitude are removed; of equal
    magnitudes, the one that comes first, row by row. weight: (inputs, outputs), with arbitrary values where
    weights are removed; mask: booleans of the same shape, True = kept. Neither may be changed. Raises ValueError if `count`
    is less than the number already removed, or more than the number of weights.
    """
    ### BEGIN SOLUTION
    if not np.sum(~mask) <= count <= mask.size:
        raise ValueError(f"cannot remove {count} of {mask.size} weights, of which {np.sum(~mask)} are removed already")
    magnitude = np.where(mask, np.abs(weight), -1)  # removed weights sort first, whatever their values
    after = mask.copy()
    after.reshape(-1)[np.argsort(magnitude, axis=None, kind="stable")[:count]] = False
    return after
    ### END SOLUTION
