"""Pruning single weights: unstructured, in hardware-friendly blocks, or N of every M.

Each layer's weight is seen through a `Mask`, so no optimiser step can revive what was removed.
"""

import numpy as np

from ..nn import Mask, Module, Weighted
from ..nn.weighted import effective
from ..text.names import keywords
from .importance import Importance, magnitude, prunable


def sparsity(model: Module) -> float:
    """The share of prunable weights that are masked."""
    masks = kept_weights(model).values()
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks)


def kept_weights(model: Module) -> dict[str, np.ndarray]:
    """Which prunable weights are not masked: layer name -> booleans of the weight's shape, True = kept.

    Raises ValueError for a model without prunable layers.
    """
    found = {}
    for name, layer in prunable(model).items():
        mask = layer.parametrization("weight", Mask)
        found[name] = np.ones(layer.latent("weight").shape, bool) if mask is None else mask.mask
    if not found:
        raise ValueError("the model has no dense or convolution layer to prune")
    return found


@keywords(amount="share", sparsity="share", method="importance")
def prune_weights(
    model: Module,
    share: float | dict[str, float],
    importance: Importance = magnitude,
    scope: str = "global",
    block: tuple[int, int] = (1, 1),
) -> Module:
    """Mask the least important weights, in place, until `share` of them are gone. Masked weights stay masked.

    share: from 0 to 1, of all prunable weights together (scope "global": one threshold) or of each layer (scope
    "layer"); or a dict of layer name -> share (layers not named stay as they are). Exactly round((1 - share) * count)
    weights are kept; ties go to the earlier weight.

    block: (inputs, outputs) of the blocks that are kept or removed as a whole, ranked by the sum of their importance, in
    the weight seen as a matrix (kh * kw * in, out). The share then counts blocks, of which the last may be smaller.
    `pruning.products.blocks` packs blocks of (1, 16).

    Returns the model. Raises ValueError for a share outside 0 to 1 or below what is gone already, for an unknown layer,
    and for an importance that is not finite.

    >>> import tinycompress as tc
    >>> net = tc.models.lenet_300_100((8, 8, 1), 10, rng=np.random.default_rng(0))
    >>> round(sparsity(prune_weights(net, 0.9)), 3)
    0.9
    """
    masks = kept_weights(model)
    if len(block) != 2 or min(block) < 1:
        raise ValueError(f"prune_weights: block must be (inputs, outputs), each at least 1; got {block}")
    scores = {name: _block_scores(score, block) for name, score in _scores(model, importance, masks).items()}
    if isinstance(share, dict):
        if unknown := [name for name in share if name not in masks]:
            raise ValueError(f"prune_weights: no prunable layer is called {unknown}; the model has {list(masks)}")
        groups = [([name], s) for name, s in share.items()]
    elif scope in ("global", "layer"):
        groups = [([*masks], share)] if scope == "global" else [([name], share) for name in masks]
    else:
        raise ValueError(f'prune_weights: scope must be "global" or "layer", got {scope!r}')
    kept = {}  # complete before the first mask is set, so that an error changes nothing
    for names, s in groups:
        best = _most_important(np.concatenate([scores[name].ravel() for name in names]), s)
        ends = np.cumsum([scores[name].size for name in names])[:-1]
        kept |= zip(names, np.split(best, ends), strict=True)
    for name, part in kept.items():
        whole = part.reshape(scores[name].shape).repeat(block[0], 0).repeat(block[1], 1)
        rows, columns = _matrix(masks[name]).shape
        add_mask(prunable(model)[name], "weight", whole[:rows, :columns].reshape(masks[name].shape))
    return model


def prune_n_of_m(
    model: Module, n: int = 2, m: int = 4, importance: Importance = magnitude, layers: list[str] | None = None
) -> Module:
    """Keep the n most important of every m consecutive inputs of each neuron, in place. GPUs multiply 2:4 matrices at
    twice the speed (Mishra et al. 2021, section 3). Masked weights stay masked.

    layers: names of the layers to prune; by default all prunable ones. Returns the model. Raises ValueError for a layer
    whose number of inputs is not a multiple of m, such as a depthwise convolution with one input per channel.

    >>> import tinycompress as tc
    >>> net = prune_n_of_m(tc.models.mlp((8, 8, 1), (4,), 10, rng=0), 2, 4)
    >>> {int(count) for count in (net[1].weight.data[:4] != 0).sum(0)}  # of the first four inputs of each neuron
    {2}
    """
    if not 1 <= n <= m:
        raise ValueError(f"prune_n_of_m: n of every m weights are kept, which needs 1 <= n <= m; got {n} of {m}")
    masks = kept_weights(model)
    chosen = list(masks) if layers is None else list(layers)
    if unknown := [name for name in chosen if name not in masks]:
        raise ValueError(f"prune_n_of_m: no prunable layer is called {unknown}; the model has {list(masks)}")
    fits = [name for name, layer in prunable(model).items() if _inputs(layer) % m == 0]
    if unfit := [name for name in chosen if name not in fits]:
        layer = prunable(model)[unfit[0]]
        raise ValueError(
            f"prune_n_of_m: each neuron of layer {unfit[0]}, {layer!r}, has {_inputs(layer)} inputs, not a multiple "
            f"of {m}; leave it out: layers={fits}"
        )
    scores = _scores(model, importance, masks)
    for name in chosen:
        groups = _matrix(scores[name]).reshape(-1, m, scores[name].shape[-1])
        best = np.argsort(-groups, axis=1, kind="stable")[:, :n]
        kept = np.zeros(groups.shape, bool)
        np.put_along_axis(kept, best, True, axis=1)
        add_mask(prunable(model)[name], "weight", kept.reshape(masks[name].shape))
    return model


