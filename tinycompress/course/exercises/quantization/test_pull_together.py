"""Tests of pull_together. Public: the statement's example. Hidden: layers of any shape, pruned weights, ties, and training."""

import numpy as np
import pytest

from tinycompress.course import Partial, SubmissionProblem, expect_array, expect_close, expect_number, expect_tuple

MAY_IMPORT = ("engine",)

WEIGHT, CENTROIDS = np.array([[0.1, 0.6], [0.0, 0.9]]), np.array([0.2, 0.8])


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_pull_of_the_statement(submission):
    """Three weights and a pruned one."""
    loss, grad = expect_tuple(submission.pull(WEIGHT, CENTROIDS, 2.0), 2)
    expect_close(loss, 0.06, "half of the strength, times the sum of the squared distances")
    expect_close(grad, [[-0.2, -0.4], [0, 0.2]], "the strength times the distance; a weight of 0 is not pulled")
    if submission.changed:
        raise Partial(0.7, "the net still needs its weights: change no argument")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_centroids_of_the_statement(submission):
    """0.1 is alone, 0.6 and 0.9 share a centroid."""
    expect_close(submission.followed(WEIGHT, CENTROIDS), [0.1, 0.75], "the mean of the weights that are nearest to it")
    if submission.changed:
        raise Partial(0.7, "return new centroids: change no argument")


@pytest.mark.public
@pytest.mark.points(0.1)
def test_the_loss_of_the_statement(submission):
    """0.06 of 0.01 + 0.36 + 0.81."""
    expect_close(submission.lost(WEIGHT, CENTROIDS), 0.06 / 1.18, "the squared distances, as a share of the squares")


@pytest.mark.public
@pytest.mark.points(0.1)
def test_no_step_at_all(submission):
    """After no step, weights and centroids are the first ones."""
    weights, centroids = [np.array([[0.5]]), np.array([[1.0, -1.0]])], [np.array([0.25]), np.array([1.0, 2.0])]
    found = expect_tuple(submission.train(weights, centroids, np.ones((1, 1)), np.array([0]), 0, 0.1, 1.0), 2)
    for parts, firsts in zip(found, (weights, centroids), strict=True):
        for part, first in zip(expect_tuple(parts, 2), firsts, strict=True):
            expect_close(part, first, "nothing has moved yet, the centroids neither")


def targets(weight, centroids):
    """By definition, weight by weight: the first of the nearest centroids; a weight of 0 is its own target."""
    found = np.zeros(weight.shape)
    for at in np.ndindex(weight.shape):
        distances = [abs(weight[at] - c) for c in centroids.tolist()]
        found[at] = centroids[distances.index(min(distances))] if weight[at] else 0
    return found


def means(weight, centroids):
    of = targets(weight, centroids)
    return np.array(
        [weight[(of == c) & (weight != 0)].mean() if ((of == c) & (weight != 0)).any() else c for c in centroids]
    )


def layer(rng, shape, k, pruned=0.3):
    """A weight, some of which is pruned, and centroids in any order."""
    return rng.normal(size=shape) * (rng.random(shape) >= pruned), rng.normal(size=k)


def pulled(submission, weight, centroids, strength):
    loss, grad = expect_tuple(submission.pull(weight, centroids, strength), 2)
    return expect_number(loss, "P"), expect_array(grad, weight.shape, "float", "dP/dw")


SHAPES = [((6, 5), 4), ((3, 3, 2, 4), 7), ((20,), 1)]


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_penalties_of_any_layer(submission, rng):
    """Dense layers and convolutions, one centroid and many."""
    changed = False
    for shape, k in SHAPES:
        weight, centroids = layer(rng, shape, k, 0)
        strength = float(rng.uniform(0.1, 5))
        loss, _ = pulled(submission, weight, centroids, strength)
        changed |= bool(submission.changed)
        expected = strength / 2 * ((weight - targets(weight, centroids)) ** 2).sum()
        expect_close(loss, expected, "strength / 2, times the sum over all weights, each to its nearest centroid", 1e-9)
    if changed:
        raise Partial(0.7, "the net still needs its weights: change no argument")


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_the_derivative_of_the_penalty(submission, rng):
    """Towards the centroid, in proportion to the distance."""
    for shape, k in SHAPES:
        weight, centroids = layer(rng, shape, k, 0)
        strength = float(rng.uniform(0.1, 5))
        _, grad = pulled(submission, weight, centroids, strength)
        message = "the derivative of strength / 2 * (w - c)^2 by w is strength * (w - c)"
        expect_close(grad, strength * (weight - targets(weight, centroids)), message, 1e-9, 1e-12)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_pruned_weights_are_not_pulled(submission, rng):
    """Nor do they count in P, even if no centroid is far from 0."""
    weight, centroids = layer(rng, (7, 6), 3)
    loss, grad = pulled(submission, weight, centroids, 3.0)
    away = weight - targets(weight, centroids)
    expect_close(loss, 1.5 * (away**2).sum(), "the distance of a pruned weight does not count", 1e-9)
    expect_close(grad, 3 * away, "a pruned weight has no derivative", 1e-9, 1e-12)


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_weights_in_the_middle(submission, rng):
    """Of equally near centroids the first one pulls, be it the larger or the smaller one."""
    middle, away = float(rng.integers(1, 9)), float(rng.integers(1, 5))
    for sign in 1, -1:
        centroids = middle + sign * np.array([away, -away])
        _, grad = pulled(submission, np.full((2, 2), middle), centroids, 1.0)
        expect_close(grad, np.full((2, 2), -sign * away), "of equally near centroids, take the first one")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_centroids_of_any_layer(submission, rng):
    """Some are the nearest to no weight, and pruned weights belong to none."""
    changed = False
    for shape, k in *SHAPES, ((2, 2), 9), ((4, 4), 3):
        weight, centroids = layer(rng, shape, k)
        found = expect_array(submission.followed(weight, centroids), (k,), "float", "the centroids")
        changed |= bool(submission.changed)
        message = "the mean of the weights that are not 0 and nearest to it; without such weights it stays"
        expect_close(found, means(weight, centroids), message, 1e-9, 1e-12)
    if changed:
        raise Partial(0.7, "return new centroids: change no argument")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_what_any_layer_loses(submission, rng):
    """A share of the squares; nothing is lost where there is nothing."""
    for shape, k in SHAPES:
        weight, centroids = layer(rng, shape, k)
        expected = ((weight - targets(weight, centroids)) ** 2).sum() / (weight**2).sum()
        expect_close(submission.lost(weight, centroids), expected, "divide by the sum of the squared weights", 1e-9)
        expect_close(submission.lost(0 * weight, centroids), 0, "0 / 0 is no share: a weight of zeros loses nothing")


