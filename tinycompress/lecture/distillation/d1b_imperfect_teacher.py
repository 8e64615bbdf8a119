"""Claim D1b: students of teachers that are often wrong."""

import functools
from dataclasses import dataclass

import numpy as np

from ... import data
from ...data import Dataset
from ...distillation import DistillationLoss, teacher_targets
from ...nn import Module
from ...selection import pick_on_validation
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure, label_end, percent_axis
from ..claim import Claim, Effect
from ..images.doubt import decided
from ..learned import learns
from .d4_temperature import CLAIMED_T
from .nets import PLANS, Plan, plan_for, scores, train_student, train_teacher, with_fewer_images

EARLY, FEW, OWN, FINISHED = "stopped early", "few images", "the student's images", "finished"  # teachers

DRAWS = 2  # of the few images, per seed: which images they are matters more than anything else
LOOKS = {EARLY: ("claim", "o"), FEW: ("other", "s"), OWN: ("extra", "^"), FINISHED: ("reference", "D")}


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
        if kind != OWN or few == 1  # with all images, every draw is the same
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
    """One of the teachers. Per seed: its own accuracy, that of its students, and that of the students on labels."""

    kind: str
    name: str
    accuracy: np.ndarray
    student: np.ndarray
    labels: np.ndarray


def qualities(rows: list[dict]) -> list[Quality]:
    """The teachers in the order of their mean accuracy."""
    by_teacher = {}
    for row in rows:
        if row["arm"] == "teacher outputs":
            by_teacher.setdefault((row["teacher"], row["teacher_images"], row["teacher_epochs"]), []).append(row)
    labels = _by_seed([row for row in rows if row["arm"] == "labels"], "accuracy")
    found = []
    for (kind, images, epochs), chosen in by_teacher.items():
        after = f"{epochs} epoch{'s' if epochs > 1 else ''}"
        name = {EARLY: after, FEW: f"{images:,} images", OWN: f"the student's {images:,} images", FINISHED: "finished"}[
            kind
        ]
        found.append(Quality(kind, name, _by_seed(chosen, "teacher_accuracy"), _by_seed(chosen, "accuracy"), labels))
    return sorted(found, key=lambda quality: np.mean(quality.accuracy))


def _by_seed(rows, key) -> np.ndarray:
    """The mean of a number over the rows of each seed."""
    return np.array(
        [np.mean([row[key] for row in rows if row["seed"] == s]) for s in sorted({r["seed"] for r in rows})]
    )


def break_even(rows) -> np.ndarray:
    """Per seed, the accuracy of a teacher whose student is as good as one on labels, interpolated between the teachers.

    The students' accuracies are made monotone first. It is that of the worst teacher if all of them help, and that of the
    best if none does.
    """
    found, points = qualities(rows), []
    for i, labels in enumerate(found[0].labels):
        teachers, students = np.array(sorted((quality.accuracy[i], quality.student[i]) for quality in found)).T
        # A tiny slope gives each accuracy on a flat stretch one place, its left end.
        reached = np.maximum.accumulate(students) + 1e-9 * np.arange(len(students))
        points.append(np.interp(labels, reached, teachers))
    return np.array(points)


def below_the_best(rows):
    """Per seed, how far a teacher may be below the best one until its student is no better than one on labels."""
    return (qualities(rows)[-1].accuracy - break_even(rows)).tolist()


def gain_from_own(rows):
    """Per seed, accuracy of the student of a teacher that saw only this student's images, minus that of one on labels."""
    own = next(quality for quality in qualities(rows) if quality.kind == OWN)
    return (own.student - own.labels).tolist()


def _gain_from(rows, name: str):
    return next(quality.student - quality.labels for quality in qualities(rows) if quality.name == name)


def helps_from(rows):
    """From which teacher on the interval of the gain over labels lies above 0."""
    found = qualities(rows)
    failing = [i for i, q in enumerate(found) if decided(rows, _gain_from, q.name).verdict != "supported"]
    better = found[failing[-1] + 1 :] if failing else found
    if not better:
        return "shown for none of these teachers"
    return f"shown from a teacher that is {np.mean(better[0].accuracy):.0f} % right on"


