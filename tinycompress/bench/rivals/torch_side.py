"""What every case against PyTorch needs: its threads, its two memory layouts for images, and copies of our nets.

PyTorch is imported inside the functions, so that only the process of that side pays for it.
"""

import numpy as np

from ... import nn
from ...graph import no_grad
from ...kernels import get_num_threads

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


def pixels_before(model: nn.Module) -> dict[int, int]:
    """By id of each dense layer, the pixels of the images flattened for it; 1 if its input comes from no image."""
    with nn.trace() as calls, no_grad(), model.evaluation():
        model(np.zeros((1, *model.input_shape), np.float32))
    found, pixels = {}, 1
    for layer, before, _ in calls:
        if isinstance(layer, nn.Flatten) and len(before) == 4:
            pixels = before[1] * before[2]
        elif isinstance(layer, nn.Dense):
            found[id(layer)], pixels = pixels, 1
    return found


def channel_by_channel(weight: np.ndarray, pixels: int) -> np.ndarray:
    """Dense weights (in, out) for images that are flattened channel by channel, not pixel by pixel as ours are."""
    inputs, outputs = weight.shape
    return weight.reshape(pixels, inputs // pixels, outputs).swapaxes(0, 1).reshape(inputs, outputs)


def twin(model: nn.Sequential, layout: str = "eager"):
    """A net of ours as a torch.nn.Sequential with the same weights and statistics, in training mode.

    Raises ValueError for layers and paddings without a counterpart in PyTorch.
    """
    torch = torch_ready()
    return _layer(torch, model, pixels_before(model)).to(memory_format=layouts(torch)[layout])


def _layer(torch, layer: nn.Module, pixels: dict[int, int]):
    """PyTorch's version of one layer, or of one made of layers. pixels: from `pixels_before`."""
    match layer:
        case nn.Sequential():
            return torch.nn.Sequential(*(_layer(torch, inner, pixels) for inner in layer.layers))
        case nn.Residual():
            body, shortcut = (_layer(torch, part or nn.Sequential(), pixels) for part in (layer.body, layer.shortcut))
            return _residual(torch)(body, shortcut)
        case nn.PointwiseConv2d() | nn.Conv2d() | nn.DepthwiseConv2d():
            kind = KINDS[type(layer)]
            weight = TO_TORCH[kind](layer.weight.data)
            outputs, inputs, *kernel = weight.shape
            groups = outputs if kind == "depthwise" else 1
            options = {
                "stride": getattr(layer, "stride", 1),
                "padding": same_on_opposite_sides(layer),
                "bias": layer.bias is not None,
            }
            theirs = torch.nn.Conv2d(inputs * groups, outputs, kernel, groups=groups, **options)
            return _with_values(torch, theirs, weight=weight, bias=layer.bias)
        case nn.Dense():
            weight = channel_by_channel(layer.weight.data, pixels[id(layer)]).T
            theirs = torch.nn.Linear(*layer.weight.shape, bias=layer.bias is not None)
            return _with_values(torch, theirs, weight=weight, bias=layer.bias)
        case nn.BatchNorm():
            theirs = torch.nn.BatchNorm2d(len(layer.running_mean), layer.eps, layer.momentum)
            statistics = {name: getattr(layer, name) for name in ("running_mean", "running_var")}
            return _with_values(torch, theirs, weight=layer.weight.data, bias=layer.bias, **statistics)
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


def _residual(torch):
    class Residual(torch.nn.Module):
        def __init__(self, body, shortcut):
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x):
            return self.body(x) + self.shortcut(x)

    return Residual


def _with_values(torch, theirs, bias, **values):
    if bias is not None:
        values["bias"] = bias.data
    with torch.no_grad():
        for name, value in values.items():
            getattr(theirs, name).copy_(torch.tensor(np.ascontiguousarray(value)))
    return theirs


def same_on_opposite_sides(layer):
    """The layer's padding as other libraries take it: "same", or a number for opposite sides.

    Raises ValueError for "same" with a stride, which often needs more on one side.
    """
    padding = getattr(layer, "padding", "valid")
    if padding == "same" and layer.stride != 1:
        raise ValueError(f"{layer!r}: PyTorch cannot pad one side only; give the layer a number as its padding")
    return 0 if padding == "valid" else padding
