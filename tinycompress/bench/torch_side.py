"""What every case against PyTorch needs: its threads, its two memory layouts for images, and copies of our nets.

PyTorch is imported inside the functions, so that only the process of that side pays for it.
"""

import numpy as np

from .. import nn
from ..graph import no_grad
from ..kernels import get_num_threads

# Our weights to PyTorch's (out, in / groups, kh, kw), and back.
TO_TORCH = {
    "conv": lambda w: w.transpose(3, 2, 0, 1),
    "depthwise": lambda w: w.transpose(2, 0, 1)[:, None],
    "pointwise": lambda w: w.T[:, :, None, None],
}
FROM_TORCH = {
    "conv": lambda w: w.transpose(2, 3, 1, 0),
    "depthwise": lambda w: w[:, 0].transpose(1, 2, 0),
    "pointwise": lambda w: w[:, :, 0, 0].T,
}

KINDS = {nn.Conv2d: "conv", nn.DepthwiseConv2d: "depthwise", nn.PointwiseConv2d: "pointwise"}


def torch_ready():
    """The module torch, set to as many threads as our kernels use."""
    import torch

    torch.set_num_threads(get_num_threads())
    return torch


def layouts(torch):
    """PyTorch's memory layouts by name: channel by channel (NCHW, the default) and, like ours, pixel by pixel (NHWC)."""
    return {"eager": torch.contiguous_format, "channels-last": torch.channels_last}


def images(x: np.ndarray, layout: str):
    """Images (N, H, W, C) as a tensor (N, C, H, W) in that layout."""
    torch = torch_ready()
    return torch.tensor(x).permute(0, 3, 1, 2).contiguous(memory_format=layouts(torch)[layout])


def images_back(x) -> np.ndarray:
    """A tensor (N, C, H, W) as images (N, H, W, C)."""
    return x.detach().permute(0, 2, 3, 1).numpy()


def twin(model: nn.Sequential, layout: str = "eager"):
    """A net of ours as a torch.nn.Sequential with the same weights, in training mode.

    Raises ValueError for layers and paddings without a counterpart in PyTorch.
    """
    torch = torch_ready()
    model.eval()
    with nn.trace() as calls, no_grad():
        model(np.zeros((1, *model.input_shape), np.float32))
    model.train()
    layers, pixels = [], 1
    for layer, before, _ in calls:
        if layer is model:
            continue
        if isinstance(layer, nn.Flatten) and len(before) == 4:
            pixels = before[1] * before[2]
        layers.append(_layer(torch, layer, pixels))
        if isinstance(layer, nn.Dense):
            pixels = 1
    return torch.nn.Sequential(*layers).to(memory_format=layouts(torch)[layout])


def _layer(torch, layer: nn.Module, pixels: int):
    """PyTorch's version of one layer. pixels: of the images flattened just before it, else 1."""
    match layer:
        case nn.PointwiseConv2d() | nn.Conv2d() | nn.DepthwiseConv2d():
            kind = KINDS[type(layer)]
            weight = TO_TORCH[kind](layer.weight.data)
            outputs, inputs, *kernel = weight.shape
            groups = outputs if kind == "depthwise" else 1
            options = {
                "stride": getattr(layer, "stride", 1),
                "padding": _padding(layer),
                "bias": layer.bias is not None,
            }
            theirs = torch.nn.Conv2d(inputs * groups, outputs, kernel, groups=groups, **options)
            return _with_weights(torch, theirs, weight, layer.bias)
        case nn.Dense():
            inputs, outputs = layer.weight.shape
            # PyTorch flattens channel by channel, ours pixel by pixel.
            weight = layer.weight.data.reshape(pixels, inputs // pixels, outputs).transpose(2, 1, 0)
            theirs = torch.nn.Linear(inputs, outputs, bias=layer.bias is not None)
            return _with_weights(torch, theirs, weight.reshape(outputs, inputs), layer.bias)
        case nn.BatchNorm():
            return torch.nn.BatchNorm2d(len(layer.running_mean), layer.eps, layer.momentum)
        case nn.AvgPool2d():  # a subclass of MaxPool2d, so it comes first
            return torch.nn.AvgPool2d(layer.size, layer.stride)
        case nn.MaxPool2d():
            return torch.nn.MaxPool2d(layer.size, layer.stride)
        case nn.ReLU():
            return torch.nn.ReLU()
        case nn.GlobalAvgPool():
            return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        case nn.Flatten():
            return torch.nn.Flatten()
    raise ValueError(f"{layer!r} has no twin in PyTorch here")


def _with_weights(torch, theirs, weight: np.ndarray, bias):
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(np.ascontiguousarray(weight)))
        if bias is not None:
            theirs.bias.copy_(torch.tensor(bias.data))
    return theirs


def _padding(layer):
    """PyTorch's padding, which is equal on opposite sides; "same" with a stride often needs more on one side."""
    padding = getattr(layer, "padding", "valid")
    if padding == "same" and layer.stride != 1:
        raise ValueError(f"{layer!r}: PyTorch cannot pad one side only; give the layer a number as its padding")
    return 0 if padding == "valid" else padding
