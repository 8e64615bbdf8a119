"""Tests of targeted_dropout. Public: the statement's example. Hidden: convolutions, ties, neurons, and training."""

import numpy as np
import pytest

from tinycompress.course import Partial, SubmissionProblem, expect_array, expect_close, expect_tuple

MAY_IMPORT = ("engine",)

COLUMN = np.array([[0.5], [-0.1], [0.3], [-0.9]])


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_targets_of_the_statement(submission):
    """The smaller half of four weights."""
    found = expect_array(submission.targets(COLUMN, 0.5), (4, 1), "bool", "the targets")
    assert found.ravel().tolist() == [False, True, True, False], "the smallest magnitudes, whatever their sign"


@pytest.mark.public
@pytest.mark.points(0.2)
def test_the_weights_of_the_statement(submission):
    """One of two targets is dropped."""
    found = submission.dropped(COLUMN, 0.5, 0.4, np.array([[0.2], [0.3], [0.7], [0.1]]))
    expect_close(found, [[0.5], [0], [0.3], [-0.9]], "a target is 0 where u < alpha; nothing is scaled up")


@pytest.mark.public
@pytest.mark.points(0.2)
def test_a_neuron_is_dropped(submission):
    """The outputs' norms are 5 and 2."""
    found = submission.dropped_neurons(np.array([[3.0, 2.0], [4.0, 0.0]]), 0.5, 0.9, np.array([0.1, 0.1]))
    expect_close(found, [[3, 0], [4, 0]], "the output with the smaller norm is the target, and loses all its weights")


@pytest.mark.public
@pytest.mark.points(0.1)
def test_no_step_at_all(submission):
    """After no step, the weights are the first ones."""
    first = [np.array([[0.25, -1.0]]), np.array([[0.5, 1.0], [2.0, 0.0]])]
    found = expect_tuple(submission.train(first, np.ones((1, 1)), np.array([0]), 0, 0.1, 0.5, 0.9, 0), 2)
    for part, expected in zip(found, first, strict=True):
        expect_close(part, expected, "the result has all weights: nothing is dropped after training")


def smallest(weight, share):
    """The definition, output by output."""
    size = np.abs(weight).reshape(-1, weight.shape[-1])
    found = np.zeros(size.shape, bool)
    for k in range(size.shape[1]):
        last = sorted(size[:, k])[: int(share * len(size))]
        found[:, k] = [bool(last) and s <= last[-1] for s in size[:, k]]
    return found.reshape(weight.shape)


SHAPES = [(12, 5), (3, 3, 2, 4), (7, 1), (1, 6)]


@pytest.mark.hidden
@pytest.mark.points(1.3)
def test_targets_of_each_output(submission, rng):
    """Dense layers and convolutions; outputs whose weights are large have targets, too."""
    for shape in SHAPES:
        weight = rng.normal(size=shape[::-1]).T * rng.uniform(0.1, 10, shape[-1])
        for share in rng.uniform(0.1, 0.95, 3).tolist():
            found = expect_array(submission.targets(weight, share), shape, "bool", "the targets")
            expected, axes = smallest(weight, share), tuple(range(len(shape) - 1))
            assert np.array_equal(found.sum(axes), expected.sum(axes)), (
                "int(share * n) of the n weights that lead to *each* output are targets"
            )
            assert np.array_equal(found, expected), "the targets are those of smallest magnitude, whatever their sign"


@pytest.mark.hidden
@pytest.mark.points(0.4)
def test_equal_magnitudes(submission, rng):
    """All weights that equal the last target are targets."""
    for share in 0.3, 0.6:
        weight = rng.integers(-3, 4, (15, 6)).astype(float)
        found = expect_array(submission.targets(weight, share), (15, 6), "bool", "the targets")
        assert np.array_equal(found, smallest(weight, share)), "what equals the last target is one, too"


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_no_targets_and_only_targets(submission, rng):
    """Shares of 0 and 1, and one that is less than a single weight."""
    weight = rng.normal(size=(6, 4))
    weight[rng.integers(6)] = 0
    for share in 0.0, 0.16, 0.17, 1.0:
        found = expect_array(submission.targets(weight, share), (6, 4), "bool", "the targets")
        assert np.array_equal(found, smallest(weight, share)), "with int(share * n) = 0 there are none, not even zeros"


