"""The forms that a layer can take for prediction, and which of them is the fastest here.

A form is a function prepare(x): for an input array x it allocates the output y and returns (y, run), where run() computes y
from what x then holds. Weights are packed when a form is made, or when it is prepared, and never by run().
"""

from collections.abc import Callable
from math import prod

import numpy as np

from .. import functional as F
from .. import kernels
from ..kernels import affine, elementwise
from ..kernels.runtime.memory import aligned_empty
from ..kernels.shapes import NO_PADDING
from ..nn import AvgPool2d, BatchNorm, Conv2d, Dense, DepthwiseConv2d, MaxPool2d, Module, Residual
from ..profiling import latency
from ..pruning.products import blocks, csr
from ..quantization.codebook import CodebookDense
from ..quantization.products.binary import binary_linear, pack_signs
from ..tensor import Tensor

Prepare = Callable[[np.ndarray], tuple[np.ndarray, Callable[[], object]]]

TAKE_RELU = (Dense, Conv2d, DepthwiseConv2d, BatchNorm, AvgPool2d, MaxPool2d, Residual)
"""Layers that have forms of their own, all of which can apply the ReLU after them."""

BLAS, CODEBOOK, CALLED = "dense, BLAS", "4-bit codebook", "called as it is"
SPARSE = 0.5  # the share of zeros from which on forms that skip them are tried
BETTER = 0.95  # a form must take at most this share of the time of the one before it in the list


def of(layer: Module, kind: type, relu: bool, x: np.ndarray) -> dict[str, Prepare]:
    """The forms of a layer that computes as `kind`, by name; the simplest first."""
    if kind is BatchNorm:
        return {"scale and shift": scale_and_shift(layer, relu)}
    if kind is MaxPool2d:
        return {"vectors of channels": max_pool(layer, relu)}
    if kind is AvgPool2d:
        return {"a depthwise convolution": average_pool(layer, relu)}
    w, bias = layer.weight.data, None if layer.bias is None else layer.bias.data
    if kind is not Dense:
        return {"tile": convolution(layer, kind, w, bias, relu)}
    if x.ndim != 2:  # every pixel on its own: a 1×1 convolution
        return {"tile": pointwise(w, bias, relu)}
    found = {BLAS: dense(lambda rows: lambda: rows @ w, w, bias, relu), "dense, tile": pointwise(w, bias, relu)}
    zeros = float(np.mean(w == 0))
    if zeros >= SPARSE:
        found[f"CSR, {zeros:.0%} zeros"] = dense(_csr(w), w, bias, relu)
        packed = blocks.pack_blocks(w)
        empty = 1 - packed.values.size / max(1, w.size)
        if empty >= SPARSE:
            product = blocks.kernel()
            found[f"blocks, {empty:.0%} empty"] = dense(lambda rows: lambda: product(rows, packed), w, bias, relu)
    if w.dtype == np.float32:
        found |= _few_values(w, bias, relu)
    return found


def fastest(found: dict[str, Prepare], x: np.ndarray) -> tuple[str, Prepare, str]:
    """The name of the fastest form, the form, and the times that decided; a single form is not timed."""
    best, *others = found
    if not others:
        return best, found[best], ""
    times = {name: time.median for name, time in latency({n: p(x)[1] for n, p in found.items()}, 5, 1).items()}
    for name in others:
        if times[name] <= BETTER * times[best]:
            best = name
    said = ", ".join(f"{name} {1000 * ms:.3g} µs" for name, ms in times.items())
    return best, found[best], f"batch {len(x)}: {said}"


def dense(multiply: Callable, w: np.ndarray, bias: np.ndarray | None, relu: bool) -> Prepare:
    """A product of rows x (N, in) with a matrix (in, out), then bias and ReLU. multiply(x): a function that returns the
    product for what x then holds."""
    zero = w.dtype.type(0)

    def prepare(x):
        y, product = aligned_empty((len(x), w.shape[1]), x.dtype), multiply(x)

        def run():
            np.add(product(), zero if bias is None else bias, out=y)
            if relu:
                np.maximum(y, zero, out=y)

        return y, run

    return prepare


def _csr(w: np.ndarray):
    rows, columns = w.T.nonzero()
    indptr = np.searchsorted(rows, np.arange(w.shape[1] + 1)).astype(np.int32)
    indices, values = columns.astype(np.int32), w.T[rows, columns]
    multiply = csr.kernel()

    def product(x):
        turned = aligned_empty(x.shape[::-1], x.dtype)  # the kernel has the batch in the lanes

        def run():
            np.copyto(turned, x.T)
            return multiply(indptr, indices, values, turned).T

        return run

    return product


