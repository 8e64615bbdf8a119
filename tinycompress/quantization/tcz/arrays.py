"""One array as bytes: which elements are not 0, which distinct values occur, and which of these each element has.

The first byte holds the form: the kind of values (bits 0-2), whether zeros are left out (3), the coding (4-5), and
bitmap or gaps (6). Then follow, if present,

    table       a grid: bits, scales, zero points; or a codebook: the number of values, the values
    positions   of the elements that are not 0: one bit per element, or gaps, or in the arithmetic stream
    values      one index into the table per element, or real numbers

The coding "fixed" gives all indices or gaps the same number of bits. "huffman" uses a Huffman code, whose lengths come
first. "arithmetic" puts positions and values into the stream at the end of the file (see `coding.arithmetic`), real
numbers byte by byte.

A gap is the number of zeros before the next weight, in g bits. The largest value, 2^g - 1, means this many zeros and
then another gap (Han et al. 2016, figure 2, store a weight of 0 there instead).
"""

from dataclasses import dataclass, replace

import numpy as np

from ..coding.arithmetic import Decoder, Encoder
from ..coding.huffman import code_lengths, decode, encode
from ..grid import Grid, limits
from .wire import Reader, TczError, Writer

FLOAT32, FLOAT16, FLOAT64, CODEBOOK32, CODEBOOK16, GRID32, GRID16 = range(7)
DTYPES = dict(enumerate(("<f4", "<f2", "<f8", "<f4", "<f2", "<f4", "<f2")))
CODINGS = ("fixed", "huffman", "arithmetic")
LONGEST_CODE = 15  # bits, so that a length fits in half a byte
WIDEST_GAP = 12  # bits


@dataclass(frozen=True, eq=False)
class Content:
    """An array and how to write it: as `indices` into a table (a `codebook` or a `grid`), or, without a table, as real
    numbers."""

    values: np.ndarray
    kind: int
    indices: np.ndarray | None = None
    codebook: np.ndarray | None = None
    grid: Grid | None = None
    sparse: bool = False
    coding: str = "fixed"
    zero_is_there: bool = True  # whether the table has a 0 if the array has; a 1-bit grid does not

    @property
    def k(self) -> int:
        """The number of distinct indices."""
        if self.grid is not None:
            return self.grid.high - self.grid.low + 1
        return len(self.codebook)


@dataclass
class Surroundings:
    """What a reader knows before it reads an array, used as contexts: the previous matrix, and which rows are neighbours.

    neighbours: see `Encoder.positions`.
    """

    columns: np.ndarray | None = None  # the number of elements other than 0 per column of the previous matrix
    neighbours: tuple[int, int] = (1, 0)

    def busy(self, rows: int) -> np.ndarray | None:
        """A hint of how full each row is, 0 to 15 (see `Encoder.positions`): as the column of the previous matrix that
        computes its input. None if the shapes do not match."""
        if self.columns is None or len(self.columns) == 0 or rows % len(self.columns):
            return None
        lengths = np.frexp(self.columns)[1]  # the number of binary digits
        return np.minimum(np.resize(lengths, rows), 15)

    def after(self, values: np.ndarray) -> "Surroundings":
        """The surroundings of the next array."""
        return Surroundings((as_matrix(values) != 0).sum(0) if values.ndim > 1 else self.columns)


def as_matrix(values: np.ndarray) -> np.ndarray:
    """An array as (rows, columns), with the last axis (neurons or channels) as columns; a vector is one column."""
    return values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)


def contents(values: np.ndarray, grid: Grid | None, coding: str) -> list[Content]:
    """The candidate ways to write an array with this coding. grid: the grid that the values lie on, or None."""
    found = []
    if values.dtype == np.float32:
        found = [*_on_grid(values, grid), *_with_codebook(values)]
    if not found:
        kind = FLOAT64 if values.dtype == np.float64 else FLOAT16 if _fits_half(values) else FLOAT32
        found = [Content(values, kind)]
    # Each candidate is written to measure it, so leave out those that will not win, given the share of zeros. A grid without 0
    # needs the positions of zeros, however few there are.
    zeros = 1 - np.count_nonzero(values) / max(values.size, 1)
    sparse = [replace(content, sparse=True) for content in found if zeros > 0.1 or not content.zero_is_there]
    dense = [replace(content, sparse=False) for content in found if zeros < 0.9 and content.zero_is_there]
    return [replace(content, coding=coding) for content in (*dense, *sparse)]


