"""A dense layer without a single float (1 hour, 12 points).

A chip without a floating point unit can still run a net (Jacob et al. 2018, sections 2.2 to 2.4). Inputs and outputs are bytes
on grids, real = scale * (byte - zero). Weights are signed bytes, and their zero is 0 here. If the scales of inputs and weights
are x_scale and w_scale, then the sum over the inputs

    sum = bias + (x - x_zero) @ w            (whole numbers, in 32 bits)

counts in units of x_scale * w_scale. So does the bias, which is stored with this scale. The outputs count in units of y_scale.
From one to the other it takes a factor m = x_scale * w_scale / y_scale, the only real number that is left. It is replaced by
an integer of 31 bits and a shift, m = factor / 2**shift, and the division by a shift of bits:

    y = y_zero + round(sum * factor / 2**shift),    and what does not fit a byte becomes the nearest end, 0 or 255

0.3 becomes 1288490189 / 2**32. Halves are rounded up: with m = 0.5, the sum -3 becomes -1, and the sum 3 becomes 2. For this,
add half of 2**shift and then shift by the bits, which rounds down. A ReLU costs nothing: it is the greater of y and y_zero, the
byte that stands for 0.
"""

import numpy as np


def quantized(weight: np.ndarray, bias: np.ndarray, x_scale: float) -> tuple[np.ndarray, float, np.ndarray]:
    """(weights, w_scale, biases): int8 (inputs, outputs), a float, and int32 (outputs,).

    w_scale: the greatest magnitude of all weights / 127, or 1 if all are 0. Weights are divided by it, biases by
    x_scale * w_scale, and both are rounded as np.rint does. A bias beyond the ends of int32 becomes that end.

    weight (inputs, outputs) and bias (outputs,) may be float32 or float64; compute in float64. Neither may be changed.
    """
    ### BEGIN SOLUTION
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    w_scale = float(np.abs(weight).max()) / 127 or 1.0
    ends = np.iinfo(np.int32)
    whole = np.clip(np.rint(bias / (x_scale * w_scale)), ends.min, ends.max)
    return np.rint(weight / w_scale).astype(np.int8), w_scale, whole.astype(np.int32)
    ### END SOLUTION


def fixed_point(m: float) -> tuple[int, int]:
    """Integers (factor, shift) with 2**30 <= factor < 2**31, such that factor / 2**shift is as near to m as possible.

    m: from 2**-30 to 2**29. Near a power of two, a factor that is rounded up to 2**31 needs one bit less.
    """
    ### BEGIN SOLUTION
    mantissa, exponent = np.frexp(m)
    factor, shift = round(float(mantissa) * 2**31), 31 - int(exponent)
    return (factor // 2, shift - 1) if factor == 2**31 else (factor, shift)
    ### END SOLUTION


def accumulate(x: np.ndarray, x_zero: int, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The sums bias + (x - x_zero) @ weight, exact, as int32 (batch, outputs). They fit 32 bits.

    x: uint8 (batch, inputs); weight: int8 (inputs, outputs); bias: int32 (outputs,). Use no floating point.
    """
    ### BEGIN SOLUTION
    return (x.astype(np.int32) - np.int32(x_zero)) @ weight.astype(np.int32) + bias
    ### END SOLUTION


def rescale(sums: np.ndarray, factor: int, shift: int, y_zero: int, relu: bool) -> np.ndarray:
    """The outputs, uint8 (batch, outputs), of int32 sums of this shape, as in the statement. Halves are rounded up.

    factor, shift: from `fixed_point`; a product has up to 62 bits. relu: whether a ReLU follows. Use no floating point.
    """
    ### BEGIN SOLUTION
    y = y_zero + ((sums.astype(np.int64) * factor + (1 << (shift - 1))) >> shift)
    return np.clip(y, y_zero if relu else 0, 255).astype(np.uint8)
    ### END SOLUTION


def integer_layer(
    x: np.ndarray, x_grid: tuple, weight: np.ndarray, bias: np.ndarray, y_grid: tuple, relu: bool
) -> np.ndarray:
    """The layer's outputs, uint8 (batch, outputs), for inputs x, uint8 (batch, inputs), and its real weights and biases.

    x_grid: (x_scale, x_zero); y_grid: (y_scale, y_zero); scales are floats, zeros integers from 0 to 255.
    """
    ### BEGIN SOLUTION
    (x_scale, x_zero), (y_scale, y_zero) = x_grid, y_grid
    w, w_scale, b = quantized(weight, bias, x_scale)
    factor, shift = fixed_point(x_scale * w_scale / y_scale)
    return rescale(accumulate(x, x_zero, w, b), factor, shift, y_zero, relu)
    ### END SOLUTION
