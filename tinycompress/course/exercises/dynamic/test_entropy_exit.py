"""Tests of entropy_exit. Public: the statement's table. Hidden: large logits, ties and accuracy that rises again."""

import math

import numpy as np
import pytest

from tinycompress.course import Partial, expect_close, expect_error, expect_number, expect_tuple

MAY_IMPORT = ()

ENTROPIES = np.array([0.1, 0.2, 0.3, 0.4])
EARLY, LATE = np.array([True, False, True, False]), np.array([False, True, True, True])


@pytest.mark.public
@pytest.mark.points(1)
def test_two_equal_classes(submission):
    """Two equally likely classes have an entropy of log(2) nats."""
    found = submission.entropy(np.array([[1.0, 1.0], [0.0, math.log(3)]]))
    expected = [math.log(2), 0.25 * math.log(4) + 0.75 * math.log(4 / 3)]
    expect_close(found, expected, "take the softmax first, then minus the sum of p log p, with the natural logarithm")


@pytest.mark.public
@pytest.mark.points(1)
def test_the_table_of_the_statement(submission):
    """At T = 0.2 half of the images leave, and 75 % are right."""
    found = expect_tuple(submission.judge(ENTROPIES, EARLY, LATE, 0.2), 2)
    expect_close(found[0], 0.5, "an image leaves if its entropy is at most the threshold", name="the share that leaves")
    expect_close(found[1], 0.75, "images that leave get the early answer, all others the late one", name="the accuracy")


@pytest.mark.public
@pytest.mark.points(1)
def test_a_threshold_for_three_quarters(submission):
    """The largest threshold that reaches 75 % is 0.3."""
    found = expect_number(submission.choose_threshold(ENTROPIES, EARLY, LATE, 0.75))
    assert found == 0.3, "0.1, 0.2 and 0.3 all reach 75 %, and with the largest most images leave"


@pytest.mark.hidden
@pytest.mark.points(2)
def test_logits_of_any_size(submission, rng):
    """Logits may be small, or in the thousands."""
    logits = rng.normal(size=(20, 6)) * 3
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -(p * np.log(p)).sum(1)
    found = submission.entropy(logits)
    expect_close(found, expected, "one entropy per image, summed over its classes", 1e-7, 1e-9)
    large = np.array([[3000.0, 0.0, -3000.0], [2000.0, 2000.0, 0.0], [-5000.0, -5000.0, -5000.0]])
    found = submission.entropy(large)
    message = "exp(1000) overflows, and 0 * log(0) is NaN: subtract the largest logit, and use log(p) = z - log(sum)"
    if not isinstance(found, np.ndarray) or not np.isfinite(found).all():
        raise Partial(0.4, message)
    expect_close(found, [0, math.log(2), math.log(3)], message, 1e-7, 1e-9)
    assert (found >= 0).all(), "an entropy is never below 0, not even by rounding"


@pytest.mark.hidden
@pytest.mark.points(1)
def test_many_images_are_judged(submission, rng):
    """There are many images, and some of their entropies equal the threshold."""
    h = rng.integers(0, 6, 50) / 4
    early, late = rng.random(50) < 0.7, rng.random(50) < 0.9
    for threshold in -1.0, 0.0, 0.5, 9.0:
        found = expect_tuple(submission.judge(h, early, late, threshold), 2)
        right = sum(bool(e if x <= threshold else v) for x, e, v in zip(h, early, late, strict=True))
        expect_close(found[0], sum(x <= threshold for x in h.tolist()) / 50, "equal to the threshold: it leaves, too")
        expect_close(found[1], right / 50, "the accuracy is that of all images, not of those that leave")


@pytest.mark.hidden
@pytest.mark.points(3)
def test_the_largest_threshold_that_will_do(submission, rng):
    """Your threshold is compared with all others; images of equal entropy leave together."""
    right = 0
    for case in range(6):
        h = rng.integers(0, 15, 40) / 8 if case % 2 else rng.random(40)
        early, late = rng.random(40) < 1 - h / 3, rng.random(40) < 0.8
        accuracies = {t: np.where(h <= t, early, late).mean() for t in [-1.0, *h.tolist()]}
        asked = float(np.quantile(list(accuracies.values()), 0.5))
        found = expect_number(submission.choose_threshold(h, early, late, asked))
        assert np.where(h <= found, early, late).mean() >= asked, "the threshold does not reach the accuracy"
        right += found == max(t for t, a in accuracies.items() if a >= asked)
    assert right, "a larger entropy, taken as the threshold, reaches the accuracy, too"
    if right < 6:
        raise Partial(0.5, "a larger threshold reaches it: accuracy may rise again, so do not stop at the first fall")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_when_nobody_may_leave(submission):
    """At -1 no image leaves; an accuracy that even -1 does not reach is refused."""
    early, late = np.array([False, False]), np.array([True, False])
    found = expect_number(submission.choose_threshold(np.array([0.0, 0.5]), early, late, 0.5))
    assert found == -1, "an entropy may be 0, so images may leave at a threshold of 0, but not at -1"
    message = "no threshold reaches this accuracy: raise ValueError instead of returning one that does not"
    expect_error(ValueError, submission.choose_threshold, np.array([0.0, 0.5]), early, late, 0.9, message=message)
