"""# Bits per weight with your code

The weights of a net that was trained on the UCI digits are quantized to 3 to 8 bits. The lecture's `code_lengths` finds the
length of each integer's code. Your functions make the codes, encode all weights, and decode them. Dashed: the entropy, which
no code can beat. Dotted: the bits of plain integers.

Look for the distance to the dashed line: a code spends whole bits on each symbol, so that it loses most where there
are few symbols, and never a whole bit.
"""

import numpy as np

import tinycompress as tc
from tinycompress.quantization.coding.as_text import entropy
from tinycompress.quantization.coding.huffman import code_lengths
from tinycompress.workshop import style

BITS = (3, 4, 5, 6, 8)


def measure(exercise):
    """Bits per weight for each grid: of your bytes, and the entropy. A grid whose weights are not recovered gets 0 bits."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (32,), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=10, rng=rng, progress=False)
    weight = next(iter(net.parameters())).data.ravel()
    found = {"yours": [], "entropy": []}
    for bits in BITS:
        most = 2 ** (bits - 1) - 1
        symbols = (np.rint(weight / np.abs(weight).max() * most) + most).astype(np.int64)
        counts = np.bincount(symbols, minlength=2 * most + 1)
        codes = exercise.canonical_codes(code_lengths(counts).astype(np.int64))
        packed = exercise.encode(symbols, codes)
        same = np.array_equal(exercise.decode(packed, codes, len(symbols)), symbols)
        found["yours"].append(8 * len(packed) / len(symbols) * same)
        found["entropy"].append(entropy(counts))
    return found


def draw(yours, reference):
    """Plot bits stored over bits of the grid."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(BITS, BITS, ":", color="0.6", label="plain integers")
        ax.plot(BITS, reference["entropy"], "--", color="0.6", label="entropy")
        ax.plot(BITS, reference["yours"], color="0.2", lw=6, alpha=0.3, label="the solution's code")
        ax.plot(BITS, yours["yours"], "o-", label="your code")
        ax.set(xlabel="bits of the grid", ylabel="bits stored per weight", xticks=BITS, ylim=(0, None))
        ax.legend()
    return fig
