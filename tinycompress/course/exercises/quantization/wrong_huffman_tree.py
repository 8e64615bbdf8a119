"""Plausible wrong answers to huffman_tree, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


def _joined(trees, symbols, pick):
    """Join trees, as chosen by `pick`, until one is left."""
    lengths = np.zeros(symbols, np.int64)
    while len(trees) > 1:
        (n, some), (m, others) = pick(trees)
        lengths[some + others] += 1
        trees.append((n + m, some + others))
    return lengths


def _lightest(trees):
    trees.sort(key=lambda tree: tree[0], reverse=True)
    return trees.pop(), trees.pop()


@wrong("code_lengths", points=3.3, why="sorts once, and always joins the tree it has with the next symbol")
def comb(counts):
    trees = sorted(((int(n), [s]) for s, n in enumerate(counts) if n), reverse=True)
    lengths = _joined(trees, len(counts), lambda trees: (trees.pop(), trees.pop()))
    return lengths if np.count_nonzero(counts) != 1 else (counts > 0).astype(np.int64)


@wrong("code_lengths", points=3.1, why="gives all symbols codes of equal length")
def fixed(counts):
    used = np.count_nonzero(counts)
    return np.where(counts > 0, max(1, int(np.ceil(np.log2(max(1, used))))), 0)


@wrong("code_lengths", points=3.1, why="rounds the ideal length -log2 p up, as Shannon did")
def shannon(counts):
    with np.errstate(divide="ignore", invalid="ignore"):
        ideal = np.ceil(-np.log2(counts / counts.sum()))
    return np.where(counts > 0, np.maximum(ideal, 1), 0).astype(np.int64)


@wrong("code_lengths", points=5.3, why="builds trees of symbols that do not occur, too")
def with_absent_symbols(counts):
    if np.count_nonzero(counts) <= 1:
        return (counts > 0).astype(np.int64)
    return _joined([(int(n), [s]) for s, n in enumerate(counts)], len(counts), _lightest)


@wrong("code_lengths", points=5.5, why="gives a single symbol a code of no bits")
def nothing_to_join(counts):
    return _joined([(int(n), [s]) for s, n in enumerate(counts) if n], len(counts), _lightest)


@wrong("code_lengths", points=4, why="counts in float32, which is exact only up to 2**24")
def in_float32(counts):
    if np.count_nonzero(counts) <= 1:
        return (counts > 0).astype(np.int64)
    return _joined([(np.float32(n), [s]) for s, n in enumerate(counts) if n], len(counts), _lightest)


@wrong("entropy", points=5, why="returns nats, which are larger than bits")
def nats(counts):
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


@wrong("entropy", points=5.2, why="computes 0 * log2 0, which is NaN")
def not_a_number(counts):
    p = counts / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-(p * np.log2(p)).sum())


@wrong("entropy", points=5.2, why="adds a small number, which shows where the entropy is 0")
def about(counts):
    p = counts / counts.sum()
    return float(-(p * np.log2(p + 1e-6)).sum())


@wrong("pair_counts", points=4.4, why="counts overlapping pairs")
def overlapping(symbols, alphabet):
    symbols = symbols.astype(np.int64)
    return np.bincount(symbols[:-1] * alphabet + symbols[1:], minlength=alphabet**2)


@wrong("pair_counts", points=5, why="computes the pair's number in the dtype of the symbols")
def in_their_dtype(symbols, alphabet):
    filled = np.append(symbols, np.zeros(len(symbols) % 2, symbols.dtype))
    numbers = filled[::2] * filled.dtype.type(alphabet) + filled[1::2]
    return np.bincount(numbers.astype(np.int64) % alphabet**2, minlength=alphabet**2)


@wrong("pair_counts", points=5.6, why="drops a symbol that is left over")
def pairs_only(symbols, alphabet):
    symbols = symbols.astype(np.int64)[: len(symbols) // 2 * 2]
    return np.bincount(symbols[::2] * alphabet + symbols[1::2], minlength=alphabet**2)


@wrong("entropy", points=5.2, why="adds the counts up in 32 bits")
def total_in_32_bits(counts):
    with np.errstate(all="ignore"):
        p = counts[counts > 0] / counts.astype(np.int32).sum(dtype=np.int32)
        return float(-(p * np.log2(p)).sum())
