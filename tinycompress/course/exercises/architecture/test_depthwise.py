"""Tests of depthwise. Public: a row by hand. Hidden: strides, kernels that are not square, and derivatives."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()

ROW, KERNEL = np.arange(1.0, 5.0).reshape(1, 1, 4, 1), np.array([1.0, 0.0, -1.0]).reshape(1, 3, 1)
CASES = [
    (5, 6, 3, 3, 1, 0),
    (5, 6, 3, 3, 1, 1),
    (7, 4, 3, 2, 2, 1),
    (6, 6, 2, 3, 2, 0),
    (4, 5, 1, 4, 3, 2),
    (3, 4, 3, 4, 1, 0),
]


@pytest.mark.public
@pytest.mark.points(0.4)
def test_places_of_a_kernel(submission):
    """A kernel of 3 fits in two places into four pixels, and in four with padding."""
    message = "the kernel begins at 0, stride, 2 stride, …, as long as it fits into size + 2 padding"
    assert expect_number(submission.output_size(4, 3, 1, 0)) == 2, message
    assert expect_number(submission.output_size(4, 3, 1, 1)) == 4, message


@pytest.mark.public
@pytest.mark.points(0.4)
def test_the_row_of_the_statement(submission):
    """The row 1 2 3 4 with the kernel 1 0 -1 gives -2 -2."""
    y = submission.depthwise(ROW, KERNEL, 1, 0)
    expect_close(y, np.full((1, 1, 2, 1), -2.0), "1 - 3 and 2 - 4: the kernel is not flipped")


@pytest.mark.public
@pytest.mark.points(0.4)
def test_the_derivative_of_a_row(submission):
    """Each weight's derivative is the sum of the pixels that it was multiplied with, times g."""
    found = submission.weight_gradient(ROW, np.array([1.0, 10.0]).reshape(1, 1, 2, 1), (1, 3), 1, 0)
    expect_close(
        found, np.array([21.0, 32.0, 43.0]).reshape(1, 3, 1), "weight b meets x[b] for output 0, x[b + 1] for output 1"
    )


def loop(x, weight, stride, padding):
    """The definition, number by number."""
    n, height, width, channels = x.shape
    kh, kw = weight.shape[:2]
    rows = range(0, height + 2 * padding - kh + 1, stride)
    columns = range(0, width + 2 * padding - kw + 1, stride)
    y = np.zeros((n, len(rows), len(columns), channels))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            for a in range(kh):
                for b in range(kw):
                    r, s = top + a - padding, left + b - padding
                    if 0 <= r < height and 0 <= s < width:
                        y[:, i, j] += x[:, r, s] * weight[a, b]
    return y


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_places_with_strides(submission, rng):
    """The places are counted one by one."""
    for _ in range(12):
        kernel, stride, padding = (int(rng.integers(*ends)) for ends in ((1, 6), (1, 5), (0, 4)))
        size = kernel + int(rng.integers(0, 20))
        places = len(range(0, size + 2 * padding - kernel + 1, stride))
        assert expect_number(submission.output_size(size, kernel, stride, padding)) == places, "a last step may not fit"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_kernels_that_do_not_fit(submission, rng):
    """A kernel may be as large as the padded image, but not larger."""
    for _ in range(4):
        size, padding, stride = (int(rng.integers(*ends)) for ends in ((1, 20), (0, 4), (1, 5)))
        exact = size + 2 * padding
        found = expect_number(submission.output_size(size, exact, stride, padding))
        assert found == 1, "a kernel as large as the padded image fits in one place"
        message = "a kernel larger than the padded image does not fit: raise ValueError"
        expect_error(ValueError, submission.output_size, size, exact + 1, stride, padding, message=message)


@pytest.mark.hidden
@pytest.mark.points(3.5)
def test_convolutions_of_any_shape(submission, rng):
    """Your outputs are compared with the definition, for several strides, paddings and kernels, and for no images."""
    right = 0
    for images, (height, width, kh, kw, stride, padding) in zip((2, 1, 3, 2, 2, 0), CASES, strict=True):
        x, weight = rng.normal(size=(3, images, height, width)), rng.normal(size=(kh, kw, 3))
        x = x.transpose(1, 2, 3, 0)  # channels that are not neighbours in memory
        expected = loop(x, weight, stride, padding)
        y = expect_array(submission.depthwise(x, weight, stride, padding), None, "float")
        right += y.shape == expected.shape and np.allclose(y, expected)
    assert right > 1, "each channel has its own filter, applied at every place of the padded image"
    if right < len(CASES):
        raise Partial(right / len(CASES) / 2, f"{right} of {len(CASES)} cases: mind stride, padding, and kh unlike kw")


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_the_dtype_stays(submission, rng):
    """float32 stays float32."""
    x, weight = rng.normal(size=(1, 4, 4, 2)).astype(np.float32), rng.normal(size=(3, 3, 2)).astype(np.float32)
    y = expect_array(submission.depthwise(x, weight, 1, 1), None, "float")
    assert y.any() and y.dtype == np.float32, "np.zeros makes float64, unless you pass it x.dtype"


@pytest.mark.hidden
@pytest.mark.points(3.8)
def test_derivatives_of_any_shape(submission, rng):
    """The derivatives are compared with how the convolution changes, weight by weight; without images they are 0."""
    for images, (height, width, kh, kw, stride, padding) in zip((2, 1, 3, 2, 2, 0), CASES, strict=True):
        x = rng.normal(size=(images, height, width, 2))
        g = rng.normal(size=loop(x, np.zeros((kh, kw, 2)), stride, padding).shape)
        expected = np.zeros((kh, kw, 2))
        for a in range(kh):
            for b in range(kw):
                one = np.zeros((kh, kw, 2))
                one[a, b] = 1  # y is linear in the weight, so its derivative by one weight is y with only that weight
                expected[a, b] = (g * loop(x, one, stride, padding)).sum((0, 1, 2))
        found = submission.weight_gradient(x, g, (kh, kw), stride, padding)
        expect_close(
            found, expected, "sum the pixels that a weight meets, times g, over images and places, per channel", 1e-6
        )


@pytest.mark.hidden
@pytest.mark.points(1)
def test_pixels_that_no_kernel_reaches(submission, rng):
    """With a stride, no weight may reach some pixels at the right and bottom."""
    x, weight = rng.normal(size=(1, 6, 6, 1)), rng.normal(size=(3, 3, 1))
    y = submission.depthwise(x, weight, 2, 0)
    expect_close(
        y, loop(x, weight, 2, 0), "with a stride of 2, 6 pixels and a kernel of 3, the last pixel is not reached"
    )
    x[:, 5], x[:, :, 5] = 7, 7
    expect_close(submission.depthwise(x, weight, 2, 0), y, "the last row and column are not reached here")
