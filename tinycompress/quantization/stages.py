"""A net cut into the stages that integers run as one."""

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
from ..nn.weighted import computes_as

ACTIVATIONS = (ReLU, LeakyReLU, Sigmoid, Tanh, GELU, HardSwish)
AVERAGES = (AvgPool2d, GlobalAvgPool)
FOLLOWERS = (ReLU, MaxPool2d)  # max(a, b) of integers on a grid is the integer of max(a, b), and so is max(a, 0)


def stages(model: Sequential) -> list[list[Module]]:
    """The layers of a `Sequential` in groups that integers run as one: a layer, and the ReLU and max pooling right
    after it.

    Raises ValueError for another kind of model.
    """
    if not computes_as(model, Sequential):
        raise ValueError(f"expected a Sequential, got {type(model).__name__}")
    parts: list[list[Module]] = []
    for layer in model.layers:
        # By type: an AvgPool2d is a kind of MaxPool2d, too.
        if parts and type(layer) in FOLLOWERS and isinstance(parts[-1][0], Weighted | Residual):
            parts[-1].append(layer)
        else:
            parts.append([layer])
    return parts


def rounds(layer: Module) -> bool:
    """Whether what a stage puts out lies on a grid of its own: sums of products, of branches and of windows, and
    activations. All else (flattening, max pooling) passes integers on as they are."""
    return isinstance(layer, Weighted | Residual) or type(layer) in ACTIVATIONS + AVERAGES
