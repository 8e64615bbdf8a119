"""Matrix products of 8-bit integers: unsigned activations times signed weights, summed exactly in 32 bits.

    y[b, o] = sum over k of x[b, k] * w[k, o]            x uint8 (batch, in), w int8 (in, out), y int32 (batch, out)

A register of 64 bytes holds 16 float32 numbers, but 64 of 8 bits. Since 2019 CPUs have an instruction ("VNNI",
vpdpbusd) that multiplies two such registers and adds every four neighbouring products to a 32-bit sum:

    lane (32 bits)          0                      1                            15
    x, the same word   [x0 x1 x2 x3]          [x0 x1 x2 x3]      ...       [x0 x1 x2 x3]     uint8: 4 inputs of an image
    w, one line        [w0 w1 w2 w3]          [w0 w1 w2 w3]      ...       [w0 w1 w2 w3]     int8: their weights ...
                        to output 0            to output 1                  to output 15
    sums             += x0w0+x1w1+x2w2+x3w3    ...                                      int32, one per output

Compared to float32, this is four times the arithmetic for a quarter of the memory. The price is the order of the
weights: the four inputs of a word must be neighbours in memory, for each of the 16 outputs in turn. `pack_int8` sorts
them once.

As real numbers, x means x_scale * (x - zero_point) and w means w_scale[o] * w. So the float result is
x_scale * w_scale[o] * sum of (x - zero_point) * w. Multiplied out, the zero point only needs the sums of the columns of
w, which are known in advance (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, equation 7). This is `int8_linear`.
"""

import functools
from dataclasses import dataclass

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check

LINE = 16
"""Outputs whose words are neighbours in memory."""

MAX_INPUTS = (2**31 - 1) // (255 * 128)
"""65,793; with more inputs a sum could exceed 32 bits."""


@functools.cache
def _fast():
    from . import int8_fast

    return int8_fast


