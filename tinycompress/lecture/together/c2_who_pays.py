"""Claim C2: which classes and images pay for compression."""

import functools

import numpy as np

from ... import data
from ...training import TrainingDiverged, predict
from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect, Settings
from ..images.pixels import packed, unpacked
from ..images.shares import percent_of
from ..learned import diverged, learns, split_of_data
from ..tasks import without_a_class
from .methods import METHODS, is_gentler, strengths_within_time, trained_alike, trained_on
from .nets import PLANS, Small, few_seeds, plan_for, right, teacher_of, validation_accuracy

MOST_VICTIMS = 12
TOLERANCE = 1.0  # points of validation accuracy that count as equal
SURE = 3  # seeds from which on an interval is drawn: that of two tells nothing


def tasks_c2(settings: Settings) -> list[tuple]:
    """One task per seed, and the seed of a stored teacher that starts from elsewhere. No other task has it, since differences
    that share a net would not be independent."""
    tasks = few_seeds(settings)
    return [(*task, task[-1] + len(tasks)) for task in tasks]


def measure_c2(data_name: str, budget: str, seed: int, elsewhere: int) -> list[dict]:
    """Apply every method at the strongest setting that validation accuracy allows; the test images and classes it loses."""
    dataset = data.load(data_name)
    if missing := without_a_class(dataset):
        return missing
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    limit = validation_accuracy(trained_on(teacher, dataset, plan, seed).runs, dataset) - TOLERANCE
    reference = trained_alike(teacher, dataset, plan, seed)
    before = right(reference.runs, dataset)
    start = (
        elsewhere if plan.stored else seed + 1000
    )  # a stored teacher may be there already, for more seeds of another claim
    other = trained_alike(teacher_of(data_name, plan, start), dataset, plan, start)
    rows = [_c2_row(seed, "the teacher", None, reference.runs, before, dataset)]
    rows.append(_c2_row(seed, "another start", None, other.runs, before, dataset))
    again = trained_alike(teacher, dataset, plan, seed + 2000)
    rows.append(_c2_row(seed, "another order", None, again.runs, before, dataset))
    for method in METHODS:
        try:
            small, strength, fits = _strongest(method, teacher, dataset, plan, seed, limit)
        except TrainingDiverged as error:
            rows.append(diverged({"seed": seed, "arm": method.name}, error))
            continue
        row = _c2_row(seed, method.name, strength, small.runs, before, dataset)
        row["gentler"] = is_gentler(method, plan)
        if fits or row["accuracy"] <= split_of_data(dataset).guessing:  # a net that did not learn is named
            rows.append(row)
    rows[0] |= {"classes": list(dataset.classes), "victims": _victims(rows, dataset)}
    return rows


def _victims(rows, dataset) -> list[dict]:
    """The images that most methods lose, up to MOST_VICTIMS of them, with their pixels (8 bits) for the figure."""
    lost = np.concatenate(
        [np.asarray(row.get("lost", ()), int) for row in rows if row["arm"] in {m.name for m in METHODS}] or [[]]
    )
    images, counts = np.unique(lost.astype(int), return_counts=True)
    most = np.argsort(-counts, kind="stable")[:MOST_VICTIMS]
    return [
        {"image": int(i), "label": int(dataset.y_test[i]), "pixels": packed(dataset.x_test[i])} for i in images[most]
    ]


def _strongest(method, teacher, dataset, plan, seed, limit) -> tuple[Small, object, bool]:
    """The net and strength of the strongest setting that keeps validation accuracy at the limit or above, and True.

    If none does, the mildest setting's, and False. Settings that diverge are skipped; raises TrainingDiverged if all do.
    """
    mildest, failure = None, None
    for strength in reversed(strengths_within_time(method, plan)):
        try:
            small = method.apply(teacher, dataset, plan, seed, strength)
        except TrainingDiverged as error:
            failure = error
            continue
        if validation_accuracy(small.runs, dataset) >= limit:
            return small, strength, True
        mildest = small, strength, False
    if mildest is None:
        raise failure
    return mildest


def _c2_row(seed, arm, strength, net, before, dataset) -> dict:
    logits = predict(net, dataset.x_test)
    now = logits.argmax(1) == dataset.y_test
    changed = np.flatnonzero(now != before)
    return {
        "seed": seed,
        "arm": arm,
        "strength": strength,
        "accuracy": percent_of(now),
        "flipped": percent_of(now != before),
        "least": 100 * abs(float(now.mean() - before.mean())),
        "lost": changed[before[changed]],
        "won": changed[~before[changed]],
        "says": logits.argmax(1)[changed[before[changed]]],
        "recalls": [percent_of(now, among=dataset.y_test == c) for c in range(dataset.num_classes)],
    }


