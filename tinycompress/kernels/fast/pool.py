"""Pooling: vectors of channels, one output pixel at a time."""

import math

import numpy as np

from ..registers.tile import (
    lanes_of,
    tile_add_where,
    tile_full,
    tile_larger,
    tile_load,
    tile_max,
    tile_store,
    tile_zeros,
    tile_zeros_like,
)
from ..runtime.jit import jit
from ..runtime.memory import aligned_empty, aligned_zeros
from ..runtime.threads import share
from ..shapes import NO_PADDING, output_size
from .depthwise import depthwise_conv2d, depthwise_conv2d_grad_x

FEW_TAPS = 256
"""The mean of a larger window is the mean of its columns' means: a long sum has a larger rounding error."""


COST = 16
"""Multiply-adds in the time that it takes to load and compare a number."""


@jit
def max_pool_images(start, end, x, y, argmax, image_size, out_size, size, stride, floor, nowhere):
    """Pool the images from `start` up to `end`.

    The last vector of channels overlaps the one before it, so that it is full; both store the same values there.
    """
    (H, W, C), (OH, OW), (kh, kw), (sh, sw) = image_size, out_size, size, stride
    lanes = lanes_of(x)
    columns = min(lanes, C)
    least = tile_full(tile_zeros(1, 1, x), floor)
    seen_nowhere = tile_full(tile_zeros_like(least, argmax), nowhere)
    for n in range(start, end):
        for oh in range(OH):
            for ow in range(OW):
                corner = ((n * H + oh * sh) * W + ow * sw) * C
                pixel = ((n * OH + oh) * OW + ow) * C
                for block in range(0, C, lanes):
                    c = max(0, min(block, C - lanes))
                    best, where = least, seen_nowhere
                    for i in range(kh):
                        for j in range(kw):
                            seen = tile_load(best, x, corner + (i * W + j) * C + c, 0, columns)
                            best, where = tile_max(best, where, seen, i * kw + j)
                    tile_store(best, y, pixel + c, 0, 1, columns)
                    tile_store(where, argmax, pixel + c, 0, 1, columns)


@jit
def max_pool_values(kh, kw, start, end, x, y, image_size, out_size, stride, floor):
    """As `max_pool_images`, without the positions; windows of len(kh) x len(kw), constants, so that their loops unroll."""
    (H, W, C), (OH, OW), (sh, sw) = image_size, out_size, stride
    lanes = lanes_of(x)
    columns = min(lanes, C)
    least = tile_full(tile_zeros(1, 1, x), floor)
    for n in range(start, end):
        for oh in range(OH):
            for ow in range(OW):
                corner = ((n * H + oh * sh) * W + ow * sw) * C
                pixel = ((n * OH + oh) * OW + ow) * C
                for block in range(0, C, lanes):
                    c = max(0, min(block, C - lanes))
                    best = least
                    for i in range(len(kh)):
                        for j in range(len(kw)):
                            best = tile_larger(best, tile_load(best, x, corner + (i * W + j) * C + c, 0, columns))
                    tile_store(best, y, pixel + c, 0, 1, columns)


@jit
def max_pool_grad_images(start, end, g, argmax, gx, image_size, out_size, size, stride):
    """Send g back for the images from `start` up to `end`: store if windows do not overlap, else add to gx."""
    (H, W, C), (OH, OW), (kh, kw), (sh, sw) = image_size, out_size, size, stride
    lanes = lanes_of(g)
    apart = sh >= kh and sw >= kw
    zero = tile_zeros(1, 1, g)
    for n in range(start, end):
        for oh in range(OH):
            for ow in range(OW):
                corner = ((n * H + oh * sh) * W + ow * sw) * C
                pixel = ((n * OH + oh) * OW + ow) * C
                for block in range(0, C, lanes):
                    c = max(0, min(block, C - lanes)) if apart else block
                    columns = min(lanes, C - c)
                    sent = tile_load(zero, g, pixel + c, 0, columns)
                    where = tile_load(zero, argmax, pixel + c, 0, columns)
                    for i in range(kh):
                        for j in range(kw):
                            at = corner + (i * W + j) * C + c
                            received = zero
                            if not apart:
                                received = tile_load(zero, gx, at, 0, columns)
                            received = tile_add_where(received, sent, where, i * kw + j)
                            tile_store(received, gx, at, 0, 1, columns)


def max_pool2d(x, size, stride, relu=False):
    N, H, W, C = x.shape
    OH, OW = output_size((H, W), size, stride)
    y, argmax = aligned_empty((N, OH, OW, C), x.dtype), aligned_empty((N, OH, OW, C), np.int32)
    floor, nowhere = (0.0, -1) if relu else (-np.inf, 0)

    def work(start, end):
        max_pool_images(start, end, x, y, argmax, (H, W, C), (OH, OW), tuple(size), tuple(stride), floor, nowhere)

    share(work, N, COST * y.size * math.prod(size))
    return y, argmax


def prepare_max_pool2d(x, size, stride, relu=False):
    """As `conv.prepare_conv2d`, for the values of `max_pool2d`; x may also hold bytes."""
    N, H, W, C = x.shape
    OH, OW = output_size((H, W), size, stride)
    y, (kh, kw) = aligned_empty((N, OH, OW, C), x.dtype), ((0,) * n for n in size)
    floor = x.dtype.type(0 if relu or x.dtype.kind == "u" else -np.inf)
    flat_x, flat_y, sizes = x.reshape(-1), y.reshape(-1), ((H, W, C), (OH, OW), tuple(stride), floor)

    def work(start, end):
        max_pool_values(kh, kw, start, end, flat_x, flat_y, *sizes)

    return y, lambda: share(work, N, COST * y.size * math.prod(size))


def max_pool2d_grad(g, argmax, size, stride, x_shape):
    N, H, W, C = x_shape
    sees_all = tuple(size) == tuple(stride) and H % size[0] == W % size[1] == 0
    gx = (aligned_empty if sees_all else aligned_zeros)(x_shape, g.dtype)
    argmax = np.ascontiguousarray(argmax, np.int32)

    def work(start, end):
        max_pool_grad_images(start, end, g, argmax, gx, (H, W, C), g.shape[1:3], tuple(size), tuple(stride))

    share(work, N, COST * g.size * math.prod(size))
    return gx


def mean_filter(size, channels, dtype):
    return np.full((*size, channels), 1 / math.prod(size), dtype)


def in_two_steps(size):
    return min(size) > 1 and math.prod(size) > FEW_TAPS


def avg_pool2d(x, size, stride):
    """A depthwise convolution whose weights are all equal."""
    output_size(x.shape[1:3], size, stride)
    if in_two_steps(size):
        return avg_pool2d(avg_pool2d(x, (size[0], 1), (stride[0], 1)), (1, size[1]), (1, stride[1]))
    return depthwise_conv2d(x, mean_filter(size, x.shape[3], x.dtype), stride, NO_PADDING)


def avg_pool2d_grad(g, size, stride, x_shape):
    if in_two_steps(size):
        g = avg_pool2d_grad(g, (1, size[1]), (1, stride[1]), (*g.shape[:2], *x_shape[2:]))
        size, stride = (size[0], 1), (stride[0], 1)
    return depthwise_conv2d_grad_x(g, mean_filter(size, x_shape[3], g.dtype), stride, NO_PADDING, x_shape)
