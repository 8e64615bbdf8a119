"""The messages between grader and worker: numbers, strings and arrays, never objects.

A message is a text frame and then one frame per array. A frame is its length (8 bytes, little-endian) and its bytes. The
text is JSON: {"arrays": how many follow, "body": a value}. Inside a value, null, booleans, numbers, strings and lists
stand for themselves, {"t": [...]} is a tuple, {"d": [[key, value], ...]} a dict, {"b": "00ff"} bytes, and {"a": 3} the
array in array frame 3, counted from 0, which is a .npy of version 1.0.

Nothing that arrives is trusted. Lengths, counts, depth, dtypes and shapes are checked before memory is allocated, and
arrays are built only from the checked bytes: neither pickle nor NumPy's own header parser sees them.

This file and worker.py are all that the sandbox sees of the course, so they import only the standard library and NumPy.
"""

import io
import json
import math
import re

import numpy as np

MAX_TEXT = 1 << 20  # bytes of a text frame
MAX_ARRAY = 64 << 20  # bytes of an array's elements
MAX_TOTAL = 128 << 20  # bytes of a message
MAX_ARRAYS = 256
MAX_DEPTH = 12
MAX_DIMENSIONS = 8
MAX_INTEGER = 2**64
TOO_LONG = "something too long to be sent: put many numbers into an array, not into lists"
DTYPES = {np.dtype(name).str for name in "? i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8 c8 c16".split()}

_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z]\d{1,2})', 'fortran_order': (False|True), 'shape': \(((?:\d{1,12}, ?)*(?:\d{1,12},?)?)\), \} *\n"
)


class WireError(Exception):
    """A value that cannot be sent, or bytes that are not a message. The text is safe to show."""


# ---- values to frames ----


def dumps(body) -> list[bytes]:
    """The frames of a value: its text, then its arrays. Raises WireError if it cannot be sent."""
    sender = _Sender()
    try:
        tree = sender.tree(body, 0)
        # Python's json writes NaN and Infinity as such, and reads them back.
        text = json.dumps({"arrays": len(sender.arrays), "body": tree}).encode()
    except (ValueError, RecursionError) as error:
        raise WireError(f"a value that cannot be sent ({error})") from error
    if len(text) > MAX_TEXT:
        raise WireError(TOO_LONG)
    if sum(map(len, sender.arrays)) > MAX_TOTAL:
        raise WireError(f"more than {MAX_TOTAL >> 20} MiB in total, which is too much to be sent")
    return [text, *sender.arrays]


class _Sender:
    """The arrays of a value found so far, and how much text may still be added."""

    def __init__(self):
        self.arrays = []
        self.left = MAX_TEXT

    def tree(self, value, depth):
        """The value in JSON's types. Its arrays are collected in `arrays`, and referred to by number."""
        if isinstance(value, np.generic):
            value = np.asarray(value) if value.dtype.kind == "c" else value.item()
        kind = type(value)
        self.left -= len(value) if kind in (str, bytes) else 1
        if self.left < 0:
            raise WireError(TOO_LONG)
        if depth > MAX_DEPTH:
            raise WireError("something nested too deeply to be sent")
        if value is None or kind in (bool, float):
            return value
        if kind is str:
            value.encode()  # UnicodeError for half of a surrogate pair
            return value
        if kind is int:
            if abs(value) >= MAX_INTEGER:
                raise WireError("an integer of more than 64 bits, which cannot be sent")
            return value
        if kind is bytes:
            return {"b": value.hex()}
        if kind is list:
            return [self.tree(item, depth + 1) for item in value]
        if kind is tuple:
            return {"t": [self.tree(item, depth + 1) for item in value]}
        if kind is dict:
            return {"d": [[self.tree(part, depth + 1) for part in item] for item in value.items()]}
        if isinstance(value, np.ndarray):
            self.arrays.append(_to_npy(value))
            if len(self.arrays) > MAX_ARRAYS:
                raise WireError(f"more than {MAX_ARRAYS} arrays, which cannot be sent")
            return {"a": len(self.arrays) - 1}
        raise WireError(
            f"a {kind.__name__[:40]}, which cannot be sent: only None, booleans, numbers, strings, bytes, arrays, and lists, "
            "tuples and dicts of them can (for a Tensor, return its .data)"
        )


