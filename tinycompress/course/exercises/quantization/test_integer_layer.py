"""Tests of integer_layer. Public: the statement's numbers. Hidden: many layers, rounding, both ends of a byte, overflow."""

from fractions import Fraction

import numpy as np
import pytest

from tinycompress.course import Partial, SubmissionProblem, expect_array, expect_close, expect_number, expect_tuple

MAY_IMPORT = ()


def three(value, shape):
    """The parts of a quantized layer, checked for shape and kind."""
    w, scale, b = expect_tuple(value, 3)
    expect_array(w, shape, "int", "the weights")
    return w, float(expect_number(scale, "w_scale")), expect_array(b, shape[1:], "int", "the biases")


def two(value):
    """factor and shift, both integers."""
    parts = expect_tuple(value, 2)
    for name, part in zip(("factor", "shift"), parts, strict=True):
        assert isinstance(expect_number(part, name), int), f"{name} is an integer"
    return tuple(int(part) for part in parts)


@pytest.mark.public
@pytest.mark.points(0.3)
def test_weights_and_biases_to_check_by_hand(submission):
    """The greatest magnitude, 2.54, becomes 127 steps of 0.02."""
    w, scale, b = three(submission.quantized(np.array([[-2.54, 1.0]]), np.array([3.0, -0.05]), 0.5), (1, 2))
    expect_close(scale, 0.02, "the greatest magnitude / 127")
    assert w.tolist() == [[-127, 50]], "1.0 / 0.02 = 50"
    assert b.tolist() == [300, -5], "a bias has the scale of the products, x_scale * w_scale = 0.01"


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_factor_of_the_statement(submission):
    """The fraction 1288490189 / 2**32 is 0.3, to 31 bits; 1 is 2**30 / 2**30."""
    assert two(submission.fixed_point(0.3)) == (1288490189, 32), "shift 0.3 until it lies between 2**30 and 2**31"
    assert two(submission.fixed_point(1.0)) == (2**30, 30), "2**30 is allowed, 2**31 is not"


@pytest.mark.public
@pytest.mark.points(0.3)
def test_a_sum_to_check_by_hand(submission):
    """The sum is 7 + (5 - 2) * 10 + (0 - 2) * 100 = -163."""
    arguments = np.array([[5, 0]], np.uint8), 2, np.array([[10], [100]], np.int8), np.array([7], np.int32)
    expect_close(submission.accumulate(*arguments), [[-163]], "subtract the zero of x before you multiply", 0, 0)


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_rounding_of_the_statement(submission):
    """The factor is one half here: the sums -3, -2, 5 become -1 (from -1.5), -1, and 3 (from 2.5), beside the zero 100."""
    found = submission.rescale(np.array([[-3, -2, 5]], np.int32), 2**30, 31, 100, False)
    expect_close(found, [[99, 99, 103]], "add half of 2**shift, then shift: halves are rounded up", 0, 0)


def layer(rng, inputs, outputs, dtype="float64"):
    weight = (rng.normal(size=(outputs, inputs)) * rng.uniform(0.05, 2)).astype(dtype).T
    return weight, rng.normal(size=outputs).astype(dtype)


