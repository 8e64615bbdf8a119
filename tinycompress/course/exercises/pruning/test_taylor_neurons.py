"""Tests of taylor_neurons. Public: the statement's numbers. Hidden: linear losses, images and ties."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error, expect_tuple

MAY_IMPORT = ()


@pytest.mark.public
@pytest.mark.points(0.15)
def test_one_neuron_and_two_examples(submission):
    """The first line of the table in the statement."""
    found = submission.importance(np.array([[3.0], [1.0]]), np.array([[2.0], [-5.0]]) / 2)
    expect_close(found, [5.5], "the mean of |6| and |-5|; grad already contains the factor 1/2 of the mean loss L")


@pytest.mark.public
@pytest.mark.points(0.15)
def test_one_channel_of_two_pixels(submission):
    """The second line of the table in the statement."""
    h, grad = (np.array(values).reshape(1, 1, 2, 1) for values in ([3.0, 1.0], [2.0, -5.0]))
    expect_close(submission.importance(h, grad), [1], "the pixels of a channel become 0 together: |6 - 5|")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_importance_is_the_change_of_a_linear_loss(submission, rng):
    """If the losses are linear in h, Taylor's first term is the whole change."""
    h, slopes = rng.normal(size=(7, 5)), rng.normal(size=(7, 5))
    changes = [np.abs((np.where(np.arange(5) == k, 0, h) * slopes).sum(1) - (h * slopes).sum(1)) for k in range(5)]
    found = submission.importance(h, slopes / 7)
    message = "it is how much the loss of an example changes when the neuron becomes 0, averaged over the examples"
    expect_close(found, [c.mean() for c in changes], message)


@pytest.mark.hidden
@pytest.mark.points(1)
def test_channels_of_many_images(submission, rng):
    """Products are added up over pixels with their signs, and over images without."""
    h, grad = rng.normal(size=(6, 3, 4, 5)), rng.normal(size=(6, 3, 4, 5))
    expected = [sum(abs((h[n, :, :, c] * grad[n, :, :, c]).sum()) for n in range(6)) for c in range(5)]
    message = "first the sum over an image's pixels, then the absolute value, then the sum over the images"
    expect_close(submission.importance(h, grad), expected, message)


def arrays(answer, lengths, kind):
    """The answer's arrays, one per layer, checked for shape and kind."""
    parts = zip(expect_tuple(answer, len(lengths)), lengths, strict=True)
    return [expect_array(part, (n,), kind, f"the array of layer {k}") for k, (part, n) in enumerate(parts)]


@pytest.mark.public
@pytest.mark.points(0.15)
def test_layers_become_comparable(submission):
    """Each layer's scores get the norm 1."""
    found = arrays(submission.comparable([np.array([3.0, 4.0]), np.array([0.0, 0.02, 0.0])]), (2, 3), "number")
    expect_close(found[0], [0.6, 0.8], "divide by sqrt(3^2 + 4^2)")
    expect_close(found[1], [0, 1, 0], "a layer whose scores are all small is not less important because of that")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_a_layer_in_which_nothing_matters_stays_0(submission, rng):
    """Layers of any length and scale; there is no division by 0."""
    scores = [np.zeros(4), 1e-6 * rng.random(3), 1e6 * rng.random(9), np.zeros(1), rng.random(1)]
    found = arrays(submission.comparable(scores), (4, 3, 9, 1, 1), "number")
    changed = bool(submission.changed)
    for layer in 0, 3:
        expect_close(found[layer], np.zeros(len(scores[layer])), "0 / 0 is not a score: scores that are all 0 stay 0")
    for layer in 1, 2, 4:
        expected = scores[layer] / np.sqrt((scores[layer] ** 2).sum())
        expect_close(found[layer], expected, "divide each layer's scores by the root of the sum of their squares")
    if changed:
        raise Partial(0.75, "return new arrays: s /= … changes those of the caller")


@pytest.mark.public
@pytest.mark.points(0.15)
def test_the_least_important_of_the_whole_net_go(submission):
    """Three neurons of two layers are removed."""
    kept = arrays(submission.keep([np.array([0.1, 0.9, 0.3]), np.array([0.2, 0.8])], 3), (3, 2), "bool")
    assert [k.tolist() for k in kept] == [[False, True, False], [False, True]], "0.1, 0.2 and 0.3 go, in any layer"


def one_by_one(scores, count):
    """The definition: remove the least important neuron that may go, the first of equals, again and again."""
    kept = [np.ones(len(s), bool) for s in scores]
    for _ in range(count):
        places = [(s[k], layer, k) for layer, s in enumerate(scores) for k in np.flatnonzero(kept[layer]).tolist()]
        _, layer, k = min(place for place in places if kept[place[1]].sum() > 1)
        kept[layer][k] = False
    return [k.tolist() for k in kept]


@pytest.mark.hidden
@pytest.mark.points(1.6)
def test_no_layer_is_emptied(submission, rng):
    """A layer of unimportant neurons keeps its best one, and others are removed instead; all counts that can be."""
    weak, strong, alone = rng.permutation(5) / 1000, 1 + rng.permutation(6), rng.random(1)
    for count in range(10):
        kept = arrays(submission.keep([weak, strong, alone], count), (5, 6, 1), "bool")
        assert sum((~k).sum() for k in kept) == count, "if a layer has only one left, the next in order are removed"
        message = "each layer keeps its most important neuron; the others go in the order of their scores"
        assert [k.tolist() for k in kept] == one_by_one([weak, strong, alone], count), message
    message = "each of the layers keeps a neuron, so that not so many can be removed"
    expect_error(ValueError, submission.keep, [weak, strong, alone], 10, message=message)


@pytest.mark.hidden
@pytest.mark.points(1)
def test_ties_go_by_order(submission, rng):
    """If scores are equal, exactly `count` neurons are removed: the earlier ones."""
    for most in 6 * (1, 3):
        scores = [rng.integers(0, most, n) / 2 for n in rng.integers(2, 7, 3)]
        count = int(rng.integers(1, sum(len(s) - 1 for s in scores) + 1))
        kept = arrays(submission.keep(scores, count), [len(s) for s in scores], "bool")
        message = "a threshold removes all equals or none: rank them instead, by layer and place"
        assert [k.tolist() for k in kept] == one_by_one(scores, count), message
