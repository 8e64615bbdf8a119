"""Operations and losses beside PyTorch, an independent implementation."""

import numpy as np
import pytest

from tinycompress import Tensor
from tinycompress import functional as F


def as_torch(name, values):
    """Ours are (kh, kw, in, out), (kh, kw, C), (in, out), theirs (out, in, kh, kw), (out, in)."""
    if values.ndim == 4:
        return values.transpose(3, 2, 0, 1)
    if values.ndim == 3:
        return values.transpose(2, 0, 1)[:, None]
    if name == "5.weight":
        return values.T[:, :, None, None]
    if name == "9.weight":  # features: ours pixel by pixel, theirs channel by channel
        return values.reshape(2, 5, 6).transpose(2, 1, 0).reshape(6, 10)
    return values


def test_a_small_net_has_the_loss_gradients_and_running_statistics_of_pytorch(rng):
    torch = pytest.importorskip("torch")
    from tinycompress import nn

    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1, rng=rng),
        nn.BatchNorm(4),
        nn.ReLU(),
        nn.DepthwiseConv2d(4, 3, padding=1, rng=rng),
        nn.MaxPool2d(2),
        nn.PointwiseConv2d(4, 5, rng=rng),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dense(10, 6, rng=rng),
    )
    rival = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 4, 3, padding=1, groups=4),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 5, 1),
        torch.nn.GELU("tanh"),
        torch.nn.AvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(10, 6),
    )

    theirs = dict(rival.named_parameters())
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.data = rng.standard_normal(p.shape) * 0.5
            theirs[name].copy_(torch.from_numpy(as_torch(name, p.data).copy()))
    x, labels = rng.standard_normal((5, 16, 8, 3)).astype(np.float32), rng.integers(0, 6, 5)
    for _ in range(2):  # twice, so that the running statistics run
        net.zero_grad()
        rival.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        their_loss = torch.nn.functional.cross_entropy(
            rival(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())), torch.from_numpy(labels)
        )
        their_loss.backward()
    assert loss.item() == pytest.approx(their_loss.item(), rel=1e-5)
    for name, p in net.named_parameters():
        np.testing.assert_allclose(as_torch(name, p.grad), theirs[name].grad.numpy(), atol=2e-5, err_msg=name)
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(getattr(net[1], name), getattr(rival[1], name).numpy(), rtol=1e-5, atol=1e-6)
    net.eval(), rival.eval()
    out = rival(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(net(x).data, out, atol=1e-5)


def test_kl_with_temperature_is_that_of_pytorch(rng):
    torch = pytest.importorskip("torch")
    z, v, T = rng.standard_normal((4, 5)), rng.standard_normal((4, 5)), 3.0
    soft = torch.nn.functional.softmax(torch.from_numpy(v) / T, 1)
    log = torch.nn.functional.log_softmax(torch.from_numpy(z) / T, 1)
    theirs = T * T * torch.nn.functional.kl_div(log, soft, reduction="batchmean")
    assert F.kl_div(Tensor(z), v, T).item() == pytest.approx(theirs.item())
