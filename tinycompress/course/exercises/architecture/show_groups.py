"""# Where information goes

Three grouped layers follow each other, with 24 channels in 4 groups. A dot says that an output channel (row) depends on an
input channel (column). Left: without shuffles. Right: with your shuffle between the layers.

Look for the blocks on the left: whatever happens in one group stays there, however many layers follow. On the right every
output sees every input.
"""

import numpy as np

from tinycompress.workshop import style

CHANNELS, GROUPS = 24, 4


def measure(exercise):
    """Which outputs depend on which inputs, without and with the shuffle, and how wide a layer of 4608 weights can be."""
    weight = np.ones((GROUPS, CHANNELS // GROUPS, CHANNELS // GROUPS))
    found = {}
    for name in "without", "with":
        x = np.eye(CHANNELS).reshape(CHANNELS, 1, 1, CHANNELS)
        for layer in range(3):
            x = exercise.grouped(x, weight)
            if name == "with" and layer < 2:
                x = exercise.shuffled(x, GROUPS)
        found[name] = (x.reshape(CHANNELS, CHANNELS).T > 0).astype(int).tolist()
    found["widths"] = [exercise.widest(4608, groups) for groups in (1, 2, 4, 8)]
    return found


def draw(yours, reference):
    """Plot both dependences, and name the widths that a budget allows."""
    with style.applied():
        fig = style.figure(2)
        for ax, name in zip(fig.axes, ("without", "with"), strict=True):
            ax.imshow(np.array(yours[name]), cmap="Blues", vmin=0, vmax=1)
            ax.set(xlabel="input channel", ylabel="output channel", title=f"{name} your shuffle")
            ax.grid(False)
        widths = ", ".join(f"{c} in {g}" for c, g in zip(yours["widths"], (1, 2, 4, 8), strict=True))
        fig.supxlabel(f"channels that 4608 weights allow, in groups: {widths}", fontsize="medium")
    return fig
