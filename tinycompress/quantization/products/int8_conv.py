"""Convolutions of bytes: images are uint8 (N, H, W, C), weights int8, sums exact, and only bytes leave the cache.

    y[n, oh, ow, o] = requantize(sum over i, j, c of x[n, oh*sh + i - top, ow*sw + j - left, c] * w[i, j, c, o])

Where the window sticks out of the image, x is the integer that stands for 0. `requantize.py` says how a 32-bit sum becomes
one of the next layer's bytes. Depthwise convolution is the same with one filter per channel.
"""

import functools
from dataclasses import dataclass
from math import prod

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check, output_size
from . import requantize
from .int8 import LINE, MAX_INPUTS


@functools.cache
def _fast():
    from . import int8_conv_fast

    return int8_conv_fast


@dataclass(frozen=True, eq=False)
class Int8Filters:
    """Int8 filters in the order in which they are multiplied. See `pack_filters`.

    A row of a window is a run of kw*C consecutive bytes, padded to whole words of four with weights 0:
    w[i, j, c, o] is lines[o // 16, i, (j*C + c) // 4, o % 16, (j*C + c) % 4].
    """

    lines: np.ndarray  # int8 (out / 16, kh, kw * C / 4, 16, 4), rounded up
    shape: tuple[int, int, int, int]  # (kh, kw, C, out)

    def __post_init__(self):
        kh, kw, C, OC = self.shape
        expected = (-(-OC // LINE), kh, -(-kw * C // 4), LINE, 4)
        check(self.lines.shape == expected, f"the lines should be {expected}, but are {self.lines.shape}")

    @property
    def nbytes(self):
        """Bytes in memory."""
        return self.lines.nbytes

    def unpacked(self):
        """The filters (kh, kw, C, out), int8."""
        kh, kw, C, OC = self.shape
        blocks, _, words = self.lines.shape[:3]
        rows = self.lines.transpose(1, 2, 4, 0, 3).reshape(kh, words * 4, blocks * LINE)
        return rows[:, : kw * C, :OC].reshape(self.shape)


def pack_filters(w):
    """Pack int8 filters (kh, kw, C, out) into `Int8Filters`. TypeError for another dtype, ValueError unless 4-D and for
    windows of more than 65,793 numbers, whose sums may not fit into 32 bits."""
    if w.dtype != np.int8:
        raise TypeError(f"the filters should be int8, but are {w.dtype}; scale, round and clip them to -128 .. 127")
    check(w.ndim == 4, f"filters should be (kh, kw, in, out), but have the shape {w.shape}")
    kh, kw, C, OC = w.shape
    check(
        prod(w.shape[:3]) <= MAX_INPUTS, f"a window of {prod(w.shape[:3])} numbers is too large; at most {MAX_INPUTS}"
    )
    blocks, words = -(-OC // LINE), -(-kw * C // 4)
    rows = np.zeros((kh, words * 4, blocks * LINE), np.int8)
    rows[:, : kw * C, :OC] = w.reshape(kh, kw * C, OC)
    lines = rows.reshape(kh, words, 4, blocks, LINE).transpose(3, 0, 1, 4, 2)
    return Int8Filters(np.ascontiguousarray(lines), w.shape)


def int8_conv2d(x, w, stride, padding, zero_point, finish):
    """Convolve x, uint8 (N, H, W, C), with the `Int8Filters` w: uint8 (N, OH, OW, out).

    stride: (sh, sw). padding: ((top, bottom), (left, right)). zero_point: the integer that means 0 in x. finish: the
    `Requantizer` of the sums. TypeError unless x is uint8, ValueError if the shapes do not match.
    """
    x = _checked(x, w.shape[2], w.shape[3], zero_point, finish)
    return choose(conv_loop, conv_numpy, lambda: _fast().int8_conv2d)(x, w, stride, padding, zero_point, finish)


def int8_depthwise(x, w, stride, padding, zero_point, finish):
    """Convolve each channel of x, uint8 (N, H, W, C), with its own filter w, int8 (kh, kw, C): uint8 (N, OH, OW, C).

    The other arguments are those of `int8_conv2d`.
    """
    if w.dtype != np.int8:
        raise TypeError(f"the filters should be int8, but are {w.dtype}; scale, round and clip them to -128 .. 127")
    check(w.ndim == 3, f"depthwise filters should be (kh, kw, channels), but have the shape {w.shape}")
    x = _checked(x, w.shape[2], w.shape[2], zero_point, finish)
    return choose(depthwise_loop, depthwise_numpy, lambda: _fast().int8_depthwise)(
        x, w, stride, padding, zero_point, finish
    )


def prepare(x, w, stride, padding, zero_point, finish):
    """A new array y and a function without arguments that computes y, as `int8_conv2d` or, for filters of three axes,
    `int8_depthwise` does, from what x, a contiguous array, then holds: for a layer that runs often on arrays of one shape."""
    channels, *outputs = w.shape[2:]
    _checked(x, channels, outputs[0] if outputs else channels, zero_point, finish)
    convolve, fast = (int8_conv2d, "prepare_int8_conv2d") if outputs else (int8_depthwise, "prepare_int8_depthwise")
    arguments = x, w, stride, padding, zero_point, finish

    def called():
        y = convolve(*arguments)
        return y, lambda: np.copyto(y, convolve(*arguments))

    return choose(called, called, lambda: lambda: getattr(_fast(), fast)(*arguments))()


def prepare_max_pool(x, size, stride):
    """As `prepare`, for the largest byte of each window of `size` (kh, kw): (N, OH, OW, C)."""
    if x.dtype != np.uint8:
        raise TypeError(f"the images should be uint8, but are {x.dtype}")
    check(x.ndim == 4, f"x is (batch, height, width, channels), but has the shape {x.shape}")
    output_size(x.shape[1:3], size, stride)  # raises ValueError if no window fits

    def called():
        y = np.ascontiguousarray(max_pool_numpy(x, size, stride))
        return y, lambda: np.copyto(y, max_pool_numpy(x, size, stride))

    def compiled():
        from ...kernels.fast.pool import prepare_max_pool2d

        return lambda: prepare_max_pool2d(x, size, stride)

    return choose(called, called, compiled)()


def max_pool_numpy(x, size, stride):
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    y = seen[..., 0, 0]
    for i, j in np.ndindex(*size):
        y = np.maximum(y, seen[..., i, j])
    return y


def _checked(x, channels, outputs, zero_point, finish):
    if x.dtype != np.uint8:
        raise TypeError(f"the images should be uint8, but are {x.dtype}; scale, round and clip them to 0 .. 255")
    check(x.ndim == 4, f"x is (batch, height, width, channels), but has the shape {x.shape}")
    check(x.shape[3] == channels, f"x has {x.shape[3]} channels, but the filters expect {channels}")
    check(0 <= zero_point <= 255, f"the zero point should be 0 .. 255, not {zero_point}")
    check(len(finish.factor) == outputs, f"there are {outputs} outputs, but {len(finish.factor)} factors")
    return np.ascontiguousarray(x)


def _padded(x, padding, zero_point):
    return np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=zero_point)


def conv_loop(x, w, stride, padding, zero_point, finish):
    OH, OW = output_size(x.shape[1:3], w.shape[:2], stride, padding)
    x, filters = _padded(x, padding, zero_point), w.unpacked()
    kh, kw, C, OC = filters.shape
    sums = np.zeros((len(x), OH, OW, OC), np.int32)
    for n, oh, ow, o in np.ndindex(sums.shape):
        for i, j, c in np.ndindex(kh, kw, C):
            sums[n, oh, ow, o] += int(x[n, oh * stride[0] + i, ow * stride[1] + j, c]) * int(filters[i, j, c, o])
    return requantize.loop(sums.reshape(-1, OC), *finish).reshape(sums.shape)


def depthwise_loop(x, w, stride, padding, zero_point, finish):
    OH, OW = output_size(x.shape[1:3], w.shape[:2], stride, padding)
    x = _padded(x, padding, zero_point)
    kh, kw, C = w.shape
    sums = np.zeros((len(x), OH, OW, C), np.int32)
    for n, oh, ow, c in np.ndindex(sums.shape):
        for i, j in np.ndindex(kh, kw):
            sums[n, oh, ow, c] += int(x[n, oh * stride[0] + i, ow * stride[1] + j, c]) * int(w[i, j, c])
    return requantize.loop(sums.reshape(-1, C), *finish).reshape(sums.shape)


def _windows(x, kernel, stride, padding, zero_point):
    """Every window: a view (N, OH, OW, C, kh, kw) of the padded images."""
    output_size(x.shape[1:3], kernel, stride, padding)  # raises ValueError if no window fits
    x = _padded(x, padding, zero_point)
    return np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]


def conv_numpy(x, w, stride, padding, zero_point, finish):
    seen = _windows(x, w.shape[:2], stride, padding, zero_point)
    # NumPy multiplies floats with BLAS, but integers in a plain loop. float64 is exact for sums up to 2**53.
    rows = seen.transpose(0, 1, 2, 4, 5, 3).reshape(prod(seen.shape[:3]), prod(seen.shape[3:])).astype(np.float64)
    sums = (rows @ w.unpacked().reshape(-1, w.shape[3]).astype(np.float64)).astype(np.int32)
    return requantize.numpy(sums, *finish).reshape(*seen.shape[:3], w.shape[3])


def depthwise_numpy(x, w, stride, padding, zero_point, finish):
    seen = _windows(x, w.shape[:2], stride, padding, zero_point)
    sums = np.zeros(seen.shape[:4], np.int32)
    for i, j in np.ndindex(*w.shape[:2]):
        sums += seen[..., i, j].astype(np.int32) * w[i, j]
    return requantize.numpy(sums.reshape(-1, w.shape[2]), *finish).reshape(sums.shape)
