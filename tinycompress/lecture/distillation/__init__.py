"""Chapter 2, knowledge distillation: the claims D1 to D5, measured.

At the budget "paper", D1, D2 and D4 are the MNIST experiments of Hinton et al. 2015, section 3, with their nets.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ... import data, models
from ...data import Dataset
from ...distillation import DistillationLoss, Ensemble, HintedStudent, HintLoss, teacher_targets
from ...nn import Module, ReLU
from ...optim import cosine, warmup
from ...profiling import stored_bytes
from ...selection import pick_on_validation, train
from ...tensor import Tensor
from ...training import predict
from ..claim import Claim, Settings
from ..rows import paired
from . import drawing as figures
from .d2_unseen import effect_d2, measure_d2
from .nets import Plan, choose, plan_for, scores, soften, teacher_of, train_student, with_fewer_images


def _tasks_per_seed(settings: Settings):
    return [(settings.data, settings.budget, seed) for seed in range(settings.seeds)]


# D1 ------------------------------------------------------------------------------------------------------------------

HINTON_ERRORS = {"teacher": 67, "labels": 146, "teacher outputs": 74}  # of 10,000 (Hinton et al. 2015, section 3)


def measure_d1(data_name: str, budget: str, seed: int) -> list[dict]:
    """One student three times, on labels, smoothed labels and a teacher's outputs, for a few and for all images."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    whole = stored_bytes(teacher)
    nets = [(1, "teacher", plan.teacher_epochs, len(dataset.x_train), teacher, {})]
    for share in plan.shares:
        seen, shorter = with_fewer_images(dataset, plan, share, seed)
        for arm, (net, chosen) in _three_students(seen, shorter, teacher, seed).items():
            nets.append((share, arm, shorter.epochs, len(seen.x_train), net, chosen))
    return [
        {
            "seed": seed,
            "share": share,
            "images": images,
            "arm": arm,
            "epochs": epochs,
            "parameters": net.summary().parameters,
            "disk_ratio": whole / stored_bytes(net),
            "published": HINTON_ERRORS.get(arm) if (data_name, budget) == ("mnist", "paper") else None,
        }
        | chosen
        | scores(net, dataset)
        for share, arm, epochs, images, net, chosen in nets
    ]


def _three_students(dataset: Dataset, plan: Plan, teacher: Module, seed: int) -> dict[str, tuple[Module, dict]]:
    targets = teacher_targets(teacher, *dataset.train)
    student = functools.partial(train_student, dataset, plan, plan.student, seed)

    def on_labels(lr, decay, curve):
        return student(lr, weight_decay=decay, curve=curve)

    def on_smoothed_labels(lr, share, curve):
        smooth = smoothed(dataset.y_train, dataset.num_classes, share)
        return student(lr, smooth, loss=DistillationLoss(1, 1), curve=curve)

    def on_teacher_outputs(lr, soft, curve):
        return student(lr, targets, loss=DistillationLoss(*soft), curve=curve)

    return {
        "labels": choose(on_labels, plan.lrs, plan.decays, dataset),
        "smoothed labels": choose(on_smoothed_labels, plan.lrs, plan.smoothings, dataset),
        "teacher outputs": choose(on_teacher_outputs, plan.lrs, plan.soft, dataset),
    }


def smoothed(labels: np.ndarray, classes: int, share: float) -> np.ndarray:
    """Targets at T = 1 that give `share` of each label to all classes alike: a teacher that knows nothing but the label."""
    targets = np.empty(len(labels), [("logits", np.float32, (classes,)), ("label", np.int64)])
    targets["logits"], targets["label"] = np.log((1 - share) * np.eye(classes)[labels] + share / classes), labels
    return targets


def effect_d1(rows):
    """Per seed, accuracy on the teacher's outputs minus on labels, mean over the shares of images."""
    return paired(rows, "teacher outputs", "labels", "accuracy")


def ratios_d1(rows):
    teacher = next(row["parameters"] for row in rows if row["arm"] == "teacher")
    students = [row for row in rows if row["arm"] == "teacher outputs"]
    return {
        "theory": teacher / students[0]["parameters"],
        "disk": float(np.mean([row["disk_ratio"] for row in students])),
    }


CLAIMED_T = 4  # named before anything is measured: Hinton et al. 2015 found 2.5 to 4 best for narrow students

# D3 ------------------------------------------------------------------------------------------------------------------