def in_integers(weight, bias, x_scale):
    """The definition in float64."""
    top = max(abs(float(w)) for w in weight.ravel())
    scale = top / 127 if top else 1.0
    ends = [float(np.rint(float(b) / (x_scale * scale))) for b in bias]
    b = [int(min(max(value, -(2.0**31)), 2.0**31 - 1)) for value in ends]
    return np.rint(weight.astype(np.float64) / scale).astype(int), scale, np.array(b)


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_weights_of_many_layers(submission, rng):
    """One scale for all weights of a layer, positive and negative; what is given is not changed."""
    changed, right = False, True
    for shape in (7, 5), (1, 9), (30, 1):
        weight, bias = layer(rng, *shape)
        w, scale, _ = three(submission.quantized(weight, bias, 0.02), shape)
        changed |= bool(submission.changed)
        expected, expected_scale, _ = in_integers(weight, bias, 0.02)
        expect_close(scale, expected_scale, "w_scale is the greatest magnitude of the layer / 127")
        expect_close(w, expected, "divide the weights by w_scale, and round to the nearest integer", 0, 0)
        right &= w.dtype == np.int8
    if not right or changed:
        raise Partial(0.7, "weights are returned as a new array of int8")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_biases_have_the_scale_of_the_products(submission, rng):
    """Biases are far finer than a byte: they have 32 bits. Your own w_scale counts as right here."""
    for x_scale in rng.uniform(0.001, 0.1, 2).tolist():
        weight, bias = layer(rng, 8, 12)
        _, scale, b = three(submission.quantized(weight, bias, x_scale), (8, 12))
        expect_close(b, np.rint(bias / (x_scale * scale)), "divide biases by x_scale * w_scale, and round", 0, 1)
    if b.dtype != np.int32:
        raise Partial(0.7, "biases are returned as int32")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_biases_beyond_32_bits(submission, rng):
    """A bias that is too large becomes the nearest end of int32; the others are not affected."""
    weight, bias = layer(rng, 4, 6)
    at = rng.permutation(6)
    bias[at[0]], bias[at[1]] = 1e9, -1e9
    _, _, b = three(submission.quantized(weight, bias, 1e-4), (4, 6))
    expect_close(b, in_integers(weight, bias, 1e-4)[2], "clip before int32 wraps around", 0, 1)


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_a_layer_of_zeros(submission, rng):
    """Its scale is 1, and its biases are still there."""
    bias = rng.normal(size=3)
    w, scale, b = three(submission.quantized(np.zeros((5, 3)), bias, 0.01), (5, 3))
    assert scale == 1 and not w.any(), "w_scale is 1 if all weights are 0"
    expect_close(b, np.rint(bias / 0.01), "biases are divided by x_scale * 1", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_halves_of_weights_and_biases(submission, rng):
    """np.rint rounds a half to the even neighbour."""
    weight, bias = rng.integers(-126, 126, (6, 4)) + 0.5, rng.integers(-900, 900, 4) + 0.5
    weight[0] = 127
    w, _, b = three(submission.quantized(weight, bias, 1.0), (6, 4))
    expect_close(w, np.rint(weight), "round the weights as np.rint does", 0, 0)
    expect_close(b, np.rint(bias), "round the biases as np.rint does", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_single_precision(submission, rng):
    """Layers of float32 are computed in float64, or large biases lose bits."""
    weight, bias = layer(rng, 6, 5, "float32")
    w, scale, b = three(submission.quantized(weight, 300 * bias, 1e-4), (6, 5))
    expected = in_integers(weight, 300 * bias, 1e-4)
    expect_close(scale, expected[1], "convert the weights to float64 first", 1e-12, 0)
    expect_close(w, expected[0], "convert the weights to float64 first", 0, 0)
    expect_close(b, expected[2], "convert the biases to float64 first: float32 has 24 bits, and these need more", 0, 1)


@pytest.mark.hidden
@pytest.mark.points(1.3)
def test_factors_of_many_sizes(submission, rng):
    """Very small factors, and some above 1."""
    for m in (2.0 ** rng.uniform(-30, 29, 40)).tolist():
        factor, shift = two(submission.fixed_point(m))
        assert 2**30 <= factor < 2**31, "the factor uses 31 bits: shift it until 2**30 <= factor < 2**31"
        assert 0 <= shift < 64, "factor / 2**shift is m, for an m above 1, too"
        assert abs(Fraction(factor, 2**shift) - Fraction(m)) <= Fraction(1, 2 ** (shift + 1)), (
            "the nearest factor is off by half of 1 / 2**shift at most: round it"
        )


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_factors_near_a_power_of_two(submission, rng):
    """Just below it the factor is rounded up to the power; the power itself is exact."""
    for exponent in rng.permutation(np.arange(-29, 29))[:8].tolist():
        m = 2.0**exponent
        assert two(submission.fixed_point(m)) == (2**30, 30 - exponent), "a power of two has the factor 2**30"
        assert two(submission.fixed_point(np.nextafter(m, 0).item())) == (2**30, 30 - exponent), (
            "2**31 has 32 bits: halve the factor, and shift by one bit less"
        )


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_sums_are_exact(submission, rng):
    """Sums of many products, compared with 64-bit arithmetic."""
    right, cases = 0, [(3, 4000, 5, 150), (1, 64, 1, 0), (4, 1, 7, 0), (2, 9000, 3, 150)]
    for batch, inputs, outputs, least in cases:
        x = rng.integers(least, 256, (inputs, batch)).astype(np.uint8).T
        w = rng.integers(-127, 128, (inputs, outputs)).astype(np.int8)
        w[:, 0] = rng.integers(90, 128, inputs)  # sums above 2^24 in this output
        x_zero, b = int(rng.integers(60, 99)), rng.integers(-(2**28), 2**28, outputs).astype(np.int32)
        y = expect_array(submission.accumulate(x, x_zero, w, b), (batch, outputs), "int", "the sums")
        right += np.array_equal(y, (x.astype(np.int64) - x_zero) @ w.astype(np.int64) + b)
    assert right, "bytes wrap around: convert to int32 before you subtract or multiply, and add the bias"
    if right < len(cases):
        raise Partial(right / len(cases) / 2, f"{right} of {len(cases)} shapes are exact: use integers of 32 bits only")
    if y.dtype != np.int32:
        raise Partial(0.8, "sums are returned as int32")


def rescaled(sums, factor, shift, y_zero, relu):
    """The definition, number by number, in fractions."""
    y = [y_zero + (2 * int(s) * factor + 2**shift) // 2 ** (shift + 1) for s in sums.ravel()]
    return np.array([min(max(v, y_zero if relu else 0), 255) for v in y]).reshape(sums.shape)


def factor_of(rng, low, high):
    return int(rng.integers(2**30, 2**31)), int(rng.integers(low, high))


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_outputs_of_many_sizes(submission, rng):
    """Sums of any sign up to 32 bits; factors from far below 1 to above it."""
    for low, high, size in (50, 54, 2**31 - 1), (34, 38, 9000), (29, 31, 90):
        sums = rng.integers(-size, size, (9, 5)).astype(np.int32)
        given = sums, *factor_of(rng, low, high), int(rng.integers(60, 200)), False
        found = expect_array(submission.rescale(*given), (9, 5), "int", "the outputs")
        message = "y_zero + round(sum * factor / 2**shift), with products of 64 bits; clip to 0 and 255"
        expect_close(found, rescaled(*given), message, 0, 0)
    if found.dtype != np.uint8:
        raise Partial(0.8, "outputs are returned as uint8")


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_halves_are_rounded_up(submission, rng):
    """Sums times a power of two; below the zero, too."""
    for shift in 31, 33:
        sums = (2 * rng.integers(-40, 40, (4, 6)) + 1).astype(np.int32) << (shift - 31)
        found = expect_array(submission.rescale(sums, 2**30, shift, 128, False), (4, 6), "int", "the outputs")
        expect_close(found, rescaled(sums, 2**30, shift, 128, False), "-1.5 is rounded to -1, and 1.5 to 2", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_both_ends_and_the_relu(submission, rng):
    """What does not fit becomes an end; with a ReLU nothing is below y_zero."""
    for y_zero, relu in (
        (int(rng.integers(90, 160)), True),
        (int(rng.integers(90, 160)), False),
        (0, True),
        (255, False),
    ):
        sums = rng.integers(-3000, 3000, (6, 8)).astype(np.int32)
        given = sums, *factor_of(rng, 33, 34), y_zero, relu
        found = expect_array(submission.rescale(*given), (6, 8), "int", "the outputs")
        message = "the ReLU's 0 is y_zero" if relu else "clip to 0 and 255 before uint8 wraps around"
        expect_close(found, rescaled(*given), message, 0, 0)


def composed(parts, x, x_grid, weight, bias, y_grid, relu):
    """The layer from its four parts."""
    quantized, fixed_point, accumulate, rescale = parts
    w, w_scale, b = quantized(weight, bias, x_grid[0])
    factor, shift = fixed_point(x_grid[0] * w_scale / y_grid[0])
    return np.asarray(rescale(accumulate(x, x_grid[1], w, b), factor, shift, y_grid[1], relu))


def exactly(m):
    shift = next(s for s in range(64) if round(Fraction(m) * 2**s) >= 2**30)
    return round(Fraction(m) * 2**shift), shift


def summed(x, x_zero, w, b):
    return (x.astype(np.int64) - x_zero) @ w + b


def one_of(found, submission, given):
    """Whether these are the layer's outputs; one's own parts count as right."""
    own = submission.quantized, submission.fixed_point, submission.accumulate, submission.rescale
    if np.array_equal(found, composed((in_integers, exactly, summed, rescaled), *given)):
        return True
    try:
        return np.ptp(found) > 1 and np.array_equal(found, composed(own, *given))
    except (SubmissionProblem, TypeError, ValueError, AttributeError, LookupError):
        return False


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_whole_layers(submission, rng):
    """From bytes to bytes, with and without a ReLU. Your own parts count as right here."""
    for relu, dtype in (True, "float64"), (False, "float32"):
        weight, bias = layer(rng, 20, 9, dtype)
        x, x_grid = rng.integers(0, 256, (7, 20)).astype(np.uint8), (float(rng.uniform(0.01, 0.02)), 3)
        real = x_grid[0] * (x.astype(float) - 3) @ weight + bias
        y_grid = float(np.ptp(real) / 200), int(rng.integers(100, 140))
        given = x, x_grid, weight, bias, y_grid, relu
        found = expect_array(submission.integer_layer(*given), (7, 9), "int", "the outputs")
        message = "quantize the layer, find the factor of x_scale * w_scale / y_scale, accumulate, and rescale"
        assert one_of(found, submission, given), message
