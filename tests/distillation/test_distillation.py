"""Distillation: losses against their formulas; teachers that stay as they are; classes that are never seen."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from students import CLASSES, blobs, fit, net, softmax

import tinycompress as tc
from tinycompress import functional as F
from tinycompress import models, nn, optim
from tinycompress.distillation import (
    DistillationLoss,
    HintedStudent,
    HintLoss,
    ShiftedTargets,
    correct_bias,
    match_logits,
    shifted,
    teacher_targets,
    without_classes,
)
from tinycompress.tensor import Tensor


def targets_of(logits, labels=None):
    """Targets by hand, independent of any teacher."""
    fields = [("logits", logits.dtype, logits.shape[1:])] + ([("label", np.int64)] if labels is not None else [])
    targets = np.empty(len(logits), fields)
    targets["logits"] = logits
    if labels is not None:
        targets["label"] = labels
    return targets


@pytest.fixture
def batch(rng):
    """(student logits, teacher logits, labels) in float64."""
    z, v = rng.normal(0, 2, (2, 7, CLASSES))
    return z, v, rng.integers(0, CLASSES, 7)


def gradient(loss, z, targets):
    logits = Tensor(z, requires_grad=True)
    value = loss(logits, targets)
    value.backward()
    return value.item(), logits.grad


# The loss.
@given(
    st.floats(0.3, 50),
    st.floats(0, 1),
    st.integers(0, 2**16),
)
def test_the_gradient_is_the_closed_form(T, alpha, seed):
    rng = np.random.default_rng(seed)
    z, v = rng.normal(0, 2, (2, 4, CLASSES))
    labels = rng.integers(0, CLASSES, 4)
    _, grad = gradient(DistillationLoss(T, alpha), z, targets_of(v, labels))
    hard = softmax(z) - np.eye(CLASSES)[labels]
    soft = T * (softmax(z, T) - softmax(v, T))  # Hinton et al. 2015, equation 2, times T²
    np.testing.assert_allclose(grad, (alpha * soft + (1 - alpha) * hard) / 4, rtol=1e-9, atol=1e-12)


def test_the_value_is_the_formula(batch):
    z, v, labels = batch
    p, q = softmax(v, 3.0), softmax(z, 3.0)
    soft = 9 * (p * np.log(p / q)).sum(1).mean()
    hard = -np.log(softmax(z)[np.arange(7), labels]).mean()
    value = DistillationLoss(3.0, 0.7)(Tensor(z), targets_of(v, labels)).item()
    assert value == pytest.approx(0.7 * soft + 0.3 * hard)


@pytest.mark.parametrize("loss", [DistillationLoss(4, 0.5), DistillationLoss(math.inf, 1)])
def test_a_duplicated_batch_has_the_same_loss_and_half_the_gradient_each(batch, loss):
    z, v, labels = batch
    one, grad = gradient(loss, z, targets_of(v, labels))
    two, twice = gradient(loss, np.concatenate([z, z]), targets_of(np.concatenate([v, v]), np.tile(labels, 2)))
    assert two == pytest.approx(one, rel=1e-12)
    np.testing.assert_allclose(twice, np.concatenate([grad, grad]) / 2, rtol=1e-9, atol=1e-15)


def test_at_a_high_temperature_soft_targets_become_logit_matching(batch):
    z, v, _ = batch
    centred = (z - v) - (z - v).mean(1, keepdims=True)
    limit, grad = gradient(DistillationLoss(math.inf, 1), z, targets_of(v))
    assert limit == pytest.approx((centred**2).sum(1).mean() / (2 * CLASSES))
    np.testing.assert_allclose(grad, centred / CLASSES / len(z), rtol=1e-12)  # Hinton et al. 2015, equation 4
    errors = []
    for T in (1e2, 1e3):
        near, near_grad = gradient(DistillationLoss(T, 1), z, targets_of(v))
        errors.append(np.abs(near_grad - grad).max())
        assert near == pytest.approx(limit, rel=10 / T)
    assert errors[1] < 0.11 * errors[0] < 0.01  # the difference shrinks as 1 / T


def test_logit_matching_passes_the_gradient_check_and_keeps_float32(batch, rng):
    z, v, _ = batch
    tc.gradcheck(lambda t: match_logits(t, v), z, rng=rng)
    assert match_logits(Tensor(z.astype(np.float32)), v).dtype == np.float32


def test_what_a_softmax_cannot_see_does_not_matter(batch):
    z, v, _ = batch
    for T in (1.0, 4.0, math.inf):
        plain, grad = gradient(DistillationLoss(T, 1), z, targets_of(v))
        moved, moved_grad = gradient(DistillationLoss(T, 1), z + 3, targets_of(v - 5))
        assert moved == pytest.approx(plain, abs=1e-12)
        np.testing.assert_allclose(moved_grad, grad, atol=1e-12)


@pytest.mark.parametrize("alpha", [0, 1])
def test_alpha_0_trains_as_labels_do_and_alpha_1_as_soft_targets_do_bit_for_bit(rng, alpha):
    x, labels = blobs(rng)
    targets = teacher_targets(net(9), x, labels)
    mixed, alone = net(0), net(0)
    fit(mixed, (x, targets), DistillationLoss(4.0, alpha))
    if alpha:
        fit(alone, (x, targets["logits"]), lambda z, v: F.kl_div(z, v, 4.0))
    else:
        fit(alone, (x, labels))
    for name, values in alone.state_dict().items():
        np.testing.assert_array_equal(mixed.state_dict()[name], values)


def test_soft_targets_alone_need_no_labels(rng):
    x, labels = blobs(rng)
    teacher = net(9)
    fit(teacher, (x, labels), epochs=20)
    student = net(0)
    before = F.kl_div(Tensor(tc.predict(student, x)), tc.predict(teacher, x)).item()
    fit(student, (x, teacher_targets(teacher, x)), DistillationLoss(4, 1), epochs=20)
    after = F.kl_div(Tensor(tc.predict(student, x)), tc.predict(teacher, x)).item()
    assert after < 0.1 * before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DistillationLoss(0), "temperature must be above 0, got 0"),
        (lambda: DistillationLoss(math.nan), "temperature must be above 0, got nan"),
        (lambda: DistillationLoss(alpha=1.5), "from 0 to 1; got 1.5"),
        (lambda: HintLoss(None, -1), "must not be negative, got -1"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_targets_that_lack_something_are_refused_with_the_mend(batch):
    z, v, labels = batch
    with pytest.raises(ValueError, match="no 'label'; pass labels to teacher_targets, or .*alpha=1"):
        DistillationLoss(4, 0.5)(Tensor(z), targets_of(v))
    with pytest.raises(ValueError, match="no 'logits'; as targets, give `fit` what teacher_targets"):
        DistillationLoss(4, 1)(Tensor(z), labels)
    with pytest.raises(ValueError, match="no layer '2' of the teacher; pass layers=student.pairs.values"):
        HintLoss(None)((Tensor(z), {"2": Tensor(z)}), targets_of(v))
    for T in (1, math.inf):
        with pytest.raises(ValueError, match=r"got \(7, 5\) and \(7, 4\).*same classes"):
            DistillationLoss(T, 1)(Tensor(z), targets_of(v[:, :4]))


# The teacher.
def test_a_teacher_gets_no_gradient_and_stays_as_it_is(rng):
    x, labels = blobs(rng)
    teacher = nn.Sequential(nn.Flatten(), nn.Dense(36, 8, rng=rng), nn.BatchNorm(8), nn.ReLU(), nn.Dense(8, 5, rng=rng))
    before = teacher.train().state_dict()
    targets = teacher_targets(teacher, x, labels, layers=["3"])
    student = HintedStudent(net(0), teacher, {"2": "3"}, rng=rng)
    fit(student, (x, targets), HintLoss(DistillationLoss(4, 0.5)))
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert teacher.training, "its mode is its own"
    for name, values in teacher.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    assert not {id(p) for p in teacher.parameters()} & {id(p) for p in student.parameters()}


def test_targets_are_the_teachers_outputs_in_evaluation_mode_batch_by_batch(rng):
    x, labels = blobs(rng)
    teacher = nn.Sequential(
        nn.Flatten(), nn.Dropout(0.5, rng=rng), nn.Dense(36, 8, rng=rng), nn.ReLU(), nn.Dense(8, 5, rng=rng)
    )
    targets = teacher_targets(teacher, x, labels, layers=["3", "2"], batch_size=7)
    np.testing.assert_allclose(targets["logits"], tc.predict(teacher, x), atol=1e-5)
    np.testing.assert_array_equal(targets["label"], labels)
    np.testing.assert_array_equal(targets["hidden"]["3"], np.maximum(targets["hidden"]["2"], 0))
    assert targets["logits"].dtype == np.float32
    assert teacher_targets(teacher, x).dtype.names == ("logits",)


def test_targets_of_shifted_images_are_what_a_teacher_says_who_sees_them(rng):
    x, labels = rng.random((11, 6, 5, 2), np.float32), rng.integers(0, CLASSES, 11)
    teacher, student = (models.mlp((6, 5, 2), (8,), CLASSES, rng=rng) for _ in range(2))
    lesson = ShiftedTargets(teacher, x, labels, temperature=3, alpha=0.7)
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(11)[:6]
        moved = lesson.shift(x[rows], np.random.default_rng(seed))
        assert np.array_equal(moved, tc.data.shift(x[rows], np.random.default_rng(seed)))
        outputs = student(moved)
        expected = DistillationLoss(3, 0.7)(outputs, teacher_targets(teacher, moved, labels[rows]))
        assert lesson.loss(outputs, rows).item() == pytest.approx(expected.item(), rel=1e-5)


def test_targets_of_mirrored_images_with_a_colour_at_their_edges_are_those_of_what_the_student_sees(rng, monkeypatch):
    monkeypatch.setattr(shifted, "AT_ONCE", 4)
    x, labels, fill = rng.random((11, 6, 5, 2), np.float32), rng.integers(0, CLASSES, 11), np.array([0.25, 0.75])
    teacher = models.mlp((6, 5, 2), (8,), CLASSES, rng=rng)
    lesson = ShiftedTargets(teacher, x, labels, alpha=1.0, fill=fill, mirrored=True)
    for seed in range(5):
        rows, rng = np.random.default_rng(seed).permutation(11)[:6], np.random.default_rng(seed)
        expected = tc.data.mirror(tc.data.shift(x[rows], rng, 1, fill), rng)
        moved = lesson.shift(x[rows], np.random.default_rng(seed))
        assert np.array_equal(moved, expected)
        assert lesson.loss(teacher(moved), rows).item() == pytest.approx(0, abs=1e-5)
        assert lesson.loss(teacher(moved[::-1].copy()), rows).item() > 1e-3


def test_a_student_of_shifted_targets_trains_as_with_its_teacher_at_hand(rng):
    x, labels = rng.random((40, 6, 5, 1), np.float32), rng.integers(0, CLASSES, 40)
    teacher, student = (models.mlp((6, 5, 1), (8,), CLASSES, rng=rng) for _ in range(2))
    seen = {}

    def augment(images, rng):
        images = tc.data.shift(images, rng)
        seen["logits"] = tc.predict(teacher, images)
        return images

    def loss(outputs, y):
        return 0.9 * F.kl_div(outputs, seen["logits"], 2.0) + 0.1 * F.cross_entropy(outputs, y)

    lesson, nets = ShiftedTargets(teacher, x, labels), []
    for data, augment_, loss_ in (((x, labels), augment, loss), (lesson.train, lesson.shift, lesson.loss)):
        nets.append(student.copy())
        how = {"optimizer": optim.SGD(nets[-1].parameters(), 0.1), "epochs": 3, "batch_size": 16, "progress": False}
        tc.fit(nets[-1], data, rng=np.random.default_rng(0), augment=augment_, loss=loss_, **how)
    assert np.allclose(*(net[1].weight.data for net in nets), atol=1e-5)
    assert not np.allclose(nets[0][1].weight.data, student[1].weight.data, atol=1e-3)


def test_what_is_no_teacher_is_refused(rng):
    x, labels = blobs(rng)
    with pytest.raises(ValueError, match=r"60 inputs and labels of shape \(59,\)"):
        teacher_targets(net(0), x, labels[:-1])
    with pytest.raises(ValueError, match="there are no inputs"):
        teacher_targets(net(0), x[:0])
    with pytest.raises(ValueError, match=r"shape \(60, 6, 6, 1\); expected \(N, classes\)"):
        teacher_targets(nn.ReLU(), x)
    broken = net(0)
    broken[1].weight.data = broken[1].weight.data * np.nan
    with pytest.raises(ValueError, match="not all finite; did its training diverge"):
        teacher_targets(broken, x)
    with pytest.raises(ValueError, match="no layer '9'; it has 0, 1, 2"):
        teacher_targets(net(0), x, layers=["9"])


# Classes that a student never sees.
def test_classes_that_are_left_out_are_absent_and_all_others_stay(rng):
    x, labels = blobs(rng)
    kept_x, kept = without_classes((x, labels), [1, 3])
    assert set(kept) == {0, 2, 4}
    np.testing.assert_array_equal(kept_x, x[(labels != 1) & (labels != 3)])
    with pytest.raises(ValueError, match=r"no label is \[7\]; the labels are \[0, 1, 2, 3, 4\]"):
        without_classes((x, labels), [1, 7])
    with pytest.raises(ValueError, match="nothing is left"):
        without_classes((x, labels), range(5))


def test_after_the_correction_a_class_is_expected_as_often_as_it_occurs(rng):
    x, _ = blobs(rng)
    model = net(3)
    before = tc.predict(model, x)
    wanted = np.array([0.1, 0.3, 0.2, 0.35, 0.05])
    shift = correct_bias(model, x, wanted, [1, 3])
    after = tc.predict(model, x)
    np.testing.assert_allclose(softmax(after.astype(float)).mean(0)[[1, 3]], [0.3, 0.35], atol=1e-5)
    np.testing.assert_allclose((after - before)[:, [1, 3]], np.tile(shift, (60, 1)), atol=1e-4)
    np.testing.assert_allclose((after - before)[:, [0, 2, 4]], 0, atol=1e-6)
    assert np.abs(correct_bias(model, x, wanted, [1, 3])).max() < 1e-3, "a second correction has nothing to do"


def test_the_correction_recovers_a_bias_that_was_taken_away(rng):
    x, labels = blobs(rng)
    model = net(3)
    fit(model, (x, labels), epochs=5)
    expected = softmax(tc.predict(model, x).astype(float)).mean(0)
    robbed = model.copy()
    robbed[-1].bias.data = robbed[-1].bias.data - np.array([0, 0, 4, 0, 0], np.float32)
    assert correct_bias(robbed, x, expected, 2) == pytest.approx([4], abs=1e-3)


def test_corrections_that_no_bias_can_make_are_refused(rng):
    x, _ = blobs(rng)
    with pytest.raises(ValueError, match="5 classes need as many frequencies"):
        correct_bias(net(0), x, [0.5, 0.5], [1])
    for wanted in ([1, 0, 0, 0, 0], [0, 1, 0, 0, 0]):
        with pytest.raises(ValueError, match="impossible or certain"):
            correct_bias(net(0), x, wanted, [1])
    with pytest.raises(ValueError, match="the last layer is ReLU"):
        correct_bias(nn.Sequential(net(0), nn.ReLU()), x, np.full(5, 0.2), [1])
    biased = net(0)
    biased[-1].parametrize("bias", nn.Mask(np.ones(5)))
    with pytest.raises(ValueError, match="a bias that is not parametrized"):
        correct_bias(biased, x, np.full(5, 0.2), [1])


def test_frequencies_of_all_classes_may_be_rounded(rng):
    x, _ = blobs(rng)
    model, wanted = net(0), np.array([0.1, 0.2, 0.3, 0.2, 0.2]) * (1 + 1e-7)
    correct_bias(model, x, wanted, range(5))
    assert np.allclose(softmax(tc.predict(model, x)).mean(0), wanted, atol=1e-5)
