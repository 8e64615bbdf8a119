"""Batch norm folded into the layer before it."""

from itertools import pairwise

import numpy as np

from ..nn import BatchNorm, Mask, Module, Parameter, Sequential, Weighted
from ..nn.weighted import check_distinct, effective, is_as_stated


def fold_batch_norm(model: Module) -> Module:
    """A copy in which each `BatchNorm` that directly follows a layer with weights in a `Sequential` is part of it.

    In evaluation mode both compute the same: the layer's weights are multiplied by weight / sqrt(var + eps) of
    their channel, and its bias takes what is left (Jacob et al. 2018, equation 14). Layers are renumbered. Masks
    stay; raises ValueError for other parametrizations (fold first, then quantize), and for a layer that stands in two
    places.
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
                    _fold(first, second)
            module.layers = [layer for layer in module.layers if layer not in folded]
    return model


def _fold(layer: Module, norm: BatchNorm):
    for name in "weight", "bias":
        if other := [step for step in layer.parametrizations(name) if not isinstance(step, Mask)]:
            raise ValueError(f"fold_batch_norm: {layer!r} is seen through {other[0]!r} already; fold before quantizing")
    weight, bias = layer.latent("weight"), layer.latent("bias")
    factor = (norm.weight.data / np.sqrt(norm.running_var + norm.eps)).astype(weight.dtype)
    shifted = norm.bias.data - norm.running_mean * factor
    weight.data = weight.data * factor
    if bias is not None:
        shifted = effective(layer, "bias") * factor + shifted
    mask = layer.parametrization("bias", Mask)
    if mask is not None and not shifted[~mask.mask].any():
        bias.data = shifted  # what was switched off stays so, and its mask stays
    else:
        layer.replace("bias", Parameter(shifted.astype(weight.dtype), (weight if bias is None else bias).requires_grad))
