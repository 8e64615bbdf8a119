"""Tests of patience. Public: the statement's image. Hidden: any number of exits and any patience."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_tuple

MAY_IMPORT = ()

ANSWERS = np.array([[3, 8, 8, 8, 1]]).T


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_image_of_the_statement(submission):
    """Patience 1 to 4."""
    found = [expect_array(submission.leaving(ANSWERS, p), (1,), "int").item() for p in (1, 2, 3, 4)]
    assert found == [0, 2, 3, 4], "p answers one after another must be the same; otherwise the last exit answers"


@pytest.mark.public
@pytest.mark.points(0.1)
def test_the_result_of_two_images(submission):
    """One leaves early and is right, the other late and is wrong."""
    answers, costs = np.array([[1, 5], [2, 6]]), np.array([10.0, 30.0])
    found = expect_tuple(submission.result(answers, np.array([1, 5]), costs, np.array([0, 1])), 2)
    expect_close(found[0], 0.5, "the answer of an image is that of its own exit")
    expect_close(found[1], 20, "the cost of an image is that of its own exit")


@pytest.mark.public
@pytest.mark.points(0.1)
def test_the_overthought_image(submission):
    """It was an 8."""
    expect_close(submission.overthought(ANSWERS, np.array([8])), 1, "exits 1 to 3 had it right, the last one has not")


def one_by_one(answers, patience):
    found = []
    for image in answers.T.tolist():
        exits = range(patience - 1, len(image))
        good = [e for e in exits if len(set(image[e - patience + 1 : e + 1])) == 1]
        found.append(good[0] if good else len(image) - 1)
    return found


@pytest.mark.hidden
@pytest.mark.points(1.4)
def test_images_of_any_net(submission, rng):
    """Few and many exits and classes; answers that change and come back."""
    for exits, images, classes, patience in (6, 60, 3, 2), (12, 40, 2, 4), (9, 50, 2, 3), (3, 20, 10, 2):
        answers = rng.integers(0, classes, (exits, images))
        found = expect_array(submission.leaving(answers, patience), (images,), "int")
        message = "count how often the answer stayed the same without a break; who has left, has left"
        assert np.array_equal(found, one_by_one(answers, patience)), message
    if found.dtype != np.int64:
        raise Partial(0.8, "exits are int64")


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_patience_at_the_edges(submission, rng):
    """1, as many as there are exits, and more; a net of one exit; a patience of 0 is refused."""
    exits, images = int(rng.integers(3, 7)), int(rng.integers(5, 20))
    answers = rng.integers(0, 2, (exits, images))
    for patience in 1, exits, exits + 3:
        found = expect_array(submission.leaving(answers, patience), (images,), "int")
        expected = 0 if patience == 1 else exits - 1
        assert (found == expected).all(), "at patience 1 all leave at once; no image leaves after the last exit"
    assert not expect_array(submission.leaving(answers[:1], 2), (images,), "int").any(), "a net may have one exit"
    expect_error(ValueError, submission.leaving, answers, 0, message="a patience below 1 asks for no answer at all")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_accuracy_and_cost(submission, rng):
    """Each image at its own exit."""
    for exits, images in (4, 50), (2, 7), (1, 9):
        answers, labels = rng.integers(0, 3, (exits, images)), rng.integers(0, 3, images)
        left, costs = rng.integers(0, exits, images), np.cumsum(rng.uniform(1, 5, exits))
        found = expect_tuple(submission.result(answers, labels, costs, left), 2)
        right = [answers[left[i], i] == labels[i] for i in range(images)]
        expect_close(found[0], np.mean(right), "compare the answer of each image's own exit with its label")
        message = "costs[k] is already the cost up to exit k; an image pays that of its own exit"
        expect_close(found[1], np.mean([costs[e] for e in left]), message)


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_images_that_are_overthought(submission, rng):
    """Images that are never right, always right, and lost on the way; a net of one exit cannot overthink."""
    for exits, images, classes in (4, 80, 3), (2, 60, 2), (1, 20, 2):
        answers, labels = rng.integers(0, classes, (exits, images)), rng.integers(0, classes, images)
        lost = [
            answers[-1, i] != labels[i] and any(answers[e, i] == labels[i] for e in range(exits - 1))
            for i in range(images)
        ]
        message = "the share of *all* images that are wrong in the end, and were right at some earlier exit"
        expect_close(submission.overthought(answers, labels), np.mean(lost), message)
