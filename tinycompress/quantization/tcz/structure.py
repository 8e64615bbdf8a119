"""The layers of a net as bytes, without their arrays: a code for each layer, then its sizes.

    Sequential    1, its input shape, the number of layers, the layers         Dense    3, bias, in, out
    Residual      2, 1 if there is a shortcut, the body, the shortcut          ReLU     8
    MultiExit    21, its input shape, the number of exits, stage and head of each; never inside of another layer

`write_layer` and `read_layer` go through the same layers in the same order, and both return the arrays that belong to
them as `Slot`s. Reading allocates nothing: an array is made only when its content is read.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from ... import nn
from ...nn import Module, Parameter
from ..binary import Sign
from ..fake import FakeQuantize
from .wire import Reader, TczError, Writer

DEEPEST = 16  # containers within containers
MOST_LAYERS = 4096
LARGEST = 2**31 - 1  # of a single size
PADDINGS = ("valid", "same")
BATCH_NORM_DEFAULTS = (0.1, 1e-5)  # momentum and eps

PLAIN = {  # code -> a layer that has nothing to say about itself
    8: nn.ReLU,
    9: nn.LeakyReLU,
    10: nn.Sigmoid,
    11: nn.Tanh,
    12: nn.GELU,
    13: nn.HardSwish,
    14: nn.Flatten,
    15: nn.GlobalAvgPool,
    19: Sign,
}
DENSE = {3: nn.Dense, 4: nn.PointwiseConv2d}
POOLS = {16: nn.MaxPool2d, 17: nn.AvgPool2d}
SEQUENTIAL, RESIDUAL, CONV, DEPTHWISE, BATCH_NORM, DROPOUT, FAKE_QUANTIZE, MULTI_EXIT = 1, 2, 5, 6, 7, 18, 20, 21
CODES = {kind: code for kinds in (PLAIN, DENSE, POOLS) for code, kind in kinds.items()}


@dataclass(frozen=True)
class Slot:
    """An array of the net: the layer's attribute `name`, which has `shape`, and is called `path` in the whole net."""

    layer: Module
    name: str
    path: str
    shape: tuple[int, ...]
    trained: bool = True

    size = property(lambda self: prod(self.shape))

    def fill(self, values: np.ndarray):
        """Put the array into its layer. Raises `TczError` for a variance below 0."""
        if self.name == "running_var" and values.min(initial=0) < 0:
            raise TczError(f"array {self.path} has variances below 0")
        object.__setattr__(self.layer, self.name, Parameter(values) if self.trained else values)


def write_layer(layer: Module, out: Writer, path: str = "") -> list[Slot]:
    """Write a layer and all inside it. Raises ValueError for one that the format does not know."""
    kind = type(layer)
    if kind is nn.Sequential:
        out.byte(SEQUENTIAL)
        _write_sizes(layer.input_shape, len(layer.layers), out)
        return [slot for name, child in layer.children() for slot in write_layer(child, out, _join(path, name))]
    if kind is nn.Residual:
        out.byte(RESIDUAL)
        out.byte(1 if layer.shortcut else 0)
        branches = [("body", layer.body), ("shortcut", layer.shortcut)][: 2 if layer.shortcut else 1]
        return [slot for name, child in branches for slot in write_layer(child, out, _join(path, name))]
    if kind is nn.MultiExit and not path:
        out.byte(MULTI_EXIT)
        _write_sizes(layer.input_shape, len(layer.stages), out)
        parts = zip(_exit_names(len(layer.stages)), _alternating(layer.stages, layer.heads), strict=True)
        return [slot for name, child in parts for slot in write_layer(child, out, _join(path, name))]
    if kind in PLAIN.values():
        out.byte(CODES[kind])
        return []
    if kind in DENSE.values():
        return _write_weighted(layer, CODES[kind], out, path)
    if kind is nn.Conv2d or kind is nn.DepthwiseConv2d:
        slots = _write_weighted(layer, CONV if kind is nn.Conv2d else DEPTHWISE, out, path)
        _write_pair(layer.stride, out)
        _write_padding(layer.padding, out)
        return slots
    if kind in POOLS.values():
        out.byte(CODES[kind])
        _write_pair(layer.size, out)
        _write_pair(layer.size if layer.stride is None else layer.stride, out)
        return []
    if kind is nn.BatchNorm:
        out.byte(BATCH_NORM)
        out.varint(len(layer.running_mean))
        settings = layer.momentum, layer.eps
        out.byte(int(settings != BATCH_NORM_DEFAULTS))
        if settings != BATCH_NORM_DEFAULTS:
            out.raw(np.array(settings, "<f8").tobytes())
        return _batch_norm_slots(layer, path, len(layer.running_mean))
    if kind is nn.Dropout:
        out.byte(DROPOUT)
        out.raw(np.array(layer.p, "<f8").tobytes())
        return []
    if kind is FakeQuantize:
        out.byte(FAKE_QUANTIZE)
        out.byte(layer.bits << 1 | layer.symmetric)
        out.varint(layer.scale.shape[0] if layer.scale.ndim else 0)
        return _grid_slots(layer, path, layer.scale.shape)
    raise ValueError(
        f"a .tcz file cannot hold {f'layer {path}, ' if path else ''}{layer!r}; it knows Sequential, Residual, MultiExit and the "
        "layers of tinycompress.nn; of a packed or integer net, save the net that it was made from"
    )