def _few_values(w: np.ndarray, bias: np.ndarray | None, relu: bool) -> dict[str, Prepare]:
    """The forms of float32 weights with one absolute value per output, or with at most 16 values in all."""
    scale = np.abs(w[0])
    if scale.all() and (np.abs(w) == scale).all():
        packed = pack_signs(w)
        return {"1 bit per weight": dense(lambda x: lambda: binary_linear(x, packed) * scale, w, bias, relu)}
    if len(np.unique(w)) > 16:
        return {}
    layer = CodebookDense(w)
    return {CODEBOOK: dense(lambda x: lambda: layer(Tensor(x)).data, w, bias, relu)}


def convolution(layer: Module, kind: type, w: np.ndarray, bias: np.ndarray | None, relu: bool) -> Prepare:
    """A standard or depthwise convolution."""
    prepared = kernels.prepare_conv2d if kind is Conv2d else kernels.prepare_depthwise_conv2d

    def prepare(x):
        stride, padding = F._window(repr(layer), Tensor(x), layer.weight, w.shape[2:3], layer.stride, layer.padding)
        return prepared(x, w, stride, padding, bias, relu)

    return prepare


def pointwise(w: np.ndarray, bias: np.ndarray | None, relu: bool) -> Prepare:
    """A dense layer on every pixel of images, or on every row of a batch."""

    def prepare(x):
        y, run = kernels.prepare_conv2d(x.reshape(-1, 1, 1, len(w)), w[None, None], (1, 1), NO_PADDING, bias, relu)
        return y.reshape(*x.shape[:-1], w.shape[1]), run

    return prepare


def scale_and_shift(norm: BatchNorm, relu: bool) -> Prepare:
    """A batch norm that no layer could take in."""
    scale = (norm.weight.data / np.sqrt(norm.running_var + norm.eps)).astype(norm.weight.dtype)
    shift = norm.bias.data - norm.running_mean * scale
    return called(lambda x: affine.apply(x.reshape(-1, len(scale)), scale, shift, relu).reshape(x.shape))


def max_pool(layer: MaxPool2d, relu: bool) -> Prepare:
    """The largest value of each window; training also needs its place, for the gradient."""

    def prepare(x):
        return kernels.prepare_max_pool2d(x, *F._pool_window(repr(layer), Tensor(x), layer.size, layer.stride), relu)

    return prepare


def average_pool(layer: AvgPool2d, relu: bool) -> Prepare:
    """The mean of each window: a depthwise convolution whose weights are all equal."""

    def prepare(x):
        size, stride = F._pool_window(repr(layer), Tensor(x), layer.size, layer.stride)
        w = np.full((*size, x.shape[-1]), 1 / prod(size), x.dtype)
        return kernels.prepare_depthwise_conv2d(x, w, stride, NO_PADDING, None, relu)

    return prepare


def global_average(x: np.ndarray):
    """The mean over each image, for images of few pixels, which may be added one by one: a product with a row of 1/pixels."""
    pixels = x.reshape(len(x), -1, x.shape[-1])
    row = np.full((1, pixels.shape[1]), 1 / pixels.shape[1], x.dtype)
    y = aligned_empty((len(x), 1, x.shape[-1]), x.dtype)
    return y[:, 0], lambda: np.matmul(row, pixels, out=y)


def called(function: Callable[[np.ndarray], np.ndarray]) -> Prepare:
    """A function of arrays, such as a module that has no form of its own."""

    def prepare(x):
        y = np.copy(function(x), order="C")
        return y, lambda: np.copyto(y, function(x))

    return prepare


def flatten(x: np.ndarray):
    """(N, …) -> (N, features): a view."""
    return x.reshape(len(x), -1), lambda: None


class Sum:
    """Runs the steps of two branches, and adds what they end with. parts: (step, its output, its function)."""

    def __init__(self, parts: list, add: Callable[[], object]):
        self.parts, self.add = parts, add

    def __call__(self):
        for _, _, run in self.parts:
            run()
        self.add()


def residual(body: list, shortcut: list, relu: bool) -> Prepare:
    """The sum of two lists of steps; an empty list stands for the input itself."""

    def prepare(x):
        ends, parts = [], []
        for steps in (body, shortcut):
            y = x
            for step in steps:
                y, run = step.prepare(y)
                parts.append((step, y, run))
            ends.append(y)
        y = aligned_empty(ends[0].shape, x.dtype) if np.shares_memory(ends[0], x) else ends[0]
        return y, Sum(parts, lambda: elementwise.add(*ends, relu, y))

    return prepare
