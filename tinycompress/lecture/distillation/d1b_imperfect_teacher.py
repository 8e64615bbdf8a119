"""Claim D1b: students of teachers that are often wrong."""

import functools
from dataclasses import dataclass

import numpy as np

from ... import data
from ...data import Dataset
from ...distillation import DistillationLoss, teacher_targets
from ...nn import Module
from ...selection import pick_on_validation
from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect
from ..rows import paired
from .d4_temperature import CLAIMED_T
from .nets import PLANS, Plan, plan_for, scores, train_student, train_teacher, with_fewer_images

EARLY, FEW, OWN, FINISHED = "stopped early", "few images", "the student's images", "finished"  # teachers

DRAWS = 2  # of the few images, per seed: which images they are matters more than anything else
LOOKS = {EARLY: ("claim", "o", 1), FEW: ("other", "s", -1), OWN: ("extra", "^", -1), FINISHED: ("reference", "D", 1)}


def measure_d1b(data_name: str, budget: str, seed: int) -> list[dict]:
    """Train students on labels and on the outputs of each of several teachers, on a few images, drawn several times."""
    whole = data.load(data_name)
    plan, rows = plan_for(budget, whole), []
    few = plan.shares[0]
    kinds = {
        (share, done): EARLY if done < 1 else OWN if share == few else FINISHED if share == 1 else FEW
        for share, done in plan.teachers
    }
    taught = {
        (share, done): _teacher(kind, *with_fewer_images(whole, plan, share, seed), done, seed)
        for (share, done), kind in kinds.items()
        if kind != OWN
    }
    for draw in range(DRAWS):
        dataset, longer = with_fewer_images(whole, plan, few, [seed, draw])
        row = {
            "seed": seed,
            "draw": draw,
            "images": len(dataset.x_train),
            "epochs": longer.epochs,
            "tried": len(plan.lrs),
        }
        student = functools.partial(train_student, dataset, longer, longer.student, [seed, draw])
        net, lr = pick_on_validation(student, plan.lrs, dataset)
        rows.append(row | {"arm": "labels", "lr": lr} | scores(net, dataset))
        for which in plan.teachers:
            teacher, about = taught.get(which) or _teacher(OWN, dataset, longer, 1, seed)
            targets = teacher_targets(teacher, *dataset.train)
            learn = functools.partial(student, targets=targets, loss=DistillationLoss(CLAIMED_T, 1))
            net, lr = pick_on_validation(learn, plan.lrs, dataset)
            wrong = 100 * float((targets["logits"].argmax(1) != dataset.y_train).mean())
            more = {"arm": "teacher outputs", "wrong_targets": wrong, "lr": lr}
            rows.append(row | about | more | scores(net, dataset))
    return rows


def _teacher(kind: str, dataset: Dataset, plan: Plan, done: float, seed: int) -> tuple[Module, dict]:
    """A teacher that stops after a share `done` of its epochs, and what is said about it in rows."""
    epochs = max(1, round(done * plan.teacher_epochs))
    net = train_teacher(dataset, plan, epochs, seed)
    about = {"teacher": kind, "teacher_images": len(dataset.x_train), "teacher_epochs": epochs}
    return net, about | {"teacher_accuracy": scores(net, dataset)["accuracy"]}


@dataclass(frozen=True)
class Quality:
    """One of the teachers. Per seed: its own accuracy, that of its student, and how much more that is than on labels."""

    kind: str
    name: str
    accuracy: list[float]
    student: list[float]
    gain: list[float]


def qualities(rows: list[dict]) -> list[Quality]:
    """The teachers in the order of their mean accuracy."""
    labels, by_teacher = [row for row in rows if row["arm"] == "labels"], {}
    for row in rows:
        if row["arm"] == "teacher outputs":
            by_teacher.setdefault((row["teacher"], row["teacher_images"], row["teacher_epochs"]), []).append(row)
    found = []
    for (kind, images, epochs), chosen in by_teacher.items():
        name = {
            EARLY: f"stopped after {epochs} epoch{'s' if epochs > 1 else ''}",
            FEW: f"saw {images:,} images",
            OWN: f"saw the student's {images:,} images",
            FINISHED: "finished",
        }[kind]
        seeds = sorted({row["seed"] for row in chosen})
        accuracies = [
            [float(np.mean([row[key] for row in chosen if row["seed"] == seed])) for seed in seeds]
            for key in ("teacher_accuracy", "accuracy")
        ]
        found.append(Quality(kind, name, *accuracies, paired(chosen + labels, "teacher outputs", "labels", "accuracy")))
    return sorted(found, key=lambda quality: np.mean(quality.accuracy))


