"""Quantization-aware training: the net computes with numbers on a grid, while training updates the real numbers
behind them."""

import numpy as np

from ..guards import all_or_nothing, computes_as
from ..nn import Module, Normalize, Parameter, Residual, Sequential
from ..nn.weighted import effective, weighted_layers
from ..tensor import Tensor, record
from ..text.names import keywords
from ..training import inputs, predict
from .grid import Grid, calibrate
from .stages import rounds, stages

SMALLEST_SCALE = np.float32(2**-24)  # the smallest positive float16, since a file may store the scale as one


class FakeQuantize(Module):
    """Parametrization or layer: rounds each number to the nearest one of a grid. Exact zeros (pruned) stay 0.

    The derivative of rounding is 0 almost everywhere. So the gradient is passed straight through (Bengio et al. 2013,
    section 4), except for numbers more than half a step beyond the grid's ends. With `learn_scale` the scale is
    trained as well, with its straight-through gradient (Esser et al. 2020, equations 3 and 5). The zero point is fixed.
    """

    def __init__(self, grid: Grid, learn_scale: bool = True):
        self.scale = Parameter(grid.scale.copy(), requires_grad=learn_scale)
        self.zero_point = grid.zero_point.copy()
        self.bits, self.symmetric = grid.bits, grid.symmetric

    @property
    def grid(self) -> Grid:
        """The current grid. A training step may make the scale negative; only its absolute value counts."""
        scale = np.maximum(np.abs(self.scale.data), SMALLEST_SCALE)
        return Grid(scale, self.zero_point, self.bits, self.symmetric)

    def forward(self, x):
        return fake_quantize(x, self.scale, self.grid)

    def take(self, kept, axis: int) -> "FakeQuantize":
        """The parametrization of the smaller weight that keeps the indices `kept` along `axis`; -1 is the channel axis."""
        scale, zero_point = self.grid.scale, self.zero_point
        if axis == -1 and scale.ndim:
            scale, zero_point = scale[kept], zero_point[kept]
        return FakeQuantize(Grid(scale, zero_point, self.bits, self.symmetric), self.scale.requires_grad)

    def extra_repr(self) -> str:
        count = f", {self.scale.size} grids" if self.scale.ndim else ""
        return f"{self.bits} bits, {'symmetric' if self.symmetric else 'affine'}{count}"


def fake_quantize(x: Tensor, scale: Tensor, grid: Grid) -> Tensor:
    """grid.dequantize(grid.quantize(x)), with straight-through gradients for x and scale. Exact zeros stay 0."""
    place = x.data / grid.scale + grid.zero_point
    integers = np.clip(np.rint(place), grid.low, grid.high)
    inside = (place >= grid.low - 0.5) & (place <= grid.high + 0.5)
    steps = integers - grid.zero_point

    def of_scale(g):
        # The factor balances the updates of the scale against those of the weights (Esser et al. 2020, section 2.2).
        factor = 1 / np.sqrt(x.size / grid.scale.size * max(grid.high, 1))
        return g * np.where(inside, integers - place, steps) * np.copysign(x.dtype.type(factor), scale.data)

    real = grid.scale * steps
    if grid.bits == 1 and grid.symmetric:  # this grid has no 0
        real = real * (x.data != 0)
    return record(real, (x, lambda g: g * inside), (scale, of_scale))


