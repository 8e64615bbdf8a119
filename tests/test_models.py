"""Ready-made nets: the sizes of the papers, and pixels as the data sets give them, in whatever form the net comes back."""

import re

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import models, pruning
from tinycompress.inference import optimize
from tinycompress.quantization import fold_batch_norm, quantize_activations, quantize_weights, tcz, to_integers


@pytest.fixture(scope="module")
def colours():
    """Images of two classes that differ by little in one channel, which is far from 0 and has little contrast."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 2
    images = rng.random((240, 8, 8, 3)) * [0.5, 0.5, 0.02] + [0.2, 0.4, 0.9]
    images[..., 2] += 0.01 * labels[:, None, None]
    return images.astype(np.float32), labels


@pytest.fixture(scope="module")
def net(colours):
    x, y = colours
    net = models.normalized(models.convnet((8, 8, 3), 2, (4, 6), rng=0), x)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, (x, y), optimizer=sgd, epochs=4, rng=0, batch_size=16, progress=False)
    return net


FORMS = {
    "a copy loaded from .npz": lambda net, x, path: models.normalized(
        models.convnet((8, 8, 3), 2, (4, 6), rng=1), np.random.default_rng(1).random((9, 8, 8, 3), np.float32)
    ).load(path),
    "a .tcz file": lambda net, x, path: tcz.from_bytes(tcz.to_bytes(net)),
    "the form for prediction": lambda net, x, path: optimize(net, x[:32]),
    "integers": lambda net, x, path: to_integers(net, x),
    "the form for prediction of integers": lambda net, x, path: optimize(to_integers(net, x), x[:32]),
    "trained for integers": lambda net, x, path: to_integers(
        quantize_activations(quantize_weights(fold_batch_norm(net), 8), x), x
    ),
    "fewer neurons": lambda net, x, path: pruning.remove_neurons(net, {"1": np.array([0, 2, 3])}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_normalised_net_predicts_from_raw_pixels_in_every_form(form, net, colours, tmp_path):
    x, y = colours
    net.save(tmp_path / "net.npz")
    found = FORMS[form](net, x, tmp_path / "net.npz")
    assert tc.evaluate(net, (x, y)).accuracy > 0.95
    if form == "fewer neurons":
        assert found[0].mean.tolist() == net[0].mean.tolist() and found[1].weight.shape[-1] < 4
    else:
        assert (tc.predict(found, x).argmax(1) == tc.predict(net, x).argmax(1)).mean() > 0.97


SMALL = {
    "vgg": lambda shape: models.vgg(shape, 3, share=1 / 16, rng=0),
    "mobilenet": lambda shape: models.mobilenet(shape, 3, share=1 / 4, rng=0),
}


@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3), (9, 17, 3)], ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_nets_for_small_images_train_at_any_size(name, shape, rng):
    x, y = rng.random((12, *shape), np.float32), np.arange(12) % 3
    net = SMALL[name](shape)
    history = tc.fit(
        net, (x, y), optimizer=tc.optim.SGD(net.parameters(), 0.01), epochs=1, rng=0, batch_size=6, progress=False
    )
    assert np.isfinite(history.loss).all() and tc.predict(net, x).shape == (12, 3)
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("make", [models.resnet20, models.vgg, models.mobilenet], ids=lambda make: make.__name__)
def test_nets_for_cifar10_have_the_size_that_they_state(make):
    net = make(rng=0)
    parameters, macs = re.search(
        r"([\d,]+) parameters and.*?([\d.]+) million multiply-adds", make.__doc__, re.S
    ).groups()
    assert sum(p.size for p in net.parameters()) == int(parameters.replace(",", ""))
    total = net.summary().macs
    assert round(total / 1e6, 1) == float(macs)


def test_a_mobilenet_costs_as_much_as_a_resnet20():
    nets = models.mobilenet(rng=0), models.resnet20(rng=0)
    assert nets[0].summary().macs == pytest.approx(nets[1].summary().macs, rel=0.01)
