"""Fold batch norms into the layers before them."""

from itertools import pairwise

import numpy as np

from ..guards import check_distinct, is_as_stated
from ..nn import BatchNorm, Mask, Module, Parameter, Sequential, Weighted
from ..nn.weighted import effective


def fold_batch_norm(model: Module) -> Module:
    """A copy in which each `BatchNorm` directly after a weighted layer in a `Sequential` is folded into that layer.

    In evaluation mode both compute the same: the weights are multiplied by weight / sqrt(var + eps) of their channel,
    and the bias takes up the rest (Jacob et al. 2018, equation 14). Layers are renumbered, masks are kept. Raises
    ValueError for other parametrizations (fold first, then quantize), and for a layer that appears twice in the net.
    """
    check_distinct("fold_batch_norm", model)
    model = model.copy()
    for module in model.modules():
        if isinstance(module, Sequential):
            folded = [
                second
                for first, second in pairwise(module.layers)
                if type(second) is BatchNorm and isinstance(first, Weighted) and is_as_stated(first)
            ]
            for first, second in pairwise(list(module.layers)):
                if second in folded:
                    fold_into(first, second)
            module.layers = [layer for layer in module.layers if layer not in folded]
    return model


def fold_into(layer: Weighted, norm: BatchNorm):
    """Fold the norm into the layer, in place. Raises ValueError for a parametrization other than a mask."""
    for name in "weight", "bias":
        if other := [step for step in layer.parametrizations(name) if not isinstance(step, Mask)]:
            raise ValueError(f"fold_batch_norm: {layer!r} already has a {other[0]!r}; fold before quantizing")
    weight, bias = layer.latent("weight"), layer.latent("bias")
    factor = (norm.weight.data / np.sqrt(norm.running_var + norm.eps)).astype(weight.dtype)
    shifted = norm.bias.data - norm.running_mean * factor
    weight.data = weight.data * factor
    if bias is not None:
        shifted = effective(layer, "bias") * factor + shifted
    mask = layer.parametrization("bias", Mask)
    if mask is not None and not shifted[~mask.mask].any():
        bias.data = shifted  # masked channels stay 0, so the mask can stay
    else:
        layer.replace("bias", Parameter(shifted.astype(weight.dtype), (weight if bias is None else bias).requires_grad))
