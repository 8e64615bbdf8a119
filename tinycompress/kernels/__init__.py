"""The hot loops of the engine: arrays in, arrays out, no gradients inside.

Every kernel has three variants with the same signature:

    "loop"   the plain Python loop that defines it                     loops.py
    "numpy"  views of all windows, and BLAS matrix products            vectorised.py
    "fast"   compiled loops over tiles of vector registers (Numba)     fast/, built on registers/

`use` selects one; the default, "fast", falls back to "numpy", with one warning, if Numba is missing or disabled.

The kernels of batch norm (scale, shift and ReLU of columns) are in `affine`. `runtime/` compiles and caches kernels and
splits their work among threads. The kernels of compressed weights are in the chapters that teach them, and follow `use`
too: `pruning.products`, `quantization.products`, `quantization.coding`, `quantization.kmeans`.

Images are x (N, H, W, C), outputs y (N, OH, OW, OC), weights w (kh, kw, C, OC), depthwise ones (kh, kw, C); `stride` is
(sh, sw) and `padding` ((top, bottom), (left, right)) zeros around the image. All arrays of a call must be float32, or all
float64, else TypeError. Shapes that do not match raise ValueError. An empty batch gives an empty result.

>>> x, w = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 3, 2, 5), np.float32)
>>> conv2d(x, w, (1, 1), ((0, 0), (0, 0))).shape
(1, 2, 2, 5)
"""

import functools
from collections.abc import Callable

import numpy as np

from . import loops, shapes, vectorised
from .runtime.dispatch import choose, use, variant
from .runtime.memory import keep_freed_memory
from .runtime.threads import WORTH_A_THREAD, are_shared, get_num_threads, set_num_threads, share
from .shapes import check, floats

__all__ = [
    "avg_pool2d",
    "avg_pool2d_grad",
    "conv2d",
    "conv2d_grad_w",
    "conv2d_grad_x",
    "depthwise_conv2d",
    "depthwise_conv2d_grad_w",
    "depthwise_conv2d_grad_x",
    "get_num_threads",
    "matmul",
    "max_pool2d",
    "max_pool2d_grad",
    "prepare_conv2d",
    "prepare_depthwise_conv2d",
    "prepare_max_pool2d",
    "set_num_threads",
    "use",
    "variant",
]

keep_freed_memory()

FASTER = 4
"""BLAS does this many multiply-adds of a large product in the time of one of a small convolution, for which `share` is made."""


@functools.cache
def _fast():
    from . import fast

    return fast


def _kernels():
    """The module of the active variant."""
    return choose(loops, vectorised, _fast)


# Plain ifs, not `check`: formatting a message that is not needed would take as long as a small kernel.


def _check_images(**images):
    for name, shape in images.items():
        if len(shape) != 4:
            raise ValueError(f"{name} is (batch, height, width, channels), but has the shape {tuple(shape)}")


def _check_g(g, size, channels, batch):
    expected = (batch, *size, channels)
    if g.shape != expected:
        raise ValueError(f"the output's gradient should have the output's shape {expected}, but has {g.shape}")


def _check_filters(kind, axes, x_shape, w_shape, bias=None, g=None, stride=None, padding=None):
    """Check the shapes of images, of weights with these axes, and of a bias and the output's gradient g, where given."""
    _check_images(x=x_shape)
    if len(w_shape) != len(axes):
        raise ValueError(f"{kind} weights are ({', '.join(axes)}), but have the shape {tuple(w_shape)}")
    if x_shape[3] != w_shape[2]:
        raise ValueError(
            f"x has {x_shape[3]} channels (shape {tuple(x_shape)}), but the {kind} weights expect {w_shape[2]} "
            f"(shape {tuple(w_shape)})"
        )
    if bias is not None and np.shape(bias) != (w_shape[-1],):
        raise ValueError(
            f"the bias should have the shape ({w_shape[-1]},), one number per output channel, but has {np.shape(bias)}"
        )
    if g is not None:
        _check_g(g, shapes.output_size(x_shape[1:3], w_shape[:2], stride, padding), w_shape[-1], x_shape[0])


_check_conv = functools.partial(_check_filters, "convolution", ("kh", "kw", "in", "out"))
_check_depthwise = functools.partial(_check_filters, "depthwise", ("kh", "kw", "channels"))


def conv2d(x, w, stride, padding, bias=None) -> np.ndarray:
    """y[n, oh, ow, o] = bias[o] + sum over i, j, c of x[n, oh*sh + i - top, ow*sw + j - left, c] * w[i, j, c, o].

    x is zero outside the image; the bias (OC,) may be None.
    """
    _check_conv(np.shape(x), np.shape(w), bias)
    x, w, bias = floats(x=x, w=w, bias=bias)
    return _kernels().conv2d(x, w, stride, padding, bias)


def prepare_conv2d(x, w, stride, padding, bias=None, relu=False) -> tuple[np.ndarray, Callable[[], None]]:
    """A new array y and a function without arguments that computes y, as `conv2d` does, from what x then holds.

    For a layer that runs often on arrays of one shape: all checks are done and the weights packed here, once.
    """
    _check_conv(x.shape, w.shape, bias)
    x, w, bias = floats(x=x, w=w, bias=bias)
    return _prepared("conv2d", (x, w, stride, padding, bias), relu)


def prepare_depthwise_conv2d(x, w, stride, padding, bias=None, relu=False) -> tuple[np.ndarray, Callable[[], None]]:
    """As `prepare_conv2d`, for `depthwise_conv2d`."""
    _check_depthwise(x.shape, w.shape, bias)
    x, w, bias = floats(x=x, w=w, bias=bias)
    return _prepared("depthwise_conv2d", (x, w, stride, padding, bias), relu)


