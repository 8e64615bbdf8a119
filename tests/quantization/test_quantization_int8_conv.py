"""Convolutions of bytes: exact sums in every variant, on every CPU, for any number of threads, and within their arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from other_machines import as_other_cpus, assert_runs_as, assert_runs_at_the_edge, at_the_edge

from tinycompress import kernels
from tinycompress.kernels import runtime
from tinycompress.kernels.runtime import jit
from tinycompress.quantization.grid import Grid
from tinycompress.quantization.integers.layers import IntegerResidual
from tinycompress.quantization.products.int8 import MAX_INPUTS
from tinycompress.quantization.products.int8_conv import Int8Filters, int8_conv2d, int8_depthwise, pack_filters
from tinycompress.quantization.products.requantize import Requantizer, fixed_point, requantize_sum

CASES = st.tuples(
    st.integers(0, 3),  # images
    st.integers(3, 9),  # height
    st.integers(3, 11),  # width
    st.sampled_from([1, 2, 3, 4, 5, 17]),  # channels
    st.sampled_from([1, 2, 15, 16, 17, 33]),  # outputs
    st.tuples(st.integers(1, 3), st.integers(1, 3)),  # window
    st.tuples(st.integers(1, 3), st.integers(1, 2)),  # stride
    st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2),  # padding
    st.integers(0, 255),  # zero point
)


@pytest.fixture(autouse=True)
def default_threads():
    threads = kernels.get_num_threads()
    yield
    kernels.set_num_threads(threads)


def finish_for(outputs, rng, size=30):
    """A requantizer that sends sums of some products to all of 3 .. 250."""
    factor, shift = fixed_point(rng.uniform(0.2, 2, outputs) / (size * 40))
    return Requantizer(rng.integers(-5000, 5000, outputs) * factor, factor, shift, int(rng.integers(0, 200)), 3, 250)


def exact(x, w, stride, padding, zero_point, finish):
    """The definition in Python's and NumPy's widest integers; w: (kh, kw, C, out)."""
    x = np.pad(x.astype(np.int64) - zero_point, ((0, 0), *padding, (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(x, w.shape[:2], axis=(1, 2))[:, :: stride[0], :: stride[1]]
    # the sums hold q_x q_w, and the contribution of the zero point is part of the offset
    sums = np.einsum("nhwcij,ijco->nhwo", seen, w.astype(np.int64)) + zero_point * w.astype(np.int64).sum((0, 1, 2))
    scaled = (sums * finish.factor + finish.offset + (1 << finish.shift - 1)) >> finish.shift
    return np.clip(scaled + finish.zero_point, finish.low, finish.high)


def in_each_variant(kernel, *args):
    for name in ("loop", "numpy", "fast"):
        with kernels.use(name):
            yield kernel(*args)


@given(CASES, st.integers(0, 99))
def test_a_convolution_of_bytes_is_that_of_their_integers(case, seed):
    n, height, width, channels, outputs, window, stride, padding, zero_point = case
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, height, width, channels)).astype(np.uint8)
    w = rng.integers(-128, 128, (*window, channels, outputs)).astype(np.int8)
    finish = finish_for(outputs, rng)
    expected = exact(x, w, stride, padding, zero_point, finish)
    for y in in_each_variant(int8_conv2d, x, pack_filters(w), stride, padding, zero_point, finish):
        assert y.dtype == np.uint8
        np.testing.assert_array_equal(y, expected)


@given(CASES, st.integers(0, 99))
def test_a_depthwise_convolution_is_that_of_a_diagonal(case, seed):
    n, height, width, channels, _, window, stride, padding, zero_point = case
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, height, width, channels)).astype(np.uint8)
    w = rng.integers(-128, 128, (*window, channels)).astype(np.int8)
    finish = finish_for(channels, rng)
    diagonal = w[..., None] * np.eye(channels, dtype=np.int8)
    expected = exact(x, diagonal, stride, padding, zero_point, finish)
    for y in in_each_variant(int8_depthwise, x, w, stride, padding, zero_point, finish):
        np.testing.assert_array_equal(y, expected)


@given(st.integers(0, 200), st.sampled_from([(20, 29), (22, 29), (23, 30), (31, 40)]), st.integers(0, 99))
def test_the_sum_of_two_grids_is_rounded_once(size, bits, seed):
    """Where all numbers fit 32 bits, and where they need 64."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 256, (2, size)).astype(np.uint8)
    factors = [int(f) for f in rng.integers(-(2 ** bits[0]) + 1, 2 ** bits[0], 2)]
    offset, shift = int(rng.integers(-(2 ** bits[1]), 2 ** bits[1])), bits[0]
    expected = [
        min(max((int(p) * factors[0] + int(q) * factors[1] + offset) // 2**shift + 9, 3), 250)
        for p, q in zip(a, b, strict=True)
    ]
    for y in in_each_variant(requantize_sum, a, b, factors, offset, shift, 9, 3, 250):
        np.testing.assert_array_equal(y, np.array(expected, np.uint8))


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("kind", [int, np.int32, np.int64])
def test_the_sum_is_right_on_both_sides_of_32_bits(over, kind):
    largest = np.full(70, 255, np.uint8)
    factor, offset = kind(2**22), 2**31 - 1 - 2 * 255 * 2**22 - 255 + over
    for y in in_each_variant(requantize_sum, largest, largest, (factor, factor), offset, 24, 100, 0, 255):
        assert (y == 100 + (2**31 - 1 - 255 + over) // 2**24).all()


@pytest.mark.parametrize("ratio", [np.nextafter(1, 0), np.nextafter(0.25, 0), 2.0**29, 1.0])
def test_factors_fit_31_bits_even_if_they_are_rounded_up(ratio):
    factor, shift = fixed_point(np.array([ratio]))
    assert 2**30 <= factor[0] < 2**31
    assert factor[0] / 2.0 ** shift[0] == pytest.approx(ratio, rel=2**-30)


def test_a_residual_sum_is_rounded_to_the_nearest_integer():
    grids = [Grid(np.float32(scale), np.float32(zero), 8, False) for scale, zero in ((0.5, 10), (0.25, 3), (1.0, 7))]
    q = np.arange(256, dtype=np.uint8)[None]
    y = IntegerResidual([], grids[0], [], grids[1], grids[2])(q)
    real = 0.5 * (q - 10.0) + 0.25 * (q - 3.0)
    np.testing.assert_array_equal(y, np.clip(np.floor(real + 0.5) + 7, 0, 255))


@pytest.mark.parametrize("weight", [-128, 127])
def test_extreme_values_do_not_overflow(weight):
    x, w = np.full((2, 5, 20, 600), 255, np.uint8), np.full((3, 5, 600, 2), weight, np.int8)
    factor, shift = fixed_point(np.full(2, 100 / abs(255 * weight * 9000)))
    finish = Requantizer(np.zeros(2, np.int64), factor, shift, 128, 0, 255)
    for name in ("numpy", "fast"):
        with kernels.use(name):
            y = int8_conv2d(x, pack_filters(w), (1, 1), ((0, 0), (0, 0)), 0, finish)
            assert np.all(y == 128 + np.sign(weight) * 100)


def test_packed_filters_are_the_filters_in_another_order(rng):
    w = rng.integers(-128, 128, (3, 2, 5, 17)).astype(np.int8)
    packed = pack_filters(w)
    np.testing.assert_array_equal(packed.unpacked(), w)
    assert packed.nbytes == 2 * 3 * 3 * 16 * 4  # 2 lines of 16 outputs, 3 rows of 10 numbers in 3 words of 4


def test_what_cannot_be_computed_is_refused(rng):
    x, w = np.zeros((1, 4, 4, 3), np.uint8), np.zeros((3, 3, 3, 2), np.int8)
    finish, rest = finish_for(2, rng), ((1, 1), ((0, 0), (0, 0)), 0)
    with pytest.raises(TypeError, match="should be uint8, but are float32"):
        int8_conv2d(x.astype(np.float32), pack_filters(w), *rest, finish)
    with pytest.raises(TypeError, match="should be int8, but are int64"):
        pack_filters(w.astype(np.int64))
    with pytest.raises(TypeError, match="should be int8, but are int64"):
        int8_depthwise(x, w[..., 0].astype(np.int64), *rest, finish_for(3, rng))
    with pytest.raises(ValueError, match="3 channels, but the filters expect 4"):
        int8_conv2d(x, pack_filters(np.zeros((3, 3, 4, 2), np.int8)), *rest, finish)
    with pytest.raises(ValueError, match="2 outputs, but 3 factors"):
        int8_conv2d(x, pack_filters(w), *rest, finish_for(3, rng))
    with pytest.raises(ValueError, match="does not fit"):
        int8_conv2d(x[:, :2], pack_filters(w), *rest, finish)
    with pytest.raises(ValueError, match="too large"):
        pack_filters(np.zeros((1, 1, MAX_INPUTS + 1, 1), np.int8))
    with pytest.raises(ValueError, match="same shape"):
        requantize_sum(x, x[:, :2], (1, 1), 0, 1)
    with pytest.raises(ValueError, match="below 2\\^31"):
        requantize_sum(x, x, (2**31, 1), 0, 1)
    with pytest.raises(ValueError, match="within 0 .. 255"):
        requantize_sum(x, x, (1, 1), 0, 1, 256)


@pytest.mark.skipif(not jit.available(), reason="only compiled kernels share their work")
def test_results_are_the_same_bits_for_any_number_of_threads(rng, monkeypatch):
    monkeypatch.setattr(runtime.threads, "WORTH_A_THREAD", 100)
    x = rng.integers(0, 256, (5, 9, 9, 20)).astype(np.uint8)
    w = rng.integers(-128, 128, (3, 3, 20, 20)).astype(np.int8)
    finish, rest = finish_for(20, rng, 180), ((1, 1), ((1, 1), (1, 1)), 7)

    def results():
        y = int8_conv2d(x, pack_filters(w), *rest, finish)
        return y, int8_depthwise(x, w[..., 0], *rest, finish), requantize_sum(x, y, (2**30, 40000), -9, 16)

    kernels.set_num_threads(1)
    expected = results()
    for threads in (2, 3):
        kernels.set_num_threads(threads)
        for y, same in zip(results(), expected, strict=True):
            np.testing.assert_array_equal(y, same)


CONVOLUTIONS = """
import numpy as np
from tinycompress import kernels
from tinycompress.quantization.products import int8_conv, requantize
rng = np.random.default_rng(0)
for n, height, width, C, OC, k in ((2, 7, 11, 3, 20, 3), (1, 6, 9, 33, 50, 2)):
    factor, shift = requantize.fixed_point(rng.uniform(0.5, 2, 50) / (k * k * 100))
    finish = requantize.Requantizer(factor * 99, factor, shift, 100, 0, 255)
    for x in rng.integers(0, 256, (n, height, width, C)).astype("u1"), np.full((n, height, width, C), 255, "u1"):
        for w in rng.integers(-128, 128, (k, k, C, OC)).astype("i1"), np.full((k, k, C, OC), -128, "i1"):
            rest = (2, 1), ((1, 0), (0, 1)), 200
            calls = [
                lambda: int8_conv.int8_conv2d(x, int8_conv.pack_filters(w), *rest, finish_of(OC)),
                lambda: int8_conv.int8_depthwise(x, w[..., 0], *rest, finish_of(C)),
                lambda: requantize.requantize_sum(x, 255 - x, (50000, -30000), 1000, 16),
                lambda: requantize.requantize_sum(x, 255 - x, (2**30, -(2**29)), 1000, 31),
            ]
            finish_of = lambda outputs: finish._replace(
                **{name: getattr(finish, name)[:outputs] for name in ("offset", "factor", "shift")}
            )
            for call in calls:
                with kernels.use("numpy"):
                    expected = call()
                assert (call() == expected).all()
"""


@as_other_cpus()
def test_convolutions_of_bytes_are_right_on_other_cpus(host):
    assert_runs_as(host, CONVOLUTIONS)


AT_THE_EDGE = """
from tinycompress.quantization.products import int8_conv, requantize
rng = np.random.default_rng(0)
for C in (1, 3, 16, 17):
    for OC in (1, 16, 33):
        for stride, padding in (((1, 1), ((0, 0), (0, 0))), ((2, 2), ((1, 1), (0, 1)))):
            x = rng.integers(0, 256, (2, 5, 6, C)).astype("u1")
            w = rng.integers(-9, 9, (3, 3, C, OC)).astype("i1")
            ones = np.ones(max(C, OC), np.int64)
            finish = lambda n: requantize.Requantizer(edge(ones[:n]), edge(ones[:n]), edge(ones[:n]), 0, 0, 255)
            int8_conv.int8_conv2d(edge(x), all_edges(int8_conv.pack_filters(w)), stride, padding, 0, finish(OC))
            int8_conv.int8_depthwise(edge(x), edge(w[..., 0]), stride, padding, 0, finish(C))
            requantize.requantize_sum(edge(x), edge(x), (1, 1), 0, 1)
            requantize.requantize_sum(edge(x), edge(x), (2**30, 1), 0, 31)
            kept.clear()
"""


@at_the_edge
def test_no_convolution_of_bytes_reads_beyond_its_arrays():
    assert_runs_at_the_edge(AT_THE_EDGE)


def test_filters_whose_lines_do_not_fit_their_shape_are_refused():
    packed = pack_filters(np.zeros((3, 3, 3, 2), np.int8))
    with pytest.raises(ValueError, match="the lines should be"):
        Int8Filters(packed.lines[:, :2], packed.shape)
