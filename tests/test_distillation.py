"""Distillation: losses against their formulas, limits and identities; teachers that stay as they are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinycompress as tc
from tinycompress import functional as F
from tinycompress import models, nn, optim, pruning
from tinycompress.distillation import (
    DistillationLoss,
    Ensemble,
    HintedStudent,
    HintLoss,
    ShiftedTargets,
    correct_bias,
    hidden_outputs,
    match_logits,
    regressor,
    teacher_targets,
    without_classes,
)
from tinycompress.tensor import Tensor

CLASSES = 5


def softmax(z, T=1.0):
    e = np.exp(z / T - (z / T).max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


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


def blobs(rng, n=60, shape=(6, 6, 1)):
    """Random images whose class can be learned: each class has its own bright pixel."""
    labels = np.arange(n) % CLASSES
    x = rng.random((n, *shape)).astype(np.float32)
    x[np.arange(n), labels, labels] += 2
    return x, labels


def fit(model, data, loss=F.cross_entropy, epochs=3, lr=0.05, seed=1):
    return tc.fit(
        model,
        data,
        optimizer=optim.SGD(model.parameters(), lr, momentum=0.9),
        epochs=epochs,
        rng=np.random.default_rng(seed),
        batch_size=16,
        loss=loss,
        progress=False,
    )


def net(seed, widths=(12, 8)):
    return models.mlp((6, 6, 1), widths, CLASSES, rng=np.random.default_rng(seed))


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
    with pytest.raises(ValueError, match="no layer '9'; there are 0, 1, 2"):
        teacher_targets(net(0), x, layers=["9"])


# Ensembles.
@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize("T", [1.0, 5.0])
def test_an_ensemble_of_equal_members_equals_one_of_them(rng, average, T):
    x, _ = blobs(rng)
    together = tc.predict(Ensemble(net(3), net(3), net(3), average=average, temperature=T), x)
    np.testing.assert_allclose(softmax(together), softmax(tc.predict(net(3), x)), atol=1e-6)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_the_order_of_the_members_does_not_matter(rng, average):
    x, _ = blobs(rng)
    a, b, c = net(1), net(2), net(3)
    one, other = (tc.predict(Ensemble(*m, average=average, temperature=2), x) for m in ((a, b, c), (c, a, b)))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_an_ensemble_averages_what_it_says(rng):
    x, _ = blobs(rng)
    members = [net(1), net(2), net(3)]
    logits = [tc.predict(member, x) for member in members]
    soft = teacher_targets(Ensemble(*members, temperature=3), x)["logits"]
    np.testing.assert_allclose(softmax(soft, 3), np.mean([softmax(z, 3) for z in logits], 0), atol=1e-6)
    mean = tc.predict(Ensemble(*members, average="logits"), x)
    np.testing.assert_allclose(mean, np.mean(logits, 0), atol=1e-6)
    geometric = np.prod([softmax(z) for z in logits], 0) ** (1 / 3)
    np.testing.assert_allclose(softmax(mean), geometric / geometric.sum(1, keepdims=True), atol=1e-6)


def test_a_certain_ensemble_stays_finite(rng):
    certain = net(0)
    certain[-1].weight.data = certain[-1].weight.data * 1e4
    targets = teacher_targets(Ensemble(certain, certain), blobs(rng)[0])
    assert np.isfinite(targets["logits"]).all()
    assert np.isfinite(DistillationLoss(1, 1)(Tensor(np.zeros((60, CLASSES), np.float32)), targets).item())


def test_no_gradient_reaches_the_members(rng):
    ensemble = Ensemble(net(1), net(2))
    assert not ensemble(blobs(rng)[0]).requires_grad


def test_members_that_do_not_fit_are_refused(rng):
    wide = models.mlp((6, 6, 1), (4,), 7, rng=rng)
    with pytest.raises(ValueError, match=r"\(60, 5\), \(60, 7\)\]; they must know the same classes"):
        tc.predict(Ensemble(net(0), wide), blobs(rng)[0])
    with pytest.raises(ValueError, match='"probabilities" or "logits", got \'votes\''):
        Ensemble(net(0), average="votes")
    with pytest.raises(TypeError, match="takes one module or more"):
        Ensemble()


# Hints.
def identity(module):
    module.weight.data = np.eye(*module.weight.shape)
    return module


def test_hints_between_equal_nets_through_an_identity_are_zero(rng):
    x, labels = blobs(rng)
    for teacher, layers in (
        (net(4, (9, 9)), ("2", "4")),
        (models.convnet((6, 6, 1), CLASSES, (3, 4), rng=np.random.default_rng(4)), ("2", "6")),
    ):
        student = HintedStudent(teacher.copy(), teacher, {layer: layer for layer in layers}, rng=rng)
        for module in student.regressors:
            identity(module)
        targets = teacher_targets(teacher, x, labels, layers=layers)
        with tc.no_grad():
            for module in student.modules():
                module.training = module is student  # guesses, but batch norm as the teacher had it
            outputs = student(x)
        assert HintLoss(None)(outputs, targets).item() == pytest.approx(0, abs=1e-10)
        assert HintLoss(DistillationLoss(4, 1), 3.0)(outputs, targets).item() == pytest.approx(0, abs=1e-8)


def test_the_hint_loss_is_the_formula_and_reaches_only_the_layers_below(rng):
    x, _ = blobs(rng, 8)
    teacher, student = net(5, (9, 7)), HintedStudent(net(6, (6, 4)), net(5, (9, 7)), {"2": "4"}, rng=rng)
    targets = teacher_targets(teacher, x, layers=["4"])
    logits, guesses = student.train()(x)
    loss = HintLoss(None, 2.5)((logits, guesses), targets)
    hidden = np.maximum(x.reshape(8, -1) @ student.net[1].weight.data, 0)  # biases start at 0
    (regress,) = student.regressors
    error = hidden @ regress.weight.data + regress.bias.data - targets["hidden"]["4"]
    assert loss.item() == pytest.approx(2.5 * (error**2).mean(), rel=1e-5)
    loss.backward()
    assert np.abs(student.net[1].weight.grad).max() > 0
    assert student.net[3].weight.grad is None and student.net[5].weight.grad is None


def test_several_hints_are_averaged_and_added_to_the_loss_on_outputs(rng):
    x, labels = blobs(rng, 8)
    teacher = net(5, (9, 7))
    student = HintedStudent(net(6, (6, 4)), teacher, {"2": "2", "4": "4"}, rng=rng)
    targets = teacher_targets(teacher, x, labels, layers=["2", "4"])
    logits, guesses = student.train()(x)
    each = [F.mse_loss(guesses[layer], targets["hidden"][layer]).item() for layer in ("2", "4")]
    soft = DistillationLoss(4, 0.5)
    value = HintLoss(soft, 3.0)((logits, guesses), targets).item()
    assert value == pytest.approx(soft(logits, targets).item() + 3 * np.mean(each), rel=1e-5)


def test_hints_teach_a_hidden_layer(rng):
    x, labels = blobs(rng)
    teacher = net(5, (9, 7))
    fit(teacher, (x, labels), epochs=10)
    student = HintedStudent(net(6, (6, 6, 6)), teacher, {"4": "2"}, rng=rng)
    history = fit(student, (x, teacher_targets(teacher, x, layers=["2"])), HintLoss(None), epochs=30)
    assert history.loss[-1] < 0.5 * history.loss[0]


def test_a_hinted_student_predicts_as_its_net(rng):
    x, labels = blobs(rng)
    student = HintedStudent(net(6), net(5), {"2": "4"}, rng=rng)
    np.testing.assert_array_equal(tc.predict(student, x), tc.predict(student.net, x))
    assert tc.evaluate(student, (x, labels)) == tc.evaluate(student.net, (x, labels))


@pytest.mark.parametrize(
    ("student", "teacher", "parameters"),
    [
        ((6,), (9,), 6 * 9 + 9),
        ((8, 8, 3), (8, 8, 5), 3 * 5 + 5),
        (
            (8, 7, 3),
            (6, 4, 5),
            3 * 4 * 3 * 5 + 5,
        ),  # Romero et al. 2015: the kernel is what the image must shrink by, plus 1
        ((4, 4, 3), (7,), 48 * 7 + 7),
    ],
)
def test_a_regressor_leads_from_the_students_shape_to_the_teachers(rng, student, teacher, parameters):
    module = regressor(student, teacher, rng=rng)
    assert module(np.zeros((2, *student), np.float32)).shape == (2, *teacher)
    assert sum(p.size for p in module.parameters()) == parameters


@pytest.mark.parametrize(("student", "teacher"), [((4, 4, 3), (8, 8, 3)), ((8, 3, 1), (4, 4, 1)), ((9,), (3, 3, 1))])
def test_a_regressor_that_would_have_to_enlarge_is_refused(rng, student, teacher):
    with pytest.raises(ValueError, match="not enlarge it; choose an earlier layer of the student"):
        regressor(student, teacher, rng=rng)


def test_hints_lead_from_a_dense_and_from_a_convolutional_student_to_a_convolutional_teacher(rng):
    x, labels = blobs(rng, 20)
    teacher = models.convnet((6, 6, 1), CLASSES, (4, 8), rng=rng)
    student = HintedStudent(models.convnet((6, 6, 1), CLASSES, (2, 3), rng=rng), teacher, {"2": "7"}, rng=rng)
    fit(student, (x, teacher_targets(teacher, x, labels, layers=["7"])), HintLoss(DistillationLoss()), epochs=1)
    with pytest.raises(ValueError, match=r"from \(12,\) to \(3, 3, 4\)"):
        HintedStudent(net(0), teacher, {"2": "3"}, rng=rng)


def test_layers_that_cannot_be_hinted_are_refused(rng):
    shared = nn.Dense(36, 36, rng=rng)
    twice = nn.Sequential(nn.Flatten(), shared, shared, nn.Dense(36, CLASSES, rng=rng))
    with pytest.raises(ValueError, match="layer 1 runs 2 times in one pass"):
        hidden_outputs(twice, blobs(rng)[0], ["1"])
    with pytest.raises(ValueError, match="no layer 'body'"):
        HintedStudent(net(0), net(1), {"body": "2"}, rng=rng)
    with pytest.raises(ValueError, match="each once, of the teacher"):
        HintedStudent(net(0), net(1), {"2": "2", "4": "2"}, rng=rng)
    with pytest.raises(ValueError, match="pass input_shape"):
        HintedStudent(
            nn.Sequential(nn.Dense(3, 2, rng=rng)), nn.Sequential(nn.Dense(3, 2, rng=rng)), {"0": "0"}, rng=rng
        )


def test_one_trace_inside_another_hides_nothing(rng):
    student = HintedStudent(net(6), net(5), {"2": "4"}, rng=rng).train()
    with nn.trace() as calls:
        student(blobs(rng)[0])
    assert student.net[1] in [module for module, _, _ in calls]


# Composition.
def test_pruned_weights_stay_zero_through_distillation_with_hints(rng):
    x, labels = blobs(rng)
    teacher, pruned = net(5), pruning.prune_weights(net(6), 0.7)
    masks = {name: layer.weight.data != 0 for name, layer in pruning.prunable(pruned).items()}
    student = HintedStudent(pruned, teacher, {"2": "4"}, rng=rng)
    fit(student, (x, teacher_targets(teacher, x, labels, layers=["4"])), HintLoss(DistillationLoss(4, 0.5)))
    assert pruning.sparsity(pruned) == pytest.approx(0.7, abs=0.01)
    for name, layer in pruning.prunable(pruned).items():
        assert (layer.weight.data[~masks[name]] == 0).all()
        assert (layer.weight.data[masks[name]] != 0).any()


def test_a_pruned_net_teaches_too(rng):
    x, _ = blobs(rng)
    pruned = pruning.prune_weights(net(6), 0.5)
    baked = pruned.copy().bake()
    np.testing.assert_array_equal(teacher_targets(pruned, x)["logits"], teacher_targets(baked, x)["logits"])


# Classes that a student never sees.
def test_classes_that_are_left_out_are_absent_and_all_others_stay(rng):
    x, labels = blobs(rng)
    kept_x, kept = without_classes((x, labels), [1, 3])
    assert set(kept) == {0, 2, 4}
    np.testing.assert_array_equal(kept_x, x[(labels != 1) & (labels != 3)])
    with pytest.raises(ValueError, match=r"no label is \[7\]; the labels are \[0, 1, 2, 3, 4\]"):
        without_classes((x, labels), [1, 7])
    with pytest.raises(ValueError, match="nothing left"):
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
    with pytest.raises(ValueError, match="a bias that is no other function's"):
        correct_bias(biased, x, np.full(5, 0.2), [1])
