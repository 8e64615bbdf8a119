"""Tests of canonical_huffman. Public: the statement's code. Hidden: order, gaps in the lengths, last bytes and errors."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_equal, expect_error

MAY_IMPORT = ()

LENGTHS, CODES = np.array([2, 1, 3, 3]), ["10", "0", "110", "111"]


def texts(value, count):
    assert isinstance(value, list | tuple) and len(value) == count, f"expected a list of {count} codes"
    assert all(isinstance(code, str) and not set(code) - {"0", "1"} for code in value), "codes are strings of 0 and 1"
    return list(value)


@pytest.mark.public
@pytest.mark.points(0.4)
def test_the_code_of_the_statement(submission):
    """The codes of B, A, C, D are 0, 10, 110, 111."""
    codes = texts(submission.canonical_codes(LENGTHS), 4)
    assert [len(code) for code in codes] == [2, 1, 3, 3], "codes[symbol] has lengths[symbol] bits"
    assert codes == CODES, "count up, in order of length, then of symbol; append zeros when the length grows"


@pytest.mark.public
@pytest.mark.points(0.4)
def test_the_byte_of_the_statement(submission):
    """B A D is encoded as the byte 92."""
    packed = expect_array(submission.encode(np.array([1, 0, 3]), CODES), (1,), "int", "the bytes")
    assert packed.tolist() == [92], "01011100: the first bit is the highest bit, and zeros fill up the last byte"


@pytest.mark.public
@pytest.mark.points(0.4)
def test_back_from_the_byte(submission):
    """The byte 92 is decoded as B A D."""
    symbols = expect_array(submission.decode(np.array([92], np.uint8), CODES, 3), (3,), "int", "the symbols")
    assert symbols.tolist() == [1, 0, 3], "read bits until they are a code; no code is the beginning of another"


def lengths_of(rng, symbols):
    """Lengths of a complete code: random leaves are split; then lengths are shuffled, with three unused symbols."""
    leaves = [0]
    while len(leaves) < symbols:
        depth = leaves.pop(int(rng.integers(len(leaves))))
        leaves += [depth + 1, depth + 1]
    return rng.permutation([*leaves, 0, 0, 0])


def codes_of(lengths):
    """The canonical code in terms of fractions: each code's interval begins where the previous one ends."""
    codes, at = [""] * len(lengths), 0.0
    for symbol in sorted(range(len(lengths)), key=lambda s: (lengths[s], s)):
        if lengths[symbol]:
            codes[symbol] = format(int(at * 2 ** int(lengths[symbol])), f"0{lengths[symbol]}b")
            at += 2.0 ** -int(lengths[symbol])
    return codes


def incomplete(rng):
    """Lengths of a code that some bits do not begin: all codes are longer than those of a complete code, some by several."""
    lengths = lengths_of(rng, 6)
    return np.where(lengths, lengths + rng.integers(1, 4, len(lengths)), 0)


@pytest.mark.hidden
@pytest.mark.points(3)
def test_codes_of_any_lengths(submission, rng):
    """There may be many symbols, some of which do not occur; a single one; codes that are longer than they need be."""
    cases = [*(lengths_of(rng, symbols) for symbols in (2, 5, 20)), incomplete(rng), incomplete(rng)]
    cases += [rng.permutation([0, 0, int(rng.integers(1, 5))]), np.zeros(int(rng.integers(1, 5)), int)]
    cases += [rng.permutation(np.minimum(np.arange(1, 42), 40))]
    for lengths in *cases, cases[2].astype(np.uint8):
        codes = texts(submission.canonical_codes(lengths), len(lengths))
        assert all(not code for code, n in zip(codes, lengths, strict=True) if not n), "length 0 means no code"
        message = (
            "lengths may grow by more than 1; symbols of equal length keep their order; the first code is all zeros"
        )
        assert codes == codes_of(lengths), message


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_lengths_that_no_code_has(submission, rng):
    """Too many short codes are refused."""
    for length in (*rng.integers(1, 25, 4), 40):
        lengths = lengths_of(rng, int(rng.integers(2, 20)))
        assert texts(submission.canonical_codes(lengths), len(lengths)), "a sum of exactly 1 is allowed"
        more = rng.permutation(np.append(lengths, length))
        message = "one code too many: compare the sum of 2**-length with 1"
        expect_error(ValueError, submission.canonical_codes, more, message=message)


