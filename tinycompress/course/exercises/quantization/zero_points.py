"""Integers with a zero point (1 hour, 12 points).

The weights of an output channel may all lie between -0.1 and 0.9. A grid that is symmetric about 0 then wastes almost half
of its integers. An asymmetric grid covers exactly the range of the weights; 0 is then represented by some integer z, the
zero point (Jacob et al. 2018, section 2.1):

    real = scale * (integer - z),    0 <= integer <= 2**bits - 1

With 2 bits, and weights from -1 to 2 in a channel: scale 1, z = 1, and the integers 0 1 2 3 stand for -1 0 1 2.

0 must be one of the grid's numbers, since padding and pruned weights are exactly 0. So a range that does not contain 0 is
widened until it does. If you multiply out (x - zx) * (w - zw) and sum over the inputs, you get four sums, of which only one
needs a matrix product (equation 7). Compute them with integers only. Each function is given what the one before returns.
"""

import numpy as np


def channel_grids(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The scale and zero point of each output channel, the last axis of weight (…, channels).

    A channel's grid covers the range from its least to its greatest weight, widened to contain 0. scale: float64,
    range / (2**bits - 1), or 1 for a channel of zeros. zero_point: int64, -(least of the range) / scale, rounded as np.rint
    does. Both are (channels,). bits: 1 to 8.
    """
    ### BEGIN SOLUTION
    columns = weight.reshape(-1, weight.shape[-1]).astype(np.float64)
    low, high = np.minimum(columns.min(0), 0), np.maximum(columns.max(0), 0)
    scale = (high - low) / (2**bits - 1)
    scale[scale == 0] = 1
    return scale, np.rint(-low / scale).astype(np.int64)
    ### END SOLUTION


def quantize(weight: np.ndarray, scale: np.ndarray, zero_point: np.ndarray, bits: int) -> np.ndarray:
    """The nearest integers of the grids, uint8, with the weight's shape (…, channels).

    A weight beyond an end of its grid becomes that end. Round as np.rint does, and add the zero point afterwards.
    """
    ### BEGIN SOLUTION
    return np.clip(np.rint(weight / scale) + zero_point, 0, 2**bits - 1).astype(np.uint8)
    ### END SOLUTION


def integer_matmul(x: np.ndarray, x_zero: int, weight: np.ndarray, weight_zero: np.ndarray) -> np.ndarray:
    """The sums of (x - x_zero) * (weight - weight_zero) over the inputs, exact, as int32 (batch, channels).

    x: uint8 (batch, inputs), with a single zero point x_zero; weight: uint8 (inputs, channels); weight_zero: integers
    (channels,). Use no floating point.
    """
    ### BEGIN SOLUTION
    x, weight = x.astype(np.int32), weight.astype(np.int32)
    of_x, of_weight = x.sum(1, keepdims=True), weight.sum(0)
    sums = x @ weight - of_x * weight_zero - x_zero * of_weight + x.shape[1] * x_zero * weight_zero
    return sums.astype(np.int32)
    ### END SOLUTION
