"""Bytes, written and read in order: whole numbers of any size, blocks, and a note of what each byte is for.

Whatever a `Reader` is given, it returns values within the limits that it was asked for, or raises `TczError`.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


class TczError(ValueError):
    """A file that is not a whole .tcz, or one that asks for more than it may; the message says which, and the
    likely mend."""


@dataclass(frozen=True)
class Part:
    """`nbytes` bytes from `offset` on, and what they are: of which array ("header", "0.weight", …), and which
    `kind` of content."""

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
        """A whole number from 0 on: 7 bits a byte, the lowest first; the highest bit says that more follow."""
        while value > 127:
            self.data.append(value & 127 | 128)
            value >>= 7
        self.data.append(value)

    def block(self, data: bytes):
        """Bytes with their number before them."""
        self.varint(len(data))
        self.raw(data)


class Reader:
    """Reads what a `Writer` wrote, and notes its parts."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0
        self.parts: list[Part] = []

    @contextmanager
    def part(self, array: str, kind: str):
        """What is read inside this block is of that kind."""
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
                f"it ends in the middle: {count} bytes were to follow byte {self.at}, but there are {self.left}"
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self, most: int = 255, what: str = "a code") -> int:
        value = self.raw(1)[0]
        if value > most:
            raise TczError(f"byte {self.at - 1} should be {what} up to {most}, but is {value}")
        return value

    def varint(self, most: int, what: str, least: int = 0) -> int:
        """A whole number from least to most."""
        value = 0
        for place in range(0, 64, 7):
            byte = self.raw(1)[0]
            value |= (byte & 127) << place
            if byte < 128:
                break
        else:
            raise TczError(f"{what}, at byte {self.at}, is a number without an end")
        if byte == 0 and place:
            raise TczError(f"{what}, at byte {self.at}, is not written in the shortest way")
        if not least <= value <= most:
            raise TczError(f"{what} should be from {least} to {most}, but is {value}")
        return value

    def block(self) -> bytes:
        return self.raw(self.varint(self.left, "the length of a block"))

    def numbers(self, count: int, dtype: str) -> np.ndarray:
        """`count` numbers of a little-endian dtype, as an array of the machine's own."""
        dtype = np.dtype(dtype)
        return np.frombuffer(self.raw(count * dtype.itemsize), dtype).astype(dtype.newbyteorder("="))
