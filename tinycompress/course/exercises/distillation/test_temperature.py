"""Tests of temperature. Public: the statement's example and simple gradients. Hidden: difference quotients, calibration."""

import numpy as np
import pytest

from tinycompress.course import SubmissionProblem, expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_warmer_teacher_has_more_doubts(submission):
    """Logits (2, 0) at T = 2, and an image whose classes are equally likely."""
    p = expect_array(submission.soften(np.array([[2.0, 0.0], [0.0, 0.0]]), 2.0), (2, 2), "float", "the probabilities")
    expect_close(p.sum(1), [1, 1], "the probabilities of each image sum to 1")
    message = "dividing (2, 0) by T = 2 leaves (1, 0), and softmax comes after that"
    expect_close(p, [[0.73105858, 0.26894142], [0.5, 0.5]], message)


@pytest.mark.hidden
@pytest.mark.points(1)
def test_large_logits_do_not_overflow(submission, rng):
    """Logits may be in the thousands, above 0 in some examples and below it in others."""
    for temperature in 0.5, 1.0, float(rng.uniform(2, 9)):
        logits = rng.normal(size=(5, 4)) * 3
        expected = np.exp(logits / temperature) / np.exp(logits / temperature).sum(1, keepdims=True)
        found = submission.soften(logits + [[4000], [-9000], [0], [800], [-800]], temperature)
        message = "exp(800) is too large for a float: subtract the largest logit, of each example its own"
        expect_close(found, expected, message)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_temperatures_that_are_none(submission, rng):
    """A temperature is above 0."""
    for bad in 0.0, -float(rng.uniform(0.1, 5)):
        message, logits = "a temperature must be above 0: raise ValueError", rng.normal(size=(2, 3))
        expect_error(ValueError, submission.soften, logits, bad, message=message)
        found = expect_array(submission.soften(logits, 1.0), (2, 3), "float")
        assert np.array_equal(found.argsort(), logits.argsort()), "a temperature above 0 keeps the order of the classes"


@pytest.mark.public
@pytest.mark.points(0.1)
def test_nothing_to_learn_from_oneself(submission):
    """The gradient is 0 for a student that says what its teacher says."""
    z = np.array([[2.0, 0.0, 1.0]])
    found = submission.gradient(z, z, np.array([1]), 4.0, 1.0)
    expect_close(found, np.zeros((1, 3)), "with alpha = 1 only the teacher counts, and it agrees with the student")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_without_a_teacher_it_is_the_cross_entropy(submission):
    """With alpha = 0 only the labels count."""
    found = submission.gradient(np.array([[1.0, 0.0]]), np.array([[9.0, 0.0]]), np.array([1]), 3.0, 0.0)
    expect_close(found, [[0.73105858, -0.73105858]], "softmax(s) minus the one-hot label, at T = 1")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_net_that_is_too_sure(submission):
    """Of four equal answers, three are right: the probability of the answer should be 3/4."""
    found = expect_number(submission.calibrate(np.array(4 * [[5.0, 0.0]]), np.array([0, 0, 0, 1])), "the temperature")
    expect_close(found, 5 / np.log(3), "softmax of (5 / T, 0) is (3/4, 1/4) if 5 / T is ln 3", 1e-3)


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def loss(student, teacher, labels, temperature, alpha):
    soft = -(softmax(teacher / temperature) * np.log(softmax(student / temperature))).sum(1)
    hard = -np.log(softmax(student))[np.arange(len(labels)), labels]
    return float((alpha * temperature**2 * soft + (1 - alpha) * hard).mean())


def by_own_soften(submission, student, teacher, labels, temperature, alpha):
    """The gradient with the student's own `soften`, which may be wrong; None if that is of no use."""
    try:
        s, t = (submission.soften(z, temperature) for z in (student, teacher))
        hard = submission.soften(student, 1.0) - np.eye(student.shape[1])[labels]
        useful = np.ptp(s) > 0 and np.ptp(t) > 0 and not np.allclose(s, t)
        return (alpha * temperature * (s - t) + (1 - alpha) * hard) / len(labels) if useful else None
    except (SubmissionProblem, TypeError, ValueError):
        return None


@pytest.mark.hidden
@pytest.mark.points(1.2)
@pytest.mark.parametrize(("temperature", "alpha"), [(3.0, 1.0), (2.0, 0.7)], ids=["teacher", "teacher and labels"])
def test_the_gradient_is_the_limit_of_difference_quotients(submission, rng, temperature, alpha):
    """The gradient says how a small step of each logit changes the loss of a batch. Your own `soften` counts as right."""
    student, teacher, labels = 2 * rng.normal(size=(5, 3)), 2 * rng.normal(size=(5, 3)), rng.integers(0, 3, 5)
    found = expect_array(submission.gradient(student, teacher, labels, temperature, alpha), (5, 3), "float")
    expected = np.zeros((5, 3))
    for index in np.ndindex(5, 3):
        step = np.zeros((5, 3))
        step[index] = 1e-5
        above, below = (loss(student + s, teacher, labels, temperature, alpha) for s in (step, -step))
        expected[index] = (above - below) / 2e-5
    message = "d/ds of T^2 * cross-entropy at T is T * (softmax(s/T) - softmax(t/T)), and both parts are means"
    if not np.allclose(found, expected, 1e-4, 1e-6):
        own = by_own_soften(submission, student, teacher, labels, temperature, alpha)
        assert own is not None, message
        expect_close(found, own, message)


def slope(logits, labels, temperature):
    """Derivative of the cross-entropy by 1 / T: below 0 where T is too large."""
    right = logits[np.arange(len(labels)), labels]
    return ((softmax(logits / temperature) * logits).sum(1) - right).mean()


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_the_calibrated_temperature_is_found(submission, rng):
    """Labels are drawn from the logits' probabilities at other temperatures: low, high, and in between."""
    for scale in 0.15, 0.7, 1.0, 6.3, 14.0:
        logits = 3 * rng.normal(size=(400, 5))
        labels = (softmax(logits).cumsum(1) < rng.random((400, 1))).sum(1)
        logits *= scale
        found = expect_number(submission.calibrate(logits, labels), "the temperature")
        assert 0.05 <= found <= 20, "the temperature is between 0.05 and 20"
        message = "there is a better temperature: halve the interval until it is as narrow as 0.1 %"
        assert slope(logits, labels, found * 1.001) < 0 < slope(logits, labels, found / 1.001), message


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_temperatures_at_the_ends_of_the_range(submission, rng):
    """A net that is always right should be as sure as allowed; one that is always wrong, as unsure."""
    labels = rng.integers(0, 4, 300)
    sure = float(rng.uniform(0.3, 0.6)) * np.eye(4)[labels]
    found = expect_number(submission.calibrate(sure, labels), "the temperature")
    assert abs(found / 0.05 - 1) < 0.0011, "always right: the lowest temperature, 0.05"
    unsure = float(rng.uniform(3, 6)) * np.eye(4)[(labels + 1) % 4]
    found = expect_number(submission.calibrate(unsure, labels), "the temperature")
    assert abs(found / 20 - 1) < 0.0011, "always wrong: the highest temperature, 20"
