"""Tests of lottery. Public: small nets. Hidden: training with masks, pruning in rounds, and whole tickets."""

import numpy as np
import pytest

from tinycompress.course import Partial, SubmissionProblem, expect_array, expect_close, expect_tuple

MAY_IMPORT = ("engine",)


def two(value, shapes, kind):
    """The answer's two arrays, checked for shape and kind."""
    parts = zip(expect_tuple(value, 2), shapes, ("the first", "the second"), strict=True)
    return [expect_array(part, shape, kind, name) for part, shape, name in parts]


@pytest.mark.public
@pytest.mark.points(0.4)
def test_one_step(submission):
    """One example, one hidden neuron, two classes: at first both have the probability 1/2."""
    weights, masks = [np.ones((1, 1)), np.ones((1, 2))], [np.ones((1, 1), bool), np.array([[True, False]])]
    masked = [np.ones((1, 1)), np.array([[0.0, 0.0]])]
    found = two(
        submission.train([weights[0], 0 * weights[1]], masks, np.ones((1, 1)), np.array([0]), 1, 0.1),
        [(1, 1), (1, 2)],
        "float",
    )
    expect_close(found[0], masked[0], "the second layer is 0, so that no gradient reaches the first")
    expect_close(found[1], [[0.05, 0]], "0.1 * (1 - 1/2); the second weight is removed, and stays 0")


@pytest.mark.public
@pytest.mark.points(0.3)
def test_half_of_four_weights_go(submission):
    """The smaller half of what is left."""
    found = submission.pruned([np.array([[0.1, -0.9], [0.3, 9.0]])], [np.array([[True, True], [True, True]])], 0.5)
    (mask,) = expect_tuple(found, 1)
    assert expect_array(mask, (2, 2), "bool").tolist() == [[False, True], [False, True]], "magnitude decides"


@pytest.mark.public
@pytest.mark.points(0.2)
def test_no_round_at_all(submission):
    """Without a round, all weights are there."""
    arguments = [np.ones((2, 3)), np.ones((3, 2))], np.ones((4, 2)), np.array([0, 1, 0, 1]), 0, 0.5, 3, 0.1
    found = two(submission.ticket(*arguments), [(2, 3), (3, 2)], "bool")
    assert found[0].all() and found[1].all(), "the masks begin with True everywhere"


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def trained(weights, masks, x, labels, steps, lr):
    """The same training by hand."""
    w1, w2 = (w * m for w, m in zip(weights, masks, strict=True))
    for _ in range(steps):
        h = np.maximum(x @ w1, 0)
        error = (softmax(h @ w2) - np.eye(w2.shape[1])[labels]) / len(x)
        back = error @ w2.T * (h > 0)
        w1, w2 = w1 - lr * x.T @ back * masks[0], w2 - lr * h.T @ error * masks[1]
    return [w1, w2]


def problem(rng, inputs=5, hidden=9, classes=3, examples=40):
    """The first weights, and examples that a linear net labels."""
    first = [rng.normal(size=(inputs, hidden)) * 0.6, rng.normal(size=(hidden, classes)) * 0.4]
    x = rng.normal(size=(examples, inputs))
    return first, x, (x @ rng.normal(size=(inputs, classes))).argmax(1)


SHAPES = [(5, 9), (9, 3)]


@pytest.mark.hidden
@pytest.mark.points(2)
def test_training_without_masks(submission, rng):
    """Several steps of gradient descent on the whole batch."""
    changed = False
    for steps, lr in (1, 0.5), (6, 0.3), (0, 1.0):
        first, x, labels = problem(rng)
        masks = [np.ones(w.shape, bool) for w in first]
        found = two(submission.train(first, masks, x, labels, steps, lr), SHAPES, "float")
        changed |= bool(submission.changed)
        for part, expected in zip(found, trained(first, masks, x, labels, steps, lr), strict=True):
            message = "each step subtracts lr times the gradient of the mean cross-entropy; empty .grad after each step"
            expect_close(part, expected, message, 1e-4, 1e-6)
    if changed:
        raise Partial(0.7, "the first weights are needed again in the next round: do not change them")


@pytest.mark.hidden
@pytest.mark.points(1.3)
def test_training_with_masks(submission, rng):
    """What is removed is 0 before, while, and after the net is trained, whatever it was at first."""
    for steps in 0, 1, 8:
        first, x, labels = problem(rng)
        masks = [rng.random(w.shape) < 0.5 for w in first]
        found = two(submission.train(first, masks, x, labels, steps, 0.4), SHAPES, "float")
        for part, expected, mask in zip(found, trained(first, masks, x, labels, steps, 0.4), masks, strict=True):
            assert not part[~mask].any(), "a weight that the mask removes is 0 in the result"
            expect_close(part, expected, "a removed weight takes no part in the logits either", 1e-4, 1e-6)


