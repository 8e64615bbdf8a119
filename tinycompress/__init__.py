"""tinycompress: network compression, small enough to read and honest enough to measure.

import tinycompress as tc
data = tc.data.load("digits")
net = tc.models.lenet_300_100(data.image_shape, data.num_classes, rng=np.random.default_rng(0))
"""

from . import data, distillation, functional, kernels, models, nn, optim, profiling, pruning, quantization, tensor
from .gradcheck import gradcheck
from .kernels import get_num_threads, set_num_threads
from .tensor import Tensor, concatenate, maximum, no_grad, stack, where
from .training import evaluate, fit, predict

__version__ = "0.1.0"
__all__ = [
    "Tensor",
    "concatenate",
    "data",
    "distillation",
    "evaluate",
    "fit",
    "functional",
    "get_num_threads",
    "gradcheck",
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
