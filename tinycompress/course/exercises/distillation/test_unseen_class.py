"""Tests of unseen_class. Public: small examples. Hidden: any logits, and impossible frequencies."""

import numpy as np
import pytest

from tinycompress import Tensor, functional
from tinycompress.course import expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()


def softmax(z):
    return functional.softmax(Tensor(z)).data


@pytest.mark.public
@pytest.mark.points(1)
def test_the_shift_of_equal_logits(submission):
    """Of two classes with equal logits, one becomes three times as probable with ln 3 more."""
    found = submission.shift(np.zeros((2, 2)), 1, 0.75)
    expect_close(found, np.log(3), "softmax of (0, ln 3) is (1/4, 3/4)", 0, 1e-5)


@pytest.mark.hidden
@pytest.mark.points(1)
def test_the_mean_probability_is_the_frequency(submission, rng):
    """Shifts of any class, up and down."""
    logits = 3 * rng.normal(size=(40, 6)) - [[0, 0, 0, 12, 0, 0]]
    for unseen, frequency in (3, 0.1), (3, 0.9), (0, 0.02), (5, 0.3):
        b = expect_number(submission.shift(logits, unseen, frequency), "the shift")
        mean = softmax(logits + b * (np.arange(6) == unseen))[:, unseen].mean()
        message = "the mean of the probabilities should be the frequency, not the share of images assigned to the class"
        assert abs(mean - frequency) < 2e-6, message


@pytest.mark.hidden
@pytest.mark.points(1)
def test_large_logits_and_impossible_frequencies(submission, rng):
    """Logits in the thousands have a shift, too; the frequencies 0 and 1 have none."""
    logits = np.array([[2000.0, 2003.0, 1999.0], [-3000.0, -2999.0, -3002.0]])
    small = logits - logits.max(1, keepdims=True)
    b = expect_number(submission.shift(logits, 0, 0.5), "the shift")
    assert abs(softmax(small + [b, 0, 0])[:, 0].mean() - 0.5) < 2e-6, "exp(2000) overflows: subtract the largest logit"
    for bad in 0.0, 1.0, 1.5:
        expect_error(
            ValueError, submission.shift, logits, 0, bad, message=f"no shift makes a class as frequent as {bad}"
        )


@pytest.mark.public
@pytest.mark.points(1)
def test_new_frequencies_of_two_classes(submission):
    """A class becomes twice as frequent."""
    found = submission.with_new_frequencies(np.zeros((1, 2)), np.array([0.4, 0.6]), np.array([0.8, 0.2]))
    found = softmax(expect_array(found, (1, 2), "float"))
    expect_close(found, [[6 / 7, 1 / 7]], "0.5 * 0.8 / 0.4 to 0.5 * 0.2 / 0.6 is 6 to 1")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_bayes_rule_for_any_frequencies(submission, rng):
    """The probabilities follow Bayes' rule, for any offset of the logits."""
    logits, old, new = 2 * rng.normal(size=(8, 5)), rng.random(5), rng.random(5)
    old, new = old / old.sum(), new / new.sum()
    expected = softmax(logits) * new / old
    expected /= expected.sum(1, keepdims=True)
    found = expect_array(submission.with_new_frequencies(logits, old, new), (8, 5), "float")
    expect_close(
        softmax(found), expected, "probabilities are multiplied by new / old frequency: add its logarithm to the logits"
    )


@pytest.mark.hidden
@pytest.mark.points(1)
def test_classes_that_vanish_and_classes_out_of_nothing(submission):
    """A class that no longer occurs gets -inf; Bayes' rule cannot bring back a class that never occurred."""
    logits = np.zeros((1, 3))
    found = submission.with_new_frequencies(logits, np.array([0.5, 0.25, 0.25]), np.array([0.0, 0.5, 0.5]))
    assert isinstance(found, np.ndarray) and found.shape == (1, 3), "the result should be an array of shape (1, 3)"
    assert found[0, 0] == -np.inf and np.isfinite(found[0, 1:]).all(), "the first class no longer occurs: -inf"
    both = np.array([0.0, 0.5, 0.5]), np.array([0.0, 0.25, 0.75])
    never = submission.with_new_frequencies(logits, *both)
    assert isinstance(never, np.ndarray) and never.shape == (1, 3), "the result should be an array of shape (1, 3)"
    assert never[0, 0] == -np.inf, "a class that occurs neither before nor after gets -inf; that is not an error"
    wrong = np.array([0.0, 0.5, 0.5]), np.array([0.2, 0.4, 0.4])
    message = "class 0 never occurred in training: no factor brings it back, only a teacher's outputs can"
    expect_error(ValueError, submission.with_new_frequencies, logits, *wrong, message=message)


@pytest.mark.public
@pytest.mark.points(1)
def test_recalls_of_four_images(submission):
    """Two of three 0s are recognised, and the only 1."""
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 4.0]])
    expect_close(
        submission.recalls(logits, np.array([0, 0, 0, 1])), [2 / 3, 1], "of all 0s, the share that is recognised as 0"
    )


@pytest.mark.hidden
@pytest.mark.points(1)
def test_recalls_where_a_class_is_missing(submission, rng):
    """The share is of the class's own images, not of those assigned to it; it is NaN if there are none."""
    logits, labels = rng.normal(size=(60, 5)), rng.choice([0, 1, 2, 4], 60)
    found = submission.recalls(logits, labels)
    assert isinstance(found, np.ndarray) and found.shape == (5,), "one recall per class"
    assert np.isnan(found[3]), "no image is a 3: its recall is unknown, so NaN and not 0"
    for c in 0, 1, 2, 4:
        expected = (logits[labels == c].argmax(1) == c).mean()
        assert abs(found[c] - expected) < 1e-9, "the denominator is the number of images of the class"
