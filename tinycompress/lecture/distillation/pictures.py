"""Pictures of chapter 2: a teacher's soft targets at a temperature, and students' recall of a class they never saw."""

import numpy as np

from ...quantization import entropy
from ...workshop.style import COLORS, applied, figure, percent_axis
from .nets import soften


@applied()
def soft_targets(image: np.ndarray, logits: np.ndarray, label: int, classes: tuple[str, ...], temperature: float):
    """One image (H, W, 1), and the teacher's logits (classes,) as probabilities at a temperature; the label in black."""
    fig = figure(ncols=2, width=12, height=4.6, width_ratios=(1, 2.4))
    left, right = fig.axes
    left.imshow(image.squeeze(-1), cmap="gray_r")
    left.set_axis_off()
    left.set_title(f"label: {classes[label]}")
    p = soften(logits, temperature)
    bars = right.bar(range(len(p)), p, color=[COLORS["reference" if c == label else "claim"] for c in range(len(p))])
    right.bar_label(bars, [f"{100 * share:.2g}" if share > 0.005 else "" for share in p], fontsize=14, padding=2)
    right.set_xticks(range(len(p)), classes)
    right.set(xlabel="class", ylabel="probability", ylim=(0, 1.12))
    percent_axis(right.yaxis)
    right.set_title(f"softmax(logits / T) at T = {temperature:g}: {entropy(p):.2f} bits of {np.log2(len(p)):.2f}")
    return fig


@applied()
def recalls(by_student: dict[str, np.ndarray], classes: tuple[str, ...], unseen: int):
    """The recall of each class, by student: student -> (classes,), 0 to 1. unseen: the class that they never saw."""
    fig = figure(width=13, height=5)
    (ax,) = fig.axes
    width = 0.8 / len(by_student)
    ax.axvspan(unseen - 0.5, unseen + 0.5, color="#EEEEEE", zorder=0)
    roles = ("rival", "more", "claim", "last")
    for i, ((student, shares), role) in enumerate(zip(by_student.items(), roles, strict=False)):
        places = np.arange(len(classes)) + width * (i - (len(by_student) - 1) / 2)
        ax.bar(places, shares, width, color=COLORS[role], label=student)
    ax.set_xticks(range(len(classes)), classes)
    ax.set(xlabel="class", ylabel="recall on test images", ylim=(0, 1.35))
    ax.set_yticks(np.linspace(0, 1, 6))
    percent_axis(ax.yaxis)
    ax.legend(loc="upper left", ncols=2)
    ax.set_title(f"Students that never saw a {classes[unseen]} (grey)")
    return fig
