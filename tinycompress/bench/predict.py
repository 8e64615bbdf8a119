"""Prediction with trained nets, as a runtime does it: our form for prediction beside PyTorch and ONNX Runtime.

All sides have the same weights and the same images. In float32, PyTorch predicts in inference mode, and ONNX Runtime runs the
net as an ONNX graph. In int8, ours is the net's integer form, and ONNX Runtime's the same graph with static quantization; both
are calibrated on the images that they predict. Their results differ by rounding, so they must agree only roughly.
"""

import numpy as np

from .. import nn
from ..inference import optimize
from ..quantization import Sign, binarize_weights, pack_binary, to_integers
from ..training import predict
from ..workshop.machine import cpu_features
from .case import Case, Suite, Work
from .rivals.onnx_side import channels_first, quantized, session, to_onnx
from .rivals.torch_side import images, layouts, torch_ready, twin
from .steps import NETS

ROUNDED = 0.2
"""How far apart results in 8 bits may be, relative to the largest: they are 3 % apart, and 100 % if weights are in a wrong
order."""

INT8_OF_FLOAT = 0.45 if "VNNI" in cpu_features() else 0.8
"""The goal for int8 relative to our own float32."""


def draw(rng, net, batch):
    """The net as if it had been trained, and images (N, H, W, C)."""
    model = NETS[net](rng)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm):
            n = len(norm.running_mean)
            norm.running_mean[:], norm.running_var[:] = rng.standard_normal(n), rng.uniform(0.5, 2, n)
    return model.eval(), rng.standard_normal((batch, *model.input_shape), np.float32)


def our_work(net, x) -> dict[str, Work]:
    fast = optimize(net, x)
    return {"ours": Work(lambda: fast.run(x))}


def ours(rng, net, batch):
    return our_work(*draw(rng, net, batch))


def our_int8(rng, net, batch):
    model, x = draw(rng, net, batch)
    return our_work(to_integers(model, x), x)


def torch_float(rng, net, batch):
    torch = torch_ready()
    model, x = draw(rng, net, batch)

    def work(layout):
        theirs = twin(model, layout).eval()
        x_ = images(x, layout)

        def run():
            with torch.inference_mode():
                return theirs(x_)

        return Work(run, lambda y: [y.numpy()])

    has_images = any(isinstance(layer, nn.Conv2d) for layer in model.layers)
    return {layout: work(layout) for layout in layouts(torch) if has_images or layout == "eager"}


def onnx_work(name, model: bytes, x) -> dict[str, Work]:
    run = session(model)
    return {name: Work(lambda: run(x))}


def onnx_float(rng, net, batch):
    model, x = draw(rng, net, batch)
    return onnx_work("float32", to_onnx(model), channels_first(x))


def onnx_int8(rng, net, batch):
    model, x = draw(rng, net, batch)
    x = channels_first(x)
    return onnx_work("int8", quantized(model, x), x)


# Single convolutions, against our own float32.


def draw_layer(rng, kind, size, channels, batch):
    """A 3×3 convolution from and to as many channels, unpadded, and its input."""
    if kind == "depthwise":
        layer = nn.DepthwiseConv2d(channels, 3, rng=rng)
    else:
        layer = nn.Conv2d(channels, channels, 3, rng=rng)
    return layer, rng.standard_normal((batch, size, size, channels), np.float32)


def float_layer(rng, **sizes):
    return our_work(*draw_layer(rng, **sizes))


def int8_layer(rng, **sizes):
    """From bytes to bytes, as in the middle of a net."""
    layer, x = draw_layer(rng, **sizes)
    net = to_integers(nn.Sequential(layer, nn.GlobalAvgPool(), nn.Dense(sizes["channels"], 1, rng=rng)), x)
    integer, q = net.integer_layers[0], net.quantize(x)
    return {"ours": Work(lambda: integer(q), lambda y: [integer.out.dequantize(y)])}


def draw_binary(rng, signs, **sizes):
    """A binary convolution, after a `Sign` if signs is true, and its input."""
    layer, x = draw_layer(rng, **sizes)
    return binarize_weights(nn.Sequential(*[Sign()] * signs, layer)), x


def binary_layer(rng, **sizes):
    net, x = draw_binary(rng, **sizes)
    return our_work(pack_binary(net), x)


def float_of_binary(rng, **sizes):
    """The convolution alone, of real numbers that happen to be +1 and -1; ours takes the signs in every call."""
    net, x = draw_binary(rng, **sizes)
    *before, layer = net.layers
    return our_work(layer, predict(nn.Sequential(*before), x))


# The table.

CONTESTS = (  # name, net, batch, goal in float32 and in int8, goal for int8 against our own float32
    ("LeNet-5", "lenet_5", 64, 0.8),
    ("LeNet-5", "lenet_5", 1, 1.0),
    ("ResNet-20", "resnet20", 32, 1.0, INT8_OF_FLOAT),
    ("ResNet-20", "resnet20", 1, 1.0),
    ("small separable net", "separable_net", 32, 0.9),
    ("small separable net", "separable_net", 1, 1.0),
    ("LeNet-300-100", "lenet_300_100", 64, 1.0),
    ("LeNet-300-100", "lenet_300_100", 1, 1.0),
)


def cases_of(name, net, batch, goal, int8_of_float=None):
    def case(what, goal, ours, tolerance, **rival):
        arguments = {"net": net, "batch": batch}
        sides = {"ours": ours, **rival}
        return Case("predict", f"{name}, batch {batch}, {what}", goal, sides, arguments, tolerance=tolerance)

    return [
        case("float32, against ONNX Runtime", goal, ours, 1e-3, onnxruntime=onnx_float),
        case("float32, against PyTorch", 1.0, ours, 1e-3, torch=torch_float),
        case("int8, against ONNX Runtime", goal, our_int8, ROUNDED, onnxruntime=onnx_int8),
        case("int8, against float32", int8_of_float, our_int8, ROUNDED, float32=ours),
    ]


def layer_case(name, goal, ours, theirs, size, channels, tolerance=1e-3, **arguments):
    arguments |= {"size": size, "channels": channels, "batch": 64}
    shape = f"{size}²×{channels}" + (f" → {channels}" if arguments["kind"] == "conv" else "")
    sides = {"ours": ours, "float32": theirs}
    return Case("predict", f"{name}, {shape}, 3×3", goal, sides, arguments, tolerance=tolerance)


CONV = {"size": 14, "channels": 64, "kind": "conv"}
DEPTHWISE = {"size": 28, "channels": 32, "kind": "depthwise"}
INT8 = {"ours": int8_layer, "theirs": float_layer, "tolerance": ROUNDED}
BINARY = {"ours": binary_layer, "theirs": float_of_binary}

SUITES = [
    Suite(
        "predict",
        [
            *(case for contest in CONTESTS for case in cases_of(*contest)),
            layer_case("int8 convolution", INT8_OF_FLOAT, **INT8, **CONV),
            layer_case("int8 depthwise convolution", INT8_OF_FLOAT, **INT8, **DEPTHWISE),
            layer_case("binary weights", 1.0, **BINARY, **CONV, signs=False),
            layer_case("binary weights and activations", 0.15, **BINARY, **CONV, signs=True),
        ],
    )
]
