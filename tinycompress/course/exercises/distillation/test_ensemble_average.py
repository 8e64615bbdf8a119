"""Tests of ensemble_average. Public: the statement's two teachers. Hidden: temperatures and sure teachers."""

import numpy as np
import pytest

from tinycompress.course import expect_array, expect_close, expect_number

MAY_IMPORT = ()

TWO = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_arithmetic_mean_of_two(submission):
    """The arithmetic mean of (0.9, 0.1) and (0.5, 0.5)."""
    message = "the logarithm of the mean of the probabilities"
    expect_close(submission.arithmetic(TWO, 1.0), np.log([[0.7, 0.3]]), message)


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_geometric_mean_of_two(submission):
    """The geometric mean of (0.9, 0.1) and (0.5, 0.5)."""
    message = "the geometric means of the classes do not add up to 1 yet: normalise them"
    expect_close(submission.geometric(TWO, 1.0), np.log([[0.75, 0.25]]), message)


@pytest.mark.public
@pytest.mark.points(0.1)
def test_the_gain_of_two(submission):
    """The gain of the two teachers for an example of the first class."""
    message = "the mean of -ln 0.9 and -ln 0.5, minus -ln 0.7"
    expect_close(submission.gain(TWO, np.array([0])), np.log(0.7) - np.log([0.9, 0.5]).mean(), message)


def probabilities(z):
    z = np.exp(z - z.max(-1, keepdims=True))
    return z / z.sum(-1, keepdims=True)


@pytest.mark.hidden
@pytest.mark.points(1.3)
def test_probabilities_are_averaged_at_the_temperature(submission, rng):
    """The arithmetic mean of three teachers, and of one, at several temperatures."""
    for teachers, temperature in (3, 0.5), (3, 1.0), (3, 6.0), (1, 2.0):
        logits = 2 * rng.normal(size=(5, 6, teachers)).T
        message = "first take each teacher's probabilities at T, then average them: the order matters"
        expected = np.log(probabilities(logits / temperature).mean(0))
        expect_close(submission.arithmetic(logits, temperature), expected, message)


@pytest.mark.hidden
@pytest.mark.points(1.3)
def test_only_differences_of_logits_count(submission, rng):
    """The geometric mean of teachers whose logits have different offsets, and of one teacher."""
    for teachers, temperature in (3, 0.5), (3, 1.0), (3, 6.0), (1, 2.0):
        logits = 2 * rng.normal(size=(teachers, 6, 5))
        p = np.prod(probabilities(logits / temperature), axis=0) ** (1 / teachers)
        expected = np.log(p / p.sum(-1, keepdims=True))
        found = submission.geometric(logits + rng.normal(size=(teachers, 6, 1)), temperature)
        message = "it is the geometric mean of the teachers' probabilities at T, normalised to add up to 1"
        expect_close(found, expected, message)


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_sure_teachers_do_not_overflow(submission, rng):
    """Probabilities far too small for a float still have logarithms."""
    a, b, c = rng.integers(500, 2000, 3).tolist()
    logits = np.array([[[3000.0 + a, 3000.0 - b, 0.0]], [[c + 2000.0, 0.0, -3000.0]]])
    message = "exp(-2000) is 0, whose logarithm is -inf: work with logarithms only, and add with np.logaddexp"
    found = expect_array(submission.arithmetic(logits, 1.0), (1, 3), "float", "the logarithms")
    expected = np.array([[0, np.logaddexp(-a - b, -c - 2000), np.logaddexp(-a - 3000, -c - 5000)]])
    expect_close(found, expected - [[0, np.log(2), np.log(2)]], message)
    found = expect_array(submission.geometric(logits, 2.0), (1, 3), "float", "the logarithms")
    mean = logits.mean(0) / 2
    expect_close(found, mean - mean.max(), "subtract the largest logit before exp, or use np.logaddexp")


@pytest.mark.hidden
@pytest.mark.points(1.1)
def test_the_gain_is_that_of_the_arithmetic_mean(submission, rng):
    """The gain of five teachers, and of teachers who all say the same. Your own `arithmetic` counts as right here."""
    logits, labels = 2 * rng.normal(size=(5, 8, 4)), rng.integers(0, 4, 8)
    p, rows = probabilities(logits), np.arange(8)
    alone = np.log(p[:, rows, labels]).mean()
    found = expect_number(submission.gain(logits, labels), "the gain")
    message = (
        "the teachers' average cross-entropy minus that of their arithmetic mean: by Jensen's inequality it is >= 0"
    )
    if abs(found - (np.log(p.mean(0)[rows, labels]).mean() - alone)) > 1e-6:
        own = expect_array(submission.arithmetic(logits, 1.0), (8, 4), "float", "the logarithms")
        assert np.ptp(own) > 0, message
        expect_close(found, own[rows, labels].mean() - alone, message)
    else:
        same = np.repeat(logits[:1], 3, axis=0)
        expect_close(submission.gain(same, labels), 0, "three copies of one teacher gain nothing", 0, 1e-9)
