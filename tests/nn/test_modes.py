"""Training and evaluation mode: what predicts does so in evaluation mode and leaves every mode as it was, for its own
thread alone, also after an exception."""

import threading

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import distillation, dynamic, nn, pruning, quantization
from tinycompress.training import recalibrate_batch_norm


@pytest.fixture
def x(rng):
    return rng.standard_normal((12, 8, 8, 1)).astype(np.float32)


def fickle(rng):
    """A net that answers otherwise in training mode, by dropout, batch norm and weights drawn at random; trained a little,
    and with some of its modules in training mode."""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same", bias=False, rng=rng),
        nn.BatchNorm(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5, rng=rng),
        nn.Dense(64, 3, rng=rng),
        input_shape=(8, 8, 1),
    )
    net(rng.standard_normal((12, 8, 8, 1)).astype(np.float32))
    return net


def modes(net):
    return [module.training for module in net._with_steps()]


def test_every_module_and_every_parametrization_changes_its_mode(rng):
    net = quantization.binarize_weights(fickle(rng), stochastic=True, rng=rng)
    assert all(modes(net)) and not any(modes(net.eval())) and all(modes(net.train()))
    step = net[-1].parametrizations("weight")[0]
    with net.evaluation():
        assert not any(modes(net)) and not step.training
    assert all(modes(net)) and step.training


def test_weights_drawn_in_training_are_signs_in_evaluation(rng, x):
    net = quantization.binarize_weights(fickle(rng), stochastic=True, rng=rng)
    assert (net(x).data != net(x).data).any()
    signs = quantization.binarize_weights(net.copy().bake())
    for values in (tc.predict(net, x), tc.predict(net.copy().bake(), x)):
        np.testing.assert_array_equal(values, tc.predict(net, x))
    latent = net[-1].latent("weight").data
    assert (np.sign(nn.weighted.effective(net[-1], "weight")) == np.where(latent >= 0, 1, -1)).all()
    assert len(np.unique(signs[-1].weight.data)) == 2


def test_a_look_at_a_weight_draws_nothing(rng):
    net = quantization.binarize_weights(fickle(rng), stochastic=True, rng=rng)
    before = rng.bit_generator.state
    nn.weighted.effective(net[-1], "weight")
    net.summary()
    pruning.sparsity(net)
    quantization.tcz.to_bytes(net)
    assert rng.bit_generator.state == before


PREDICTING = {
    "predict": tc.predict,
    "teacher_targets": lambda net, x: distillation.teacher_targets(net, x, layers=["2"])["logits"],
    "an ensemble in training mode": lambda net, x: distillation.Ensemble(net, average="logits")(x).data,
    "an exit": lambda net, x: dynamic.EarlyExit(nn.MultiExit([nn.Sequential(*net[:-1])], [net[-1]]), []).run(x)[0],
    "ShiftedTargets": lambda net, x: distillation.ShiftedTargets(net, x, np.zeros(12, int)).logits[0, 1, 1],
}


@pytest.mark.parametrize("name", PREDICTING)
def test_what_predicts_does_so_in_evaluation_mode_and_leaves_the_modes(name, rng, x):
    net = fickle(rng)
    expected = net.eval()(x).data
    net.train()
    net[1].training = False  # a mixture, as of a frozen part
    before, state = modes(net), net.state_dict()
    np.testing.assert_allclose(PREDICTING[name](net, x), expected, atol=1e-6)
    assert modes(net) == before
    assert all(np.array_equal(state[key], values) for key, values in net.state_dict().items())


def test_exits_that_are_trained_on_still_predict_in_evaluation_mode(rng, x):
    net = dynamic.add_exits(fickle(rng), [2], rng=rng)
    leaving = dynamic.EarlyExit(net, 0.5)
    expected = leaving.run(x)
    net.train()  # as `fit` does with the net that the exits belong to
    for got, wanted in zip(leaving.run(x), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert all(modes(net))


class Boom(nn.Module):
    """Fails when it is called for the second time."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls == 2:
            raise FloatingPointError("boom")
        return x


@pytest.mark.parametrize(
    "asked",
    [
        lambda net, x: tc.predict(net, x, batch_size=4),
        lambda net, x: tc.evaluate(net, (x, np.zeros(len(x), int)), batch_size=4),
        lambda net, x: recalibrate_batch_norm(net, x, batch_size=4),
        lambda net, x: distillation.teacher_targets(net, x, batch_size=4),
        lambda net, x: pruning.activation(x, batch_size=4)(net),
        lambda net, x: pruning.taylor((x, np.zeros(len(x), int)), batch_size=4)(net),
        lambda net, x: quantization.calibrate(tc.predict(net, x, batch_size=4)),
    ],
)
def test_modes_and_momentum_are_as_before_after_an_exception(asked, rng, x):
    net = fickle(rng)
    net.layers.append(Boom())
    net[1].momentum = 0.3
    net[2].training = False
    before = modes(net)
    try:
        asked(net, x)
    except (FloatingPointError, ValueError):  # those that follow channels refuse the layer before it fails
        pass
    assert modes(net) == before and net[1].momentum == 0.3


def test_calibration_leaves_modes_and_statistics(rng, x):
    net = fickle(rng)
    before, state = modes(net), net.state_dict()
    quantization.to_integers(net, x)
    quantization.quantize_activations(net, x)
    assert modes(net) == before
    assert all(np.array_equal(state[key], values) for key, values in net.state_dict().items())


class Meeting(nn.Module):
    """While `host` is here, another thread does something with the same net from beginning to end."""

    def __init__(self):
        self.guest, self.host = None, None

    def forward(self, x):
        if self.guest and threading.current_thread() is self.host:
            guest, self.guest = self.guest, None
            thread = threading.Thread(target=guest)
            thread.start()
            thread.join()
        return x


WITH_A_NET = {
    "predict": tc.predict,
    "summary": lambda net, x: [(row.name, row.macs, row.parameters) for row in net.summary().layers],
    "teacher_targets": lambda net, x: distillation.teacher_targets(net, x, layers=["2"])["logits"],
    "hidden_outputs": lambda net, x: distillation.hidden_outputs(net.eval(), x, ["2"])[1][0].data,
    "activation": lambda net, x: pruning.activation(x)(nn.Sequential(*net[1:], input_shape=net.input_shape))["0"],
}


@pytest.mark.parametrize("guest", WITH_A_NET)
@pytest.mark.parametrize("host", WITH_A_NET)
def test_two_threads_with_one_net_each_get_their_own_answer(host, guest, rng, x):
    net, meeting = fickle(rng), Meeting()
    net.layers.insert(0, meeting)
    alone = {name: ask(net, x) for name, ask in WITH_A_NET.items() if name in (host, guest)}
    net.train()
    found = {}
    meeting.host, meeting.guest = threading.current_thread(), lambda: found.update(guest=WITH_A_NET[guest](net, x))
    if host == "activation":  # cuts the meeting off
        return
    found["host"] = WITH_A_NET[host](net, x)
    assert np.array_equal(found["host"], alone[host]) and np.array_equal(found["guest"], alone[guest])


def test_a_thread_that_predicts_leaves_another_one_training(rng, x):
    net, meeting = fickle(rng), Meeting()
    net.layers.insert(0, meeting)
    seen = []
    meeting.host, meeting.guest = threading.current_thread(), lambda: seen.append(net.training)
    with net.evaluation():
        net(x)
    assert seen == [True] and net.training
