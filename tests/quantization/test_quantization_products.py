"""Products of weights in blocks, bytes, nibbles and bits: the variants agree, and integers are exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from other_machines import as_other_cpus, assert_runs_as, assert_runs_at_the_edge, at_the_edge

from tinycompress import kernels
from tinycompress.kernels import runtime
from tinycompress.kernels.runtime import jit
from tinycompress.pruning.products.blocks import BlockSparse, block_sparse_matmul, pack_blocks
from tinycompress.quantization.products.binary import (
    BinaryWeights,
    binary_linear,
    binary_matmul,
    pack_signs,
    scale_dots,
)
from tinycompress.quantization.products.codebook import CodebookWeights, codebook_matvec, pack_codes
from tinycompress.quantization.products.int8 import MAX_INPUTS, Int8Weights, int8_linear, int8_matmul, pack_int8

VARIANTS = ["loop", "numpy", "fast"]

SIZES = st.tuples(
    st.sampled_from([0, 1, 2, 3, 7, 9, 17]),  # batch
    st.sampled_from([1, 3, 4, 5, 31, 32, 33, 65]),  # in
    st.sampled_from([1, 2, 15, 16, 17, 33, 50]),  # out
)


@pytest.fixture(autouse=True)
def default_settings():
    threads = kernels.get_num_threads()
    yield
    kernels.use("fast")
    kernels.set_num_threads(threads)


def normal(shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def signs(w):
    return np.where(w < 0, -1, 1)


def in_each_variant(kernel, *args):
    for name in VARIANTS:
        with kernels.use(name):
            yield kernel(*args)


def assert_close(actual, expected, dtype=np.float32):
    """Equal up to the rounding of a sum of some hundred products."""
    assert actual.shape == expected.shape
    assert actual.dtype == dtype
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=100 * np.finfo(dtype).eps * scale)


# --- blocks ----------------------------------------------------------------------------------------------------------


def pruned_in_blocks(inputs, outputs, density, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    kept = rng.random((inputs, -(-outputs // 16))) < density
    return normal((inputs, outputs), dtype, seed) * kept.repeat(16, axis=1)[:, :outputs]


@given(SIZES, st.sampled_from([0.0, 0.2, 1.0]), st.sampled_from([np.float32, np.float64]), st.integers(0, 99))
def test_block_sparse_product_equals_the_dense_one(size, density, dtype, seed):
    batch, inputs, outputs = size
    w = pruned_in_blocks(inputs, outputs, density, dtype, seed)
    x = normal((batch, inputs), dtype, seed + 1)
    for y in in_each_variant(block_sparse_matmul, x, pack_blocks(w)):
        assert_close(y, x.astype(np.float64) @ w, dtype)


def test_block_sparse_product_of_more_rows_and_inputs_than_a_tile_has():
    x, w = normal((75, 300)), pruned_in_blocks(300, 200, 0.3)
    for spread in (x, np.repeat(x, 2, axis=1)[:, ::2]):
        assert_close(block_sparse_matmul(spread, pack_blocks(w)), x.astype(np.float64) @ w)


def test_only_blocks_with_a_weight_are_stored():
    w = np.zeros((40, 64), np.float32)
    w[7, 20], w[8, 31], w[9, 63] = 1, 2, 3
    packed = pack_blocks(w)
    assert packed.indptr.tolist() == [0, 0, 2, 2, 3]
    assert packed.indices.tolist() == [7, 8, 9]
    assert packed.values.shape == (3, 16)
    assert packed.values[1, 15] == 2
    assert packed.nbytes == 4 * (5 + 3 + 48)


def test_infinity_in_one_row_does_not_leak_into_another():
    x, w = normal((9, 20)), pruned_in_blocks(20, 40, 0.5)
    clean = block_sparse_matmul(x, pack_blocks(w))
    x[4] = np.inf
    np.testing.assert_array_equal(np.delete(block_sparse_matmul(x, pack_blocks(w)), 4, 0), np.delete(clean, 4, 0))


@pytest.mark.parametrize(
    "indptr, indices, values",
    [
        ([0, 1], [5], np.zeros((1, 16))),
        ([0, 1], [-1], np.zeros((1, 16))),
        ([0, 2], [1], np.zeros((1, 16))),
        ([0, 1, 1], [1], np.zeros((1, 16))),
        ([1, 1], [1], np.zeros((1, 16))),
        ([0, 1], [1], np.zeros((1, 8))),
    ],
)
def test_blocks_that_would_be_read_outside_are_refused(indptr, indices, values):
    with pytest.raises(ValueError):
        BlockSparse(np.array(indptr), np.array(indices), values.astype(np.float32), (5, 16))


# --- bytes -----------------------------------------------------------------------------------------------------------


def bytes_like(size, seed):
    batch, inputs, outputs = size
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 256, (batch, inputs)).astype(np.uint8),
        rng.integers(-128, 128, (inputs, outputs)).astype(np.int8),
    )


@given(SIZES, st.integers(0, 99))
def test_int8_product_is_exact(size, seed):
    x, w = bytes_like(size, seed)
    for y in in_each_variant(int8_matmul, x, pack_int8(w)):
        assert y.dtype == np.int32
        np.testing.assert_array_equal(y, x.astype(np.int64) @ w.astype(np.int64))


@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize("batch, inputs", [(1, 257), (9, 1024), (2, MAX_INPUTS)])
def test_int8_product_of_extreme_values_is_exact(weight, batch, inputs):
    # Instructions that add pairs of products in 16 bits saturate here; the last case reaches the ends of 32 bits.
    x, w = np.full((batch, inputs), 255, np.uint8), np.full((inputs, 3), weight, np.int8)
    for name in ("numpy", "fast"):
        with kernels.use(name):
            assert np.all(int8_matmul(x, pack_int8(w)) == 255 * weight * inputs)


def test_int8_product_at_a_working_size_and_for_memory_at_odd_addresses():
    x, w = bytes_like((130, 300, 200), seed=3)
    odd = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].reshape(x.shape)
    for same in (x, odd, np.repeat(x, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(int8_matmul(same, pack_int8(w)), x.astype(np.int64) @ w.astype(np.int64))


@given(SIZES, st.integers(0, 255), st.booleans(), st.integers(0, 99))
def test_int8_linear_is_the_layer_on_the_real_numbers_that_the_integers_stand_for(size, zero_point, biased, seed):
    x, w = bytes_like(size, seed)
    x_scale, w_scale = 0.02, np.abs(normal(size[2], seed=seed)) + 0.1
    bias = normal(size[2], seed=seed + 1) if biased else None
    real = (x_scale * (x.astype(np.float64) - zero_point)) @ (w_scale * w.astype(np.float64)) + (bias if biased else 0)
    results = list(in_each_variant(int8_linear, x, pack_int8(w), x_scale * w_scale, zero_point, bias))
    for y in results:
        assert_close(y, real)
        np.testing.assert_array_equal(y, results[0])


def test_inputs_at_the_zero_point_give_the_bias():
    x, w, bias = np.full((3, 20), 77, np.uint8), bytes_like((1, 20, 5), 0)[1], normal(5)
    for y in in_each_variant(int8_linear, x, pack_int8(w), np.ones(5), 77, bias):
        np.testing.assert_array_equal(y, np.broadcast_to(bias, (3, 5)))


def test_int8_refuses_what_it_cannot_compute():
    x, w = bytes_like((2, 8, 3), 0)
    packed = pack_int8(w)
    with pytest.raises(TypeError, match="weights should be int8, but are int64"):
        pack_int8(w.astype(np.int64))
    with pytest.raises(TypeError, match="activations should be uint8, but are int8"):
        int8_matmul(x.astype(np.int8), packed)
    with pytest.raises(ValueError, match=r"\(batch, 8\)"):
        int8_matmul(x[:, :7], packed)
    with pytest.raises(ValueError, match="32 bits"):
        pack_int8(np.zeros((MAX_INPUTS + 1, 1), np.int8))
    with pytest.raises(ValueError, match="scale .* 3 outputs"):
        int8_linear(x, packed, np.ones(4))
    with pytest.raises(ValueError, match="zero point"):
        int8_linear(x, packed, np.ones(3), zero_point=256)
    with pytest.raises(ValueError, match="lines"):
        Int8Weights(packed.lines[:, :1], packed.sums, (8, 3))


# --- nibbles ---------------------------------------------------------------------------------------------------------


@given(SIZES, st.integers(1, 16), st.integers(0, 99))
def test_codebook_product_equals_that_of_the_weights_meant(size, k, seed):
    _, inputs, outputs = size
    codebook, x = normal(k, seed=seed), normal(inputs, seed=seed + 1)
    codes = np.random.default_rng(seed).integers(0, k, (inputs, outputs))
    for y in in_each_variant(codebook_matvec, x, pack_codes(codes, codebook)):
        assert_close(y, x.astype(np.float64) @ codebook[codes])


def test_each_code_finds_its_number_at_each_place():
    codebook = np.arange(16) ** 2
    for code in range(16):
        packed = pack_codes(np.full((70, 6), code), codebook)
        for i in (0, 15, 16, 31, 32, 69):
            x = np.zeros(70, np.float32)
            x[i] = 1
            for y in in_each_variant(codebook_matvec, x, packed):
                assert y.tolist() == [code**2] * 6


def test_four_bits_are_four_bits():
    packed = pack_codes(np.zeros((1024, 1024), np.uint8), normal(16))
    assert packed.nbytes == 1024 * 1024 // 2 + 64


def test_codebook_refuses_what_it_cannot_compute():
    codes, codebook = np.zeros((8, 3), int), normal(4)
    with pytest.raises(ValueError, match="between 0 and 3"):
        pack_codes(codes + 4, codebook)
    with pytest.raises(ValueError, match="between 0 and 3"):
        pack_codes(codes - 1, codebook)
    with pytest.raises(ValueError, match="1 to 16 numbers"):
        pack_codes(codes, normal(17))
    with pytest.raises(TypeError, match="codes should be integers"):
        pack_codes(codes.astype(float), codebook)
    with pytest.raises(ValueError, match="finite, unlike .*nan"):
        pack_codes(codes, [1, np.nan])
    packed = pack_codes(codes, codebook)
    with pytest.raises(TypeError, match="x is float64"):
        codebook_matvec(normal(8, np.float64), packed)
    with pytest.raises(ValueError, match="8 inputs"):
        codebook_matvec(normal(9), packed)
    with pytest.raises(ValueError, match="codes should be"):
        CodebookWeights(packed.codes[:2], packed.codebook, packed.shape)


# --- bits ------------------------------------------------------------------------------------------------------------


@given(SIZES, st.sampled_from([np.float32, np.float64]), st.integers(0, 99))
def test_binary_product_is_that_of_the_signs(size, dtype, seed):
    batch, inputs, outputs = size
    x, w = normal((batch, inputs), dtype, seed), normal((inputs, outputs), dtype, seed + 1)
    for y in in_each_variant(binary_matmul, x, pack_signs(w)):
        assert y.dtype == np.int32
        np.testing.assert_array_equal(y, signs(x) @ signs(w))


@given(SIZES, st.integers(0, 99))
def test_float_times_binary_is_a_sum_with_signs(size, seed):
    batch, inputs, outputs = size
    x, w = normal((batch, inputs), seed=seed), normal((inputs, outputs), seed=seed + 1)
    for y in in_each_variant(binary_linear, x, pack_signs(w)):
        assert_close(y, x.astype(np.float64) @ signs(w))


def test_binary_products_at_a_working_size():
    x, w = normal((70, 500)), normal((500, 300))
    np.testing.assert_array_equal(binary_matmul(x, pack_signs(w)), signs(x) @ signs(w))
    assert_close(binary_linear(x, pack_signs(w)), x.astype(np.float64) @ signs(w))


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1000])
def test_a_vector_agrees_with_itself_everywhere_and_with_its_opposite_nowhere(n):
    x = normal((1, n))
    for y in in_each_variant(binary_matmul, x, pack_signs(np.concatenate([x, -x]).T)):
        assert y.tolist() == [[n, -n]]


def test_zero_of_either_sign_and_nan_count_as_plus_one():
    odd = np.array([[0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1e-45, -1e-45] * 5], np.float32)
    expected = np.array([1, 1, 1, 1, 1, -1, 1, -1] * 5)
    for y in in_each_variant(binary_matmul, odd, pack_signs(np.eye(40, dtype=np.float32) * 2 - 1)):
        # A row with one +1 among -1: twice that element minus the sum of all.
        assert y[0].tolist() == (2 * expected - expected.sum()).tolist()
    with np.errstate(invalid="ignore"):
        packed = pack_signs(odd.T)
    for y in in_each_variant(binary_matmul, np.ones((1, 40), np.float32), packed):
        assert y.tolist() == [[expected.sum()]]


@given(st.integers(1, 3), st.sampled_from([1, 4]), st.sampled_from([1, 16, 33]), st.integers(0, 99))
def test_sums_of_signs_are_scaled_row_by_row_and_shifted_pixel_by_pixel(images, pixels, outputs, seed):
    rng = np.random.default_rng(seed)
    dots = rng.integers(-600, 600, (images * pixels, outputs)).astype(np.int32)
    scale, shift = normal(outputs, seed=seed), normal((pixels, outputs), seed=seed)
    expected = [dots[r].astype(np.float32) * scale + shift[r % pixels] for r in range(len(dots))]
    for given_out in (False, True):
        out = np.empty(dots.shape, np.float32) if given_out else None
        for y in in_each_variant(scale_dots, dots, scale, shift, out):
            assert np.array_equal(y, expected) and (out is None or y is out)
    with pytest.raises(ValueError, match="do not match"):
        scale_dots(dots, scale[1:], shift)


def test_binary_weights_are_32_times_smaller():
    w = normal((1024, 512))
    assert pack_signs(w).nbytes * 32 == w.nbytes


def test_binary_refuses_what_it_cannot_compute():
    packed = pack_signs(normal((8, 3)))
    with pytest.raises(TypeError, match="x is float64"):
        binary_linear(normal((2, 8), np.float64), packed)
    with pytest.raises(ValueError, match=r"\(batch, 8\)"):
        binary_matmul(normal((2, 9)), packed)
    with pytest.raises(ValueError, match="lines"):
        BinaryWeights(packed.lines, (8, 17))


# --- all -------------------------------------------------------------------------------------------------------------


def every_product(batch):
    x, w = normal((batch, 700)), pruned_in_blocks(700, 600, 0.5)
    x8, w8 = bytes_like((batch, 700, 600), 1)
    codes = np.random.default_rng(2).integers(0, 16, (700, 6000))
    return [
        block_sparse_matmul(x, pack_blocks(w)),
        int8_matmul(x8, pack_int8(w8)),
        int8_linear(x8, pack_int8(w8), np.ones(600), 9),
        codebook_matvec(x[0], pack_codes(codes, normal(16))),
        binary_matmul(x, pack_signs(w)),
        binary_linear(x, pack_signs(w)),
    ]


@pytest.mark.skipif(not jit.available(), reason="NumPy multiplies by BLAS, whose rounding depends on the threads")
@pytest.mark.parametrize("batch", [1, 70])
def test_results_are_the_same_bits_for_any_number_of_threads(batch, monkeypatch):
    monkeypatch.setattr(runtime.threads, "WORTH_A_THREAD", 1000)
    kernels.set_num_threads(1)
    expected = every_product(batch)
    for threads in (2, 3):
        kernels.set_num_threads(threads)
        for y, same in zip(every_product(batch), expected, strict=True):
            np.testing.assert_array_equal(y, same)


PRODUCTS = """
import numpy as np
from tinycompress.pruning.products import blocks
from tinycompress.quantization.products import binary, codebook, int8
rng = np.random.default_rng(0)
for batch, inputs, outputs in ((1, 37, 50), (19, 70, 21)):
    x, w = rng.standard_normal((batch, inputs)).astype("f4"), rng.standard_normal((inputs, outputs)).astype("f4")
    signs = np.where(w < 0, -1, 1)
    codes, table = rng.integers(0, 16, (inputs, outputs)), rng.standard_normal(16).astype("f4")
    for x8 in rng.integers(0, 256, (batch, inputs)).astype("u1"), np.full((batch, inputs), 255, "u1"):
        for w8 in rng.integers(-128, 128, (inputs, outputs)).astype("i1"), np.full((inputs, outputs), -128, "i1"):
            exact = x8.astype(int) @ w8.astype(int)
            assert (int8.int8_matmul(x8, int8.pack_int8(w8)) == exact).all(), "int8_matmul"
            real = int8.int8_linear(x8, int8.pack_int8(w8), np.full(outputs, 0.5), 3)
            assert np.allclose(real, (exact - 3 * w8.sum(0, int)) / 2), "int8_linear"
    assert (binary.binary_matmul(x, binary.pack_signs(w)) == np.where(x < 0, -1, 1) @ signs).all(), "binary_matmul"
    assert np.allclose(binary.binary_linear(x, binary.pack_signs(w)), x @ signs, atol=1e-4), "binary_linear"
    y = codebook.codebook_matvec(x[0], codebook.pack_codes(codes, table))
    assert np.allclose(y, x[0] @ table[codes], atol=1e-4), "codebook_matvec"
    assert np.allclose(blocks.block_sparse_matmul(x, blocks.pack_blocks(w)), x @ w, atol=1e-4), "block_sparse_matmul"
