"""Building a Huffman tree (30 minutes, 6 points).

Quantized weights are few different symbols, some of which are frequent. A code is shortest on average if frequent symbols get
short codes, and Huffman (1952) found the best one: as long as there are several trees, join the two lightest. At first each
symbol that occurs is a tree of its own, as heavy as it is frequent; a joined tree is as heavy as both of its parts. In the
end the length of a symbol's code is its depth in the tree. (Given the lengths alone, the codes follow, and a file only stores
the lengths.)

    symbol   A  B  C  D
    count    5  2  1  1      join C and D (2), then B and CD (4), then A and BCD (9): the lengths are 1, 2, 3, 3,
                             and the message takes 5 * 1 + 2 * 2 + 1 * 3 + 1 * 3 = 15 bits

No code needs fewer bits per symbol, on average, than the entropy H = -sum p log2 p (Shannon 1948), and Huffman's needs less
than H + 1. That one bit is a lot if 95 % of the weights are zeros: H is below 0.3 then, but a symbol takes at least a whole
bit. So one joins two weights to one symbol, and codes the pairs.
"""

import numpy as np


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """The lengths of Huffman's codes, int64 (symbols,).

    counts: (symbols,), integers from 0 to 10**15. A symbol with the count 0 has no code, and the length 0. If only one symbol
    occurs, its length is 1. Where several trees are equally light, any of them may be joined.
    """
    ### BEGIN SOLUTION
    trees = [(int(n), [symbol]) for symbol, n in enumerate(counts) if n]
    lengths = np.zeros(len(counts), np.int64)
    if len(trees) == 1:
        lengths[trees[0][1]] = 1
    while len(trees) > 1:
        trees.sort(key=lambda tree: tree[0], reverse=True)
        (n, some), (m, others) = trees.pop(), trees.pop()
        lengths[some + others] += 1
        trees.append((n + m, some + others))
    return lengths
    ### END SOLUTION


def entropy(counts: np.ndarray) -> float:
    """H in bits per symbol; 0 * log2 0 counts as 0. At least one count is not 0."""
    ### BEGIN SOLUTION
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())
    ### END SOLUTION


def pair_counts(symbols: np.ndarray, alphabet: int) -> np.ndarray:
    """How often each pair occurs when the symbols are read two by two, int64 (alphabet**2,).

    symbols: (count,), integers from 0 to alphabet - 1, of any integer dtype. The pair (a, b) has the number
    a * alphabet + b. If a last symbol is left over, its partner is the symbol 0.
    """
    ### BEGIN SOLUTION
    filled = np.append(symbols.astype(np.int64), np.zeros(len(symbols) % 2, np.int64))
    return np.bincount(filled[::2] * alphabet + filled[1::2], minlength=alphabet**2)
    ### END SOLUTION
