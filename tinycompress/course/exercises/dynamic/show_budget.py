"""# Mixtures within a budget

Five nets of increasing width were trained on the UCI digits and measured on validation images. For every budget of
multiply-accumulates, your `hull` and `mixture` decide how many images go to which net. The plot shows the expected accuracy.
Dashed: the best single net within the budget, a staircase. A mixture needs no further training, and fills in the steps.

Look for the corners of your line, which are nets of the hull; a net below the line is of no use at any budget.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

WIDTHS = (5, 6, 8, 16, 32)


def measure(exercise):
    """The table, and for each budget the expected accuracy in percent of your mixture and of the best single net."""
    data = tc.data.load("digits")
    costs, accuracies = [], []
    for width in WIDTHS:
        rng = np.random.default_rng(0)
        net = tc.models.mlp(data.image_shape, (width,), data.num_classes, rng=rng)
        sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        tc.fit(net, data.train, optimizer=sgd, epochs=20, rng=rng, progress=False)
        costs.append(float(net.summary().macs))
        accuracies.append(100 * tc.evaluate(net, data.val).accuracy)
    costs, accuracies = np.array(costs), np.array(accuracies)
    corners = list(exercise.hull(costs, accuracies))
    budgets = np.linspace(costs.min(), costs.max(), 60)
    found = {"costs": costs.tolist(), "accuracies": accuracies.tolist(), "budgets": budgets.tolist()}
    found["mixed"] = [float(exercise.mixture(costs, accuracies, corners, b) @ accuracies) for b in budgets]
    found["single"] = [float(accuracies[costs <= b].max()) for b in budgets]
    return found


def draw(yours, reference):
    """Plot accuracy over budget."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(reference["budgets"], reference["single"], "--", color="0.6", label="the best single net")
        ax.plot(reference["budgets"], reference["mixed"], color="0.2", lw=7, alpha=0.3, label="the solution's mixtures")
        ax.plot(yours["budgets"], yours["mixed"], label="your mixtures")
        ax.plot(reference["costs"], reference["accuracies"], "o", color="0.3", label="the nets")
        ax.set(xlabel="budget (MACs per image)", ylabel="validation accuracy (%)")
        ax.legend()
    return fig
