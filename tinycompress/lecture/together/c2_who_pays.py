"""Claim C2: which classes and images pay for compression."""

import numpy as np

from ... import data
from ...training import predict
from ...workshop.interval import mean_interval
from ...workshop.style import COLORS, figure, percent_axis
from ..claim import Claim, Effect
from .methods import METHODS, PLANS, Small, few_seeds, plan_for, right, teacher_of, trained_on, validation_accuracy

MOST_VICTIMS = 12
TOLERANCE = 1.0  # points of validation accuracy that count as equal


def measure_c2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Apply every method at the strongest setting that validation accuracy allows; the test images and classes it loses."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    teacher = teacher_of(data_name, plan, seed)
    reference = trained_on(teacher, dataset, plan, seed)
    limit = validation_accuracy(reference.runs, dataset) - TOLERANCE
    before = right(reference.runs, dataset)
    other = trained_on(teacher_of(data_name, plan, seed + 1000), dataset, plan, seed + 1000)
    rows = [_c2_row(seed, "the teacher", None, reference.runs, before, dataset)]
    rows.append(_c2_row(seed, "another start", None, other.runs, before, dataset))
    again = trained_on(teacher, dataset, plan, seed + 2000)
    rows.append(_c2_row(seed, "another order", None, again.runs, before, dataset))
    for method in METHODS:
        small, strength = _strongest(method, teacher, dataset, plan, seed, limit)
        if small is not None:
            rows.append(_c2_row(seed, method.name, strength, small.runs, before, dataset))
    rows[0] |= {"classes": list(dataset.classes), "victims": _victims(rows, dataset)}
    return rows


def _victims(rows, dataset) -> list[dict]:
    """The images that most methods lose, up to MOST_VICTIMS of them, with their pixels (8 bits) for the figure."""
    lost = np.concatenate(
        [np.asarray(row["lost"], int) for row in rows if row["arm"] in {m.name for m in METHODS}] or [[]]
    )
    images, counts = np.unique(lost.astype(int), return_counts=True)
    most = np.argsort(-counts, kind="stable")[:MOST_VICTIMS]
    return [
        {"image": int(i), "label": int(dataset.y_test[i]), "pixels": np.round(255 * dataset.x_test[i]).astype(int)}
        for i in images[most]
    ]


def _strongest(method, teacher, dataset, plan, seed, limit) -> tuple[Small | None, object]:
    """The net and strength of the strongest setting that keeps validation accuracy at the limit or above, or two Nones."""
    for strength in reversed(method.strengths):
        small = method.apply(teacher, dataset, plan, seed, strength)
        if validation_accuracy(small.runs, dataset) >= limit:
            return small, strength
    return None, None


def _c2_row(seed, arm, strength, net, before, dataset) -> dict:
    logits = predict(net, dataset.x_test)
    now = logits.argmax(1) == dataset.y_test
    changed = np.flatnonzero(now != before)
    return {
        "seed": seed,
        "arm": arm,
        "strength": strength,
        "accuracy": 100 * float(now.mean()),
        "flipped": 100 * float(np.mean(now != before)),
        "least": 100 * abs(float(now.mean() - before.mean())),
        "lost": changed[before[changed]],
        "won": changed[~before[changed]],
        "says": logits.argmax(1)[changed[before[changed]]],
        "recalls": [100 * float(now[dataset.y_test == c].mean()) for c in range(dataset.num_classes)],
    }


def effect_c2(rows):
    """Per seed, the share of test images that change sides, mean over methods, minus the share for a control.

    The control is the teacher trained further on the images in another order.
    """
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        chosen = {row["arm"]: row["flipped"] for row in rows if row["seed"] == seed}
        methods = [chosen[method.name] for method in METHODS if method.name in chosen]
        if methods:
            effects.append(float(np.mean(methods)) - chosen["another order"])
    return effects


CONTROLS = ("another order", "another start")


