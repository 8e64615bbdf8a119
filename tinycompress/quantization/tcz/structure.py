"""The layers of a net as bytes, without their arrays: the code of each layer, then its fields, as `TABLE` lists them.

`Conv2d(2, 3, (5, 4), stride=(1, 2), padding="same")`, for example, is these nine bytes:

    5    1      5 4 2 3    1 2      1
    code bias   weight     stride   padding

Reading and writing go by the same table, and both give the arrays that belong to the layers as `Slot`s. Reading
allocates nothing: an array is made only when its content is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
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
DEFAULTS = (0.1, 1e-5)  # momentum and eps of batch norm
BUFFERS = ("running_mean", "running_var", "zero_point", "mean", "std")  # arrays that are not trained


@dataclass(frozen=True)
class Slot:
    """An array of the net: the layer's attribute `name`, which has `shape`, and is called `path` in the whole net. On
    reading, it stands in the layer until it is filled."""

    layer: Module
    name: str
    path: str
    shape: tuple[int, ...]

    trained = property(lambda self: self.name not in BUFFERS)

    def fill(self, values: np.ndarray):
        """Put the array into its layer. Raises `TczError` for a variance below 0 or a std that is not above it."""
        if self.name == "running_var" and values.min(initial=0) < 0:
            raise TczError(f"array {self.path} has variances below 0")
        if self.name == "std" and not values.min(initial=1) > 0:
            raise TczError(f"array {self.path} has a standard deviation that is not above 0")
        object.__setattr__(self.layer, self.name, Parameter(values) if self.trained else values)


@dataclass(frozen=True)
class Field:
    """Some attributes of a layer as numbers: whole numbers, or floats as float64."""

    numbers: Callable  # layer -> the numbers to write
    attributes: Callable  # reader -> the attributes, from the same numbers; of an array the shape, or None for no array
    wrong: Callable = lambda layer: None  # layer with these attributes -> what is wrong with them, if anything
    arrays: tuple[str, ...] = ()  # those of the attributes that are arrays

    def write(self, layer, out, path):
        for number in self.numbers(layer):
            if isinstance(number, float):
                out.raw(np.array(number, "<f8").tobytes())
            else:
                out.varint(int(number))
        latents = {name: layer.latent(name) for name in self.arrays}
        return _slots(layer, path, {name: None if array is None else array.shape for name, array in latents.items()})

    def read(self, layer, reader, path):
        found = self.attributes(reader)
        slots = reader.counted(_slots(layer, path, {name: found[name] for name in self.arrays}))
        vars(layer).update(found | {slot.name: slot for slot in slots})
        if words := self.wrong(layer):
            raise TczError(f"layer {path} {words}")
        return slots


@dataclass(frozen=True)
class Children:
    """The layers inside a layer: a number, from which their names follow, and then each of them with all its bytes."""

    number: Callable  # layer -> the number to write
    read_number: Callable  # reader -> the same number
    names: Callable  # number -> the children's names, in order
    attributes: Callable  # the children, in order -> the attributes of the layer that hold them

    def write(self, layer, out, path):
        number, children = self.number(layer), dict(layer.children())
        out.varint(number)
        return [slot for n in self.names(number) for slot in write_layer(children[n], out, _join(path, n))]

    def read(self, layer, reader, path):
        reader.depth += 1
        read = [reader.read_layer(_join(path, name)) for name in self.names(self.read_number(reader))]
        reader.depth -= 1
        vars(layer).update(self.attributes([child for child, _ in read]))
        return [slot for _, slots in read for slot in slots]


LAYERS = Children(  # the number of layers; the layers
    lambda layer: len(layer.layers),
    lambda reader: reader.source.varint(MOST_LAYERS, "the number of layers"),
    lambda number: [str(i) for i in range(number)],
    lambda layers: {"layers": layers},
)
BRANCHES = Children(  # 1 if there is a shortcut, else 0; the body; the shortcut
    lambda layer: 1 if layer.shortcut else 0,
    lambda reader: reader.flag(),
    lambda number: ["body", "shortcut"][: 1 + number],
    lambda branches: {"body": branches[0], "shortcut": branches[1] if branches[1:] else None},
)
EXITS = Children(  # the number of exits; the stage and the head of each
    lambda layer: len(layer.stages),
    lambda reader: reader.source.varint(MOST_LAYERS, "the number of exits", least=1),
    lambda number: [f"{part}.{i}" for i in range(number) for part in ("stages", "heads")],
    lambda parts: {"stages": parts[::2], "heads": parts[1::2], "frozen": False},
)
INPUT_SHAPE = Field(  # the number of axes of one example, 0 if its shape is unknown; their sizes
    lambda layer: [len(layer.input_shape or ()), *(layer.input_shape or ())],
    lambda reader: {"input_shape": reader.sizes(reader.source.byte(4, "a number of axes"), "an input shape") or None},
)
WINDOW = Field(  # its height and width
    lambda layer: _two(layer.size),
    lambda reader: {"size": reader.sizes(2, "a window")},
)
STRIDE = Field(  # down and across; of a pool without one, the window's height and width
    lambda layer: _two(layer.size if layer.stride is None else layer.stride),
    lambda reader: {"stride": reader.sizes(2, "a stride")},
)
PADDING = Field(  # 0 for "valid", 1 for "same"; or 2, and how much above, below, left, right
    lambda layer: (
        [PADDINGS.index(layer.padding)] if layer.padding in PADDINGS else [2, *chain(*map(_two, _two(layer.padding)))]
    ),
    lambda reader: {"padding": reader.padding()},
    lambda layer: (
        layer.padding not in PADDINGS
        and any(max(sides) > size for sides, size in zip(layer.padding, layer.weight.shape, strict=False))
        and f"has a kernel of {layer.weight.shape[:2]}, but a padding of {layer.padding}"
    ),
)
SETTINGS = Field(  # 0 for the defaults; or 1, and momentum and eps as float64
    lambda layer: [0] if (layer.momentum, layer.eps) == DEFAULTS else [1, float(layer.momentum), float(layer.eps)],
    lambda reader: dict(zip(("momentum", "eps"), reader.floats(2) if reader.flag() else DEFAULTS, strict=True)),
    lambda layer: (
        not (0 <= layer.momentum <= 1 and 0 < layer.eps < 1e6)
        and f"normalises with momentum {layer.momentum} and eps {layer.eps}"
    ),
)
PROBABILITY = Field(  # p as float64
    lambda layer: [float(layer.p)],
    lambda reader: {"p": reader.floats(1)[0], "rng": np.random.default_rng(0)},
    lambda layer: not 0 <= layer.p < 1 and f"drops the share {layer.p}, which should be at least 0 and below 1",
)
BITS = Field(  # twice the number of bits; 1 more if the grid is symmetric
    lambda layer: [layer.bits << 1 | layer.symmetric],
    lambda reader: {"bits": (code := reader.source.byte(17, "bits")) >> 1, "symmetric": bool(code & 1)},
    lambda layer: layer.bits < 1 and "has a grid of 0 bits",
)


def weight(axes: int) -> Field:
    """1 if there is a bias, else 0; the sizes of the weight, the last of which is also that of the bias."""

    def numbers(layer):
        return [layer.latent("bias") is not None, *layer.latent("weight").shape]

    def attributes(reader):
        bias, shape = reader.flag(), reader.sizes(axes, "a size of a weight")
        return {"weight": shape, "bias": shape[-1:] if bias else None}

    return Field(numbers, attributes, arrays=("weight", "bias"))


def channels(*arrays: str, least: int = 1) -> Field:
    """The size that all these arrays have; 0 if they are single numbers."""
    return Field(
        lambda layer: layer.latent(arrays[-1]).shape or [0],
        lambda reader: dict.fromkeys(arrays, (n,) if (n := reader.source.varint(LARGEST, "channels", least)) else ()),
        arrays=arrays,
    )


TABLE = (  # code, layer, fields; to add a layer, add its line
    (1, nn.Sequential, INPUT_SHAPE, LAYERS),
    (2, nn.Residual, BRANCHES),
    (3, nn.Dense, weight(axes=2)),
    (4, nn.PointwiseConv2d, weight(axes=2)),
    (5, nn.Conv2d, weight(axes=4), STRIDE, PADDING),
    (6, nn.DepthwiseConv2d, weight(axes=3), STRIDE, PADDING),
    (7, nn.BatchNorm, channels("weight", "bias", "running_mean", "running_var"), SETTINGS),
    (8, nn.ReLU),
    (9, nn.LeakyReLU),
    (10, nn.Sigmoid),
    (11, nn.Tanh),
    (12, nn.GELU),
    (13, nn.HardSwish),
    (14, nn.Flatten),
    (15, nn.GlobalAvgPool),
    (16, nn.MaxPool2d, WINDOW, STRIDE),
    (17, nn.AvgPool2d, WINDOW, STRIDE),
    (18, nn.Dropout, PROBABILITY),
    (19, Sign),
    (20, FakeQuantize, BITS, channels("scale", "zero_point", least=0)),
    (21, nn.MultiExit, INPUT_SHAPE, EXITS),  # never inside another layer
    (22, nn.Normalize, channels("mean", "std")),
)
BY_KIND = {kind: (code, fields) for code, kind, *fields in TABLE}
BY_CODE = {code: (kind, fields) for code, kind, *fields in TABLE}


def write_layer(layer: Module, out: Writer, path: str = "") -> list[Slot]:
    """Write a layer and all inside it. Raises ValueError for one that the format does not know."""
    code, fields = BY_KIND.get(type(layer), (None, ()))
    if code is None or (type(layer) is nn.MultiExit and path):
        raise ValueError(
            f"a .tcz file cannot hold {f'layer {path}, ' if path else ''}{layer!r}; it knows Sequential, Residual, MultiExit "
            "and the layers of tinycompress.nn; a packed or integer net is not saved: save the net that it was made from"
        )
    out.byte(code)
    return [slot for field in fields for slot in field.write(layer, out, path)]


class StructureReader:
    """Reads layers. Counts the layers and the elements of their arrays, and refuses too many of either."""

    def __init__(self, source: Reader, max_elements: int):
        self.source, self.max_elements = source, max_elements
        self.layers = self.elements = self.depth = 0

    def read_layer(self, path: str = "") -> tuple[Module, list[Slot]]:
        """A layer and all inside it, without their arrays, which the slots stand for."""
        self.layers += 1
        if self.depth > DEEPEST or self.layers > MOST_LAYERS:
            raise TczError(f"its net has more than {MOST_LAYERS} layers, or nests them more than {DEEPEST} deep")
        code = self.source.byte()
        kind, fields = BY_CODE.get(code, (None, ()))
        if kind is None or (kind is nn.MultiExit and path):
            raise TczError(f"byte {self.source.at - 1} is {code}, which is not the code of a layer")
        layer = kind.__new__(kind)  # empty: `__init__` would make arrays before anyone knows whether the file has them
        return layer, [slot for field in fields for slot in field.read(layer, self, path)]

    def counted(self, slots: list[Slot]) -> list[Slot]:
        self.elements += sum(prod(slot.shape) for slot in slots)
        if self.elements > self.max_elements:
            raise TczError(
                f"its arrays have more than {self.max_elements:,} elements (over {self.elements:,}); if you trust it, "
                "load it with a larger max_elements"
            )
        return slots

    def flag(self) -> int:
        return self.source.byte(1, "0 or 1,")

    def sizes(self, count: int, what: str, least: int = 1) -> tuple[int, ...]:
        return tuple(self.source.varint(LARGEST, what, least) for _ in range(count))

    def padding(self) -> str | tuple:
        if (code := self.source.byte(len(PADDINGS), "a padding")) < len(PADDINGS):
            return PADDINGS[code]
        return self.sizes(2, "a padding", least=0), self.sizes(2, "a padding", least=0)

    def floats(self, count: int) -> list[float]:
        return self.source.numbers(count, "<f8").tolist()


def _slots(layer, path, shapes) -> list[Slot]:
    return [Slot(layer, name, _join(path, name), shape) for name, shape in shapes.items() if shape is not None]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _two(value) -> tuple:
    """A pair, or one value for both sides."""
    return value if isinstance(value, tuple | list) else (value, value)
