"""Claim D5: hints for a hidden layer."""

import functools
import math
from dataclasses import replace

import numpy as np

from ... import data
from ...data import Dataset
from ...distillation import DistillationLoss, HintedStudent, HintLoss, teacher_targets
from ...nn import BatchNorm, Dense, Flatten, Module, ReLU, Sequential
from ...optim import cosine, warmup
from ...selection import train
from ...workshop.style import figure
from ..claim import Claim, Effect
from ..learned import learns
from ..rows import paired
from .drawing import draw_curves, draw_error_bars
from .nets import PLANS, choose, plan_for, scores, teacher_of


def measure_d5(data_name: str, budget: str, seed: int) -> list[dict]:
    """Train a student deeper and thinner than its teacher: on labels, on outputs, and with hints for one or two layers."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    hidden, depth = _activations(teacher), len(plan.deep_student)
    targets = teacher_targets(teacher, *dataset.train, layers=(hidden[0], hidden[-1]))
    student = functools.partial(_deep_student, dataset, plan, seed)
    hints = {
        arm: {layer: hidden[0 if of == "first" else -1] for layer, of in pairs.items()}
        for arm, pairs in hinted_layers(depth).items()
    }

    def on_labels(lr, decay, curve):
        return student(lr, weight_decay=decay, curve=curve)

    def on_outputs(lr, temperature, curve):
        return student(lr, targets, loss=DistillationLoss(temperature, 1), curve=curve)

    def hinted(pairs, lr, weight, curve):
        loss = HintLoss(DistillationLoss(plan.deep_temperatures[0], 1), weight)
        return student(lr, targets, (teacher, pairs), loss=loss, curve=curve)

    arms = {
        "labels": (on_labels, plan.decays[: len(plan.hint_weights)]),
        "teacher outputs": (on_outputs, plan.deep_temperatures),
    } | {arm: (functools.partial(hinted, pairs), plan.hint_weights) for arm, pairs in hints.items()}
    row = {
        "seed": seed,
        "epochs": plan.deep_epochs,
        "images": len(dataset.x_train),
        "layers": depth,
        "width": plan.deep_student[0],
    }
    rows = []
    for arm, (make, values) in arms.items():
        net, chosen = choose(make, plan.deep_lrs, values, dataset)
        rows.append(row | {"arm": arm, "hints": len(hints.get(arm, ()))} | chosen | scores(net, dataset))
    return rows


def hinted_layers(depth: int) -> dict[str, dict[int, str]]:
    """Which hidden layers of a student of this depth, counted from 1, learn which of the teacher's, by arm."""
    return {
        "and one hidden layer": {depth // 2: "first"},
        "and two hidden layers": {depth // 3: "first", 2 * depth // 3: "last"},
    }


def _deep_student(dataset, plan, seed, lr, targets=None, hints=None, **options) -> Module:
    """The deep, thin net, trained. hints: the teacher, and a dict from the net's n-th hidden layer to the teacher's layer."""
    rng = np.random.default_rng([seed, 2])
    net = deep_net(dataset, plan.deep_student, rng)
    learner = net
    if hints:
        teacher, pairs = hints
        names = _activations(net)
        pairs = {names[n - 1]: layer for n, layer in pairs.items()}
        learner = HintedStudent(net, teacher, pairs, rng=np.random.default_rng([seed, 3]))
    train(
        learner,
        dataset if targets is None else replace(dataset, y_train=targets),
        lr=lr,
        epochs=plan.deep_epochs,
        rng=rng,
        batch_size=plan.batch_size,
        schedule=warmup(0.1, cosine),
        **options,
    )
    return net


def deep_net(dataset: Dataset, widths: tuple[int, ...], rng) -> Module:
    """Dense layers with batch norm and ReLU. Without batch norm, nets this deep and thin learn or fail by chance."""
    layers, inputs = [Flatten()], math.prod(dataset.image_shape)
    for outputs in widths:
        layers += [Dense(inputs, outputs, bias=False, rng=rng), BatchNorm(outputs), ReLU()]
        inputs = outputs
    layers.append(Dense(inputs, dataset.num_classes, rng=rng))
    return Sequential(*layers, input_shape=dataset.image_shape)


def _activations(net: Module) -> list[str]:
    """The names of the activations; each hidden layer ends with one."""
    return [name for name, layer in net.named_modules() if isinstance(layer, ReLU)]


def gain(rows, arm):
    """Per seed, accuracy with hints minus that on the teacher's outputs alone."""
    return paired(rows, arm, "teacher outputs", "accuracy")


def against_labels(rows, arm) -> str:
    """How the student with hints does beside one that learns from labels alone, which the verdict does not compare."""
    if not {arm, "labels"} <= {row["arm"] for row in rows}:
        return ""
    return f"beside a student on labels: {np.mean(paired(rows, arm, 'labels', 'accuracy')):+.1f} points"


def d5(rows):
    """Learning curves and test errors of a deep, thin student, with and without hints for its hidden layers."""
    fig = figure(ncols=2, width=17, height=6.5, width_ratios=(1.1, 1))
    curves, errors = fig.axes
    arms = (
        ("and two hidden layers", "other", "outputs and\ntwo hints"),
        ("and one hidden layer", "claim", "outputs and\none hint"),
        ("teacher outputs", "more", "teacher's\noutputs"),
        ("labels", "rival", "labels"),
    )
    depth = rows[0]["layers"]
    draw_curves(curves, rows, arms, bands=False)
    hints = {arm: [f"{layer} ← {of}" for layer, of in pairs.items()] for arm, pairs in hinted_layers(depth).items()}
    bars = [(arm, role, "\n".join([label, *hints.get(arm, ())])) for arm, role, label in arms[::-1]]
    draw_error_bars(errors, rows, bars)
    curves.set_title(f"a student with {depth} hidden layers of {rows[0]['width']} neurons")
    errors.set_title("hints: layer of student ← of teacher")
    return fig


CLAIM = Claim(
    id="D5",
    chapter="distillation",
    title="Hints for hidden layers",
    measure=measure_d5,
    plans=PLANS,
    effects=tuple(
        Effect(
            name=f"test accuracy, on the teacher's outputs {arm} minus on its outputs alone",
            of=functools.partial(gain, arm=arm),
            unit="points",
            smallest=1.0,
            decides=("N18",),
            rests_on=(learns(arm=("teacher outputs", arm)),),
            holds=functools.partial(against_labels, arm=arm),
        )
        for arm in ("and one hidden layer", "and two hidden layers")
    ),
    figure=d5,
    note="The setting is that of FitNets: the student is deeper and thinner than its teacher, so its middle layer learns the "
    "teacher's first hidden layer, or an earlier one the first and a later one the last. In the notes the teacher is the "
    "deeper net, and their “usually” is more than one student of one teacher can decide. A linear regressor, discarded "
    "after training, predicts the teacher's layer from the student's; its error is added to the loss. All arms train for "
    "the same number of epochs, with batch norm. Also tried on digits, at two to four seeds each: 6 and 10 layers without"
    " batch norm; a third of the images; hints of three times the weight. The 451 test images of digits leave a point of "
    "doubt about each net, the 10,000 of MNIST much less.",
    source="Romero et al. 2015, FitNets: Hints for Thin Deep Nets",
)