CONTROLS = ("another order", "another start")


def effect_images(rows, control="another order"):
    """Per seed, the share of test images that change sides, mean over methods, minus the share for a control.

    The controls are the teacher trained further on the images in another order, and one trained from another start.
    """
    return _minus(rows, control, lambda row, teacher: row["flipped"])


def effect_classes(rows, control="another order"):
    """Per seed, how much more recall than accuracy the class that loses most has lost, mean over methods minus a control."""
    return _minus(rows, control, _worst)


def effect_accuracy(rows):
    """Per seed, test accuracy, mean over methods, minus that of the teacher trained further."""
    return _minus(rows, "the teacher", lambda row, teacher: row["accuracy"])


def _worst(row, teacher) -> float:
    lost = np.subtract(teacher["recalls"], row["recalls"])
    return float(lost.max() - (teacher["accuracy"] - row["accuracy"]))


def _minus(rows, control, value) -> list[float]:
    """Per seed, the mean of value(row, the teacher's row) over methods that train like the control, minus that of the control."""
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        chosen = {row["arm"]: row for row in rows if row["seed"] == seed}
        values = {arm: value(row, chosen["the teacher"]) for arm, row in chosen.items()}
        names = [method.name for method in METHODS if method.name in values]
        methods = [values[name] for name in names if not chosen[name].get("gentler")]
        if methods:
            effects.append(float(np.mean(methods)) - values[control])
    return effects


def c2(rows):
    """Change of recall by class, and of accuracy; the images that most methods lose, images that change sides, worst classes."""
    fig = figure(ncols=2, nrows=2, width=17, height=9.5, width_ratios=(1.35, 1), height_ratios=(1.1, 1))
    fig.get_layout_engine().set(w_pad=0.15)  # inches: otherwise long names lose their first letter in the PNG
    heat, gallery, flips, worst = fig.axes
    arms = [arm for arm in dict.fromkeys(row["arm"] for row in rows) if arm != "the teacher"]
    arms = [arm for arm in arms if arm not in CONTROLS] + [arm for arm in CONTROLS if arm in arms]
    teacher = {row["seed"]: row for row in rows if row["arm"] == "the teacher"}
    names = {method.name: method.family for method in METHODS}
    change, labels, flipped, lost = [], [], [], []
    for arm in arms:
        chosen = [row for row in rows if row["arm"] == arm]
        change.append([_change(row, teacher[row["seed"]]) for row in chosen])
        flipped.append([row["flipped"] for row in chosen])
        lost.append([_worst(row, teacher[row["seed"]]) for row in chosen])
        apart = "*" if any(row.get("gentler") for row in chosen) else ""
        labels.append(f"{names.get(arm, arm)}{apart} ({len(chosen)})")
    _heat(heat, change, labels, next(iter(teacher.values()))["classes"])
    _gallery(gallery, rows, teacher)
    _bars(flips, flipped, labels)
    flips.set(xlabel="of test images")
    few = f"\n(hatched: fewer than {SURE} seeds)" if any(len(some) < SURE for some in flipped) else ""
    apart = "\n(*: trained at a lower rate; in no mean)" if any("*" in label for label in labels) else ""
    flips.set_title("Images that change sides" + few + apart)
    percent_axis(flips.xaxis, 100)
    _bars(worst, lost, [""] * len(arms))
    worst.set(xlabel="points of recall")
    worst.set_title("Worst class: lost beyond the average")
    return fig


def _change(row, teacher) -> np.ndarray:
    """The change of recall by class and, last, that of the accuracy on all test images (classes + 1,)."""
    return np.subtract([*row["recalls"], row["accuracy"]], [*teacher["recalls"], teacher["accuracy"]])


