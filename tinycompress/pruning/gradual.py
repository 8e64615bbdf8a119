"""Gradual pruning: remove some weights, fine-tune, remove some more."""

from collections.abc import Callable

from ..nn import Module
from .weights import prune_weights, sparsity


def cubic(t: float, final: float, initial: float = 0.0) -> float:
    """The share removed at time t, from 0 to 1: final + (initial - final)(1 - t)³. Fast while there is redundancy, slow
    towards the end (Zhu & Gupta 2017, equation 1)."""
    return final + (initial - final) * (1 - t) ** 3


def prune_gradually(
    model: Module, share: float, steps: int, fine_tune: Callable[[Module, int], object], **how
) -> Module:
    """Remove `share` of the weights in `steps` steps along the cubic schedule, and call fine_tune(model, step) after each.

    Works in place and returns the model. steps=1 prunes all at once. how: importance, scope and block, as in
    `prune_weights`.
    """
    if steps < 1:
        raise ValueError(f"prune_gradually: steps must be 1 or more, got {steps}")
    gone = sparsity(model)
    for step in range(1, steps + 1):
        prune_weights(model, cubic(step / steps, share, gone), **how)
        fine_tune(model, step)
    return model
