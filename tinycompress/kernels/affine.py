"""Scale and shift of columns (a bias or a batch norm), with an optional ReLU, and their gradients.

x is a matrix (rows, columns): each pixel of each image is a row, each channel a column. All of this is memory-bound: each
number is read once and multiplied a few times. So each kernel does as much as possible in one pass:

    y = max(x * scale + shift, 0)                      apply          the max only with a ReLU
    mean, variance of each column                      moments
    sums of g and of g * (x - centre), per column      sums           g: the gradient of y, 0 where the ReLU gives 0
    gx = a * g + b * (x - centre) + c                  grad_x

where a, b, c, scale, shift and centre have one number per column. `sums` and `grad_x` recompute x * scale + shift to see
where the ReLU gives 0, so y need not be kept. NaN passes the ReLU, and so does its g, as in PyTorch: a net with NaN
activations should not look healthy.
"""

import functools

import numpy as np

from .reductions import column_sums
from .runtime.dispatch import choose
from .shapes import check, floats


@functools.cache
def _fast():
    from .fast import affine

    return affine


def _check(x, g=None, **columns):
    # Plain ifs: formatting a message that is not needed would take as long as a small kernel.
    if x.ndim != 2:
        raise ValueError(f"x is (rows, columns), but has the shape {x.shape}")
    if g is not None and g.shape != x.shape:
        raise ValueError(f"g has the shape {g.shape}, but x {x.shape}")
    for name, column in columns.items():
        if column.shape != x.shape[1:]:
            raise ValueError(
                f"{name} should have one number for each of {x.shape[1]} columns, but has the shape {column.shape}"
            )


def apply(x, scale, shift, relu=False):
    """x * scale + shift (rows, columns); with a ReLU, 0 where that is negative. NaN stays NaN."""
    x, scale, shift = floats(x=x, scale=scale, shift=shift)
    _check(x, scale=scale, shift=shift)
    return choose(apply_loop, apply_numpy, lambda: _fast().apply)(x, scale, shift, relu)


def moments(x):
    """The mean and the (population) variance of each column, both (columns,). Raises ValueError if there are no rows."""
    (x,) = floats(x=x)
    _check(x)
    check(len(x) > 0, "there are no rows, so the columns have no mean")
    return choose(moments_loop, moments_numpy, lambda: _fast().moments)(x)


def sums(g, x, scale, shift, centre, relu=False):
    """The sums of g and of g * (x - centre) over the rows, both (columns,); g counts as 0 where the ReLU gives 0."""
    g, x, scale, shift, centre = floats(g=g, x=x, scale=scale, shift=shift, centre=centre)
    _check(x, g, scale=scale, shift=shift, centre=centre)
    return choose(sums_loop, sums_numpy, lambda: _fast().sums)(g, x, scale, shift, centre, relu)


def grad_x(g, x, scale, shift, centre, a, b, c, relu=False):
    """a * g + b * (x - centre) + c, (rows, columns); g counts as 0 where the ReLU gives 0."""
    g, x, scale, shift, centre, a, b, c = floats(g=g, x=x, scale=scale, shift=shift, centre=centre, a=a, b=b, c=c)
    _check(x, g, scale=scale, shift=shift, centre=centre, a=a, b=b, c=c)
    return choose(grad_x_loop, grad_x_numpy, lambda: _fast().grad_x)(g, x, scale, shift, centre, a, b, c, relu)


def apply_loop(x, scale, shift, relu):
    y = np.empty_like(x)
    for r, c in np.ndindex(x.shape):
        y[r, c] = x[r, c] * scale[c] + shift[c]
        if relu and y[r, c] <= 0:
            y[r, c] = 0
    return y


def moments_loop(x):
    mean, variance = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for r, c in np.ndindex(x.shape):
        mean[c] += float(x[r, c]) / len(x)
    for r, c in np.ndindex(x.shape):
        variance[c] += (float(x[r, c]) - mean[c]) ** 2 / len(x)
    return mean.astype(x.dtype), variance.astype(x.dtype)


def sums_loop(g, x, scale, shift, centre, relu):
    sum_g, sum_gx = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for r, c in np.ndindex(x.shape):
        sent = 0 if relu and x[r, c] * scale[c] + shift[c] <= 0 else g[r, c]
        sum_g[c] += sent
        sum_gx[c] += float(sent) * float(x[r, c] - centre[c])
    return sum_g.astype(x.dtype), sum_gx.astype(x.dtype)


def grad_x_loop(g, x, scale, shift, centre, a, b, c, relu):
    gx = np.empty_like(x)
    for r, k in np.ndindex(x.shape):
        sent = 0 if relu and x[r, k] * scale[k] + shift[k] <= 0 else g[r, k]
        gx[r, k] = a[k] * sent + b[k] * (x[r, k] - centre[k]) + c[k]
    return gx


def apply_numpy(x, scale, shift, relu):
    y = x * scale
    y += shift
    return np.maximum(y, 0, out=y) if relu else y


def moments_numpy(x):
    n = x.dtype.type(len(x))
    mean = column_sums(x) / n
    mean = mean + column_sums(x - mean) / n  # add what was rounded away, so that a constant column has variance 0
    centred = x - mean
    return mean, column_sums(centred * centred) / n


def passed_relu(g, x, scale, shift, relu):
    return np.where(x * scale + shift <= 0, 0, g) if relu else g


def sums_numpy(g, x, scale, shift, centre, relu):
    g = passed_relu(g, x, scale, shift, relu)
    return column_sums(g), column_sums(g * (x - centre))


def grad_x_numpy(g, x, scale, shift, centre, a, b, c, relu):
    return passed_relu(g, x, scale, shift, relu) * a + (x - centre) * b + c
