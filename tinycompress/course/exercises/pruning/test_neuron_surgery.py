"""Tests of neuron_surgery. Public: small layers. Hidden: the outputs of pairs of layers."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_tuple

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.3)
def test_channels_of_two_pixels(submission):
    """One of two channels stays, in an image of two pixels."""
    rows = expect_array(submission.flattened_rows(np.array([True, False]), 1, 2), (4,), "bool", "the rows")
    assert rows.tolist() == [True, False, True, False], "channels are last: in memory they alternate, pixel after pixel"


@pytest.mark.hidden
@pytest.mark.points(1.1)
def test_rows_of_any_image(submission, rng):
    """The rows are those where flattening puts the kept channels."""
    for height, width, channels in (2, 3, 5), (4, 1, 3), (1, 1, 6):
        kept = rng.random(channels) < 0.5
        kept[0], kept[-1] = True, False
        image = np.zeros((height, width, channels), bool)
        image[:, :, kept] = True
        rows = expect_array(submission.flattened_rows(kept, height, width), (image.size,), "bool", "the rows")
        assert np.array_equal(rows, image.reshape(-1)), "flatten an image in which the kept channels are True, and look"


def layers(rng, inputs=6, neurons=7, outputs=3):
    shapes = (inputs, neurons), (neurons,), (neurons, outputs), (outputs,)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def output(x, weight, bias, reader, reader_bias):
    return np.maximum(x @ weight + bias, 0) @ reader + reader_bias


def four(answer, inputs, neurons, outputs, count=4):
    """The answer's arrays, checked for their shapes."""
    shapes = (inputs, neurons), (neurons,), (neurons, outputs), (outputs,)
    names = "weight", "bias", "reader", "reader_bias"
    parts = zip(expect_tuple(answer, count), shapes[:count], names[:count], strict=True)
    return [expect_array(part, shape, "float", name) for part, shape, name in parts]


@pytest.mark.public
@pytest.mark.points(0.3)
def test_one_of_two_neurons_goes(submission):
    """A neuron whose output is always 3 is removed; the reader's weight for it is 2."""
    weight, bias, reader, reader_bias = (
        np.array([[5.0, 0.0]]),
        np.array([1.0, 3.0]),
        np.array([[7.0], [2.0]]),
        np.ones(1),
    )
    kept, constant = np.array([True, False]), np.array([100.0, 3.0])
    found = four(submission.remove(weight, bias, reader, reader_bias, kept, constant), 1, 1, 1)
    assert [part.item() for part in found[:3]] == [5, 1, 7], "the other neuron stays as it was: column, bias and row"
    assert found[3].item() == 7, "1 + 3 * 2: what the neuron contributed moves into the reader's bias"


@pytest.mark.hidden
@pytest.mark.points(2.3)
def test_constant_neurons_go_without_a_trace(submission, rng):
    """No output changes if the removed neurons did not depend on the input; float32 stays float32."""
    same, changed = True, False
    for removed in (1, 4, 5), (), (6,):
        parts, x = layers(rng), rng.normal(size=(20, 6)).astype(np.float32)
        kept = ~np.isin(np.arange(7), removed)
        parts[0][:, ~kept], parts[1][~kept] = 0, 0.5 + rng.random(len(removed))
        constant = np.where(kept, 50, np.maximum(parts[1], 0)).astype(np.float64)
        found = four(submission.remove(*parts, kept, constant), 6, 7 - len(removed), 3)
        message = "the constants of the removed neurons, times their rows of the reader, are added to the reader's bias"
        expect_close(output(x, *found), output(x, *parts), message, 1e-4, 1e-4)
        for part, whole in zip(found[:2], parts[:2], strict=True):
            expect_close(part, whole[..., kept], "the neurons that are kept do not change, nor does their order", 0, 0)
        same &= all(part.dtype == np.float32 for part in found)
        changed |= bool(submission.changed)
    if changed:
        raise Partial(
            0.8, "the caller still has the old layers: reader_bias += … changes them, reader_bias + … does not"
        )
    if not same:
        raise Partial(0.7, "float32 layers stay float32, even with float64 constants")


