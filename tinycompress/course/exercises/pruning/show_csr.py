"""# Bytes and time of a sparse weight

A weight of 256 x 128 is pruned at random, to shares from a hundredth to all of it. Left: the bytes of your CSR form beside
those of the weight with its zeros. Right: the milliseconds of your `csr_matmul` for 8 examples, beside NumPy's product with
all zeros, which runs many multiplications at once.

Look for the crossing on the left, at half of the weights, where `most_values` says. On the right there is none: NumPy's product
is compiled and multiplies neighbours many at a time, so that a sparse product must be compiled, too, and the weight very
empty, before it saves time.
"""

import timeit

import numpy as np

from tinycompress.workshop import style

SHARES = (0.01, 0.03, 0.1, 0.3, 0.5, 0.75, 1.0)


def measure(exercise):
    """Bytes and the fastest of five times, in milliseconds, for each share of weights that are not zero."""
    rng = np.random.default_rng(0)
    found = {"bytes": [], "ms": [], "dense ms": []}
    x = rng.normal(size=(8, 256)).astype(np.float32)
    for share in SHARES:
        weight = (rng.normal(size=(256, 128)) * (rng.random((256, 128)) < share)).astype(np.float32)
        csr = exercise.to_csr(weight)
        found["bytes"].append(sum(part.nbytes for part in csr))
        found["ms"].append(fastest(lambda csr=csr: exercise.csr_matmul(x, *csr, 128)))
        found["dense ms"].append(fastest(lambda weight=weight: x @ weight))
    found["limit"] = exercise.most_values(256, 128, 4, 4, 8) / (256 * 128)
    return found


def fastest(work):
    return 1000 * min(timeit.repeat(work, number=1, repeat=5))


def draw(yours, reference):
    """Plot bytes and milliseconds over the share of weights that are not zero."""
    with style.applied():
        fig = style.figure(2)
        size, speed = fig.axes
        shares = 100 * np.array(SHARES)
        size.axhline(256 * 128 * 4 / 1024, color="0.6", ls="--", label="with all zeros")
        size.plot(shares, np.array(reference["bytes"]) / 1024, color="0.2", lw=6, alpha=0.3, label="the solution's CSR")
        size.plot(shares, np.array(yours["bytes"]) / 1024, "o-", label="your CSR")
        size.axvline(100 * yours["limit"], color="0.6", lw=1)
        size.set(xlabel="weights that are not zero (%)", ylabel="KiB")
        size.legend()
        speed.plot(shares, yours["dense ms"], "--", color="0.6", label="NumPy, with all zeros")
        speed.plot(shares, yours["ms"], "o-", label="your csr_matmul")
        speed.set(xlabel="weights that are not zero (%)", ylabel="ms for 8 examples", yscale="log")
        speed.legend()
    return fig
