"""Augmentation: images moved by a few pixels, mirrored, or with a square cut out, at random."""

from __future__ import annotations  # numpy.random takes 15 ms to import, so it is only named in annotations

import numpy as np


def mean_colour(x: np.ndarray) -> np.ndarray:
    """The mean of each channel of images x (N, H, W, C), usually of the training split: (C,) float32.

    `x.mean((0, 1, 2))` is wrong for many images: NumPy adds the pixels of a channel one by one in float32, and once their sum
    is some 2**24 times as large as a pixel, one more no longer changes it.
    """
    return x.mean((0, 1, 2), dtype=np.float64).astype(np.float32)


def shift(x: np.ndarray, rng: np.random.Generator, pixels: int = 1, fill: float | np.ndarray = 0.0) -> np.ndarray:
    """Each image of `x` (N, H, W, C) moved by its own random -pixels..pixels rows and columns; a new array.

    What leaves the frame is lost; `fill`, a number or one per channel (C,), comes in on the other side. Before batch norm, take
    `mean_colour`: black edges, which no test image has, change the statistics of all that follows. Raises ValueError for
    another number of axes, negative pixels, and another shape of `fill`.
    """
    if x.ndim != 4 or pixels < 0:
        raise ValueError(f"shift takes images (N, H, W, C) and pixels >= 0; got {x.shape}, pixels={pixels}")
    _check_fill("shift", x, fill)
    top, left = rng.integers(0, 2 * pixels + 1, size=(2, len(x)))
    return window(x, top, left, pixels, fill)


def window(x: np.ndarray, top, left, pixels: int = 1, fill: float | np.ndarray = 0.0) -> np.ndarray:
    """Pad each image of `x` (N, H, W, C) with `pixels` pixels of `fill` on each side, then crop it to H x W from row `top` and
    column `left`: integers from 0 to 2 * pixels, (N,) or one for all. Returns a new array (N, H, W, C)."""
    n, h, w, c = x.shape
    padded = np.full((n, h + 2 * pixels, w + 2 * pixels, c), fill, x.dtype)
    padded[:, pixels : pixels + h, pixels : pixels + w] = x
    windows = np.lib.stride_tricks.sliding_window_view(padded, (h, w), axis=(1, 2))
    # With the channels last before it selects, NumPy copies whole images in the order they have in memory.
    return np.moveaxis(windows, 3, -1)[np.arange(n), top, left]


def mirror(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image of `x` (N, H, W, C) mirrored left to right with probability 1/2; a new array.

    For CIFAR-10, He et al. 2016 (section 4.2) subtract the mean, move by 4 pixels with zeros coming in, and mirror. On raw pixels
    that is `lambda x, rng: mirror(shift(x, rng, 4, mean_colour(x)), rng)`. Raises ValueError for another number of axes.
    """
    if x.ndim != 4:
        raise ValueError(f"mirror takes images (N, H, W, C); got {x.shape}")
    y, chosen = x.copy(), rng.random(len(x)) < 0.5
    y[chosen] = x[chosen, :, ::-1]
    return y


def cutout(x: np.ndarray, rng: np.random.Generator, size: int = 8, fill: float | np.ndarray = 0.0) -> np.ndarray:
    """Each image of `x` (N, H, W, C) with a square of `size` x `size` pixels replaced by `fill`, a number or one per channel
    (C,); a new array.

    Its middle may be any pixel, so that part of the square may lie outside of the image (DeVries & Taylor 2017). Raises
    ValueError for another number of axes, a negative size, and another shape of `fill`.
    """
    if x.ndim != 4 or size < 0:
        raise ValueError(f"cutout takes images (N, H, W, C) and size >= 0; got {x.shape}, size={size}")
    _check_fill("cutout", x, fill)
    n, height, width, _ = x.shape

    def inside(length):  # (N, length): the rows, or columns, of each image's square
        first = rng.integers(0, length, size=(n, 1)) - size // 2
        return (np.arange(length) >= first) & (np.arange(length) < first + size)

    cut = inside(height)[:, :, None] & inside(width)[:, None, :]
    return np.where(cut[..., None], np.asarray(fill, x.dtype), x)


def _check_fill(name: str, x: np.ndarray, fill) -> None:
    if np.shape(fill) not in ((), x.shape[3:]):
        raise ValueError(f"{name}: fill is a number or one per channel, {x.shape[3:]}; got the shape {np.shape(fill)}")
