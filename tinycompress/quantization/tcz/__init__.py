"""The `.tcz` file format: a whole net in few bytes. The net loaded from it predicts the same, bit for bit.

    bytes 0-3   "TCZ" and the version, 1
    structure   the kind and the sizes of every layer               structure.py
    arrays      one entry per array of the net, in layer order      arrays.py
    stream      the arithmetically coded parts of all arrays        coding/arithmetic.py
    last 4      CRC-32 of everything before it, little-endian

Whole numbers are written in groups of 7 bits, lowest first, and arrays in C order, little-endian. A file stores the
parameter values that the layers use: parametrizations (masks, clusters, grids) are folded into them, and each array is
written in the shortest form that keeps its values exactly. Random generators (of dropout) and frozen flags are not
kept.

Loading never executes anything from the file. A truncated, altered or forged file raises a `TczError`, within time and
memory limits set by `max_elements`.
"""

import sys
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from ... import nn
from ...files import replace_file
from ...graph import no_grad
from ...guards import check_distinct
from ...nn import Module, trace
from ...nn.weighted import effective
from ...text import aligned
from ..binary import Ternarize
from ..coding.arithmetic import Decoder, Encoder
from ..fake import FakeQuantize
from ..grid import Grid
from .arrays import CODINGS, Surroundings, contents, read_plain, write_array
from .structure import Slot, StructureReader, write_layer
from .wire import Part, Reader, TczError, Writer

MAGIC, VERSION = b"TCZ", 1
CHECKSUM_BYTES = 4
MAX_ELEMENTS = 2**22  # so that a forged file of a few bytes keeps the decoder busy for seconds, not minutes


@dataclass(frozen=True)
class Contents:
    """What a file holds: its size in bytes, its parts in order, and its arrays."""

    nbytes: int
    parts: list[Part]
    arrays: list["Array"]

    @property
    def float_bytes(self) -> int:
        """The size of all arrays as float32, in bytes."""
        return sum(4 * prod(array.shape) for array in self.arrays)

    @property
    def ratio(self) -> float:
        """How many times smaller the file is."""
        return self.float_bytes / self.nbytes

    def bytes_by_kind(self) -> dict[str, int]:
        """Bytes per kind of part (header, structure, table, positions, values, checksum), summed over all arrays."""
        found: dict[str, int] = {}
        for part in self.parts:
            found[part.kind] = found.get(part.kind, 0) + part.nbytes
        return found

    def __str__(self):
        head = ("array", "shape", "not 0", "content", "coding", "table", "positions", "values", "bytes")
        rows = []
        for array in self.arrays:
            sizes = {kind: 0 for kind in ("header", "table", "positions", "values")}
            for part in self.parts:
                if part.array == array.path:
                    sizes[part.kind] += part.nbytes
            shape = "×".join(map(str, array.shape))
            counts = [f"{sizes[kind]:,}" for kind in ("table", "positions", "values")]
            rows.append(
                (array.path, shape, f"{array.nonzero:,}", array.form, array.coding, *counts, f"{sum(sizes.values()):,}")
            )
        rest = self.nbytes - sum(part.nbytes for part in self.parts if any(part.array == a.path for a in self.arrays))
        rows.append(("structure, checksum", "", "", "", "", "", "", "", f"{rest:,}"))
        rows.append(("file", "", "", "", "", "", "", "", f"{self.nbytes:,}"))
        last = f"{self.float_bytes:,} bytes as float32: {self.ratio:.1f}× smaller"
        return "\n".join([*aligned([head, *rows], right=(1, 2, 5, 6, 7, 8)), last])


@dataclass(frozen=True)
class Array:
    """An array of a file. nonzero: its number of elements other than 0. form: of its values, such as "16 values" or
    "8-bit grid". coding: "fixed", "huffman" or "arithmetic"."""

    path: str
    shape: tuple[int, ...]
    nonzero: int
    form: str
    coding: str


def save(model: Module, path, coding: str = "smallest") -> Contents:
    """Write a model to a .tcz file, completely or not at all; returns its `Contents`.

    coding: "fixed", "huffman" or "arithmetic" for all arrays, or "smallest" for the best per array. Raises ValueError
    for layers that the format does not support, for a layer that appears twice in the model, and for numbers that are
    not finite.
    """
    data = to_bytes(model, coding)
    contents = _parse(data, sys.maxsize)[1]  # first: what cannot be read again must not replace a good file
    replace_file(path, data)
    return contents