def _on_grid(values, grid):
    if grid is None or (grid.scale.ndim and grid.scale.shape != values.shape[-1:]):
        return
    integers = grid.quantize(values)
    same = grid.dequantize(integers) == values
    if (same | (values == 0)).all():
        kind = GRID16 if _fits_half(grid.scale) else GRID32
        indices = (integers.astype(np.int16) - grid.low).astype(np.uint8)
        yield Content(values, kind, indices, grid=grid, zero_is_there=bool(same.all()))


def _fits_half(values: np.ndarray) -> bool:
    """Whether float16 represents these numbers exactly."""
    with np.errstate(over="ignore"):
        return np.array_equal(values.astype(np.float16).astype(np.float32), values)


def _with_codebook(values):
    codebook, indices = np.unique(values, return_inverse=True)
    if not 1 <= len(codebook) <= 256 or 4 * len(codebook) > 3 * values.size or np.isnan(codebook).any():
        return
    kind = CODEBOOK16 if _fits_half(codebook) else CODEBOOK32
    yield Content(values, kind, indices.reshape(values.shape).astype(np.uint8), codebook)


def _without_zero(content: Content) -> Content:
    """The content with 0 removed from its codebook, as positions already say which elements are 0."""
    if content.codebook is None or not (content.codebook == 0).any() or len(content.codebook) == 1:
        return content
    zero = int(np.flatnonzero(content.codebook == 0)[0])
    indices = content.indices - (content.indices > zero)
    return replace(content, codebook=np.delete(content.codebook, zero), indices=indices.astype(np.uint8))


# Writing
# ---------------------------------------------------------------------------------------------------------------


def write_array(content: Content, around: Surroundings, out: Writer, stream: Encoder):
    """Write an array: arithmetically coded parts to `stream`, all else to `out`."""
    if content.sparse:
        content = _without_zero(content)
    mask = content.values != 0 if content.sparse else np.ones(content.values.shape, bool)
    gaps = None
    if content.sparse and content.coding != "arithmetic":
        gaps = shortest_gaps(mask.ravel(), content.coding)
    flags = content.kind | content.sparse << 3 | CODINGS.index(content.coding) << 4
    out.byte(flags | (gaps is not None) << 6)
    _write_table(content, out)
    if gaps is not None:
        _write_gaps(*gaps, content.coding, out)
    elif content.sparse and content.coding != "arithmetic":
        out.raw(np.packbits(mask.ravel()).tobytes())
    if content.coding == "arithmetic":
        for number in around.neighbours if content.values.ndim > 1 else ():
            out.varint(number)
        matrix = as_matrix(mask)
        if content.sparse:
            stream.positions(matrix, around.neighbours, around.busy(len(matrix)))
    if content.indices is None:
        _write_reals(content.values[mask].astype(DTYPES[content.kind]), content.coding, out, stream)
    elif content.coding == "arithmetic":
        stream.symbols(as_matrix(content.indices), as_matrix(mask), content.k, around.neighbours)
    else:
        _write_indices(content.indices[mask], content.k, content.coding, out)


def _write_table(content, out):
    grid = content.grid
    if grid is not None:
        out.byte(grid.bits << 2 | grid.symmetric << 1 | grid.scale.ndim)
        out.raw(grid.scale.astype(DTYPES[content.kind]).tobytes())
        if not grid.symmetric:
            out.raw(grid.zero_point.astype(np.uint8).tobytes())
    elif content.codebook is not None:
        out.byte(len(content.codebook) - 1)
        out.raw(content.codebook.astype(DTYPES[content.kind]).tobytes())


def _write_reals(reals, coding, out, stream):
    if coding != "arithmetic":
        out.raw(reals.tobytes())
        return
    every = np.ones((len(reals), 1), bool)
    # Code byte by byte over all numbers: the bytes of the exponent are easy to predict, those of the mantissa are not.
    for plane in reals.view(np.uint8).reshape(len(reals), reals.itemsize).T:
        stream.symbols(plane[:, None], every, 256)


def _write_indices(indices, k, coding, out):
    if coding == "fixed":
        out.raw(pack_bits(indices, (k - 1).bit_length()))
    else:
        _write_huffman(indices, k, out)


