"""# A million bits

Your `decode` reads messages of a hundred to 300,000 symbols; so does the loop of the statement. Both axes are logarithmic.

Look for two things: far to the right, the distance of the lines is what compiling is worth. On the left your line is flat,
since a call costs some microseconds however little there is to do.
"""

import timeit

import numpy as np

from tinycompress.workshop import style

COUNTS = (100, 1000, 10_000, 100_000, 300_000)
LENGTHS = np.array([1, 2, 3, 4, 5, 5])
TREE = (0, (1, (2, (3, (4, 5)))))
CODES = ("0", "10", "110", "1110", "11110", "11111")


def measure(exercise):
    """Milliseconds, the fastest of three, for your decoder and for the loop, for each number of symbols."""
    rng = np.random.default_rng(0)
    tables = exercise.tables(LENGTHS)
    found = {"yours": [], "loop": []}
    for count in COUNTS:
        symbols = rng.choice(6, count, p=2.0**-LENGTHS)
        bits = "".join(CODES[s] for s in symbols)
        packed = np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0"))
        found["yours"].append(fastest(lambda p=packed, n=count: exercise.decode(p, *tables, n)))
        found["loop"].append(fastest(lambda p=packed, n=count: in_a_loop(p, n)))
    return found


def in_a_loop(packed, count):
    found, node = [], TREE
    for place in range(8 * len(packed)):
        if len(found) == count:
            break
        node = node[int(packed[place // 8]) >> (7 - place % 8) & 1]
        if isinstance(node, int):
            found.append(node)
            node = TREE
    return found


def fastest(work):
    return 1000 * min(timeit.repeat(work, number=1, repeat=3))


def draw(yours, reference):
    """Plot milliseconds over the number of symbols."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.plot(COUNTS, yours["loop"], "s-", color="0.5", label="the loop")
        ax.plot(COUNTS, yours["yours"], "o-", label="your decoder")
        ax.set(xlabel="symbols", ylabel="ms", xscale="log", yscale="log")
        ax.legend()
    return fig
