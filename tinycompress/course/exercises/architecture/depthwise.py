"""A depthwise convolution and its derivative (1 hour, 12 points).

A depthwise convolution has one filter a channel: channel c of the output sees channel c of the input only (Howard et al.
2017, section 3.1). With x padded by p zeros at each side, and the stride s,

    y[n, i, j, c] = sum over a, b of  xpadded[n, s i + a, s j + b, c] * weight[a, b, c]

As everywhere here, the kernel is not flipped. With loops over a and b alone, and NumPy for the rest, it is fast enough:
for each place in the kernel, a slice of the padded images with the step s.

By hand: the row 1 2 3 4 with the kernel row 1 0 -1, stride 1 and no padding gives 1 - 3 = -2 and 2 - 4 = -2.

Write the size, the convolution, and its derivative with respect to the weight, with which such a layer is trained. NumPy
has no function for any of it.
"""

import numpy as np


def output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """How many places a kernel has along one axis. Raises ValueError where it has none."""
    ### BEGIN SOLUTION
    if size + 2 * padding < kernel:
        raise ValueError(f"a kernel of {kernel} has no place in {size} pixels with a padding of {padding}")
    return (size + 2 * padding - kernel) // stride + 1
    ### END SOLUTION


### BEGIN SOLUTION
def _slices(x, kernel, stride, padding, size):
    """For each place (a, b) of the kernel, what of the padded images it meets: (N, *size, channels)."""
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            rows = slice(a, a + stride * (size[0] - 1) + 1, stride)
            columns = slice(b, b + stride * (size[1] - 1) + 1, stride)
            yield a, b, padded[:, rows, columns]


### END SOLUTION


def depthwise(x: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """y as above, (N, height', width', channels), of the dtype of x.

    x: (N, height, width, channels); weight: (kh, kw, channels), of the same dtype. Neither is changed.
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

    x: (N, height, width, channels), g: of y's shape; kernel: (kh, kw).
    """
    ### BEGIN SOLUTION
    weight = np.zeros((*kernel, x.shape[3]), x.dtype)
    for a, b, part in _slices(x, kernel, stride, padding, g.shape[1:3]):
        weight[a, b] = (part * g).sum((0, 1, 2))
    return weight
    ### END SOLUTION
