"""Claim D2: a student recognises classes that it has never seen, from what its teacher says about the others."""

import functools
import itertools
from dataclasses import replace

import numpy as np

from ... import data
from ...data import Dataset
from ...distillation import DistillationLoss, correct_bias, match_logits, teacher_targets, without_classes
from ...nn import Module
from ...tensor import Tensor
from ...training import predict
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect, first_seed_drawn
from ..images.shares import mean_of, percent_of
from ..learned import learns
from ..rows import paired
from ..tasks import not_measured, without_a_class
from .drawing import draw_bar, draw_published, draw_reference_line
from .nets import PLANS, Plan, choose, plan_for, soften, teacher_of, train_student

FEWEST_CLASSES = 4  # one is left out, or all but two
HINTON_RECALL = 98.6  # % of the 3s, with a bias chosen on the test set (Hinton et al. 2015, section 3)


def measure_d2(data_name: str, budget: str, seed: int, drawn: bool) -> list[dict]:
    """Recall of each class by students whose training data lack one class, or all classes but two.

    Each student is measured as it was trained, and again after its bias is corrected.
    """
    dataset = data.load(data_name)
    if dataset.num_classes < FEWEST_CLASSES:
        few = f"{dataset.num_classes} classes, and it leaves some out"
        return [not_measured(few, f"Give data with {FEWEST_CLASSES} classes or more.")]
    if missing := without_a_class(dataset):
        return missing
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
    if drawn:
        knowledge = soften(predict(teacher, dataset.x_train), 4.0)
        rows[-1]["knowledge"] = [knowledge[dataset.y_train == c].mean(0).tolist() for c in range(dataset.num_classes)]
        rows[-1]["classes"] = list(dataset.classes)
    return rows


def unseen_classes(classes: int) -> dict[str, list[int]]:
    """The classes that a student never sees, in two settings: of ten classes the 3, and all but 7 and 8."""
    return {
        "one class": [classes // 3],
        "all but two": [c for c in range(classes) if c not in (classes - 3, classes - 2)],
    }


def unseen_students(dataset: Dataset, plan: Plan, teacher: Module, unseen, seed: int) -> dict[str, tuple[Module, dict]]:
    """A student on labels and one on the teacher's outputs, trained and chosen without any image of `unseen`.

    The distilled student is chosen by its distance from the teacher's logits on the remaining validation images. Their
    labels would say little about the classes that it has not seen.
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
    """A copy of `net` whose bias for the `unseen` classes is corrected, and by how much: (net, one shift per class).

    The correction asks the teacher how frequent each class is among the validation images, and uses no labels.
    """
    corrected = net.copy()
    frequencies = soften(predict(teacher, dataset.x_val)).astype(np.float64).mean(0)
    return corrected, correct_bias(corrected, dataset.x_val, frequencies, unseen).tolist()


def recall_row(net: Module, dataset: Dataset, unseen) -> dict:
    """Accuracy, errors and the recall of each class on the test split, in per cent; `recall` is the mean over `unseen`."""
    right = predict(net, dataset.x_test).argmax(1) == dataset.y_test
    recalls = [percent_of(right, among=dataset.y_test == c) for c in range(dataset.num_classes)]
    return {
        "accuracy": percent_of(right),
        "errors": int((~right).sum()),
        "tested": len(right),
        "recalls": recalls,
        "recall": mean_of(recalls[c] for c in unseen) if unseen else None,
    }


def gain(rows, without, bias):
    """Per seed, mean recall of the classes left out, distilled minus labels."""
    chosen = [row for row in rows if (row["without"], row.get("bias")) == (without, bias)]
    return paired(chosen, "teacher outputs", "labels", "recall")


def d2(rows):
    """The teacher's outputs for wrong classes (framed: the one left out), and how well students recognise unseen classes."""
    fig = figure(ncols=2, nrows=2, width=16, height=13, width_ratios=(1, 1.15))
    matrix, recall, *lower = fig.axes
    for ax in lower:
        ax.remove()
    classes = fig.add_subplot(matrix.get_gridspec()[1, :])
    teacher = next(row for row in rows if row["arm"] == "teacher" and "knowledge" in row)
    names = teacher["classes"]
    one = next(row["unseen"] for row in rows if row["without"] == "one class")
    _knowledge(matrix, np.array(teacher["knowledge"]), names, one)
    _draw_recall(recall, rows, names, one[0])
    _draw_classes(classes, rows, names)
    return fig


def _draw_recall(ax, rows, names, unseen):
    """Draw the recall of the class that is left out, as learned and after the bias is corrected."""
    bars = (
        ("labels", "as learned", "rival", "labels"),
        ("labels", "corrected", "rival", "labels,\nbias\ncorrected"),
        ("teacher outputs", "as learned", "claim", "teacher\noutputs"),
        ("teacher outputs", "corrected", "claim", "teacher\noutputs,\nbias\ncorrected"),
    )
    for place, (arm, bias, role, _) in enumerate(bars):
        chosen = [r for r in rows if (r["arm"], r.get("bias"), r["without"]) == (arm, bias, "one class")]
        values, hatch = [r["recall"] for r in chosen], "//" if bias == "corrected" else None
        draw_bar(ax, place, values, COLORS[role], text=False, hatch=hatch)
        number = {"ha": "center", "fontsize": 14, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 2}}
        ax.text(place, 3, f"{np.mean(values):.3g} %", **number)  # at the bottom, where no line crosses it
        if chosen[0]["published"] is not None:
            draw_published(ax, place, chosen[0]["published"])
    best = np.mean([row["recalls"][unseen] for row in rows if row["arm"] == "teacher"])
    draw_reference_line(ax, best, "teacher")
    ax.set_xticks(range(len(bars)), [label for *_, label in bars])
    ax.set(ylabel=f"recall of class {names[unseen]} on test images", ylim=(0, 112))
    ax.set_yticks(range(0, 101, 20))
    percent_axis(ax.yaxis, 100)
    ax.set_title(f"students that never saw a {names[unseen]}")


