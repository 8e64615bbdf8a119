"""Claim D4: a temperature softens the teacher's outputs."""

import math
from collections.abc import Callable

import numpy as np

from ... import data, models
from ...distillation import DistillationLoss, teacher_targets
from ...selection import pick_on_validation
from ...tensor import Tensor
from ...training import predict
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, curve_with_band, figure, percent_axis
from ..claim import Claim, Effect, first_seed_drawn
from ..images.doubt import decided
from ..learned import learns
from ..rows import paired
from .nets import PLANS, plan_for, scores, soften, teacher_of, train_student, with_fewer_images

CLAIMED_T = 4  # chosen before measuring: Hinton et al. 2015 found 2.5 to 4 best for narrow students
SHOWN_T = (1, 2, 4, 16)


def measure_d4(data_name: str, budget: str, seed: int, drawn: bool) -> list[dict]:
    """At each temperature: a student's accuracy, the entropy of the teacher's outputs, and the norm of the gradient."""
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
    if drawn:
        outputs = predict(teacher, dataset.x_val)
        chosen = _ambiguous(outputs, dataset.y_val)
        rows[0]["image"], rows[0]["classes"] = dataset.x_val[chosen].tolist(), list(dataset.classes)
        rows[0]["shown"] = {str(T): soften(outputs[chosen], T).tolist() for T in SHOWN_T}
    return rows


def _gradient_length(loss: Callable, logits: np.ndarray, targets: np.ndarray) -> float:
    """The norm of the gradient with respect to one example's logits, mean over examples."""
    z = Tensor(logits, requires_grad=True)
    loss(z, targets).backward()
    return float(np.linalg.norm(len(logits) * z.grad, axis=1).mean())


def _entropy(p: np.ndarray) -> float:
    """Mean entropy in bits."""
    p = p.astype(np.float64)
    return float(-(p * np.log2(np.maximum(p, 1e-300))).sum(1).mean())


def _ambiguous(logits: np.ndarray, labels: np.ndarray) -> int:
    """The index of an image that the teacher gets right while giving about 5 % to another class."""
    p = soften(logits)
    second = np.sort(p, axis=1)[:, -2]
    return int(np.where(p.argmax(1) == labels, np.abs(second - 0.05), np.inf).argmin())


def softer(rows) -> bool:
    """Whether the outputs of every teacher are softer, by their entropy, at every higher temperature."""
    for seed in {row["seed"] for row in rows}:
        entropies = [row["entropy"] for row in rows if row["seed"] == seed]
        if any(a >= b for a, b in zip(entropies[:-1], entropies[1:], strict=True)):
            return False
    return True


def gain_d4(rows):
    """Per seed, accuracy at CLAIMED_T minus that at 1."""
    return paired(rows, f"T = {CLAIMED_T}", "T = 1", "accuracy")


def helps_at(rows):
    """At which temperatures the interval of the gain over T = 1 is above 0."""
    gains = {T: decided(rows, paired, f"T = {T:g}", "T = 1", "accuracy") for T in _temperatures(rows) if T > 1}
    held = [f"{T:g}" for T, gain in gains.items() if gain.verdict == "supported"]
    return f"better than T = 1 at T = {', '.join(held)}" if held else "better than T = 1 at no temperature"