def _to_npy(array) -> bytes:
    array = np.array(array, order="A", subok=False)
    if array.dtype.str.replace(">", "<") not in DTYPES:
        raise WireError(f"an array of dtype {array.dtype.name[:40]}, which cannot be sent")
    if array.nbytes > MAX_ARRAY or array.ndim > MAX_DIMENSIONS:
        raise WireError(f"an array of {array.nbytes >> 20} MiB and {array.ndim} axes, which is too large to be sent")
    buffer = io.BytesIO()
    little = array.astype(array.dtype.newbyteorder("<"), order="A", copy=False)
    np.lib.format.write_array(buffer, little, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def fingerprints(arguments: tuple, keywords: dict) -> dict[int | str, tuple | None]:
    """For each argument, by position or keyword, what changes with it; None for one that could no longer be sent."""
    found = {}
    for name, value in {**dict(enumerate(arguments)), **keywords}.items():
        try:
            found[name] = tuple(map(hash, dumps(value)))
        except WireError:
            found[name] = None
    return found


def changed(before: dict, after: dict) -> list[int | str]:
    """The arguments whose fingerprints differ: those that a function changed instead of working on a copy."""
    return [name for name in before if after[name] is None or after[name] != before[name]]


# ---- frames to values ----


def loads(frames: list[bytes], order: str = "C"):
    """The value of these frames, of exactly the built-in types and plain ndarrays. Raises WireError.

    order: "C" lays out all arrays in memory row by row, so that nothing depends on how an answer does; "A" leaves those
    that were sent column by column as they were, so that a submission meets what the test gave it.
    """
    tree, count = parse_text(frames[0])
    if count != len(frames) - 1:
        raise WireError("a message with more or fewer arrays than it says")
    arrays = {number: _from_npy(frame, order) for number, frame in enumerate(frames[1:])}
    value = _from_tree(tree, arrays, 0)
    if arrays:
        raise WireError("a message with an array that it does not use")
    return value


def parse_text(text: bytes) -> tuple[object, int]:
    """The body, still as JSON, and the number of array frames that follow. Raises WireError."""
    if len(text) > MAX_TEXT:
        raise WireError("a text that is too long")
    try:
        envelope = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError, MemoryError) as error:
        raise WireError("a text that is not JSON") from error
    if type(envelope) is not dict or set(envelope) != {"arrays", "body"}:
        raise WireError("a text without the parts of a message")
    count = envelope["arrays"]
    if type(count) is not int or not 0 <= count <= MAX_ARRAYS:
        raise WireError("a message with a wrong number of arrays")
    return envelope["body"], count


def _from_tree(tree, arrays, depth):
    if depth > MAX_DEPTH:
        raise WireError("a message that is nested too deeply")
    kind = type(tree)
    if tree is None or kind in (bool, float):
        return tree
    if kind is str:
        if any("\ud800" <= c <= "\udfff" for c in tree):
            raise WireError("a text with half of a surrogate pair in it")
        return tree
    if kind is int:
        if abs(tree) >= MAX_INTEGER:
            raise WireError("an integer of more than 64 bits")
        return tree
    if kind is list:
        return [_from_tree(item, arrays, depth + 1) for item in tree]
    (tag, inside), *more = tree.items() if tree else (("", None),)
    if tag == "t" and type(inside) is list and not more:
        return tuple(_from_tree(item, arrays, depth + 1) for item in inside)
    if tag == "a" and type(inside) is int and inside in arrays and not more:
        return arrays.pop(inside)  # a thousand times the same large array would be more than a message may hold
    try:
        if tag == "b" and type(inside) is str and not more:
            return bytes.fromhex(inside)
        if tag == "d" and type(inside) is list and not more:
            return {_from_tree(key, arrays, depth + 1): _from_tree(value, arrays, depth + 1) for key, value in inside}
    except (ValueError, TypeError) as error:  # not hexadecimal, an unhashable key, not a pair
        raise WireError("a message with a malformed value") from error
    raise WireError("a message with a malformed value")


def _from_npy(data: bytes, order: str) -> np.ndarray:
    if len(data) > MAX_ARRAY + 10_000 or data[:8] != b"\x93NUMPY\x01\x00":
        raise WireError("an array that is too large, or not a .npy of version 1.0")
    start = 10 + int.from_bytes(data[8:10], "little")
    header = _HEADER.fullmatch(data[10:start])
    if not header:
        raise WireError("an array with a malformed header")
    descr, fortran, shape = header[1].decode(), header[2] == b"True", header[3].decode()
    shape = tuple(int(n) for n in shape.replace(",", " ").split())
    if descr not in DTYPES or len(shape) > MAX_DIMENSIONS:
        raise WireError("an array with a dtype or a number of axes that is not allowed")
    dtype = np.dtype(descr)
    if math.prod(n for n in shape if n) > MAX_ARRAY:  # skip zeros: a shape with a 0 must not hide large sides
        raise WireError("an array with a shape that is too large")
    if len(data) - start != math.prod(shape) * dtype.itemsize:
        raise WireError("an array whose size does not match its shape")
    if dtype.kind == "b" and len(data) > start and max(data[start:]) > 1:
        raise WireError("an array of booleans that are neither 0 nor 1")
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C").copy(order)


# ---- frames to bytes, and back ----


def pack(frames: list[bytes]) -> bytes:
    """The bytes of a message: for each frame its length, then its bytes."""
    return b"".join(part for frame in frames for part in (len(frame).to_bytes(8, "little"), frame))


def unpack(read, order: str = "C"):
    """Read the next message with `read(count)`, which returns exactly `count` bytes. order: as in `loads`. Raises WireError."""

    def frame(limit):
        length = int.from_bytes(read(8), "little")
        if length > limit:
            raise WireError("a frame that is too long")
        return read(length)

    text = frame(MAX_TEXT)
    total, frames = 0, [text]
    for _ in range(parse_text(text)[1]):
        frames.append(frame(min(MAX_ARRAY + 10_000, MAX_TOTAL - total)))
        total += len(frames[-1])
    return loads(frames, order)
