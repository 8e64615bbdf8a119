"""Tests of few_numbers. Public: the statement's image. Hidden: many classes, ties, rounding, and what is lost."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_equal, expect_tuple

MAY_IMPORT = ()

P = np.array([[0.70, 0.02, 0.20, 0.05, 0.03]])


@pytest.mark.public
@pytest.mark.points(0.1)
def test_two_of_five_classes(submission):
    """The example of the statement, stored."""
    classes, values = expect_tuple(submission.store(P, 2), 2)
    expect_equal(classes, np.array([[0, 2]]), "the most likely class first")
    expect_close(values, [[0.7, 0.2]], "their probabilities, in the same order", 1e-3)


@pytest.mark.public
@pytest.mark.points(0.1)
def test_five_classes_from_two(submission):
    """The example of the statement, restored."""
    arguments = np.array([[0, 2]], np.uint16), np.array([[0.75, 0.125]], np.float16), 5
    expected = [[0.75, 0.125 / 3, 0.125, 0.125 / 3, 0.125 / 3]]
    expect_close(submission.restore(*arguments), expected, "three classes share what 0.75 and 0.125 leave of 1")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_bits_of_a_wrong_guess(submission):
    """A sure teacher, restored as a coin."""
    found = submission.lost_bits(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    expect_close(found, 1, "log2(1 / 0.5) is one bit, and 0 log 0 is 0")


@pytest.mark.public
@pytest.mark.points(0.1)
def test_bytes_of_a_thousand_classes(submission):
    """Ten of a thousand classes."""
    message = "a float32 has 4 bytes, a uint16 and a float16 have 2 each"
    expect_equal(submission.stored_bytes(100, 1000, 10), (400_000, 4000), message)


def teacher(rng, images, classes):
    p = np.exp(3 * rng.normal(size=(images, classes)))
    return p / p.sum(1, keepdims=True)


@pytest.mark.hidden
@pytest.mark.points(0.9)
def test_the_most_likely_of_many(submission, rng):
    """Many classes, one stored class, and all of them."""
    for classes, k in (1000, 7), (12, 1), (5, 5):
        p = teacher(rng, 9, classes)
        found, values = expect_tuple(submission.store(p, k), 2)
        expect_array(found, (9, k), "int", "classes")
        expect_array(values, (9, k), "float", "values")
        for row, at, stored in zip(p, found, values, strict=True):
            expected = sorted(range(classes), key=lambda c, row=row: -row[c])[:k]
            assert at.tolist() == expected, "sort by probability, largest first; a class number may be above 255"
            expect_close(stored, row[expected], "the probabilities of these classes, in the same order", 2e-3, 1e-7)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_ties_and_dtypes(submission, rng):
    """Of equally likely classes the smaller number comes first, but not of those that only float16 cannot tell apart."""
    fine = rng.permuted(np.tile(1 + 1e-5 * np.arange(20), (30, 1)), axis=1) / 20.002
    expected = np.argsort(-fine, axis=1)[:, :6]
    expect_equal(expect_tuple(submission.store(fine, 6), 2)[0], expected, "sort before you round to float16")
    p = rng.integers(1, 4, (30, 20)).astype(float)
    p /= p.sum(1, keepdims=True)
    classes, values = expect_tuple(submission.store(p, 6), 2)
    expected = [sorted(range(20), key=lambda c, row=row: (-row[c], c))[:6] for row in p]
    expect_equal(classes, np.array(expected), "np.argsort of -p sorts equals by number only with kind='stable'")
    if np.asarray(classes).dtype != np.uint16 or np.asarray(values).dtype != np.float16:
        raise Partial(0.5, "classes are uint16 and values float16: two bytes each are the point of storing so few")


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_probabilities_are_restored(submission, rng):
    """Rows of many classes; their sum is 1, up to the rounding of float16."""
    for count, k in (300, 4), (6, 1), (9, 8):
        classes = np.array([rng.permutation(count)[:k] for _ in range(7)])
        values = (rng.dirichlet(np.ones(k + 1), 7)[:, :k]).astype(np.float16)
        found = expect_array(submission.restore(classes.astype(np.uint16), values, count), (7, count), "float")
        for row, at, stored in zip(found, classes, values.astype(float), strict=True):
            expected = np.full(count, max(0.0, 1 - stored.sum()) / (count - k))
            expected[at] = stored
            expect_close(
                row, expected, "the rest is shared by the classes that are not stored, and by them alone", 1e-6, 1e-9
            )


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_nothing_is_left_to_spread(submission, rng):
    """Values whose sum is above 1 in float16, and rows of which all classes are stored."""
    values = np.repeat(np.array([[0.75, 0.2502]], np.float16), 4, axis=0)
    places = np.array([rng.permutation(6)[:2] for _ in range(4)])
    found = expect_array(submission.restore(places.astype(np.uint16), values, 6), (4, 6), "float")
    assert (found >= 0).all() and np.count_nonzero(found) == 8, "no probability is below 0: the rest is at least 0"
    assert (np.take_along_axis(found, places, 1) > 0.2).all(), "the stored values stay"
    order = np.array([rng.permutation(3) for _ in range(5)])
    for values in (0.25, 0.25, 0.25), (0.5, 0.25, 0.25), (0.25, 0.5, 0.2502):
        stored = np.array(5 * [values], np.float16)
        found = expect_array(submission.restore(order.astype(np.uint16), stored, 3), (5, 3), "float")
        expected = np.zeros((5, 3))
        np.put_along_axis(expected, order, stored.astype(float), 1)
        expect_close(found, expected, "there are no other classes: do not divide by 0")


@pytest.mark.hidden
@pytest.mark.points(1.1)
def test_bits_that_are_lost(submission, rng):
    """The mean over the images, with probabilities that are exactly 0, in p alone or in both."""
    for images, classes in (6, 30), (1, 3):
        p, q = teacher(rng, images, classes), teacher(rng, images, classes)
        p[:, 0], q[0, 0] = 0, 0
        terms = [
            sum(a * np.log2(a / b) for a, b in zip(row, other, strict=True) if a > 0)
            for row, other in zip(p, q, strict=True)
        ]
        message = "the mean over the images of sum p log2(p / q); a class with p = 0 adds nothing"
        expect_close(submission.lost_bits(p, q), np.mean(terms), message)


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_bytes_of_any_teacher(submission, rng):
    """Any number of images, classes, and stored classes."""
    images, classes, k = (int(n) for n in rng.integers(2, 99, 3))
    found = expect_tuple(submission.stored_bytes(images, classes, k), 2)
    expect_equal(found, (4 * images * classes, 4 * images * k), "2 bytes for a class and 2 for its value")
