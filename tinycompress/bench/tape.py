"""The overhead of the graph: 31 operations, forward and backward, too small for their arithmetic to matter."""

import numpy as np

from ..tensor import Tensor
from .case import Case, Suite, Work
from .rivals.torch_side import torch_ready

LAYERS = 10  # of three operations each; the final sum is the 31st


def draw(rng):
    """x (4, 8), weight (8, 8), bias (4, 8)."""
    return [rng.standard_normal(shape, np.float32) for shape in ((4, 8), (8, 8), (4, 8))]


def ours(rng):
    x, weight, bias = draw(rng)
    x, weight, bias = Tensor(x), Tensor(weight, requires_grad=True), Tensor(bias, requires_grad=True)

    def run():
        weight.grad = bias.grad = None
        hidden = x
        for _ in range(LAYERS):
            hidden = (hidden @ weight + bias).relu()
        hidden.sum().backward()
        return [weight.grad, bias.grad]

    return {"ours": Work(run)}


def torch_graph(rng):
    torch = torch_ready()
    x, weight, bias = map(torch.tensor, draw(rng))
    weight.requires_grad_(), bias.requires_grad_()

    def run():
        weight.grad = bias.grad = None
        hidden = x
        for _ in range(LAYERS):
            hidden = (hidden @ weight + bias).relu()
        hidden.sum().backward()
        return [weight.grad, bias.grad]

    return {"eager": Work(run, lambda result: [grad.numpy() for grad in result])}


SUITES = [
    Suite(
        "tape",
        [Case("tape", "graph of 31 tiny operations", 0.50, {"ours": ours, "torch": torch_graph})],
    )
]
