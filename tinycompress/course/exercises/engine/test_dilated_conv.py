"""Tests of dilated_conv. Public: the statement's row. Hidden: the formula, difference quotients and speed."""

import numpy as np
import pytest

from tinycompress.course import expect_array, expect_close, expect_error, expect_number, expect_tuple

MAY_IMPORT = ()

ROW, WEIGHTS = np.arange(1.0, 7).reshape(1, 1, 6, 1), np.array([1.0, 10, 100]).reshape(1, 3, 1, 1)


@pytest.mark.public
@pytest.mark.points(1)
def test_the_output_of_one_row(submission):
    """The example of the statement."""
    found = expect_array(submission.forward(ROW, WEIGHTS, 2), (1, 1, 2, 1), "float")
    expect_close(found.ravel(), [531, 642], "take every second pixel, from left to right, without flipping the kernel")


@pytest.mark.public
@pytest.mark.points(1)
def test_the_size_of_the_output(submission):
    """Kernels with and without holes."""
    for kernel, dilation, size in ((3, 3), 1, (8, 6)), ((3, 3), 2, (6, 4)), ((1, 5), 1, (10, 4)):
        found = expect_tuple(submission.output_size(10, 8, kernel, dilation), 2)
        assert found == size, f"{kernel} with dilation {dilation} fits into 10 x 8 pixels at {size} places"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_a_window_that_does_not_fit_is_refused(submission):
    """A window may fit exactly, or not at all."""
    assert expect_tuple(submission.output_size(5, 9, (3, 2), 2), 2) == (1, 7), "a window of 5 fits into 5 pixels, once"
    message = "a window of 5 x 5 pixels does not fit into 4 x 9"
    expect_error(ValueError, submission.output_size, 4, 9, (3, 3), 2, message=message)


def formula(x, w, d):
    kh, kw, _, outputs = w.shape
    y = np.zeros((len(x), x.shape[1] - (kh - 1) * d, x.shape[2] - (kw - 1) * d, outputs))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            window = x[:, i : i + (kh - 1) * d + 1 : d, j : j + (kw - 1) * d + 1 : d]
            y[:, i, j] = np.einsum("nabc,abco->no", window, w)
    return y


@pytest.mark.hidden
@pytest.mark.points(2)
def test_outputs_of_any_shape(submission, rng):
    """Several images, channels, outputs and dilations; kernels that are not square."""
    for shape, kernel, d in ((2, 6, 7, 3), (3, 2), 2), ((1, 5, 5, 1), (1, 1), 3), ((3, 9, 8, 2), (2, 3), 3):
        x, w = rng.normal(size=shape), rng.normal(size=(*kernel, shape[-1], 4))
        message = "y[n, i, j, o] sums x[n, i + a d, j + b d, c] * w[a, b, c, o] over a, b and c"
        expect_close(submission.forward(x, w, d), formula(x, w, d), message, 1e-6, 1e-8)


@pytest.mark.public
@pytest.mark.points(1)
def test_the_gradients_of_one_row(submission):
    """The example of the statement, backward, from dL/dy = (1, 1000)."""
    grad = np.array([1.0, 1000]).reshape(1, 1, 2, 1)
    dx, dw = expect_tuple(submission.backward(grad, ROW, WEIGHTS, 2), 2)
    expect_close(expect_array(dw, (1, 3, 1, 1)).ravel(), [2001, 4003, 6005], "tap b saw x[b d] and x[1 + b d]")
    expect_close(expect_array(dx, (1, 1, 6, 1)).ravel(), [1, 1000, 10, 10000, 100, 100000], "each pixel, by its taps")


@pytest.mark.hidden
@pytest.mark.points(3)
@pytest.mark.parametrize("which", ["x", "w"])
def test_gradients_are_limits_of_difference_quotients(submission, rng, which):
    """A derivative says how a small step of x or w changes the loss."""
    x, w, d = rng.normal(size=(2, 6, 5, 2)), rng.normal(size=(3, 2, 2, 3)), 2
    grad = rng.normal(size=formula(x, w, d).shape)
    value, place = (x, 0) if which == "x" else (w, 1)
    expected = np.zeros_like(value)
    for index in np.ndindex(value.shape):
        step = np.zeros_like(value)
        step[index] = 1
        moved = formula(step, w, d) if which == "x" else formula(x, step, d)  # y is linear in each of them
        expected[index] = (grad * moved).sum()
    found = expect_tuple(submission.backward(grad, x, w, d), 2)[place]
    message = {
        "x": "several outputs see a pixel, each through another tap: what flows back through them adds up",
        "w": "a tap is used at every output pixel of every image: its derivative is the sum over all of them",
    }[which]
    expect_close(found, expected, message, 1e-6, 1e-8)


@pytest.mark.hidden
@pytest.mark.points(1)
def test_the_receptive_field_of_several_layers(submission):
    """One layer, equal layers, and doubling dilations."""
    for kernel, dilations, pixels in (
        (3, [1], 3),
        (3, [1, 1, 1], 7),
        (3, [1, 2, 4, 8], 31),
        (5, [3, 2], 21),
        (1, [9], 1),
    ):
        found = expect_number(submission.receptive_field(kernel, dilations), "the receptive field")
        assert found == pixels, f"layers with kernels of {kernel} and dilations {dilations} see {pixels} pixels"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_it_is_fast_enough_for_a_net(submission, rng):
    """16 images of 28 x 28 pixels, 16 channels and 16 outputs: 21 million products."""
    x, w = rng.normal(size=(16, 28, 28, 16)).astype(np.float32), rng.normal(size=(3, 3, 16, 16)).astype(np.float32)
    submission.timeout = 30
    submission.forward(x[:1], w, 2)  # may compile
    y = expect_array(submission.forward(x, w, 2), (16, 24, 24, 16), "float")
    message = "more than half a second: loop only over the taps, and use whole arrays for the rest; or compile with numba.njit"
    assert submission.elapsed < 0.5, message
    expect_close(y[5], formula(x[5:6], w, 2)[0], "fast, but wrong", 1e-3, 1e-3)
