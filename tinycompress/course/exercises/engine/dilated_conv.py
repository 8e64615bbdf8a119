"""A kernel of your own: convolution with holes (an evening, 24 points).

A dilated convolution looks only at every d-th pixel: with d = 2, a 3 x 3 kernel sees a window of 5 x 5 pixels at the same cost
(Yu & Koltun 2016, "Multi-Scale Context Aggregation by Dilated Convolutions"). Images are (batch, height, width, channels),
weights (kh, kw, channels, outputs). There is no padding, and the stride is 1:

    y[n, i, j, o] = sum over a, b, c of x[n, i + a d, j + b d, c] * w[a, b, c, o]

            d = 1        d = 2                w = [1 10 100] in one row, d = 2:
            # # #        # . # . #            x   1 2 3 4 5 6
            # # #        . . . . .            y   1 + 10*3 + 100*5 = 531    2 + 10*4 + 100*6 = 642
            # # #        # . # . #
                         . . . . .
                         # . # . #

Write it with loops first, and check it against the formula. Then make it fast: work on whole arrays (a loop over the kernel's
taps (a, b) is short), or use `numba.njit`. The last test computes a whole layer for 16 images, and measures `forward` in turns
with a loop over all pixels: ten times faster earns all points, as fast as the loop half of them.
"""

import numpy as np

### BEGIN SOLUTION


def _seen(x, a, b, dilation, height, width):
    """The part of all images that the tap (a, b) sees, one pixel for each output pixel."""
    return x[:, a * dilation : a * dilation + height, b * dilation : b * dilation + width]


### END SOLUTION


def output_size(height: int, width: int, kernel: tuple, dilation: int) -> tuple[int, int]:
    """Height and width of y. kernel: (kh, kw). Raises ValueError if no window fits into the image."""
    ### BEGIN SOLUTION
    kh, kw = kernel
    size = height - (kh - 1) * dilation, width - (kw - 1) * dilation
    if min(size) < 1:
        raise ValueError(f"a {kh} x {kw} kernel with dilation {dilation} does not fit into {height} x {width} pixels")
    return size
    ### END SOLUTION


def forward(x: np.ndarray, w: np.ndarray, dilation: int, size: tuple) -> np.ndarray:
    """y of the formula, (batch, *size, outputs), in the dtype of x. size: height and width of y, as from `output_size`.

    x: any number of images, even none. Neither x nor w may be changed.
    """
    ### BEGIN SOLUTION
    kh, kw, _, outputs = w.shape
    height, width = size
    y = np.zeros((len(x), height, width, outputs), x.dtype)
    for a in range(kh):
        for b in range(kw):
            y += _seen(x, a, b, dilation, height, width) @ w[a, b]
    return y
    ### END SOLUTION


def backward(grad: np.ndarray, x: np.ndarray, w: np.ndarray, dilation: int) -> tuple[np.ndarray, np.ndarray]:
    """(dL/dx, dL/dw), in the shapes of x and w, from grad = dL/dy, in that of y, (batch, height, width, outputs)."""
    ### BEGIN SOLUTION
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    height, width = grad.shape[1:3]
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            _seen(dx, a, b, dilation, height, width)[...] += grad @ w[a, b].T
            dw[a, b] = np.tensordot(_seen(x, a, b, dilation, height, width), grad, axes=((0, 1, 2), (0, 1, 2)))
    return dx, dw
    ### END SOLUTION


def receptive_field(kernel: int, dilations: list) -> int:
    """How many pixels along one axis an output sees after several such layers, all with kernels of this length.

    dilations: one per layer, from first to last. Without layers, an output sees one pixel, itself.
    """
    ### BEGIN SOLUTION
    return 1 + (kernel - 1) * sum(dilations)
    ### END SOLUTION
