"""# How many teachers?

Eight small nets were trained on the UCI digits from different random starts. Your two functions average the first 1, 2, … of
them. How large is the cross-entropy of the average with the validation labels? Solid: arithmetic. Dashed: geometric.

Look for how much the second and third teacher gain, how little those after them, and which of the two lines is lower.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

TEACHERS = 8


def measure(exercise):
    """Validation cross-entropy in nats of the first 1, 2, … teachers, for both averages."""
    data = tc.data.load("digits")
    logits = []
    for seed in range(TEACHERS):
        rng = np.random.default_rng(seed)
        net = tc.models.mlp(data.image_shape, (12,), data.num_classes, rng=rng)
        sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        tc.fit(net, data.train, optimizer=sgd, epochs=10, rng=rng, progress=False)
        logits.append(tc.predict(net, data.x_val).astype(float))
    logits, rows = np.array(logits), np.arange(len(data.y_val))
    return {
        name: [-float(average(logits[:n], 1.0)[rows, data.y_val].mean()) for n in range(1, TEACHERS + 1)]
        for name, average in (("arithmetic", exercise.arithmetic), ("geometric", exercise.geometric))
    }


def draw(yours, reference):
    """Plot cross-entropy over the number of teachers."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        teachers = range(1, TEACHERS + 1)
        for name, line in ("arithmetic", "o-"), ("geometric", "s--"):
            ax.plot(teachers, reference[name], color="0.2", lw=8, alpha=0.3)
            ax.plot(teachers, yours[name], line, label=f"your {name} mean (the solution is grey)")
        ax.set(xlabel="teachers", ylabel="validation cross-entropy (nats)", xticks=list(teachers))
        ax.legend()
    return fig
