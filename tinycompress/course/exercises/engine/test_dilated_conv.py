"""Tests of dilated_conv. Public: the statement's row. Hidden: the formula, difference quotients and a whole layer."""

import numpy as np
import pytest

from tinycompress.course import (
    Partial,
    expect_array,
    expect_close,
    expect_error,
    expect_number,
    expect_tuple,
    speedup,
)

MAY_IMPORT = ()

ROW, WEIGHTS = np.arange(1.0, 7).reshape(1, 1, 6, 1), np.array([1.0, 10, 100]).reshape(1, 3, 1, 1)


@pytest.mark.public
@pytest.mark.points(0.6)
def test_the_output_of_one_row(submission):
    """The example of the statement."""
    found = expect_array(submission.forward(ROW, WEIGHTS, 2, (1, 2)), (1, 1, 2, 1), "float")
    expect_close(found.ravel(), [531, 642], "take every second pixel, from left to right, without flipping the kernel")


@pytest.mark.public
@pytest.mark.points(0.6)
def test_the_size_of_the_output(submission):
    """Kernels with and without holes."""
    for kernel, dilation, size in ((3, 3), 1, (8, 6)), ((3, 3), 2, (6, 4)), ((1, 5), 1, (10, 4)):
        found = expect_tuple(submission.output_size(10, 8, kernel, dilation), 2)
        assert found == size, f"{kernel} with dilation {dilation} fits into 10 x 8 pixels at {size} places"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_a_window_that_does_not_fit_is_refused(submission, rng):
    """A window may fit many times, exactly once, or not at all, along either axis."""
    for _ in range(8):
        kernel, dilation = tuple(rng.integers(1, 5, 2).tolist()), int(rng.integers(1, 4))
        window = [(k - 1) * dilation + 1 for k in kernel]
        more = rng.integers(0, 9, 2).tolist()
        found = expect_tuple(submission.output_size(window[0] + more[0], window[1] + more[1], kernel, dilation), 2)
        message = "n taps with dilation d reach over (n - 1) d + 1 pixels; a window that fits exactly fits once"
        assert found == (1 + more[0], 1 + more[1]), message
        if window[0] > 1:
            arguments = window[0] - 1, window[1] + 9, kernel, dilation
            expect_error(ValueError, submission.output_size, *arguments, message="the window is higher than the image")
        if window[1] > 1:
            arguments = window[0] + 9, window[1] - 1, kernel, dilation
            expect_error(ValueError, submission.output_size, *arguments, message="the window is wider than the image")


def places(x, w, d):
    """Height and width of y."""
    return x.shape[1] - (w.shape[0] - 1) * d, x.shape[2] - (w.shape[1] - 1) * d


def formula(x, w, d):
    kh, kw, _, outputs = w.shape
    y = np.zeros((len(x), *places(x, w, d), outputs))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            window = x[:, i : i + (kh - 1) * d + 1 : d, j : j + (kw - 1) * d + 1 : d]
            y[:, i, j] = np.einsum("nabc,abco->no", window, w)
    return y


@pytest.mark.hidden
@pytest.mark.points(5)
def test_outputs_of_any_shape(submission, rng):
    """Several images, channels, outputs and dilations; kernels that are not square; weights that lie by columns in memory."""
    changed = False
    for shape, kernel, d in ((2, 6, 7, 3), (3, 2), 2), ((1, 5, 5, 1), (1, 1), 3), ((3, 9, 8, 2), (2, 3), 3):
        x, w = rng.normal(size=shape), rng.normal(size=(4, shape[-1], *kernel[::-1])).T
        message = "y[n, i, j, o] sums x[n, i + a d, j + b d, c] * w[a, b, c, o] over a, b and c"
        expect_close(submission.forward(x, w, d, places(x, w, d)), formula(x, w, d), message, 1e-6, 1e-8)
        changed |= bool(submission.changed)
    if changed:
        raise Partial(0.8, "neither x nor w may be changed")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_no_images_have_no_outputs(submission, rng):
    """An empty batch gives an empty result."""
    found = submission.forward(np.zeros((0, 5, 6, 2)), rng.normal(size=(2, 3, 2, 4)), 1, (4, 4))
    expect_array(found, (0, 4, 4, 4), "float")