def load(path, max_elements: int = MAX_ELEMENTS) -> Module:
    """Load the model of a .tcz file, in evaluation mode. Its predictions equal those of the saved model.

    max_elements: the limit for all arrays together, for an input image, and for the output of any layer for it. Raises
    FileNotFoundError, or `TczError` (a ValueError) for anything but an intact .tcz file within the limit.
    """
    return _read_file(path, max_elements)[0]


def inspect(path, max_elements: int = MAX_ELEMENTS) -> Contents:
    """Return the `Contents` of a .tcz file, byte by byte. Raises the same errors as `load`."""
    return _read_file(path, max_elements)[1]


def to_bytes(model: Module, coding: str = "smallest") -> bytes:
    """The bytes of a model's .tcz file, as written by `save`. Raises ValueError as `save` does, and TypeError for
    anything but a model.

    >>> from tinycompress import models
    >>> net = models.mlp((8, 8, 1), (32,), 10, rng=0)
    >>> data = to_bytes(net)
    >>> data[:3], inspect_bytes(data).nbytes == len(data)
    (b'TCZ', True)
    >>> x = np.ones((2, 8, 8, 1), np.float32)
    >>> bool((from_bytes(data)(x).data == net(x).data).all())
    True
    """
    if not isinstance(model, Module):
        raise TypeError(f"tcz.save(net, path): the net comes first, then the path; got {type(model).__name__}")
    check_distinct("a .tcz file holds each layer once", model)
    if coding != "smallest" and coding not in CODINGS:
        raise ValueError(f"coding should be one of smallest, {', '.join(CODINGS)}; got {coding!r}")
    out, stream = Writer(), Encoder()
    out.raw(MAGIC + bytes([VERSION]))
    slots = write_layer(model, out)
    images, around = _image_rows(model), Surroundings()
    with no_grad(), model.evaluation():
        for slot in slots:
            values, grid = _values(slot)
            if not np.isfinite(values).all():
                raise ValueError(f"{slot.path} has numbers that are not finite; did the training diverge?")
            around.neighbours = _neighbours(slot, images)
            choices = [
                c for one in (CODINGS if coding == "smallest" else [coding]) for c in contents(values, grid, one)
            ]
            best = min(choices, key=lambda choice: _size(choice, around)) if len(choices) > 1 else choices[0]
            write_array(best, around, out, stream)
            around = around.after(values)
    out.raw(stream.finish())
    out.raw(zlib.crc32(out.data).to_bytes(CHECKSUM_BYTES, "little"))
    return bytes(out.data)


def from_bytes(data: bytes, max_elements: int = MAX_ELEMENTS) -> Module:
    """Load a model from the bytes of a .tcz file. Raises `TczError`."""
    return _parse(data, max_elements)[0]


def inspect_bytes(data: bytes, max_elements: int = MAX_ELEMENTS) -> Contents:
    """Return the `Contents` of the bytes of a .tcz file. Raises `TczError`."""
    return _parse(data, max_elements)[1]


def _values(slot: Slot) -> tuple[np.ndarray, "object"]:
    """The values that the layer uses, and the grid they lie on, or None."""
    if not slot.trained:
        return getattr(slot.layer, slot.name), None
    values, step = effective(slot.layer, slot.name), slot.layer.parametrization(slot.name, FakeQuantize)
    if slot.layer.parametrization(slot.name, Ternarize):  # -a, 0 and +a per channel: a grid of 2 bits
        size = np.abs(values).max(tuple(range(values.ndim - 1)))
        return values, Grid(np.where(size, size, 1).astype(np.float32), np.zeros_like(size, np.float32), 2, True)
    return values, step.grid if step else None


def _size(content, around) -> int:
    """The number of bytes that writing an array this way takes."""
    out, stream = Writer(), Encoder()
    write_array(content, around, out, stream)
    return len(out.data) + len(stream.finish())


def _image_rows(model: Module) -> dict[int, tuple[int, int]]:
    """For each number of outputs of a `Flatten` of images: the distance between neighbouring pixels in the flat vector,
    horizontally and vertically."""
    calls = _shapes(model)
    return {prod(s[1:]): (s[3], s[2] * s[3]) for layer, s, _ in calls if isinstance(layer, nn.Flatten) and len(s) == 4}


def _shapes(model: Module) -> list:
    """Trace every layer call on an empty batch (see `trace`); empty if the input shape is unknown."""
    shape = getattr(model, "input_shape", None)
    if shape is None:
        return []
    x = np.zeros((0, *shape), np.float32)
    with trace() as calls, no_grad(), model.evaluation():
        if isinstance(model, nn.MultiExit):  # in evaluation mode it would skip all heads but the last
            for stage, head in zip(model.stages, model.heads, strict=True):
                x = stage(x)
                head(x)
        else:
            model(x)
    return calls