def problem(rng, pruned):
    """A small net, its centroids, and examples that a linear net labels."""
    weights = [0.6 * rng.normal(size=(5, 8)), 0.4 * rng.normal(size=(8, 3))]
    weights = [w * (rng.random(w.shape) >= pruned) for w in weights]
    x = rng.normal(size=(30, 5))
    centroids = [rng.permutation(np.linspace(w.min(), w.max(), 4)) for w in weights]
    return weights, centroids, x, (x @ rng.normal(size=(5, 3))).argmax(1)


def trained(penalty, follow, weights, centroids, x, labels, steps, lr, strength):
    """The definition, with derivatives by hand, and any way to pull and to follow."""
    (w1, w2), centroids = weights, list(centroids)
    kept = w1 != 0, w2 != 0
    for _ in range(steps):
        h = np.maximum(x @ w1, 0)
        error = np.exp(h @ w2)
        error = (error / error.sum(1, keepdims=True) - np.eye(w2.shape[1])[labels]) / len(x)
        grads = x.T @ (error @ w2.T * (h > 0)), h.T @ error
        w1, w2 = (
            (w - lr * (g + penalty(w, c, strength)[1])) * k
            for w, g, c, k in zip((w1, w2), grads, centroids, kept, strict=True)
        )
        centroids = [follow(w, c) for w, c in zip((w1, w2), centroids, strict=True)]
    return [w1, w2], centroids


def by_definition(weight, centroids, strength):
    away = weight - targets(weight, centroids)
    return strength / 2 * (away**2).sum(), strength * away


def close(found, expected):
    parts = zip(sum(map(list, found), []), sum(map(list, expected), []), strict=True)
    return all(np.allclose(a, b, 1e-4, 1e-6) for a, b in parts)


def check_training(submission, arguments, message):
    """One's own `pull` and `followed` count as right, as long as they do something. Returns whether arguments changed."""
    found = [expect_tuple(parts, 2) for parts in expect_tuple(submission.train(*arguments), 2)]
    changed = bool(submission.changed)
    for parts, firsts, name in zip(found, arguments[:2], ("a weight", "centroids"), strict=True):
        for part, first in zip(parts, firsts, strict=True):
            expect_array(part, first.shape, "float", name)
    if not close(found, trained(by_definition, means, *arguments)):
        try:
            own = trained(submission.pull, submission.followed, *arguments)
        except (SubmissionProblem, TypeError, ValueError, LookupError):
            own = None
        assert own is not None and np.isfinite(own[0][0]).all() and close(found, own), message
    return changed


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_trainings(submission, rng):
    """Strong pulls, weak ones, and none. Your own `pull` and `followed` count as right here."""
    changed = False
    for steps, strength in (1, 2.0), (12, 0.5), (8, 0.0):
        arguments = *problem(rng, 0), steps, 0.2, strength
        message = "w -= lr * (gradient of the cross-entropy + that of P); then the centroids follow the moved weights"
        changed |= check_training(submission, arguments, message)
    if changed:
        raise Partial(0.7, "the first weights and centroids are still needed: change no argument")


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_pruned_weights_stay_pruned(submission, rng):
    """A weight that is 0 at the beginning is 0 at the end, although the cross-entropy has a derivative there."""
    for steps in 1, 9:
        arguments = *problem(rng, 0.5), steps, 0.2, 1.0
        check_training(submission, arguments, "what is 0 at the beginning stays 0, and belongs to no centroid")
