"""Clustered weights times a vector: each weight is one of 16 numbers, stored as a 4-bit index.

    y[o] = sum over i of x[i] * codebook[code[i, o]]           code (in, out), 0 .. 15, codebook (16,)

For a single image a dense layer does one multiply-add per weight that it reads. So the number of bytes read decides the
time, and here it is an eighth of that of float32, as long as the look-up keeps up. Sixteen float32 numbers fill exactly
one AVX-512 register, and one instruction (vpermps) looks up all 16 lanes in it:

    codebook     lane   0     1     2     3    ...   15        the 16 centroids
                      -.21  -.17  -.12  -.08   ...  .24
    codes               3     0     3     15   ...    1        of 16 weights
    weights           -.08  -.21  -.08   .24   ...  -.17    one per lane; times 16 of x, added to 16 sums

AVX2 registers hold only eight numbers, but AVX2 looks up 32 bytes at once (vpshufb). The four bytes of 32 weights take
four look-ups, in four tables of 16 bytes, and eight instructions to interleave them.

The codes of one output are consecutive, so that memory is read in order. They come in groups of 16 bytes for 32 inputs:
byte k of a group has the code of input k in its low half and that of input 16 + k in its high half. Once the bytes are
spread over the lanes, one `and` and one shift separate the halves (Han et al., "Deep Compression", 2016, section 3; for
table look-ups of weights on CPUs: Wei et al., "T-MAC", 2024).
"""

import functools
from dataclasses import dataclass

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check

GROUP = 32
"""Inputs whose codes share 16 consecutive bytes."""

ROWS = 4
"""Outputs computed together; the last group is padded with zeros."""


@functools.cache
def _fast():
    from . import codebook_fast

    return codebook_fast


@dataclass(frozen=True, eq=False)
class CodebookWeights:
    """Weights (in, out) as 4-bit indices into 16 numbers. See `pack_codes`.

    The low half of codes[o, g, k] is the code of input 32*g + k and output o, the high half that of input
    32*g + 16 + k. Zeros pad the last group of inputs, and rows of zeros the last group of outputs.
    """

    codes: np.ndarray  # uint8 (out rounded up to a multiple of 4, in / 32 rounded up, 16)
    codebook: np.ndarray  # float32 (16,)
    shape: tuple[int, int]  # (in, out)

    def __post_init__(self):
        inputs, outputs = self.shape
        expected = (-(-outputs // ROWS) * ROWS, -(-inputs // GROUP), 16)
        check(self.codes.shape == expected, f"the codes should be {expected}, but are {self.codes.shape}")
        check(self.codebook.shape == (16,), f"the codebook should be (16,), but is {self.codebook.shape}")
        check(bool(np.isfinite(self.codebook).all()), f"the codebook should be finite, unlike {self.codebook}")

    @property
    def nbytes(self):
        """Bytes in memory."""
        return self.codes.nbytes + self.codebook.nbytes


def pack_codes(codes, codebook):
    """Pack integer `codes` (in, out) into a `codebook` of up to 16 numbers as `CodebookWeights`.

    TypeError unless the codes are integers, ValueError for a code beyond the codebook or numbers that are not finite.
    """
    codes, codebook = np.asarray(codes), np.asarray(codebook, np.float32)
    check(codes.ndim == 2, f"codes of dense weights should be (in, out), but have shape {codes.shape}")
    check(
        codebook.ndim == 1 and 1 <= len(codebook) <= 16,
        f"a codebook of 4-bit codes has 1 to 16 numbers, but this one has shape {codebook.shape}",
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
    """Unpack `CodebookWeights` to weights (in, out), float32."""
    inputs, outputs = w.shape
    codes = np.stack([w.codes & 15, w.codes >> 4], axis=2).reshape(len(w.codes), w.codes.shape[1] * GROUP)
    return w.codebook[codes[:outputs, :inputs].T]


def codebook_matvec(x, w):
    """The product of x, float32 (in,), and w, `CodebookWeights`: float32 (out,). TypeError unless x is float32, ValueError
    if the shapes do not match."""
    x = np.ascontiguousarray(x)
    if x.dtype != np.float32:
        raise TypeError(f"the activations should be float32, but x is {x.dtype}; convert them with .astype(np.float32)")
    check(x.shape == (w.shape[0],), f"x should be a vector of {w.shape[0]} inputs, but has shape {x.shape}")
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
