"""Small nets to take apart, for the tests of modules and of what makes them smaller."""

import numpy as np

import tinycompress as tc
from tinycompress import functional as F
from tinycompress import models, nn, pruning
from tinycompress.nn import Mask

NETS = {
    "mlp": lambda rng: models.mlp((8, 8, 1), (20, 10), 5, rng=rng),
    "lenet_5": lambda rng: models.lenet_5((8, 8, 1), 5, rng=rng),
    "convnet": lambda rng: models.convnet((8, 8, 1), 5, (6, 8), rng=rng),
    "separable_net": lambda rng: models.separable_net((8, 8, 1), 5, (6, 8, 10), rng=rng),
    "resnet": lambda rng: models.resnet((8, 8, 1), 5, (6, 8), rng=rng),
}


def used(net, rng):
    """The net with arrays that are not those of a fresh one."""
    for _ in range(2):
        net.train()(rng.random((8, *net.input_shape), np.float32))
    for parameter in net.parameters():
        if parameter.ndim == 1:
            parameter.data = rng.normal(0.5, 0.2, parameter.shape)
    return net.eval()


def in_float64(net):
    """The net with its parameters in float64, for comparisons in which the order of a sum has no say."""
    for module in net.modules():
        for name in [name for name, _ in module.named_parameters() if "." not in name]:
            parameter = nn.Parameter(module.latent(name).data.astype(np.float64))
            module.replace(name, parameter, module.parametrizations(name))
    return net


def small_net(rng):
    """One of nearly everything, with a mask, for images (8, 8, 2)."""
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding="same", rng=rng),
        nn.BatchNorm(4),
        nn.ReLU(),
        nn.Residual(nn.Sequential(nn.DepthwiseConv2d(4, padding="same", rng=rng), nn.PointwiseConv2d(4, 4, rng=rng))),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5, rng=rng),
        nn.Dense(64, 3, rng=rng),
        input_shape=(8, 8, 2),
    )
    net[-1].parametrize("weight", Mask(rng.random((64, 3)) < 0.5))
    return net


def train_a_little(net, rng, optimizer=None, steps=3):
    optimizer = optimizer or tc.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    for _ in range(steps):
        net.zero_grad()
        F.cross_entropy(net(rng.standard_normal((6, 8, 8, 2)).astype(np.float32)), rng.integers(0, 3, 6)).backward()
        optimizer.step()


def trained(digits, rng, build=models.lenet_300_100, epochs=4):
    net = build((8, 8, 1), 10, rng=rng)
    optimizer = tc.optim.SGD(net.parameters(), 0.05, momentum=0.9)
    tc.fit(net, digits.train, optimizer=optimizer, epochs=epochs, rng=rng, progress=False)
    return net


def small_mlp(seed=0):
    return models.mlp((3, 2, 1), (7, 5), 4, rng=np.random.default_rng(seed))


def masks(model):
    return {name: layer.parametrization("weight", Mask).mask for name, layer in pruning.prunable(model).items()}


def weights(model):
    return {name: layer.weight.data for name, layer in pruning.prunable(model).items()}
