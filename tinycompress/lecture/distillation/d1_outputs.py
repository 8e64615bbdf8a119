"""Claim D1: the teacher's outputs instead of labels."""

import functools

import numpy as np

from ... import data
from ...data import Dataset
from ...distillation import DistillationLoss, ShiftedTargets, teacher_targets
from ...nn import Module
from ...profiling import stored_bytes
from ...selection import preparing
from ...workshop import colour
from ...workshop.style import figure
from ..claim import Claim, Effect
from ..learned import learns
from ..rows import paired
from .drawing import draw_curves, draw_error_bars, draw_images, draw_reference_line
from .nets import WITH_COLOUR, Plan, choose, plan_for, scores, teacher_of, train_student, with_fewer_images

ARMS = (
    ("labels", "rival", "labels"),
    ("smoothed labels", "other", "smoothed\nlabels"),
    ("teacher outputs", "claim", "teacher\noutputs"),
)
HINTON_ERRORS = {"teacher": 67, "labels": 146, "teacher outputs": 74}  # of 10,000 (Hinton et al. 2015, section 3)


def measure_d1(data_name: str, budget: str, seed: int) -> list[dict]:
    """Train a student on labels, on smoothed labels and on a teacher's outputs, with few and with all images."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset, WITH_COLOUR)
    teacher = teacher_of(data_name, plan, seed)
    whole = stored_bytes(teacher)
    nets = [(1, "teacher", plan.teacher_epochs, len(dataset.x_train), teacher, {})]
    for share in plan.shares:
        seen, shorter = with_fewer_images(dataset, plan, share, seed)
        for arm, (net, chosen) in three_students(seen, shorter, teacher, seed, share == min(plan.shares)).items():
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


def three_students(
    dataset: Dataset, plan: Plan, teacher: Module, seed: int, curves: bool
) -> dict[str, tuple[Module, dict]]:
    """One student per kind of target, the best of its settings on validation data, and these settings as row fields.

    curves: whether the fields hold learning curves, which take about as long as the training. If the plan says `stored`, the
    images of all students are moved by up to a pixel and mirrored, and the teacher's outputs are those for such images.
    """
    edges = data.mean_colour(dataset.x_train) if plan.stored else 0.0

    def moved(x, rng):
        return data.mirror(data.shift(x, rng, 1, edges), rng)

    move = moved if plan.stored else None

    def student(lr, curve, *targets, augment=move, **options):
        curve = curve if curves else None
        return train_student(dataset, plan, plan.student, seed, lr, *targets, curve=curve, augment=augment, **options)

    def on_labels(lr, decay, curve):
        return student(lr, curve, weight_decay=decay)

    def on_smoothed_labels(lr, share, curve):
        smooth = smoothed(dataset.y_train, dataset.num_classes, share)
        return student(lr, curve, smooth, loss=DistillationLoss(1, 1))

    def on_teacher_outputs(lr, soft, curve):
        if not plan.stored:
            return student(lr, curve, outputs(), loss=DistillationLoss(*soft))
        with preparing("the teacher's outputs"):
            lesson = ShiftedTargets(teacher, *dataset.train, *soft, fill=edges, mirrored=True)
        return student(lr, curve, lesson.train[1], loss=lesson.loss, augment=lesson.shift)

    @functools.cache
    def outputs():
        return teacher_targets(teacher, *dataset.train)

    def picked(arm, make, values, *learned_from):
        name = f"D1: student on {arm}, {len(dataset.x_train)} images, seed {seed}"
        epochs = plan.epochs * len(plan.lrs) * len(values)
        return colour.kept(
            plan, name, [*learned_from, curves], dataset, lambda: choose(make, plan.lrs, values, dataset), epochs
        )

    return {
        "labels": picked("labels", on_labels, plan.decays),
        "smoothed labels": picked("smoothed labels", on_smoothed_labels, plan.smoothings),
        "teacher outputs": picked("teacher outputs", on_teacher_outputs, plan.soft, teacher),
    }


def smoothed(labels: np.ndarray, classes: int, share: float) -> np.ndarray:
    """Targets at T = 1 that spread `share` of each label over all classes, like a teacher that knows only the label."""
    targets = np.empty(len(labels), [("logits", np.float32, (classes,)), ("label", np.int64)])
    targets["logits"], targets["label"] = np.log((1 - share) * np.eye(classes)[labels] + share / classes), labels
    return targets


def gain(rows, baseline, most):
    """Per seed, accuracy on the teacher's outputs minus that of `baseline`, with the fewest or with the most images.

    Empty for the most if all students see equally many.
    """
    shares = sorted({row["share"] for row in rows if row["arm"] != "teacher"})
    chosen = shares[1:][-1:] if most else shares[:1]
    return paired([row for row in rows if row["share"] in chosen], "teacher outputs", baseline, "accuracy")


def number_of_images(rows, most):
    """How many images the students of an effect see, or why it has no value: a plan with one number has the fewest alone."""
    if most and not gain(rows, "labels", most):
        return "all students see all images here, so the fewest decide"
    pick = max if most else min
    return draw_images([pick((row for row in rows if row["arm"] != "teacher"), key=lambda row: row["share"])])


def ratios_d1(rows):
    teacher = next(row["parameters"] for row in rows if row["arm"] == "teacher")
    students = [row for row in rows if row["arm"] == "teacher outputs"]
    return {
        "theory": teacher / students[0]["parameters"],
        "disk": float(np.mean([row["disk_ratio"] for row in students])),
    }


def d1(rows):
    """Learning curves on validation data, and test errors, of one student on three kinds of targets."""
    shares = sorted({row["share"] for row in rows if row["arm"] != "teacher"})
    fig = figure(ncols=2, width=12 + 3 * len(shares), height=7, width_ratios=(1, 0.35 + 0.6 * len(shares)))
    curves, errors = fig.axes
    few = [row for row in rows if row["share"] == shares[0] and row["arm"] != "teacher"]
    draw_curves(curves, few, ARMS)
    curves.set_title(f"learning from {draw_images(few)}")
    teacher = [row for row in rows if row["arm"] == "teacher"]
    saw = f"teacher,\n{draw_images(teacher)}"
    draw_reference_line(errors, np.mean([100 - row["accuracy"] for row in teacher]), saw)
    labels, differ = [], len({row["epochs"] for row in rows if row["arm"] != "teacher"}) > 1
    for group, share in enumerate(shares):
        chosen = [row for row in rows if row["share"] == share and row["arm"] != "teacher"]
        draw_error_bars(errors, chosen, ARMS, start=4 * group)
        saw = draw_images(chosen) + (f", {chosen[0]['epochs']} epochs" if differ else "")
        labels += [label + (f"\n{saw}" if arm == "smoothed labels" else "") for arm, _, label in ARMS]
    places = [4 * group + place for group in range(len(shares)) for place in range(len(ARMS))]
    if teacher[0]["published"] is not None:  # then there is only one group of bars, and room for the teacher's
        draw_error_bars(errors, teacher, [("teacher", "reference", "")], start=3)
        places, labels = [*places, 3], [*labels, "teacher"]
    errors.set_xticks(places, labels)
    errors.set_ylim(bottom=0)
    times = teacher[0]["parameters"] / few[0]["parameters"]
    errors.set_title(f"a student {times:.2g}× smaller than its teacher")
    return fig


CLAIM = Claim(
    id="D1",
    chapter="distillation",
    title="The teacher's output instead of the label",
    measure=measure_d1,
    plans=WITH_COLOUR,
    effects=tuple(
        Effect(
            name=f"test accuracy with {count} images, on the teacher's outputs minus on {baseline}",
            of=functools.partial(gain, baseline=baseline, most=bool(smallest)),
            unit="points",
            smallest=smallest,
            decides=(decides,),
            holds=functools.partial(number_of_images, most=bool(smallest)),
            rests_on=(
                learns(arm="teacher"),
                learns(
                    arm=("teacher outputs", baseline),
                    share=(lambda share: share == 1) if smallest else bool,
                    by="images",
                ),
            ),
        )
        for baseline, decides in (("labels", "N13"), ("smoothed labels", "N16"))
        for count, smallest in (("the fewest", 0.0), ("all", 1.0))
    ),
    figure=d1,
    ratios=ratios_d1,
    note="All students have the same epochs, the same images and the same number of settings to try on validation data: learning "
    'rates times temperatures, weight decays (on labels) or shares of smoothing. On colour images at the budget "paper", '
    "all see images that are moved by up to one pixel and mirrored, for which the teacher's outputs are computed once; the "
    "teacher itself saw more varied ones. Smoothed labels are soft too, but contain nothing about the image: what the "
    "teacher adds beyond them is knowledge. Some of it comes from labels that its student never sees, since the teacher has "
    "learned from all images, while a student with the fewest has only a part of them; in D1b one teacher has seen only its "
    "student's images. The ratios say how much smaller a student is than its teacher.",
    source="Hinton et al. 2015, Distilling the Knowledge in a Neural Network; Ba & Caruana 2014, Do Deep Nets Really "
    "Need to be Deep?",
)
