"""Modules, layers, containers and parametrizations."""

from ..text import names
from .containers import MultiExit, Residual, Sequential
from .init import INITS, initialise
from .layers import (
    GELU,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    HardSwish,
    LeakyReLU,
    MaxPool2d,
    Normalize,
    PointwiseConv2d,
    ReLU,
    Sigmoid,
    Tanh,
)
from .module import Module, Parameter, trace
from .parametrizations import Mask
from .weighted import Weighted, weighted_layers

__all__ = [
    "GELU",
    "INITS",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Dense",
    "DepthwiseConv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "HardSwish",
    "LeakyReLU",
    "Mask",
    "MaxPool2d",
    "Module",
    "MultiExit",
    "Normalize",
    "Parameter",
    "PointwiseConv2d",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "Weighted",
    "initialise",
    "trace",
    "weighted_layers",
]

names.answer()
