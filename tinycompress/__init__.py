"""tinycompress: network compression, small enough to read and honest enough to measure.

import tinycompress as tc
data = tc.data.load("digits")
net = tc.models.lenet_300_100(data.image_shape, data.num_classes, rng=np.random.default_rng(0))
"""

from importlib import import_module
from typing import TYPE_CHECKING

# Modules that annotate with numpy.random keep annotations as text, since importing it takes 15 ms.
from . import data, functional, kernels, models, nn, optim, profiling, tensor
from .gradcheck import gradcheck
from .graph import no_grad
from .kernels import get_num_threads, set_num_threads
from .tensor import Tensor, concatenate, maximum, stack, where
from .text import names
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
else:

    def __getattr__(name):  # imported on first use: together they take a tenth of the start-up time
        return import_module(f"{__name__}.{name}") if name in LATER else names.missing(globals(), name)


names.answer(globals())
