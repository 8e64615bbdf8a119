"""tinycompress: network compression, small enough to read and honest enough to measure.

The engine is `Tensor`, `nn`, `functional`, `optim`, `models`, `data`, with `fit`, `predict` and `evaluate`; the methods are
`pruning`, `distillation`, `quantization`, `architecture` and `dynamic`; `inference` and `profiling` are for trained nets.

>>> import tinycompress as tc
>>> data = tc.data.load("digits")
>>> net = tc.models.mlp(data.image_shape, (64,), data.num_classes, rng=0)
>>> sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
>>> history = tc.fit(net, data.train, optimizer=sgd, epochs=8, rng=0, progress=False)
>>> net = tc.pruning.prune_weights(net, 0.8)
>>> tc.evaluate(net, data.test).accuracy > 0.8
True
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


names.answer()