def _heat(ax, change, labels, classes):
    """Draw the mean changes (methods, classes + 1); bold where the interval over SURE or more seeds excludes 0."""
    means = np.array([np.mean(by_seed, axis=0) for by_seed in change])
    most = max(1.0, float(np.abs(means).max()))
    ax.imshow(means, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    ax.grid(False)
    for (i, j), value in np.ndenumerate(means):
        if round(value, 1) == 0:
            continue
        _, low, high = mean_interval(np.array([of_seed[j] for of_seed in change[i]]))
        sure = len(change[i]) >= SURE and (low > 0 or high < 0)
        look = {"fontweight": "bold" if sure else "normal", "color": "white" if abs(value) > 0.6 * most else "black"}
        ax.text(j, i, f"{value:+.1f}", ha="center", va="center", fontsize=13, **look)
    ax.set_yticks(range(len(labels)), labels)
    ax.axvline(len(classes) - 0.5, color="white", linewidth=6)
    ax.set_xticks(range(len(classes) + 1), [*classes, "all"], rotation=0 if max(map(len, classes)) < 4 else 45)
    ax.set_xlabel("class, and all test images")
    ax.set_title("Change of recall in points (red: the class pays;\nin brackets: seeds; bold: the interval excludes 0)")


def _bars(ax, values, labels):
    """Draw a bar per method and control, with its interval over seeds; hatched, without interval, if it has too few."""
    from matplotlib.ticker import MaxNLocator

    controls = len(values) - len(CONTROLS)
    for place, some in enumerate(values):
        mean, low, high = map(float, mean_interval(np.array(some)))
        color = COLORS["ideal" if place >= controls else "claim"]
        if len(some) < SURE:
            ax.barh(place, mean, 0.7, facecolor="none", edgecolor=color, hatch="///")
        else:
            spread = [[mean - max(low, 0)], [high - mean]]
            ax.barh(place, mean, 0.7, color=color, xerr=spread, capsize=4, ecolor="#555555")
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set_yticks(range(len(values)), labels)
    ax.grid(axis="x", color="#E4E4E4")
    ax.grid(axis="y", visible=False)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def _gallery(ax, rows, teacher):
    """Draw the images that are lost most often, over methods and seeds, and the class they are mistaken for."""
    ax.set_axis_off()
    pictures = {v["image"]: v for row in teacher.values() for v in row["victims"]}
    said = {}
    for row in rows:
        if row["arm"] != "the teacher" and row["arm"] not in CONTROLS:
            for image, answer in zip(row["lost"], row["says"], strict=True):
                said.setdefault(image, []).append(answer)
    total = sum(row["arm"] != "the teacher" and row["arm"] not in CONTROLS for row in rows)
    worst = sorted((i for i in said if i in pictures), key=lambda i: (-len(said[i]), i))[:12]
    classes = next(iter(teacher.values()))["classes"]
    ax.set_title(f"Lost most often (of {total} nets)" if worst else "No image is lost")
    for place, image in enumerate(worst):
        across, down = place % 4, place // 4
        inset = ax.inset_axes((across / 4 + 0.02, 0.7 - down * 0.34, 0.21, 0.22))
        pixels = unpacked(pictures[image]["pixels"])
        inset.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray_r", vmin=0, vmax=255)
        inset.set_axis_off()
        answers, counts = np.unique(said[image], return_counts=True)
        name, taken = classes[pictures[image]["label"]], classes[answers[counts.argmax()]]
        apart = "\n" if len(name + taken) > 8 else " "  # long names need two lines
        inset.set_title(f"{name} →{apart}{taken}  {len(said[image])}×", fontsize=13, loc="center", pad=3)


CLAIM = Claim(
    id="C2",
    chapter="together",
    title="Who pays",
    question="A compressed net fails on other images than its teacher, and some classes pay, more than chance explains, at equal "
    "overall accuracy.",
    tasks=tasks_c2,
    measure=measure_c2,
    plans=PLANS,
    rests_on=(learns(arm=("the teacher", *CONTROLS)), learns(arm=tuple(m.name for m in METHODS), one_of_many=True)),
    effects=(
        *(
            Effect(
                name=f"{what}, compressed minus the teacher {control}",
                of=functools.partial(of, control=arm),
                unit="points",
                smallest=1.0,
                tested_on=images,
            )
            for what, of, images in (
                ("test images that change sides", effect_images, "all"),
                ("recall lost by the worst class beyond the average", effect_classes, "of a class"),
            )
            for arm, control in zip(CONTROLS, ("trained further in another order", "from another start"), strict=True)
        ),
        Effect(
            name="overall test accuracy is equal: compressed minus the teacher trained further",
            of=effect_accuracy,
            unit="points",
            smallest=1.0,
            equal=True,
        ),
    ),
    figure=c2,
    note=f"Each method has the strongest setting that keeps validation accuracy within {TOLERANCE:g} point of the teacher's. "
    "There are two controls. Training the same weights further in another order changes little; a teacher from another "
    "start is as accurate, but is another net. More than by the first means that compression changes more than the last "
    "epochs do; only more than by the second means that it changes more than chance. A method without a setting that keeps "
    "this accuracy is left out for that seed. From a ResNet-20, the distilled student is tried at half the width alone; and the "
    "teacher and its controls train at the rate of most methods, since at the lowest one hardly any image changes sides. 8 bits "
    "and few values, which train at lower rates, are drawn, but are in no mean. The teacher that methods must come close to has "
    "the better rate.",
    source="Hooker et al. 2019, What Do Compressed Deep Neural Networks Forget?",
)
