"""Your own message.

    symbols = numpy.minimum(numpy.random.default_rng({seed}).geometric({percent} / 100, size={count}), {alphabet}) - 1

are the indices of {count} clustered weights, from 0 to {alphabet} - 1. Read them two by two, and code the pairs: by `pair_counts`
and `code_lengths`, how many bits does the message take in all, without the code itself?
"""

import numpy as np

POINTS = 2
NUMBERS = {
    "count": range(3000, 9000),
    "alphabet": (5, 6, 7, 8, 9, 10),
    "seed": range(1000, 10_000),
    "percent": range(40, 90),
}


def answer(exercise, count, alphabet, seed, percent):
    """An exact whole number: all of Huffman's codes for the same counts take equally many bits."""
    symbols = np.minimum(np.random.default_rng(seed).geometric(percent / 100, size=count), alphabet) - 1
    counts = exercise.pair_counts(symbols, alphabet)
    return int((counts * exercise.code_lengths(counts)).sum())
