"""Tests of n_of_m. Public: small examples. Hidden: more ties, any shape, and products."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_tuple

MAY_IMPORT = ()

COLUMN = np.array([[0.1, -0.9, 0.3, 0.2, 0.5, -0.1, -0.6, 0.4]], np.float32).T


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_two_largest_of_four_stay(submission):
    """Of every four inputs of a neuron, the two of largest magnitude stay."""
    mask = expect_array(submission.n_of_m_mask(np.hstack([COLUMN, COLUMN[::-1]]), 2, 4), (8, 2), "bool", "the mask")
    first = mask[:, 0].tolist()
    assert first == mask[::-1, 1].tolist(), "a group is m consecutive inputs (rows) of one neuron (a column)"
    assert first[1] and first[2], "the first group keeps -0.9 and 0.3: magnitude decides, not the sign"
    assert first == [False, True, True, False, True, False, True, False], (
        "of 0.5, -0.1, -0.6 and 0.4 two stay: 0.5 and -0.6"
    )


@pytest.mark.public
@pytest.mark.points(0.3)
def test_of_equals_the_earlier_stay(submission):
    """Of equal magnitudes, the earlier input is kept."""
    mask = expect_array(submission.n_of_m_mask(np.array([[0.5, -0.5, 0.1, 0.5]]).T, 2, 4), (4, 1), "bool", "the mask")
    assert mask.sum() == 2, "a threshold keeps more than n where magnitudes are equal: rank them instead"
    assert mask[:, 0].tolist() == [True, True, False, False], "of 0.5, -0.5 and 0.5 the first two stay: sort stably"


@pytest.mark.public
@pytest.mark.points(0.3)
def test_packed_values_and_places(submission):
    """Packing keeps the values, and their places in their groups."""
    mask = np.array([[0, 1, 1, 0, 1, 0, 1, 0]], bool).T
    values, places = expect_tuple(submission.pack(COLUMN, mask, 2, 4), 2)
    expect_close(values, COLUMN[mask[:, 0]], "the values are the kept weights, in order of the inputs", name="values")
    expect_array(places, (4, 1), "int", "places")
    assert places[:, 0].tolist() == [1, 2, 0, 2], "a place counts within its group, from 0 to m - 1"


@pytest.mark.public
@pytest.mark.points(0.3)
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
@pytest.mark.points(2.4)
def test_masks_of_any_shape(submission, rng):
    """Masks of many neurons, and patterns other than 2:4."""
    right = 0
    cases = [(8, 5, 2, 4), (4, 1, 1, 2), (12, 7, 1, 4), (784, 3, 3, 8), (6, 4, 3, 3), (4, 2, 1, 1), (8, 8, 2, 4)]
    for inputs, outputs, n, m in cases:
        weight = rng.normal(size=(outputs, inputs)).astype(np.float32).T
        mask = expect_array(submission.n_of_m_mask(weight, n, m), weight.shape, "bool", "the mask")
        right += np.array_equal(mask, loop_mask(weight, n, m))
    assert right > 2, "a group is m consecutive inputs (rows) of one neuron (a column)"
    if right < len(cases):
        raise Partial(right / len(cases) / 2, f"{right} of {len(cases)} patterns; n and m are not always 2 and 4")


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_ties_go_to_the_earlier_input(submission, rng):
    """Exactly n stay if magnitudes are equal, and these are the earlier ones."""
    for n, m in (2, 4), (3, 16):
        weight = rng.integers(-2, 3, (16, 6)).astype(np.float32)
        mask = expect_array(submission.n_of_m_mask(weight, n, m), weight.shape, "bool", "the mask")
        counts = mask.reshape(-1, m, 6).sum(1)
        assert (counts == n).all(), "a threshold keeps more than n where magnitudes are equal: rank them instead"
        assert np.array_equal(mask, loop_mask(weight, n, m)), "of equal magnitudes the earlier one stays: sort stably"


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_inputs_that_make_no_whole_groups_are_refused(submission, rng):
    """A weight whose number of inputs m does not divide is refused."""
    for m in 4, 5:
        inputs = m * int(rng.integers(1, 9)) + int(rng.integers(1, m))
        weight = rng.normal(size=(inputs, 2 * m)).astype(np.float32)
        message = "some inputs are left over at the end, which are no whole group"
        expect_error(ValueError, submission.n_of_m_mask, weight, 2, m, message=message)
        whole = weight[: inputs // m * m]
        mask = expect_array(submission.n_of_m_mask(whole, 2, m), whole.shape, "bool", "the mask")
        assert mask.sum() == 2 * len(whole) // m * 2 * m, "of whole groups, n of every m are kept"


@pytest.mark.hidden
@pytest.mark.points(2.1)
def test_packing_any_mask(submission, reference, rng):
    """Packing follows the mask, however it was chosen: kept weights may be 0. Several dtypes."""
    for n, m, outputs, dtype in (2, 4, 6, "float32"), (1, 4, 3, "float64"), (3, 8, 2, "float16"), (2, 16, 1, "float32"):
        weight = rng.integers(-1, 2, (m * 50, outputs)).astype(dtype)
        mask = loop_mask(rng.normal(size=weight.shape), n, m)
        values, places = expect_tuple(submission.pack(weight, mask, n, m), 2)
        expected_values, expected_places = reference.pack(weight, mask, n, m)
        message = "the mask says which weights stay, and their order is that of the inputs, not of the magnitudes"
        expect_close(values, expected_values, message, 0, 0, "values")
        expect_close(places, expected_places, message, 0, 0, "places")
        if values.dtype != weight.dtype or places.dtype != np.uint8:
            raise Partial(
                0.7, "values keep the weight's dtype; a place fits into uint8, which makes the packed weight small"
            )


@pytest.mark.hidden
@pytest.mark.points(2.1)
def test_the_product_is_that_of_the_masked_weight(submission, reference, rng):
    """Packed products of any shape, with many inputs."""
    for n, m, batch, groups, outputs in (2, 4, 5, 196, 6), (1, 4, 1, 3, 3), (3, 8, 2, 40, 1), (2, 2, 3, 2, 2):
        weight = rng.normal(size=(groups * m, outputs)).astype(np.float32)
        mask = loop_mask(weight, n, m)
        x = rng.normal(size=(batch, groups * m)).astype(np.float32)
        y = submission.packed_matmul(x, *reference.pack(weight, mask, n, m), n, m)
        message = "it should equal x @ (weight * mask); places are uint8, which wraps around above 255"
        expect_close(y, x @ (weight * mask), message, 1e-3, 1e-4)
