"""Tests of groups. Public: the statement's channels. Hidden: any shape, derivatives, and budgets."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.2)
def test_two_groups_of_one(submission):
    """Two groups of one channel each: every channel has a factor of its own."""
    found = submission.grouped(np.array([[[[3.0, 4.0]]]]), np.array([[[10.0]], [[100.0]]]))
    expect_close(found, [[[[30, 400]]]], "output group k sees input group k alone")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_six_channels_are_dealt_out(submission):
    """The example of the statement."""
    found = submission.shuffled(np.arange(6.0).reshape(1, 1, 1, 6), 2)
    expect_close(found, np.array([0, 3, 1, 4, 2, 5.0]).reshape(1, 1, 1, 6), "the first of each group, then the second")


@pytest.mark.public
@pytest.mark.points(0.1)
def test_a_budget_of_72_weights(submission):
    """12 channels in 2 groups have 2 * 6 * 6 weights."""
    assert expect_number(submission.widest(75, 2)) == 12, "14 channels would have 2 * 7 * 7 = 98 weights"


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_outputs_of_any_shape(submission, rng):
    """Images that are not square, more or fewer outputs than inputs, one group, and a group per channel."""
    for shape, groups, outputs in ((2, 3, 4), 3, 2), ((1, 2, 1), 1, 5), ((3, 1, 2), 4, 1), ((1, 5, 3), 2, 7):
        inputs = int(rng.integers(1, 5))
        x, weight = rng.normal(size=(*shape, groups * inputs)), rng.normal(size=(groups, inputs, outputs))
        blocks = np.zeros((groups * inputs, groups * outputs))
        for k in range(groups):
            blocks[k * inputs : (k + 1) * inputs, k * outputs : (k + 1) * outputs] = weight[k]
        message = "as a matrix from all inputs to all outputs, the weight has its groups as blocks on the diagonal"
        expect_close(submission.grouped(x, weight), x @ blocks, message)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_float32_stays_float32(submission, rng):
    """Images in float32 and weights in float32."""
    x, weight = rng.normal(size=(2, 3, 3, 4)).astype(np.float32), rng.normal(size=(2, 2, 3)).astype(np.float32)
    found = expect_array(submission.grouped(x, weight), (2, 3, 3, 6), "float")
    expect_close(found[..., :3], x[..., :2] @ weight[0], "the first group's outputs come first", 1e-4, 1e-5)
    if found.dtype != np.float32:
        raise Partial(0.4, "np.zeros makes float64, unless you pass it x.dtype")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_cards_of_any_deck(submission, rng):
    """More groups than channels in each, one group, and a group per channel."""
    for groups, each in (3, 4), (4, 3), (1, 5), (5, 1), (2, 7):
        x = rng.normal(size=(2, 3, 2, groups * each))
        order = [group * each + place for place in range(each) for group in range(groups)]
        found = expect_array(submission.shuffled(x, groups), x.shape, "float")
        assert np.array_equal(found, x[..., order]), "channel 1 of the result is the first channel of the second group"


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_channels_that_do_not_fit(submission, rng):
    """Groups that do not divide the channels are refused, as are weights for other channels."""
    groups = int(rng.integers(2, 6))
    x = rng.normal(size=(1, 2, 2, 3 * groups + 1))
    expect_error(ValueError, submission.shuffled, x, groups, message=f"{x.shape[-1]} is no multiple of {groups}")
    weight = rng.normal(size=(groups, 3, 2))
    expect_error(ValueError, submission.grouped, x, weight, message="one channel has no group: raise ValueError")
    expect_close(submission.shuffled(x[..., :groups], groups), x[..., :groups], "groups of one channel do not move")


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_the_derivative_of_a_shuffle(submission, rng):
    """<grad, shuffled(x)> = <unshuffled(grad), x>, with any number of groups."""
    for groups, each in (2, 6), (4, 3), (3, 5), (1, 4):
        grad = rng.normal(size=(2, 1, 3, groups * each))
        expected = np.zeros_like(grad)
        for place in range(each):
            for group in range(groups):
                expected[..., group * each + place] = grad[..., place * groups + group]
        found = expect_array(submission.unshuffled(grad, groups), grad.shape, "float")
        message = "each channel's gradient goes back to where the channel came from, which is no second shuffle"
        assert np.array_equal(found, expected), message


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_the_widest_layer(submission, rng):
    """Budgets that are met exactly, nearly, and not even by one channel per group."""
    groups, each = int(rng.integers(2, 9)), int(rng.integers(3, 40))
    weights = groups * each**2
    for budget, expected in (weights, each), (weights - 1, each - 1), (weights + 1, each), (groups, 1), (groups - 1, 0):
        found = expect_number(submission.widest(budget, groups), "the number of channels")
        assert found == groups * expected, "C channels in g groups have C * C / g weights; equally many are allowed"
