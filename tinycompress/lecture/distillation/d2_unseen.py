"""Claim D2: a student recognises classes that it has never seen, from what its teacher says about the others."""

import functools
from dataclasses import replace

import numpy as np

from ... import data
from ...data import Dataset
from ...distillation import DistillationLoss, correct_bias, match_logits, teacher_targets, without_classes
from ...nn import Module
from ...tensor import Tensor
from ...training import predict
from ..rows import paired
from .nets import Plan, choose, plan_for, soften, teacher_of, train_student

HINTON_RECALL = 98.6  # % of the 3s, after a bias that was chosen on the test set (Hinton et al. 2015, section 3)


def measure_d2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Students whose training images lack one class, or all but two: recall of every class before and after the bias."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    rows = []
    for setting, unseen in unseen_classes(dataset.num_classes).items():
        for arm, (net, chosen) in unseen_students(dataset, plan, teacher, unseen, seed).items():
            corrected, shift = corrected_copy(net, teacher, dataset, unseen)
            row = {"seed": seed, "without": setting, "unseen": unseen, "arm": arm, "epochs": plan.epochs} | chosen
            same = (data_name, budget, setting, arm) == ("mnist", "paper", "one class", "teacher outputs")
            published = HINTON_RECALL if same else None
            rows.append(row | {"bias": "as learned", "published": None} | recall_row(net, dataset, unseen))
            rows.append(
                row
                | {"bias": "corrected", "shift": shift, "published": published}
                | recall_row(corrected, dataset, unseen)
            )
    rows.append({"seed": seed, "without": "nothing", "arm": "teacher"} | recall_row(teacher, dataset, []))
    if seed == 0:
        knowledge = soften(predict(teacher, dataset.x_train), 4.0)
        rows[-1]["knowledge"] = [knowledge[dataset.y_train == c].mean(0).tolist() for c in range(dataset.num_classes)]
        rows[-1]["classes"] = list(dataset.classes)
    return rows


def unseen_classes(classes: int) -> dict[str, list[int]]:
    """Which classes a student never sees, in two settings: of ten classes the 3, then all but 7 and 8."""
    if classes < 4:
        raise ValueError(
            f"D2 leaves classes out of the training data and needs at least 4 of them; there are {classes}"
        )
    return {
        "one class": [classes // 3],
        "all but two": [c for c in range(classes) if c not in (classes - 3, classes - 2)],
    }


def unseen_students(dataset: Dataset, plan: Plan, teacher: Module, unseen, seed: int) -> dict[str, tuple[Module, dict]]:
    """A student on labels and one on the teacher's outputs; neither training nor choice sees an image of `unseen`.

    The distilled student is the one that comes nearest to the teacher's logits on the validation images that are left:
    their labels say little about how well it knows the classes that it has not seen.
    """
    (x, y), (x_val, y_val) = without_classes(dataset.train, unseen), without_classes(dataset.val, unseen)
    seen = replace(dataset, x_train=x, y_train=y, x_val=x_val, y_val=y_val)
    targets, outputs = teacher_targets(teacher, x, y), predict(teacher, x_val)
    student = functools.partial(train_student, seen, plan, plan.unseen_student, seed)
    return {
        "labels": choose(
            lambda lr, decay, curve: student(lr, weight_decay=decay),
            plan.unseen_lrs,
            plan.decays[: len(plan.unseen_temperatures)],
            seen,
        ),
        "teacher outputs": choose(
            lambda lr, temperature, curve: student(lr, targets, loss=DistillationLoss(temperature, 1)),
            plan.unseen_lrs,
            plan.unseen_temperatures,
            seen,
            loss=lambda net: match_logits(Tensor(predict(net, x_val)), outputs).item(),
        ),
    }


def corrected_copy(net: Module, teacher: Module, dataset: Dataset, unseen) -> tuple[Module, list[float]]:
    """The net with its bias corrected for `unseen`, from the teacher's outputs on validation images without labels."""
    corrected = net.copy()
    frequencies = soften(predict(teacher, dataset.x_val)).astype(np.float64).mean(0)
    return corrected, correct_bias(corrected, dataset.x_val, frequencies, unseen).tolist()


def recall_row(net: Module, dataset: Dataset, unseen) -> dict:
    """Errors on the test split, and how much of each class is recognised, in per cent; `recall` is the mean over `unseen`."""
    right = predict(net, dataset.x_test).argmax(1) == dataset.y_test
    recalls = [100 * float(right[dataset.y_test == c].mean()) for c in range(dataset.num_classes)]
    return {
        "accuracy": 100 * float(right.mean()),
        "errors": int((~right).sum()),
        "tested": len(right),
        "recalls": recalls,
        "recall": float(np.mean([recalls[c] for c in unseen])) if unseen else None,
    }


def effect_d2(rows):
    """Per seed, recall of the one class that was left out, distilled minus labels, both with corrected bias."""
    chosen = [row for row in rows if row["without"] == "one class" and row["bias"] == "corrected"]
    return paired(chosen, "teacher outputs", "labels", "recall")
