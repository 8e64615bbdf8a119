"""Tests of dense_relu. Public: the example of the statement. Hidden: any batch, and difference quotients."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_tuple

MAY_IMPORT = ()

X, WEIGHT, BIAS = np.array([[1.0, 2.0]]), np.array([[1.0, -1.0], [1.0, 0.0]]), np.array([0.0, 0.5])


def gradients(submission, grad, x, weight, y):
    """The three derivatives, each checked for its shape."""
    answers = expect_tuple(submission.backward(grad, x, weight, y), 3, "backward's result")
    shapes = x.shape, weight.shape, weight.shape[1:]
    return [
        expect_array(answer, shape, "float", name)
        for answer, shape, name in zip(answers, shapes, ("dL/dx", "dL/dweight", "dL/dbias"), strict=True)
    ]


@pytest.mark.public
@pytest.mark.points(0.1)
def test_the_output_of_one_example(submission):
    """The forward pass of the example in the statement."""
    expect_close(submission.forward(X, WEIGHT, BIAS), [[3, 0]], "y = relu(x W + b): negative values become 0")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_gradients_of_one_example(submission):
    """The backward pass of the example in the statement."""
    dx, dweight, dbias = gradients(submission, np.array([[10.0, 100.0]]), X, WEIGHT, np.array([[3.0, 0.0]]))
    expect_close(dbias, [10, 0], "a neuron with y = 0 is shut by the ReLU: nothing flows back through it")
    expect_close(dweight, [[10, 0], [20, 0]], "weight (i, o) changes h_o by x_i")
    expect_close(dx, [[10, 10]], "input i changes every h_o by weight (i, o): sum over the neurons")


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_outputs_of_any_batch(submission, rng):
    """Batches of any size, small and large outputs, with a bias for each neuron."""
    for batch, inputs, outputs in (6, 4, 3), (1, 2, 5), (4, 1, 1):
        x, weight, bias = (
            20 * rng.normal(size=(batch, inputs)),
            rng.normal(size=(inputs, outputs)),
            rng.normal(size=outputs),
        )
        h = np.array([[sum(x[n] * weight[:, o]) + bias[o] for o in range(outputs)] for n in range(batch)])
        message = "every h = x W + b above 0 stays as it is, however large; the others become 0"
        expect_close(submission.forward(x, weight, bias), np.where(h > 0, h, 0), message)


def quotients(loss, value, step=1e-6):
    """Central differences of a loss by each element of an array; every element is restored."""
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
@pytest.mark.points(0.5)
@pytest.mark.parametrize("which", ["x", "weight", "bias"])
def test_gradients_are_limits_of_difference_quotients(submission, rng, which):
    """A derivative says how a small step of x, the weight or the bias changes the loss of a whole batch."""
    x, weight, bias = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)
    grad = rng.normal(size=(5, 3))

    def loss():
        return float((grad * np.maximum(x @ weight + bias, 0)).sum())

    y = np.maximum(x @ weight + bias, 0)
    place = ["x", "weight", "bias"].index(which)
    found = gradients(submission, grad, x, weight, y)[place]
    message = {
        "x": "the ReLU shuts neurons (where y is 0), not inputs; take a small step of x to see what dL/dx is",
        "weight": "every example uses the weight: its derivative is a sum over the batch, of what the ReLU lets through",
        "bias": "the bias is added to every example: its derivative is the sum over the batch, not the mean",
    }[which]
    expect_close(found, quotients(loss, (x, weight, bias)[place]), message, 1e-5, 1e-6)


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_a_shut_neuron_learns_nothing(submission, rng):
    """Where y is 0 (also if h is exactly 0), nothing flows back, whatever the sign of dL/dy."""
    x, weight = rng.normal(size=(6, 3)), rng.normal(size=(3, 16))
    is_open = rng.permutation(16) < 8
    y = np.abs(rng.normal(size=(6, 16))) * is_open
    _, dweight, dbias = gradients(submission, np.abs(rng.normal(size=(6, 16))), x, weight, y)
    assert dbias[is_open].all() and dweight[:, is_open].all(), "neurons that are open let their gradient through"
    shut = not dbias[~is_open].any() and not dweight[:, ~is_open].any()
    assert shut, "a neuron is open where y > 0: at y = 0 nothing flows back"
    if submission.changed:
        raise Partial(0.6, "grad *= … changes the caller's array, which it may still need: write grad = grad * …")
