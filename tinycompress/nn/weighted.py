"""Which layers have weights, and how they use them: pruning, quantization, counting, low rank, files and batch-norm
folding all ask here."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from ..graph import no_grad
from .module import Module, Parameter


class Weighted(Module):
    """A layer that multiplies its input by `weight`, a `Parameter` (…, out) whose last axis runs along the outputs.

    Output o is linear in weight[..., o], plus bias[o] if there is a `bias` (out,); without one, `bias` is None. A
    layer of your own that derives from `Weighted` is pruned, quantized, clustered, binarized, counted, trained and saved like
    the package's. For removing whole neurons (`channels.channel_groups`), it must also say which inputs it reads:

    connects: "all": each output reads every input, and the second-to-last axis of `weight` runs along the inputs, as in
        a dense layer or a standard convolution. "own": output c reads input c only, as in a depthwise convolution. None:
        something else, so that whole neurons cannot be removed.

    A subclass that overrides `forward` may break these promises, so functions that rely on them refuse it.
    """

    connects: str | None = None

    def macs(self, in_shape, out_shape) -> int:
        """Each weight is multiplied once per position of the output; override this where that is wrong."""
        return prod(out_shape[:-1]) * effective(self, "weight").size


def weighted_layers(model: Module) -> dict[str, Weighted]:
    """The layers with weights, by their dotted names; a layer used in two places is listed once.

    Raises ValueError for a layer that has weights but does not say how it uses them, and for layers that share a weight:
    nothing is skipped silently or compressed twice.
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
                "derive its class from nn.Weighted, whose only array of weights is called `weight`, or list parameters "
                "that are not weights (an added table, say) in its attribute `not_weights`"
            )
        if isinstance(layer, Weighted):
            found[name] = layer
    return found


def unknown_weights(layer: Module) -> Iterator[str]:
    """Yield the layer's own parameters with more than one axis, except the `weight` of a `Weighted` and those listed in
    `not_weights`. Parameters with one axis scale or shift channels."""
    known = (*layer.not_weights, *(["weight"] if isinstance(layer, Weighted) else []))
    for name, parameter in layer.named_parameters():
        if "." not in name and name not in known and sum(n > 1 for n in parameter.shape) > 1:
            yield f"{name} {parameter.shape}"


def check_untied(model: Module):
    """Raise ValueError if two layers share a weight or bias: it would be compressed twice, or no longer be shared."""
    owners = {}
    for name, layer in model.named_modules():
        parametrized = {array: seen.latent for array, seen in vars(layer).get("_parametrized", {}).items()}
        for array, parameter in (vars(layer) | parametrized).items():
            if isinstance(parameter, Parameter) and (first := owners.setdefault(id(parameter), name)) != name:
                raise ValueError(
                    f"layers {first} and {name} share one {array}, so a change of one layer may or may not change "
                    "the other; give each its own (a Slimmable's widths share theirs: take one by cut(width))"
                )


def effective(layer: Module, name: str) -> np.ndarray:
    """The values of parameter `name` that the layer uses in evaluation mode, after all parametrizations."""
    with no_grad(), layer.evaluation():
        return getattr(layer, name)._data
