"""Per-layer sensitivity: how much accuracy is lost when only one layer is pruned."""

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
    """Remove each share of one layer at a time, without fine-tuning, and evaluate on `data` (Han et al. 2015, section 5,
    figure 6): layer name -> one Evaluation per share. The model itself is not changed.

    data: x (N, …) and labels; use validation data, since the result decides how much to remove where. prune(copy,
    {layer: share}) returns the pruned net; by default it prunes single weights. layers: names; by default all prunable ones.
    """
    shares = list(shares)
    return {
        layer: [evaluate(prune(model.copy(), {layer: share}), data) for share in shares]
        for layer in (prunable(model) if layers is None else layers)
    }
