"""Tests of sensitivity_scan. Public: the statement's example. Hidden: ties, whole scans of random nets, and choices."""

import numpy as np
import pytest

from tinycompress.course import Partial, SubmissionProblem, expect_array, expect_close

MAY_IMPORT = ("engine",)


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_smaller_half_goes(submission):
    """Two of four weights are removed, whatever their sign."""
    found = submission.pruned(np.array([[0.1, -0.9], [-0.3, 0.5]]), 0.5)
    expect_close(found, [[0, -0.9], [0, 0.5]], "magnitude decides: the smallest *absolute* values become 0")


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_choice_of_the_statement(submission):
    """At most 2 points for each layer: one half of layer 0, and 90 % of layer 1."""
    found = submission.choose(np.array([[196, 150], [199, 197]]), 200, 200, [0.5, 0.9], 2.0)
    expect_close(found, [0.5, 0.9], "196 images instead of 200 of 200 are exactly 2 points, which are allowed")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_scan_without_any_loss(submission):
    """If nothing is removed, each layer's row says what the whole net gets right."""
    weights = [np.ones((3, 3, 1, 1)), np.ones((1, 2)), np.eye(2)]
    biases = [np.zeros(1), np.zeros(2), np.array([0.0, 1.0])]
    found = submission.scan(weights, biases, np.ones((3, 4, 4, 1)), np.array([0, 1, 1]), [0.0])
    found = expect_array(found, (3, 1), "int", "the scan")
    assert found.tolist() == [[2], [2], [2]], "the net answers 1 for all images, which is right for two of three"


def smallest_removed(weight, share):
    """The definition, weight by weight."""
    order = sorted(np.ndindex(weight.shape), key=lambda at: (abs(weight[at]), at))
    left = weight.copy()
    for at in order[: int(share * weight.size)]:
        left[at] = 0
    return left