"""


AT_THE_EDGE = """
import numpy as np
from tinycompress.pruning.products import blocks
from tinycompress.quantization.products import binary, codebook, int8
rng = np.random.default_rng(0)

for batch in (1, 3, 9, 21):
    for inputs in (32, 36, 48, 65, 128):
        for outputs in (1, 15, 16, 17, 32, 33):
            x = rng.standard_normal((batch, inputs)).astype("f4")
            w = rng.standard_normal((inputs, outputs)).astype("f4")
            x8 = rng.integers(0, 9, (batch, inputs)).astype("u1")
            w8 = rng.integers(0, 9, (inputs, outputs)).astype("i1")
            packed8, ones = all_edges(int8.pack_int8(w8)), edge(np.ones(outputs, "f4"))
            int8.int8_matmul(edge(x8), packed8)
            int8.int8_linear(edge(x8), packed8, ones, 3, ones)
            binary.binary_matmul(edge(x), all_edges(binary.pack_signs(w)))
            binary.binary_linear(edge(x), all_edges(binary.pack_signs(w)))
            codebook.codebook_matvec(edge(x[0]), all_edges(codebook.pack_codes(w8, np.arange(9))))
            blocks.block_sparse_matmul(edge(x), all_edges(blocks.pack_blocks(w)))
            kept.clear()
"""


@at_the_edge
def test_no_kernel_reads_beyond_its_arrays():
    assert_runs_at_the_edge(AT_THE_EDGE)


@as_other_cpus()
def test_products_are_right_on_other_cpus(host):
    assert_runs_as(host, PRODUCTS)
