"""Clustered weights times a vector: each weight is one of 16 numbers, and takes the four bits of its number's index.

    y[o] = sum over i of x[i] * codebook[code[i, o]]           code (in, out), 0 .. 15, codebook (16,)

For a single image a dense layer does one multiply-add for each weight that it reads: what counts is how many bytes
are read, and these are an eighth of float32's. The look-up must keep up with it. Sixteen float32 numbers are just one
AVX-512 register, and one instruction (vpermps) looks up in it for all 16 lanes at once:

    codebook     lane   0     1     2     3    ...   15        the 16 centroids
                      -.21  -.17  -.12  -.08   ...  .24
    codes               3     0     3     15   ...    1        of 16 weights
    weights           -.08  -.21  -.08   .24   ...  -.17    each lane chooses; times 16 of x, added to 16 sums

AVX2's registers hold only eight, but it looks up 32 single bytes at once (vpshufb): the four bytes of 32 weights take
four look-ups, in four tables of 16 bytes, and eight instructions that put them side by side.

The codes of an output's weights follow each other, so that memory is read in order, in groups of 32 inputs and 16
bytes: byte k of a group has the code of input k in its low half, and of input 16 + k in its high half; bytes to
lanes, and the two halves are one `and` and one shift apart (Han et al., "Deep Compression", 2016, section 3; the
CPU's table look-up for weights: Wei et al., "T-MAC", 2024).
"""

import functools
from dataclasses import dataclass

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check

GROUP = 32
"""Inputs whose codes lie together, in 16 bytes."""

ROWS = 4
"""Outputs that are computed together; zeros fill up the last ones."""


@functools.cache
def _fast():
    from . import codebook_fast

    return codebook_fast


@dataclass(frozen=True, eq=False)
class CodebookWeights:
    """Weights (in, out) as 4-bit indices into 16 numbers. See `pack_codes`.

    Input 32*g + k of output o has its code in the low half of codes[o, g, k], input 32*g + 16 + k in the high half.
    Zeros fill the last group, and rows of zeros the last four outputs.
    """

    codes: np.ndarray  # uint8 (out rounded up to a multiple of 4, in / 32 rounded up, 16)
    codebook: np.ndarray  # float32 (16,)
    shape: tuple[int, int]  # (in, out)

    def __post_init__(self):
        inputs, outputs = self.shape
        expected = (-(-outputs // ROWS) * ROWS, -(-inputs // GROUP), 16)
        check(self.codes.shape == expected, f"the codes should be {expected}, but are {self.codes.shape}")
        check(self.codebook.shape == (16,), f"there should be 16 numbers, but they are {self.codebook.shape}")
        check(bool(np.isfinite(self.codebook).all()), f"the numbers of a codebook are finite, unlike {self.codebook}")

    @property
    def nbytes(self):
        """Bytes in memory."""
        return self.codes.nbytes + self.codebook.nbytes


def pack_codes(codes, codebook):
    """Integers `codes` (in, out) and the numbers `codebook` (at most 16,) they stand for as `CodebookWeights`.

    ValueError for a code that the codebook does not have.
    """
    codes, codebook = np.asarray(codes), np.asarray(codebook, np.float32)
    check(codes.ndim == 2, f"codes of dense weights are (in, out), but have the shape {codes.shape}")
    check(
        codebook.ndim == 1 and 1 <= len(codebook) <= 16,
        f"four bits choose from 1 to 16 numbers, but the codebook has the shape {codebook.shape}",
    )
    if not np.issubdtype(codes.dtype, np.integer):
        raise TypeError(f"the codes should be integers, but are {codes.dtype}")
    check(
        not codes.size or (codes.min() >= 0 and codes.max() < len(codebook)),
        f"the codes should lie between 0 and {len(codebook) - 1}, the last entry of the codebook",
    )
    inputs, outputs = codes.shape
    rows, groups = -(-outputs // ROWS) * ROWS, -(-inputs // GROUP)
    padded = np.zeros((rows, groups * GROUP), np.uint8)
    padded[:outputs, :inputs] = codes.T
    low, high = padded.reshape(rows, groups, 2, 16).transpose(2, 0, 1, 3)
    table = np.zeros(16, np.float32)
    table[: len(codebook)] = codebook
    return CodebookWeights(low | high << 4, table, (inputs, outputs))


def unpack_codes(w):
    """The weights (in, out) that `CodebookWeights` stand for, float32."""
    inputs, outputs = w.shape
    codes = np.stack([w.codes & 15, w.codes >> 4], axis=2).reshape(len(w.codes), w.codes.shape[1] * GROUP)
    return w.codebook[codes[:outputs, :inputs].T]


def codebook_matvec(x, w):
    """x float32 (in,) times w, `CodebookWeights`: float32 (out,). TypeError, ValueError if they do not fit."""
    x = np.ascontiguousarray(x)
    if x.dtype != np.float32:
        raise TypeError(
            f"a codebook of float32 meets activations of float32, but x is {x.dtype}; convert with .astype(np.float32)"
        )
    check(x.shape == (w.shape[0],), f"x should be a vector of {w.shape[0]} inputs, but has the shape {x.shape}")
    return choose(matvec_loop, matvec_numpy, lambda: _fast().codebook_matvec)(x, w)


def matvec_loop(x, w):
    inputs, outputs = w.shape
    y = np.zeros(outputs, np.float32)
    for o in range(outputs):
        for i in range(inputs):
            pair = w.codes[o, i // GROUP, i % 16]
            code = pair >> 4 if i % GROUP >= 16 else pair & 15
            y[o] += x[i] * w.codebook[code]
    return y


def matvec_numpy(x, w):
    return x @ unpack_codes(w)