def _write_huffman(symbols, k, out):
    lengths = code_lengths(np.bincount(symbols, minlength=k), LONGEST_CODE)
    out.raw(pack_bits(lengths, 4))
    out.block(encode(symbols, lengths))


def shortest_gaps(mask: np.ndarray, coding: str) -> tuple[np.ndarray, int] | None:
    """The gap symbols and their number of bits that take the fewest bytes, or None if one bit per element takes less."""
    zeros = np.diff(np.flatnonzero(mask), prepend=-1) - 1
    best, least = None, len(mask) / 8
    for bits in range(1, WIDEST_GAP + 1):
        most = 2**bits - 1
        fillers = zeros // most  # a longer run of zeros takes this many symbols `most` before its gap
        symbols = np.full(len(zeros) + int(fillers.sum()), most)
        symbols[np.arange(len(zeros)) + np.cumsum(fillers)] = zeros % most
        size = len(symbols) * bits / 8
        if coding == "huffman" and len(symbols):
            counts = np.bincount(symbols, minlength=most + 1)
            size = (counts @ code_lengths(counts, LONGEST_CODE).astype(np.int64)) / 8 + len(counts) / 2
        if size < least:
            best, least = (symbols, bits), size
    return best


def _write_gaps(symbols, bits, coding, out):
    out.byte(bits)
    out.varint(len(symbols))
    _write_indices(symbols, 2**bits, coding, out)


# Reading
# ---------------------------------------------------------------------------------------------------------------


def read_plain(shape, path: str, source: Reader) -> "Unfinished":
    """Read all of an array except what is in the arithmetic stream. Raises `TczError`."""
    with source.part(path, "header"):
        flags = source.byte(127, "the form of an array")
    kind, sparse, coding = flags & 7, bool(flags >> 3 & 1), flags >> 4 & 3
    gaps = flags >> 6
    if kind > GRID16 or coding >= len(CODINGS) or (gaps and (not sparse or coding == CODINGS.index("arithmetic"))):
        raise TczError(f"array {path} has the form {flags}, which does not exist")
    found = Unfinished(path, shape, Content(np.empty(0), kind, sparse=sparse, coding=CODINGS[coding]))
    with source.part(path, "table"):
        found.content = replace(found.content, **_read_table(kind, shape, source))
    if found.content.coding == "arithmetic":
        with source.part(path, "header"):
            if len(shape) > 1:
                found.neighbours = tuple(source.varint(2**31, "a distance of neighbours") for _ in range(2))
        return found
    size = int(np.prod(shape))
    mask = np.ones(size, bool)
    if sparse:
        with source.part(path, "positions"):
            mask = _read_gaps(size, found.content.coding, source) if gaps else _read_bitmap(size, source)
    count = int(np.count_nonzero(mask))
    with source.part(path, "values"):
        if found.content.indices is None and kind < CODEBOOK32:
            reals = source.numbers(count, DTYPES[kind])
        else:
            reals = found.look_up(_read_indices(count, found.content.k, found.content.coding, source), mask)
    found.values = found.scatter(mask, reals)
    return found