def smallest_removed(weights, masks, share):
    """The definition, weight by weight."""
    new = []
    for weight, mask in zip(weights, masks, strict=True):
        kept = sorted((at for at in np.ndindex(mask.shape) if mask[at]), key=lambda at, w=weight: (abs(w[at]), at))
        after = mask.copy()
        for at in kept[: int(share * len(kept))]:
            after[at] = False
        new.append(after)
    return new


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_rounds_of_pruning(submission, rng):
    """Layers of several shapes, of which a part is removed already; large weights may hide behind a mask."""
    changed = False
    for share in 0.2, 0.5, 0.77:
        weights = [rng.normal(size=(4, 11)), rng.normal(size=(11, 2)), rng.normal(size=(1, 3))]
        masks = [rng.random(w.shape) < 0.7 for w in weights]
        weights = [np.where(m, w, rng.choice([0.0, 99.0], w.shape)) for w, m in zip(weights, masks, strict=True)]
        found = expect_tuple(submission.pruned(weights, masks, share), 3)
        changed |= bool(submission.changed)
        for mask, old, expected in zip(found, masks, smallest_removed(weights, masks, share), strict=True):
            expect_array(mask, old.shape, "bool", "a mask")
            assert not (mask & ~old).any(), "a weight that was removed stays removed"
            assert mask.sum() == expected.sum(), "the share is one of the weights that are *left* in this layer"
            assert np.array_equal(mask, expected), "the smallest of what is left are removed, in each layer by itself"
    if changed:
        raise Partial(0.8, "return new masks: the old ones may still be needed")


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_equal_magnitudes(submission, rng):
    """The first of equals goes, in any order in memory; a share of 0 and of 1."""
    weights, masks = [rng.integers(-2, 3, (5, 6)).astype(float).T], [rng.random((6, 5)) < 0.8]
    for share in 0.4, 0.0, 1.0:
        (found,) = expect_tuple(submission.pruned(weights, masks, share), 1)
        (expected,) = smallest_removed(weights, masks, share)
        assert np.array_equal(expect_array(found, (6, 5), "bool"), expected), (
            "sort stably: of equals the first one goes"
        )


def rounds_of(train, prune, first, x, labels, rounds, share, steps, lr):
    masks = [np.ones(w.shape, bool) for w in first]
    for _ in range(rounds):
        masks = [np.asarray(m) for m in prune(train(first, masks, x, labels, steps, lr), masks, share)]
    return masks


def by_own_parts(submission, arguments):
    """The ticket with the student's own parts, which may be wrong; None if these are of no use."""
    try:
        found = rounds_of(submission.train, submission.pruned, *arguments)
        useful = all(m.dtype == bool and 0 < m.mean() < 1 for m in found)
        return found if useful else None
    except (SubmissionProblem, TypeError, ValueError, AttributeError, LookupError):
        return None


@pytest.mark.hidden
@pytest.mark.points(2.2)
def test_whole_tickets(submission, rng):
    """One to four rounds. Your own `train` and `pruned` count as right here."""
    for rounds, share in (1, 0.5), (2, 0.3), (4, 0.3):
        arguments = *problem(rng), rounds, share, 12, 0.8
        found = two(submission.ticket(*arguments), SHAPES, "bool")
        expected = rounds_of(trained, smallest_removed, *arguments)
        message = "after each round the weights go back to their first values, and the masks of the round before stay"
        if any((a != b).mean() > 0.05 for a, b in zip(found, expected, strict=True)):
            own = by_own_parts(submission, arguments)
            assert own is not None, message
            assert all(np.array_equal(a, b) for a, b in zip(found, own, strict=True)), message
    if submission.changed:
        raise Partial(0.8, "the first weights are what makes the ticket: do not change them")


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_a_ticket_wins(submission, rng):
    """A tenth of the weights, trained from their first values, does well on the examples."""
    first, x, labels = problem(rng, 12, 24, 3, 120)
    masks = two(submission.ticket(first, x, labels, 7, 0.28, 60, 1.0), [(12, 24), (24, 3)], "bool")
    share = sum(m.sum() for m in masks) / sum(m.size for m in masks)
    assert 0.08 < share < 0.14, "seven rounds leave about a tenth of the weights"
    w1, w2 = trained(first, masks, x, labels, 300, 1.0)
    right = ((np.maximum(x @ w1, 0) @ w2).argmax(1) == labels).mean()
    assert right > 0.7, "this ticket does not win: prune the weights that training has made small"
