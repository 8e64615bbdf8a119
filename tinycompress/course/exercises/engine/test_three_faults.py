"""Tests of three_faults. Public: a small case of each complaint. Hidden: each repair in general, and a whole epoch."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_tuple

MAY_IMPORT = ()


def cut(value):
    assert isinstance(value, list | tuple), "batches returns a list of arrays"
    return [expect_array(part, (None,), "int", "a batch").tolist() for part in value]


@pytest.mark.public
@pytest.mark.points(0.2)
def test_five_images_in_batches_of_two(submission):
    """The first complaint: images that are never used."""
    found = cut(submission.batches(np.array([4, 2, 0, 1, 3]), 2))
    assert found == [[4, 2], [0, 1], [3]], "every image is in exactly one batch: where does the last batch start?"


@pytest.mark.public
@pytest.mark.points(0.2)
def test_two_examples_that_are_the_same(submission):
    """The second complaint: twice the same example has the same mean loss, and the same derivatives, as once."""
    weights = [np.array([[1.0]]), np.zeros(1), np.array([[1.0, 0.0]]), np.zeros(2)]
    found = expect_tuple(submission.gradients(weights, np.ones((2, 1)), np.array([0, 0])), 4)
    p = 1 / (1 + np.e)
    expect_close(
        found[3], [-p, p], "the loss is a mean over the batch: by which of the weights is its derivative a sum?"
    )
    expect_close(found[1], [-p], "this derivative was right before")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_step_without_momentum(submission):
    """The third complaint: momentum 0 is plain gradient descent."""
    weight, _ = expect_tuple(submission.step(np.array([1.0]), np.zeros(1), np.array([5.0]), 0.1, 0.0), 2)
    expect_close(weight, [0.5], "1 - 0.1 * 5: without momentum, the weight still moves by the velocity")


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_every_image_is_used_once(submission, rng):
    """Any number of images and batches that the size does not divide."""
    for _ in range(5):
        size = int(rng.integers(2, 9))
        order = rng.permutation(size * int(rng.integers(1, 6)) + int(rng.integers(1, size)))
        found = cut(submission.batches(order, size))
        assert sum(found, []) == order.tolist(), "together, the batches are all images in the given order"
        assert [len(part) for part in found[:-1]] == [size] * (len(found) - 1), "all batches but the last are full"
        assert 0 < len(found[-1]) <= size, "the last batch is not empty"


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_batches_at_the_edges(submission, rng):
    """The size divides the number of images, or is larger; there may be no images."""
    size = int(rng.integers(2, 9))
    for count, expected in (3 * size, [size] * 3), (size, [size]), (size - 1, [size - 1]), (0, []):
        order = rng.permutation(count)
        found = cut(submission.batches(order, size))
        assert [len(part) for part in found] == expected, "full batches are batches, too, and no batch is empty"
        assert sum(found, []) == order.tolist(), "together, the batches are all images in the given order"


def loss(weights, x, labels):
    z = np.maximum(x @ weights[0] + weights[1], 0) @ weights[2] + weights[3]
    z = z - z.max(1, keepdims=True)
    return float((np.log(np.exp(z).sum(1)) - z[np.arange(len(labels)), labels]).mean())


def net(rng, inputs, hidden, classes):
    return [rng.normal(size=shape) for shape in ((inputs, hidden), (hidden,), (hidden, classes), (classes,))]


@pytest.mark.hidden
@pytest.mark.points(1.8)
def test_gradients_are_limits_of_difference_quotients(submission, rng):
    """Batches of several sizes; each of the four derivatives is compared."""
    for examples in 1, 2, 9:
        weights, x, labels = net(rng, 4, 5, 3), rng.normal(size=(examples, 4)), rng.integers(0, 3, examples)
        found = expect_tuple(submission.gradients(weights, x, labels), 4)
        for weight, grad, name in zip(weights, found, ("w1", "b1", "w2", "b2"), strict=True):
            expected = np.zeros_like(weight)
            for index in np.ndindex(weight.shape):
                before, losses = weight[index], []
                for change in 1e-5, -1e-5:
                    weight[index] = before + change
                    losses.append(loss(weights, x, labels))
                weight[index], expected[index] = before, (losses[0] - losses[1]) / 2e-5
            message = f"the derivative by {name} of a batch of {examples} is not that of the mean loss"
            expect_close(grad, expected, message, 1e-4, 1e-6, name=name)


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_steps_with_any_momentum(submission, rng):
    """Several steps one after another, with momentum from 0 to 1."""
    for momentum in 0.0, float(rng.uniform(0.1, 0.9)), 1.0:
        weight, lr, changed = rng.normal(size=(3, 2)), float(rng.uniform(0.1, 0.5)), False
        velocity = speed = 0 * weight
        expected = weight
        for _ in range(4):
            grad = rng.normal(size=weight.shape)
            weight, velocity = expect_tuple(submission.step(weight, velocity, grad, lr, momentum), 2)
            changed |= bool(submission.changed)
            speed = momentum * speed - lr * grad
            expected = expected + speed
            expect_close(velocity, speed, "the velocity was right before: momentum * velocity - lr * grad")
            expect_close(weight, expected, "the whole velocity is added to the weight, once")
    if changed:
        raise Partial(0.7, "velocity *= … and weight += … change the arguments: the step did not do that before")


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_an_epoch_learns(submission, reference, rng):
    """One epoch of a small problem, with everything repaired, lowers the loss as it should."""
    x, true = rng.normal(size=(96, 6)), net(rng, 6, 8, 3)
    labels = (np.maximum(x @ true[0] + true[1], 0) @ true[2] + true[3]).argmax(1)
    arguments = [0.3 * w for w in net(rng, 6, 16, 3)], x, labels, 0.05, 0.5, 32, int(rng.integers(1000))
    found = expect_tuple(submission.train(*arguments), 4)
    for part, right in zip(found, reference.train(*arguments), strict=True):
        expect_close(part, right, "after one epoch the weights differ from those of the repaired file", 1e-4, 1e-6)