@dataclass
class Unfinished:
    """A partly read array; `values` is None until it is complete."""

    path: str
    shape: tuple[int, ...]
    content: Content
    neighbours: tuple[int, int] = (1, 0)
    values: np.ndarray | None = None

    def finish(self, stream: Decoder, around: Surroundings) -> list[tuple[str, int]]:
        """Read the rest from the arithmetic stream; returns the kinds of content read, each with its end in the
        stream."""
        ends = []
        size = int(np.prod(self.shape))
        columns = self.shape[-1] if len(self.shape) > 1 else 1
        rows = size // columns
        mask = np.ones((rows, columns), bool)
        if self.content.sparse:
            mask = stream.positions((rows, columns), self.neighbours, around.busy(rows))
            ends.append(("positions", stream.nbytes))
        if self.content.kind < CODEBOOK32:
            reals = self._read_planes(int(np.count_nonzero(mask)), stream)
        else:
            indices = stream.symbols(mask, self.content.k, self.neighbours)
            reals = self.look_up(indices[mask], mask.ravel())
        ends.append(("values", stream.nbytes))
        self.values = self.scatter(mask.ravel(), reals)
        return ends

    def _read_planes(self, count, stream):
        dtype = np.dtype(DTYPES[self.content.kind])
        every = np.ones((count, 1), bool)
        planes = [stream.symbols(every, 256)[:, 0] for _ in range(dtype.itemsize)]
        return np.ascontiguousarray(np.stack(planes, axis=1)).view(dtype)[:, 0].astype(dtype.newbyteorder("="))

    def look_up(self, indices: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The real numbers of these indices. mask: the flat positions of the elements, which give their channels."""
        if indices.max(initial=0) >= self.content.k:
            raise TczError(
                f"array {self.path} has the index {indices.max()}, but its table has only {self.content.k} values"
            )
        grid = self.content.grid
        if grid is None:
            return self.content.codebook[indices]
        integers = indices.astype(np.int16) + grid.low
        if grid.scale.ndim:
            channels = np.flatnonzero(mask) % self.shape[-1]
            grid = Grid(grid.scale[channels], grid.zero_point[channels], grid.bits, grid.symmetric)
        return grid.dequantize(integers)

    def scatter(self, mask: np.ndarray, reals: np.ndarray) -> np.ndarray:
        """The array, with these numbers where the flat mask is true and 0 elsewhere."""
        values = np.zeros(len(mask), np.float64 if self.content.kind == FLOAT64 else np.float32)
        values[mask] = reals
        if not np.isfinite(values).all():
            raise TczError(f"array {self.path} has numbers that are not finite")
        return values.reshape(self.shape)


def _read_table(kind, shape, source) -> dict:
    if kind >= GRID32:
        flags = source.byte(35, "a grid")
        bits, symmetric, per_channel = flags >> 2, bool(flags >> 1 & 1), flags & 1
        limits(bits, symmetric)
        if per_channel and not shape:
            raise TczError("a single number has no channels, but the file has a grid per channel")
        count = shape[-1] if per_channel else 1
        scale = source.numbers(count, DTYPES[kind]).astype(np.float32)
        zero_point = np.full(count, 0.5 if bits == 1 else 0.0, np.float32)
        if not symmetric:
            zero_point = source.numbers(count, "u1").astype(np.float32)
        dims = (count,) if per_channel else ()
        return {"grid": Grid(scale.reshape(dims), zero_point.reshape(dims), bits, symmetric)}
    if kind >= CODEBOOK32:
        return {"codebook": source.numbers(source.byte() + 1, DTYPES[kind]).astype(np.float32)}
    return {}


def _read_bitmap(size, source):
    return np.unpackbits(np.frombuffer(source.raw(-(-size // 8)), np.uint8), count=size).astype(bool)


def _read_gaps(size, coding, source):
    bits = source.byte(WIDEST_GAP, "the bits of a gap")
    if bits == 0:
        raise TczError("gaps should have at least 1 bit, but have 0")
    count = source.varint(size, "the number of gaps")
    symbols = _read_indices(count, 2**bits, coding, source).astype(np.int64)
    most = 2**bits - 1
    # A symbol `most` skips that many zeros; any other skips its zeros and the weight after them.
    ends = np.cumsum(np.where(symbols == most, most, symbols + 1))
    if count and ends[-1] > size:
        raise TczError(f"the gaps lead to element {ends[-1]}, but there are only {size}")
    mask = np.zeros(size, bool)
    mask[ends[symbols < most] - 1] = True
    return mask


def _read_indices(count, k, coding, source):
    if coding == "fixed":
        return unpack_bits(source, count, (k - 1).bit_length())
    lengths = unpack_bits(source, k, 4)
    return decode(source.block(), lengths, count)


def pack_bits(symbols: np.ndarray, bits: int) -> bytes:
    """Write each symbol with this many bits, highest first; zeros pad the last byte."""
    symbols = np.asarray(symbols).astype(np.uint16)
    places = np.empty((len(symbols), bits), np.uint8)
    for place in range(bits):
        places[:, place] = symbols >> bits - 1 - place & 1
    return np.packbits(places).tobytes()


def unpack_bits(source: Reader, count: int, bits: int) -> np.ndarray:
    """Read `count` symbols written by `pack_bits`, uint16."""
    data = np.frombuffer(source.raw(-(-count * bits // 8)), np.uint8)
    places = np.unpackbits(data, count=count * bits).reshape(count, bits)
    symbols = np.zeros(count, np.uint16)
    for place in range(bits):
        symbols |= places[:, place].astype(np.uint16) << np.uint16(bits - 1 - place)
    return symbols
