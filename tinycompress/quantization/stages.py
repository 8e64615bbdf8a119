"""Split a net into stages, the groups of layers that an integer net runs as one."""

from ..guards import computes_as
from ..nn import (
    GELU,
    AvgPool2d,
    GlobalAvgPool,
    HardSwish,
    LeakyReLU,
    MaxPool2d,
    Module,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    Weighted,
)

ACTIVATIONS = (ReLU, LeakyReLU, Sigmoid, Tanh, GELU, HardSwish)
AVERAGES = (AvgPool2d, GlobalAvgPool)
FOLLOWERS = (ReLU, MaxPool2d)  # rounding to a grid is monotonic, so these maxima can be taken on the integers


def stages(model: Sequential) -> list[list[Module]]:
    """Group the layers of a `Sequential` into stages: a layer, and the ReLU and max pooling directly after it.

    Raises ValueError for any other kind of model.
    """
    if not computes_as(model, Sequential):
        raise ValueError(f"expected a Sequential, got {type(model).__name__}")
    parts: list[list[Module]] = []
    for layer in model.layers:
        # Compare exact types, since AvgPool2d is a subclass of MaxPool2d.
        if parts and type(layer) in FOLLOWERS and isinstance(parts[-1][0], Weighted | Residual):
            parts[-1].append(layer)
        else:
            parts.append([layer])
    return parts


def rounds(layer: Module) -> bool:
    """Whether the stage that starts with this layer rounds its outputs to a new grid.

    Weighted layers, residual blocks, average pooling and activations do. All others (flattening, max pooling) keep
    the integers of their input.
    """
    return isinstance(layer, Weighted | Residual) or type(layer) in ACTIVATIONS + AVERAGES
