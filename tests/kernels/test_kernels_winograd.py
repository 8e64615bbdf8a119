"""Convolutions by Winograd's method: the same numbers from 2.25 times fewer multiplications, rounded no worse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinycompress import kernels
from tinycompress.kernels.fast import winograd
from tinycompress.kernels.fast.windows import forward_geometry

NONE, ONE = ((0, 0), (0, 0)), ((1, 1), (1, 1))


def draw(N, H, W, C, OC, padding):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((N, H, W, C), np.float32), rng.standard_normal((3, 3, C, OC), np.float32)
    g = rng.standard_normal((N, H + sum(padding[0]) - 2, W + sum(padding[1]) - 2, OC), np.float32)
    return x, w, g


def results(x, w, g, padding):
    """A convolution with a bias, the same in two calls of what was prepared, with a ReLU, and its gradients."""
    bias = w[0, 0, 0]
    yield kernels.conv2d(x, w, (1, 1), padding, bias)
    later = np.zeros_like(x)
    y, run = kernels.prepare_conv2d(later, w, (1, 1), padding, bias, relu=True)
    for later[:] in (-x, x):
        run()
    yield y
    yield kernels.conv2d_grad_x(g, w, (1, 1), padding, x.shape)
    yield kernels.conv2d_grad_w(x, g, (1, 1), padding, w.shape)


def errors(arrays, padding, fewer):
    """The largest error of each result, relative to the largest number, with `fewer` products or with all."""
    with kernels.use("numpy"):
        true = [*results(*(array.astype(np.float64) for array in arrays), padding)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "pays", lambda G, like: fewer and (G.kh, G.kw, G.sh, G.sw) == (3, 3, 1, 1))
        found = [*results(*arrays, padding)]
    return [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, true, strict=True)]


sides = st.tuples(st.integers(0, 3), st.integers(0, 3))
pixels, channels = st.integers(3, 12), st.integers(1, 40)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(1, 9), pixels, pixels, channels, channels, st.tuples(sides, sides))
def test_any_convolution_has_the_same_numbers(N, H, W, C, OC, padding):
    assert max(errors(draw(N, H, W, C, OC, padding), padding, fewer=True)) < 2e-6


@pytest.mark.parametrize("C", [16, 64, 256])
def test_rounding_is_no_worse_than_that_of_all_products(C):
    arrays = draw(4, 16, 16, C, C, ONE)
    fewer, plain = errors(arrays, ONE, fewer=True), errors(arrays, ONE, fewer=False)
    assert max(fewer) < 1e-6
    assert max(fewer) < 1.5 * max(plain)


def test_whole_numbers_have_no_error():
    """Halves and quarters of small whole numbers are exact in binary."""
    rng = np.random.default_rng(0)
    x, w, g = (rng.integers(-8, 9, array.shape).astype(np.float32) for array in draw(5, 9, 8, 17, 33, ONE))
    assert errors((x, w, g), ONE, fewer=True) == [0, 0, 0, 0]


def test_an_infinite_pixel_changes_only_the_outputs_that_see_it():
    x, w, _ = draw(2, 12, 12, 32, 32, ONE)
    before = kernels.conv2d(x, w, (1, 1), ONE)
    x[0, 5, 6, 3] = np.inf
    after = kernels.conv2d(x, w, (1, 1), ONE)
    seen = np.zeros(before.shape, bool)
    seen[0, 4:7, 5:8] = True
    assert not np.isfinite(after[seen]).any()
    np.testing.assert_array_equal(after[~seen], before[~seen])


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "fewer"),
    [
        ((32, 16, 16, 64), (3, 3, 64, 64), (1, 1), True),
        ((32, 16, 16, 64), (3, 3, 64, 64), (2, 2), False),
        ((32, 16, 16, 64), (3, 3, 64, 64), (1, 2), False),
        ((32, 16, 16, 64), (5, 5, 64, 64), (1, 1), False),
        ((32, 16, 16, 64), (1, 3, 64, 64), (1, 1), False),
        ((32, 32, 32, 3), (3, 3, 3, 64), (1, 1), False),  # transforming 16 numbers takes longer than nine products
        ((32, 1, 1, 64), (3, 3, 64, 64), (1, 1), False),  # a quarter of each patch is used
    ],
)
def test_it_is_taken_where_it_pays(shape, kernel, stride, fewer):
    G = forward_geometry(shape, kernel, stride, ((kernel[0] // 2,) * 2, (kernel[1] // 2,) * 2))
    assert winograd.pays(G, np.float32(0)) == fewer
