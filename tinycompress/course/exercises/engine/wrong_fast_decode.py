"""Plausible wrong answers to fast_decode, and how many of the 9 points each earns."""

import numba
import numpy as np

from tinycompress.course import wrong


@wrong("tables", points=7.6, why="counts the symbols that do not occur as codes of no bits")
def counts_absent_symbols(lengths):
    order = np.argsort(lengths, kind="stable")
    return np.bincount(lengths).astype(np.int64), order[lengths[order] > 0]


@wrong("tables", points=7.2, why="orders by number alone")
def by_number(lengths):
    counts = np.bincount(lengths).astype(np.int64)
    counts[0] = 0
    return counts, np.flatnonzero(lengths)


@wrong("tables", points=7.2, why="puts larger numbers first among equal lengths")
def larger_first(lengths):
    counts = np.bincount(lengths).astype(np.int64)
    counts[0] = 0
    used = np.flatnonzero(lengths)[::-1]
    return counts, used[np.argsort(lengths[used], kind="stable")]


def read(packed, counts, symbols, out, last):
    """The loop; `last`: whether it goes on where the bits are longer than any code."""
    done, length, code, first, index = 0, 0, 0, 0, 0
    for position in range(8 * len(packed)):
        if done == len(out):
            break
        code = 2 * code + (packed[position // 8] >> (7 - position % 8) & 1)
        index, first = index + counts[length], 2 * (first + counts[length])
        length += 1
        if length == len(counts):
            if last:
                break
            length, code, first, index = 0, 0, 0, 0
            continue
        if code - first < counts[length]:
            out[done] = symbols[index + code - first]
            done += 1
            length, code, first, index = 0, 0, 0, 0
    return done


compiled = numba.njit(boundscheck=True)(read)


@wrong("decode", points=8.2, why="returns zeros for symbols that could not be read")
def never_refuses(packed, counts, symbols, count):
    out = np.zeros(count, np.int64)
    compiled(packed, counts, symbols, out, True)
    return out


@wrong("decode", points=8.2, why="skips bits that begin no code")
def skips(packed, counts, symbols, count):
    out = np.zeros(count, np.int64)
    if compiled(packed, counts, symbols, out, False) < count:
        raise ValueError
    return out


@wrong("decode", points=1.8, why="reads each byte from its lowest bit up")
def lowest_bit_first(packed, counts, symbols, count):
    out = np.zeros(count, np.int64)
    turned = np.packbits(np.unpackbits(packed, bitorder="little"))
    if compiled(turned, counts, symbols, out, True) < count:
        raise ValueError
    return out


@wrong(
    "decode", points=5.5, why="is right for short messages, but keeps symbols in 8 bits and loses the end of long ones"
)
def short_only(packed, counts, symbols, count):
    out = np.zeros(min(count, 32768), np.int64)
    if compiled(packed, counts, symbols, out, True) < len(out):
        raise ValueError
    return np.append(out, np.zeros(count - len(out), np.int64))


@wrong("decode", points=8.52, why="returns int32")
def in_32_bits(packed, counts, symbols, count):
    out = np.zeros(count, np.int32)
    if compiled(packed, counts, symbols, out, True) < count:
        raise ValueError
    return out


@wrong("tables", points=8.72, why="returns int32")
def tables_in_32_bits(lengths):
    counts = np.bincount(lengths).astype(np.int32)
    counts[0] = 0
    order = np.argsort(lengths, kind="stable")
    return counts, order[lengths[order] > 0].astype(np.int32)


@wrong("decode", points=6.6, why="never finds a code of more than 12 bits")
def twelve_bits(packed, counts, symbols, count):
    out = np.zeros(count, np.int64)
    if compiled(packed, counts[:13], symbols, out, True) < count:
        raise ValueError
    return out
