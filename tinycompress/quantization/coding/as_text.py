"""Huffman codes for a lecture: the code words as text, the bits per symbol, and the entropy."""

import numpy as np

from .huffman import canonical_codes, code_lengths


def entropy(counts) -> float:
    """Bits per symbol, the least that any code needs for independent symbols of these frequencies (Shannon 1948,
    theorem 9). counts: (symbols,). Raises ValueError for negative counts, or if all are 0."""
    counts = np.asarray(counts, np.float64)
    if counts.ndim != 1 or (counts < 0).any() or counts.sum() <= 0:
        raise ValueError("entropy: counts should be numbers from 0 on, (symbols,), not all of them 0")
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())


def huffman_code(counts) -> dict[int, str]:
    """The canonical Huffman code of each symbol that occurs, as text. counts: integers (symbols,).

    >>> huffman_code([5, 2, 1, 1])
    {0: '0', 1: '10', 2: '110', 3: '111'}
    """
    lengths = code_lengths(np.asarray(counts))
    codes = canonical_codes(lengths)
    return {symbol: f"{codes[symbol]:0{lengths[symbol]}b}" for symbol in np.flatnonzero(lengths).tolist()}


def huffman_bits(counts) -> float:
    """Average bits per symbol of the Huffman code. counts: integers (symbols,)."""
    counts = np.asarray(counts)
    return float(counts @ code_lengths(counts).astype(np.int64) / counts.sum())
