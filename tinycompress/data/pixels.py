"""The scale of pixels, decided by their values; if it is in doubt, the error gives the expression that fixes them."""

from math import ceil

import numpy as np

from .checks import DataError

OVERSHOOT = 0.05  # resizing may exceed the scale by this share of it
DARKEST = 1.5 / 255  # floats below this (one grey level of 8 bits) were divided by 255 twice


def common_white(name: str, x_train: np.ndarray, x_test: np.ndarray) -> int:
    """The pixel value that becomes 1 in every split: 1 or 255. Raises DataError where it is in doubt."""
    types, lows, highs = zip(*((x.dtype, x.min().item(), x.max().item()) for x in (x_train, x_test)), strict=True)
    whites = list(map(_white, types, lows, highs))
    if whites[0] == whites[1] is not None:
        return whites[0]
    train, test = map("{} pixels from {:g} to {:g}".format, types, lows, highs)
    small, large = sorted(map(max, highs, (-low for low in lows)))
    if 1 not in whites and types[0] == types[1] and large <= 4 * small:  # one scale, which one split does not exhaust
        lows, highs = [min(lows)] * 2, [max(highs)] * 2
    splits = zip(("x_train", "x_test"), whites, lows, highs, strict=True)
    fixes = " and ".join(_fix(*split) for split in splits if split[1] != 1)
    other = "or undo a standardisation" if min(lows) < 0 else "or divide by what white is (255 in 8-bit images)"
    expected = "expected [0, 1] in both, or uint8 with a pixel of 128 or more in both"
    raise DataError(f"{name}: x_train has {train}, x_test has {test}, {expected}; save {fixes} in an .npz; {other}")


def _white(dtype: np.dtype, low: float, high: float) -> int | None:
    """The value of white for pixels of this type and range, or None if it is in doubt."""
    if low >= 0 and DARKEST <= high <= 1:
        return 1
    return 255 if dtype == np.uint8 and high >= 128 else None


def _fix(x: str, white: int | None, low: float, high: float) -> str:
    """The expression that brings the array called `x`, with pixels from low to high, into [0, 1]."""
    if low < -OVERSHOOT * high:
        return f"({x} + {_end(-low)}.0) / {_end(-low) + _end(max(high, 0))}"
    beyond = low < 0 or 1 < high <= 1 + OVERSHOOT
    end = white or (high if high < DARKEST else _end(high / (1 + OVERSHOOT) if beyond else high))
    quotient = x if end == 1 else f"{x} / {end}"
    return f"np.clip({quotient}, 0, 1)" if beyond else quotient


def _end(high: float) -> int:
    """The likely end of a scale on which `high` occurs: 2^n - 1, as 255, or a whole number, as 1, 16 or 100."""
    end = ceil(high)
    return end if end in (10, 100, 1000) or end & (end - 1) == 0 else 2 ** end.bit_length() - 1


def scale(x: np.ndarray, white: int) -> np.ndarray:
    """`x` / `white` as a contiguous float32 array."""
    return np.divide(np.ascontiguousarray(x), np.float32(white), dtype=np.float32)
