"""Tests of entropy_exit. Public: the statement's table. Hidden: large logits, ties and accuracy that rises again."""

import math

import numpy as np
import pytest

from tinycompress.course import Partial, expect_close, expect_error, expect_number, expect_tuple

MAY_IMPORT = ()

ENTROPIES = np.array([0.1, 0.2, 0.3, 0.4])
EARLY, LATE = np.array([True, False, True, False]), np.array([False, True, True, True])


@pytest.mark.public
@pytest.mark.points(0.2)
def test_two_equal_classes(submission):
    """Two equally likely classes have an entropy of log(2) nats."""
    found = submission.entropy(np.array([[1.0, 1.0], [0.0, math.log(3)]]))
    expected = [math.log(2), 0.25 * math.log(4) + 0.75 * math.log(4 / 3)]
    expect_close(found, expected, "take the softmax first, then minus the sum of p log p, with the natural logarithm")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_table_of_the_statement(submission):
    """At T = 0.2 half of the images leave, and 75 % are right."""
    found = expect_tuple(submission.judge(ENTROPIES, EARLY, LATE, 0.2), 2)
    expect_close(found[0], 0.5, "an image leaves if its entropy is at most the threshold", name="the share that leaves")
    expect_close(found[1], 0.75, "images that leave get the early answer, all others the late one", name="the accuracy")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_threshold_for_three_quarters(submission):
    """The largest threshold that reaches 75 % is 0.3."""
    found = expect_number(submission.choose_threshold(ENTROPIES, EARLY, LATE, 0.75))
    assert found == 0.3, "0.1, 0.2 and 0.3 all reach 75 %, and with the largest most images leave"


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_logits_of_any_size(submission, rng):
    """Logits may be small, or in the thousands; there may be one class."""
    for images, classes in (20, 6), (3, 1):
        logits = rng.normal(size=(images, classes)) * 3
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        expect_close(
            submission.entropy(logits),
            -(p * np.log(p)).sum(1),
            "one entropy per image, summed over classes",
            1e-7,
            1e-9,
        )
    a, b, c = rng.integers(900, 3000, 3).tolist()
    found = submission.entropy(np.array([[2.0 * a, 0, -a], [b, b, -b], [-c, -c, -c], [c, c - 1, 0]]))
    message = "exp(1000) overflows, and 0 * log(0) is NaN: subtract the largest logit, and use log(p) = z - log(sum)"
    if not isinstance(found, np.ndarray) or not np.isfinite(found).all():
        raise Partial(0.4, message)
    two = math.log1p(math.exp(-1)) + math.exp(-1) / (1 + math.exp(-1))
    expect_close(found, [0, math.log(2), math.log(3), two], message, 1e-7, 1e-9)
    assert (found >= 0).all(), "an entropy is never below 0, not even by rounding"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_entropies_of_logits_in_float32(submission, rng):
    """Exact to 1e-9, as float64, although a net's logits are float32."""
    logits = (3 * rng.normal(size=(9, 5))).astype(np.float32)
    z = logits.astype(float)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    found = submission.entropy(logits)
    expect_close(found, -(p * np.log(p)).sum(1), "convert to float64 before you compute", 0, 1e-9)
    assert found.dtype == np.float64, "entropies are float64"


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_many_images_are_judged(submission, rng):
    """All images count, those that leave and those that stay; all may leave, or none."""
    h = rng.random(50)
    early, late = rng.random(50) < 0.7, rng.random(50) < 0.9
    for threshold in -1.0, *rng.random(4).tolist(), 9.0:
        found = expect_tuple(submission.judge(h, early, late, threshold), 2)
        right = sum(bool(e if x <= threshold else v) for x, e, v in zip(h, early, late, strict=True))
        expect_close(found[0], sum(x <= threshold for x in h.tolist()) / 50, "the share of images that leave")
        expect_close(found[1], right / 50, "the accuracy is that of all images, not of those that leave")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_entropies_that_equal_the_threshold(submission, rng):
    """Images with H <= T leave."""
    h = rng.integers(0, 6, 50) / 4
    early, late = rng.random(50) < 0.7, rng.random(50) < 0.9
    for threshold in np.unique(h).tolist():
        found = expect_tuple(submission.judge(h, early, late, threshold), 2)
        expect_close(found[0], (h <= threshold).mean(), "equal to the threshold: it leaves, too")
        expect_close(found[1], np.where(h <= threshold, early, late).mean(), "equal to the threshold: it leaves, too")


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_the_largest_threshold_that_will_do(submission, rng):
    """Your threshold is compared with all others; images of equal entropy leave together."""
    right = strict = 0
    for case in range(12):
        h = rng.integers(0, 6, 40) / 4 if case % 2 else rng.random(40)
        early, late = rng.random(40) < 1 - h / 3, rng.random(40) < 0.8
        accuracies = {t: np.where(h <= t, early, late).mean() for t in [-1.0, *h.tolist()]}
        asked = sorted(accuracies.values())[len(accuracies) // 2]
        found = expect_number(submission.choose_threshold(h, early, late, asked))
        right += found == max(t for t, a in accuracies.items() if a >= asked)
        strict += found == max(t for t in accuracies if np.where(h < t, early, late).mean() >= asked)
        reached = np.where(h <= found, early, late).mean() >= asked
        assert reached or strict > case, "the threshold does not reach the accuracy"
    assert right or strict == 12, "a larger entropy, taken as the threshold, reaches the accuracy, too"
    if right < 12:
        message = "a larger threshold reaches it: accuracy may rise again, so do not stop at the first fall"
        raise Partial(0.7, "images with H = T leave") if strict == 12 else Partial(0.5, message)


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_when_nobody_or_everybody_may_leave(submission, rng):
    """At -1 no image leaves; an accuracy that even -1 does not reach is refused; one that is just reached is not."""
    n = int(rng.integers(4, 30))
    h = np.append(0, rng.random(n - 1))
    late = np.arange(n) < int(rng.integers(2, n))
    found = expect_number(submission.choose_threshold(h, np.zeros(n, bool), late, late.mean()))
    assert found == -1, "an entropy may be 0, so images may leave at a threshold of 0, but not at -1"
    found = expect_number(submission.choose_threshold(h, np.ones(n, bool), late, 1.0))
    assert found == h.max(), "if all early answers are right, all images may leave"
    message = "no threshold reaches this accuracy: raise ValueError instead of returning one that does not"
    arguments = h, np.zeros(n, bool), late, late.mean() + 0.5 / n
    expect_error(ValueError, submission.choose_threshold, *arguments, message=message)
