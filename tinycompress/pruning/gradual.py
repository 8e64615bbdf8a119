"""Gradual pruning: remove some weights, fine-tune, remove some more.

>>> from tinycompress import models
>>> net, seen = models.mlp((8, 8, 1), (32,), 10, rng=0), []
>>> net = prune_gradually(net, 0.8, steps=4, fine_tune=lambda net, step: seen.append(round(sparsity(net), 2)))
>>> seen  # instead of this, fine_tune calls fit
[0.46, 0.7, 0.79, 0.8]
"""

from collections.abc import Callable

from ..nn import Module
from .weights import prune_weights, sparsity


def cubic(t: float, final: float, initial: float = 0.0) -> float:
    """The share removed at time t, from 0 to 1: final + (initial - final)(1 - t)³. Fast while there is redundancy, slow
    towards the end (Zhu & Gupta 2017, equation 1).

    >>> [round(cubic(t, final=0.9), 2) for t in (0, 0.25, 0.5, 1)]
    [0.0, 0.52, 0.79, 0.9]
    """
    return final + (initial - final) * (1 - t) ** 3


def prune_gradually(
    model: Module, share: float, steps: int, fine_tune: Callable[[Module, int], object], **how
) -> Module:
    """Remove `share` of the weights in `steps` steps along the cubic schedule, and call fine_tune(model, step) after each.

    Works in place and returns the model. steps=1 prunes all at once. how: importance, scope and block, as in
    `prune_weights`. Raises ValueError for less than one step, and what `prune_weights` raises.
    """
    if steps < 1:
        raise ValueError(f"prune_gradually: steps must be 1 or more, got {steps}")
    gone = sparsity(model)
    for step in range(1, steps + 1):
        prune_weights(model, cubic(step / steps, share, gone), **how)
        fine_tune(model, step)
    return model
