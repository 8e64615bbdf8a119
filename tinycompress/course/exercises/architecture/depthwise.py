"""A depthwise convolution and its derivative (1 hour, 12 points).

A depthwise convolution has one filter per channel: channel c of the output sees only channel c of the input (Howard et al.
2017, section 3.1). With x padded by p zeros at each side, and stride s,

    y[n, i, j, c] = sum over a, b of  xpadded[n, s i + a, s j + b, c] * weight[a, b, c]

As everywhere here, the kernel is not flipped. It is fast enough to loop only over a and b, and to use NumPy for the rest: for
each position (a, b) in the kernel, take a slice of the padded images with step s.

By hand: the row 1 2 3 4 with the kernel row 1 0 -1, stride 1 and no padding gives 1 - 3 = -2 and 2 - 4 = -2.

Write the output size, the convolution, and its derivative with respect to the weight, which training needs. NumPy has no
function for any of these.
"""

import numpy as np


def output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """In how many places the kernel fits along one axis. Raises ValueError if it does not fit at all."""
    ### BEGIN SOLUTION
    if size + 2 * padding < kernel:
        raise ValueError(f"a kernel of {kernel} does not fit into {size} pixels with a padding of {padding}")
    return (size + 2 * padding - kernel) // stride + 1
    ### END SOLUTION


### BEGIN SOLUTION
def _slices(x, kernel, stride, padding, size):
    """For each position (a, b) in the kernel, the pixels that it is multiplied with: (N, *size, channels)."""
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            rows = slice(a, a + stride * (size[0] - 1) + 1, stride)
            columns = slice(b, b + stride * (size[1] - 1) + 1, stride)
            yield a, b, padded[:, rows, columns]


### END SOLUTION


def depthwise(x: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """y as above, (N, height', width', channels), with the dtype of x.

    x: (N, height, width, channels); weight: (kh, kw, channels), with the same dtype. Neither may be changed.
    """
    ### BEGIN SOLUTION
    kernel = weight.shape[:2]
    size = [(n + 2 * padding - k) // stride + 1 for n, k in zip(x.shape[1:3], kernel, strict=True)]
    y = np.zeros((len(x), *size, x.shape[3]), x.dtype)
    for a, b, part in _slices(x, kernel, stride, padding, size):
        y += part * weight[a, b]
    return y
    ### END SOLUTION


def weight_gradient(x: np.ndarray, g: np.ndarray, kernel: tuple[int, int], stride: int, padding: int) -> np.ndarray:
    """The derivative of sum(g * y) with respect to the weight, (kh, kw, channels).

    x: (N, height, width, channels); g: an array with the shape of y; kernel: (kh, kw).
    """
    ### BEGIN SOLUTION
    weight = np.zeros((*kernel, x.shape[3]), x.dtype)
    for a, b, part in _slices(x, kernel, stride, padding, g.shape[1:3]):
        weight[a, b] = (part * g).sum((0, 1, 2))
    return weight
    ### END SOLUTION
