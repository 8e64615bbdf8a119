"""# A layer in ever fewer bytes

A layer of 64 x 48 normal weights goes through your whole chain, with several shares removed and several numbers of values.
Each point is a file that you wrote and read again: its bytes, and the squared error of what came back.

Look for which line is lowest at which size. With few bytes it pays to remove half of the weights; with many, to keep them all.
Removing 90 % costs more than it saves, unless the net is trained further: that is why pruning comes with training.
"""

import numpy as np

from tinycompress.workshop import style

SHARES, VALUES = (0.0, 0.5, 0.7, 0.9), (3, 5, 9, 17, 33)


def measure(exercise):
    """Bytes and squared error in percent, for each share that is removed and each number of values."""
    weight = np.random.default_rng(0).normal(size=(64, 48)).astype(np.float32)
    found = {"bytes": [], "error": []}
    for share in SHARES:
        pruned = exercise.prune(weight, share)
        sizes, errors = [], []
        for k in VALUES:
            file = exercise.write(*exercise.cluster(pruned, k))
            sizes.append(len(file))
            errors.append(float(100 * ((exercise.read(file) - weight) ** 2).sum() / (weight**2).sum()))
        found["bytes"].append(sizes)
        found["error"].append(errors)
    return found


def draw(yours, reference):
    """Plot the error over the bytes, one line per share removed."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        for i, share in enumerate(SHARES):
            ax.plot(reference["bytes"][i], reference["error"][i], color="0.2", lw=7, alpha=0.2)
            ax.plot(yours["bytes"][i], yours["error"][i], "o-", label=f"{100 * share:.0f} % removed")
        ax.axvline(64 * 48 * 4, color="0.6", ls="--", label="float32")
        ax.set(xlabel="bytes of the file", ylabel="squared error (%)", xscale="log")
        ax.legend()
    return fig
