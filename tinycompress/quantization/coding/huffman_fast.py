"""Huffman coding, compiled: see `huffman.py` for the codes and the stream.

**Decoding** takes 12 bits at once. They index a table that says which code they start with, and how long it is:

    codes 0, 10, 110, 111:       index    0xxxxxxxxxxx    10xxxxxxxxxx    110xxxxxxxxx    111xxxxxxxxx
                                 entry    a, 1 bit        b, 2 bits       c, 3 bits       d, 3 bits

As fractions, canonical codes are in ascending order. So the table is the entry of each symbol, repeated for all 12-bit
numbers that start with its code, one symbol after the other. Each look-up has to wait for the length found by the one
before. Therefore, if the rest of the 12 bits is a whole code too, the entry holds this second symbol as well.

Codes longer than 12 bits are rare, and come after all others. Codes of the same length are consecutive numbers, and
longer codes are larger fractions. So the length is the first one whose codes end above the bits to decode.

**Encoding** joins three codes at a time, which does not depend on what came before, and appends them to the pending bits
of the last byte. It always writes eight bytes, but advances only past the whole ones, so that the next write overwrites
the rest. The loop has no branch that the CPU could mispredict.
"""

import numpy as np

from ...kernels.runtime.jit import jit
from .huffman import MAX_LENGTH, in_code_order

TABLE_BITS = 12
"""4096 entries of four bytes stay in the first-level cache."""

PADDING = 16
"""Bytes after the stream that may be read: the end is checked once per eight bytes, that is, per four look-ups."""

NO_CODE, TOO_SHORT = -1, -2

THREE_FIT = 19
"""Longest codes, in bits, of which three fit into 64 bits together with up to seven pending bits."""

UNUSED = np.uint64(1 << 60)
"""The entry of a symbol without a code."""


@jit
def eight_bytes(data, at):
    """data[at : at + 8] as one number, highest byte first."""
    word = np.uint64(0)
    for k in range(8):
        word = word << np.uint64(8) | np.uint64(data[np.uint64(at + k)])
    return word


@jit(inline="always")
def put_eight_bytes(data, at, word):
    """data[at : at + 8] = word, highest byte first; compiled to a single store."""
    for k in range(8):
        data[at + k] = np.uint8(word >> np.uint64(56 - 8 * k))


@jit
def long_symbol(word, ends, skips, by_code):
    """The symbol and length of the long code at the start of the 64 bits of `word`; length 0 if there is none.

    Try the lengths in order: a code of this length or less lies below ends[length], read as a 32-bit fraction.
    """
    first = word >> np.uint64(64 - MAX_LENGTH)
    for length in range(TABLE_BITS + 1, MAX_LENGTH + 1):
        if first < ends[length]:
            return by_code[np.int64(first >> np.uint64(MAX_LENGTH - length)) - skips[length]], length
    return np.uint16(0), 0


@jit
def decode_symbols(data, bits, table, pairs, ends, skips, by_code, symbols):
    """Fill `symbols` from the first `bits` bits of data, which PADDING follows; returns the position reached, or an error.

    Away from the end, four look-ups in `pairs` decode up to eight symbols per round. Each writes two symbols, and
    advances by the number found: a symbol too many is overwritten. Found 0 means a code longer than 12 bits, which is
    left to the single look-up below, as are the last symbols.
    """
    at, i, count = 0, 0, len(symbols)
    index = np.uint64(64 - TABLE_BITS)
    while i < count:
        if at > bits:
            return TOO_SHORT
        # After the shift at least 57 bits remain, enough for four look-ups.
        word = eight_bytes(data, at >> 3) << np.uint64(at & 7)
        if i + 8 <= count:
            found = 0
            for _ in range(4):
                entry = pairs[word >> index]
                symbols[i] = entry >> np.uint64(32)
                symbols[i + 1] = entry >> np.uint64(16)
                length = entry & np.uint64(255)
                at += np.int64(length)
                word <<= length
                found = np.int64(entry >> np.uint64(8) & np.uint64(3))
                i += found
            if found:
                continue
            word = eight_bytes(data, at >> 3) << np.uint64(at & 7)
        entry = table[word >> index]
        symbol, length = np.uint16(entry >> np.uint32(8)), np.int64(entry & np.uint32(255))
        if length == 0:
            symbol, length = long_symbol(word, ends, skips, by_code)
            if length == 0:
                return TOO_SHORT if at + MAX_LENGTH > bits else NO_CODE
        symbols[i] = symbol
        i += 1
        at += length
    return at