def c2(rows):
    """Change of recall by method and class, share of images that change sides, and the images that most methods lose."""
    fig = figure(ncols=3, width=22, height=8.4, width_ratios=(1.15, 0.6, 0.9))
    heat, bars, gallery = fig.axes
    arms = [arm for arm in dict.fromkeys(row["arm"] for row in rows) if arm != "the teacher"]
    arms = [arm for arm in arms if arm not in CONTROLS] + [arm for arm in CONTROLS if arm in arms]
    teacher = {row["seed"]: row for row in rows if row["arm"] == "the teacher"}
    change, flipped = [], []
    for arm in arms:
        chosen = [row for row in rows if row["arm"] == arm]
        change.append(np.mean([np.subtract(r["recalls"], teacher[r["seed"]]["recalls"]) for r in chosen], 0))
        flipped.append([row["flipped"] for row in chosen])
    _heat(heat, np.array(change), arms, next(iter(teacher.values()))["classes"])
    _flip_bars(bars, flipped, arms)
    _gallery(gallery, rows, teacher)
    return fig


def _heat(ax, change, arms, classes):
    most = max(1.0, float(np.abs(change).max()))
    shown = ax.imshow(change, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    ax.grid(False)
    for (i, j), value in np.ndenumerate(change):
        if round(value, 1) == 0:
            continue
        dark = abs(value) > 0.6 * most
        ax.text(j, i, f"{value:+.1f}", ha="center", va="center", fontsize=11, color="white" if dark else "black")
    ax.set_yticks(range(len(arms)), arms)
    ax.set_xticks(range(len(classes)), classes, rotation=0 if max(map(len, classes)) < 4 else 45)
    ax.set_xlabel("class")
    ax.set_title("Change of recall (points)")
    ax.figure.colorbar(shown, ax=ax, location="bottom", shrink=0.6, aspect=40, label="points (red: the class pays)")


def _flip_bars(ax, flipped, arms):
    from matplotlib.ticker import MaxNLocator

    for place, (values, arm) in enumerate(zip(flipped, arms, strict=True)):
        mean, low, high = map(float, mean_interval(np.array(values)))
        spread = None if np.isnan(low) else [[mean - max(low, 0)], [high - mean]]
        color = COLORS["ideal" if arm in CONTROLS else "claim"]
        ax.barh(place, mean, 0.7, color=color, xerr=spread, capsize=4, ecolor="#555555")
    ax.set_ylim(len(arms) - 0.5, -0.5)
    ax.set_yticks(range(len(arms)), [""] * len(arms))
    ax.grid(axis="x", color="#E4E4E4")
    ax.xaxis.set_major_locator(MaxNLocator(3))
    percent_axis(ax.xaxis, 100)
    ax.set_xlabel("of test images")
    ax.set_title("Images that change sides")


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
        across, down = place % 3, place // 3
        inset = ax.inset_axes((across / 3 + 0.02, 0.77 - down * 0.25, 0.27, 0.19))
        pixels = np.array(pictures[image]["pixels"], float) / 255
        inset.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray_r", vmin=0, vmax=1)
        inset.set_axis_off()
        answers, counts = np.unique(said[image], return_counts=True)
        name, taken = classes[pictures[image]["label"]], classes[answers[counts.argmax()]]
        inset.set_title(f"{name} → {taken}  {len(said[image])}×", fontsize=13, loc="center", pad=3)


CLAIM = Claim(
    id="C2",
    chapter="together",
    title="Who pays",
    question="At equal overall accuracy a compressed net fails on other images than its teacher: some classes pay.",
    tasks=few_seeds,
    measure=measure_c2,
    plans=PLANS,
    effects=(
        Effect(
            name="test images that change sides, compressed minus trained further in another order",
            of=effect_c2,
            unit="points",
        ),
    ),
    figure=c2,
    note=f"Each method has the strongest setting that keeps validation accuracy within {TOLERANCE:g} point of the teacher's. "
    "Training the teacher further in another order, or from another start, shows how many images change sides by chance.",
    source="Hooker et al. 2019, What Do Compressed Deep Neural Networks Forget?",
)
