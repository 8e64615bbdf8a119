"""A net as a table: what each layer puts out, how many parameters it has, how many multiply-accumulates it takes."""

from dataclasses import dataclass

import numpy as np

from ..graph import no_grad
from ..text import aligned
from .module import Module, trace
from .weighted import Weighted, effective, unknown_weights

HEAD = ("layer", "output", "parameters", "not zero", "MACs")


@dataclass(frozen=True)
class LayerCost:
    """One layer of a summary: shapes of one example (no batch axis), parameters, how many are not 0, and MACs (None for a
    layer that has weights and does not say how it uses them)."""

    name: str
    layer: str
    output_shape: tuple[int, ...]
    parameters: int
    nonzero: int
    macs: int | None


@dataclass(frozen=True)
class Summary:
    """The layers' costs, in the order in which they ran. Shows itself as a table, in notebooks as HTML."""

    layers: list[LayerCost]

    parameters = property(lambda self: sum(layer.parameters for layer in self.layers))
    nonzero = property(lambda self: sum(layer.nonzero for layer in self.layers))

    @property
    def macs(self) -> int:
        """Of all layers. Raises ValueError, with its name, where those of a layer are not known."""
        if unknown := [layer for layer in self.layers if layer.macs is None]:
            raise ValueError(
                f"layer {unknown[0].name}, {unknown[0].layer}, has weights, but does not say how often it multiplies them; "
                "derive its class from nn.Weighted, or give it a method macs(self, in_shape, out_shape). Of a net made for "
                "inference, ask the net that it was made from"
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
        import html

        def line(tag, row):
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

        head = line("th", HEAD)
        return f"<table>{head}{''.join(line('td', row) for row in self._rows())}</table>"


def summary(model: Module, input_shape: tuple[int, ...] | None = None) -> Summary:
    """Run one example of zeros through the model and count. input_shape: without the batch axis; the model's own if None.

    MACs are exact for dense and convolution layers; what has no weights to multiply (activations, pooling, batch norm,
    biases) counts 0. Parameters that are masked to 0 count as parameters but not as `nonzero`.
    """
    input_shape = input_shape or getattr(model, "input_shape", None)
    if input_shape is None:
        raise ValueError("summary: the model does not know its input; pass input_shape, for example (28, 28, 1)")
    names = {id(module): name for name, module in model.named_modules()}
    with trace() as calls, no_grad(), model.evaluation():
        model(np.zeros((1, *input_shape), np.float32))
    layers, counted = [], set()
    for module, in_shape, out in calls:
        own = {name: id(p) for name, p in module.named_parameters().items() if "." not in name}
        if id(module) not in names or (not own and next(iter(module.children()), None) is not None):
            continue  # a parametrization, or a container, which costs what its layers cost
        arrays = [effective(module, name) for name, parameter in own.items() if parameter not in counted]
        counted |= {*own.values()}  # what runs twice, or belongs to two layers, is there once
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