def kept_of(weight, share, alpha, u):
    return ~(smallest(weight, share) & (u < alpha))


def matches(found, submission, weight, share, alpha, u):
    """Whether these are the weights of one step; one's own `targets` count as right."""
    if np.array_equal(found, weight * kept_of(weight, share, alpha, u)):
        return True
    try:
        own = np.asarray(submission.targets(weight, share))
    except SubmissionProblem:
        return False
    return are_targets(own, weight) and np.array_equal(found, np.where(own & (u < alpha), 0, weight))


def are_targets(own, weight):
    """Whether these can be meant as targets: some of the weights, but not all, wherever there are several to an output."""
    several = weight.size > weight.shape[-1]
    return own.shape == weight.shape and own.dtype == bool and (not several or own.any() and not own.all())


@pytest.mark.hidden
@pytest.mark.points(1.2)
def test_weights_of_one_step(submission, rng):
    """Layers of several shapes, probabilities and dtypes. Your own `targets` count as right here."""
    changed, right = False, True
    for shape in SHAPES:
        weight = rng.normal(size=shape).astype("float32" if len(shape) == 4 else "float64")
        given = weight, *rng.uniform(0.3, 0.9, 2).tolist(), rng.random(shape)
        found = expect_array(submission.dropped(*given), shape, "float", "the weights")
        changed |= bool(submission.changed)
        right &= found.dtype == weight.dtype
        assert matches(found, submission, *given), (
            "a target is 0 where its own u < alpha; all others are as they were, and are not scaled"
        )
    if changed or not right:
        raise Partial(0.6, "the result is a copy with the dtype of the weight, which is needed again in the next step")


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_certain_and_impossible(submission, rng):
    """An alpha of 0 and 1, and numbers that equal alpha."""
    weight = rng.normal(size=(8, 5))
    for alpha in 0.0, 0.5, 1.0:
        given = weight, 0.5, alpha, rng.integers(0, 4, (8, 5)) / 4
        found = expect_array(submission.dropped(*given), (8, 5), "float", "the weights")
        assert matches(found, submission, *given), "u < alpha drops a target, u = alpha does not"


def of_neurons(weight, share, alpha, u):
    """The definition, output by output."""
    norms = [float(np.sqrt(np.sum(np.square(weight[..., k], dtype=float)))) for k in range(weight.shape[-1])]
    last, left = sorted(norms)[: int(share * len(norms))], weight.copy()
    for k, norm in enumerate(norms):
        if last and norm <= last[-1] and u[k] < alpha:
            left[..., k] = 0
    return left


@pytest.mark.hidden
@pytest.mark.points(1)
def test_whole_neurons(submission, rng):
    """The Euclidean norm decides. A neuron with one large weight may be smaller than one with many of medium size."""
    changed = False
    for shape, share in ((12, 9), 0.6), ((3, 3, 2, 8), 0.4), ((20, 14), 0.8), ((5, 3), 0.1):
        weight = rng.normal(size=shape) * rng.uniform(0.5, 2, shape[-1]) ** 0.3
        weight[..., ::2] *= 2.6 * (rng.random(weight[..., ::2].shape) < 0.2) + 0.4
        given = weight, share, float(rng.uniform(0.6, 0.9)), rng.random(shape[-1])
        found = expect_array(submission.dropped_neurons(*given), shape, "float", "the weights")
        changed |= bool(submission.changed)
        expect_close(found, of_neurons(*given), "the smallest norms are targets; they lose all weights if u < alpha")
    if changed:
        raise Partial(0.7, "return a copy: the dropped neurons are needed again in the next step")


