"""The active variant of the kernels: "loop", "numpy" or "fast". `use` sets it for all; each kernel asks `choose`."""

from collections.abc import Callable
from typing import Self, TypeVar

from . import jit

VARIANTS = ("loop", "numpy", "fast")
Loop, NumPy, Fast = TypeVar("Loop"), TypeVar("NumPy"), TypeVar("Fast")  # so that an editor finds all three
_variant = "fast"


def variant() -> str:
    """The name of the active variant: "loop", "numpy" or "fast"."""
    return _variant


class use:
    """Select the variant: `use("loop")` permanently, or `with use("loop"): ...` inside a block. Raises ValueError for an
    unknown name."""

    def __init__(self, name: str):
        global _variant
        if name not in VARIANTS:
            raise ValueError(f"no kernels are called {name!r}; choose one of {', '.join(map(repr, VARIANTS))}")
        self._before, _variant = _variant, name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        global _variant
        _variant = self._before


def choose(loop: Loop, numpy: NumPy | None, fast: Callable[[], Fast]) -> Loop | NumPy | Fast:
    """Return the active variant of a kernel, or of a module of kernels.

    `numpy` may be None, for a kernel that works symbol by symbol, such as decoding, and has no array form; the loop is used
    instead. `fast` is a function that imports and returns the compiled variant. It is called only if that variant runs,
    since importing Numba takes 0.2 s.
    """
    if _variant == "fast" and jit.available():
        return fast()
    return loop if _variant == "loop" or numpy is None else numpy