def largest_activation(model: Module) -> int:
    """The size of the largest layer output for one image; 0 if the input shape is unknown."""
    return max((prod(out.shape[1:]) for _, _, out in _shapes(model)), default=0)


def _neighbours(slot: Slot, images) -> tuple[int, int]:
    """How many rows up, in the weight seen as a matrix, the neighbours to the left and above are; 0 for none."""
    if len(slot.shape) > 2:
        rows = prod(slot.shape[2:-1])
        return rows, slot.shape[1] * rows
    return images.get(slot.shape[0], (0, 0)) if len(slot.shape) == 2 else (1, 0)


def _read_file(path, max_elements):
    path = Path(path)
    most = 16 * max_elements + 2**20  # more than float64 arrays of max_elements take
    try:
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}; save a model there first, or compress one") from None
    if len(data) > most:
        raise TczError(f"{path} has more than {most:,} bytes, too many for a .tcz of up to {max_elements:,} elements")
    try:
        return _parse(data, max_elements)
    except TczError as error:
        raise TczError(f"{path}: {error}") from error


def _parse(data: bytes, max_elements: int) -> tuple[Module, Contents]:
    _check_frame(data)
    source = Reader(data[:-CHECKSUM_BYTES])
    try:
        with source.part("", "header"):
            source.raw(4)
        with source.part("", "structure"):
            model, slots = StructureReader(source, max_elements).read_layer()
        with np.errstate(all="ignore"):  # numbers that are not finite raise an error, without a warning first
            arrays = _read_arrays(slots, source)
    except TczError:
        raise
    except ValueError as error:  # raised by a decoder
        raise TczError(str(error)) from error
    for slot, found in zip(slots, arrays, strict=True):
        slot.fill(found.values)
    model.eval()
    _check_shapes(model, max_elements)
    parts = [*source.parts, Part("", "checksum", len(data) - CHECKSUM_BYTES, CHECKSUM_BYTES)]
    return model, Contents(len(data), sorted(parts, key=lambda part: part.offset), [_array(found) for found in arrays])


def _check_frame(data: bytes):
    if not data.startswith(MAGIC):
        raise TczError(f"not a .tcz file: it begins with {data[:4]!r}, not with {MAGIC!r}")
    if len(data) < len(MAGIC) + 1 + CHECKSUM_BYTES:
        raise TczError(f"it is cut short after {len(data)} bytes")
    if data[3] != VERSION:
        raise TczError(f"it has version {data[3]} of the format, but this program reads version {VERSION}")
    found, said = zlib.crc32(data[:-CHECKSUM_BYTES]), int.from_bytes(data[-CHECKSUM_BYTES:], "little")
    if found != said:
        raise TczError(
            f"it is damaged or cut short: its checksum is {found:08x}, but the file says {said:08x}; get it again"
        )


def _read_arrays(slots: list[Slot], source: Reader) -> list:
    arrays = [read_plain(slot.shape, slot.path, source) for slot in slots]
    start, around = source.at, Surroundings()
    stream = Decoder(source.raw(source.left))
    done = 0
    for found in arrays:
        if found.values is None:
            for kind, end in found.finish(stream, around):
                if end > done:
                    source.parts.append(Part(found.path, kind, start + done, end - done))
                done = end
        around = around.after(found.values)
    stream.finish()
    if rest := source.at - start - done:
        source.parts.append(Part("", "end of stream", start + done, rest))
    return arrays


def _check_shapes(model: Module, max_elements: int):
    """Raise TczError for layers that do not fit together, and for sizes above the limit, before any image is used."""
    shape = getattr(model, "input_shape", None)
    if shape is not None and prod(shape) > max_elements:
        raise TczError(f"its input images {shape} have more than {max_elements:,} elements")
    try:
        largest = largest_activation(model)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise TczError(f"its layers do not fit together: {error}") from error
    if largest > max_elements:
        raise TczError(f"the output of a layer has {largest:,} elements per image, more than {max_elements:,}")


def _array(found) -> Array:
    content = found.content
    form = "real numbers"
    if content.grid is not None:
        form = f"{content.grid.bits}-bit grid"
    elif content.codebook is not None:
        form = f"{len(content.codebook)} values"
    return Array(found.path, found.shape, int(np.count_nonzero(found.values)), form, content.coding)