def measure_d3(data_name: str, budget: str, seed: int) -> list[dict]:
    """Small nets, their averages, and the first of them anew, as students of the average or of one other net."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    dataset, plan = with_fewer_images(dataset, plan, plan.shares[0], seed)

    def net(start, **options):  # the nets of one start begin with the same weights
        def arm(lr):
            return train_student(dataset, plan, plan.student, [seed, start], lr, **options)

        return pick_on_validation(arm, plan.lrs, dataset)

    members = [net(start) for start in range(plan.members)]
    nets = [("one member", start, *chosen) for start, chosen in enumerate(members)]
    members = [member for member, _ in members]
    for start in range(plan.starts):
        others = {"student of the average": members, "student of one member": [members[start - 1]]}
        for arm, teachers in others.items():
            targets = teacher_targets(Ensemble(*teachers, temperature=CLAIMED_T), *dataset.train)
            nets.append((arm, start, *net(start, targets=targets, loss=DistillationLoss(CLAIMED_T, 1))))
    for average in ("probabilities", "logits"):
        nets.append((f"average of {average}", None, Ensemble(*members, average=average), None))
    row = {
        "seed": seed,
        "epochs": plan.epochs,
        "images": len(dataset.x_train),
        "members": plan.members,
        "starts": plan.starts,
        "tried": len(plan.lrs),
    }
    return [row | {"arm": arm, "start": start, "lr": lr} | scores(net, dataset) for arm, start, net, lr in nets]


def effect_d3(rows):
    """Per seed, accuracy of the students of the average minus that of the members that began with the same weights."""
    compared = [row for row in rows if row["start"] is not None and row["start"] < row["starts"]]
    return paired(compared, "student of the average", "one member", "accuracy")


# D4 ------------------------------------------------------------------------------------------------------------------

SHOWN_T = (1, 2, 4, 16)


def measure_d4(data_name: str, budget: str, seed: int) -> list[dict]:
    """At each temperature: a student's accuracy, the entropy of the teacher's outputs, and the size of the gradient."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    dataset, plan = with_fewer_images(dataset, plan, plan.shares[0], seed)
    targets = teacher_targets(teacher, *dataset.train)
    shape = dataset.image_shape, plan.narrow_student, dataset.num_classes
    untrained = predict(models.mlp(*shape, rng=np.random.default_rng([seed, 2])), dataset.x_train)
    rows = []
    for T in plan.temperatures:
        loss, limit = DistillationLoss(T, 1), math.isinf(T)
        net, lr = pick_on_validation(
            lambda lr, loss=loss: train_student(dataset, plan, plan.narrow_student, seed, lr, targets, loss=loss),
            plan.lrs,
            dataset,
        )
        gradient = _gradient_length(loss, untrained, targets)
        rows.append(
            {
                "seed": seed,
                "arm": "logits matched" if limit else f"T = {T}",
                "temperature": None if limit else T,
                "lr": lr,
                "epochs": plan.epochs,
                "images": len(dataset.x_train),
                "entropy": math.log2(dataset.num_classes) if limit else _entropy(soften(targets["logits"], T)),
                "gradient": gradient,
                "gradient_without_T2": None if limit else gradient / T**2,
            }
            | scores(net, dataset)
        )
    if seed == 0:
        outputs = predict(teacher, dataset.x_val)
        chosen = _ambiguous(outputs, dataset.y_val)
        rows[0]["image"], rows[0]["classes"] = dataset.x_val[chosen].tolist(), list(dataset.classes)
        rows[0]["shown"] = {str(T): soften(outputs[chosen], T).tolist() for T in SHOWN_T}
    return rows


def _gradient_length(loss: Callable, logits: np.ndarray, targets: np.ndarray) -> float:
    """How long the gradient with respect to one example's logits is, mean over examples."""
    z = Tensor(logits, requires_grad=True)
    loss(z, targets).backward()
    return float(np.linalg.norm(len(logits) * z.grad, axis=1).mean())


def _entropy(p: np.ndarray) -> float:
    """Mean entropy in bits."""
    p = p.astype(np.float64)
    return float(-(p * np.log2(np.maximum(p, 1e-300))).sum(1).mean())


def _ambiguous(logits: np.ndarray, labels: np.ndarray) -> int:
    """The image that the teacher gets right, and gives about 5 % to another class."""
    p = soften(logits)
    second = np.sort(p, axis=1)[:, -2]
    return int(np.where(p.argmax(1) == labels, np.abs(second - 0.05), np.inf).argmin())


def effect_d4(rows):
    """Per seed, accuracy at CLAIMED_T minus that at 1; False if a teacher is not softer at every higher temperature."""
    for seed in {row["seed"] for row in rows}:
        entropies = [row["entropy"] for row in rows if row["seed"] == seed]
        if any(a >= b for a, b in zip(entropies[:-1], entropies[1:], strict=True)):
            return False
    return paired(rows, f"T = {CLAIMED_T}", "T = 1", "accuracy")


# D5 ------------------------------------------------------------------------------------------------------------------