@keywords(n_bits="bits")
def quantize_weights(
    model: Module,
    bits: int | dict[str, int] = 8,
    per_channel: bool = True,
    method: str = "mse",
    symmetric: bool = True,
    learn_scale: bool = True,
) -> Module:
    """Parametrize every layer's weight with a `FakeQuantize` whose grid fits the current weights. Works in place;
    returns the model. Used as it is, this is post-training quantization; trained further, quantization-aware training.

    bits: for all layers, or layer name -> bits; layers not named stay as they are. Other parameters as in `calibrate`.
    A layer that already has a grid gets a new one. Raises ValueError for an unknown layer, and what `calibrate` raises.

    >>> from tinycompress import models
    >>> net = quantize_weights(models.mlp((8, 8, 1), (32,), 10, rng=0), bits=4, per_channel=False)
    >>> len(np.unique(net[1].weight.data)) <= 16
    True
    """
    with all_or_nothing(model):
        for name, bits_of_layer in _per_layer(model, bits).items():
            layer = weighted_layers(model)[name]
            steps = [step for step in layer.parametrizations("weight") if not isinstance(step, FakeQuantize)]
            layer.replace("weight", layer.latent("weight"), steps)
            grid = calibrate(effective(layer, "weight"), bits_of_layer, symmetric, per_channel, method)
            layer.parametrize("weight", FakeQuantize(grid, learn_scale and layer.latent("weight").requires_grad))
    return model


def quantize_biases(model: Module, bits: int = 8, method: str = "min_max") -> Module:
    """Parametrize every layer's bias with a `FakeQuantize`, one grid per layer, in place; returns the model."""
    with all_or_nothing(model):
        for layer in weighted_layers(model).values():
            if (bias := layer.latent("bias")) is not None:
                grid = calibrate(effective(layer, "bias"), bits, True, False, method)
                layer.parametrize("bias", FakeQuantize(grid, bias.requires_grad))
    return model


def quantize_activations(model: Sequential, x: np.ndarray, bits: int = 8, method: str = "min_max") -> Sequential:
    """A `Sequential` of the model's layers with a `FakeQuantize` (affine, one grid per layer, calibrated on x (N, …))
    for the input (after a `Normalize`) and wherever an integer net rounds. Once trained, `to_integers` computes the same.

    An integer net rounds the outputs of weighted layers and of residual blocks, after the ReLU and max pooling that
    directly follow; of other activations, which are looked up in a table, so that their inputs are rounded as well; and
    of average pooling. The same applies in nested `Sequential`s, which are unrolled, and in the branches of a
    `Residual`. The outputs of the last layer stay real.

    Layers are shared with the model, not copied. Raises ValueError unless the model is a `Sequential`.
    """
    x = inputs("quantize_activations", x)
    layers, _ = _on_grids(model, x, bits, method)
    if isinstance(layers[-1], FakeQuantize):
        layers.pop()
    front = [layers.pop(0)] if type(layers[0]) is Normalize else []
    first = FakeQuantize(calibrate(predict(Sequential(*front), x), bits, False, method=method))
    return Sequential(*front, first, *layers, input_shape=model.input_shape)


def _on_grids(model: Sequential, x: np.ndarray, bits: int, method: str) -> tuple[list[Module], np.ndarray]:
    """The layers, with a `FakeQuantize` after each stage that rounds, and their output for x."""
    layers = []
    for layer, *followers in stages(model):
        if computes_as(layer, Sequential):
            inner, x = _on_grids(layer, x, bits, method)
            layers += [*inner, *followers]
            continue
        if computes_as(layer, Residual):
            branches = [branch for branch in (layer.body, layer.shortcut) if branch]
            layer = Residual(*(Sequential(*_on_grids(branch, x, bits, method)[0]) for branch in branches))
        part = [layer, *followers]
        x = predict(Sequential(*part), x)
        if rounds(layer):
            part.append(FakeQuantize(calibrate(x, bits, False, method=method)))
            x = predict(part[-1], x)
        layers += part
    return layers, x


def _per_layer(model: Module, value) -> dict:
    """A dict of `value` per name of a weighted layer; if it already is a dict, its names are checked."""
    layers = weighted_layers(model)
    if not isinstance(value, dict):
        return dict.fromkeys(layers, value)
    if unknown := [name for name in value if name not in layers]:
        raise ValueError(f"no layer with a weight is called {unknown[0]!r}; there are {', '.join(layers)}")
    return value
