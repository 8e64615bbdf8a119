"""Fifty steps of training beside PyTorch, from the same weights over the same batches: the same losses."""

import numpy as np
import pytest

from tinycompress import data, models, nn, optim
from tinycompress import functional as F

STEPS, BATCH, LR, MOMENTUM = 50, 32, 0.02, 0.9
NETS = {
    "dense": lambda shape, rng: models.mlp(shape, (60, 30), 10, rng=rng),
    "lenet_5": lambda shape, rng: models.lenet_5(shape, 10, rng=rng),
    "separable": lambda shape, rng: models.separable_net(shape, 10, (12, 20, 36), rng=rng),
}


@pytest.mark.parametrize("name", NETS)
def test_fifty_steps_have_the_losses_of_pytorch(name):
    torch = pytest.importorskip("torch")
    from tinycompress.bench.rivals.torch_side import images, twin

    digits = data.load("digits")
    rng = np.random.default_rng(0)
    net = NETS[name](digits.image_shape, rng)
    for layer in net.layers:
        if isinstance(layer, nn.DepthwiseConv2d):
            layer.padding = 1  # PyTorch cannot pad one side only
    rival = twin(net)
    ours = optim.SGD(net.parameters(), LR, MOMENTUM)
    theirs = torch.optim.SGD(rival.parameters(), LR, MOMENTUM)
    losses = []
    for _ in range(STEPS):
        rows = rng.choice(len(digits.x_train), BATCH, replace=False)
        x, labels = digits.x_train[rows], digits.y_train[rows]
        ours.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        ours.step()
        theirs.zero_grad()
        their_loss = torch.nn.functional.cross_entropy(rival(images(x, "eager")), torch.tensor(labels))
        their_loss.backward()
        theirs.step()
        losses.append((loss.item(), their_loss.item()))
    mine, expected = np.transpose(losses)
    assert expected[-5:].mean() < 0.7 * expected[:5].mean(), "nothing was learnt, so nothing was compared"
    np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)