def d4(rows):
    """One image's soft targets at several temperatures; accuracy and the size of the gradient over the temperature."""
    first = next(row for row in rows if "image" in row)
    # Each panel of the upper row spans two columns, so that the lower row can be split in the middle.
    columns = 2 * (1 + len(first["shown"]))
    fig = figure(ncols=columns, nrows=2, width=19, height=10.5, height_ratios=(1, 1.5))
    grid = fig.axes[0].get_gridspec()
    for ax in list(fig.axes):
        ax.remove()
    _draw_softening(fig, grid, first, _mean_entropies(rows))
    _draw_accuracy(fig.add_subplot(grid[1, : columns // 2]), rows)
    _draw_gradient(fig.add_subplot(grid[1, columns // 2 :]), rows)
    return fig


def _draw_softening(fig, grid, first, mean_entropies):
    """Draw one image and its soft targets at several temperatures into the upper row of the grid.

    mean_entropies: temperature -> the mean over images, which is written below; it may lack temperatures.
    """
    names, shown = first["classes"], first["shown"]
    image = fig.add_subplot(grid[0, :2])
    image.imshow(np.array(first["image"]).squeeze(), cmap="gray_r")
    image.set_axis_off()
    image.set_title("an image")
    words = "black: its class\nbelow: average over\nthe student's images"
    image.text(0.5, -0.06, words, transform=image.transAxes, ha="center", va="top", fontsize=15)
    for i, (T, p) in enumerate(shown.items(), 1):
        ax = fig.add_subplot(grid[0, 2 * i : 2 * i + 2])
        colors = [COLORS["claim" if c != np.argmax(p) else "reference"] for c in range(len(p))]
        ax.bar(range(len(p)), 100 * np.array(p), color=colors)
        ax.set_xticks(range(len(p)), names if max(map(len, names)) < 3 else [""] * len(p), fontsize=13)
        ax.set(ylim=(0, 100))
        percent_axis(ax.yaxis, 100)
        ax.set_title(f"T = {T}: {_entropy(np.array([p])):.2g} bits")
        if int(T) in mean_entropies:
            ax.set_xlabel(f"on average {mean_entropies[int(T)]:.2g} bits", fontsize=15)


def _draw_accuracy(ax, rows):
    """Draw accuracy over temperature, with the limit of infinite temperature as a last, separate point."""
    finite = _temperatures(rows)
    curve_with_band(ax, finite, _by_temperature(rows, "accuracy", finite), "", COLORS["claim"], marker="o")
    mean, low, high = (float(v[0]) for v in seed_band(np.array(_by_temperature(rows, "accuracy", [None]))))
    limit = 2.5 * max(finite)
    spread = None if np.isnan(low) else [[mean - low], [high - mean]]
    ax.errorbar([limit], [mean], spread, color=COLORS["claim"], marker="o", capsize=5)
    ax.set_xscale("log", base=2)
    ax.set_xticks([*finite, limit], [*(f"{T:g}" for T in finite), "∞: logits\nmatched"])
    ax.minorticks_off()
    ax.set(xlabel="temperature T", ylabel="test accuracy of the student")
    percent_axis(ax.yaxis, 100)
    ax.set_title("a student trained on soft targets alone")


def _draw_gradient(ax, rows):
    """Draw the gradient's size over temperature, with and without the factor T² in the loss."""
    finite = _temperatures(rows)
    for key, label, role in (("gradient", "with T²", "claim"), ("gradient_without_T2", "without T²", "rival")):
        curve_with_band(ax, finite, _by_temperature(rows, key, finite), label, COLORS[role], marker="o")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(finite, [f"{T:g}" for T in finite])
    ax.minorticks_off()
    ax.set(xlabel="temperature T", ylabel="gradient norm per example, untrained net")
    ax.set_title("the gradient, with and without T² in the loss")


def _mean_entropies(rows) -> dict[float, float]:
    """Temperature -> entropy of the teacher's outputs in bits, mean over the student's images and the seeds."""
    finite = _temperatures(rows)
    return dict(zip(finite, np.mean(_by_temperature(rows, "entropy", finite), axis=0), strict=True))


def _temperatures(rows) -> list[float]:
    return sorted({row["temperature"] for row in rows if row["temperature"] is not None})


def _by_temperature(rows, key, temperatures) -> list[list[float]]:
    """Values of `key`, one list per seed, one value per temperature; None is the limit."""
    found = {(row["seed"], row["temperature"]): row[key] for row in rows}
    return [[found[seed, T] for T in temperatures] for seed in sorted({row["seed"] for row in rows})]


CLAIM = Claim(
    id="D4",
    chapter="distillation",
    title="A temperature softens the teacher's outputs",
    tasks=first_seed_drawn,
    measure=measure_d4,
    plans=PLANS,
    rests_on=(learns(temperature=(1, CLAIMED_T)),),
    effects=(
        Effect(name="the teacher's outputs are softer at every higher temperature", of=softer, decides=("N17",)),
        Effect(
            name=f"test accuracy of the student, at T = {CLAIMED_T} minus at T = 1",
            of=gain_d4,
            unit="points",
            decides=("N17",),
            holds=helps_at,
        ),
    ),
    figure=d4,
    note="The student learns from soft targets alone; each temperature picks its learning rate on validation data. The "
    "bits are the entropy of the teacher's outputs, 3.3 if all ten classes are equally likely. The teacher is less sure of the "
    "image shown than of most; the average over the student's images stands below. The closer it is to 0, the more these "
    "outputs are labels again. The factor T² in the loss, the Kullback-Leibler divergence of the softened outputs, makes up for "
    "gradients that shrink with 1/T². The last point, ∞, is the limit: the student matches the teacher's logits.",
    source="Hinton et al. 2015, sections 2 and 3",
)
