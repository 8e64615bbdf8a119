"""# Labels, classes, probabilities

Three students of eight hidden neurons learn from 50 to 800 examples of six classes that overlap: your `distil` with the
teacher's logits, the same with logits so large that only the most likely class is left, and with the labels as such logits.
Dashed: the teacher, which is as good as one can be.

Look for how few examples suffice with the probabilities: each says how near all six classes are. Labels need many times as
many to say the same.
"""

import numpy as np

from tinycompress.workshop import style

COUNTS = (50, 100, 200, 400, 800)


def measure(exercise):
    """Accuracy in percent on new examples, mean of three problems, for each kind of target and number of examples."""
    found = {"probabilities": [], "classes": [], "labels": [], "teacher": []}
    for count in COUNTS:
        sums = dict.fromkeys(found, 0.0)
        for seed in range(3):
            rng = np.random.default_rng(seed)
            centres = 0.5 * rng.normal(size=(6, 16))
            labels, new = rng.integers(0, 6, count), rng.integers(0, 6, 4000)
            x, images = (centres[y] + rng.normal(size=(len(y), 16)) for y in (labels, new))
            teacher = logits(x, centres)
            targets = {
                "probabilities": teacher,
                "classes": 1000 * np.eye(6)[teacher.argmax(1)],
                "labels": 1000 * np.eye(6)[labels],
            }
            for name, target in targets.items():
                net = exercise.distil(x, target, 8, seed)
                sums[name] += float((exercise.predict(net, images).argmax(1) == new).mean())
            sums["teacher"] += float((logits(images, centres).argmax(1) == new).mean())
        for name in found:
            found[name].append(100 * sums[name] / 3)
    return found


def logits(x, centres):
    return -0.5 * ((x[:, None] - centres) ** 2).sum(2)


def draw(yours, reference):
    """Plot accuracy over the number of examples."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(COUNTS, reference["teacher"], "--", color="0.6", label="the teacher")
        for name in "probabilities", "classes", "labels":
            ax.plot(COUNTS, reference[name], color="0.2", lw=6, alpha=0.2)
            ax.plot(COUNTS, yours[name], "o-", label=f"your student of {name}")
        ax.set(xlabel="examples", ylabel="accuracy on new examples (%)", xscale="log", xticks=COUNTS)
        ax.set_xticklabels(COUNTS)
        ax.minorticks_off()
        ax.legend(loc="lower right")
    return fig
