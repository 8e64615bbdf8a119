"""Huffman coding: frequent symbols get short codes, so that a stream takes hardly more bits than its entropy.

    counts          a 5   b 2   c 1   d 1
    tree            .---------.
                    a      .------.              repeatedly join the two rarest nodes; the depth of a symbol is the
                           b    .---.            length of its code
                                c   d
    lengths         a 1   b 2   c 3   d 3
    codes           0     10    110   111       canonical: shorter ones first, then by symbol, counting up

Only the lengths are stored with the stream, since the codes follow from them. Bytes are filled from the highest bit
down, and zeros pad the last one (Huffman, "A Method for the Construction of Minimum-Redundancy Codes", 1952; canonical
codes as in RFC 1951, section 3.2.2).

For any input, `decode` returns symbols that `encode` could have been given, or raises ValueError. Its time is
proportional to the length of the stream.
"""

import functools
import heapq

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check

MAX_LENGTH = 32
"""Bits of the longest possible code."""

MAX_SYMBOLS = 2**16
"""Size of the largest alphabet."""


@functools.cache
def _fast():
    from . import huffman_fast

    return huffman_fast


def code_lengths(counts, limit=MAX_LENGTH):
    """The code length of each symbol in bits, uint8 (symbols,); 0 for symbols that do not occur.

    counts: integers (symbols,), how often each of at most 65,536 symbols occurs. The sum of counts * lengths is the
    smallest possible. Ties are broken by the order of symbols, so that the same counts give the same lengths everywhere.
    If codes would be longer than `limit` (longer than 32 takes millions of counts), all counts are halved until they
    fit, and the code is slightly longer than the optimum. If only one symbol occurs, it gets 1 bit. ValueError for
    negative counts, or more symbols than codes of `limit` bits can distinguish.
    """
    counts = np.asarray(counts)
    check(
        counts.ndim == 1
        and len(counts) <= MAX_SYMBOLS
        and (not len(counts) or np.issubdtype(counts.dtype, np.integer)),
        f"counts should be integers (symbols,), at most {MAX_SYMBOLS} of them, but have shape {counts.shape} and dtype "
        f"{counts.dtype}",
    )
    check(not len(counts) or counts.min() >= 0, "counts cannot be negative")
    check(1 <= limit <= MAX_LENGTH, f"the limit of code lengths should be 1 to {MAX_LENGTH} bits, not {limit}")
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
    """The depth of each leaf in the tree that results from repeatedly joining the two lightest nodes."""
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
    for node in reversed(range(len(parent) - 1)):  # a parent comes after its children
        depth[node] = depth[parent[node]] + 1
    return depth[: len(weights)]


def canonical_codes(lengths):
    """The code of each symbol in the lowest bits, uint32 (symbols,), from the lengths (symbols,); 0 if it has no code.

    ValueError for lengths that no code has, since they violate Kraft's inequality.
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
        f"code lengths should be integers (symbols,), at most {MAX_SYMBOLS} of them, but have shape {lengths.shape} and "
        f"dtype {lengths.dtype}",
    )
    check(
        not len(lengths) or (lengths.min() >= 0 and lengths.max() <= MAX_LENGTH),
        f"code lengths should be 0 to {MAX_LENGTH} bits, but some are not",
    )
    lengths = lengths.astype(np.int64)
    taken = int(np.sum(1 << (MAX_LENGTH - lengths[lengths > 0])))
    check(taken <= 1 << MAX_LENGTH, "no code has these lengths: too many of them are short")
    return lengths


def in_code_order(lengths):
    """The symbols that have a code, ordered by code, read as a binary fraction 0.bits."""
    order = np.argsort(lengths, kind="stable")
    return order[lengths[order] > 0]


def encode(symbols, lengths):
    """The codes of `symbols`, one after the other, as bytes.

    symbols: integers (count,) from 0. lengths: from `code_lengths`. ValueError for a symbol without a code.
    """
    symbols, lengths = np.asarray(symbols), _check_lengths(lengths)
    check(
        symbols.ndim == 1 and (not len(symbols) or np.issubdtype(symbols.dtype, np.integer)),
        f"symbols should be integers (count,), but have shape {symbols.shape} and dtype {symbols.dtype}",
    )
    if not len(symbols):
        return b""
    check(
        symbols.min() >= 0 and symbols.max() < len(lengths),
        f"symbols go from {symbols.min()} to {symbols.max()}, but the alphabet only from 0 to {len(lengths) - 1}",
    )
    data = choose(encode_loop, encode_numpy, lambda: _fast().encode)(symbols, lengths, canonical_codes(lengths))
    check(data is not None, "a symbol has no code: its length is 0")
    return data


def decode(data, lengths, count):
    """Decode `count` symbols, uint16, from the bytes `data` that `encode` wrote with the same lengths.

    ValueError for data that `encode` cannot have written: lengths that no code has, a stream that is too short or too
    long, or bits that are not a code.
    """
    data, lengths, count = memoryview(data).tobytes(), _check_lengths(lengths), int(count)
    bits = 8 * len(data)
    check(count >= 0, f"the number of symbols cannot be negative, but is {count}")
    check(count <= bits, f"{len(data)} bytes cannot hold {count} symbols of at least one bit")
    # `used` counts the bits read; it exceeds `bits` if the stream ended too soon.
    symbols, used = choose(decode_loop, None, lambda: _fast().decode)(data, lengths, count)
    check(symbols is not None, "the stream has bits that are not the code of any symbol")
    check(used <= bits, f"the stream ends before its {count} symbols do; part of it is missing")
    rest = data[-1] & (1 << bits - used) - 1 if used < bits else 0
    check(
        bits - used < 8 and not rest,
        f"the stream continues after its {count} symbols; the count or the lengths are wrong",
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
    # A table with the bits of each code, highest first. Each symbol takes the first `length` of its row.
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
