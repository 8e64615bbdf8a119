"""Matrix products with binary weights: each weight is +1 or -1 and takes one bit.

    y[b, o] = sum over k of x[b, k] * s[k, o]        s = sign(w) (in, out), 32 of them in a 32-bit word

A set bit means -1, a number below 0. Zeros and NaNs count as +1, and so do the bits that pad the last word.

**Binary activations** (`binary_matmul`). If x is reduced to its signs too, a product is +1 where the two bits are
equal, and -1 where they differ, that is, where their exclusive or is 1. If d of n pairs of bits differ:

    x      + - - +   + - + +        0 1 1 0   0 1 0 0
    s      + + - -   + - - +        0 0 1 1   0 1 1 0
    x * s  + - + -   + + - +    ^   0 1 0 1   0 0 1 0       d = 3 bits set of n = 8

    dot = (n - d) - d = n - 2 * popcount(x ^ s) = 2

So an exclusive or and a bit count (the CPU counts the bits of 16 words at once) replace 32 multiply-adds in each lane
(Courbariaux et al., "Binarized Neural Networks", 2016, section 1.5; Rastegari et al., "XNOR-Net", 2016).

On CPUs that count bits only in single words (AVX2, and AVX-512 without VPOPCNTDQ), a table is faster. Four bits of x
select one of 16 tables of 16 bytes. In it, four weights of each of 32 or 64 outputs select the number of bits that differ. So
one look-up (vpshufb) and one addition replace 128 or 256 multiply-adds.

**Float activations** (`binary_linear`). Four inputs can meet only 16 patterns of signs. The 16 possible sums, computed
once per image, form a table that fits in one register. Four bits of each of 16 outputs select from it in one
instruction, so that one addition replaces 64 multiply-adds:

    index      0 = ++++      1 = -+++       2 = +-++     ...    15 = ----
    table    [ x0+x1+x2+x3  -x0+x1+x2+x3   x0-x1+x2+x3   ...  -x0-x1-x2-x3 ]    one register of 16 float32
    bits     output 0: 2    output 1: 0    output 2: 15  ...  output 15: 1      one line of weights
    chosen   [ table[2]       table[0]       table[15]   ...    table[1]   ]    added to the 16 outputs' sums

The scale per output (XNOR-Net's alpha) is left to the caller, who may use `scale_dots`.
"""

import functools
from dataclasses import dataclass

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check, floats

LINE = 16
"""Outputs whose words are neighbours in memory."""

BITS = 32
"""Weights per word."""


@functools.cache
def _fast():
    from . import binary_fast

    return binary_fast


@dataclass(frozen=True, eq=False)
class BinaryWeights:
    """The signs of weights (in, out), 32 per word. See `pack_signs`.

    Bit k % 32 of lines[o // 16, k // 32, o % 16] is set if the weight from input k to output o is -1. Unused bits are
    0.
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
    """Pack the signs of float weights (in, out) into `BinaryWeights`: -1 below 0, else +1. ValueError unless 2-D."""
    (w,) = floats(w=w)
    check(w.ndim == 2, f"dense weights should be (in, out), but have shape {w.shape}")
    inputs, outputs = w.shape
    blocks, words = -(-outputs // LINE), -(-inputs // BITS)
    negative = np.zeros((blocks * LINE, words * BITS), bool)
    negative[:outputs, :inputs] = w.T < 0
    packed = _words(negative).reshape(blocks, LINE, words)
    return BinaryWeights(np.ascontiguousarray(packed.transpose(0, 2, 1)), (inputs, outputs))


def _words(bits):
    """Rows of bits, a multiple of 32 long, as rows of uint32 with the first bit lowest."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def unpack_signs(w):
    """The weights of a `BinaryWeights` as float32 +1 and -1, (in, out)."""
    inputs, outputs = w.shape
    rows = w.lines.transpose(0, 2, 1).reshape(-1, w.lines.shape[1]).astype("<u4", order="C")
    bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little")
    return np.float32(1) - 2 * bits[:outputs, :inputs].T.astype(np.float32)


def _check_x(x, w):
    (x,) = floats(x=x)
    check(x.ndim == 2 and x.shape[1] == w.shape[0], f"x should be (batch, {w.shape[0]}), but has shape {x.shape}")
    return x


