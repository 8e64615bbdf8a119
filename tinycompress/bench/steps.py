"""One training step, as both libraries teach it: zero the gradients, forward, loss, backward, SGD with momentum.

Both sides start from the same weights and see the same batch, so their losses must agree. The second loss also checks
the first update.
"""

import numpy as np

from .. import functional as F
from .. import models, nn
from ..optim import SGD
from .case import Case, Row, Suite, Times, Work, make_row
from .rivals.torch_side import images, layouts, torch_ready, twin

LR, MOMENTUM = 0.01, 0.9


def lenet_300_100(rng):
    return models.lenet_300_100(rng=rng)


def lenet_5(rng):
    return models.lenet_5(rng=rng)


def separable_net(rng):
    net = models.separable_net((32, 32, 3), widths=(32, 64, 128), rng=rng)
    for layer in net.layers:
        if isinstance(layer, nn.DepthwiseConv2d):
            layer.padding = 1  # "same" would pad below and right only, which PyTorch needs another operation for
    return net


def resnet20(rng):
    return models.resnet20(rng=rng)


NETS = {function.__name__: function for function in (lenet_300_100, lenet_5, separable_net, resnet20)}


def draw(rng, net, batch):
    """The net, images (N, H, W, C) and labels."""
    model = NETS[net](rng)
    return model, rng.standard_normal((batch, *model.input_shape), np.float32), rng.integers(0, 10, batch)


def ours(rng, net, batch):
    model, x, labels = draw(rng, net, batch)
    optimizer = SGD(model.parameters(), LR, momentum=MOMENTUM)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return {"ours": Work(step, lambda loss: [loss.data])}


def torch_step(rng, net, batch):
    torch = torch_ready()
    ours, x, labels = draw(rng, net, batch)
    labels = torch.tensor(labels)

    def work(layout):
        model, x_ = twin(ours, layout), images(x, layout)
        optimizer = sgd(torch, model.parameters())

        def step():
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x_), labels)
            loss.backward()
            optimizer.step()
            return loss

        return Work(step, lambda loss: [loss.detach().numpy()])

    has_images = any(isinstance(layer, nn.Conv2d) for layer in ours.layers)
    return {layout: work(layout) for layout in layouts(torch) if has_images or layout == "eager"}


def sgd(torch, parameters):
    """PyTorch's SGD, as one fused kernel if this release has it for the CPU."""
    parameters = list(parameters)
    try:
        return torch.optim.SGD(parameters, LR, MOMENTUM, fused=True)
    except (TypeError, RuntimeError):
        return torch.optim.SGD(parameters, LR, MOMENTUM)


def against_each(case: Case, times: Times) -> list[Row]:
    """One row per PyTorch layout, since their goals differ."""
    (mine,) = times["ours"].values()
    return [
        make_row(
            case, mine, theirs, f"torch {layout}", name=f"{case.name}, against {layout}", goal=LAYOUT_GOALS[layout]
        )
        for layout, theirs in times["torch"].items()
    ]


LAYOUT_GOALS = {"eager": 0.50, "channels-last": 0.75}


def case(name, goal, net, batch, **options):
    sides = {"ours": ours, "torch": torch_step}
    return Case("steps", f"{name}, batch {batch}", goal, sides, {"net": net, "batch": batch}, **options)


SUITES = [
    Suite(
        "steps",
        [
            case("LeNet-300-100", 0.75, "lenet_300_100", 64),
            case("LeNet-300-100", 0.75, "lenet_300_100", 128),
            case("LeNet-5", 0.75, "lenet_5", 64),
            case("small separable net", LAYOUT_GOALS["channels-last"], "separable_net", 64, rows=against_each),
            case("ResNet-20", 0.90, "resnet20", 128, on_several_threads=0.95, most_rounds=5),
        ],
    )
]
