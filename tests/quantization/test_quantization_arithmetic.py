"""Arithmetic coding: the compiled loops write what the readable ones do, and all of it comes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import kernels
from tinycompress.quantization import entropy
from tinycompress.quantization.coding.arithmetic import WHOLE, Decoder, Encoder, _last_bytes, code_bit, tables


@st.composite
def matrices(draw):
    """(mask, symbols, k, neighbours, busy)"""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, columns = draw(st.integers(0, 14)), draw(st.integers(1, 9))
    mask = rng.random((rows, columns)) < draw(st.sampled_from([0, 0.03, 0.5, 1]))
    k = draw(st.sampled_from([1, 2, 3, 8, 200, 256]))
    neighbours = draw(st.sampled_from([(0, 0), (1, 0), (1, 4), (2, 4), (3, 3), (1, 1000)]))
    return mask, rng.integers(0, k, mask.shape), k, neighbours, rng.integers(0, 16, rows)


def encoded(mask, symbols, k, neighbours, busy):
    code = Encoder()
    code.positions(mask, neighbours, busy)
    code.symbols(symbols, mask, k, neighbours)
    return code.finish()


@given(matrices())
def test_all_variants_write_the_same_bytes_and_read_them_back(matrix):
    mask, symbols, k, neighbours, busy = matrix
    streams = []
    for variant in ("loop", "fast"):
        with kernels.use(variant):
            streams.append(encoded(*matrix))
            code = Decoder(streams[0])
            found = code.positions(mask.shape, neighbours, busy)
            assert np.array_equal(found, mask)
            assert np.array_equal(code.symbols(found, k, neighbours), np.where(mask, symbols, 0))
            code.finish()
    assert streams[0] == streams[1]


@given(matrices(), st.binary(max_size=60), st.integers(0, 100))
def test_any_bytes_give_a_matrix_or_an_error_and_both_variants_agree(matrix, noise, cut):
    mask, _, k, neighbours, busy = matrix
    data = encoded(*matrix)
    for stream in (noise, data[:cut], data + noise):
        results = []
        for variant in ("loop", "fast"):
            with kernels.use(variant):
                code = Decoder(stream)
                try:
                    found = code.positions(mask.shape, neighbours, busy)
                    symbols = code.symbols(found, k, neighbours)
                    code.finish()
                    assert symbols.max(initial=0) < k
                    results.append((found.tobytes(), symbols.tobytes()))
                except ValueError as error:
                    results.append(str(error))
        assert results[0] == results[1]


def test_a_sparse_mask_takes_hardly_more_than_its_entropy(rng):
    mask = rng.random((500, 400)) < 0.01
    bound = mask.size * entropy([np.count_nonzero(~mask), np.count_nonzero(mask)]) / 8
    assert len(encoded(mask, mask * 0, 1, (0, 0), None)) < 1.06 * bound


def test_what_the_contexts_see_is_used(rng):
    """A mask with structure: busy columns, and neighbours in an image."""
    scattered = rng.random((400, 50)) < 0.1
    columns = np.repeat(rng.random((1, 50)) < 0.1, 400, 0) & (rng.random((400, 50)) < 0.9)
    runs = np.repeat(rng.random((40, 50)) < 0.1, 10, 0)
    sizes = [len(encoded(mask, mask * 0, 1, (1, 20), None)) for mask in (scattered, columns, runs)]
    assert sizes[1] < 0.6 * sizes[0] and sizes[2] < 0.4 * sizes[0]


def test_symbols_like_their_neighbours_take_less(rng):
    every, alone = np.ones((300, 10), bool), rng.integers(0, 8, (300, 10))
    alike = np.repeat(rng.integers(0, 8, (30, 10)), 10, 0)
    sizes = [len(encoded(every, symbols, 8, (1, 0), None)) for symbols in (alone, alike)]
    assert sizes[0] < 1.05 * alone.size * 3 / 8 and sizes[1] < 0.5 * sizes[0]


@given(st.lists(st.tuples(st.integers(1, 65535), st.booleans()), max_size=200))
def test_decisions_come_back_whatever_their_probabilities(decisions):
    """Also where the interval becomes narrow around a border of its highest byte."""
    data = np.zeros(2 * len(decisions) + 8, np.uint8)
    state = np.array([0, WHOLE, 0, 0], np.int64)
    for p, bit in decisions:
        code_bit(state, data, p, int(bit), True)
        assert state[0] <= state[1]
    stream = data[: state[3]].tobytes() + _last_bytes(*state[:2].tolist())
    data = np.frombuffer(stream, np.uint8)
    state = np.array([0, WHOLE, int.from_bytes(stream[:4].ljust(4, b"\0"), "big"), 0], np.int64)
    assert [code_bit(state, data, p, 0, False) for p, _ in decisions] == [int(bit) for _, bit in decisions]


@given(st.integers(0, WHOLE), st.integers(0, WHOLE))
def test_the_last_bytes_lie_in_the_interval_and_no_fewer_do(a, b):
    low, high = min(a, b), max(a, b)
    last = _last_bytes(low, high)
    assert low <= int.from_bytes(last.ljust(4, b"\0"), "big") <= high
    for count in range(len(last)):
        unit = 1 << 32 - 8 * count
        assert -(-low // unit) * unit > high


def test_no_entry_of_the_tables_depends_on_the_last_bit_of_a_logarithm():
    """Else two machines might round it differently, and one could not read what the other has written."""
    i = np.arange(4096)
    odds = np.arange(-3072, 3072) + 0.5
    exact = 256 * np.log((i + 0.5) / (4095.5 - i)), 65536 / (1 + np.exp(-odds / 256))
    for values in exact:
        assert np.abs(np.abs(values - np.floor(values)) - 0.5).min() > 1e-6
    stretch, squash = tables()
    assert np.array_equal(stretch, -stretch[::-1]) and (np.diff(stretch) >= 0).all()
    assert squash.min() >= 1 and squash.max() <= 65535


def test_what_does_not_fit_is_refused():
    code = Encoder()
    with pytest.raises(ValueError, match="rows and columns"):
        code.positions(np.zeros(3, bool))
    with pytest.raises(ValueError, match="go from 0 to 3"):
        code.symbols([[4]], [[True]], 4)
    with pytest.raises(ValueError, match="1 to 256"):
        code.symbols([[4]], [[True]], 257)
    with pytest.raises(ValueError, match="as many hints"):
        code.positions(np.zeros((3, 2), bool), busy=[1, 2])
    with pytest.raises(ValueError, match="0 or more"):
        Decoder(b"").positions((1, 1), (-1, 0))
