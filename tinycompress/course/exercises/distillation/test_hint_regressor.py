"""Tests of hint_regressor. Public: small examples. Hidden: difference quotients, images, constant and equal units."""

import numpy as np
import pytest

from tinycompress.course import expect_array, expect_close, expect_number, expect_tuple

MAY_IMPORT = ()

ONE = np.array([[1.0, 2.0]]), np.array([[10.0]]), np.array([[3.0], [1.0]]), np.array([1.0])


def answers(submission, h, t, weight, bias):
    loss, *rest = expect_tuple(submission.loss_and_gradients(h, t, weight, bias), 4)
    shapes, names = (h.shape, weight.shape, bias.shape), ("dL/dh", "dL/dweight", "dL/dbias")
    parts = zip(rest, shapes, names, strict=True)
    return [expect_number(loss, "the loss"), *(expect_array(a, shape, "float", name) for a, shape, name in parts)]


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_loss_of_one_row(submission):
    """For h = (1, 2) and t = 10 the regressor predicts 3 * 1 + 1 * 2 + 1."""
    loss, *_ = answers(submission, *ONE)
    expect_close(loss, 8, "the error is 6 - 10 = -4, and half of its square is 8")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_gradients_of_one_row(submission):
    """The derivatives for the same row."""
    _, dh, dweight, dbias = answers(submission, *ONE)
    expect_close(dbias, [-4], "the error itself")
    expect_close(dweight, [[-4], [-8]], "the error, times the inputs h")
    expect_close(dh, [[-12, -4]], "the error, back through the weights")


def quotients(loss, value, step=1e-6):
    result = np.zeros_like(value)
    for index in np.ndindex(value.shape):
        before = value[index]
        value[index] = before + step
        above = loss()
        value[index] = before - step
        result[index] = (above - loss()) / (2 * step)
        value[index] = before
    return result


@pytest.mark.hidden
@pytest.mark.points(1.6)
@pytest.mark.parametrize("rows", [(5,), (2, 3, 2)], ids=["examples", "images"])
def test_gradients_are_limits_of_difference_quotients(submission, rng, rows):
    """The derivatives say how small steps of h, the weight and the bias change the loss, for dense layers and images."""
    h, t = np.moveaxis(rng.normal(size=(4, *rows)), 0, -1), rng.normal(size=(*rows, 3))  # units far apart in memory
    weight, bias = rng.normal(size=(4, 3)), rng.normal(size=3)

    def loss():
        return float(((h @ weight + bias - t) ** 2).sum() / 2 / np.prod(rows))

    found = answers(submission, h, t, weight, bias)
    expect_close(
        found[0], loss(), "a mean over all rows, that is, over examples and pixels, of a sum over the teacher's units"
    )
    for value, gradient in zip((h, weight, bias), found[1:], strict=True):
        message = "these are derivatives of a mean over rows: divide once by the number of rows; pixels are rows, too"
        expect_close(gradient, quotients(loss, value), message, 1e-5, 1e-7)


@pytest.mark.public
@pytest.mark.points(0.25)
def test_a_teacher_that_can_be_said_exactly(submission):
    """For t = 2 h + 1 and almost no decay, the regressor is exact."""
    h = np.array([[0.0], [1.0], [2.0]])
    weight, bias = expect_tuple(submission.best_regressor(h, 2 * h + 1, 1e-9), 2)
    expect_close(weight, [[2]], "the slope of the line through three points", 0, 1e-5, "the weight")
    expect_close(bias, [1], "the line through three points has the value 1 at h = 0", 0, 1e-5, "the bias")


@pytest.mark.hidden
@pytest.mark.points(2)
def test_no_step_makes_it_better(submission, rng):
    """At the best regressor the derivatives of the decayed loss are 0; the bias is not decayed."""
    for rows in (30,), (4, 3, 2), (1,), (3,):
        h, t, decay = 1 + rng.normal(size=(*rows, 4)), 5 + rng.normal(size=(*rows, 3)), 0.3
        weight, bias = expect_tuple(submission.best_regressor(h, t, decay), 2)
        expect_array(weight, (4, 3), "float", "the weight")
        expect_array(bias, (3,), "float", "the bias")
        error = ((h @ weight + bias) - t).reshape(-1, 3) / np.prod(rows)
        message = "L is a mean: decay / 2 * |weight|^2 is added to the mean over the rows, not to their sum"
        expect_close(h.reshape(-1, 4).T @ error + decay * weight, np.zeros((4, 3)), message, 0, 1e-7)
        expect_close(error.sum(0), np.zeros(3), "the bias is not decayed: centre h and t first", 0, 1e-7)


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_idle_units_and_twins_do_no_harm(submission, rng):
    """Some units of h are constant, or equal to others."""
    h = rng.normal(size=(40, 3))
    h = np.hstack([h, h[:, :1], np.full((40, 1), 2.0), np.zeros((40, 1))])
    t = h[:, :2] @ rng.normal(size=(2, 4)) + 1
    weight, bias = expect_tuple(submission.best_regressor(h, t, 1e-6), 2)
    expect_array(weight, (6, 4), "float", "the weight")
    expect_close(
        h @ weight + bias, t, "decay makes the solution unique: equal units share, constant ones get 0", 0, 1e-3
    )
    expect_close(weight[0], weight[3], "two equal units get equal weights: that has the least sum of squares", 0, 1e-4)


@pytest.mark.public
@pytest.mark.points(0.25)
def test_the_mean_explains_nothing(submission):
    """A regressor that always predicts the mean explains nothing."""
    t = np.array([[1.0], [3.0], [8.0]])
    found = submission.explained(np.ones((3, 2)), t, np.zeros((2, 1)), np.array([4.0]))
    expect_close(found, 0, "the error equals that of the mean, so the share is 1 - 1")


@pytest.mark.hidden
@pytest.mark.points(1.7)
def test_explained_variance_of_images(submission, rng):
    """Units have different means, and pixels are rows; a regressor worse than the mean gets a negative share."""
    h, t = rng.normal(size=(2, 3, 3, 4)), rng.normal(size=(2, 3, 3, 5)) + [0, 10, 20, 30, 40]
    weight = rng.normal(size=(4, 5))
    for bias in t.mean((0, 1, 2)), np.zeros(5):
        rest = ((h @ weight + bias - t) ** 2).sum() / ((t - t.mean((0, 1, 2))) ** 2).sum()
        expect_close(submission.explained(h, t, weight, bias), 1 - rest, "each unit varies around its own mean")