@jit
def encode_symbols(symbols, entries, longest, data):
    """Write the codes of `symbols` to data; returns the number of bits, or NO_CODE. For the entries, see `encode`."""
    code, bits = np.uint64(8), np.uint64(63)  # an entry's code starts at bit 8; shifts use only six bits
    word, filled, at, seen = np.uint64(0), np.uint64(0), 0, np.uint64(0)
    i, count = np.uint64(0), np.uint64(len(symbols))
    while longest <= THREE_FIT and i + np.uint64(3) <= count:
        a, b, c = entries[symbols[i]], entries[symbols[i + np.uint64(1)]], entries[symbols[i + np.uint64(2)]]
        total = a + b + c
        word = word << (total & bits) | ((a >> code) << (b & bits) | b >> code) << (c & bits) | c >> code
        filled += total & bits
        put_eight_bytes(data, at, word << (np.uint64(0) - filled & bits))
        at += np.int64(filled >> np.uint64(3))
        filled &= np.uint64(7)
        seen |= total
        i += np.uint64(3)
    while i < count:
        entry = entries[symbols[i]]
        word = word << (entry & bits) | entry >> code
        filled += entry & bits
        if filled >= np.uint64(32):
            put_eight_bytes(data, at, word << (np.uint64(0) - filled & bits))
            at += 4
            filled -= np.uint64(32)
        seen |= entry
        i += np.uint64(1)
    put_eight_bytes(data, at, word << (np.uint64(0) - filled & bits))
    return NO_CODE if seen >= UNUSED else 8 * at + np.int64(filled)


def encode(symbols, lengths, codes):
    # code << 8 | length. In a sum of entries, the lowest bits are the sum of the lengths, and the highest bits show whether
    # some symbol had no code.
    entries = np.where(lengths > 0, codes.astype(np.uint64) << np.uint64(8) | lengths.astype(np.uint64), UNUSED)
    longest = int(lengths.max())
    data = np.empty(len(symbols) * longest // 8 + 16, np.uint8)
    bits = encode_symbols(np.ascontiguousarray(symbols, np.uint16), entries, longest, data)
    return None if bits == NO_CODE else data[: -(-bits // 8)].tobytes()


def _tables(by_code, lengths):
    """Two tables over all 12-bit numbers: the first symbol, uint32, and the first two, uint64; 0 symbols or bits if a
    longer code starts there.

    Entries are symbol << 8 | bits, and first << 32 | second << 16 | number of symbols << 8 | bits.
    """
    short = lengths <= TABLE_BITS
    repeated = np.repeat(by_code[short] << 8 | lengths[short], 1 << (TABLE_BITS - lengths[short]))
    table = np.zeros(1 << TABLE_BITS, np.int64)
    table[: len(repeated)] = repeated
    symbol, length = table >> 8, table & 255
    # Shift out the first code; the second counts only if it ends within the 12 bits, before the zeros shifted in.
    rest = np.arange(1 << TABLE_BITS) << length & (1 << TABLE_BITS) - 1
    both = (length > 0) & (length[rest] > 0) & (length + length[rest] <= TABLE_BITS)
    pairs = symbol << 32 | np.where(
        both, symbol[rest] << 16 | 2 << 8 | length + length[rest], (length > 0) << 8 | length
    )
    return table.astype(np.uint32), pairs.astype(np.uint64)


def decoder(lengths):
    """The tables that `decode_symbols` needs: (table, pairs, ends, skips, by_code).

    ends: where the codes of each length end, as 32-bit fractions. by_code: the symbols in code order. skips: a long code
    minus the skip of its length is its index into by_code.
    """
    by_code = in_code_order(lengths)
    table, pairs = _tables(by_code, lengths[by_code])
    # As 32-bit fractions, the codes of each length end where those of the next length start.
    number = np.bincount(lengths[by_code], minlength=MAX_LENGTH + 1)
    size = 1 << (MAX_LENGTH - np.arange(MAX_LENGTH + 1))
    ends = np.cumsum(number * size)
    first_code = (ends - number * size) // size
    skips = first_code - (np.cumsum(number) - number)
    return table, pairs, ends.astype(np.uint64), skips, by_code.astype(np.uint16)


def decode(data, lengths, count):
    symbols = np.empty(count, np.uint16)
    padded = np.frombuffer(data + bytes(PADDING), np.uint8)
    at = decode_symbols(padded, 8 * len(data), *decoder(lengths), symbols)
    if at == NO_CODE:
        return None, 0
    return symbols, 8 * len(data) + 1 if at == TOO_SHORT else at
