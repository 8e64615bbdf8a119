"""Which variant of the kernels runs: "loop", "numpy" or "fast". `use` chooses for all of them, `choose` picks one's
own."""

import functools
import importlib

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
    """The active one of a kernel's variants.

    `numpy` may be None: not everything can be said in whole arrays, and then the loop takes its place. `fast` is
    "module.function" in this package; the module is imported on first use, as Numba alone costs 0.2 s.
    """
    if _variant == "fast" and jit.available():
        module, function = fast.split(".")
        return getattr(imported(module), function)
    return loop if _variant == "loop" or numpy is None else numpy


@functools.cache
def imported(module):
    """A module of this package; asking importlib anew takes a microsecond, and a training step asks dozens of times."""
    return importlib.import_module(f".{module}", __package__)
