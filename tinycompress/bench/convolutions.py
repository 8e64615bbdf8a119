"""Standard, depthwise and pointwise convolution, forward and backward through the graph, against PyTorch.

The shapes are those of the lecture's nets. PyTorch competes in both of its memory layouts. A net's first layer needs no
gradient of its images, so neither side computes one.
"""

import numpy as np

from .. import functional as F
from ..tensor import Tensor
from .case import Case, Point, Row, Suite, Work, geometric_mean
from .rivals.torch_side import FROM_TORCH, TO_TORCH, images, images_back, layouts, torch_ready

WEIGHT_SHAPES = {
    "conv": lambda kernel, channels, outputs: (kernel, kernel, channels, outputs),
    "depthwise": lambda kernel, channels, outputs: (kernel, kernel, channels),
    "pointwise": lambda kernel, channels, outputs: (channels, outputs),
}


def output_size(size, kernel, stride, padding):
    return (size + 2 * padding - kernel) // stride + 1


def draw(rng, kind, batch, size, channels, outputs, kernel, stride, padding):
    """x (N, H, W, C), weight, bias, and the gradient g of the output, all float32."""
    out = output_size(size, kernel, stride, padding)
    shapes = (
        (batch, size, size, channels),
        WEIGHT_SHAPES[kind](kernel, channels, outputs),
        (outputs,),
        (batch, out, out, outputs),
    )
    return [rng.standard_normal(shape, np.float32) for shape in shapes]


def ours(rng, *, kind, first, stride, padding, **sizes):
    x, weight, bias, g = draw(rng, kind, stride=stride, padding=padding, **sizes)
    x, weight, bias = Tensor(x, requires_grad=not first), Tensor(weight, True), Tensor(bias, True)
    leaves = [weight, bias] if first else [weight, bias, x]
    forward = {
        "conv": lambda: F.conv2d(x, weight, bias, stride, padding),
        "depthwise": lambda: F.depthwise_conv2d(x, weight, bias, stride, padding),
        "pointwise": lambda: F.dense(x, weight, bias),
    }[kind]

    def run():
        for leaf in leaves:
            leaf.grad = None
        y = forward()
        y.backward(g)
        return [y.data, *(leaf.grad for leaf in leaves)]

    return {"ours": Work(run)}


def torch_convolution(rng, *, kind, first, stride, padding, **sizes):
    torch = torch_ready()
    x, weight, bias, g = draw(rng, kind, stride=stride, padding=padding, **sizes)
    groups = sizes["channels"] if kind == "depthwise" else 1

    def work(layout):
        x_, g_ = images(x, layout).requires_grad_(not first), images(g, layout)
        weight_ = torch.tensor(np.ascontiguousarray(TO_TORCH[kind](weight)))
        weight_ = weight_.to(memory_format=layouts(torch)[layout]).requires_grad_()
        bias_ = torch.tensor(bias, requires_grad=True)
        leaves = [weight_, bias_] if first else [weight_, bias_, x_]

        def run():
            y = torch.nn.functional.conv2d(x_, weight_, bias_, stride, padding, groups=groups)
            return [y, *torch.autograd.grad(y, leaves, g_)]

        def read(result):
            y, weight_grad, bias_grad, *x_grad = result
            return [images_back(y), FROM_TORCH[kind](weight_grad.numpy()), bias_grad.numpy(), *map(images_back, x_grad)]

        return Work(run, read)

    return {layout: work(layout) for layout in layouts(torch)}


def case(kind, goal, size, channels, outputs, kernel=3, stride=1, padding=1, first=False, batch=64):
    """The contest for one shape; `size` is the height and width of the images."""
    arguments = {"kind": kind, "first": first, "stride": stride, "padding": padding}
    arguments |= {"batch": batch, "size": size, "channels": channels, "outputs": outputs, "kernel": kernel}
    out = output_size(size, kernel, stride, padding)
    weights = int(np.prod(WEIGHT_SHAPES[kind](kernel, channels, outputs)))
    # Forward, weight gradient and input gradient each do the same multiply-adds and touch all arrays once.
    passes = 2 if first else 3
    multiply_adds = batch * out * out * weights
    numbers = batch * (size * size * channels + out * out * outputs) + weights
    shape = f"{size}²×{channels}" + ("" if kind == "depthwise" else f" → {outputs}") + f", {kernel}×{kernel}"
    return Case(
        suite=kind,
        name=shape + (f", stride {stride}" if stride > 1 else "") + (", first layer" if first else ""),
        goal=goal,
        sides={"ours": ours, "torch": torch_convolution},
        arguments=arguments,
        point=Point(kind, flops=2.0 * passes * multiply_adds, bytes=4.0 * passes * numbers),
    )


# PyTorch's convolutions run at 90 to 100 % of the speed of BLAS, so a kernel that multiplies as often can hardly be faster.
WORST, MEAN, MEAN_ON_SEVERAL_THREADS = 1.15, 0.95, 1.0


def conv_summary(rows: list[Row]) -> list[Row]:
    mean = geometric_mean("geometric mean", MEAN if rows[0]["threads"] == 1 else MEAN_ON_SEVERAL_THREADS, rows)
    if mean["problem"]:
        return [mean, mean | {"name": "worst", "goal": WORST}]
    worst = max(rows, key=lambda row: row["ratio"])
    return [mean, worst | {"name": f"worst: {worst['name']}", "point": None}]


CONV = [
    case("conv", WORST, 28, 1, 20, kernel=5, padding=0, first=True),  # this and the next: LeNet-5
    case("conv", WORST, 12, 20, 50, kernel=5, padding=0),
    case("conv", WORST, 28, 16, 16),
    case("conv", WORST, 28, 16, 32),
    case("conv", WORST, 28, 32, 64, stride=2),
    case("conv", WORST, 14, 32, 32),
    case("conv", WORST, 14, 32, 64),
    case("conv", WORST, 14, 64, 64),
    case("conv", WORST, 7, 64, 64),
]
DEPTHWISE = [
    case("depthwise", 1.0, size, channels, channels, stride=stride)
    for size, channels in ((28, 32), (14, 128))
    for stride in (1, 2)
]
POINTWISE = [
    case("pointwise", 0.95, size, channels, outputs, kernel=1, padding=0)
    for size, channels, outputs in ((28, 32, 64), (14, 64, 128), (14, 128, 128))
]

SUITES = [
    Suite("conv", CONV, conv_summary),
    Suite("depthwise", DEPTHWISE),
    Suite("pointwise", POINTWISE),
]
