"""# Cascades within a budget

Four nets of increasing width were trained on the UCI digits. On validation images, your `best_subset` chooses which of them to
ask for each budget of multiply-accumulates. Dashed: the best single net within the budget. The cascade is never worse,
because a single net is one of the choices.

Look for budgets at which a cascade is more accurate than every single net that fits.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

WIDTHS = (6, 12, 20, 64)
BUDGETS = (450, 600, 800, 1000, 1200, 1500, 2000, 3000, 5000)  # MACs per image


def measure(exercise):
    """Validation accuracy in percent for each budget: of your choice, and of the best single net."""
    data = tc.data.load("digits")
    costs, logits = [], []
    for width in WIDTHS:
        rng = np.random.default_rng(0)
        net = tc.models.mlp(data.image_shape, (width,), data.num_classes, rng=rng)
        sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        tc.fit(net, data.train, optimizer=sgd, epochs=20, rng=rng, progress=False)
        costs.append(float(net.summary().macs))
        logits.append(tc.predict(net, data.val[0]).astype(float))
    costs, logits = np.array(costs), np.array(logits)
    correct = logits.argmax(2) == data.val[1]
    confidences = 1 / np.exp(logits - logits.max(2, keepdims=True)).sum(2)
    found = {"cascade": [], "single": []}
    for budget in BUDGETS:
        nets = list(exercise.best_subset(costs, confidences, correct, 0.9, budget))
        exits = exercise.leaving(confidences[nets], np.full(len(nets) - 1, 0.9))
        found["cascade"].append(100 * float(correct[nets][exits, np.arange(len(exits))].mean()))
        found["single"].append(100 * float(max(correct[i].mean() for i in range(4) if costs[i] <= budget)))
    return found


def draw(yours, reference):
    """Plot accuracy over budget."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(BUDGETS, reference["single"], "--", color="0.6", label="the best single net")
        ax.plot(BUDGETS, reference["cascade"], color="0.2", lw=7, alpha=0.3, label="the solution's cascade")
        ax.plot(BUDGETS, yours["cascade"], "o-", label="your cascade")
        ax.set(xlabel="budget (MACs per image)", ylabel="validation accuracy (%)")
        ax.legend()
    return fig
