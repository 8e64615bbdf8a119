"""Huffman coding: frequent symbols get short codes, so that a stream of symbols takes nearly as few bits as its
entropy allows.

    counts          a 5   b 2   c 1   d 1
    tree            .---------.
                    a      .------.              the two rarest are joined, again and again; a symbol's depth is its
                           b    .---.            code's length
                                c   d
    lengths         a 1   b 2   c 3   d 3
    codes           0     10    110   111       canonical: shorter ones first, then by symbol, counting up

Only the lengths have to be stored beside the stream, since the codes follow from them. The stream is read from the
highest bit of each byte on; zeros fill up the last one (Huffman, "A Method for the Construction of Minimum-Redundancy
Codes", 1952; canonical codes as in RFC 1951, section 3.2.2).

Whatever `decode` is given, it returns what `encode` was given, or raises ValueError, in a time that grows with the
stream.
"""

import functools
import heapq

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check

MAX_LENGTH = 32
"""Bits of the longest code."""

MAX_SYMBOLS = 2**16
"""Size of the largest alphabet."""


@functools.cache
def _fast():
    from . import huffman_fast

    return huffman_fast


def code_lengths(counts, limit=MAX_LENGTH):
    """Length in bits of each symbol's code, uint8, from how often each occurs; 0 for a symbol that does not occur.

    counts: integers (symbols,), at most 65,536. The sum of counts * lengths is the least that any code reaches. Equal
    counts are joined in order of the symbols, so that the same counts give the same lengths everywhere. Where the
    rarest codes would be longer than `limit` (above 32 only with millions of symbols counted), all counts are halved
    until they are not, and the code is slightly longer than the best. A single symbol that occurs gets 1 bit.
    ValueError for negative counts, or more symbols than `limit` bits can tell apart.
    """
    counts = np.asarray(counts)
    check(
        counts.ndim == 1
        and len(counts) <= MAX_SYMBOLS
        and (not len(counts) or np.issubdtype(counts.dtype, np.integer)),
        f"counts are integers (symbols,), at most {MAX_SYMBOLS} of them, but have the shape {counts.shape} and the "
        f"type {counts.dtype}",
    )
    check(not len(counts) or counts.min() >= 0, "counts cannot be negative")
    check(1 <= limit <= MAX_LENGTH, f"codes have 1 to {MAX_LENGTH} bits at most, so the limit cannot be {limit}")
    used = np.flatnonzero(counts).tolist()
    check(len(used) <= 2**limit, f"{len(used)} symbols cannot be told apart by codes of at most {limit} bits")
    lengths = np.zeros(len(counts), np.uint8)
    weights = [int(counts[symbol]) for symbol in used]
    while used:
        depths = _depths(weights)
        if max(depths) <= limit:
            lengths[used] = depths
            break
        weights = [(weight + 1) // 2 for weight in weights]
    return lengths


def _depths(weights):
    """The depth of each leaf in the tree that joins the two lightest nodes, again and again."""
    if len(weights) == 1:
        return [1]
    heap = [(weight, node) for node, weight in enumerate(weights)]
    heapq.heapify(heap)
    parent = [0] * (2 * len(weights) - 1)
    for node in range(len(weights), len(parent)):
        (a, left), (b, right) = heapq.heappop(heap), heapq.heappop(heap)
        parent[left] = parent[right] = node
        heapq.heappush(heap, (a + b, node))
    depth = [0] * len(parent)
    for node in reversed(range(len(parent) - 1)):  # a parent is made after its children
        depth[node] = depth[parent[node]] + 1
    return depth[: len(weights)]


def canonical_codes(lengths):
    """The code of each symbol, uint32, in the lowest bits, from the lengths (symbols,); 0 for symbols without one.

    ValueError if there are no codes of these lengths: they would need more than all patterns of bits (Kraft's
    inequality).
    """
    lengths = _check_lengths(lengths)
    codes = np.zeros(len(lengths), np.uint32)
    order = in_code_order(lengths)
    starts = np.concatenate([[0], np.cumsum(1 << (MAX_LENGTH - lengths[order]))[:-1]]) if len(order) else order
    codes[order] = starts >> (MAX_LENGTH - lengths[order])
    return codes


def _check_lengths(lengths):
    lengths = np.asarray(lengths)
    check(
        lengths.ndim == 1
        and len(lengths) <= MAX_SYMBOLS
        and (not len(lengths) or np.issubdtype(lengths.dtype, np.integer)),
        f"code lengths are integers (symbols,), at most {MAX_SYMBOLS}, but have the shape {lengths.shape} and the type "
        f"{lengths.dtype}",
    )
    check(
        not len(lengths) or (lengths.min() >= 0 and lengths.max() <= MAX_LENGTH),
        f"code lengths are 0 to {MAX_LENGTH} bits, but some are not",
    )
    lengths = lengths.astype(np.int64)
    taken = int(np.sum(1 << (MAX_LENGTH - lengths[lengths > 0])))
    check(taken <= 1 << MAX_LENGTH, "there is no code of these lengths: too many of them are short")
    return lengths


def in_code_order(lengths):
    """The symbols that have a code, in the order of their codes when these are read as fractions 0.bits."""
    order = np.argsort(lengths, kind="stable")
    return order[lengths[order] > 0]


def encode(symbols, lengths):
    """The codes of `symbols`, one after the other, as bytes. `lengths` from `code_lengths`, of an alphabet that has
    them all.

    symbols: integers (count,) from 0. ValueError for a symbol without a code.
    """
    symbols, lengths = np.asarray(symbols), _check_lengths(lengths)
    check(
        symbols.ndim == 1 and (not len(symbols) or np.issubdtype(symbols.dtype, np.integer)),
        f"symbols are integers (count,), but have the shape {symbols.shape} and the type {symbols.dtype}",
    )
    if not len(symbols):
        return b""
    check(
        symbols.min() >= 0 and symbols.max() < len(lengths),
        f"the symbols go from {symbols.min()} to {symbols.max()}, but the alphabet only from 0 to {len(lengths) - 1}",
    )
    data = choose(encode_loop, encode_numpy, lambda: _fast().encode)(symbols, lengths, canonical_codes(lengths))
    check(data is not None, "one of the symbols has no code: its length is 0")
    return data


def decode(data, lengths, count):
    """The `count` symbols, uint16, that `encode` made the bytes `data` of with the same lengths.

    ValueError if it cannot have been: lengths that no code has, a stream that is too short or too long, or bits that
    are no code.
    """
    data, lengths, count = memoryview(data).tobytes(), _check_lengths(lengths), int(count)
    bits = 8 * len(data)
    check(count >= 0, f"the number of symbols cannot be negative, but is {count}")
    check(count <= bits, f"{len(data)} bytes cannot hold {count} symbols of at least one bit")
    # How many bits were used; more than there are, if the stream ended too soon.
    symbols, used = choose(decode_loop, None, lambda: _fast().decode)(data, lengths, count)
    check(symbols is not None, "the stream has bits that are not the code of any symbol")
    check(used <= bits, f"the stream ends before its {count} symbols do; a part of it is missing")
    rest = data[-1] & (1 << bits - used) - 1 if used < bits else 0
    check(
        bits - used < 8 and not rest,
        f"the stream goes on after its {count} symbols; the count or the lengths are wrong",
    )
    return symbols


def encode_loop(symbols, lengths, codes):
    if not lengths[symbols].all():
        return None
    code_of = [f"{code:0{length}b}" for code, length in zip(codes.tolist(), lengths.tolist(), strict=True)]
    stream = "".join([code_of[symbol] for symbol in symbols.tolist()])
    stream += "0" * (-len(stream) % 8)
    return bytes(int(stream[i : i + 8], 2) for i in range(0, len(stream), 8))


def encode_numpy(symbols, lengths, codes):
    # A table of the bits of each code, from the highest on, of which each symbol takes the first `length` ones.
    if not lengths[symbols].all():
        return None
    place = np.arange(lengths.max())
    table = codes[:, None] >> np.maximum(lengths[:, None] - 1 - place, 0) & 1
    return np.packbits(table.astype(np.uint8)[symbols][place < lengths[symbols, None]]).tobytes()


def decode_loop(data, lengths, count):
    codes = canonical_codes(lengths)
    symbol_of = {f"{codes[symbol]:0{lengths[symbol]}b}": symbol for symbol in in_code_order(lengths).tolist()}
    longest = lengths.max(initial=0)
    stream = "".join([f"{byte:08b}" for byte in data])
    symbols, used, code = [], 0, ""
    for bit in stream:
        if len(symbols) == count:
            break
        code += bit
        used += 1
        if code in symbol_of:
            symbols.append(symbol_of[code])
            code = ""
        elif len(code) == longest:
            return None, used
    if len(symbols) < count:
        used = len(stream) + 1
    return np.array(symbols, np.uint16), used
