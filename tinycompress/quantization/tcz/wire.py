"""Write and read bytes in order: whole numbers of any size, blocks, and a record of what each byte is for.

For any input, a `Reader` returns values within the limits given by the caller, or raises `TczError`.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


class TczError(ValueError):
    """The file is not an intact .tcz file, or exceeds a limit. The message says which, and suggests a fix."""


@dataclass(frozen=True)
class Part:
    """`nbytes` bytes from `offset` on. array: the array they belong to, such as "0.weight", or "". kind: of their
    content, such as "header" or "values"."""

    array: str
    kind: str
    offset: int
    nbytes: int


class Writer:
    """Collects bytes."""

    def __init__(self):
        self.data = bytearray()

    def raw(self, data: bytes):
        self.data += data

    def byte(self, value: int):
        self.data.append(value)

    def varint(self, value: int):
        """Write a whole number from 0 on: 7 bits per byte, lowest first. The highest bit says that more bytes follow."""
        while value > 127:
            self.data.append(value & 127 | 128)
            value >>= 7
        self.data.append(value)

    def block(self, data: bytes):
        """Write bytes after their number."""
        self.varint(len(data))
        self.raw(data)


class Reader:
    """Reads what a `Writer` wrote, and records its parts."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0
        self.parts: list[Part] = []

    @contextmanager
    def part(self, array: str, kind: str):
        """Record the bytes read inside this block as a `Part`."""
        start = self.at
        yield
        if self.at > start:
            self.parts.append(Part(array, kind, start, self.at - start))

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def raw(self, count: int) -> bytes:
        if count > self.left:
            raise TczError(
                f"it ends in the middle: {count} bytes should follow from byte {self.at} on, but only {self.left} do"
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self, most: int = 255, what: str = "a code") -> int:
        value = self.raw(1)[0]
        if value > most:
            raise TczError(f"byte {self.at - 1} should be {what} up to {most}, but is {value}")
        return value

    def varint(self, most: int, what: str, least: int = 0) -> int:
        """Read a whole number, which should be from least to most."""
        value = 0
        for place in range(0, 64, 7):
            byte = self.raw(1)[0]
            value |= (byte & 127) << place
            if byte < 128:
                break
        else:
            raise TczError(f"{what}, before byte {self.at}, takes more than 10 bytes")
        if byte == 0 and place:
            raise TczError(f"{what}, before byte {self.at}, is not in its shortest form")
        if not least <= value <= most:
            raise TczError(f"{what} should be from {least} to {most}, but is {value}")
        return value

    def block(self) -> bytes:
        return self.raw(self.varint(self.left, "the length of a block"))

    def numbers(self, count: int, dtype: str) -> np.ndarray:
        """Read `count` numbers of a little-endian dtype, as an array in native byte order."""
        dtype = np.dtype(dtype)
        return np.frombuffer(self.raw(count * dtype.itemsize), dtype).astype(dtype.newbyteorder("="))
