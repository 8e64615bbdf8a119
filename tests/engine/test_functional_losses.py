"""Softmax and losses: their formulas, gradients, identities and limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import Tensor, gradcheck
from tinycompress import functional as F


@pytest.mark.parametrize("temperature", [1.0, 0.5, 4.0])
def test_softmax_and_log_softmax(temperature, rng):
    x = rng.standard_normal((3, 4))
    e = np.array([[math.exp(v / temperature) for v in row] for row in x])
    expected = e / e.sum(1, keepdims=True)
    np.testing.assert_allclose(F.softmax(Tensor(x), temperature).data, expected)
    np.testing.assert_allclose(F.log_softmax(Tensor(x), temperature).data, np.log(expected))
    assert gradcheck(lambda x: F.softmax(x, temperature), x, rng=rng)
    assert gradcheck(lambda x: F.log_softmax(x, temperature), x, rng=rng)


@given(shift=st.floats(-1e6, 1e6))
def test_softmax_does_not_see_a_shift_of_all_logits(shift):
    x = np.random.default_rng(0).standard_normal((2, 5))
    np.testing.assert_allclose(F.softmax(Tensor(x + shift)).data, F.softmax(Tensor(x)).data, rtol=1e-8)


def test_cross_entropy_is_the_mean_of_minus_log_p(rng):
    x, labels = rng.standard_normal((4, 3)), np.array([0, 2, 2, 1])
    rows = [[math.exp(v) for v in row] for row in x]
    expected = -sum(math.log(row[label] / sum(row)) for row, label in zip(rows, labels, strict=True)) / 4
    assert F.cross_entropy(Tensor(x), labels).item() == pytest.approx(expected)
    assert gradcheck(lambda x: F.cross_entropy(x, labels) * 3, x, rng=rng)


def test_the_gradient_of_cross_entropy_is_softmax_minus_one_hot(rng):
    x, labels = Tensor(rng.standard_normal((4, 3)), requires_grad=True), np.array([0, 2, 2, 1], np.uint8)
    F.cross_entropy(x, labels).backward()
    np.testing.assert_allclose(x.grad, (F.softmax(x).data - np.eye(3)[labels]) / 4, atol=1e-15)


@pytest.mark.parametrize("share", [0.1, 0.5, 1])
def test_label_smoothing_mixes_the_target_with_equal_shares_of_all_classes(share, rng):
    x, labels = rng.standard_normal((4, 3)), np.array([0, 2, 2, 1])
    target = (1 - share) * np.eye(3)[labels] + share / 3
    expected = -(target * F.log_softmax(Tensor(x)).data).sum(1).mean()
    assert F.cross_entropy(Tensor(x), labels, label_smoothing=share).item() == pytest.approx(expected)
    assert gradcheck(lambda x: F.cross_entropy(x, labels, share) * 3, x, rng=rng)
    with pytest.raises(ValueError, match="label_smoothing is a share from 0 to 1"):
        F.cross_entropy(Tensor(x), labels, share + 1)


def test_label_smoothing_agrees_with_pytorch(rng):
    torch = pytest.importorskip("torch")
    x, labels = rng.standard_normal((4, 3)), np.array([0, 2, 2, 1])
    theirs = torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(labels), label_smoothing=0.2)
    assert F.cross_entropy(Tensor(x), labels, label_smoothing=0.2).item() == pytest.approx(theirs.item())


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_number_of_classes():
    assert F.cross_entropy(Tensor(np.zeros((2, 7))), [3, 0]).item() == pytest.approx(math.log(7))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_kl_is_t_squared_times_the_divergence(temperature, rng):
    student, teacher, T = rng.standard_normal((3, 4)), rng.standard_normal((3, 4)), temperature
    total = 0.0
    for z, v in zip(student, teacher, strict=True):
        q, p = ([math.exp(a / T) for a in row] for row in (z, v))
        q, p = [a / sum(q) for a in q], [a / sum(p) for a in p]
        total += sum(b * math.log(b / a) for a, b in zip(q, p, strict=True))
    assert F.kl_div(Tensor(student), teacher, T).item() == pytest.approx(T * T * total / 3)
    assert gradcheck(lambda z: F.kl_div(z, teacher, T) * 2, student, rng=rng)


def test_the_gradient_of_kl_is_the_difference_of_the_softened_outputs(rng):
    z, v, T = Tensor(rng.standard_normal((3, 4)), requires_grad=True), rng.standard_normal((3, 4)), 2.5
    F.kl_div(z, Tensor(v), T).backward()
    expected = T * (F.softmax(z, T).data - F.softmax(Tensor(v), T).data) / 3  # T² from the factor, 1/T from z/T
    np.testing.assert_allclose(z.grad, expected, atol=1e-15)


def test_kl_of_equal_outputs_is_zero_and_pulls_nowhere(rng):
    z = Tensor(rng.standard_normal((3, 4)), requires_grad=True)
    loss = F.kl_div(z, z.data + 5.0, 3.0)  # a shift of all logits is no difference
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(z.grad, 0, atol=1e-12)


@given(seed=st.integers(0, 1000), temperature=st.floats(0.2, 20))
def test_kl_is_never_negative(seed, temperature):
    rng = np.random.default_rng(seed)
    assert F.kl_div(Tensor(rng.standard_normal((2, 5)) * 4), rng.standard_normal((2, 5)) * 4, temperature).item() >= 0


def test_at_a_high_temperature_kl_matches_logits(rng):
    """Hinton et al. 2015, equation 4: for zero-mean logits the gradient tends to (z - v) / (N T²), here times T²."""
    student, teacher = (a - a.mean(1, keepdims=True) for a in rng.standard_normal((2, 3, 5)))
    z = Tensor(student, requires_grad=True)
    loss = F.kl_div(z, teacher, 1e4)
    loss.backward()
    np.testing.assert_allclose(z.grad, (student - teacher) / 5 / 3, rtol=1e-3)
    assert loss.item() == pytest.approx(((student - teacher) ** 2).sum() / (2 * 5 * 3), rel=1e-3)


LOSSES = {
    "cross_entropy": lambda x, rng: F.cross_entropy(x, np.resize([0, 2, 1], len(x))),
    "kl_div": lambda x, rng: F.kl_div(x, np.resize(np.random.default_rng(5).standard_normal((3, 4)), x.shape), 2.0),
    "mse_loss": lambda x, rng: F.mse_loss(x, np.resize(np.random.default_rng(5).standard_normal((3, 4)), x.shape)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_given_twice_has_the_same_loss_and_half_the_gradient_each(name, rng):
    values = rng.standard_normal((3, 4))
    once, twice = Tensor(values, requires_grad=True), Tensor(np.tile(values, (2, 1)), requires_grad=True)
    a, b = LOSSES[name](once, rng), LOSSES[name](twice, rng)
    a.backward()
    b.backward()
    assert a.item() == pytest.approx(b.item())
    np.testing.assert_allclose(twice.grad, np.tile(once.grad / 2, (2, 1)), atol=1e-15)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [*LOSSES, "softmax", "log_softmax"])
@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_extreme_logits_stay_finite(name, scale, rng):
    if name == "mse_loss" and scale > 1e4:
        pytest.skip("the square of 1e30 is no float32")
    values = np.sign(rng.standard_normal((3, 4))) * scale
    x = Tensor(values.astype(np.float32), requires_grad=True)
    out = LOSSES[name](x, rng) if name in LOSSES else getattr(F, name)(x)
    assert np.isfinite(out.data).all()
    out.backward(np.ones(out.shape))
    assert np.isfinite(x.grad).all()


def test_mse_is_the_mean_square(rng):
    x, target = rng.standard_normal((3, 2)), rng.standard_normal((3, 2))
    expected = math.fsum((a - b) ** 2 for a, b in zip(x.ravel(), target.ravel(), strict=True)) / 6
    assert F.mse_loss(Tensor(x), target).item() == pytest.approx(expected)
    assert gradcheck(F.mse_loss, x, target, rng=rng)
    assert F.mse_loss(Tensor(np.ones(3)), np.array([0, 1, 2])).item() == pytest.approx(2 / 3)