@pytest.mark.hidden
@pytest.mark.points(2.4)
def test_many_symbols_as_bytes(submission, rng):
    """Long messages are packed without gaps; some fill their last byte, and one is empty."""
    for count, times in (1, 1), (3, 1), (200, 1), (5, 8), (1, 8), (0, 1):
        codes = codes_of(lengths_of(rng, 9))
        used = [s for s, code in enumerate(codes) if code]
        symbols = np.tile(rng.choice(used, count), times)
        bits = "".join(codes[s] for s in symbols)
        packed = expect_array(submission.encode(symbols, codes), None, "int", "the bytes")
        assert packed.shape == (-(-len(bits) // 8),), "as many bytes as the bits need: none is added to whole bytes"
        assert packed.dtype == np.uint8, "bytes are uint8"
        expected = [int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8)]
        assert packed.tolist() == expected, "a code may continue in the next byte; only the last byte is filled up"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_symbols_without_a_code(submission, rng):
    """A symbol that does not occur, one beyond the last, and a negative one are refused."""
    lengths = lengths_of(rng, int(rng.integers(3, 9)))
    codes = codes_of(lengths)
    for symbol in int(np.flatnonzero(lengths == 0)[0]), len(codes), -int(len(codes) - np.flatnonzero(lengths)[0]):
        symbols = np.append(rng.choice(np.flatnonzero(lengths), 4), symbol)
        message = "a symbol without a code cannot be encoded; Python counts negative indices from the end"
        expect_error(ValueError, submission.encode, symbols, codes, message=message)
        expect_array(submission.encode(symbols[:-1], codes), None, "int", "the bytes")


@pytest.mark.hidden
@pytest.mark.points(2)
def test_reading_stops_after_the_last_symbol(submission, rng):
    """The zeros that fill up the last byte are not symbols."""
    for count in 0, 1, 7, 150:
        for lengths in lengths_of(rng, 9), incomplete(rng):
            codes = codes_of(lengths)
            symbols = rng.choice([s for s, code in enumerate(codes) if code], count)
            bits = "".join(codes[s] for s in symbols)
            packed = np.packbits([int(bit) for bit in bits]) if count else np.zeros(0, np.uint8)
            found = expect_array(submission.decode(packed, codes, count), (count,), "int", "the symbols")
            assert np.array_equal(found, symbols), (
                "stop after `count` symbols: the zeros at the end may look like a code"
            )
    if found.dtype != np.int64:
        raise Partial(0.8, "symbols are int64")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_bytes_that_end_too_early(submission, rng):
    """A file that is cut off is noticed, within a code or between two."""
    for count in 1, 12, 40:
        codes = codes_of(lengths_of(rng, 9))
        symbols = rng.choice([s for s, code in enumerate(codes) if code], count)
        packed = np.packbits([int(bit) for s in symbols for bit in codes[s]])
        message = "the bytes end before `count` symbols: raise ValueError instead of returning fewer"
        expect_error(ValueError, submission.decode, packed, codes, 8 * len(packed) + 1, message=message)
        expect_error(ValueError, submission.decode, packed[:-1], codes, count, message=message)
        expect_equal(submission.decode(packed, codes, count), symbols, "bytes that are not cut off hold all symbols")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_bits_that_begin_no_code(submission, rng):
    """A damaged file is noticed if its bits are no code."""
    for _ in range(3):
        codes = codes_of(incomplete(rng))
        symbols = rng.choice([s for s, code in enumerate(codes) if code], 4)
        bits = "".join(codes[s] for s in symbols) + 60 * "1" + 60 * "0"  # the zeros do begin one
        packed = np.packbits([int(bit) for bit in bits])
        message = "a code of only ones is longer than these, so that these bits begin none: do not skip them"
        expect_error(ValueError, submission.decode, packed, codes, 5, message=message)
        expect_equal(submission.decode(packed, codes, 4), symbols, "the four symbols before the damage can be read")
