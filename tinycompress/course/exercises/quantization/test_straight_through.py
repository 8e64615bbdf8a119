"""Tests of straight_through. Public: the statement's weights. Hidden: signs of 0, edges, steps, and a layer that learns."""

import numpy as np
import pytest

from tinycompress.course import Partial, SubmissionProblem, expect_array, expect_close, expect_tuple

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_weights_of_the_statement(submission):
    """Scales of 0.4 and 0.6."""
    found = submission.binarize(np.array([[0.3, -0.5], [-0.5, 0.7]]))
    expect_close(found, [[0.4, -0.6], [-0.4, 0.6]], "the sign, times the mean magnitude of the column")


@pytest.mark.public
@pytest.mark.points(0.3)
def test_what_passes_straight_through(submission):
    """A latent weight of 1.5 gets no gradient."""
    found = submission.straight_through(np.array([[10.0, 20.0, 30.0]]), np.array([[0.5, 1.5, -0.9]]))
    expect_close(found, [[10, 0, 30]], "the gradient passes where the latent weight is between -1 and 1")


@pytest.mark.public
@pytest.mark.points(0.3)
def test_a_step_of_two_classes(submission):
    """One example of one input, with equal weights of both classes: the probabilities are 1/2."""
    arguments = np.array([[0.5, 0.5]]), np.zeros(2), np.array([[2.0]]), np.array([0]), 0.1
    latent, bias = expect_tuple(submission.step(*arguments), 2)
    expect_close(latent, [[0.6, 0.4]], "the derivative by weight c is x * (p[c] - 1 if c is the label, else p[c])")
    expect_close(bias, [0.05, -0.05], "the derivative by bias c is the same without x")


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_signs_and_scales(submission, rng):
    """Each neuron has two values, plus and minus its scale."""
    latent = rng.normal(size=(9, 30)) * np.exp(rng.normal(size=30))
    found = expect_array(submission.binarize(latent), latent.shape, "float")
    assert (np.sign(found) == np.sign(latent)).all(), "the signs are those of the latent weights"
    scales = [sum(abs(w) for w in column) / 9 for column in latent.T]
    expect_close(np.abs(found), np.tile(scales, (9, 1)), "a scale is the mean magnitude of one neuron, of its column")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_the_sign_of_zero(submission, rng):
    """A latent weight of exactly 0 becomes plus the scale."""
    latent = rng.integers(-2, 3, (12, 5)).astype(float)
    latent[0] = 0
    found = expect_array(submission.binarize(latent), latent.shape, "float")
    message = "np.sign(0) is 0, a third value, for which there is no bit: take 1"
    assert (found[latent == 0] > 0).all(), message
    assert (found[latent < 0] < 0).all(), "the signs of the others are theirs"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_float32_stays_float32(submission, rng):
    """The result has the dtype of the latent weights."""
    latent = rng.normal(size=(4, 6)).astype(np.float32)
    found = expect_array(submission.binarize(latent), latent.shape, "float")
    expect_close(np.abs(found), np.tile(np.abs(latent).mean(0), (4, 1)), "a scale is a mean magnitude", 1e-5)
    assert found.dtype == np.float32, "np.where(…, 1, -1) is int64, which makes float64 of a float32"


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_gradients_pass_inside_only(submission, rng):
    """Inside of -1 to 1 the gradient is unchanged, whatever its sign; outside it is 0."""
    latent, grad = 2 * rng.normal(size=(20, 7)), 100 * rng.normal(size=(20, 7))
    inside = (-1 <= latent) & (latent <= 1)
    found = expect_array(submission.straight_through(grad, latent), grad.shape, "float")
    assert np.array_equal(found[inside], grad[inside]), "between -1 and 1, the gradient passes as it is"
    assert not found[~inside].any(), "below -1 and above 1 it is 0"
    if submission.changed:
        raise Partial(0.7, "return a new array: grad belongs to the caller")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_gradients_at_the_edges(submission, rng):
    """At exactly -1 and 1, where clipping puts weights, the gradient still passes."""
    latent, grad = rng.choice([-1.0, 1.0, 0.5, 1.5], (9, 4)), rng.normal(size=(9, 4))
    found = expect_array(submission.straight_through(grad, latent), grad.shape, "float")
    message = "clipped weights are exactly 1 or -1: if they got no gradient, they would stay there for ever"
    assert np.array_equal(found, np.where(latent > 1, 0, grad)), message


