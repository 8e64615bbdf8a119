"""# How many classes does a teacher need to name?

A teacher of 100 classes answers about 200 images. Left: the bits that are lost when your `store` keeps k of them. Right: the
bytes, beside those of all probabilities.

Look for how steeply the loss falls: ten of a hundred classes say nearly all that the teacher knows, in a tenth of the bytes.
With k = 1 that is not so; a single class says little more than a label does.
"""

import numpy as np

from tinycompress.workshop import style

KEPT = (1, 2, 3, 5, 10, 20, 50, 100)


def measure(exercise):
    """Bits lost and bytes stored for each number of classes that are kept."""
    p = np.exp(3 * np.random.default_rng(0).normal(size=(200, 100)))
    p = p / p.sum(1, keepdims=True)
    found = {"bits": [], "bytes": []}
    for k in KEPT:
        q = np.maximum(exercise.restore(*exercise.store(p, k), 100), 1e-9)
        found["bits"].append(exercise.lost_bits(p, q))
        found["bytes"].append(exercise.stored_bytes(200, 100, k)[1])
    found["all"] = exercise.stored_bytes(200, 100, 1)[0]
    return found


def draw(yours, reference):
    """Plot lost bits and bytes over the number of classes kept."""
    with style.applied():
        fig = style.figure(2)
        bits, size = fig.axes
        bits.plot(KEPT, reference["bits"], color="0.2", lw=8, alpha=0.3, label="the solution")
        bits.plot(KEPT, yours["bits"], "o-", label="yours")
        bits.set(xlabel="classes kept", ylabel="bits lost per image", xscale="log")
        bits.legend()
        size.axhline(yours["all"] / 1024, color="0.6", ls="--", label="all probabilities")
        size.plot(KEPT, np.array(yours["bytes"]) / 1024, "o-", label="stored")
        size.set(xlabel="classes kept", ylabel="KiB for 200 images", xscale="log")
        size.legend()
    return fig
