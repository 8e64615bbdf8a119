"""# Signs that learn

One layer of binary weights is trained on the UCI digits by your `step`. Left: the validation accuracy of the binary layer.
Right: how many of the 640 signs differ from those at the start.

Look for the first fifty steps: no weight can change by a little, and still the accuracy rises from step to step, because the
latent weights of different sizes reach 0 one after another.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

STEPS = 200


def measure(exercise):
    """Validation accuracy in percent, and the number of changed signs, every tenth step."""
    data = tc.data.load("digits")
    x, val = (images.reshape(len(images), -1).astype(float) for images in (data.x_train, data.x_val))
    rng = np.random.default_rng(0)
    latent = first = 0.1 * rng.normal(size=(x.shape[1], data.num_classes))
    bias = np.zeros(data.num_classes)
    found = {"accuracy": [], "changed": []}
    for number in range(STEPS + 1):
        if number % 10 == 0:
            right = (val @ exercise.binarize(latent) + bias).argmax(1) == data.y_val
            found["accuracy"].append(100 * float(right.mean()))
            found["changed"].append(int(((latent >= 0) != (first >= 0)).sum()))
        latent, bias = exercise.step(latent, bias, x, data.y_train, 0.1)
    return found


def draw(yours, reference):
    """Plot both over the steps."""
    with style.applied():
        fig = style.figure(2)
        steps = 10 * np.arange(STEPS // 10 + 1)
        for ax, name, label in zip(
            fig.axes, ("accuracy", "changed"), ("validation accuracy (%)", "changed signs"), strict=True
        ):
            ax.plot(steps, reference[name], color="0.2", lw=8, alpha=0.3, label="the solution's steps")
            ax.plot(steps, yours[name], "o-", label="your steps")
            ax.set(xlabel="steps", ylabel=label, ylim=(0, None))
            ax.legend(loc="lower right")
    return fig
