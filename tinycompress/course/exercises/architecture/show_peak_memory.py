"""# Which step needs the memory

Nets with eight random branches each are run in the order in which they are written, and in your best order. Each point is a
net: its peak as written, and what your order makes of it.

Look for the points below the diagonal. Nothing about these nets was changed, neither a weight nor a multiplication, and some
need a third less memory. No point should lie above the grey one of the solution.
"""

import numpy as np

from tinycompress.workshop import style


def measure(exercise):
    """The peak of 12 nets as written and in the best order, in KiB."""
    rng = np.random.default_rng(0)
    found = {"written": [], "best": []}
    for _net in range(12):
        sizes = rng.integers(1, 64, 7).tolist()
        reads = [[], [0], [0], [0], [1], [2, 3], [4, 5]]
        order = [0, *exercise.best_order(sizes, reads)]
        place = {int(step): at for at, step in enumerate(order)}
        moved = [[place[t] for t in reads[step]] for step in order]
        found["written"].append(exercise.peak(sizes, reads))
        found["best"].append(exercise.peak([sizes[step] for step in order], moved))
    return found


def draw(yours, reference):
    """Plot the peak in the best order over that in the given one."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        top = 1.1 * max(reference["written"])
        ax.plot([0, top], [0, top], "--", color="0.6", label="as written")
        ax.plot(
            reference["written"], reference["best"], "o", ms=14, color="0.2", alpha=0.25, label="the solution's order"
        )
        ax.plot(yours["written"], yours["best"], "o", label="your order")
        ax.set(
            xlabel="peak in the order as written (KiB)",
            ylabel="peak in the best order (KiB)",
            xlim=(0, top),
            ylim=(0, top),
        )
        ax.legend(loc="upper left")
    return fig
