"""Tests of huffman_tree. Public: the statement's code. Hidden: the least number of bits, single symbols, and pairs."""

import heapq

import numpy as np
import pytest

from tinycompress.course import expect_array, expect_close, expect_equal

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_lengths_of_the_statement(submission):
    """Counts of 5, 2, 1, 1."""
    found = expect_array(submission.code_lengths(np.array([5, 2, 1, 1])), (4,), "int", "the lengths")
    assert found.tolist() == [1, 2, 3, 3], "a symbol's length grows by 1 whenever its tree is joined with another"


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_entropy_of_equal_counts(submission):
    """Four equally frequent symbols need two bits."""
    expect_close(submission.entropy(np.array([7, 7, 7, 7])), 2, "-4 * 1/4 * log2(1/4) is 2")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_three_pairs(submission):
    """0 1, 1 1 and 0 1 of an alphabet of two symbols."""
    found = submission.pair_counts(np.array([0, 1, 1, 1, 0, 1]), 2)
    expect_equal(found, np.array([0, 2, 0, 1]), "the pairs 0 0, 0 1, 1 0, 1 1 have the numbers 0 to 3")


def least_bits(counts):
    """The weight of all joined trees: each adds a bit to every symbol below it."""
    heap, bits = [int(n) for n in counts if n], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        bits += joined
        heapq.heappush(heap, joined)
    return bits


def frequencies(rng):
    """Counts of several kinds: alike, of very different sizes, growing like Fibonacci's, beyond what float32 holds."""
    fibonacci = [1, 1]
    while len(fibonacci) < 30:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    yield rng.integers(90, 110, 13)
    yield np.rint(np.exp(rng.uniform(0, 12, 40))).astype(np.int64)
    yield rng.permutation(fibonacci)
    yield 10**14 + rng.integers(0, 1000, 9)
    yield rng.permutation(np.append(rng.integers(1, 9, 3), 10**15))
    yield rng.integers(1, 50, 2)


@pytest.mark.hidden
@pytest.mark.points(2)
def test_no_code_needs_fewer_bits(submission, rng):
    """All symbols occur; counts are alike, very different, or so that the tree is a comb."""
    for counts in frequencies(rng):
        found = expect_array(submission.code_lengths(counts), counts.shape, "int", "the lengths")
        assert found.min() >= 1, "every symbol that occurs has a code of at least one bit"
        room = sum(2.0 ** -int(n) for n in found)
        assert room <= 1, "these lengths are too short: the sum of 2**-length is above 1, so no code has them"
        bits = sum(int(n) * int(length) for n, length in zip(counts, found, strict=True))
        assert bits == least_bits(counts), "another code needs fewer bits: join the two lightest of *all* trees"


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_symbols_that_do_not_occur(submission, rng):
    """Counts of 0 have no code, and do not make the others' longer; the result is int64."""
    some = rng.integers(1, 99, 9)
    counts = rng.permutation(np.append(some, np.zeros(12, np.int64)))
    found = expect_array(submission.code_lengths(counts), (21,), "int", "the lengths")
    assert not found[counts == 0].any(), "a symbol with the count 0 has the length 0"
    assert found @ counts == least_bits(some), "symbols that do not occur are no trees"
    assert found.dtype == np.int64, "lengths are int64"


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_a_single_symbol(submission, rng):
    """If only one symbol occurs, its code has one bit, since a file of no bits would not say how often."""
    counts = rng.permutation([int(rng.integers(1, 99)), *np.zeros(int(rng.integers(3, 9)), int)])
    found = expect_array(submission.code_lengths(counts), counts.shape, "int", "the lengths")
    assert np.array_equal(found, counts > 0), "a tree of one symbol has no branch, but its code has the length 1"
    assert not expect_array(submission.code_lengths(0 * counts), counts.shape, "int", "the lengths").any()


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_the_entropy_of_any_counts(submission, rng):
    """Rare symbols, symbols that do not occur, and a single symbol."""
    few = rng.permutation([0, 1, 10**6, 0, int(rng.integers(1, 99))])
    for counts in rng.integers(0, 9, 30), few, np.array([0, 5]), rng.integers(10**14, 10**15, 9):
        p = [n / int(counts.sum()) for n in counts.tolist() if n]
        expected = -sum(q * np.log2(q) for q in p)
        message = "sum -p * log2(p) over the symbols that occur, in bits; 0 * log2(0) counts as 0"
        expect_close(submission.entropy(counts), expected, message, 1e-7, 1e-12)


@pytest.mark.hidden
@pytest.mark.points(1)
def test_pairs_of_many_symbols(submission, rng):
    """Large alphabets in small dtypes: the number of a pair may be larger than the dtype holds."""
    for alphabet, dtype in (3, "int64"), (200, "uint8"), (16, "int8"):
        symbols = rng.integers(0, alphabet, 400).astype(dtype)
        expected = np.zeros(alphabet**2, np.int64)
        for a, b in symbols.astype(int).reshape(-1, 2):
            expected[a * alphabet + b] += 1
        found = expect_array(submission.pair_counts(symbols, alphabet), (alphabet**2,), "int", "the counts")
        assert np.array_equal(found, expected), "pairs do not overlap; 200 * 200 does not fit into uint8"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_a_symbol_that_is_left_over(submission, rng):
    """The partner of a last symbol is 0; there may be no symbol at all."""
    last = int(rng.integers(1, 5))
    symbols = np.append(rng.permutation(np.repeat([2, 3], 2)), last)
    found = expect_array(submission.pair_counts(symbols, 5), (25,), "int", "the counts")
    expected = np.bincount([*(symbols[:-1:2] * 5 + symbols[1::2]), last * 5], minlength=25)
    assert np.array_equal(found, expected), "a symbol without a partner is paired with 0"
    assert not expect_array(submission.pair_counts(symbols[:0], 5), (25,), "int", "the counts").any()
