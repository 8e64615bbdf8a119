"""Tests of halting. Public: the statement's exits. Hidden: any number of exits, difference quotients, and the edges."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_tuple

MAY_IMPORT = ()

H = np.array([[0.5], [0.25], [0.9]])


@pytest.mark.public
@pytest.mark.points(0.2)
def test_three_exits(submission):
    """The example of the statement."""
    message = "to stop at exit k, one must not have stopped before; at the last exit everything stops that is left"
    expect_close(submission.stop_probabilities(H), [[0.5], [0.125], [0.375]], message)


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_loss_of_two_exits(submission):
    """Losses of 4 and 2, costs of 1 and 3, and a price of 1."""
    arguments = (
        np.array([[0.25], [0.5]]),
        np.array([[0.25], [0.75]]),
        np.array([[4.0], [2.0]]),
        np.array([1.0, 3.0]),
        1.0,
    )
    loss, grad = expect_tuple(submission.loss_and_gradient(*arguments), 2)
    expect_close(loss, 5, "each way to stop costs 5 here, loss and price together")
    expect_close(grad, [[0], [0]], "so it does not matter where the net stops", atol=1e-6)


@pytest.mark.public
@pytest.mark.points(0.2)
def test_where_an_image_stops(submission):
    """The sums of the statement's p are 0.5, 0.625 and 1."""
    found = [
        expect_array(submission.stops(np.array([[0.5], [0.125], [0.375]]), share), (1,), "int").item()
        for share in (0.4, 0.6, 0.7)
    ]
    assert found == [0, 1, 2], "the first exit at which the sum of p so far has reached the share"


def probabilities(h):
    p, left = np.zeros(h.shape), np.ones(h.shape[1])
    for k in range(len(h)):
        p[k] = left * h[k] if k < len(h) - 1 else left
        left = left - p[k]
    return p


@pytest.mark.hidden
@pytest.mark.points(1)
def test_probabilities_of_any_net(submission, rng):
    """Few and many exits and images."""
    changed = False
    for exits, images in (2, 5), (6, 30), (9, 1):
        h = rng.random((exits, images))
        found = expect_array(submission.stop_probabilities(h), h.shape, "float")
        changed |= bool(submission.changed)
        expect_close(found.sum(0), np.ones(images), "every image stops somewhere: the probabilities have the sum 1")
        expect_close(found, probabilities(h), "p_k = h_k times all (1 - h) of the exits before")
    if changed:
        raise Partial(0.7, "what a net says at its last exit is not yours to change: set a copy to 1")


@pytest.mark.hidden
@pytest.mark.points(0.5)
def test_probabilities_at_the_edges(submission, rng):
    """h may be exactly 0 or 1; a net may have one exit, at which it stops whatever h is."""
    h = rng.integers(0, 2, (5, 20)).astype(float)
    found = expect_array(submission.stop_probabilities(h), h.shape, "float")
    expect_close(found, probabilities(h), "if h is 1 everything stops here, and nothing is left for later exits")
    one = expect_array(submission.stop_probabilities(rng.random((1, 7))), (1, 7), "float")
    expect_close(one, np.ones((1, 7)), "the only exit is the last one: there h counts as 1")


def total(h, losses, costs, price):
    return float((probabilities(h) * (losses + price * costs[:, None])).sum(0).mean())


def case(rng, exits, images):
    return (
        rng.uniform(0.1, 0.9, (exits, images)),
        rng.uniform(0, 3, (exits, images)),
        np.cumsum(rng.uniform(1, 3, exits)),
    )


@pytest.mark.hidden
@pytest.mark.points(1)
def test_losses_of_any_net(submission, rng):
    """Several prices."""
    for exits, images, price in (3, 8, 0.5), (5, 1, 0.0), (2, 20, 4.0):
        h, losses, costs = case(rng, exits, images)
        loss = expect_tuple(submission.loss_and_gradient(h, probabilities(h), losses, costs, price), 2)[0]
        message = "the mean over the images of sum_k p_k (loss_k + price * cost_k)"
        expect_close(loss, total(h, losses, costs, price), message)


@pytest.mark.hidden
@pytest.mark.points(1.8)
def test_gradients_are_limits_of_difference_quotients(submission, rng):
    """A small step of each h, also of the last exit's, which changes nothing."""
    for exits, images, price in (3, 4, 0.5), (5, 2, 2.0), (2, 3, 0.0):
        h, losses, costs = case(rng, exits, images)
        found = expect_tuple(submission.loss_and_gradient(h, probabilities(h), losses, costs, price), 2)[1]
        expected = np.zeros(h.shape)
        for index in np.ndindex(h.shape):
            step = np.zeros(h.shape)
            step[index] = 1e-6
            above, below = (total(h + s, losses, costs, price) for s in (step, -step))
            expected[index] = (above - below) / 2e-6
        message = (
            "dp_k/dh_k = p_k / h_k; for a later exit j it is -p_j / (1 - h_k); and the loss is a mean over the images"
        )
        expect_close(found, expected, message, 1e-4, 1e-6, name="dL/dh")


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_stops_of_any_net(submission, rng):
    """Shares from low to high."""
    for share in 0.1, 0.5, float(rng.uniform(0.6, 0.95)):
        h = rng.random((6, 50))
        found = expect_array(submission.stops(probabilities(h), share), (50,), "int")
        sums = np.cumsum(probabilities(h), axis=0)
        expected = [next(k for k in range(6) if sums[k, i] >= share) for i in range(50)]
        assert np.array_equal(found, expected), "the first exit at which the sum of p so far is at least the share"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_stops_at_the_edges(submission, rng):
    """A share of 1, and a share that a sum reaches exactly, up to rounding."""
    h = rng.uniform(0.1, 0.9, (5, 30))
    found = expect_array(submission.stops(probabilities(h), 1.0), (30,), "int")
    assert (found == 4).all(), "only the last exit makes the sum 1, and rounding may leave it at 0.9999999999999999"
    tenths = np.zeros((9, 6)) + 1 / (10 - np.arange(9))[:, None]
    k = int(rng.integers(2, 8))
    found = expect_array(submission.stops(probabilities(tenths), (k + 1) / 10), (6,), "int")
    assert (found == k).all(), "each p is a tenth here: allow 1e-9 for rounding"