def probabilities(z):
    p = np.exp(z - z.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def stepped(binary, passes, latent, bias, x, labels, lr):
    """A step with these functions for the binary weights and for the gradient that passes."""
    error = probabilities(x @ binary(latent) + bias)
    error = (error - np.eye(len(bias))[labels]) / len(labels)
    return np.clip(latent - lr * passes(x.T @ error, latent), -1, 1), bias - lr * error.sum(0)


def by_own_parts(submission, arguments):
    """The step with the student's own parts, which may be wrong; None if these are of no use."""
    try:
        found = stepped(submission.binarize, submission.straight_through, *arguments)
        return found if all(np.isfinite(part).all() for part in found) and (found[0] != arguments[0]).any() else None
    except (SubmissionProblem, TypeError, ValueError):
        return None


def case(rng, size=0.4, examples=40):
    x, labels = rng.normal(size=(examples, 8)), rng.integers(0, 4, examples)
    return size * rng.normal(size=(8, 4)), rng.uniform(-0.8, 0.8, 4), x, labels


def check_step(submission, reference, arguments, message):
    latent, bias = expect_tuple(submission.step(*arguments), 2)
    changed = bool(submission.changed)
    expect_array(latent, arguments[0].shape, "float", "the latent weights")
    expect_array(bias, arguments[1].shape, "float", "the bias")
    right = reference.step(*arguments)
    if not all(np.allclose(a, b, 1e-5, 1e-8) for a, b in zip((latent, bias), right, strict=True)):
        own = by_own_parts(submission, arguments)
        assert own is not None, message
        expect_close(latent, own[0], message, 1e-5, 1e-8)
        expect_close(bias, own[1], "the bias is an ordinary parameter: its derivative is a sum over the batch")
    return changed


@pytest.mark.hidden
@pytest.mark.points(2.1)
def test_steps_of_a_batch(submission, reference, rng):
    """Steps from weights inside of -1 to 1. Your own `binarize` and `straight_through` count as right here."""
    changed = False
    for lr in 0.05, 0.5:
        arguments = *case(rng), lr
        message = "the forward pass uses the binary weights; the mean's derivative is applied to the latent ones"
        changed |= check_step(submission, reference, arguments, message)
    if changed:
        raise Partial(0.8, "return new arrays: the arguments may not be changed")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_steps_that_are_clipped(submission, reference, rng):
    """Weights at the edges, and steps beyond them; the bias may be larger than 1."""
    for lr in 0.5, 8.0:
        latent, bias, x, labels = case(rng, 0.9)
        arguments = np.clip(latent, -1, 1), 9 * bias, x, labels, lr
        check_step(submission, reference, arguments, "clip the latent weights after the step, but not the bias")
    arguments = 3 * latent, bias, x, labels, 4.0
    check_step(submission, reference, arguments, "a latent weight beyond -1 or 1 gets no gradient, and is clipped")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_logits_in_the_thousands(submission, reference, rng):
    """Inputs may be grey values from 0 to 255, and the logits large."""
    latent, bias, x, labels = case(rng)
    arguments = latent, bias, 1000 * np.abs(x), labels, 1e-4
    check_step(submission, reference, arguments, "exp(1000) is infinite: subtract the largest logit of each example")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_a_layer_learns(submission, rng):
    """A hundred steps find most of the signs that drew the labels."""
    signs, x = rng.choice([-1.0, 1.0], (8, 4)), rng.normal(size=(400, 8))
    labels = (x @ signs).argmax(1)
    latent, bias = 0.1 * rng.normal(size=(8, 4)), np.zeros(4)
    for _ in range(100):
        latent, bias = expect_tuple(submission.step(latent, bias, x, labels, 0.15), 2)
    right = (x @ (np.where(latent >= 0, 1, -1) * np.abs(latent).mean(0)) + bias).argmax(1) == labels
    assert right.mean() > 0.6, "the layer does not learn: the latent weights must add up all steps"
