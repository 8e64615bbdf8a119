"""The rule that decides every claim: where the 95 % interval of the paired differences lies."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
MOST_SEEDS = 1000  # nobody runs more
MOST_TIMES = 100  # as many images


class Verdict(NamedTuple):
    """`verdict` in words, the mean `effect` (or the bool of an exact statement), and its 95 % `interval`."""

    verdict: str
    effect: float | bool | None
    interval: tuple[float, float] | None


def verdict(
    values: Sequence[float] | bool,
    margin: float = 0.0,
    smallest: float = 0.0,
    equal: bool = False,
    doubt: float = 0.0,
) -> Verdict:
    """Decide a claim from its paired differences, one per seed, signed so that positive agrees with the statement.

    "no difference" if their interval lies between -smallest and smallest, the smallest effect that would matter;
    "supported" if it lies wholly above `margin`, "contradicted" if wholly below, "not shown" if it contains `margin` or if
    there are fewer than two values, whose spread is unknown. With `equal`, the statement is that there is no difference:
    "supported" if the interval lies between -smallest and smallest, "contradicted" if wholly outside (Schuirmann 1987, at
    97.5 % on each side). A bool, for an exact statement, gives "exact" or "failed".

    doubt: half the width of another 95 % interval, of a cause that all values share, such as the images that all were tested
    on. It widens that over seeds: both halves are added as √(a² + b²) (Zou & Donner 2008, for independent causes).

    Raises ValueError for a value that is NaN or infinite, and for a margin beside a smallest effect.
    """
    if smallest < 0 or (margin and smallest) or (equal and not smallest):
        raise ValueError(
            f"give a margin, or the smallest effect that matters, which `equal` needs; got {margin=}, {smallest=}, {equal=}"
        )
    if isinstance(values, bool | np.bool_):
        return Verdict("exact" if values else "failed", bool(values), None)
    values = np.asarray(values, float)
    if values.ndim != 1:
        raise ValueError(f"an effect must be a flat list of one number per seed; got the shape {values.shape}")
    if not np.isfinite(values).all():
        where = ", ".join(map(str, np.flatnonzero(~np.isfinite(values))))
        raise ValueError(
            f"the effect is NaN or infinite at index {where} of {len(values)} values; look for a diverged "
            "training or a division by zero in the rows"
        )
    if len(values) < 2:
        return Verdict("not shown", float(values[0]) if len(values) else None, None)
    mean, low, high = map(float, mean_interval(values))
    if doubt:
        half = float(np.hypot(high - mean, doubt))
        low, high = mean - half, mean + half
    return Verdict(_word(low, high, margin, smallest, equal), mean, (low, high))


def _word(low: float, high: float, margin: float, smallest: float, equal: bool) -> str:
    within, outside = -smallest < low and high < smallest, low > smallest or high < -smallest
    if equal:
        return "supported" if within else "contradicted" if outside else "not shown"
    if smallest and within:
        return "no difference"
    return "supported" if low > margin else "contradicted" if high < margin else "not shown"


def seeds_to_decide(
    values: Sequence[float], margin: float = 0.0, smallest: float = 0.0, equal: bool = False, doubt: float = 0.0
) -> int | None:
    """The least number of values at which `verdict` is no longer "not shown", if mean, spread and doubt stay as they are.

    None if more than MOST_SEEDS would be needed, or if there are fewer than two values, whose spread is unknown.
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return None
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    n = np.arange(2, MOST_SEEDS + 1)
    half = np.hypot(_half(n, spread), doubt)
    low, high = mean - half, mean + half
    words = (_word(*ends, margin, smallest, equal) for ends in zip(low, high, strict=True))
    return next((int(count) for count, word in zip(n, words, strict=True) if word != "not shown"), None)


def images_to_decide(
    values: Sequence[float], margin: float = 0.0, smallest: float = 0.0, equal: bool = False, doubt: float = 0.0
) -> int | None:
    """How many times as many test images it takes until `verdict` is no longer "not shown", if nothing changes but the doubt.

    The doubt shrinks with the square root of their number. None if MOST_TIMES as many would not do.
    """
    rule = margin, smallest, equal
    times = range(1, MOST_TIMES + 1) if doubt else ()
    return next((k for k in times if verdict(values, *rule, doubt / k**0.5).verdict != "not shown"), None)


def mean_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the first axis (n, ...) and its 95 % interval: (mean, low, high); low and high are NaN if n < 2.

    Student's t (1908): mean ± t s / √n, with s the sample's standard deviation and t the quantile at n - 1
    degrees of freedom. Equal values give an interval of width 0.
    """
    values = np.asarray(values, float)
    n = len(values)
    # Equal values have no spread, but rounding may change the last bit of their mean.
    equal = (values == values[0]).all(0)
    mean = np.where(equal, values[0], values.mean(0))
    if n < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    spread = np.where(equal, 0.0, values.std(0, ddof=1))
    half = _half(n, spread)
    return mean, mean - half, mean + half


def seed_band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What figures draw of values per seed (n, ...): as `mean_interval`, but of two values the smaller and the larger, as their
    interval is 12.7 times as wide as they are apart."""
    mean, low, high = mean_interval(values)
    return (mean, np.min(values, 0), np.max(values, 0)) if len(values) == 2 else (mean, low, high)


def _half(n, spread):
    """Half the width of the interval of n values."""
    from scipy.special import stdtrit

    return stdtrit(n - 1, (1 + CONFIDENCE) / 2) * spread / np.sqrt(n)
