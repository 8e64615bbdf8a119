"""Per-layer sensitivity: how much accuracy is lost when only one layer is pruned."""

from collections.abc import Callable, Iterable

import numpy as np

from ..nn import Module
from ..training import Evaluation, evaluate
from .importance import prunable
from .weights import kept_weights, prune_weights


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


def shares_from_scan(
    model: Module, scan: dict[str, list[Evaluation]], shares: Iterable[float], removed: float
) -> dict[str, float]:
    """How much to remove of each layer, the share `removed` of the weights of all scanned layers together, so that each layer
    alone costs about as much accuracy: layer name -> share.

    scan: what `sensitivity` returned for these shares, which begin with 0 and rise; between them, accuracy is interpolated, and
    where it rises again, it counts as level. The accuracy that every layer may fall to is found by bisection. Raises ValueError
    for shares that do not begin with 0 or do not rise, for a `removed` that not even the largest of them reaches, and for a scan
    of no layer, of unknown ones, or of other shares.
    """
    shares = np.asarray(list(shares), float)
    if len(shares) < 2 or shares[0] != 0 or not (np.diff(shares) > 0).all():
        raise ValueError(f"shares_from_scan: the shares must begin with 0 and rise; got {shares.tolist()}")
    if not 0 <= removed <= shares[-1]:
        raise ValueError(
            f"shares_from_scan: removed must lie between 0 and the largest share, {shares[-1]:g}; got {removed}"
        )
    known = kept_weights(model)
    if not scan or any(name not in known or len(curve) != len(shares) for name, curve in scan.items()):
        raise ValueError(
            f"shares_from_scan: the scan must have {len(shares)} evaluations for each of some layers of the net, {list(known)}; "
            f"got { {name: len(curve) for name, curve in scan.items()} }"
        )
    sizes = {name: known[name].size for name in scan}
    # Never rising, and falling a little everywhere, so that each accuracy belongs to one share.
    falling = {
        name: np.minimum.accumulate([found.accuracy for found in curve]) - 1e-9 * shares for name, curve in scan.items()
    }

    def at(accuracy: float) -> dict[str, float]:
        return {name: float(np.interp(-accuracy, -curve, shares)) for name, curve in falling.items()}

    low, high = min(curve[-1] for curve in falling.values()), max(curve[0] for curve in falling.values())
    for _ in range(60):
        middle = (low + high) / 2
        found = at(middle)
        enough = sum(found[name] * sizes[name] for name in sizes) >= removed * sum(sizes.values())
        low, high = (middle, high) if enough else (low, middle)
    return at(low)
