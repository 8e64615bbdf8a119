"""# Bits for a weight that is mostly zeros

Weights are drawn from 8 symbols, of which the zero becomes ever more frequent. Your code takes so many bits per weight:
symbol by symbol, and pair by pair. Dashed: the entropy, below which no code gets.

Look for the floor at one bit, which codes of single symbols cannot fall below, and for where the pairs go on. In a pruned net
of 95 % zeros they need three fifths as much.
"""

import numpy as np

from tinycompress.workshop import style

ZEROS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98)


def measure(exercise):
    """Bits per weight of the code of symbols, of the code of pairs, and the entropy, for each share of zeros."""
    rng = np.random.default_rng(0)
    found = {"symbols": [], "pairs": [], "entropy": []}
    for share in ZEROS:
        p = np.append(share, np.full(7, (1 - share) / 7))
        weights = rng.choice(8, 40000, p=p)
        counts, pairs = np.bincount(weights, minlength=8), exercise.pair_counts(weights, 8)
        found["symbols"].append(float(exercise.code_lengths(counts) @ counts / len(weights)))
        found["pairs"].append(float(exercise.code_lengths(pairs) @ pairs / len(weights)))
        found["entropy"].append(exercise.entropy(counts))
    return found


def draw(yours, reference):
    """Plot bits per weight over the share of zeros."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        zeros = 100 * np.array(ZEROS)
        ax.plot(zeros, reference["entropy"], "--", color="0.6", label="entropy")
        for name in "symbols", "pairs":
            ax.plot(zeros, reference[name], color="0.2", lw=6, alpha=0.3)
            ax.plot(zeros, yours[name], "o-", label=f"your code of {name}")
        ax.set(xlabel="zeros (%)", ylabel="bits per weight", ylim=(0, None))
        ax.legend()
    return fig
