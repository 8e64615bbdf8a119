"""Tests of beat_the_labels. Public: nets by hand. Hidden: the loss and its derivative, and five drawn problems."""

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_number, expect_tuple

MAY_IMPORT = ("engine",)


def net_of(value, inputs, hidden, classes):
    """The answer as a net, checked for its shapes."""
    shapes = (inputs, hidden), (hidden,), (hidden, classes), (classes,)
    parts = zip(expect_tuple(value, 4, "the net"), shapes, ("w1", "b1", "w2", "b2"), strict=True)
    return [expect_array(part, shape, "float", name) for part, shape, name in parts]


def outputs(net, x):
    return np.maximum(x @ net[0] + net[1], 0) @ net[2] + net[3]


def softmax(z):
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_net_by_hand(submission):
    """One input, two hidden neurons, one of which is shut."""
    net = [np.array([[1.0, -1.0]]), np.array([1.0, 0.0]), np.array([[2.0, 0.0], [5.0, 5.0]]), np.array([0.0, 7.0])]
    expect_close(submission.predict(net, np.array([[3.0]])), [[8, 7]], "relu(3 + 1) * 2, and the bias of 7")


@pytest.mark.public
@pytest.mark.points(0.3)
def test_the_loss_by_hand(submission):
    """A student that knows nothing, and a teacher that is sure up to 3 to 1."""
    loss, grad = expect_tuple(submission.soft_loss(np.zeros((1, 2)), np.array([[2 * np.log(3), 0.0]]), 2.0), 2)
    expect_close(loss, 4 * np.log(2), "T^2 times log 2", 1e-4)
    expect_close(grad, [[-0.5, 0.5]], "T times (softmax(z / T) - softmax(t / T)) = 2 * (1/2 - 3/4)", 1e-4)


@pytest.mark.public
@pytest.mark.points(0.4)
def test_a_student_of_two_blobs(submission):
    """Two classes that are far apart are learned from a teacher's logits."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    x = 3 * (2 * labels[:, None] - 1) + rng.normal(size=(60, 2))
    net = net_of(submission.distil(x, np.stack([-x.sum(1), x.sum(1)], axis=1), 4, 0), 2, 4, 2)
    assert (outputs(net, x).argmax(1) == labels).mean() > 0.9, "the student does not learn what its teacher says"


@pytest.mark.hidden
@pytest.mark.points(0.7)
def test_outputs_of_any_net(submission, rng):
    """Nets and batches of any size."""
    for examples, inputs, hidden, classes in (5, 3, 6, 4), (1, 7, 2, 9), (0, 2, 2, 2):
        net = [rng.normal(size=shape) for shape in ((inputs, hidden), (hidden,), (hidden, classes), (classes,))]
        x = rng.normal(size=(examples, inputs))
        found = expect_array(submission.predict(net, x), (examples, classes), "float")
        message = "relu after the first layer, none after the second; both have a bias"
        expect_close(found, outputs(net, x), message)


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_losses_of_any_batch(submission, rng):
    """The mean over the examples, of any size and at any temperature."""
    for examples, temperature in (6, 1.0), (3, 3.0), (1, 0.5):
        z, t = 2 * rng.normal(size=(examples, 4)), 2 * rng.normal(size=(examples, 4))
        loss = expect_tuple(submission.soft_loss(z, t, temperature), 2)[0]
        expect_number(loss, "L")
        expected = -(softmax(t / temperature) * np.log(softmax(z / temperature))).sum(1).mean() * temperature**2
        expect_close(loss, expected, "T^2, times the mean over the examples of -sum p log q, both at T", 1e-4)


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_derivatives_of_the_loss(submission, rng):
    """dL/dlogits for any temperature."""
    for examples, temperature in (6, 1.0), (3, 3.0):
        z, t = 2 * rng.normal(size=(examples, 4)), 2 * rng.normal(size=(examples, 4))
        grad = expect_tuple(submission.soft_loss(z, t, temperature), 2)[1]
        expected = temperature * (softmax(z / temperature) - softmax(t / temperature)) / examples
        expect_close(
            grad, expected, "call backward() on the loss that you return; .grad is then dL/dlogits", 1e-4, 1e-6
        )


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_large_logits(submission, rng):
    """A teacher's logits may be in the thousands, and a student's, too."""
    z, t = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)) + rng.choice([-3000, 2000, 5000], (4, 1))
    loss, grad = expect_tuple(submission.soft_loss(z, t, 1.0), 2)
    message = "exp(2000) is infinite: subtract the largest logit of each example"
    expect_close(grad, (softmax(z) - softmax(t)) / 4, message, 1e-4, 1e-6)
    expect_close(loss, -(softmax(t) * np.log(softmax(z))).sum(1).mean(), message, 1e-4)
    z = 1000 * rng.normal(size=(4, 3)) + rng.permutation([-5000, 0, 2000, 6000])[:, None]
    loss, grad = expect_tuple(submission.soft_loss(z, t, 1.0), 2)
    top = z.max(1, keepdims=True)
    logs = z - top - np.log(np.exp(z - top).sum(1, keepdims=True))
    message = "the student's logits may be large, too: log(exp(-1000)) is -1000, not the logarithm of 0"
    expect_close(grad, (softmax(z) - softmax(t)) / 4, message, 1e-4, 1e-6)
    expect_close(loss, -(softmax(t) * logs).sum(1).mean(), message, 1e-4)


def problem(rng):
    """Six classes that overlap in 16 dimensions: centres, 200 examples, their labels, and a teacher's logits."""
    centres = 0.5 * rng.normal(size=(6, 16))
    labels = rng.integers(0, 6, 200)
    x = centres[labels] + rng.normal(size=(200, 16))
    return centres, x, labels, -0.5 * ((x[:, None] - centres) ** 2).sum(2)


