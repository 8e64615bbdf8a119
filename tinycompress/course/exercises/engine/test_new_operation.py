"""Tests of new_operation. Public: values by hand. Hidden: extreme values, difference quotients, and the graph."""

import numpy as np
import pytest

from tinycompress.course import SubmissionProblem, expect_array, expect_close, expect_number, expect_tuple

MAY_IMPORT = ("engine",)


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_softplus_of_zero(submission):
    """log 2 for b = 1, half of it for b = 2."""
    found = submission.softplus(np.array([[0.0, 0.0]]), np.array([1.0, 2.0]))
    expect_close(found, [[np.log(2), np.log(2) / 2]], "log(1 + exp(0)) / b")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_gradients_at_zero(submission):
    """At x = 0 and b = 1, the derivatives are 1/2 and -log 2."""
    x, b, y = np.zeros((1, 1)), np.ones(1), np.log([[2.0]])
    dx, db = expect_tuple(submission.gradients(np.array([[10.0]]), x, b, y), 2)
    expect_close(dx, [[5]], "10 times 1 / (1 + exp(0))")
    expect_close(db, [-10 * np.log(2)], "10 times (0 * 1/2 - log 2) / 1")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_graph_of_one_number(submission):
    """x = 0, so that y = log 2, whatever the weight is."""
    found = expect_tuple(submission.in_the_graph(np.zeros((1, 1)), np.ones((1, 1)), np.ones(1)), 3)
    expect_close(found[0], np.log(2) ** 2, "the loss is the mean of y squared")
    expect_close(found[1], [[0]], "x is 0, so that the weight does not matter")
    expect_close(found[2], [-2 * np.log(2) ** 2], "2 y times dy/db")


def value(x, b):
    return (np.maximum(b * x, 0) + np.log1p(np.exp(-np.abs(b * x)))) / b


@pytest.mark.hidden
@pytest.mark.points(1)
def test_values_of_any_sharpness(submission, rng):
    """Each column has its own b."""
    for rows, columns in (6, 5), (1, 3), (4, 1):
        x, b = 2 * rng.normal(size=(rows, columns)), np.exp(rng.normal(size=columns))
        expect_close(submission.softplus(x, b), value(x, b), "log(1 + exp(b x)) / b, with b by column", 1e-8, 1e-10)


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_values_that_overflow(submission, rng):
    """b x may be in the thousands, and it may be far below 0, where y is small but not 0."""
    x, b = rng.uniform(1000, 9000, (3, 2)), rng.uniform(1, 9, 2)
    message = "exp(1000) is infinite, but y is finite: np.logaddexp knows how"
    expect_close(submission.softplus(x, b), x, message)
    expect_close(submission.softplus(-x, b), 0 * x, message)
    x = -rng.uniform(30, 50, (3, 2))
    found = submission.softplus(x, np.ones(2))
    expect_close(found, np.exp(x), "log(1 + 1e-20) is 1e-20, not log(1): np.log1p or np.logaddexp", 1e-6, 0)
    x = rng.uniform(10, 13, (3, 2))
    found = submission.softplus(x, np.ones(2))
    expect_close(found, np.log1p(np.exp(x)), "at 10, y is still above x: only far above it y is x in float64", 1e-8, 0)


@pytest.mark.hidden
@pytest.mark.points(0.8)
@pytest.mark.parametrize("which", ["x", "b"])
def test_gradients_are_limits_of_difference_quotients(submission, rng, which):
    """A derivative says how a small step of x or of a column's b changes the loss."""
    x, b, grad = rng.normal(size=(7, 3)), rng.uniform(0.5, 3, 3), rng.normal(size=(7, 3))
    found = expect_tuple(submission.gradients(grad, x, b, value(x, b)), 2)[["x", "b"].index(which)]
    changed = x if which == "x" else b
    expected = np.zeros_like(changed)
    for index in np.ndindex(changed.shape):
        before, losses = changed[index], []
        for step in 1e-5, -1e-5:
            changed[index] = before + step
            losses.append((grad * value(x, b)).sum())
        changed[index], expected[index] = before, (losses[0] - losses[1]) / 2e-5
    message = {
        "x": "s = 1 / (1 + exp(-b x)), times what comes from above",
        "b": "all rows of a column use the same b: its derivative is a sum over the rows",
    }[which]
    expect_close(found, expected, message, 1e-5, 1e-7)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_gradients_far_from_zero(submission, rng):
    """Where b x is in the thousands, dy/dx is 1 or 0 and never NaN."""
    sign = rng.choice([-1.0, 1.0], (5, 2))
    x = sign * rng.uniform(1000, 5000, (5, 2))
    grad = rng.normal(size=(5, 2))
    dx, db = expect_tuple(submission.gradients(grad, x, np.ones(2), np.maximum(x, 0)), 2)
    expect_close(dx, np.where(sign > 0, grad, 0), "exp of a large number must not make a NaN")
    expect_close(db, np.zeros(2), "far from 0, y is max(x, 0), which does not depend on b", atol=1e-6)


def chained(softplus, gradients, x, weight, b):
    """The loss and its gradients by the chain rule, with these functions."""
    h = x @ weight
    y = softplus(h, b)
    dh, db = gradients(2 * y / y.size, h, b, y)
    return float((y * y).mean()), x.T @ dh, db


def by_own_parts(submission, arguments):
    """The same with the student's own parts, which may be wrong; None if these are of no use."""
    try:
        found = chained(submission.softplus, submission.gradients, *arguments)
        return found if all(np.isfinite(part).all() and np.any(part) for part in found) else None
    except (SubmissionProblem, TypeError, ValueError):
        return None


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_the_graph_of_any_layer(submission, reference, rng):
    """A loss and its gradients by the engine. Your own `softplus` and `gradients` count as right here."""
    for rows, inputs, columns in (9, 4, 3), (2, 5, 6):
        arguments = rng.normal(size=(rows, inputs)), rng.normal(size=(inputs, columns)), rng.uniform(0.5, 2, columns)
        loss, dweight, db = expect_tuple(submission.in_the_graph(*arguments), 3)
        expect_number(loss, "L")
        expect_array(dweight, (inputs, columns), "float", "dL/dweight")
        expect_array(db, (columns,), "float", "dL/db")
        right = chained(reference.softplus, reference.gradients, *arguments)
        if not all(np.allclose(a, b, 1e-4, 1e-7) for a, b in zip((loss, dweight, db), right, strict=True)):
            own = by_own_parts(submission, arguments)
            message = "record the operation with one derivative for h and one for b, then square, average, go backward"
            assert own is not None, message
            expect_close(loss, own[0], "the loss is the mean of the squares, over rows and columns", 1e-4)
            expect_close(dweight, own[1], message, 1e-4)
            expect_close(db, own[2], message, 1e-4)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_the_graph_begins_anew(submission, reference, rng):
    """A second call gives the same as the first: gradients do not pile up."""
    arguments = rng.normal(size=(3, 2)), rng.normal(size=(2, 4)), np.ones(4)
    first = expect_tuple(submission.in_the_graph(*arguments), 3)
    second = expect_tuple(submission.in_the_graph(*arguments), 3)
    assert np.any(expect_array(first[1], (2, 4), "float", "dL/dweight")), "the weight has a gradient"
    for a, b in zip(first, second, strict=True):
        expect_close(b, a, "make new Tensors in each call, since .grad adds up what several backward passes bring")
    assert np.sign(first[1]).tolist() == np.sign(reference.in_the_graph(*arguments)[1]).tolist(), "dL/dweight"
