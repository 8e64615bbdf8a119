"""Replacing layers of a net by others, as separable and low-rank layers need it."""

from collections.abc import Callable

import numpy as np

from ..guards import check_distinct
from ..nn import Module, Parameter, Sequential


def replace_layers(model: Module, build: dict[str, Callable[[Module], list[Module]]]) -> Module:
    """A copy in which other layers replace the named ones. build: layer name -> a function from the layer to its
    replacements.

    In a `Sequential` the replacements follow each other directly, so later layers are renumbered; elsewhere they become
    a `Sequential`. Raises ValueError for a layer that is used in two places.
    """
    check_distinct("replace_layers", model, build)
    copy = model.copy()
    places = dict(copy.named_modules())
    new = {}
    for name, layers_for in build.items():
        old = places[name]
        new[id(old)] = [layer.train(old.training) for layer in layers_for(old)]
    if id(copy) in new:
        return Sequential(*new[id(copy)])
    for module in places.values():
        if isinstance(module, Sequential):
            module.layers = [layer for old in module.layers for layer in new.get(id(old), [old])]
            continue
        for name, value in vars(module).items():
            if id(value) in new:
                setattr(module, name, Sequential(*new[id(value)]))
            elif isinstance(value, list | tuple):
                setattr(module, name, type(value)(Sequential(*new[id(v)]) if id(v) in new else v for v in value))
    return copy


def chosen_layers(what: str, model: Module, why_not: Callable[[Module], str], names) -> dict[str, Module]:
    """The layers to replace, by name: all for which `why_not(layer)` is empty, or those in `names`.

    Raises ValueError for an unknown name, for a named layer that cannot be replaced (with the reason from `why_not`),
    and if the model has no layer to replace.
    """
    places = dict(model.named_modules())
    if names is None:
        chosen = {name: layer for name, layer in places.items() if not why_not(layer)}
        if not chosen:
            kinds = ", ".join(dict.fromkeys(type(layer).__name__ for layer in places.values()))
            raise ValueError(f"{what}: the model has no layer to replace; it is made of {kinds}")
        return chosen
    names = list(names)
    for name in names:
        if name not in places:
            raise ValueError(f"{what}: the model has no layer {name!r}; it has {[name for name in places if name]}")
        if reason := why_not(places[name]):
            raise ValueError(f"{what}: layer {name}, {places[name]!r}, {reason}")
    return {name: places[name] for name in names}


def parametrized(layer: Module) -> str:
    """Why a layer seen through parametrizations cannot be replaced; empty for an ordinary layer."""
    steps = [step for name in ("weight", "bias") for step in layer.parametrizations(name)]
    return f"is seen through {steps[0]!r}, which would be lost; call bake() first" if steps else ""


def with_weights(layer: Module, weight: np.ndarray, like: Module, bias: bool) -> Module:
    """Give the layer this weight and, if `bias`, the bias of the layer `like`; frozen wherever `like` is. Returns it."""
    source = like.weight
    layer.weight = Parameter(np.ascontiguousarray(weight, source.dtype), source.requires_grad)
    if bias and like.bias is not None:
        layer.bias = Parameter(like.bias.data.copy(), like.bias.requires_grad)
    return layer