@pytest.mark.public
@pytest.mark.points(0.3)
def test_twins_merge(submission):
    """Two equal neurons become one, with both of their rows of the reader added up."""
    weight, bias, reader = np.array([[2.0, 2.0, 1.0]]), np.array([1.0, 1.0, 0.0]), np.array([[10.0], [1.0], [5.0]])
    found = four(submission.merge(weight, bias, reader, 0, 1), 1, 2, 1, 3)
    assert found[2].ravel().tolist() == [11, 5], "the reader's weights of the two are added up"
    assert found[0].ravel().tolist() == [2, 1] and found[1].tolist() == [1, 0], "remove the second column and bias"


@pytest.mark.hidden
@pytest.mark.points(2.6)
def test_multiples_merge_without_a_trace(submission, rng):
    """No output changes when a multiple of another neuron is removed, whichever of them comes first."""
    x, changed = rng.normal(size=(20, 6)).astype(np.float32), False
    for stays, goes, factor in (1, 4, 3.0), (5, 2, 0.25), (6, 0, 1.0), (0, 1, 40.0):
        parts = layers(rng)
        parts[0][0, stays] = 0  # nothing to divide by
        parts[0][:, goes], parts[1][goes] = factor * parts[0][:, stays], factor * parts[1][stays]
        found = four(submission.merge(*parts[:3], stays, goes), 6, 6, 3, 3)
        message = "relu(s h) = s relu(h): multiply the removed neuron's row by s before you add it"
        changed |= bool(submission.changed)
        expect_close(output(x, *found, parts[3]), output(x, *parts), message, 1e-3, 1e-3)
    if changed:
        raise Partial(0.8, "the caller still has the old reader: add the row up in a copy of it")


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_what_is_no_multiple_is_refused(submission, rng):
    """Unrelated neurons, negative multiples, zeros, and neurons with another bias cannot be merged."""
    weight, bias, reader, _ = layers(rng)
    expect_error(ValueError, submission.merge, weight, bias, reader, 0, 1, message="these two are not multiples")
    weight[:, 2], bias[2] = -weight[:, 3], -bias[3]
    message = "relu(-h) is not -relu(h): negative multiples cannot be merged"
    expect_error(ValueError, submission.merge, weight, bias, reader, 3, 2, message=message)
    weight[:, 2], bias[2] = 2 * weight[:, 3], 2 * bias[3] + 5
    message = "the bias is a weight, too: it must be the same multiple"
    expect_error(ValueError, submission.merge, weight, bias, reader, 3, 2, message=message)
    weight[:, 2], bias[2] = 0, 0
    expect_error(ValueError, submission.merge, weight, bias, reader, 3, 2, message="0 is not a positive multiple")
    weight[:, 2], bias[2] = 2 * weight[:, 3], 2 * bias[3]
    four(submission.merge(weight, bias, reader, 3, 2), 6, 6, 3, 3)


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_how_exact_a_multiple_must_be(submission, rng):
    """Rounding is no difference, but one of a percent is: of the largest weight or bias, with its sign or without."""
    for factor in 0.01, 1.0, 100.0:
        for error, good in (2e-4, True), (0.01, False), (-0.01, False), (0.1, False):
            weight, bias, reader, _ = layers(rng)
            changed = int(rng.integers(0, 6))
            weight[changed, 3] *= not good  # rounding is no difference beside a weight of 0 either
            weight[:, 2], bias[2] = factor * weight[:, 3], factor * bias[3]
            largest = max(np.abs(weight[:, 2]).max(), abs(bias[2]))
            weight[changed, 2] += error * largest
            if good:
                four(submission.merge(weight, bias, reader, 3, 2), 6, 6, 3, 3)
            else:
                message = "one weight is far from the multiple: compare each with 0.1 % of the largest magnitude"
                expect_error(ValueError, submission.merge, weight, bias, reader, 3, 2, message=message)