def gain_over_labels(rows, kind):
    """Per seed, accuracy on a teacher's outputs minus that on labels, mean over the teachers of this kind."""
    return np.mean([quality.gain for quality in qualities(rows) if quality.kind == kind], axis=0).tolist()


def gain_over_teacher(rows):
    """Per seed, accuracy of a student minus that of its teacher, mean over all teachers but the finished one."""
    gains = [np.subtract(q.student, q.accuracy) for q in qualities(rows) if q.kind != FINISHED]
    return np.mean(gains, axis=0).tolist()


def helps_from(rows):
    """From which teacher on, in the order of their accuracy, the interval of the gain over labels lies above 0."""
    found = qualities(rows)
    failing = [i for i, quality in enumerate(found) if not mean_interval(np.array(quality.gain))[1] > 0]
    better = found[failing[-1] + 1 :] if failing else found
    if not better:
        return "shown for none of these teachers"
    return f"shown from a teacher that is {np.mean(better[0].accuracy):.0f} % right on"


def d1b(rows):
    """The student's accuracy over its teacher's, beside that of a student on labels."""
    fig = figure(width=13, height=8.5)
    (ax,) = fig.axes
    found = qualities(rows)
    labels = [row for row in rows if row["arm"] == "labels"]
    by_seed = [np.mean([r["accuracy"] for r in labels if r["seed"] == seed]) for seed in {r["seed"] for r in labels}]
    mean, low, high = map(float, mean_interval(np.array(by_seed)))
    ax.axhline(mean, color=COLORS["rival"])
    ax.axhspan(low, high, color=COLORS["rival"], alpha=0.15, linewidth=0)
    left = min(np.mean(quality.accuracy) for quality in found)
    ax.annotate("student on labels", (left, mean), xytext=(0, 6), textcoords="offset points", color=COLORS["rival"])
    ax.axline((mean, mean), slope=1, color=COLORS["ideal"], linestyle="--", linewidth=2)
    top = max(high, *(np.max(quality.student) for quality in found))
    ax.annotate(
        "as good as\nits teacher",
        (top, top),
        xytext=(-12, 0),
        textcoords="offset points",
        color="#555555",
        ha="right",
        va="center",
    )
    for quality in found:
        role, marker, side = LOOKS[quality.kind]
        x, y = np.mean(quality.accuracy), np.mean(quality.student)
        across, up = _spread(quality.accuracy), _spread(quality.student)
        ax.errorbar(x, y, up, across, color=COLORS[role], marker=marker, markersize=11, capsize=4, linewidth=2)
        ax.annotate(
            quality.name,
            (x, y),
            xytext=(12 * side, -16 * side),
            textcoords="offset points",
            color=COLORS[role],
            ha="left" if side > 0 else "right",
            va="center",
            fontsize=14,
        )
    ax.set(xlabel="test accuracy of the teacher", ylabel="test accuracy of its student")
    percent_axis(ax.xaxis, 100)
    percent_axis(ax.yaxis, 100)
    return fig


def _spread(values):
    """The 95 % interval of the mean, as `errorbar` wants it: ((below,), (above,)), or None for a single seed."""
    mean, low, high = map(float, mean_interval(np.array(values)))
    return None if np.isnan(low) else ((mean - low,), (high - mean,))


CLAIM = Claim(
    id="D1b",
    chapter="distillation",
    title="An imperfect teacher",
    measure=measure_d1b,
    plans=PLANS,
    effects=(
        Effect(
            name="test accuracy, on the outputs of a teacher stopped early minus on labels, mean over such teachers",
            of=functools.partial(gain_over_labels, kind=EARLY),
            unit="points",
            smallest=1.0,
            decides=("N14",),
            holds=helps_from,
        ),
        Effect(
            name="test accuracy, on the outputs of a teacher that saw only the student's images minus on labels",
            of=functools.partial(gain_over_labels, kind=OWN),
            unit="points",
            smallest=1.0,
            decides=("N14",),
        ),
        Effect(
            name="test accuracy of a student minus that of its imperfect teacher, mean over teachers",
            of=gain_over_teacher,
            unit="points",
            smallest=1.0,
        ),
    ),
    figure=d1b,
    note="All students are one net and learn from the same few images, for the same number of epochs and with the same learning "
    "rates to try; twice per seed, each time with other images. Labels are never wrong, while a teacher that stopped "
    "early is wrong about some of the student's own images. A teacher that saw only these images can help by nothing but its "
    "size and its soft outputs. Above the dashed diagonal a student is better than its teacher.",
    source="Hinton et al. 2015; Yuan et al. 2020, Revisiting Knowledge Distillation via Label Smoothing Regularization",
)
