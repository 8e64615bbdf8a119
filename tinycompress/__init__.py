"""tinycompress: network compression, small enough to read and honest enough to measure.

import tinycompress as tc
data = tc.data.load("digits")
net = tc.models.lenet_300_100(data.image_shape, data.num_classes, rng=np.random.default_rng(0))
"""

from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

# Modules that annotate with numpy.random keep annotations as text, since importing it takes 15 ms.
from . import data, functional, kernels, models, nn, optim, profiling, tensor
from .gradcheck import gradcheck
from .graph import no_grad
from .kernels import get_num_threads, set_num_threads
from .tensor import Tensor, concatenate, maximum, stack, where
from .training import evaluate, fit, predict

__version__ = "0.1.0"
__all__ = [
    "Tensor",
    "architecture",
    "concatenate",
    "data",
    "distillation",
    "dynamic",
    "evaluate",
    "fit",
    "functional",
    "get_num_threads",
    "gradcheck",
    "inference",
    "kernels",
    "maximum",
    "models",
    "nn",
    "no_grad",
    "optim",
    "predict",
    "profiling",
    "pruning",
    "quantization",
    "set_num_threads",
    "stack",
    "tensor",
    "where",
]

LATER = ("architecture", "distillation", "dynamic", "inference", "pruning", "quantization")

if TYPE_CHECKING:
    from . import architecture, distillation, dynamic, inference, pruning, quantization


def __getattr__(name: str):  # imported on first use: together they take a tenth of the start-up time
    if name not in LATER:
        raise AttributeError(f"module 'tinycompress' has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


def _shown(names: dict) -> list[str]:
    """What `dir` of a module shows: what it offers, rather than what it imports."""

    def own(name, value):  # a dot: a method that is also offered as a function, such as `functional.relu`
        here = getattr(value, "__module__", None) == names["__name__"] or "." in getattr(value, "__qualname__", "")
        return here and not name.startswith("_")

    return sorted(names.get("__all__", [name for name, value in names.items() if own(name, value)]))


def __dir__() -> list[str]:
    return _shown(globals())


for _module in [value for value in globals().values() if isinstance(value, ModuleType)]:
    _module.__dir__ = partial(_shown, vars(_module))
