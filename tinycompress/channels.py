"""Groups of channels that must be removed or added together, across all layers of a net that share them.

A dense or convolution layer *writes* channels. Batch norm, activations, pooling, flatten and depthwise convolutions
*pass* them on one by one. The next dense or convolution layer *reads* them all. Where branches are added, channel c of one
is added to channel c of the other: they are tied, and all layers that write or read them form one group.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from .guards import computes_as, is_as_stated
from .nn.containers import MultiExit, Residual, Sequential
from .nn.layers import (
    GELU,
    AvgPool2d,
    BatchNorm,
    Dropout,
    Flatten,
    GlobalAvgPool,
    HardSwish,
    LeakyReLU,
    MaxPool2d,
    Normalize,
    ReLU,
    Sigmoid,
    Tanh,
)
from .nn.module import Module, Parameter
from .nn.weighted import Weighted, check_untied
from .text import names

PASSES_ON = (
    *(Normalize, BatchNorm, Dropout, Flatten, GlobalAvgPool, MaxPool2d, AvgPool2d),
    *(ReLU, LeakyReLU, Sigmoid, Tanh, GELU, HardSwish),
)
OUTPUTS = "they are the model's outputs, the classes"


@dataclass(eq=False)
class Channels:
    """`count` channels and the layers, by name, that write them, pass them on and read them.

    held: why channels cannot be removed or added, or empty if they can. A group has the name of the first layer that
    writes it.
    """

    count: int | None
    held: str = ""
    writers: dict[str, Module] = field(default_factory=dict)
    passers: dict[str, Module] = field(default_factory=dict)
    readers: dict[str, Module] = field(default_factory=dict)
    _tied_to: "Channels | None" = None

    @property
    def name(self) -> str:
        """The first layer that writes the channels."""
        return next(iter(self.writers), "(the model's input)")

    def passing(self, kind: type) -> list[Module]:
        """The layers of type `kind` that pass the channels on."""
        return [layer for layer in self.passers.values() if isinstance(layer, kind)]

    def arrays(self) -> Iterator[tuple[Module, str, int]]:
        """Yield (layer, array name, axis) for every parameter and buffer with an axis along these channels."""
        for layer in [*self.writers.values(), *self.passers.values()]:
            yield from ((layer, array, -1) for array in _own_arrays(layer))
        for layer in self.readers.values():
            yield layer, "weight", -2

    def spread(self, of_channels: np.ndarray, length: int) -> np.ndarray:
        """Channel numbers (n,) as indices along an axis of `length`. After flatten, each pixel has all channels, so that
        feature = pixel * count + channel."""
        pixels = np.arange(length // self.count)
        return (pixels[:, None] * self.count + of_channels).ravel()

    def checked(self, index) -> np.ndarray:
        """Return `index` as an array; ValueError unless it lists at least one of these channels, as integers."""
        index = np.asarray(index)
        whole = index.ndim == 1 and len(index) > 0 and index.dtype.kind in "iu"
        if not whole or index.min() < 0 or index.max() >= self.count:
            raise ValueError(
                f"layer {self.name} has channels 0 to {self.count - 1}; give at least one of these whole numbers; "
                f"got {index}"
            )
        return index

    def _root(self) -> "Channels":
        return self if self._tied_to is None else self._tied_to._root()


def channel_groups(model: Module) -> dict[str, Channels]:
    """Every group of channels by its name, in the order of the net, which is built from layers, `Sequential`, `Residual`
    and `MultiExit`.

    Raises ValueError for a module whose channels cannot be followed, for a layer that is used in two places, and for
    layers whose widths do not match.
    """
    check_untied(model)
    groups = [Channels(None, "they are the channels of the images")]
    end = _through(model, "", groups[0], groups, set())
    end._root().held = OUTPUTS
    return {group.name: group for group in groups if group._tied_to is None and group.writers}


def by_group(model: Module, per_layer: dict[str, object]) -> dict[str, tuple[Channels, object]]:
    """Regroup values given per layer: (group, value) by the name of the group.

    Raises ValueError for a layer that writes no channels, for a group that is held, and for tied layers with different
    values.
    """
    groups = channel_groups(model)
    of_layer = {layer: group for group in groups.values() for layer in group.writers}
    found = {}
    for layer, value in per_layer.items():
        if layer not in of_layer:
            raise ValueError(f"no dense or standard convolution layer is called {layer!r}; known: {[*of_layer]}")
        group = of_layer[layer]
        if group.held:
            raise ValueError(f"layer {layer} must keep all its {group.count} channels: {group.held}")
        if group.name in found and not np.array_equal(found[group.name][1], value):
            raise ValueError(
                f"the channels of {' and '.join(group.writers)} are added to each other, so the same ones are kept in "
                f"all of them; give {group.name} only"
            )
        found[group.name] = group, value
    return found


def select_channels(model: Module, chosen: dict[str, np.ndarray]) -> Module:
    """A copy in which channel i of a group is the old channel chosen[layer][i]: fewer channels, more, or another order.

    This only moves array entries; `remove_neurons` and `widen` make sure that the copy computes the right function.
    Raises ValueError for indices out of range, and for a weight whose parametrization has no `take`.
    """
    copy = model.copy()
    for group, index in by_group(copy, chosen).values():
        index = group.checked(index)
        for layer, array, axis in group.arrays():
            values = layer.latent(array)
            rows = group.spread(index, values.shape[axis])
            if isinstance(values, np.ndarray):
                setattr(layer, array, values.take(rows, axis))
                continue
            steps = layer.parametrizations(array)
            if stuck := [step for step in steps if not hasattr(step, "take")]:
                raise ValueError(f"{layer!r} has a {stuck[0]!r}, which cannot select channels; call bake() first")
            taken = Parameter(values.data.take(rows, axis), values.requires_grad)
            layer.replace(array, taken, [step.take(rows, axis) for step in steps])
    return copy


def _through(module: Module, name: str, channels: Channels, groups: list[Channels], seen: set[int]) -> Channels:
    """Follow the channels through a module; returns its output channels."""
    if computes_as(module, Sequential):
        for child_name, child in module.children():
            channels = _through(child, f"{name}.{child_name}".lstrip("."), channels, groups, seen)
        return channels
    if computes_as(module, Residual):
        dot = f"{name}." if name else ""
        branches = [_through(module.body, f"{dot}body", channels, groups, seen), channels]
        if module.shortcut:
            branches[1] = _through(module.shortcut, f"{dot}shortcut", channels, groups, seen)
        return _tie(name, *sorted((branch._root() for branch in branches), key=groups.index))
    if computes_as(module, MultiExit):
        dot = f"{name}." if name else ""
        for i, (stage, head) in enumerate(zip(module.stages, module.heads, strict=True)):
            channels = _through(stage, f"{dot}stages.{i}", channels, groups, seen)
            end = _through(head, f"{dot}heads.{i}", channels, groups, seen)
            end._root().held = OUTPUTS
        return end
    if id(module) in seen:
        raise ValueError(f"layer {name}, {module!r}, is used in two places of the model; build one for each place")
    seen.add(id(module))
    channels = channels._root()
    connects = module.connects if isinstance(module, Weighted) and is_as_stated(module) else None
    if connects == "all":
        channels.readers[name] = module
        _check_width(name, module, channels, module.latent("weight").shape[-2])
        groups.append(Channels(module.latent("weight").shape[-1], writers={name: module}))
        return groups[-1]
    if type(module) in PASSES_ON or connects == "own":
        channels.passers[name] = module
        for array in _own_arrays(module):
            _check_width(name, module, channels, getattr(module, array).shape[-1])
        return channels
    where, known = f"layer {name}" if name else "the model", ", ".join(kind.__name__ for kind in PASSES_ON)
    raise ValueError(
        f"{where} is a {type(module).__name__}, through which channels cannot be followed; build the model from "
        f"Sequential, Residual, MultiExit, dense, convolution and depthwise layers (any nn.Weighted that sets "
        f"`connects`), and {known}"
    )


def _tie(name: str, a: Channels, b: Channels) -> Channels:
    """Merge two groups whose channels are added; the older one, `a` (which may be held), takes over the layers of `b`."""
    if a is b:
        return a
    if None not in (a.count, b.count) and a.count != b.count:
        raise ValueError(f"{name} adds {a.count} channels to {b.count}; added branches need equal numbers")
    a.count = a.count or b.count
    for mine, other in ((a.writers, b.writers), (a.passers, b.passers), (a.readers, b.readers)):
        mine.update(other)
    b._tied_to = a
    return a


def _check_width(name: str, layer: Module, channels: Channels, width: int):
    if channels.count is not None and width % channels.count:
        raise ValueError(
            f"layer {name}, {layer!r}, takes {width} channels, but gets {channels.count} from layer {channels.name}; "
            "make them equal (or, after Flatten, a multiple)"
        )


def _own_arrays(layer: Module) -> list[str]:
    """Names of the layer's own parameters and buffers, without those of its parametrizations."""
    return [name for name, _ in (*layer.named_parameters(), *layer.named_buffers()) if "." not in name]


names.answer()
