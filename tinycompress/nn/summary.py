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

    parameters = property(lambda self: sum(layer.parameters for layer in self.layers))
    nonzero = property(lambda self: sum(layer.nonzero for layer in self.layers))

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
    names = {id(module): name for name, module in model.named_modules()}
    with trace() as calls, no_grad(), model.evaluation():
        model(np.zeros((1, *input_shape), np.float32))
    layers, counted = [], set()
    for module, in_shape, out in calls:
        own = {name: id(p) for name, p in module.named_parameters().items() if "." not in name}
        if id(module) not in names or (not own and next(iter(module.children()), None) is not None):
            continue  # a parametrization, or a container, whose layers are counted
        arrays = [effective(module, name) for name, parameter in own.items() if parameter not in counted]
        counted |= {*own.values()}  # a parameter that is used twice is counted once
        layers.append(
            LayerCost(
                names[id(module)],
                repr(module),
                out.shape[1:],
                sum(a.size for a in arrays),
                sum(int(np.count_nonzero(a)) for a in arrays),
                _macs(module, in_shape, out.shape),
            )
        )
    return Summary(layers)


def _macs(layer: Module, in_shape, out_shape) -> int | None:
    silent = type(layer).macs in (Module.macs, Weighted.macs) and any(unknown_weights(layer))
    return None if silent or layer.inference_only else layer.macs(in_shape, out_shape)
