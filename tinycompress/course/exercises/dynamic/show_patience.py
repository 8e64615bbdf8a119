"""# Patience on the digits

Eight small exits look at growing parts of the UCI digits' pixels. Each point is a patience from 1 to 8: the mean cost, in
exits run per image, and the accuracy. Dashed: always the same exit.

Look for the point that is as good as the last exit: it costs about a third less, since most images have an answer early that
does not change any more.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

EXITS = 8


def measure(exercise):
    """Accuracy in percent and mean cost for each patience, the accuracy of each exit, and how much is overthought."""
    data = tc.data.load("digits")
    x, val = (images.reshape(len(images), -1).astype(float) for images in (data.x_train, data.x_val))
    order = np.random.default_rng(0).permutation(x.shape[1])
    targets = np.eye(data.num_classes)[data.y_train]
    answers = []
    for exit_ in range(1, EXITS + 1):
        seen = order[: exit_ * x.shape[1] // EXITS]
        a = np.hstack([x[:, seen], np.ones((len(x), 1))])
        weight = np.linalg.solve(a.T @ a + 0.1 * np.eye(a.shape[1]), a.T @ targets)
        answers.append((np.hstack([val[:, seen], np.ones((len(val), 1))]) @ weight).argmax(1))
    answers, costs = np.array(answers), np.arange(1.0, EXITS + 1)
    found = {"exits": (100 * (answers == data.y_val).mean(1)).tolist(), "accuracy": [], "cost": []}
    for patience in range(1, EXITS + 1):
        left = exercise.leaving(answers, patience)
        accuracy, cost = exercise.result(answers, data.y_val, costs, left)
        found["accuracy"].append(100 * accuracy)
        found["cost"].append(cost)
    found["overthought"] = 100 * exercise.overthought(answers, data.y_val)
    return found


def draw(yours, reference):
    """Plot accuracy over the mean cost."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(np.arange(1, EXITS + 1), reference["exits"], "s--", color="0.6", label="always the same exit")
        ax.plot(reference["cost"], reference["accuracy"], color="0.2", lw=8, alpha=0.3, label="the solution's patience")
        ax.plot(yours["cost"], yours["accuracy"], "o-", label="your patience")
        ax.set(xlabel="exits run per image", ylabel="validation accuracy (%)")
        ax.set_title(f"{yours['overthought']:.1f} % of the images are overthought")
        ax.legend(loc="lower right")
    return fig
