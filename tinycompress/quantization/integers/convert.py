"""Convert a net to one that computes in integers from the first layer to the last: `to_integers`."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...guards import check_distinct, computes_as
from ...nn import (
    BatchNorm,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Dropout,
    Flatten,
    MaxPool2d,
    Module,
    Normalize,
    Residual,
    Sequential,
    Weighted,
)
from ...nn.weighted import effective
from ...tensor import Tensor
from ...training import inputs, predict
from ..batch_norm import fold_batch_norm
from ..fake import FakeQuantize
from ..grid import Grid, calibrate
from ..products.requantize import prepare_bytes
from ..stages import ACTIVATIONS, AVERAGES, stages
from .layers import (
    BIAS_LIMIT,
    IntegerAvgPool2d,
    IntegerConv2d,
    IntegerDense,
    IntegerDepthwiseConv2d,
    IntegerFlatten,
    IntegerLayer,
    IntegerMaxPool2d,
    IntegerResidual,
    Table,
)

WEIGHTED = {Dense: IntegerDense, Conv2d: IntegerConv2d, DepthwiseConv2d: IntegerDepthwiseConv2d}
SAME_GRID = {MaxPool2d: IntegerMaxPool2d, Flatten: lambda _: IntegerFlatten()}


class IntegerNet(Module):
    """A net of 8-bit integers, for inference only: real images (N, …) in, real logits (N, classes) out.

    Made by `to_integers`. normalize: the `Normalize` with which the net begins, if any. nbytes: the size of all weights, biases,
    factors and tables; `normalize` counts its own.
    """

    inference_only = True

    def __init__(self, grid: Grid, layers: list[IntegerLayer], input_shape=None, normalize: Normalize | None = None):
        self.grid, self.integer_layers, self.input_shape, self.normalize = grid, layers, input_shape, normalize

    @property
    def nbytes(self) -> int:
        """Bytes of weights, biases, factors, tables."""
        return sum(layer.nbytes for layer in self.integer_layers)

    def quantize(self, x: np.ndarray) -> np.ndarray:
        """Real images (N, …) as the bytes that the first layer takes."""
        return self.grid.quantize(x if self.normalize is None else self.normalize(Tensor(x)).data)

    def prepare(self, x: np.ndarray) -> tuple[np.ndarray, Callable[[], object]]:
        """The bytes of real images x (N, …), and a function that computes them from what x then holds. x must not contain NaN."""
        if self.normalize is None:
            return prepare_bytes(x, self.grid)
        y = np.ascontiguousarray(self.quantize(x))
        return y, lambda: np.copyto(y, self.quantize(x))

    def forward(self, x):
        q = self.quantize(x.data)
        for layer in self.integer_layers:
            q = layer(q)
        return Tensor(q)

    def extra_repr(self) -> str:
        return ", ".join(type(layer).__name__ for layer in self.integer_layers)


def to_integers(model: Module, x: np.ndarray, bits: int = 8, method: str = "min_max") -> IntegerNet:
    """Convert a model to integers; the model itself is not changed.

    Where weights or activations have a `FakeQuantize`, its grid is used, and the integer net computes what was trained
    (see `quantize_activations`). Elsewhere batch norms are folded, weights get a grid of `bits` over their range per
    channel, and activations one of 8 bits, calibrated by `method` on x (N, …), a few hundred training images. A `Normalize`
    stays real, as the first layer. Raises ValueError for a layer that has no integer form or appears twice in the net, for
    weights on an affine grid, and if the last layer is not dense.

    >>> from tinycompress import models
    >>> net = models.mlp((8, 8, 1), (32,), 10, rng=0)
    >>> x = np.random.default_rng(0).random((200, 8, 8, 1), np.float32)
    >>> integers = to_integers(net, x)
    >>> (integers(x).data.argmax(1) == net(x).data.argmax(1)).mean() > 0.9
    np.True_
    """
    check_distinct("to_integers", model)
    x = inputs("to_integers", x)
    if not any(isinstance(step, FakeQuantize) for m in model.modules() for step in m.parametrizations("weight")):
        model = fold_batch_norm(model)
    parts, normalize = stages(model), None
    if type(parts[0][0]) is Normalize:
        normalize = parts.pop(0)[0]
        x = predict(normalize, x)
    if isinstance(parts[0][0], FakeQuantize):
        first = parts.pop(0)[0].grid
    else:
        first = calibrate(x, 8, False, method=method)
    *hidden, (last, *more) = parts
    if not computes_as(last, Dense) or more:
        raise ValueError(
            f"to_integers: the net must end with a dense layer, whose outputs are the logits, not with {[last, *more][-1]!r}"
        )
    layers, grid, _ = _convert(hidden, first, x, bits, method)
    layers.append(IntegerDense(last, *_integer_weights(last, bits, grid), grid, None))
    return IntegerNet(first, layers, getattr(model, "input_shape", None), normalize)


def _convert(parts: list[list[Module]], grid: Grid, x, bits, method) -> tuple[list[IntegerLayer], Grid, np.ndarray]:
    """Convert stages whose input is on `grid`, with the real values x; returns the integer layers, and the grid and the
    real values of their output."""
    layers = []
    for place, (layer, *followers) in enumerate(parts):
        if isinstance(layer, FakeQuantize):
            if layer.grid.bits > 8 or not _same(grid, layer.grid):
                raise ValueError(
                    f"to_integers: {layer!r} stands where integer nets do not round; place them with quantize_activations"
                )
            continue
        before, x = x, predict(Sequential(layer, *followers), x)
        after = parts[place + 1][0] if place + 1 < len(parts) else None

        def output_grid(after=after, x=x):
            if isinstance(after, FakeQuantize):
                return after.grid
            grid = calibrate(x, 8, False, method=method)  # if x is all zeros, its scale is next to 0
            return grid if x.any() else replace(grid, scale=np.ones_like(grid.scale))

        if kind := next((kind for kind in WEIGHTED if computes_as(layer, kind)), None):
            out = output_grid()
            layers.append(WEIGHTED[kind](layer, *_integer_weights(layer, bits, grid), grid, out))
            grid = out
        elif computes_as(layer, Residual):
            out = output_grid()
            branches = [
                _convert(stages(branch), grid, before, bits, method)[:2] if branch else ([], grid)
                for branch in (layer.body, layer.shortcut)
            ]
            layers.append(IntegerResidual(*branches[0], *branches[1], out))
            grid = out
        elif type(layer) in ACTIVATIONS + AVERAGES:
            out = output_grid()
            layers.append((Table if type(layer) in ACTIVATIONS else IntegerAvgPool2d)(layer, grid, out))
            grid = out
        elif computes_as(layer, Sequential):
            inner, grid, _ = _convert(stages(layer), grid, before, bits, method)
            layers += inner
        elif type(layer) in SAME_GRID:
            layers.append(SAME_GRID[type(layer)](layer))
        elif not isinstance(layer, Dropout):
            raise ValueError(
                f"to_integers: {layer!r} has no integer form"
                + ("; it can only be folded into the layer directly before it" if isinstance(layer, BatchNorm) else "")
                + ("; it can only be the first layer" if isinstance(layer, Normalize) else "")
            )
        layers += [IntegerMaxPool2d(follower) for follower in followers if type(follower) is MaxPool2d]
    return layers, grid, x


def _same(a: Grid, b: Grid) -> bool:
    return bool(np.array_equal(a.scale, b.scale) and np.array_equal(a.zero_point, b.zero_point) and a.bits == b.bits)


def _integer_weights(layer: Weighted, bits: int, inputs: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The layer's weight as int8 and its scale (out,), for inputs on the grid `inputs`."""
    step = layer.parametrization("weight", FakeQuantize)
    values = effective(layer, "weight")
    grid = step.grid if step else calibrate(values, bits, per_channel=True)
    if not grid.symmetric:
        raise ValueError(
            f"to_integers: the weights of {layer!r} lie on an affine grid; integer nets need a symmetric one"
        )
    integers, scale = grid.quantize(values).astype(np.int8), grid.scale
    if grid.bits == 1:  # 0 and 1 stand for -s/2 and s/2
        integers, scale = (2 * integers - 1) * (values != 0), scale / 2
    if layer.latent("bias") is None:
        return integers, np.broadcast_to(scale, values.shape[-1:])
    # If the weights of a neuron are (nearly) 0, its scale is so small that its bias would not fit 32 bits: coarsen it.
    least = np.abs(effective(layer, "bias")) / (BIAS_LIMIT * inputs.scale)
    coarser = np.maximum(scale, least).astype(np.float32)
    return np.where(scale < least, np.rint(values / coarser).astype(np.int8), integers), coarser
