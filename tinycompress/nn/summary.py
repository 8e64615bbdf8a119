"""A table of a net: output shape, parameters and multiply-accumulates (MACs) of each layer."""

from dataclasses import dataclass

import numpy as np

from ..graph import no_grad
from ..text import aligned, html_table
from .module import Module, trace
from .weighted import Weighted, effective, unknown_weights

HEAD = ("layer", "output", "parameters", "not zero", "MACs")


@dataclass(frozen=True)
class LayerCost:
    """One layer of a summary: output shape (without the batch axis), parameters, how many of them are not 0, and MACs (None
    for a layer that has weights but does not say how it uses them)."""

    name: str
    layer: str
    output_shape: tuple[int, ...]
    parameters: int
    nonzero: int
    macs: int | None


@dataclass(frozen=True)
class Summary:
    """The costs of the layers, in the order they ran. Prints as a table, in notebooks as HTML."""

    layers: list[LayerCost]

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def nonzero(self) -> int:
        return sum(layer.nonzero for layer in self.layers)

    @property
    def macs(self) -> int:
        """The MACs of all layers. Raises ValueError, which names the layer, if those of a layer are unknown."""
        if unknown := [layer for layer in self.layers if layer.macs is None]:
            raise ValueError(
                f"layer {unknown[0].name}, {unknown[0].layer}, has weights, but does not say how often it multiplies them; "
                "derive its class from nn.Weighted, or give it a method macs(self, in_shape, out_shape). For a net made "
                "for inference, use the summary of the net it was made from"
            )
        return sum(layer.macs for layer in self.layers)

    def _rows(self):
        for row in self.layers:
            shape = "×".join(map(str, row.output_shape))
            macs = "?" if row.macs is None else f"{row.macs:,}"
            yield f"{row.name} {row.layer}".strip(), shape, f"{row.parameters:,}", f"{row.nonzero:,}", macs
        known = all(row.macs is not None for row in self.layers)
        yield "total", "", f"{self.parameters:,}", f"{self.nonzero:,}", f"{self.macs:,}" if known else "?"

    def __str__(self):
        return "\n".join(aligned([HEAD, *self._rows()], right=range(1, 5)))

    __repr__ = __str__

    def _repr_html_(self):
        return html_table(HEAD, self._rows())


def summary(model: Module, input_shape: tuple[int, ...] | None = None) -> Summary:
    """Run one example of zeros through the model and count. input_shape: without the batch axis; None: the model's own.

    MACs are exact for dense and convolution layers; activations, pooling, batch norm and biases count 0. Parameters that
    are masked to 0 count as parameters but not as `nonzero`. Raises ValueError if no input shape is known.
    """
    input_shape = input_shape or getattr(model, "input_shape", None)
    if input_shape is None:
        raise ValueError("summary: the model has no input_shape; pass input_shape, for example (28, 28, 1)")
    shape = input_shape if isinstance(input_shape, tuple | list) else (input_shape,)
    layers, counted = [], set()
    for name, module, in_shape, out_shape in layer_calls(model, np.zeros((1, *shape), np.float32)):
        own = {array: id(p) for array, p in module.named_parameters() if "." not in array}
        arrays = [effective(module, array) for array, parameter in own.items() if parameter not in counted]
        counted |= {*own.values()}  # a parameter that is used twice is counted once
        layers.append(
            LayerCost(
                name,
                repr(module),
                out_shape[1:],
                sum(a.size for a in arrays),
                sum(int(np.count_nonzero(a)) for a in arrays),
                macs_of(module, in_shape, out_shape),
            )
        )
    return Summary(layers)


def layer_calls(model: Module, x: np.ndarray):
    """Yield (name, layer, input shape, output shape) of each layer that runs for x, in order; containers and parametrizations
    are left out."""
    names = {id(module): name for name, module in model.named_modules()}
    with trace() as calls, no_grad(), model.evaluation():
        model(x)
    for module, in_shape, out in calls:
        own = any("." not in name for name, _ in module.named_parameters())
        if id(module) in names and (own or module.inference_only or next(iter(module.children()), None) is None):
            yield names[id(module)], module, in_shape, out.shape


def macs_of(layer: Module, in_shape, out_shape) -> int | None:
    """Multiply-accumulates of one call, or None if they are unknown."""
    silent = type(layer).macs in (Module.macs, Weighted.macs) and any(unknown_weights(layer))
    return None if silent or layer.inference_only else layer.macs(in_shape, out_shape)