def _write_sizes(input_shape, count, out):
    shape = input_shape or ()
    for number in (len(shape), *shape, count):
        out.varint(number)


def _exit_names(exits: int) -> list[str]:
    return _alternating([f"stages.{i}" for i in range(exits)], [f"heads.{i}" for i in range(exits)])


def _alternating(stages: list, heads: list) -> list:
    """Each stage and its head."""
    return [part for pair in zip(stages, heads, strict=True) for part in pair]


def _write_weighted(layer, code, out, path):
    bias = layer.latent("bias")
    out.byte(code)
    out.byte(0 if bias is None else 1)
    shape = layer.latent("weight").shape
    for number in shape:
        out.varint(number)
    return _weighted_slots(layer, path, shape, bias is not None)


def _write_pair(value, out):
    for number in value if isinstance(value, tuple | list) else (value, value):
        out.varint(int(number))


def _write_padding(padding, out):
    if padding in PADDINGS:
        out.byte(PADDINGS.index(padding))
        return
    out.byte(len(PADDINGS))
    for side in padding if isinstance(padding, tuple | list) else (padding, padding):
        _write_pair(side, out)


class StructureReader:
    """Reads layers; counts their number and that of the elements of their arrays, and refuses too many of either."""

    def __init__(self, source: Reader, max_elements: int):
        self.source, self.max_elements = source, max_elements
        self.layers = self.elements = 0

    def read_layer(self, path: str = "", depth: int = 0) -> tuple[Module, list[Slot]]:
        """A layer and all inside it, without their arrays, which the slots stand for."""
        self.layers += 1
        if depth > DEEPEST or self.layers > MOST_LAYERS:
            raise TczError(f"its net has more than {MOST_LAYERS} layers, or more than {DEEPEST} within each other")
        code = self.source.byte()
        if code == SEQUENTIAL:
            shape, count = self._input_shape(), self.source.varint(MOST_LAYERS, "the number of layers")
            layers, slots = self._children([str(i) for i in range(count)], path, depth)
            return nn.Sequential(*layers, input_shape=shape), slots
        if code == MULTI_EXIT and depth == 0:
            shape, exits = self._input_shape(), self.source.varint(MOST_LAYERS, "the number of exits", least=1)
            parts, slots = self._children(_exit_names(exits), path, depth)
            return nn.MultiExit(parts[::2], parts[1::2], shape), slots
        if code == RESIDUAL:
            layers, slots = self._children(["body", "shortcut"][: 1 + self._flag()], path, depth)
            return nn.Residual(*layers), slots
        if code in PLAIN:
            return PLAIN[code](), []
        if code in DENSE:
            return self._weighted(DENSE[code], 2, path)
        if code == CONV or code == DEPTHWISE:
            layer, slots = self._weighted(*((nn.Conv2d, 4) if code == CONV else (nn.DepthwiseConv2d, 3)), path)
            layer.stride, layer.padding = self._pair("a stride"), self._padding()
            kernel = slots[0].shape[:2]
            for sides, size in zip(layer.padding if isinstance(layer.padding, tuple) else (), kernel, strict=False):
                if max(sides) > size:
                    raise TczError(f"layer {path} has a kernel of {kernel}, but a padding of {layer.padding}")
            return layer, slots
        if code in POOLS:
            return POOLS[code](self._pair("a window"), self._pair("a stride")), []
        if code == BATCH_NORM:
            channels, settings = self._size("channels"), BATCH_NORM_DEFAULTS
            if self._flag():
                settings = self.source.numbers(2, "<f8").tolist()
                if not (0 <= settings[0] <= 1 and 0 < settings[1] < 1e6):
                    raise TczError(f"layer {path} normalises with momentum {settings[0]} and eps {settings[1]}")
            layer = _bare(nn.BatchNorm, momentum=settings[0], eps=settings[1])
            return layer, self._counted(_batch_norm_slots(layer, path, channels))
        if code == DROPOUT:
            (p,) = self.source.numbers(1, "<f8").tolist()
            if not 0 <= p < 1:
                raise TczError(f"layer {path} drops the share {p}, which should be from 0 up to but not 1")
            return nn.Dropout(p, rng=np.random.default_rng(0)), []
        if code == FAKE_QUANTIZE:
            bits, channels = self.source.byte(17, "bits"), self.source.varint(LARGEST, "channels")
            if bits < 2:
                raise TczError(f"layer {path} has a grid of 0 bits")
            layer = _bare(FakeQuantize, bits=bits >> 1, symmetric=bool(bits & 1))
            return layer, self._counted(_grid_slots(layer, path, (channels,) if channels else ()))
        raise TczError(f"byte {self.source.at - 1} is {code}, which is the code of no layer")

    def _input_shape(self) -> tuple[int, ...] | None:
        return tuple(self._size("an input shape") for _ in range(self.source.byte(4, "a number of axes"))) or None

    def _children(self, names, path, depth):
        read = [self.read_layer(_join(path, name), depth + 1) for name in names]
        return [layer for layer, _ in read], [slot for _, slots in read for slot in slots]

    def _weighted(self, kind, axes, path):
        bias = self._flag()
        shape = tuple(self._size("a size of a weight") for _ in range(axes))
        layer = _bare(kind, weight=None, bias=None)  # in the order of a layer that was made as usual
        return layer, self._counted(_weighted_slots(layer, path, shape, bias))

    def _counted(self, slots: list[Slot]) -> list[Slot]:
        self.elements += sum(slot.size for slot in slots)
        if self.elements > self.max_elements:
            raise TczError(
                f"its arrays have more than {self.max_elements:,} elements (over {self.elements:,}); if you trust it, "
                "load it with a larger max_elements"
            )
        return slots

    def _flag(self) -> int:
        return self.source.byte(1, "0 or 1,")

    def _size(self, what: str) -> int:
        return self.source.varint(LARGEST, what, least=1)

    def _pair(self, what: str) -> tuple[int, int]:
        return self._size(what), self._size(what)

    def _padding(self):
        code = self.source.byte(len(PADDINGS), "a padding")
        if code < len(PADDINGS):
            return PADDINGS[code]
        return tuple(tuple(self.source.varint(LARGEST, "a padding") for _ in range(2)) for _ in range(2))


def _weighted_slots(layer, path, shape, bias) -> list[Slot]:
    slots = [Slot(layer, "weight", _join(path, "weight"), shape)]
    return slots + [Slot(layer, "bias", _join(path, "bias"), shape[-1:])] * int(bias)


def _batch_norm_slots(layer, path, channels) -> list[Slot]:
    names = {"weight": True, "bias": True, "running_mean": False, "running_var": False}
    return [Slot(layer, name, _join(path, name), (channels,), trained) for name, trained in names.items()]


def _grid_slots(layer, path, shape) -> list[Slot]:
    names = {"scale": True, "zero_point": False}
    return [Slot(layer, name, _join(path, name), shape, trained) for name, trained in names.items()]


def _bare(kind: type, **attributes) -> Module:
    """A layer without its arrays, which would take memory before anyone knows whether the file has their contents."""
    layer = kind.__new__(kind)
    for name, value in attributes.items():
        object.__setattr__(layer, name, value)
    return layer


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
