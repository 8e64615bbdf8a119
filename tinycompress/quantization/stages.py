"""A net cut into the stages that integers run as one."""

from ..nn import Conv2d, Dense, DepthwiseConv2d, MaxPool2d, Module, ReLU, Residual, Sequential

WEIGHTED = (Dense, Conv2d, DepthwiseConv2d)
FOLLOWERS = (ReLU, MaxPool2d)  # max(a, b) of integers on a grid is the integer of max(a, b), and so is max(a, 0)


def stages(model: Sequential) -> list[list[Module]]:
    """The layers of a `Sequential` in groups that integers run as one: a layer, and the ReLU and max pooling right
    after it.

    Raises ValueError for another kind of model.
    """
    if not isinstance(model, Sequential):
        raise ValueError(f"expected a Sequential, got {type(model).__name__}")
    parts: list[list[Module]] = []
    for layer in model.layers:
        # By type: an AvgPool2d is a kind of MaxPool2d, too.
        if parts and type(layer) in FOLLOWERS and isinstance(parts[-1][0], (*WEIGHTED, Residual)):
            parts[-1].append(layer)
        else:
            parts.append([layer])
    return parts
