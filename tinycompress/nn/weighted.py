"""Which layers have weights, and what the chapters may know of them: the one place that pruning, quantization, counting,
low rank, files and batch-norm folding ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import numpy as np

from ..graph import no_grad
from .module import Module, Parameter, Parametrized


class Weighted(Module):
    """A layer that multiplies its input by `weight`, a `Parameter` (…, out) whose last axis runs along what it puts out:
    output o is linear in weight[..., o], plus bias[o] if there is a `bias` (out,); if there is none, `bias` is None.

    A layer of one's own that derives from `Weighted` is pruned, quantized, clustered, binarized, counted, trained and
    saved like those of the package. What else must be known of a layer is refused by its name unless the layer says it:

    connects: which inputs an output reads. "all": every one, and the last axis but one of `weight` runs along them, as in
        a dense layer or a standard convolution. "own": output c reads input c alone, as in a depthwise convolution. None:
        something else, so that whole neurons cannot be removed (`channels.channel_groups`).

    A subclass of such a layer that has a `forward` of its own may break these promises: what relies on them refuses it.
    """

    connects: str | None = None

    def macs(self, in_shape, out_shape) -> int:
        """Each weight is multiplied once for each position of the output; to be overridden where it is not."""
        return prod(out_shape[:-1]) * effective(self, "weight").size


def weighted_layers(model: Module) -> dict[str, Weighted]:
    """The layers with weights, by their dotted names; one that stands in two places comes once.

    Raises ValueError for a layer that has weights and does not say how it uses them, and for layers that share a weight:
    nothing is skipped silently, or compressed twice.
    """
    check_untied(model)
    found = {}
    for name, layer in model.named_modules():
        if layer.inference_only:
            raise ValueError(
                f"layer {name or '(the model)'}, {layer!r}, was made for inference; change the net that it was made from"
            )
        if unknown := next(unknown_weights(layer), None):
            raise ValueError(
                f"layer {name or '(the model)'}, {layer!r}, has weights, {unknown}, but does not say how it uses them; "
                "derive its class from nn.Weighted, whose one array of weights is called `weight`, or list what is none "
                "(a table that is added, say) in its attribute `not_weights`"
            )
        if isinstance(layer, Weighted):
            found[name] = layer
    return found


def unknown_weights(layer: Module) -> Iterator[str]:
    """The layer's own parameters with more than one axis, but for the `weight` of a `Weighted` and what the layer lists as
    `not_weights`; parameters with one axis scale or shift channels."""
    known = (*getattr(layer, "not_weights", ()), *(["weight"] if isinstance(layer, Weighted) else []))
    for name, parameter in layer.named_parameters().items():
        if "." not in name and name not in known and sum(n > 1 for n in parameter.shape) > 1:
            yield f"{name} {parameter.shape}"


def computes_as(layer: Module, kind: type[Module]) -> bool:
    """Whether the layer is a `kind` and computes what that computes: a subclass with a `forward` of its own may not."""
    return isinstance(layer, kind) and type(layer).forward is kind.forward


def is_as_stated(layer: Weighted) -> bool:
    """Whether the class that states how the weight is used also has the `forward` that uses it."""
    computing = next(kind for kind in type(layer).__mro__ if "forward" in vars(kind))
    return Weighted in computing.__bases__


def check_untied(model: Module):
    """Raise ValueError if two layers share a weight or bias: it would be compressed twice, or each would get its own."""
    owners = {}
    for name, layer in model.named_modules():
        parametrized = {array: seen.latent for array, seen in vars(layer).get("_parametrized", {}).items()}
        for array, parameter in (vars(layer) | parametrized).items():
            if isinstance(parameter, Parameter) and (first := owners.setdefault(id(parameter), name)) != name:
                raise ValueError(
                    f"layers {first} and {name} share one {array}, and what is done to one of them would or would not be "
                    "done to the other; give each its own (of a Slimmable, take one width: cut(width))"
                )


@contextmanager
def all_or_nothing(model: Module):
    """Compress inside this block: where something is refused half-way, every layer is as it was before."""
    modules = model.modules()
    before = [
        (
            dict(vars(module)),
            {name: (p.latent, p.steps[:]) for name, p in vars(module).get("_parametrized", {}).items()},
        )
        for module in modules
    ]
    values = [(parameter, parameter.data) for parameter in model.parameters()]
    try:
        yield
    except BaseException:
        for module, (attributes, seen) in zip(modules, before, strict=True):
            vars(module).clear()
            vars(module).update(attributes)
            if "_parametrized" in attributes:
                vars(module)["_parametrized"] = {name: Parametrized(*parts) for name, parts in seen.items()}
        for parameter, data in values:
            parameter.data = data
        raise


def check_distinct(what: str, model: Module, layers=None):
    """Raise a ValueError that begins with `what` if a layer with arrays of its own stands in two places of the model, or
    two layers share a weight.

    layers: the names of those that matter; all of them if None.
    """
    check_untied(model)
    first, stack = {}, [("", model)]
    while stack:
        name, module = stack.pop()
        if id(module) not in first:
            first[id(module)] = name
            stack += [(f"{name}.{child}" if name else child, inner) for child, inner in [*module.children()][::-1]]
        elif (layers is None or name in layers or first[id(module)] in layers) and any(module._named_state()):
            raise ValueError(
                f"{what}: layer {name}, {module!r}, stands in two places of the model (it is layer {first[id(module)]}, "
                "too); build one for each place"
            )


def effective(layer: Module, name: str) -> np.ndarray:
    """The values that the layer really uses for parameter `name` when it predicts, seen through its parametrizations."""
    with no_grad(), layer.evaluation():
        return getattr(layer, name)._data
