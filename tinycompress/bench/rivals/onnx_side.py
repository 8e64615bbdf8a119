"""What every case against ONNX Runtime needs: our nets as ONNX graphs, in float32 and quantized, and sessions that run them.

The packages onnx and onnxruntime are imported inside the functions, so that only the process of that side pays for them.
Graphs are built layer by layer, as `twin` builds PyTorch's nets; fusing layers is left to ONNX Runtime.
"""

import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from ... import nn
from ...kernels import get_num_threads
from ...quantization import fold_batch_norm
from ...workshop.machine import cpu_features
from .torch_side import KINDS, TO_TORCH, channel_by_channel, pixels_before, same_on_opposite_sides

OPSET, IR_VERSION = 17, 8  # of 2022; every newer release reads them


def channels_first(x: np.ndarray) -> np.ndarray:
    """A batch as ONNX Runtime takes it: images (N, H, W, C) as (N, C, H, W), anything else as it is."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


def session(model: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A function from a batch to ONNX Runtime's outputs, on as many threads as our kernels use."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = get_num_threads(), 1
    runner = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda x: runner.run(None, {"x": x})[0]


def quantized(net: nn.Sequential, x: np.ndarray) -> bytes:
    """The net as an ONNX model with static 8-bit quantization, calibrated on the batch x (`channels_first`).

    Weights are int8 with a scale per channel, activations uint8. Batch norms are folded first: between quantized layers,
    ONNX Runtime would not do it.
    """
    from onnxruntime import quantization as q

    class Batch(q.CalibrationDataReader):
        batches = iter([{"x": x}])

        def get_next(self):
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        before.write_bytes(to_onnx(fold_batch_norm(net)))
        q.quantize_static(
            before,
            after,
            Batch(),
            quant_format=q.QuantFormat.QDQ,
            per_channel=True,
            activation_type=q.QuantType.QUInt8,
            weight_type=q.QuantType.QInt8,
            reduce_range="VNNI"
            not in cpu_features(),  # else two products of bytes are added in 16 bits, which may overflow
        )
        return after.read_bytes()


def to_onnx(net: nn.Sequential) -> bytes:
    """The net in evaluation mode as an ONNX model from x, (N, C, H, W) or (N, features), to (N, classes).

    Raises ValueError for layers and paddings that are not exported.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = Graph(pixels_before(net))
    last = graph.add(net, "x")
    shape = (None, *channels_first(np.empty((1, *net.input_shape), np.float32)).shape[1:])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, (None, None))
    model = helper.make_model(
        helper.make_graph(graph.nodes, "net", [x], [y], graph.values),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Graph:
    """An ONNX graph that grows by one layer at a time. pixels: from `pixels_before`."""

    def __init__(self, pixels: dict[int, int]):
        self.pixels, self.nodes, self.values = pixels, [], []

    def node(self, kind: str, inputs: list[str], *values: np.ndarray, **attributes) -> str:
        """Append an operation on the named inputs, then on these values; returns the name of its output."""
        from onnx import helper, numpy_helper

        output = f"{kind}_{len(self.nodes)}"
        names = [f"{output}_{i}" for i in range(len(values))]
        self.values += map(numpy_helper.from_array, map(np.ascontiguousarray, values), names)
        self.nodes.append(helper.make_node(kind, [*inputs, *names], [output], name=output, **attributes))
        return output

    def add(self, layer: nn.Module, x: str) -> str:
        """Append a layer, or one made of layers, to the value named x; returns the name of its output."""
        bias = [] if getattr(layer, "bias", None) is None else [layer.bias.data]
        match layer:
            case nn.Sequential():
                for inner in _relu_first(layer.layers):
                    x = self.add(inner, x)
                return x
            case nn.Residual():
                return self.node("Add", [self.add(part, x) if part else x for part in (layer.body, layer.shortcut)])
            case nn.PointwiseConv2d() | nn.Conv2d() | nn.DepthwiseConv2d():
                kind = KINDS[type(layer)]
                weight = TO_TORCH[kind](layer.weight.data)
                options = {"strides": _pair(getattr(layer, "stride", 1)), **_pads(layer)}
                options["group"] = len(weight) if kind == "depthwise" else 1
                return self.node("Conv", [x], weight, *bias, **options)
            case nn.Dense():
                return self.node("Gemm", [x], channel_by_channel(layer.weight.data, self.pixels[id(layer)]), *bias)
            case nn.BatchNorm():
                values = layer.weight.data, *bias, layer.running_mean, layer.running_var
                return self.node("BatchNormalization", [x], *values, epsilon=layer.eps)
            case nn.MaxPool2d() if type(layer) is nn.MaxPool2d:  # average pooling is a subclass
                sizes = {"kernel_shape": _pair(layer.size), "strides": _pair(layer.stride or layer.size)}
                return self.node("MaxPool", [x], **sizes)
            case nn.ReLU():
                return self.node("Relu", [x])
            case nn.GlobalAvgPool():
                return self.node("Flatten", [self.node("GlobalAveragePool", [x])])
            case nn.Flatten():
                return self.node("Flatten", [x])
        raise ValueError(f"{layer!r} is not exported to ONNX here")


def _relu_first(layers: list[nn.Module]) -> list[nn.Module]:
    """The layers with a ReLU before, not after, a max pooling: the same result, and it can be fused into a convolution."""
    layers = list(layers)
    for i, (layer, following) in enumerate(pairwise(list(layers))):
        if type(layer) is nn.MaxPool2d and isinstance(following, nn.ReLU):
            layers[i : i + 2] = following, layer
    return layers


def _pair(n) -> list[int]:
    return [n, n] if isinstance(n, int) else list(n)


def _pads(layer: nn.Module) -> dict:
    padding = same_on_opposite_sides(layer)
    return {"auto_pad": "SAME_UPPER"} if padding == "same" else {"pads": 2 * _pair(padding)}
