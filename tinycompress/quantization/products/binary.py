"""Matrix products with binary weights: every weight is +1 or -1 and takes one bit.

    y[b, o] = sum over k of x[b, k] * s[k, o]        s = sign(w) (in, out), 32 of them in a word of 32 bits

A bit is set for -1, so for numbers below zero; 0 and NaN count as +1, as do the bits that fill up the last word.

**Binary activations** (`binary_matmul`). If x is reduced to its signs too, a product is +1 where the two bits are
equal, and -1 where they differ, that is, where their exclusive or is 1. Of n products, d differ and n - d do not:

    x      + - - +   + - + +        0 1 1 0   0 1 0 0
    s      + + - -   + - - +        0 0 1 1   0 1 1 0
    x * s  + - + -   + + - +    ^   0 1 0 1   0 0 1 0       d = 3 bits set of n = 8

    dot = (n - d) - d = n - 2 * popcount(x ^ s) = 2

so that an exclusive or and a count of bits (the CPU counts those of 16 words at once) take the place of 32
multiply-adds in each lane (Courbariaux et al., "Binarized Neural Networks", 2016, section 1.5; Rastegari et al.,
"XNOR-Net", 2016).

A CPU that counts the bits of a single word only (AVX2) rather looks up: four bits of x choose one of 16 tables of 16
bytes, four weights of each of 32 outputs choose an entry, which is the number of bits in which they differ, and 128
multiply-adds are one look-up (vpshufb) and one addition.

**Float activations** (`binary_linear`). Four inputs can meet only 16 patterns of signs. Their 16 sums, computed once
for each image, are a table that sits in one register; four bits of each of 16 outputs choose from it in one
instruction, and 64 multiply-adds have become one addition:

    index      0 = ++++      1 = -+++       2 = +-++     ...    15 = ----
    table    [ x0+x1+x2+x3  -x0+x1+x2+x3   x0-x1+x2+x3   ...  -x0-x1-x2-x3 ]    one register of 16 float32
    bits     output 0: 2    output 1: 0    output 2: 15  ...  output 15: 1      one line of weights
    chosen   [ table[2]       table[0]       table[15]   ...    table[1]   ]    added to the 16 outputs' sums

A scale for each output (XNOR-Net's alpha) is the caller's to multiply.
"""

import functools
from dataclasses import dataclass

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check, floats

LINE = 16
"""Outputs whose bits lie together."""

BITS = 32
"""Weights in a word."""


@functools.cache
def _fast():
    from . import binary_fast

    return binary_fast


@dataclass(frozen=True, eq=False)
class BinaryWeights:
    """The signs of weights (in, out), 32 in a word. See `pack_signs`.

    Bit k % 32 of lines[o // 16, k // 32, o % 16] is set if the weight of input k to output o is -1. Zeros fill up
    what is left.
    """

    lines: np.ndarray  # uint32 (out / 16, in / 32, 16), both rounded up
    shape: tuple[int, int]  # (in, out)

    def __post_init__(self):
        inputs, outputs = self.shape
        expected = (-(-outputs // LINE), -(-inputs // BITS), LINE)
        check(self.lines.shape == expected, f"the lines should be {expected}, but are {self.lines.shape}")

    @property
    def nbytes(self):
        """Bytes in memory."""
        return self.lines.nbytes


def pack_signs(w):
    """The signs of float weights (in, out) as `BinaryWeights`: -1 below 0, else +1."""
    (w,) = floats(w=w)
    check(w.ndim == 2, f"dense weights are (in, out), but have the shape {w.shape}")
    inputs, outputs = w.shape
    blocks, words = -(-outputs // LINE), -(-inputs // BITS)
    negative = np.zeros((blocks * LINE, words * BITS), bool)
    negative[:outputs, :inputs] = w.T < 0
    packed = _words(negative).reshape(blocks, LINE, words)
    return BinaryWeights(np.ascontiguousarray(packed.transpose(0, 2, 1)), (inputs, outputs))


def _words(bits):
    """Rows of bits, a multiple of 32, as rows of uint32, the first bit being the lowest."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def _unpack(w):
    """The weights as float32 +1 and -1, (in, out)."""
    inputs, outputs = w.shape
    rows = w.lines.transpose(0, 2, 1).reshape(-1, w.lines.shape[1]).astype("<u4", order="C")
    bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little")
    return np.float32(1) - 2 * bits[:outputs, :inputs].T.astype(np.float32)


def _check_x(x, w):
    (x,) = floats(x=x)
    check(x.ndim == 2 and x.shape[1] == w.shape[0], f"x should be (batch, {w.shape[0]}), but has the shape {x.shape}")
    return x


def binary_matmul(x, w):
    """The signs of x times the signs w: y[b, o] = sum over k of sign(x[b, k]) * s[k, o], int32 (batch, out), exact.

    x float (batch, in), of which only the signs count; w `BinaryWeights`. ValueError if they do not fit.
    """
    return choose(matmul_loop, matmul_numpy, lambda: _fast().binary_matmul)(_check_x(x, w), w)


def binary_linear(x, w):
    """x times the signs w: y[b, o] = sum over k of x[b, k] * s[k, o], float32 (batch, out), x float32 (batch, in), w
    `BinaryWeights`.

    Worth it for one image or a few, when the time goes into reading the weights, here 32 times fewer bytes.
    TypeError, ValueError if they do not fit.
    """
    x = _check_x(x, w)
    if x.dtype != np.float32:
        raise TypeError(
            f"binary weights meet activations of float32, but x is {x.dtype}; convert with .astype(np.float32)"
        )
    return choose(linear_loop, linear_numpy, lambda: _fast().binary_linear)(x, w)


def _sign(w, k, o):
    return -1 if w.lines[o // LINE, k // BITS, o % LINE] >> (k % BITS) & 1 else 1


def matmul_loop(x, w):
    batch, (inputs, outputs) = len(x), w.shape
    y = np.empty((batch, outputs), np.int32)
    for b in range(batch):
        for o in range(outputs):
            different = sum((x[b, k] < 0) != (_sign(w, k, o) < 0) for k in range(inputs))
            y[b, o] = inputs - 2 * different
    return y


def matmul_numpy(x, w):
    batch, (inputs, outputs) = len(x), w.shape
    words = w.lines.shape[1]
    negative = np.zeros((batch, words * BITS), bool)
    negative[:, :inputs] = x < 0
    packed = _words(negative)
    y = np.empty((batch, w.lines.shape[0] * LINE), np.int32)
    for j, lines in enumerate(w.lines):
        different = np.bitwise_count(packed[:, :, None] ^ lines).sum(axis=1, dtype=np.int32)
        y[:, j * LINE : (j + 1) * LINE] = inputs - 2 * different
    return np.ascontiguousarray(y[:, :outputs])


def linear_loop(x, w):
    batch, (inputs, outputs) = len(x), w.shape
    y = np.zeros((batch, outputs), np.float32)
    for b in range(batch):
        for o in range(outputs):
            for k in range(inputs):
                y[b, o] += _sign(w, k, o) * x[b, k]
    return y


def linear_numpy(x, w):
    return x @ _unpack(w)
