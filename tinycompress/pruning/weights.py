"""Pruning single weights: each layer's weight is seen through a `Mask`, so that no optimiser step can revive what was removed."""

from collections.abc import Callable

import numpy as np

from ..nn import Conv2d, Dense, DepthwiseConv2d, Mask, Module
from ..nn.summary import effective

Importance = Callable[[Module], dict[str, np.ndarray]]


def prunable(model: Module) -> dict[str, Module]:
    """The layers whose `weight` can be pruned, by name: dense and all kinds of convolution. Biases and batch norm stay."""
    return {name: m for name, m in model.named_modules() if isinstance(m, Dense | Conv2d | DepthwiseConv2d)}


def magnitude(model: Module) -> dict[str, np.ndarray]:
    """Importance |w| of every prunable weight (Han et al. 2015, section 3): layer name -> array of the weight's shape."""
    return {name: np.abs(layer.latent("weight").data) for name, layer in prunable(model).items()}


def sparsity(model: Module) -> float:
    """The share of prunable weights that are masked."""
    masks = _masks(model).values()
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks)


def prune_weights(
    model: Module, share: float | dict[str, float], importance: Importance = magnitude, scope: str = "global"
) -> Module:
    """Mask the least important weights, in place, until `share` of them are gone; those gone already stay gone.

    share: from 0 to 1, of all prunable weights together (scope "global": one threshold), of each layer's own (scope
    "layer"), or a dict of layer name -> share (layers not named stay as they are). Exactly
    round((1 - share) * count) weights are kept; ties go to the earlier weight. Returns the model. Raises ValueError for
    a share outside 0 to 1, below what is gone already, an unknown layer, or an importance that is not finite.
    """
    masks = _masks(model)
    if not masks:
        raise ValueError("prune_weights: the model has no dense or convolution layer to prune")
    scores = importance(model)
    for name, mask in masks.items():
        if not np.isfinite(scores[name]).all():
            raise ValueError(f"prune_weights: the importance of layer {name} is not finite; did its training diverge?")
        scores[name] = np.where(mask, scores[name], -np.inf)
    if isinstance(share, dict):
        if unknown := [name for name in share if name not in masks]:
            raise ValueError(f"prune_weights: no prunable layer is called {unknown}; there are {list(masks)}")
        groups = [([name], s) for name, s in share.items()]
    elif scope in ("global", "layer"):
        groups = [([*masks], share)] if scope == "global" else [([name], share) for name in masks]
    else:
        raise ValueError(f'prune_weights: scope must be "global" or "layer", got {scope!r}')
    for names, s in groups:
        kept = _most_important(np.concatenate([scores[name].ravel() for name in names]), s)
        ends = np.cumsum([masks[name].size for name in names])[:-1]
        for name, part in zip(names, np.split(kept, ends), strict=True):
            add_mask(prunable(model)[name], "weight", part.reshape(masks[name].shape))
    return model


def add_mask(layer: Module, name: str, mask: np.ndarray):
    """Mask parameter `name` of the layer by `mask` (True = kept) on top of any mask that it has."""
    existing = layer.parametrization(name, Mask)
    if existing is None:
        layer.parametrize(name, Mask(mask))
    else:
        existing.mask = existing.mask & mask


def fan_in(layer: Module) -> np.ndarray:
    """How many connections that are not 0 reach each neuron (or channel) of the layer: (out,) integers."""
    weight = effective(layer, "weight")
    return np.count_nonzero(weight.reshape(-1, weight.shape[-1]), axis=0)


def _masks(model: Module) -> dict[str, np.ndarray]:
    found = {}
    for name, layer in prunable(model).items():
        mask = layer.parametrization("weight", Mask)
        found[name] = np.ones(layer.latent("weight").shape, bool) if mask is None else mask.mask
    return found


def _most_important(scores: np.ndarray, share: float) -> np.ndarray:
    """Booleans: the round((1 - share) * n) largest scores. A score of -inf marks what is gone already."""
    if not 0 <= share <= 1:
        raise ValueError(f"prune_weights: the share to remove must lie from 0 to 1, got {share}")
    keep = round((1 - share) * scores.size)
    alive = int((scores > -np.inf).sum())
    if keep > alive:
        raise ValueError(
            f"prune_weights: {1 - alive / scores.size:.1%} of these weights are gone already, so {share:.1%} would revive some; "
            "ask for more, or start from an unpruned copy"
        )
    kept = np.zeros(scores.size, bool)
    kept[np.argsort(-scores, kind="stable")[:keep]] = True
    return kept
