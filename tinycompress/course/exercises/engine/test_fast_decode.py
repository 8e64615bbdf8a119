"""Tests of fast_decode. Public: the statement's code. Hidden: any code, damaged bytes, and the time beside the loop's."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_equal, expect_error, expect_tuple, speedup

MAY_IMPORT = ()
pytestmark = pytest.mark.timeout(60)  # to compile takes seconds, and longer while others are graded


@pytest.mark.public
@pytest.mark.points(0.4)
def test_the_tables_of_the_statement(submission):
    """A code of four symbols."""
    counts, symbols = expect_tuple(submission.tables(np.array([2, 1, 3, 3])), 2)
    expect_equal(counts, np.array([0, 1, 1, 2]), "one code of one bit, one of two bits, two of three")
    expect_equal(symbols, np.array([1, 0, 2, 3]), "B, A, C, D: by length, then by number")


@pytest.mark.public
@pytest.mark.points(0.5)
def test_three_symbols_of_a_byte(submission):
    """B A D is the byte 01011100."""
    tables = np.array([0, 1, 1, 2]), np.array([1, 0, 2, 3])
    found = expect_array(submission.decode(np.array([92], np.uint8), *tables, 3), (3,), "int")
    assert found.tolist() == [1, 0, 3], "0 is B, 10 is A, 111 is D"


def lengths_of(rng, symbols):
    """Lengths of a complete code: random leaves are split; then lengths are shuffled, with three unused symbols."""
    leaves = [0]
    while len(leaves) < symbols:
        depth = leaves.pop(int(rng.integers(len(leaves))))
        leaves += [depth + 1, depth + 1]
    return rng.permutation([*leaves, 0, 0, 0])


def incomplete(rng):
    """Lengths of a code that some bits do not begin."""
    lengths = lengths_of(rng, 6)
    return np.where(lengths, lengths + rng.integers(1, 4, len(lengths)), 0)


def codes_of(lengths):
    """The canonical codes as strings."""
    codes, at = [""] * len(lengths), 0.0
    for symbol in sorted(range(len(lengths)), key=lambda s: (lengths[s], s)):
        if lengths[symbol]:
            codes[symbol] = format(int(at * 2 ** int(lengths[symbol])), f"0{lengths[symbol]}b")
            at += 2.0 ** -int(lengths[symbol])
    return codes


def message(rng, lengths, count):
    """(symbols, bytes) of a random message."""
    codes = codes_of(lengths)
    symbols = rng.choice(np.flatnonzero(lengths), count)
    bits = "".join(codes[s] for s in symbols)
    return symbols, np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0"))


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_tables_of_any_code(submission, rng):
    """Symbols that do not occur, lengths that do not occur, a single symbol; lengths in any dtype."""
    cases = [lengths_of(rng, 30), lengths_of(rng, 3).astype(np.uint8), incomplete(rng), rng.permutation([0, 4, 0])]
    for lengths in cases:
        counts, symbols = expect_tuple(submission.tables(lengths), 2)
        expected = [int((lengths == n).sum()) for n in range(1, int(lengths.max()) + 1)]
        expect_equal(counts, np.array([0, *expected]), "one count for each length, and none for symbols without a code")
        order = sorted(np.flatnonzero(lengths).tolist(), key=lambda s: (lengths[s], s))
        expect_equal(symbols, np.array(order), "symbols that occur, by length; among equal lengths by number")
    if any(np.asarray(part).dtype != np.int64 for part in (counts, symbols)):
        raise Partial(0.8, "counts and symbols are int64")


@pytest.mark.hidden
@pytest.mark.points(2.4)
def test_messages_of_any_code(submission, reference, rng):
    """Short and long messages, codes of up to 40 bits; the zeros that fill up the last byte are no symbols."""
    for count in 0, 1, 13, 500:
        comb = rng.permutation(np.minimum(np.arange(1, 42), 40))
        for lengths in lengths_of(rng, 9), incomplete(rng), rng.permutation([0, 3, 0]), comb:
            symbols, packed = message(rng, lengths, count)
            found = expect_array(submission.decode(packed, *reference.tables(lengths), count), (count,), "int")
            assert np.array_equal(found, symbols), "after each symbol, length, code, first and index begin at 0 again"
    if found.dtype != np.int64:
        raise Partial(0.8, "symbols are int64")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_damaged_bytes(submission, reference, rng):
    """Bytes that end too early, and bits that begin no code."""
    lengths = incomplete(rng)
    symbols, packed = message(rng, lengths, 40)
    tables = reference.tables(lengths)
    expect_error(
        ValueError, submission.decode, packed[:-2], *tables, 40, message="the bytes end too early: raise ValueError"
    )
    codes = codes_of(lengths)
    bits = "".join(codes[s] for s in [*symbols[:3], *symbols])
    start = sum(len(codes[s]) for s in symbols[:3])
    bits = bits[:start] + int(lengths.max()) * "1" + bits[start:]
    damaged = np.packbits([int(bit) for bit in bits])
    text = "a code of only ones is longer than any of these: raise ValueError instead of skipping them"
    expect_error(ValueError, submission.decode, damaged, *tables, 40, message=text)
    expect_equal(submission.decode(packed, *tables, 40), symbols, "bytes that are not damaged hold all symbols")


def tree_of(codes, begun=""):
    """The code as a tree: a symbol, or a pair of trees."""
    if begun in codes:
        return codes.index(begun)
    return tree_of(codes, begun + "0"), tree_of(codes, begun + "1")


def slow_decode(packed, tree, count):
    """The loop of the statement."""
    found, node = [], tree
    for place in range(8 * len(packed)):
        if len(found) == count:
            break
        node = node[int(packed[place // 8]) >> (7 - place % 8) & 1]
        if isinstance(node, int):
            found.append(node)
            node = tree
    return np.array(found, np.int64)


@pytest.mark.hidden
@pytest.mark.points(3.5)
def test_ten_times_as_fast_as_the_loop(submission, reference, rng):
    """Sixty thousand symbols, another message each time, measured in turns with the loop."""
    lengths = lengths_of(rng, 12)
    tables, tree = reference.tables(lengths), tree_of([code or None for code in codes_of(lengths)])
    _, packed = message(rng, lengths, 60_000)  # for the loop, which is timed first

    def yours():
        nonlocal packed
        symbols, packed = message(rng, lengths, 60_000)  # what was kept of the last one is of no use
        found = expect_array(submission.decode(packed, *tables, len(symbols)), symbols.shape, "int")
        elapsed = submission.elapsed
        assert np.array_equal(found, symbols), "right for short messages, but not for a long one"
        return elapsed

    ratio = speedup(submission, yours, lambda: slow_decode(packed, tree, 60_000), enough=10)
    if ratio < 10:
        share = max(0.0, np.log(max(ratio, 1)) / np.log(10))
        raise Partial(
            min(round(float(share), 1), 0.9),
            f"{ratio:.1f} times as fast as the loop: does numba.njit compile the loop?",
        )