def logits(weights, biases, x):
    """The same net without the engine."""
    n, rows, columns = len(x), x.shape[1] - 2, x.shape[2] - 2
    y = sum(x[:, i : i + rows, j : j + columns] @ weights[0][i, j] for i in range(3) for j in range(3)) + biases[0]
    y = y[:, : rows // 2 * 2, : columns // 2 * 2].reshape(n, rows // 2, 2, columns // 2, 2, -1).max((2, 4))
    y = np.maximum(np.maximum(y, 0).reshape(n, -1) @ weights[1] + biases[1], 0)
    return y @ weights[2] + biases[2]


def in_place(weight, share):
    """Pruning that forgets to copy."""
    weight[...] = smallest_removed(weight, share)
    return weight


def scanned(prune, weights, biases, x, labels, shares):
    """The definition of the scan, with any way of pruning."""
    weights, right = [w.copy() for w in weights], np.zeros((len(weights), len(shares)), int)
    for layer in range(len(weights)):
        for column, share in enumerate(shares):
            tried = list(weights)
            tried[layer] = np.asarray(prune(weights[layer], share))
            right[layer, column] = (logits(tried, biases, x).argmax(1) == labels).sum()
    return right


def problem(rng, examples=60, dtype="float64", channels=2):
    """A random net, and images with the labels that it gives most of them, so that pruning costs something."""
    shapes = (3, 3, channels, 4), (16, 9), (9, 5)
    weights = [(rng.normal(size=shape) / np.prod(shape[:-1]) ** 0.5).astype(dtype) for shape in shapes]
    biases = [0.1 * rng.normal(size=n).astype(dtype) for n in (4, 9, 5)]
    x = rng.normal(size=(examples, 6, 7, channels)).astype(dtype)
    labels = logits(weights, biases, x).argmax(1)
    return weights, biases, x, np.where(rng.random(examples) < 0.1, rng.integers(0, 5, examples), labels)


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_the_smallest_of_many(submission, rng):
    """Weights of any shape, which may not be contiguous; what is left is not changed."""
    changed = False
    for share, shape in zip(rng.uniform(0.1, 0.95, 4), [(3, 3, 2, 4), (31, 7), (40,), (1, 13)], strict=True):
        weight = rng.normal(size=shape[::-1]).T
        found = expect_array(submission.pruned(weight, float(share)), shape, "float")
        changed |= bool(submission.changed)
        expected = smallest_removed(weight, share)
        assert (found == 0).sum() == (expected == 0).sum(), "int(share * number of weights) of them are removed"
        expect_close(found, expected, "remove the smallest magnitudes of the layer, and leave the others", 0, 0)
    if changed:
        raise Partial(0.6, "return a copy: the scan needs the whole layer again")


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_equal_magnitudes(submission, rng):
    """Of equals the first goes, in any order in memory; nothing or everything may go."""
    weight = rng.integers(-2, 3, (5, 8)).astype(float).T + 0.0
    for share in 0.4, 0.7, 0.0, 1.0:
        found = expect_array(submission.pruned(weight, share), weight.shape, "float")
        expect_close(found, smallest_removed(weight, share), "sort stably, row by row: of equals the first goes", 0, 0)


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_the_dtype_stays(submission, rng):
    """A layer of float32 is still one when it is pruned."""
    weight = rng.normal(size=(6, 5)).astype(np.float32)
    found = expect_array(submission.pruned(weight, 0.3), (6, 5), "float")
    assert found.dtype == np.float32, "the copy has the dtype of the weight"
    expect_close(found, smallest_removed(weight, 0.3), "the smallest magnitudes are 0, the others as they were", 0, 0)


def agrees(found, submission, arguments):
    """Whether this is the scan of these arguments; one's own `pruned` counts as right, even if it changes the net."""
    ways = [smallest_removed, *([in_place] if submission.changed else [])]
    if any(np.array_equal(found, scanned(prune, *arguments)) for prune in ways):
        return True
    try:
        return np.ptp(found) > 0 and np.array_equal(found, scanned(submission.pruned, *arguments))
    except (SubmissionProblem, TypeError, ValueError, AttributeError, LookupError):
        return False


@pytest.mark.hidden
@pytest.mark.points(2.6)
def test_scans_of_random_nets(submission, rng):
    """Each number is that of one layer alone. Your own `pruned` counts as right here."""
    changed = False
    for shares in [0.3, 0.9], [0.95, 0.5, 0.8]:
        arguments = *problem(rng), shares
        found = expect_array(submission.scan(*arguments), (3, len(shares)), "number", "the scan")
        changed |= bool(submission.changed)
        assert agrees(found, submission, arguments), (
            "one layer is pruned at a time, from its own whole weights, for each share; all others keep all of theirs"
        )
        right_kind = found.dtype == np.int64
    if changed:
        raise Partial(0.7, "do not prune the net that you were given: the next layer needs it whole")
    if not right_kind:
        raise Partial(0.8, "count images: the scan is int64")


@pytest.mark.hidden
@pytest.mark.points(0.6)
def test_scans_of_other_nets(submission, rng):
    """Single precision, one channel, a single share, and labels that the net never gives."""
    weights, biases, x, labels = problem(rng, 40, "float32", 1)
    biases[2][3] = -99
    labels[::4] = 3
    arguments = weights, biases, x, labels, [float(rng.uniform(0.6, 0.9))]
    found = expect_array(submission.scan(*arguments), (3, 1), "number", "the scan")
    assert agrees(found, submission, arguments), "count the images whose greatest logit is that of their label"


def chosen(right, whole, count, shares, points):
    """The definition, share by share, in whole numbers."""
    allowed = [[s for r, s in zip(row, shares, strict=True) if 100 * (whole - r) <= points * count] for row in right]
    return [max(row, default=0.0) for row in allowed]


@pytest.mark.hidden
@pytest.mark.points(1)
def test_choices_of_many_scans(submission, rng):
    """The largest share that is allowed, of shares in any order, even where a smaller one is not."""
    for count, points in (500, 1.3), (333, 4.1), (80, 10.2):
        shares = rng.permutation(np.arange(1, 10) / 10).tolist()
        whole = int(0.6 * count)
        right = whole - rng.integers(-2, int(0.04 * points * count), (6, 9))
        found = expect_array(submission.choose(right, whole, count, shares, points), (6,), "number", "the shares")
        message = "each layer gets the largest share that costs it at most `points`; the cost is in percentage points"
        expect_close(found, chosen(right, whole, count, shares, points), message)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_layers_that_allow_nothing(submission, rng):
    """Such a layer keeps all its weights, and the others are chosen as ever."""
    right = rng.integers(60, 90, (5, 3))
    right[rng.permutation(5)[:2]] = 10
    shares = rng.permutation([0.25, 0.5, 0.75]).tolist()
    for points in 12.5, 0.5, -1.0:
        found = expect_array(submission.choose(right, 90, 100, shares, points), (5,), "number", "the shares")
        expect_close(found, chosen(right, 90, 100, shares, points), "0 for a layer whose shares all cost too much")
    assert found.dtype == np.float64, "shares are float64"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_a_cost_of_exactly_the_points(submission, rng):
    """It is allowed, and so is a gain; one image more is not."""
    lost = int(rng.integers(5, 30))
    right = 150 - np.array([[lost, lost + 1, lost - 1], [-lost - 2, lost, -lost - 3], [lost + 1, lost + 1, lost + 1]])
    shares = [0.5, 0.9, 0.2]
    found = expect_array(submission.choose(right, 150, 200, shares, lost / 2), (3,), "number", "the shares")
    expect_close(found, [0.5, 0.9, 0.0], "a cost of exactly `points` is allowed, and no more")
    found = expect_array(submission.choose(right, 150, 200, shares, (lost - 2) / 2), (3,), "number", "the shares")
    expect_close(found, [0.0, 0.5, 0.0], "a gain costs less than nothing, however large it is")