def by_labels(x, labels, seed):
    """A student of eight hidden neurons that learns from the labels: Adam on the whole batch, in NumPy."""
    rng = np.random.default_rng(seed)
    net = [rng.normal(size=(16, 8)) * (2 / 16) ** 0.5, np.zeros(8), rng.normal(size=(8, 6)) * 8**-0.5, np.zeros(6)]
    first, second = ([np.zeros_like(w) for w in net] for _ in "ab")
    for number in range(1, 121):
        h = np.maximum(x @ net[0] + net[1], 0)
        error = (softmax(h @ net[2] + net[3]) - np.eye(6)[labels]) / len(x)
        back = error @ net[2].T * (h > 0)
        for i, grad in enumerate((x.T @ back, back.sum(0), h.T @ error, error.sum(0))):
            first[i] = 0.9 * first[i] + 0.1 * grad
            second[i] = 0.999 * second[i] + 0.001 * grad**2
            size = np.sqrt(second[i] / (1 - 0.999**number)) + 1e-8
            net[i] = net[i] - 0.03 * first[i] / (1 - 0.9**number) / size
    return net


@pytest.mark.hidden
@pytest.mark.points(4.2)
def test_the_labels_are_beaten(submission, rng):
    """Five drawn problems: accuracy on new examples, beside that of a student of the labels."""
    gains = []
    for seed in rng.integers(0, 10**6, 5).tolist():
        centres, x, labels, teacher = problem(rng)
        net = net_of(submission.distil(x, teacher, 8, seed), 16, 8, 6)
        new = rng.integers(0, 6, 4000)
        images = centres[new] + rng.normal(size=(4000, 16))
        yours, theirs = ((outputs(n, images).argmax(1) == new).mean() for n in (net, by_labels(x, labels, seed)))
        gains.append(100 * (yours - theirs))
    gain = float(np.mean(gains))
    assert gain > 5, "your student gains fewer than 5 points: does it learn from the teacher's probabilities?"
    if gain < 11:
        raise Partial(0.5, "your student gains 5 points, but not 11: use all probabilities, and train long enough")


@pytest.mark.hidden
@pytest.mark.points(0.8)
def test_the_seed_makes_the_student(submission, rng):
    """The same seed gives the same student, another seed another one."""
    x, teacher = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    first, again, other = (net_of(submission.distil(x, teacher, 5, seed), 3, 5, 2) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True)), "draw from default_rng(seed) alone"
    assert not np.allclose(first[0], other[0]), "the first weights depend on the seed"
    assert not (np.abs(first[0]) < 1e-9).any(), "weights that all begin at 0 stay alike"
