"""Average pooling of large windows, which takes two steps, and NaN in any pooling."""

import numpy as np
import pytest

from tinycompress import kernels

VARIANTS = ["loop", "numpy", "fast"]

# Images, window and stride; of more than 256 elements, but for the first and the last.
WINDOWS = [
    ((2, 16, 17, 3), (16, 16), (16, 16)),
    ((2, 17, 18, 5), (17, 17), (17, 17)),
    ((3, 40, 23, 1), (19, 20), (5, 2)),
    ((1, 35, 36, 4), (17, 16), (19, 20)),
    ((1, 40, 18, 2), (40, 7), (1, 11)),
    ((2, 3, 300, 2), (1, 290), (1, 3)),
]


@pytest.mark.parametrize("shape, size, stride", WINDOWS)
def test_large_windows_have_the_mean_and_gradient_of_the_definition(shape, size, stride):
    x = np.random.default_rng(0).standard_normal(shape)
    with kernels.use("loop"):
        expected = kernels.avg_pool2d(x, size, stride)
        g = np.random.default_rng(1).standard_normal(expected.shape)
        expected_grad = kernels.avg_pool2d_grad(g, size, stride, shape)
    for variant in ("numpy", "fast"):
        with kernels.use(variant):
            np.testing.assert_allclose(kernels.avg_pool2d(x, size, stride), expected, atol=1e-13)
            np.testing.assert_allclose(kernels.avg_pool2d_grad(g, size, stride, shape), expected_grad, atol=1e-13)


@pytest.mark.parametrize("size", [(2, 3), (20, 15)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_nan_reaches_the_means_of_its_windows_and_no_others(variant, size):
    x = np.ones((2, 2 * size[0], 2 * size[1], 3))
    x[1, size[0] + 1, 0, 1] = np.nan
    expected = np.ones((2, 2, 2, 3))
    expected[1, 1, 0, 1] = np.nan
    with kernels.use(variant):
        np.testing.assert_allclose(kernels.avg_pool2d(x, size, size), expected)
        back = kernels.avg_pool2d_grad(expected, size, size, x.shape)
    assert np.isnan(back[1, size[0] :, : size[1], 1]).all()
    assert np.isnan(back).sum() == size[0] * size[1]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_max_pooling_sends_the_gradient_to_a_nan(variant, relu):
    x = np.array([[[[1.0]], [[np.nan]], [[-1.0]], [[-2.0]]]])
    with kernels.use(variant):
        y, argmax = kernels.max_pool2d(x, (2, 1), (2, 1), relu)
        back = kernels.max_pool2d_grad(np.full_like(y, 5), argmax, (2, 1), (2, 1), x.shape)
    np.testing.assert_array_equal(y.ravel(), [np.nan, 0 if relu else -1])
    np.testing.assert_array_equal(back.ravel(), [0, 5, 0 if relu else 5, 0])
