"""Window arithmetic, and checks of a kernel's inputs."""

import numpy as np

NO_PADDING = ((0, 0), (0, 0))
FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}


def output_size(size, window, stride, padding=NO_PADDING):
    """How many windows of size `window` (h, w) fit into a padded image of `size` (H, W) at `stride`: (OH, OW)."""
    fits = []
    for length, part, step, (before, after) in zip(size, window, stride, padding, strict=True):
        room = length + before + after - part
        if room < 0:
            raise ValueError(
                f"a window of {tuple(window)} does not fit into an image of {tuple(size)} padded by {tuple(padding)}; "
                'use a smaller window, padding="same", or fewer pooling layers before it'
            )
        fits.append(room // step + 1)
    return tuple(fits)


def floats(**arrays):
    """Return the arrays as contiguous arrays; TypeError unless all are float32 or all are float64. None stays None."""
    found = [a if a is None else np.ascontiguousarray(a) for a in arrays.values()]
    kind = found[0].dtype
    if kind not in FLOATS or any(a is not None and a.dtype != kind for a in found):
        given = ", ".join(f"{name} is {a.dtype}" for name, a in zip(arrays, found, strict=True) if a is not None)
        raise TypeError(f"the arrays of a kernel must be all float32 or all float64, but {given}; convert with .astype")
    return found


def check(condition, message):
    if not condition:
        raise ValueError(message)


def phases(length, window, stride, before):
    """Along one axis, split the input gradient of a strided convolution into `stride` interleaved convolutions of stride 1.

    Output o of the forward convolution sees input h through tap i if h + before = o * stride + i. So input h is seen only
    through the taps i = phase, phase + stride, phase + 2*stride ..., where phase = (h + before) mod stride, by output
    (h + before) // stride and the ones before it, one output per tap. The gradient of all inputs with one phase (every
    stride-th input) is therefore a convolution of stride 1 over the output gradient, with these taps in reverse order:

        stride 2, window 3:   h + before   = 0    1    2    3    4   ...
                              taps           0 2  1    0 2  1    0 2
                              outputs        0 -1 0    1 0  1    2 1

    Yields (first input, number of inputs, phase, zeros needed before the outputs); negative: leading outputs to skip.
    """
    for phase in range(min(stride, window)):
        first = (phase - before) % stride
        count = len(range(first, length, stride))
        taps = len(range(phase, window, stride))
        if count:
            yield first, count, phase, taps - 1 - (first + before) // stride
