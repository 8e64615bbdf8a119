"""Pruning whole neurons and channels: only the layer's input and output size change, so the smaller net is an ordinary net.

`mask_neurons` switches neurons off in place; `remove_neurons` cuts them out into a new, smaller model that computes the
same. Both work on chains of layers (`Sequential`, nested or not): dense to dense, convolution to convolution, and from a
convolution through batch norm, activations, pooling, depthwise convolutions and flatten to whatever reads it.
"""

from collections.abc import Callable

import numpy as np

from ..nn import BatchNorm, Conv2d, Dense, DepthwiseConv2d, Module, Sequential
from ..nn.summary import effective
from .weights import add_mask


def neuron_magnitude(model: Module) -> dict[str, np.ndarray]:
    """Importance of each neuron or channel: the Euclidean norm of its incoming weights. Layer name -> (out,)."""
    norms = {}
    for name, layer in _chain(model)[:-1]:
        if isinstance(layer, Dense | Conv2d):
            weight = effective(layer, "weight")
            norms[name] = np.linalg.norm(weight.reshape(-1, weight.shape[-1]), axis=0)
    return norms


def keep_neurons(
    model: Module,
    share: float | dict[str, float],
    importance: Callable[[Module], dict[str, np.ndarray]] = neuron_magnitude,
) -> dict[str, np.ndarray]:
    """Choose the neurons to keep: of every hidden layer the most important `share` (at least one), in their old order.

    share: from 0 to 1, or a dict of layer name -> share; layers not named stay whole. Returns layer name -> indices.
    """
    scores = importance(model)
    shares = share if isinstance(share, dict) else dict.fromkeys(scores, share)
    if unknown := [name for name in shares if name not in scores]:
        raise ValueError(f"keep_neurons: no hidden layer is called {unknown}; there are {list(scores)}")
    if wrong := [s for s in shares.values() if not 0 <= s <= 1]:
        raise ValueError(f"keep_neurons: the share to keep must lie from 0 to 1, got {wrong[0]}")
    return {
        name: np.sort(np.argsort(-scores[name], kind="stable")[: max(1, round(s * len(scores[name])))])
        for name, s in shares.items()
    }


def mask_neurons(model: Module, kept: dict[str, np.ndarray]) -> Module:
    """Switch off, in place, every neuron that is not kept: its weights and bias, and those that read it. Returns the model.

    kept: layer name -> indices of the neurons to keep, as `keep_neurons` gives them.
    """
    for layer, name, index, axis in _touched(model, kept):
        if name.startswith("running"):
            continue
        shape = layer.latent(name).shape
        mask = np.zeros(shape[axis], bool)
        mask[index] = True
        add_mask(layer, name, np.broadcast_to(mask.reshape([-1 if a == axis else 1 for a in range(len(shape))]), shape))
    return model


def remove_neurons(model: Module, kept: dict[str, np.ndarray]) -> Module:
    """A new, smaller model with only the kept neurons; its outputs equal those of `mask_neurons(model, kept)`.

    kept: layer name -> indices. Weights pruned one by one stay pruned. Raises ValueError for a net that is not a chain of
    known layers (channels that are added to others must be removed together), an unknown layer or wrong indices.
    """
    small = model.copy()
    for layer, name, index, axis in _touched(small, kept):
        if name.startswith("running"):
            setattr(layer, name, getattr(layer, name)[index])
            continue
        latent, steps = layer.latent(name), layer.parametrizations(name)
        if stuck := [step for step in steps if not hasattr(step, "take")]:
            raise ValueError(
                f"remove_neurons: {layer!r} is seen through {stuck[0]!r}, which cannot be cut; call bake() first"
            )
        smaller = type(latent)(latent.data.take(index, axis), latent.requires_grad)
        layer.replace(name, smaller, [step.take(index, axis) for step in steps])
    return small


def _touched(model: Module, kept: dict[str, np.ndarray]):
    """(layer, parameter or buffer, kept indices, axis) for everything that keeping only these neurons touches."""
    chain = _chain(model)
    places = {name: i for i, (name, _) in enumerate(chain)}
    for name, index in kept.items():
        if name not in places or not isinstance(chain[places[name]][1], Dense | Conv2d):
            options = [n for n, layer in chain if isinstance(layer, Dense | Conv2d)]
            raise ValueError(f"no dense or standard convolution layer is called {name!r}; there are {options}")
        producer = chain[places[name]][1]
        channels, index = producer.latent("weight").shape[-1], np.asarray(index)
        if len(index) == 0 or len(np.unique(index)) != len(index) or index.min() < 0 or index.max() >= channels:
            raise ValueError(f"layer {name} has neurons 0 to {channels - 1}; keep at least one, each once; got {index}")
        yield from _outputs(producer, index)
        yield from _readers(chain[places[name] + 1 :], name, channels, index)


def _outputs(layer: Module, index):
    """The output side of a layer: the last axis of its weight, and its bias."""
    yield layer, "weight", index, layer.latent("weight").ndim - 1
    if layer.latent("bias") is not None:
        yield layer, "bias", index, 0


def _readers(rest: list[tuple[str, Module]], name: str, channels: int, index):
    """What lies behind a pruned layer, up to and including the layer that mixes its channels."""
    for _, layer in rest:
        if isinstance(layer, BatchNorm):
            for array in ("weight", "bias", "running_mean", "running_var"):
                yield layer, array, index, 0
        elif isinstance(layer, DepthwiseConv2d):
            yield from _outputs(layer, index)
        elif isinstance(layer, Dense | Conv2d):
            inputs = layer.latent("weight").shape[-2]
            # After flatten, each pixel brings all channels: feature = pixel * channels + channel.
            pixels = inputs // channels
            rows = (np.arange(pixels)[:, None] * channels + index).ravel()
            yield layer, "weight", rows, layer.latent("weight").ndim - 2
            return
    raise ValueError(
        f"layer {name} is the last one: its neurons are the classes, and removing one would remove a class"
    )


def _chain(model: Module) -> list[tuple[str, Module]]:
    """The layers of a Sequential in order, nested ones unfolded."""
    if not isinstance(model, Sequential):
        raise ValueError(
            f"neurons can be removed from chains of layers (Sequential), but the model is {type(model).__name__}; "
            "where branches are added, their channels are tied together"
        )
    chain = []
    for name, layer in model.named_modules():
        if name and next(iter(layer.children()), None) is None:
            chain.append((name, layer))
        elif not isinstance(layer, Sequential):
            raise ValueError(
                f"layer {name} is a {type(layer).__name__}, whose channels are tied to others; "
                "neurons can be removed from chains of layers (Sequential)"
            )
    return chain