def measure_d5(data_name: str, budget: str, seed: int) -> list[dict]:
    """A net deeper and thinner than its teacher: on labels, on its outputs, with one hidden layer taught, and with two."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    dataset, plan = with_fewer_images(dataset, plan, plan.shares[0], seed)
    hidden, depth = _activations(teacher), len(plan.deep_student)
    targets = teacher_targets(teacher, *dataset.train, layers=(hidden[0], hidden[-1]))
    student = functools.partial(_deep_student, dataset, plan, seed)
    hints = {
        "and one hidden layer": {depth // 2: hidden[0]},
        "and two hidden layers": {depth // 3: hidden[0], 2 * depth // 3: hidden[-1]},
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
        "epochs": plan.epochs,
        "images": len(dataset.x_train),
        "layers": depth,
        "width": plan.deep_student[0],
    }
    rows = []
    for arm, (make, values) in arms.items():
        net, chosen = choose(make, plan.deep_lrs, values, dataset)
        rows.append(row | {"arm": arm, "hints": len(hints.get(arm, ()))} | chosen | scores(net, dataset))
    return rows


def _deep_student(dataset, plan, seed, lr, targets=None, hints=None, **options) -> Module:
    """The deep, thin net, trained. hints: the teacher, and pairs of the net's n-th hidden layer and the teacher's layer."""
    rng = np.random.default_rng([seed, 2])
    net = models.mlp(dataset.image_shape, plan.deep_student, dataset.num_classes, rng=rng)
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
        epochs=plan.epochs,
        rng=rng,
        batch_size=plan.batch_size,
        schedule=warmup(0.1, cosine),  # without it nets as deep and thin as this seldom begin to learn
        **options,
    )
    return net


def _activations(net: Module) -> list[str]:
    """The names of the activations, with each of which a hidden layer ends."""
    return [name for name, layer in net.named_modules() if isinstance(layer, ReLU)]


def effect_d5(rows):
    return paired(rows, "and one hidden layer", "teacher outputs", "accuracy")


CLAIMS = [
    Claim(
        id="D1",
        chapter="distillation",
        title="The teacher's output instead of the label",
        statement="Let the small model fit the large model's output rather than the label, although it is imperfect.",
        tasks=_tasks_per_seed,
        measure=measure_d1,
        effect=effect_d1,
        effect_name="test accuracy of one student, on the teacher's outputs minus on labels, mean over few and all images",
        unit="points",
        figure=figures.d1,
        ratios=ratios_d1,
        note="Each student has the same epochs, the same images and as many settings to try on validation data: learning "
        "rates by temperatures, by weight decays on labels, by shares of smoothing. Smoothed labels are soft too, but know "
        "nothing of the image: what the teacher adds beyond them is knowledge. × compares teacher and student.",
        source="Hinton et al. 2015, Distilling the Knowledge in a Neural Network; Ba & Caruana 2014, Do Deep Nets Really "
        "Need to be Deep?",
    ),
    Claim(
        id="D2",
        chapter="distillation",
        title="Right about what it never saw",
        statement="The student even predicts well on data that it has never seen.",
        tasks=_tasks_per_seed,
        measure=measure_d2,
        effect=effect_d2,
        effect_name="recall of the class that was left out, distilled minus labels, both with corrected bias",
        unit="points",
        figure=figures.d2,
        note="No image of the class that is left out takes part in training or in choosing settings. The bias alone is "
        "shifted afterwards, until the student expects the class on unlabelled validation images as often as its teacher "
        "does; the test images play no part. The student on labels gets the same correction.",
        source="Hinton et al. 2015, section 3",
    ),
    Claim(
        id="D3",
        chapter="distillation",
        title="An ensemble in one net",
        statement="Average the outputs of several models, and let one student learn the average.",
        tasks=_tasks_per_seed,
        measure=measure_d3,
        effect=effect_d3,
        effect_name="test accuracy, student of the average minus one member, a net of the same size",
        unit="points",
        figure=figures.d3,
        note="All nets are of one size and train for equally many epochs; the average runs all members for each image, the "
        "student is a single net. A student of one member shows how much of the gain is the averaging.",
        source="Hinton et al. 2015, sections 4 and 5; Buciluă et al. 2006, Model Compression",
    ),
    Claim(
        id="D4",
        chapter="distillation",
        title="A temperature makes the teacher smoother",
        statement="A temperature makes the teacher's outputs smoother, so that the student sees more than the label.",
        tasks=_tasks_per_seed,
        measure=measure_d4,
        effect=effect_d4,
        effect_name=f"test accuracy of the student, at T = {CLAIMED_T} minus at T = 1",
        unit="points",
        figure=figures.d4,
        note="The student learns from soft targets alone; each temperature picks its learning rate on validation data. That "
        "the outputs are softer at every higher T is checked for each teacher, else the claim fails. T² in the loss keeps "
        "gradients of one size; the last point is the limit, logit matching.",
        source="Hinton et al. 2015, sections 2 and 3",
    ),
    Claim(
        id="D5",
        chapter="distillation",
        title="Hints for hidden layers",
        statement="Further constraints help: let a hidden layer of the student learn a hidden layer of the teacher.",
        tasks=_tasks_per_seed,
        measure=measure_d5,
        effect=effect_d5,
        effect_name="test accuracy of the student, with one hidden layer taught minus on the teacher's outputs alone",
        unit="points",
        figure=figures.d5,
        note="The student is deeper and thinner than its teacher. A linear regressor, thrown away afterwards, guesses the "
        "teacher's hidden layer from the student's; its error is added to the loss. All arms train for equally many epochs.",
        source="Romero et al. 2015, FitNets: Hints for Thin Deep Nets",
    ),
]