@pytest.mark.hidden
@pytest.mark.points(0.3)
def test_equal_neurons(submission, rng):
    """Neurons whose norms equal that of the last target are targets, and u = alpha drops none."""
    weight = (rng.permutation(np.repeat([1.0, 2.0, 3.0], 3)) * rng.choice([-1, 1], 9))[None]
    given = weight, 0.5, 0.75, rng.integers(0, 4, 9) / 4
    found = expect_array(submission.dropped_neurons(*given), (1, 9), "float", "the weights")
    expect_close(found, of_neurons(*given), "what equals the last target is one, too; u = alpha does not drop it")
    given = weight.astype(np.float32), 0.9, 1.0, rng.random(9)
    found = expect_array(submission.dropped_neurons(*given), (1, 9), "float", "the weights")
    expect_close(found, of_neurons(*given), "with alpha 1 all targets are dropped")
    if found.dtype != np.float32:
        raise Partial(0.5, "the copy keeps the dtype of the weight")


def trained(factors, weights, x, labels, steps, lr, share, alpha, seed):
    """The same training by hand; `factors` gives what a weight is multiplied with in one step."""
    rng, (w1, w2) = np.random.default_rng(seed), weights
    for _ in range(steps):
        k1, k2 = (np.asarray(factors(w, share, alpha, rng.random(w.shape)), float) for w in (w1, w2))
        h = np.maximum(x @ (w1 * k1), 0)
        z = np.exp(h @ (w2 * k2))
        error = (z / z.sum(1, keepdims=True) - np.eye(w2.shape[1])[labels]) / len(x)
        back = error @ (w2 * k2).T * (h > 0)
        w1, w2 = w1 - lr * x.T @ back * k1, w2 - lr * h.T @ error * k2
    return [w1, w2]


def close(found, expected):
    return all(np.allclose(a, b, 1e-4, 1e-6) for a, b in zip(found, expected, strict=True))


def by_own_parts(submission, found, arguments):
    """Whether the student's own `targets` or `dropped` lead to these weights."""

    def by_targets(w, share, alpha, u):
        own = submission.targets(w, share)
        return ~(own & (u < alpha)) if are_targets(own, w) else np.full(w.shape, np.nan)

    def by_dropped(w, share, alpha, u):
        factor = submission.dropped(w, share, alpha, u) / w
        return factor if are_targets(factor == 0, w) else np.full(w.shape, np.nan)

    for factors in by_targets, by_dropped:
        try:
            if close(found, trained(factors, *arguments)):
                return True
        except (SubmissionProblem, TypeError, ValueError, AttributeError, LookupError):
            pass
    return False


@pytest.mark.hidden
@pytest.mark.points(1.5)
def test_training(submission, rng):
    """One step and several; what is dropped comes back. Your own `targets` and `dropped` count as right here."""
    changed = False
    for steps, share, alpha in (1, 0.6, 0.7), (6, 0.5, 0.5), (25, 0.75, 0.8):
        first = [0.6 * rng.normal(size=(6, 9)), 0.6 * rng.normal(size=(9, 4))]
        x = rng.normal(size=(30, 6))
        given = first, x, rng.integers(0, 4, 30), steps, 0.4, share, alpha, int(rng.integers(2**31))
        found = expect_tuple(submission.train(*given), 2)
        changed |= bool(submission.changed)
        found = [expect_array(part, w.shape, "float") for part, w in zip(found, first, strict=True)]
        if not close(found, trained(kept_of, *given)):
            assert by_own_parts(submission, found, given), (
                "in each step: find the targets of the weights as they are now, draw for w1 and then for w2, and let no "
                "gradient reach what is dropped; it keeps its value"
            )
    if changed:
        raise Partial(0.7, "do not change the weights that you were given")