def add_mask(layer: Module, name: str, mask: np.ndarray) -> None:
    """Mask parameter `name` of the layer by `mask`, booleans of its shape (True: kept), on top of any mask it already has.

    Raises ValueError for a mask of another shape.
    """
    shape = layer.latent(name).shape
    if np.shape(mask) != shape:
        raise ValueError(
            f"add_mask: the {name} of {layer!r} is {shape}, and so must be the mask, which is {np.shape(mask)}"
        )
    existing = layer.parametrization(name, Mask)
    if existing is None:
        layer.parametrize(name, Mask(mask))
    else:
        existing.mask = existing.mask & mask


def fan_in(layer: Module) -> np.ndarray:
    """The number of nonzero weights into each neuron (or channel) of the layer: (out,) integers."""
    return np.count_nonzero(_matrix(effective(layer, "weight")), axis=0)


def _scores(model: Module, importance: Importance, masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The importance of every prunable weight, checked; -inf for masked weights."""
    if not callable(importance):
        raise TypeError(f"the importance is a function of the net, such as pruning.magnitude; got {importance!r}")
    scores = importance(model)
    if not isinstance(scores, dict):
        raise TypeError(f"an importance returns a dict of layer name -> scores, got {type(scores).__name__}")
    for name, mask in masks.items():
        if name not in scores or np.shape(scores[name]) != mask.shape:
            raise ValueError(
                f"the importance of layer {name} must be an array of its weight's shape {mask.shape}, got "
                f"{np.shape(scores[name]) if name in scores else None}; neuron criteria are for keep_neurons"
            )
        if not np.isfinite(np.asarray(scores[name])).all():
            raise ValueError(f"the importance of layer {name} is not finite; did its training diverge?")
    return {name: np.where(mask, scores[name], -np.inf) for name, mask in masks.items()}


def _matrix(weight: np.ndarray) -> np.ndarray:
    return weight.reshape(-1, weight.shape[-1])


def _inputs(layer: Weighted) -> int:
    """How many numbers each output of the layer reads per kernel position."""
    return 1 if layer.connects == "own" else layer.latent("weight").shape[-2]


def _block_scores(scores: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """The importance of each block: the sum over its unmasked weights; -inf if all are masked."""
    if tuple(block) == (1, 1):
        return _matrix(scores)
    living = _matrix(scores > -np.inf)
    sums = _block_sums(np.where(living, _matrix(scores), 0), block)
    return np.where(_block_sums(living, block) > 0, sums, -np.inf)


def _block_sums(matrix: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    starts = [np.arange(0, n, b) for n, b in zip(matrix.shape, block, strict=True)]
    return np.add.reduceat(np.add.reduceat(matrix, starts[0], 0, dtype=float), starts[1], 1)


def _most_important(scores: np.ndarray, share: float) -> np.ndarray:
    """Booleans: the round((1 - share) * n) largest scores. A score of -inf marks a masked weight; ties go to the earlier one."""
    if not isinstance(share, int | float | np.number) or not 0 <= share <= 1:
        raise ValueError(f"prune_weights: the share to remove must be from 0 to 1, got {share!r}")
    keep = round((1 - share) * scores.size)
    alive = int((scores > -np.inf).sum())
    if keep > alive:
        raise ValueError(
            f"prune_weights: {1 - alive / scores.size:.1%} of these weights are gone already, so {share:.1%} would "
            "revive some; ask for more, or start from an unpruned copy"
        )
    if keep == 0:
        return np.zeros(scores.size, bool)
    last = np.partition(scores, -keep)[-keep]  # the smallest score that stays; much faster than sorting them all
    kept = scores > last
    kept[np.flatnonzero(scores == last)[: keep - kept.sum()]] = True
    return kept
