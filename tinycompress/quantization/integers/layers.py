"""The layers of an integer net: each takes uint8 activations, and returns the uint8 activations of the next layer.

With x = s_x (q_x - z_x), w = s_w q_w and y = s_y (q_y - z_y), a layer y = x w + b becomes

    q_y = z_y + M sum (q_x - z_x) q_w + b / s_y        M = s_x s_w / s_y

where the sum is exact in 32 bits, and M is an integer times a power of 2 (Jacob et al. 2018, equations 4 to 7).
A ReLU needs no code: clipping q_y to the ends of its grid does it.
"""

from math import prod

import numpy as np

from ... import functional as F
from ...kernels.shapes import NO_PADDING
from ...nn import AvgPool2d, GlobalAvgPool, MaxPool2d, Module
from ...nn.weighted import effective
from ...tensor import Tensor
from ..grid import Grid
from ..products import int8_conv
from ..products.int8 import MAX_INPUTS, pack_int8, prepare_linear
from ..products.int8_conv import pack_filters
from ..products.requantize import Requantizer, fixed_point, prepare_sum

SUM_SHIFT = 16  # of the sum of two branches
LONGEST_ROW = 64  # rows of a batch that make one row of an image
BIAS_LIMIT = 2**30  # of a bias in units of the sums: a bias plus a sum must fit 32 bits


class IntegerLayer:
    """Integers in, integers out. nbytes: the size of the numbers it stores."""

    nbytes = 0

    def __call__(self, q: np.ndarray) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} needs a method __call__(self, q)")

    def prepare(self, q: np.ndarray):
        """A new array y, and a function without arguments that computes it from what q, a contiguous array, then holds."""
        y = np.ascontiguousarray(self(q))
        return y, lambda: np.copyto(y, self(q))


