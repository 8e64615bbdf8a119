"""Function-preserving widening (Net2Net): a larger net that computes the same, to train further."""

import numpy as np

from ..channels import by_group, channel_groups, select_channels
from ..nn import Mask, Module


def widen(model: Module, widths: dict[str, int], *, rng: np.random.Generator, noise: float = 0.0) -> Module:
    """A copy whose named layers have more neurons or channels, and whose outputs are the same (Chen, Goodfellow & Shlens
    2016, Net2WiderNet, section 2.2).

    Each new channel copies one drawn at random; every reader of a channel divides its weights by the number of copies.
    Channels that are added to others (`Residual`) widen with them.

    widths: layer name -> new width. noise: the standard deviation of Gaussian noise on the copies' incoming weights,
    relative to that of the weights. Without noise, copies get equal gradients and stay equal forever (unless dropout
    separates them); with it, the outputs are only approximately the same. Raises ValueError for a smaller width, a net
    whose channels cannot be followed, and weights seen through anything but a mask.
    """
    chosen, before = {}, {}
    for name, (group, width) in by_group(model, widths).items():
        before[name] = group.count
        if width < group.count:
            raise ValueError(
                f"widen: layer {name} has {group.count} channels already; to get only {width}, use remove_neurons"
            )
        chosen[name] = np.concatenate([np.arange(group.count), rng.integers(group.count, size=width - group.count)])
    wide = select_channels(model, chosen)
    for name, group in channel_groups(wide).items():
        if name not in chosen:
            continue
        copies = np.bincount(chosen[name])[chosen[name]]
        for layer in group.readers.values():
            weight = _plain_weight(layer)
            weight.data = weight.data / np.resize(copies, weight.shape[-2])[:, None].astype(weight.dtype)
        for layer in group.writers.values():
            weight = _plain_weight(layer)
            jitter = (noise * weight.data.std() * rng.standard_normal(weight.shape)).astype(weight.dtype)
            jitter[..., : before[name]] = 0
            weight.data = weight.data + jitter
    return wide


def _plain_weight(layer: Module):
    if other := [step for step in layer.parametrizations("weight") if not isinstance(step, Mask)]:
        raise ValueError(
            f"widen: {layer!r} is seen through {other[0]!r}, which may not commute with a division; call bake() first"
        )
    return layer.latent("weight")
