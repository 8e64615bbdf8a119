"""Huffman codes: as short as codes can be, and whatever is decoded is what was encoded, or an error."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import kernels
from tinycompress.quantization.coding.huffman import MAX_LENGTH, canonical_codes, code_lengths, decode, encode
from tinycompress.quantization.coding.huffman_fast import PADDING, TOO_SHORT, decode_symbols, decoder

VARIANTS = ["loop", "numpy", "fast"]

COUNTS = st.one_of(
    st.lists(st.integers(0, 1000), max_size=40),
    st.lists(st.integers(0, 3), max_size=300),
    st.integers(1, 45).map(lambda n: [math.isqrt(5**n) for n in range(n)]),  # long codes: each count is above the sum
)


@pytest.fixture(autouse=True)
def default_variant():
    yield
    kernels.use("fast")


def kraft_sum(lengths):
    return sum(Fraction(1, 2 ** int(length)) for length in lengths if length)


def least_bits(counts):
    """The bits that the best code takes: the sum of the weights of all inner nodes of the tree."""
    weights, total = sorted(count for count in counts if count), 0
    if len(weights) == 1:
        return weights[0]
    while len(weights) > 1:
        joined = weights[0] + weights[1]
        total += joined
        weights = sorted(weights[2:] + [joined])
    return total


def fibonacci(n):
    numbers = [1, 1]
    while len(numbers) < n:
        numbers.append(numbers[-1] + numbers[-2])
    return np.array(numbers[:n])


def sample(counts, size, seed=0):
    counts = np.asarray(counts)
    return np.random.default_rng(seed).choice(len(counts), size, p=counts / counts.sum())


# --- codes -----------------------------------------------------------------------------------------------------------


@given(COUNTS)
def test_no_code_takes_fewer_bits(counts):
    lengths = code_lengths(np.array(counts, np.int64))
    assert (lengths > 0).tolist() == [count > 0 for count in counts]
    if lengths.max(initial=0) < MAX_LENGTH:  # else it may have been limited
        assert sum(int(length) * count for length, count in zip(lengths, counts, strict=True)) == least_bits(counts)


@given(COUNTS)
def test_all_patterns_of_bits_are_used_and_no_code_begins_another(counts):
    lengths = code_lengths(np.array(counts, np.int64))
    used = [f"{code:0{length}b}" for code, length in zip(canonical_codes(lengths), lengths, strict=True) if length]
    assert kraft_sum(lengths) == (1 if len(used) > 1 else Fraction(len(used), 2))
    for a, b in zip(sorted(used)[:-1], sorted(used)[1:], strict=True):
        assert not b.startswith(a)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=60))
def test_the_code_is_within_one_bit_of_the_entropy(counts):
    share = np.array(counts) / sum(counts)
    entropy = -np.sum(share * np.log2(share))
    assert entropy - 1e-9 <= np.sum(share * code_lengths(np.array(counts))) < entropy + 1


def test_codes_are_canonical():
    lengths = code_lengths(np.array([5, 2, 1, 0, 1]))
    assert lengths.tolist() == [1, 2, 3, 0, 3]
    assert canonical_codes(lengths).tolist() == [0b0, 0b10, 0b110, 0, 0b111]


@pytest.mark.parametrize("limit", [6, 7, 12, 24, 32])
def test_codes_are_limited_in_length(limit):
    counts = fibonacci(50)
    lengths = code_lengths(counts, limit)
    assert lengths.max() <= limit
    assert kraft_sum(lengths) == 1
    assert np.all(np.diff(lengths.astype(int)) <= 0)  # the more often, the shorter, still
    if limit >= 12:
        assert np.sum(lengths * counts) <= 1.01 * least_bits(counts.tolist())


def test_the_limit_is_refused_where_it_is_too_narrow():
    assert code_lengths(np.ones(8, int), 3).tolist() == [3] * 8
    with pytest.raises(ValueError, match="9 symbols cannot be told apart"):
        code_lengths(np.ones(9, int), 3)


def test_equal_counts_give_the_same_lengths_in_any_order():
    assert code_lengths(np.full(6, 7)).tolist() == [3, 3, 3, 3, 2, 2]


@pytest.mark.parametrize(
    "counts", [np.array([1, -1]), np.array([0.5, 0.5]), np.ones((2, 2), int), np.ones(2**16 + 1, int)]
)
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match="counts"):
        code_lengths(counts)


# --- streams ---------------------------------------------------------------------------------------------------------


@given(COUNTS.filter(any), st.integers(0, 400), st.integers(0, 99))
def test_decoding_gives_back_what_was_encoded_in_every_variant(counts, size, seed):
    lengths, symbols = code_lengths(np.array(counts, np.int64)), sample(counts, size, seed)
    streams = set()
    for name in VARIANTS:
        with kernels.use(name):
            data = encode(symbols, lengths)
            decoded = decode(data, lengths, size)
        assert decoded.dtype == np.uint16
        np.testing.assert_array_equal(decoded, symbols)
        streams.add(data)
    assert len(streams) == 1
    assert len(data) == -(-int(lengths[symbols].astype(int).sum()) // 8)


@pytest.mark.parametrize("longest", [18, 19, 20, 32])  # 19: the longest of which three are put together at a time
def test_long_codes_are_decoded_also_longer_ones_than_the_table(longest):
    lengths = code_lengths(fibonacci(longest + 1))
    assert lengths.max() == longest
    rng = np.random.default_rng(0)
    symbols = np.where(rng.random(5000) < 0.9, lengths.argmax(), rng.integers(0, longest + 1, 5000))
    np.testing.assert_array_equal(decode(encode(symbols, lengths), lengths, 5000), symbols)


def test_the_largest_alphabet():
    symbols = np.random.default_rng(0).permutation(2**16)
    lengths = code_lengths(np.bincount(symbols))
    assert lengths.tolist() == [16] * 2**16
    np.testing.assert_array_equal(decode(encode(symbols, lengths), lengths, 2**16), symbols)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_alphabet_of_one_symbol_and_one_of_none(name):
    with kernels.use(name):
        lengths = code_lengths(np.array([0, 0, 9]))
        assert lengths.tolist() == [0, 0, 1]
        assert encode(np.full(9, 2), lengths) == bytes(2)
        assert decode(bytes(2), lengths, 9).tolist() == [2] * 9
        for nothing in (code_lengths(np.zeros(0, int)), code_lengths(np.zeros(4, int)), lengths):
            assert encode(np.zeros(0, int), nothing) == b""
            assert decode(b"", nothing, 0).tolist() == []


@pytest.mark.parametrize("name", VARIANTS)
def test_a_symbol_without_a_code_cannot_be_encoded(name):
    with kernels.use(name):
        with pytest.raises(ValueError, match="no code"):
            encode(np.array([0, 1]), np.array([1, 0, 1]))
        for place in range(9):  # codes are put together three at a time
            with pytest.raises(ValueError, match="no code"):
                encode(np.arange(9) // 9 + (np.arange(9) == place), np.array([1, 0, 1]))
        with pytest.raises(ValueError, match="from 0 to 3, but the alphabet only from 0 to 2"):
            encode(np.array([0, 3]), np.array([1, 0, 1]))
        with pytest.raises(ValueError, match="from -1"):
            encode(np.array([0, -1]), np.array([1, 0, 1]))


# --- streams that nobody encoded -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [[1, 1, 1], [0, 33], [-1, 1], [1, 2, 2, 32], [1.0, 1.0], [[1, 1]]])
def test_lengths_that_no_code_has_are_refused(lengths):
    for use_of in (canonical_codes, lambda bad: encode([0], bad), lambda bad: decode(b"\0", bad, 1)):
        with pytest.raises(ValueError, match="length"):
            use_of(np.array(lengths))


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(
    "data, lengths, count, message",
    [
        (b"\x6b", [1, 2, 2], 9, "cannot hold 9 symbols"),
        (b"", [1, 1], 1, "cannot hold"),
        (b"", [], 10**12, "cannot hold"),
        (b"\xff", [1, 2, 2], 5, "ends before its 5 symbols"),
        (b"\xff\xff", [1, 2, 2], 4, "continues after"),
        (b"\xff", [1, 2, 2], 3, "continues after"),
        (b"\x00\x00", [1, 2, 2], 8, "continues after"),
        (b"\xff" * 20, [1, 0], 1, "not the code of any symbol"),
        (b"\xff" * 20, [20, 20, 20], 1, "not the code of any symbol"),
        (b"\xff", [0, 0], 1, "not the code of any symbol|ends before"),
        (b"\x00", [1, 1], -1, "cannot be negative"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused(name, data, lengths, count, message):
    with kernels.use(name), pytest.raises(ValueError, match=message):
        decode(data, np.array(lengths, np.int64), count)


@pytest.mark.parametrize("counts", [[5, 2, 1, 1], [1] * 100, fibonacci(30)])
def test_a_stream_cut_short_anywhere_is_refused(counts):
    lengths, symbols = code_lengths(np.array(counts)), sample(counts, 200)
    data = encode(symbols, lengths)
    for end in range(len(data)):
        with pytest.raises(ValueError, match="cannot hold|ends before|not the code"):
            decode(data[:end], lengths, 200)


@pytest.mark.parametrize("length", [1, 3, 12, 13, 25, 32])
def test_nothing_is_read_far_beyond_the_end(length):
    # Zeros are codes, here and in the padding; after it comes what is none, as if it were somebody else's memory.
    code = decoder(np.array([length]))
    for size in range(5):
        data = np.concatenate([np.zeros(size + PADDING, np.uint8), np.full(8 * size + 100, 255, np.uint8)])
        symbols = np.empty(size * 8 // length + 40, np.uint16)
        assert decode_symbols(data, 8 * size, *code, symbols) == TOO_SHORT


@st.composite
def damaged(draw):
    """(data, lengths, count) of a stream of which some bytes, lengths or the count are wrong, or all of them."""
    counts = draw(COUNTS.filter(any))
    lengths = code_lengths(np.array(counts, np.int64)).astype(np.int64)
    symbols = sample(counts, draw(st.integers(0, 60)), draw(st.integers(0, 9)))
    data, count = bytearray(encode(symbols, lengths)), len(symbols)
    if draw(st.booleans()):
        data = bytearray(draw(st.binary(max_size=40)))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    for _ in range(draw(st.integers(0, 2))):
        lengths[draw(st.integers(0, len(lengths) - 1))] = draw(st.integers(0, 34))
    return bytes(data), lengths, count + draw(st.integers(-2, 9))


@given(damaged())
def test_a_damaged_stream_is_refused_or_is_the_stream_of_what_is_decoded(case):
    data, lengths, count = case
    outcomes = []
    for name in ("loop", "fast"):
        with kernels.use(name):
            try:
                outcomes.append(decode(data, lengths, count).tolist())
            except ValueError:
                outcomes.append(None)
    assert outcomes[0] == outcomes[1]
    if outcomes[0] is not None:
        assert encode(np.array(outcomes[0], np.int64), lengths) == data
