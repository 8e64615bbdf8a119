"""Tests of unseen_class. Public: small examples. Hidden: any logits, and impossible frequencies."""

import numpy as np
import pytest

from tinycompress import Tensor, functional
from tinycompress.course import expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()


def softmax(z):
    return functional.softmax(Tensor(z)).data


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_shift_of_equal_logits(submission):
    """Of two classes with equal logits, one becomes three times as probable with ln 3 more."""
    found = submission.shift(np.zeros((2, 2)), 1, 0.75)
    expect_close(found, np.log(3), "softmax of (0, ln 3) is (1/4, 3/4)", 0, 1e-5)


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_the_mean_probability_is_the_frequency(submission, rng):
    """Shifts of any class, up and down."""
    logits = 3 * rng.normal(size=(40, 6)) - [[0, 0, 0, 12, 0, 0]]
    for unseen, frequency in (3, 0.1), (3, 0.9), (0, 0.02), (5, 0.3), (1, 1e-4), (2, 1 - 1e-4):
        b = expect_number(submission.shift(logits, unseen, frequency), "the shift")
        mean = softmax(logits + b * (np.arange(6) == unseen))[:, unseen].mean()
        message = "the mean of the probabilities should be the frequency, not the share of images assigned to the class"
        assert abs(mean - frequency) < 2e-6, message


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_large_logits_and_impossible_frequencies(submission, rng):
    """Logits in the thousands have a shift, too; the frequencies 0 and 1 have none."""
    logits = 2 * rng.normal(size=(6, 3)) + [[2000], [-3000], [5000], [0], [-900], [900]]
    small = logits - logits.max(1, keepdims=True)
    b = expect_number(submission.shift(logits, 0, 0.5), "the shift")
    assert abs(softmax(small + [b, 0, 0])[:, 0].mean() - 0.5) < 2e-6, "exp(2000) overflows: subtract the largest logit"
    for bad in 0.0, 1.0, 1 + float(rng.random()), -float(rng.random()):
        message = "no shift makes a class occur never, always, or more often than that"
        expect_error(ValueError, submission.shift, logits, 0, bad, message=message)


@pytest.mark.public
@pytest.mark.points(0.2)
def test_new_frequencies_of_two_classes(submission):
    """A class becomes twice as frequent."""
    found = submission.with_new_frequencies(np.zeros((1, 2)), np.array([0.4, 0.6]), np.array([0.8, 0.2]))
    found = softmax(expect_array(found, (1, 2), "float"))
    expect_close(found, [[6 / 7, 1 / 7]], "0.5 * 0.8 / 0.4 to 0.5 * 0.2 / 0.6 is 6 to 1")


@pytest.mark.hidden
@pytest.mark.points(1.1)
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
def test_classes_that_vanish_and_classes_out_of_nothing(submission, rng):
    """A class that no longer occurs gets -inf; Bayes' rule cannot bring back a class that never occurred."""
    logits, (gone, never) = rng.normal(size=(3, 5)), rng.permutation(5)[:2].tolist()
    old, new = rng.uniform(0.1, 1, 5), rng.uniform(0.1, 1, 5)
    old[never] = new[never] = new[gone] = 0
    old, new = old / old.sum(), new / new.sum()
    found = submission.with_new_frequencies(logits, old, new)
    assert isinstance(found, np.ndarray) and found.shape == (3, 5), "the result should be an array of shape (3, 5)"
    assert (found[:, gone] == -np.inf).all(), "a class that no longer occurs gets -inf"
    assert (found[:, never] == -np.inf).all(), "a class that occurs neither before nor after gets -inf: no error"
    others = np.setdiff1d(np.arange(5), [gone, never])
    expected = softmax(logits[:, others]) * new[others] / old[others]
    expect_close(softmax(found[:, others]), expected / expected.sum(1, keepdims=True), "the others follow Bayes' rule")
    new[never], new[others[0]] = new[others[0]], 0
    message = "a class never occurred in training: no factor brings it back, only a teacher's outputs can"
    expect_error(ValueError, submission.with_new_frequencies, logits, old, new, message=message)


@pytest.mark.public
@pytest.mark.points(0.2)
def test_recalls_of_four_images(submission):
    """Two of three 0s are recognised, and the only 1."""
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 4.0]])
    expect_close(
        submission.recalls(logits, np.array([0, 0, 0, 1])), [2 / 3, 1], "of all 0s, the share that is recognised as 0"
    )


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_recalls_where_a_class_is_missing(submission, rng):
    """The share is of the class's own images, not of those assigned to it; it is NaN if there are none."""
    for missing in int(rng.integers(0, 4)), 4:
        logits, labels = rng.normal(size=(60, 5)), rng.choice(np.delete(np.arange(5), missing), 60)
        found = submission.recalls(logits, labels)
        assert isinstance(found, np.ndarray) and found.shape == (5,), "one recall per class, also for the last one"
        assert np.isnan(found[missing]), "if no image is of a class, its recall is unknown: NaN and not 0"
        for c in np.unique(labels):
            expected = (logits[labels == c].argmax(1) == c).mean()
            assert abs(found[c] - expected) < 1e-9, "the denominator is the number of images of the class"
