"""Hints and ensembles: what is averaged, where gradients reach, and that both go with pruning."""

import numpy as np
import pytest
from students import CLASSES, blobs, fit, net, softmax

import tinycompress as tc
from tinycompress import functional as F
from tinycompress import models, nn, pruning
from tinycompress.distillation import (
    DistillationLoss,
    Ensemble,
    HintedStudent,
    HintLoss,
    hidden_outputs,
    regressor,
    teacher_targets,
)
from tinycompress.tensor import Tensor


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
    with pytest.raises(TypeError, match="takes one or more modules"):
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


@pytest.mark.parametrize(
    ("student", "teacher"), [((4, 4, 3), (8, 8, 3)), ((8, 3, 1), (4, 4, 1)), ((3, 8, 1), (4, 4, 1)), ((9,), (3, 3, 1))]
)
def test_a_regressor_that_would_have_to_enlarge_is_refused(rng, student, teacher):
    with pytest.raises(ValueError, match="not enlarge it; choose an earlier layer of the student"):
        regressor(student, teacher, rng=rng)


def test_hints_lead_from_a_dense_and_from_a_convolutional_student_to_a_convolutional_teacher(rng):
    x, labels = blobs(rng, 20)
    teacher = models.convnet((6, 6, 1), CLASSES, (4, 8), rng=rng)
    student = HintedStudent(models.convnet((6, 6, 1), CLASSES, (2, 3), rng=rng), teacher, {"2": "7"}, rng=rng)
    fit(student, (x, teacher_targets(teacher, x, labels, layers=["7"])), HintLoss(DistillationLoss()), epochs=1)
    with pytest.raises(ValueError, match=r"maps \(12,\) to \(3, 3, 4\)"):
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