@dataclass(frozen=True, eq=False)
class Int8Weights:
    """Int8 weights (in, out) in the order in which they are multiplied. See `pack_int8`.

    w[k, o] is lines[o // 16, k // 4, o % 16, k % 4]. Zeros pad the last word and the last line.
    """

    lines: np.ndarray  # int8 (out / 16, in / 4, 16, 4), both rounded up
    sums: np.ndarray  # int32 (out,): the sum of the weights per output
    shape: tuple[int, int]  # (in, out)

    def __post_init__(self):
        inputs, outputs = self.shape
        expected = (-(-outputs // LINE), -(-inputs // 4), LINE, 4)
        check(self.lines.shape == expected, f"the lines should be {expected}, but are {self.lines.shape}")
        check(self.sums.shape == (outputs,), f"the sums should be ({outputs},), but are {self.sums.shape}")

    @property
    def nbytes(self):
        """Bytes in memory."""
        return self.lines.nbytes + self.sums.nbytes


def pack_int8(w):
    """Pack int8 weights (in, out) into `Int8Weights`. TypeError for another dtype, ValueError unless 2-D and for more
    than 65,793 inputs."""
    w = np.asarray(w)
    if w.dtype != np.int8:
        raise TypeError(
            f"the weights should be int8, but are {w.dtype}; scale, round and clip them to -128 .. 127, then "
            ".astype(np.int8)"
        )
    check(w.ndim == 2, f"dense weights should be (in, out), but have shape {w.shape}")
    inputs, outputs = w.shape
    check(
        inputs <= MAX_INPUTS, f"the sum of {inputs} 8-bit products may exceed 32 bits; at most {MAX_INPUTS} inputs fit"
    )
    blocks, words = -(-outputs // LINE), -(-inputs // 4)
    padded = np.zeros((words * 4, blocks * LINE), np.int8)
    padded[:inputs, :outputs] = w
    lines = padded.reshape(words, 4, blocks, LINE).transpose(2, 0, 3, 1)
    return Int8Weights(np.ascontiguousarray(lines), w.sum(axis=0, dtype=np.int32), (inputs, outputs))


def _unpack(w):
    """Unpack the weights to (in, out), int8."""
    inputs, outputs = w.shape
    blocks, words = w.lines.shape[:2]
    return w.lines.transpose(1, 3, 0, 2).reshape(words * 4, blocks * LINE)[:inputs, :outputs]


def _check_x(x, w):
    x = np.asarray(x)
    if x.dtype != np.uint8:
        raise TypeError(
            f"the activations should be uint8, but are {x.dtype}; scale, round and clip them to 0 .. 255, then "
            ".astype(np.uint8)"
        )
    check(x.ndim == 2 and x.shape[1] == w.shape[0], f"x should be (batch, {w.shape[0]}), but has shape {x.shape}")
    return np.ascontiguousarray(x)


def int8_matmul(x, w):
    """The product of x, uint8 (batch, in), and w, `Int8Weights`: int32 (batch, out), exact.

    TypeError unless x is uint8, ValueError if the shapes do not match.
    """
    return choose(matmul_loop, matmul_numpy, lambda: _fast().int8_matmul)(_check_x(x, w), w)


def int8_linear(x, w, scale, zero_point=0, bias=None):
    """A dense layer in 8 bits: y[b, o] = scale[o] * (sum over k of (x[b, k] - zero_point) * w[k, o]) + bias[o],
    float32 (batch, out).

    x: uint8 (batch, in). w: `Int8Weights`. scale: (out,), the scale of x times that of the weights of the output.
    zero_point: the integer that means 0 in x, 0 .. 255. bias: (out,), or None. The sum is exact before it is converted
    to float. TypeError unless x is uint8, ValueError if the shapes do not match or the zero point is out of range.
    """
    arguments = _checked_linear(x, w, scale, zero_point, bias)
    return choose(linear_loop, linear_numpy, lambda: _fast().int8_linear)(*arguments)


def prepare_linear(x, w, scale, zero_point=0, bias=None):
    """A new array y and a function without arguments that computes y, as `int8_linear` does, from what x, a contiguous
    array, then holds."""
    arguments = _checked_linear(x, w, scale, zero_point, bias)

    def called():
        y = int8_linear(*arguments)
        return y, lambda: np.copyto(y, int8_linear(*arguments))

    return choose(called, called, lambda: lambda: _fast().prepare_int8_linear(*arguments))()


def _checked_linear(x, w, scale, zero_point, bias):
    x = _check_x(x, w)
    outputs = w.shape[1]
    scale = np.ascontiguousarray(scale, np.float32)
    bias = np.zeros(outputs, np.float32) if bias is None else np.ascontiguousarray(bias, np.float32)
    for name, given in (("scale", scale), ("bias", bias)):
        check(
            given.shape == (outputs,),
            f"{name} should have one number for each of the {outputs} outputs, but has shape {given.shape}",
        )
    check(
        0 <= zero_point <= 255 and zero_point == int(zero_point),
        f"the zero point should be a whole number 0 .. 255, not {zero_point}",
    )
    return x, w, scale, int(zero_point), bias


def matmul_loop(x, w):
    batch, (inputs, outputs) = len(x), w.shape
    y = np.zeros((batch, outputs), np.int32)
    for b in range(batch):
        for o in range(outputs):
            for k in range(inputs):
                y[b, o] += int(x[b, k]) * int(w.lines[o // LINE, k // 4, o % LINE, k % 4])
    return y


def linear_loop(x, w, scale, zero_point, bias):
    total = matmul_loop(x, w)
    y = np.empty(total.shape, np.float32)
    for b, o in np.ndindex(y.shape):
        y[b, o] = np.float32(total[b, o] - zero_point * w.sums[o]) * scale[o] + bias[o]
    return y


def matmul_numpy(x, w):
    # NumPy multiplies floats with BLAS, but integers in a plain loop. float64 is exact for sums up to 2**53.
    return (x.astype(np.float64) @ _unpack(w).astype(np.float64)).astype(np.int32)


def linear_numpy(x, w, scale, zero_point, bias):
    return (matmul_numpy(x, w) - zero_point * w.sums).astype(np.float32) * scale + bias
