"""Grids of real numbers coded as integers: real = scale * (integer - zero_point), low <= integer <= high.

    bits 3, symmetric    integer   -3    -2    -1     0     1     2     3        zero_point 0
                         real      -3s   -2s   -1s    0     1s    2s    3s
    bits 3, affine       integer    0     1     2     3     4     5     6     7        zero_point 2: the integer for 0
                         real      -2s   -1s    0     1s    2s    3s    4s    5s

Both contain 0, so that zeros stay exactly 0 (Jacob et al. 2018, section 2.1). The symmetric grid leaves out -4, since
weights are negative about as often as positive. With 1 bit it has no room for 0; its two numbers are -s/2 and s/2.
"""

from dataclasses import dataclass

import numpy as np

METHODS = ("min_max", "percentile", "mse")
CLIPPING = np.geomspace(1, 0.05, 60)  # shares of the range that "mse" tries


@dataclass(frozen=True, eq=False)
class Grid:
    """real = scale * (integer - zero_point).

    scale, zero_point: float32, () for one grid for the whole array, or (channels,) for one per index of its last axis.
    zero_point is a whole number, or ½ for the 1-bit symmetric grid, which has no 0.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    bits: int
    symmetric: bool

    @property
    def low(self) -> int:
        """The smallest integer."""
        return limits(self.bits, self.symmetric)[0]

    @property
    def high(self) -> int:
        """The largest integer."""
        return limits(self.bits, self.symmetric)[1]

    def quantize(self, x: np.ndarray) -> np.ndarray:
        """The nearest integers of the grid, int8 or, for grids that start at 0, uint8. Values beyond the ends are
        clipped. x: of any shape that fits the scale's. Raises ValueError for NaN."""
        integers = np.clip(np.rint(x / self.scale + self.zero_point), self.low, self.high)
        if integers.size and np.isnan(np.minimum.reduce(integers, None)):
            raise ValueError("a grid of integers has none for NaN; check the data with np.isnan(x)")
        return integers.astype(np.int8 if self.low < 0 else np.uint8)

    def dequantize(self, integers: np.ndarray) -> np.ndarray:
        """The real numbers of the integers, of any shape that fits the scale's, float32."""
        return self.scale * (integers.astype(np.float32) - self.zero_point)


def limits(bits: int, symmetric: bool) -> tuple[int, int]:
    """The smallest and the largest integer of a grid. Raises ValueError unless bits is 1 to 8."""
    if bits not in range(1, 9):
        raise ValueError(f"a grid should have 1 to 8 bits, got {bits!r}")
    if symmetric and bits > 1:
        return -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def calibrate(
    values: np.ndarray,
    bits: int = 8,
    symmetric: bool = True,
    per_channel: bool = False,
    method: str = "min_max",
    percentile: float = 99.9,
) -> Grid:
    """Fit a grid to values. The method decides what it covers:

    "min_max"     all values: no error exceeds half a step, but one outlier makes every step large
    "percentile"  all but the outermost: (100 - percentile) % of |values| lie outside; for an affine grid this many of
                  the values on each side
    "mse"         the share of the range, of 60 shares tried, with the least mean squared error

    per_channel: one grid per index of the last axis (a neuron or filter). Raises ValueError for no values, for values
    that are not finite, and for an unknown method.

    >>> grid = calibrate(np.array([-1.5, 0.2, 0.7]), bits=3)
    >>> grid.quantize(np.array([-1.5, 0.2, 0.7]))
    array([-3,  0,  1], dtype=int8)
    """
    values = np.asarray(values, np.float32)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(
            f"calibrate: expected finite values; got {values.size} values, {np.isfinite(values).sum()} of them finite"
        )
    if method not in METHODS:
        raise ValueError(f"calibrate: method should be one of {', '.join(METHODS)}; got {method!r}")
    columns = values.reshape(-1, values.shape[-1] if per_channel else 1)
    low, high = columns.min(0), columns.max(0)
    if method == "percentile":
        if not 50 < percentile <= 100:
            raise ValueError(f"calibrate: percentile should be above 50 and at most 100; got {percentile}")
        if symmetric:
            high = np.percentile(np.abs(columns), percentile, axis=0)
            low = -high
        else:
            low, high = np.percentile(columns, (100 - percentile, percentile), axis=0)
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    if method == "mse":
        low, high = _least_error(columns, low, high, bits, symmetric)
    scale, zero_point = _cover(low, high, bits, symmetric)
    shape = values.shape[-1:] if per_channel else ()
    return Grid(scale.reshape(shape), zero_point.reshape(shape), bits, symmetric)


def _cover(low, high, bits: int, symmetric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point, both (channels,), of grids that cover low <= 0 to high >= 0."""
    least, most = limits(bits, symmetric)
    if symmetric:
        reach = np.maximum(-low, high)
        scale = reach / max(most, 1)
        zero_point = np.full(scale.shape, 0.5 if bits == 1 else 0.0)
    else:
        scale = (high - low) / (most - least)
        zero_point = np.rint(-low / np.where(scale > 0, scale, 1))
    scale = np.where(scale > 1e-30, scale, np.float32(1e-30))  # all zeros: any step will do
    return scale.astype(np.float32), zero_point.astype(np.float32)


def _least_error(columns, low, high, bits, symmetric):
    """The ends (channels,) of the grid with the least squared error, of those that cover a share of low … high."""
    best, least = (low, high), np.full(low.shape, np.inf)
    for share in CLIPPING:
        ends = low * share, high * share
        grid = Grid(*_cover(*ends, bits, symmetric), bits, symmetric)
        # Zeros stay zeros, even if the grid has none, so they cause no error.
        error = ((grid.dequantize(grid.quantize(columns)) - columns) ** 2 * (columns != 0)).sum(0, dtype=np.float64)
        better = error < least
        best = tuple(np.where(better, new, old) for new, old in zip(ends, best, strict=True))
        least = np.where(better, error, least)
    return best
