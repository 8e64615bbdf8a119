"""# A digit that the student never saw

A student learns the outputs of a teacher for the UCI digits, at T = 2, from images without a single 3. Your `shift` corrects
it by the frequency of 3s that the teacher finds on validation images without labels. What share of each digit does the
student recognise before the correction (hollow) and after it (full)?

Look for the unseen digit, which a single number brings back, and what this costs the other digits.
"""

from dataclasses import replace

import numpy as np

import tinycompress as tc
from tinycompress.distillation import DistillationLoss, teacher_targets, without_classes
from tinycompress.workshop import style

UNSEEN, T = 3, 2.0


def measure(exercise):
    """The recall of each digit in percent, before and after the correction."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    teacher = tc.models.mlp(data.image_shape, (128, 64), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(teacher.parameters(), lr=0.05, momentum=0.9)
    tc.fit(teacher, data.train, optimizer=sgd, epochs=20, rng=rng, progress=False)
    x, y = without_classes(data.train, [UNSEEN])
    student = tc.models.mlp(data.image_shape, (30,), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)
    seen = replace(data, x_train=x, y_train=teacher_targets(teacher, x, y)).train
    tc.fit(student, seen, optimizer=sgd, epochs=30, rng=rng, loss=DistillationLoss(T, 1), progress=False)
    p = tc.functional.softmax(tc.Tensor(tc.predict(teacher, data.x_val).astype(float))).data
    frequency = float(p[:, UNSEEN].mean())
    logits = tc.predict(student, data.x_val).astype(float)
    b = exercise.shift(logits, UNSEEN, frequency)
    corrected = logits + b * (np.arange(data.num_classes) == UNSEEN)
    recalls = [exercise.recalls(z, data.y_val) for z in (logits, corrected)]
    return {"before": (100 * recalls[0]).tolist(), "after": (100 * recalls[1]).tolist(), "shift": float(b)}


def draw(yours, reference):
    """Plot recall by digit."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        digits = np.arange(len(reference["after"]))
        ax.bar(digits, reference["after"], width=0.8, color="0.2", alpha=0.25, label="the solution, after")
        ax.plot(digits, yours["before"], "o", mfc="none", ms=9, label="before the correction")
        ax.plot(digits, yours["after"], "o", ms=7, label=f"after your shift of {yours['shift']:.1f}")
        ax.set(xlabel=f"digit (no {UNSEEN} was shown)", ylabel="recognised (%)", xticks=digits, ylim=(-4, 140))
        ax.set_yticks(range(0, 101, 20))
        ax.legend(loc="upper center", ncols=2)
    return fig
