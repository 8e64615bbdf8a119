"""Tests of n_of_m. Public: small examples. Hidden: ties, any shape, and products."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_tuple

MAY_IMPORT = ()

COLUMN = np.array([[0.1, -0.9, 0.3, 0.2, 0.5, -0.1, -0.6, 0.4]], np.float32).T


@pytest.mark.public
@pytest.mark.points(1)
def test_the_two_largest_of_four_stay(submission):
    """Of every four inputs of a neuron, the two of largest magnitude stay."""
    mask = expect_array(submission.n_of_m_mask(COLUMN, 2, 4), (8, 1), "bool", "the mask")
    assert mask[1] and mask[2], "the first group keeps -0.9 and 0.3: magnitude decides, not the sign"
    assert mask[:, 0].tolist() == [False, True, True, False, True, False, True, False], "see the table in the statement"


@pytest.mark.public
@pytest.mark.points(1)
def test_packed_values_and_places(submission):
    """Packing keeps the values, and their places in their groups."""
    mask = np.array([[0, 1, 1, 0, 1, 0, 1, 0]], bool).T
    values, places = expect_tuple(submission.pack(COLUMN, mask, 2, 4), 2)
    expect_close(values, COLUMN[mask[:, 0]], "the values are the kept weights, in order of the inputs", name="values")
    expect_array(places, (4, 1), "int", "places")
    assert places[:, 0].tolist() == [1, 2, 0, 2], "a place counts within its group, from 0 to m - 1"


@pytest.mark.public
@pytest.mark.points(1)
def test_the_product_of_a_packed_weight(submission, rng):
    """The packed product equals the product with the weight that has its zeros."""
    x = rng.normal(size=(3, 8)).astype(np.float32)
    values, places = np.array([[-0.9, 0.3, 0.5, -0.6]], np.float32).T, np.array([[1, 2, 0, 2]], np.uint8).T
    expected = x[:, [1, 2, 4, 6]] @ values
    message = "value k belongs to input k // n * m + its place"
    expect_close(submission.packed_matmul(x, values, places, 2, 4), expected, message, atol=1e-5)


def loop_mask(weight, n, m):
    """The definition, group by group."""
    mask = np.zeros(weight.shape, bool)
    for start in range(0, len(weight), m):
        for column in range(weight.shape[1]):
            group = [(-abs(weight[start + k, column]), k) for k in range(m)]
            for _, k in sorted(group)[:n]:
                mask[start + k, column] = True
    return mask


@pytest.mark.hidden
@pytest.mark.points(2)
def test_masks_of_any_shape(submission, rng):
    """Masks of many neurons, and patterns other than 2:4."""
    right = 0
    cases = [(8, 5, 2, 4), (4, 1, 1, 2), (12, 7, 1, 4), (16, 3, 3, 8), (6, 4, 3, 3)]
    for inputs, outputs, n, m in cases:
        weight = rng.normal(size=(inputs, outputs)).astype(np.float32)
        mask = expect_array(submission.n_of_m_mask(weight, n, m), weight.shape, "bool", "the mask")
        right += np.array_equal(mask, loop_mask(weight, n, m))
    assert right, "a group is m consecutive inputs (rows) of one neuron (a column)"
    if right < len(cases):
        raise Partial(right / len(cases) / 2, f"{right} of {len(cases)} patterns; n and m are not always 2 and 4")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_ties_go_to_the_earlier_input(submission, rng):
    """Exactly n stay if magnitudes are equal, and these are the earlier ones."""
    weight = rng.integers(-2, 3, (16, 6)).astype(np.float32)
    mask = expect_array(submission.n_of_m_mask(weight, 2, 4), weight.shape, "bool", "the mask")
    counts = mask.reshape(4, 4, 6).sum(1)
    assert (counts == 2).all(), "a threshold keeps more than n where magnitudes are equal: rank them instead"
    assert np.array_equal(mask, loop_mask(weight, 2, 4)), "of equal magnitudes the earlier one stays: sort stably"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_inputs_that_make_no_whole_groups_are_refused(submission):
    """A weight whose number of inputs m does not divide is refused."""
    weight = np.ones((10, 2), np.float32)
    expect_error(ValueError, submission.n_of_m_mask, weight, 2, 4, message="10 inputs in groups of 4 leave 2 over")


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_packing_any_mask(submission, reference, rng):
    """Packing follows the mask, however it was chosen."""
    for n, m, outputs in (2, 4, 6), (1, 4, 3), (3, 8, 2):
        weight = rng.normal(size=(2 * m * 3, outputs)).astype(np.float32)
        mask = loop_mask(rng.normal(size=weight.shape), n, m)
        values, places = expect_tuple(submission.pack(weight, mask, n, m), 2)
        expected_values, expected_places = reference.pack(weight, mask, n, m)
        message = "the mask says which weights stay, and their order is that of the inputs, not of the magnitudes"
        expect_close(values, expected_values, message, 0, 0, "values")
        expect_close(places, expected_places, message, 0, 0, "places")
        assert places.dtype == np.uint8, "a place fits into uint8, which is what makes the packed weight small"


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_the_product_is_that_of_the_masked_weight(submission, reference, rng):
    """Packed products of any shape."""
    for n, m, batch, outputs in (2, 4, 5, 6), (1, 4, 1, 3), (3, 8, 2, 1):
        weight = rng.normal(size=(3 * m, outputs)).astype(np.float32)
        mask = loop_mask(weight, n, m)
        x = rng.normal(size=(batch, 3 * m)).astype(np.float32)
        y = submission.packed_matmul(x, *reference.pack(weight, mask, n, m), n, m)
        expect_close(y, x @ (weight * mask), "it should equal x @ (weight * mask)", 1e-4, 1e-5)