def _draw_classes(ax, rows, names):
    """Draw the recall of each class by students that saw two classes only, as learned and after the bias is corrected."""
    bars = itertools.product((("labels", "rival"), ("teacher outputs", "claim")), ("as learned", "corrected"))
    for place, ((arm, role), bias) in enumerate(bars):
        chosen = [r for r in rows if (r["arm"], r.get("bias"), r["without"]) == (arm, bias, "all but two")]
        look, color = {"hatch": "//" if bias == "corrected" else None}, COLORS[role]
        for c in range(len(names)):
            values = [r["recalls"][c] for r in chosen]
            draw_bar(ax, c + 0.21 * (place - 1.5), values, color, width=0.21, text=False, **look)
        label = arm + (", bias corrected" if bias == "corrected" else "")
        ax.bar(0, 0, color=color, edgecolor="white", label=label, **look)
    seen = [c for c in range(len(names)) if c not in chosen[0]["unseen"]]
    ax.axvspan(min(seen) - 0.5, max(seen) + 0.5, color="#EEEEEE", zorder=0)
    ax.text(np.mean(seen), 105, "seen", ha="center", color="#555555", fontsize=14)
    ax.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 4 else 45)
    ax.set(xlabel="class", ylabel="recall on test images", ylim=(0, 132), xlim=(-0.6, len(names) - 0.4))
    ax.set_yticks(range(0, 101, 20))
    percent_axis(ax.yaxis, 100)
    ax.legend(loc="upper left", ncols=2)
    ax.set_title(f"students that saw only {' and '.join(names[c] for c in seen)}", pad=12)


def _knowledge(ax, share, names, unseen):
    """Draw mean soft targets by true class, leaving out the right class, whose share would hide all others."""
    share = 100 * np.where(np.eye(len(share), dtype=bool), np.nan, share)
    shown = ax.imshow(share, cmap="cividis")
    ax.grid(False)
    ax.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 4 else 45)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="class in the output", ylabel="true class")
    for c in unseen:
        ax.add_patch(_frame(c - 0.5, -0.5, 1, len(names)))
    bar = ax.figure.colorbar(shown, ax=ax, shrink=0.8)
    percent_axis(bar.ax.yaxis, 100)
    ax.set_title("the teacher's outputs for wrong classes, T = 4")


def _frame(x, y, width, height):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, fill=False, edgecolor=COLORS["rival"], linewidth=4)


CLAIM = Claim(
    id="D2",
    chapter="distillation",
    title="Right about what it never saw",
    tasks=first_seed_drawn,
    measure=measure_d2,
    plans=PLANS,
    rests_on=(
        learns(arm="teacher"),
        learns(without="one class", bias="as learned"),
    ),
    effects=tuple(
        Effect(
            name=f"recall {which}, distilled minus labels{words}",
            of=functools.partial(gain, without=without, bias=bias),
            unit="points",
            smallest=1.0,
            tested_on="of a class",
            decides=("N15",) if (without, bias) == ("one class", "as learned") else (),
        )
        for without, which in (
            ("one class", "of the left-out class"),
            ("all but two", "if all classes but two are left out"),
        )
        for bias, words in (("as learned", ""), ("corrected", ", both with corrected bias"))
    ),
    figure=d2,
    note="The sentence is decided by students as they were trained: images of the left-out classes are used neither in training "
    "nor in choosing settings, and a student on labels never names such a class. For the other bars (hatched) the bias alone is "
    "then shifted, until the student expects each class on validation images as often as its teacher does. These have no "
    "labels, but some of them show the left-out classes. Test images are not used.",
    source="Hinton et al. 2015, section 3",
)