class IntegerDense(IntegerLayer):
    """(…, in) uint8 to (…, out): uint8 on the grid `out`, or float32 logits if out is None.

    weights: int8 (in, out). scale: of the weights, (out,). grid: of the input. Raises ValueError for more than 65,793
    inputs, whose sums may not fit into 32 bits.
    """

    def __init__(self, layer: Module, weights: np.ndarray, scale: np.ndarray, grid: Grid, out: Grid | None):
        if prod(weights.shape[:-1]) > MAX_INPUTS:
            raise ValueError(f"{layer!r} has more than {MAX_INPUTS} inputs; their sums may not fit into 32 bits")
        self.zero_point = int(grid.zero_point)
        self.scale = np.ascontiguousarray(scale * grid.scale, np.float32)
        real_bias = np.zeros(len(self.scale), np.float32) if layer.latent("bias") is None else effective(layer, "bias")
        self.out, self.bias = out, real_bias
        self.weights = self.pack(layer, weights)
        if out is not None:
            factor, shift = fixed_point(self.scale.astype(np.float64) / out.scale)
            # Keep the bias in units of sum times factor. In units of the sums it would be rounded, which training does
            # not do. The contribution of the zero point to every sum of q_x q_w is known in advance.
            bias = np.clip(real_bias / self.scale.astype(np.float64), -BIAS_LIMIT, BIAS_LIMIT)
            added = self.zero_point * weights.reshape(-1, weights.shape[-1]).sum(0, dtype=np.int64)
            offset = np.rint(bias * factor).astype(np.int64) - added * factor
            self.finish = Requantizer(offset, factor, shift, int(out.zero_point), int(out.low), int(out.high))

    @property
    def nbytes(self) -> int:
        per_output = 4 + 4 + (1 if self.out is not None else 0)  # bias; then a factor and a shift, or a scale
        return self.weights.nbytes + per_output * len(self.bias)

    def pack(self, layer: Module, weights: np.ndarray):
        return pack_int8(weights) if self.out is None else pack_filters(weights[None, None])

    def __call__(self, q):
        y, run = self.prepare(q)
        run()
        return y

    def prepare(self, q):
        if self.out is None:
            rows = np.ascontiguousarray(q).reshape(-1, q.shape[-1])
            y, run = prepare_linear(rows, self.weights, self.scale, self.zero_point, self.bias)
            return y.reshape(*q.shape[:-1], y.shape[-1]), run
        # A 1×1 convolution of images of one row, which rounds the sums while they are in registers.
        count = prod(q.shape[:-1])
        length = max(n for n in range(1, LONGEST_ROW + 1) if count % n == 0)
        images = np.ascontiguousarray(q).reshape(count // length, 1, length, q.shape[-1])
        y, run = int8_conv.prepare(images, self.weights, (1, 1), NO_PADDING, self.zero_point, self.finish)
        return y.reshape(*q.shape[:-1], y.shape[-1]), run


class IntegerConv2d(IntegerDense):
    """A dense layer on every window of an image: (N, H, W, in) to (N, H', W', out)."""

    def __init__(self, layer: Module, weights, scale, grid, out):
        if out is None:
            raise ValueError(f"{layer!r} cannot be the last layer of an integer net; end with a dense layer")
        self.kernel, self.stride, self.padding = weights.shape, layer.stride, layer.padding
        super().__init__(layer, weights, scale, grid, out)

    def pack(self, layer, weights):
        return pack_filters(weights)

    def prepare(self, q):
        # Reuse the checks and the padding of the real convolution.
        x, weight = (Tensor(np.broadcast_to(np.float32(0), shape)) for shape in (q.shape, self.kernel))
        stride, padding = F._window("an integer convolution", x, weight, q.shape[3:], self.stride, self.padding)
        return int8_conv.prepare(np.ascontiguousarray(q), self.weights, stride, padding, self.zero_point, self.finish)


class IntegerDepthwiseConv2d(IntegerConv2d):
    """Each channel with its own filter: (N, H, W, C) to (N, H', W', C)."""

    def pack(self, layer, weights):
        return weights


class Table(IntegerLayer):
    """An activation as a table of its 256 possible results."""

    def __init__(self, layer: Module, grid: Grid, out: Grid):
        self.table = out.quantize(layer(Tensor(grid.dequantize(np.arange(256)))).data)
        self.nbytes = self.table.nbytes

    def __call__(self, q):
        return self.table[q]


class IntegerMaxPool2d(IntegerLayer):
    """The maximum of each window. Grids keep the order of the real numbers, so no rounding is needed."""

    def __init__(self, layer: MaxPool2d):
        self.size, self.stride = layer.size, layer.stride

    def __call__(self, q):
        y, run = self.prepare(q)
        run()
        return y

    def prepare(self, q):
        return int8_conv.prepare_max_pool(np.ascontiguousarray(q), *_pool_window(q, self.size, self.stride))


class IntegerAvgPool2d(IntegerLayer):
    """The mean of each window, or of the whole image: from the integers of `grid` to those of `out`."""

    nbytes = 5  # a factor and a shift

    def __init__(self, layer: AvgPool2d | GlobalAvgPool, grid: Grid, out: Grid):
        self.size, self.stride = (None, None) if isinstance(layer, GlobalAvgPool) else (layer.size, layer.stride)
        self.zero_point, self.ratio, self.out = int(grid.zero_point), float(grid.scale) / float(out.scale), out

    def __call__(self, q):
        y, run = self.prepare(q)
        run()
        return y

    def prepare(self, q):
        size, stride = (q.shape[1:3], (1, 1)) if self.size is None else _pool_window(q, self.size, self.stride)
        # A depthwise convolution whose weights are 1.
        factor, shift = (np.full(q.shape[-1], value) for value in fixed_point(self.ratio / prod(size)))
        offset = -prod(size) * self.zero_point * factor
        finish = Requantizer(offset, factor, shift, int(self.out.zero_point), int(self.out.low), int(self.out.high))
        ones = np.ones((*size, q.shape[-1]), np.int8)
        y, run = int8_conv.prepare(np.ascontiguousarray(q), ones, stride, NO_PADDING, self.zero_point, finish)
        return (y[:, 0, 0] if self.size is None else y), run


class IntegerFlatten(IntegerLayer):
    """(N, …) to (N, everything else)."""

    def __call__(self, q):
        return q.reshape(len(q), prod(q.shape[1:]))

    def prepare(self, q):
        return self(q), lambda: None  # a view


class IntegerResidual(IntegerLayer):
    """body(x) + shortcut(x): branches on different grids, `body_grid` and `around`, added on the grid `out`."""

    def __init__(
        self, body: list[IntegerLayer], body_grid: Grid, shortcut: list[IntegerLayer], around: Grid, out: Grid
    ):
        self.branches = body, shortcut
        ratios = [float(grid.scale) / float(out.scale) for grid in (body_grid, around)]
        # One shift for both, so that the sum is rounded once.
        factors = [round(ratio * 2**SUM_SHIFT) for ratio in ratios]
        zero_points = [int(grid.zero_point) for grid in (body_grid, around)]
        offset = (1 << SUM_SHIFT - 1) - sum(z * factor for z, factor in zip(zero_points, factors, strict=True))
        self.how = factors, offset, SUM_SHIFT, int(out.zero_point), int(out.low), int(out.high)
        self.nbytes = 8 + sum(layer.nbytes for branch in self.branches for layer in branch)

    def __call__(self, q):
        y, run = self.prepare(q)
        run()
        return y

    def prepare(self, q):
        ends, runs = [], []
        for branch in self.branches:
            y = q
            for layer in branch:
                y, run = layer.prepare(y)
                runs.append(run)
            ends.append(y)
        y, add = prepare_sum(*ends, *self.how)

        def run():
            for part in runs:
                part()
            add()

        return y, run


def _pool_window(q, size, stride) -> tuple[tuple[int, int], tuple[int, int]]:
    return F._pool_window("an integer pooling", Tensor(np.broadcast_to(np.float32(0), q.shape)), size, stride)
