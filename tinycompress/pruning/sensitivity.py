"""Per-layer sensitivity: how much accuracy is lost when one layer alone is pruned."""

from collections.abc import Callable, Iterable

import numpy as np

from ..nn import Module
from ..training import Evaluation, evaluate
from .importance import prunable
from .weights import prune_weights


def sensitivity(
    model: Module,
    data: tuple[np.ndarray, np.ndarray],
    shares: Iterable[float],
    prune: Callable[[Module, dict[str, float]], Module] = prune_weights,
    layers: Iterable[str] | None = None,
) -> dict[str, list[Evaluation]]:
    """Remove each share of one layer, all others whole and nothing fine-tuned, and evaluate on `data` (Han et al. 2015,
    section 5, figure 6): layer name -> an Evaluation for each share. The model itself stays as it is.

    data: x (N, …) and labels; validation data, as the result serves to choose how much to remove where. prune(copy,
    {layer: share}) returns the pruned net, here by single weights. layers: names; all prunable ones by default.
    """
    shares = list(shares)
    return {
        layer: [evaluate(prune(model.copy(), {layer: share}), data) for share in shares]
        for layer in (prunable(model) if layers is None else layers)
    }