def binary_matmul(x, w):
    """The product of the signs of x and of w: y[b, o] = sum over k of sign(x[b, k]) * s[k, o], int32 (batch, out),
    exact.

    x: float (batch, in), only its signs are used. w: `BinaryWeights`. ValueError if the shapes do not match.
    """
    return multiply_signs(sign_words(_check_x(x, w)), w)


def sign_words(x):
    """The signs of float x (batch, in), 32 per word: uint32 (batch, in / 32, rounded up), in the order of `BinaryWeights`."""
    (x,) = floats(x=x)
    check(x.ndim == 2, f"x should be (batch, in), but has shape {x.shape}")
    return choose(words_numpy, words_numpy, lambda: _fast().sign_words)(x)


def multiply_signs(words, w):
    """`binary_matmul` for signs that are packed: words uint32 (batch, words), as `sign_words` returns them."""
    check(
        words.dtype == np.uint32 and words.shape[1:] == w.lines.shape[1:2],
        f"words should be uint32 (batch, {w.lines.shape[1]}), but are {words.dtype} {words.shape}",
    )
    words = np.ascontiguousarray(words)
    return choose(multiply_loop, multiply_numpy, lambda: _fast().multiply_signs)(words, w)


def scale_dots(dots, scale, shift, out=None):
    """dots[r, o] * scale[o] + shift[r % pixels, o], float32 (rows, out): `multiply_signs`' sums, scaled in one pass.

    dots: int32 (rows, out). scale: float32 (out,). shift: float32 (pixels, out), one row for each pixel of an image, or a
    single one. out: where to write it, contiguous. ValueError for other shapes.
    """
    rows, outputs = dots.shape
    out = np.empty(dots.shape, np.float32) if out is None else out
    same = scale.shape == (outputs,) and shift.shape[1:] == (outputs,) and out.shape == dots.shape
    check(
        same and rows % max(1, len(shift)) == 0,
        f"dots {dots.shape}, scale {scale.shape}, shift {shift.shape} do not match",
    )
    choose(scale_numpy, scale_numpy, lambda: _fast().scale_dots)(dots, scale, shift, out)
    return out


def binary_linear(x, w):
    """The product of x and the signs w: y[b, o] = sum over k of x[b, k] * s[k, o], float32 (batch, out).

    x: float32 (batch, in). w: `BinaryWeights`. Worthwhile for one or a few images, where reading the weights takes most
    of the time: these are 32 times fewer bytes. TypeError unless x is float32, ValueError if the shapes do not match.
    """
    x = _check_x(x, w)
    if x.dtype != np.float32:
        raise TypeError(f"the activations should be float32, but x is {x.dtype}; convert them with .astype(np.float32)")
    return choose(linear_loop, linear_numpy, lambda: _fast().binary_linear)(x, w)


def _sign(w, k, o):
    return -1 if w.lines[o // LINE, k // BITS, o % LINE] >> (k % BITS) & 1 else 1


def words_numpy(x):
    negative = np.zeros((len(x), -(-x.shape[1] // BITS) * BITS), bool)
    negative[:, : x.shape[1]] = x < 0
    return _words(negative)


def multiply_loop(words, w):
    batch, (inputs, outputs) = len(words), w.shape
    y = np.empty((batch, outputs), np.int32)
    for b, o in np.ndindex(y.shape):
        signs = (-1 if words[b, k // BITS] >> (k % BITS) & 1 else 1 for k in range(inputs))
        y[b, o] = sum(sign * _sign(w, k, o) for k, sign in enumerate(signs))
    return y


def multiply_numpy(words, w):
    inputs, outputs = w.shape
    y = np.empty((len(words), w.lines.shape[0] * LINE), np.int32)
    for j, lines in enumerate(w.lines):
        different = np.bitwise_count(words[:, :, None] ^ lines).sum(axis=1, dtype=np.int32)
        y[:, j * LINE : (j + 1) * LINE] = inputs - 2 * different
    return np.ascontiguousarray(y[:, :outputs])


def scale_numpy(dots, scale, shift, out):
    of_pixels = out.reshape(-1, *shift.shape)  # a view
    np.multiply(dots.reshape(of_pixels.shape).astype(np.float32), scale, out=of_pixels)
    of_pixels += shift


def linear_loop(x, w):
    batch, (inputs, outputs) = len(x), w.shape
    y = np.zeros((batch, outputs), np.float32)
    for b in range(batch):
        for o in range(outputs):
            for k in range(inputs):
                y[b, o] += _sign(w, k, o) * x[b, k]
    return y


def linear_numpy(x, w):
    return x @ unpack_signs(w)
