"""Tests of temperature. Public: the statement's example and simple gradients. Hidden: difference quotients, calibration."""

import numpy as np
import pytest

from tinycompress.course import expect_array, expect_close, expect_error, expect_number

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(1)
def test_a_warmer_teacher_has_more_doubts(submission):
    """The example of the statement."""
    expect_close(submission.soften(np.array([[2.0, 0.0]]), 2.0), [[0.73105858, 0.26894142]], "softmax of (1, 0)")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_large_logits_do_not_overflow(submission, rng):
    """Logits may be in the thousands; a temperature that is not above 0 is refused."""
    logits = np.array([[4000.0, 3990.0, -9000.0]])
    found = expect_array(submission.soften(logits, 5.0), (1, 3), "float")
    expect_close(found, [[0.88079708, 0.11920292, 0]], "exp(800) is too large for a float: subtract the largest logit")
    for bad in 0.0, -1.0:
        expect_error(ValueError, submission.soften, logits, bad, message="a temperature must be above 0")


@pytest.mark.public
@pytest.mark.points(1)
def test_nothing_to_learn_from_oneself(submission):
    """The gradient is 0 for a student that says what its teacher says."""
    z = np.array([[2.0, 0.0, 1.0]])
    found = submission.gradient(z, z, np.array([1]), 4.0, 1.0)
    expect_close(found, np.zeros((1, 3)), "with alpha = 1 only the teacher counts, and it agrees with the student")


@pytest.mark.public
@pytest.mark.points(1)
def test_without_a_teacher_it_is_the_cross_entropy(submission):
    """With alpha = 0 only the labels count."""
    found = submission.gradient(np.array([[1.0, 0.0]]), np.array([[9.0, 0.0]]), np.array([1]), 3.0, 0.0)
    expect_close(found, [[0.73105858, -0.73105858]], "softmax(s) minus the one-hot label, at T = 1")


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def loss(student, teacher, labels, temperature, alpha):
    soft = -(softmax(teacher / temperature) * np.log(softmax(student / temperature))).sum(1)
    hard = -np.log(softmax(student))[np.arange(len(labels)), labels]
    return float((alpha * temperature**2 * soft + (1 - alpha) * hard).mean())


@pytest.mark.hidden
@pytest.mark.points(2)
@pytest.mark.parametrize(("temperature", "alpha"), [(3.0, 1.0), (2.0, 0.7)])
def test_the_gradient_is_the_limit_of_difference_quotients(submission, rng, temperature, alpha):
    """The gradient says how a small step of each logit changes the loss of a batch."""
    student, teacher, labels = 2 * rng.normal(size=(4, 3)), 2 * rng.normal(size=(4, 3)), rng.integers(0, 3, 4)
    found = expect_array(submission.gradient(student, teacher, labels, temperature, alpha), (4, 3), "float")
    expected = np.zeros((4, 3))
    for index in np.ndindex(4, 3):
        step = np.zeros((4, 3))
        step[index] = 1e-5
        above, below = (loss(student + s, teacher, labels, temperature, alpha) for s in (step, -step))
        expected[index] = (above - below) / 2e-5
    message = "d/ds of T^2 * cross-entropy at T is T * (softmax(s/T) - softmax(t/T)), and both parts are means"
    expect_close(found, expected, message, 1e-4, 1e-6)


@pytest.mark.hidden
@pytest.mark.points(1)
def test_the_calibrated_temperature_is_found(submission, rng):
    """Labels are drawn from the logits' probabilities at a known temperature; then the same logits are made larger."""
    logits = 3 * rng.normal(size=(4000, 5))
    labels = (softmax(logits).cumsum(1) < rng.random((4000, 1))).sum(1)
    first = expect_number(submission.calibrate(logits, labels), "the temperature")
    assert 0.85 < first < 1.15, "these labels were drawn at T = 1, and there are enough of them to find it"
    second = expect_number(submission.calibrate(6.3 * logits, labels), "the temperature")
    assert abs(second / first / 6.3 - 1) < 0.004, (
        "logits 6.3 times as large need 6.3 times the temperature, within 0.1 %"
    )


@pytest.mark.hidden
@pytest.mark.points(1)
def test_temperatures_at_the_ends_of_the_range(submission, rng):
    """A net that is always right should be as sure as allowed; one that is always wrong, as unsure."""
    labels = rng.integers(0, 4, 300)
    sure = 0.5 * np.eye(4)[labels]
    assert expect_number(submission.calibrate(sure, labels)) < 0.051, "always right: the lowest temperature, 0.05"
    unsure = 5 * np.eye(4)[(labels + 1) % 4]
    assert expect_number(submission.calibrate(unsure, labels)) > 19.9, "always wrong: the highest temperature, 20"
