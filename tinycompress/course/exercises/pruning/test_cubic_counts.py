"""Tests of cubic_counts. Public: the statement's counts and one mask. Hidden: exactness, ties and errors."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_error, expect_number, expect_tuple

MAY_IMPORT = ()


def counts(submission, before, final, steps):
    """The answer as a list, checked for whole numbers."""
    answer = submission.removed_counts(before, final, steps)
    answer = answer.tolist() if isinstance(answer, np.ndarray) and answer.ndim == 1 else answer
    numbers = [expect_number(n, "a count") for n in expect_tuple(answer, steps, "the counts")]
    assert all(n == int(n) for n in numbers), "counts are whole numbers"
    return numbers


@pytest.mark.public
@pytest.mark.points(0.2)
def test_four_steps_to_64(submission):
    """The counts of the statement."""
    assert counts(submission, 0, 64, 4) == [37, 56, 63, 64], "many at first, few at the end: see the statement"


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_two_smallest_of_six_go(submission):
    """From a layer of which nothing is removed yet, the smallest magnitudes are removed."""
    weight = np.array([[0.5, -0.1, 0.3], [-0.7, 0.2, 0.15]], np.float32)
    mask = expect_array(submission.prune_to(weight, np.ones((2, 3), bool), 2), (2, 3), "bool", "the mask")
    assert mask.tolist() == [[True, False, True], [True, True, False]], "magnitude decides, not the sign; True = kept"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_counts_go_on_from_what_is_removed_already(submission, rng):
    """Some weights are removed already, and the formula's results are not whole numbers before they are rounded up."""
    for steps in 1, 3, 7, int(rng.integers(8, 30)):
        before = int(rng.integers(100, 200))
        final = before + 997
        expected = [ceil(final - 997 * Fraction(steps - k, steps) ** 3) for k in range(1, steps + 1)]
        found = counts(submission, before, final, steps)
        assert found[-1] == final, "after the last step `final` weights are removed"
        assert found == expected, "the cubic runs from `before` to `final`, and the result is rounded up"
    same = int(rng.integers(0, 99))
    assert counts(submission, same, same, 4) == 4 * [same], "there may be nothing more to remove"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_counts_are_exact(submission, rng):
    """Where the formula gives a whole number, that is the count; a hair more is rounded up."""
    for steps in range(2, 41):
        factor = int(rng.integers(5, 50))
        final = factor * steps**3
        expected = [final - factor * (steps - k) ** 3 for k in range(1, steps + 1)]
        message = "one weight too many: floats are not exact; multiply integers first, then divide once, with //"
        assert counts(submission, 0, final, steps) == expected, message
    k, steps = int(rng.integers(1, 900)), 997
    final = pow(-((steps - k) ** 3), -1, steps**3)  # so that the formula gives 1 / steps**3 more than a whole number
    expected = [-(final * ((steps - j) ** 3 - steps**3) // steps**3) for j in range(1, steps + 1)]
    message = "one weight too few: what is slightly above a whole number is rounded up, too, and no float shows it"
    assert counts(submission, 0, final, steps) == expected, message


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_counts_of_a_billion_weights(submission, rng):
    """A large net, pruned in thousands of steps."""
    final, steps = 10**9 - int(rng.integers(1, 1000)), int(rng.integers(4000, 5000))
    expected = [-(-(final * steps**3 - final * (steps - k) ** 3) // steps**3) for k in range(1, steps + 1)]
    message = "10^9 * 4000^3 does not fit into 64 bits, in which NumPy computes: Python's integers have no limit"
    assert counts(submission, 0, final, steps) == expected, message


def one_by_one(weight, mask, count):
    """The definition: remove the smallest kept weight, the first of equals, until enough are removed."""
    mask = mask.copy()
    while (~mask).sum() < count:
        kept = [(abs(weight[index]), index) for index in np.ndindex(mask.shape) if mask[index]]
        mask[min(kept)[1]] = False
    return mask


@pytest.mark.hidden
@pytest.mark.points(1)
def test_what_is_removed_stays_removed(submission, rng):
    """Exactly `count` weights are removed, even if some are equal, and none comes back, however large it was."""
    weight = rng.integers(-4, 5, (5, 7)).astype(np.float32).T  # row by row is not the order in memory
    mask = rng.random((7, 5)) < 0.7
    mask[0, 0], weight[0, 0] = False, 9
    changed = False
    for count in range(int((~mask).sum()), 36, 4):
        found = expect_array(submission.prune_to(weight, mask, count), mask.shape, "bool", "the mask")
        assert not (found & ~mask).any(), "a removed weight came back: its old value in `weight` must not count"
        assert (~found).sum() == count, "rank the weights: a threshold removes more than `count` where some are equal"
        assert np.array_equal(found, one_by_one(weight, mask, count)), "of equal magnitudes the first goes: sort stably"
        changed |= bool(submission.changed)
    if changed:
        raise Partial(0.7, "the old mask and the weights may still be needed: work on copies")


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_counts_that_cannot_be_are_refused(submission, rng):
    """`count` is neither less than the number already removed, nor more than the number of weights."""
    weight, mask = rng.normal(size=(7, 5)), rng.permutation(35).reshape(7, 5) >= int(rng.integers(4, 30))
    gone = int((~mask).sum())
    message = "some weights are removed already: a smaller count would bring them back"
    expect_error(ValueError, submission.prune_to, weight, mask, gone - 1, message=message)
    message = "more weights cannot be removed than there are"
    expect_error(ValueError, submission.prune_to, weight, mask, 36, message=message)
    found = expect_array(submission.prune_to(weight, mask, gone), mask.shape, "bool", "the mask")
    assert np.array_equal(found, mask), "to remove nothing more is not an error"
    found = expect_array(submission.prune_to(weight, mask, 35), mask.shape, "bool", "the mask")
    assert not found.any(), "to remove all weights is not an error"