@pytest.mark.public
@pytest.mark.points(0.6)
def test_the_gradients_of_one_row(submission):
    """The example of the statement, backward, from dL/dy = (1, 1000)."""
    grad = np.array([1.0, 1000]).reshape(1, 1, 2, 1)
    dx, dw = expect_tuple(submission.backward(grad, ROW, WEIGHTS, 2), 2)
    expect_close(expect_array(dw, (1, 3, 1, 1)).ravel(), [2001, 4003, 6005], "tap b saw x[b d] and x[1 + b d]")
    expect_close(expect_array(dx, (1, 1, 6, 1)).ravel(), [1, 1000, 10, 10000, 100, 100000], "each pixel, by its taps")


@pytest.mark.hidden
@pytest.mark.points(4)
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


@pytest.mark.public
@pytest.mark.points(0.6)
def test_the_receptive_field_of_two_layers(submission):
    """Three taps with dilation 1, then three with dilation 2."""
    found = expect_number(submission.receptive_field(3, [1, 2]), "the receptive field")
    assert found == 7, "an output sees 3 pixels 2 apart, each of which sees 3 neighbours"


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_the_receptive_field_of_several_layers(submission, rng):
    """No layer, one layer, and several layers; kernels of one pixel."""
    for kernel, layers in (3, 0), (3, 1), (int(rng.integers(2, 9)), 3), (5, int(rng.integers(4, 9))), (1, 2):
        dilations = rng.integers(1, 9, layers).tolist()
        seen = np.ones(1)
        for d in dilations:
            taps = np.zeros((kernel - 1) * d + 1)
            taps[::d] = 1
            seen = np.convolve(seen, taps)
        found = expect_number(submission.receptive_field(kernel, dilations), "the receptive field")
        assert found == len(seen), "each layer adds what its window has beyond one pixel; without layers one is seen"


def loop_over_pixels(x, w, d, height, width):
    """The formula in Python, a pixel, a tap and a channel after the other."""
    y = np.zeros((len(x), height, width, w.shape[3]), x.dtype)
    for n, i, j, a, b, c in np.ndindex(len(x), height, width, *w.shape[:3]):
        y[n, i, j] += x[n, i + a * d, j + b * d, c] * w[a, b, c]


@pytest.mark.hidden
@pytest.mark.points(4)
@pytest.mark.timeout(60)
def test_a_whole_layer(submission, reference, rng):
    """16 images of 14 x 14 pixels, 16 channels and 16 outputs, timed in turns with a loop over all pixels."""
    w, changed = rng.normal(size=(3, 3, 16, 16)).astype(np.float32), False

    def yours():
        nonlocal x, changed
        x = rng.normal(size=x.shape).astype(np.float32)  # other images each time: results that were kept are of no use
        y = expect_array(submission.forward(x, w, 2, (10, 10)), (16, 10, 10, 16), "float")
        elapsed, changed = submission.elapsed, changed or bool(submission.changed)
        expected = reference.forward(x, w, 2, (10, 10))
        expect_close(y, expected, "right for a few images, but not for 16: compute all of them", 1e-3, 1e-3)
        assert y.dtype == np.float32, "y has the dtype of x: np.zeros makes float64, unless you pass it x.dtype"
        return elapsed

    x = np.zeros((16, 14, 14, 16), np.float32)
    ratio = speedup(submission, yours, lambda: loop_over_pixels(x[:1], w, 2, 10, 10), enough=10, part=1 / 16)
    if changed:
        raise Partial(0.7, "neither x nor w may be changed")
    if ratio < 10:  # a loop has the ratio 1, and on a busy machine now and then 2
        share = 0.5 + 0.5 * np.log(max(ratio, 3) / 3) / np.log(10 / 3)
        raise Partial(
            min(round(float(share), 1), 0.9),
            "right, but too slow: loop only over the taps, and use whole arrays; or compile with numba.njit",
        )