def d1b(rows):
    """The student's accuracy over its teacher's, beside that of a student on labels."""
    fig = figure(width=13, height=8.5)
    (ax,) = fig.axes
    found = qualities(rows)
    mean, low, high = map(float, seed_band(found[0].labels))
    ax.axhline(mean, color=COLORS["rival"])
    ax.axhspan(low, high, color=COLORS["rival"], alpha=0.15, linewidth=0)
    left = min(np.mean(quality.accuracy) for quality in found)
    _write(ax, "student on labels", (left, mean), (0, 12), COLORS["rival"])
    ax.axline((mean, mean), slope=1, color=COLORS["ideal"], linestyle="--", linewidth=2)
    top = max(high, *(np.max(quality.student) for quality in found))
    _write(ax, "as good as its teacher", (top, top), (-20, 0), "#555555", ha="right")
    names = []
    for quality in found:
        role, marker = LOOKS[quality.kind]
        _point(ax, quality.accuracy, quality.student, COLORS[role], marker)
        names.append((quality.name, (np.mean(quality.accuracy), np.mean(quality.student)), COLORS[role]))
    even = break_even(rows)
    _point(ax, even, None, COLORS["rival"], "*", at=mean, markersize=22)
    _name_at_the_edge(ax, [*names, ("break-even", (np.mean(even), mean), COLORS["rival"])])
    ax.set(
        xlabel="test accuracy of the teacher: stopped early, or trained on few images",
        ylabel="test accuracy of its student",
    )
    percent_axis(ax.xaxis, 100)
    percent_axis(ax.yaxis, 100)
    return fig


def _point(ax, across, up, color, marker, at=None, markersize=11):
    """Draw the means with their intervals, or the first at the height `at`."""
    height, spread = (at, None) if up is None else (np.mean(up), _spread(up))
    ax.errorbar(
        np.mean(across),
        height,
        spread,
        _spread(across),
        color=color,
        marker=marker,
        markersize=markersize,
        capsize=4,
        linewidth=2,
    )


def _write(ax, text, place, offset, color, ha="left"):
    ax.annotate(text, place, xytext=offset, textcoords="offset points", color=color, ha=ha, va="center", fontsize=15)


def _name_at_the_edge(ax, names):
    """Write each (text, place, color) beside the right edge, at the end of a thin line from its place."""
    left, right = ax.get_xlim()
    for text, (x, y), color in names:
        ax.hlines(y, x, right, color=color, linewidth=1, alpha=0.5, zorder=1)
        label_end(ax, [(right, y)], text, color)
    ax.set_xlim(left, right)


def _spread(values):
    """The band over seeds around the mean, as `errorbar` wants it: ((below,), (above,)), or None for a single seed."""
    mean, low, high = map(float, seed_band(np.array(values)))
    return None if np.isnan(low) else ((mean - low,), (high - mean,))


CLAIM = Claim(
    id="D1b",
    chapter="distillation",
    title="An imperfect teacher",
    measure=measure_d1b,
    plans=PLANS,
    rests_on=(
        learns(arm="labels"),
        learns("teacher_accuracy", teacher=FINISHED, name="the finished teacher"),
    ),
    effects=(
        Effect(
            name="points of test accuracy by which a teacher may be worse than the best one before its student does no better "
            "than one on labels",
            of=below_the_best,
            unit="points",
            smallest=1.0,
            decides=("N14",),
            holds=helps_from,
        ),
        Effect(
            name="test accuracy, student of a teacher that saw only the student's own images, minus a student on labels",
            of=gain_from_own,
            unit="points",
            smallest=1.0,
            decides=("N14",),
            rests_on=(
                learns(arm="labels"),
                learns(teacher=OWN, name="the student of the teacher that saw only its images"),
            ),
        ),
    ),
    figure=d1b,
    note="All students are one net and learn from equally few images, for the same number of epochs and with the same learning "
    "rates to try; twice per seed, each time with other images. Labels are never wrong, while a teacher that stopped early is "
    "wrong about some of the student's own images. A teacher that saw only these images is the fair control: it knows no more "
    "labels than the student on labels does. The star is the break-even, interpolated per seed between the teachers: left of it "
    "a student does better with labels. On the diagonal a student is as good as its teacher, and above it better.",
    source="Hinton et al. 2015; Yuan et al. 2020, Revisiting Knowledge Distillation via Label Smoothing Regularization",
)
