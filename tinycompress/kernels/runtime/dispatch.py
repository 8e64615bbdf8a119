"""Which variant of the kernels runs: "loop", "numpy" or "fast". `use` sets it for all of them; each kernel asks `choose`."""

from . import jit

VARIANTS = ("loop", "numpy", "fast")
_variant = "fast"


def variant():
    """Which variant is active: "loop", "numpy" or "fast"."""
    return _variant


class use:
    """Choose the variant: `use("loop")` for good, or `with use("loop"): ...` for a while. ValueError for an unknown
    name."""

    def __init__(self, name):
        global _variant
        if name not in VARIANTS:
            raise ValueError(f"no kernels are called {name!r}; choose one of {', '.join(map(repr, VARIANTS))}")
        self._before, _variant = _variant, name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        global _variant
        _variant = self._before


def choose(loop, numpy, fast):
    """The active variant of a kernel, or of a module of kernels.

    `numpy` may be None: what goes symbol by symbol, such as decoding, cannot be said in whole arrays, and the loop takes
    its place. `fast` is a function that imports and returns the compiled variant, called only when that one runs:
    importing Numba takes 0.2 s.
    """
    if _variant == "fast" and jit.available():
        return fast()
    return loop if _variant == "loop" or numpy is None else numpy