def prepare_max_pool2d(x, size, stride, relu=False) -> tuple[np.ndarray, Callable[[], None]]:
    """As `prepare_conv2d`, for the values of `max_pool2d`."""
    (x,) = floats(x=x)
    _check_images(x=x.shape)
    return _prepared("max_pool2d", (x, size, stride), relu)


def _prepared(name, arguments, relu):
    if fast := getattr(_kernels(), f"prepare_{name}", None):
        return fast(*arguments, relu)

    def compute():
        y = getattr(_kernels(), name)(*arguments)
        y = y[0] if isinstance(y, tuple) else y  # without the positions
        return np.maximum(y, y.dtype.type(0)) if relu else y

    y = compute()
    return y, lambda: np.copyto(y, compute())


def conv2d_grad_x(g, w, stride, padding, x_shape) -> np.ndarray:
    """The gradient with respect to x, of shape `x_shape`, from the gradient g of the output y."""
    g, w = floats(g=g, w=w)
    _check_conv(x_shape, w.shape, g=g, stride=stride, padding=padding)
    return _kernels().conv2d_grad_x(g, w, stride, padding, x_shape)


def matmul(a, b) -> np.ndarray:
    """a @ b for matrices (rows, k) and (k, columns), by BLAS: on its own threads, or if these would disturb ours (see
    `set_num_threads`), with rows or columns shared among ours.

    Parts of a product may be added in another order than the whole, so that the last bits depend on the number of threads.
    """
    rows, columns = len(a), b.shape[1]
    size = rows * b.size // FASTER
    if size < 2 * WORTH_A_THREAD or not are_shared() or a.dtype != b.dtype:
        return np.dot(a, b)
    y = np.empty((rows, columns), a.dtype)
    if rows >= columns:
        share(lambda start, end: np.matmul(a[start:end], b, y[start:end]), rows, size)
    else:
        share(lambda start, end: np.matmul(a, b[:, start:end], y[:, start:end]), columns, size)
    return y


def conv2d_grad_w(x, g, stride, padding, w_shape) -> np.ndarray:
    """The gradient with respect to w, of shape `w_shape`, from the gradient g of the output y."""
    x, g = floats(x=x, g=g)
    _check_conv(x.shape, w_shape, g=g, stride=stride, padding=padding)
    return _kernels().conv2d_grad_w(x, g, stride, padding, w_shape)


def depthwise_conv2d(x, w, stride, padding, bias=None) -> np.ndarray:
    """Convolve each channel with its own filter.

    y[n, oh, ow, c] = bias[c] + sum over i, j of x[n, oh*sh + i - top, ow*sw + j - left, c] * w[i, j, c], zero outside x.
    """
    _check_depthwise(np.shape(x), np.shape(w), bias)
    x, w, bias = floats(x=x, w=w, bias=bias)
    return _kernels().depthwise_conv2d(x, w, stride, padding, bias)


def depthwise_conv2d_grad_x(g, w, stride, padding, x_shape) -> np.ndarray:
    """The gradient with respect to x, of shape `x_shape`, from the gradient g of the output y."""
    g, w = floats(g=g, w=w)
    _check_depthwise(x_shape, w.shape, g=g, stride=stride, padding=padding)
    return _kernels().depthwise_conv2d_grad_x(g, w, stride, padding, x_shape)


def depthwise_conv2d_grad_w(x, g, stride, padding, w_shape) -> np.ndarray:
    """The gradient with respect to w, of shape `w_shape`, from the gradient g of the output y."""
    x, g = floats(x=x, g=g)
    _check_depthwise(x.shape, w_shape, g=g, stride=stride, padding=padding)
    return _kernels().depthwise_conv2d_grad_w(x, g, stride, padding, w_shape)


def max_pool2d(x, size, stride, relu=False) -> tuple[np.ndarray, np.ndarray]:
    """The largest element of each window of `size` (kh, kw), per channel: (y, argmax), both (N, OH, OW, C).

    argmax (int32) is its position i*kw + j inside the window, the first one on ties, for `max_pool2d_grad`. Windows that
    do not fit inside the image are dropped. NaN counts as the largest. With a ReLU, y is max(y, 0), and argmax is -1
    where the 0 wins.
    """
    (x,) = floats(x=x)
    _check_images(x=x.shape)
    return _kernels().max_pool2d(x, size, stride, relu)


def max_pool2d_grad(g, argmax, size, stride, x_shape) -> np.ndarray:
    """The gradient with respect to x: each g goes to the largest element of its window, or nowhere if argmax is -1."""
    (g,) = floats(g=g)
    check(g.shape == argmax.shape, f"g has the shape {g.shape}, but argmax has {argmax.shape}")
    _check_g(g, shapes.output_size(x_shape[1:3], size, stride), x_shape[3], x_shape[0])
    return _kernels().max_pool2d_grad(g, argmax, size, stride, x_shape)


def avg_pool2d(x, size, stride) -> np.ndarray:
    """The mean of each window of `size` (kh, kw) that fits inside the image, per channel: (N, OH, OW, C)."""
    (x,) = floats(x=x)
    _check_images(x=x.shape)
    return _kernels().avg_pool2d(x, size, stride)


def avg_pool2d_grad(g, size, stride, x_shape) -> np.ndarray:
    """The gradient with respect to x: each g is shared equally among the elements of its window."""
    (g,) = floats(g=g)
    _check_g(g, shapes.output_size(x_shape[1:3], size, stride), x_shape[3], x_shape[0])
    return _kernels().avg_pool2d_grad(g, size, stride, x_shape)
