"""What is counted: multiplications by nonzero weights, and of a net with exits those that are used."""

import numpy as np
import pytest

import tinycompress as tc
from tinycompress.challenge.exits import with_thresholds
from tinycompress.challenge.worker import predictions
from tinycompress.dynamic import EarlyExit, add_exits, mac_costs
from tinycompress.dynamic.exits import confidence
from tinycompress.nn import Sequential
from tinycompress.quantization import tcz


@pytest.fixture
def net(data):
    rng = np.random.default_rng(0)
    start = tc.models.convnet(data.image_shape, 10, (4, 8), rng=rng)
    return tc.dynamic.add_exits(start, [3], rng=rng)


def test_zeros_are_not_multiplied(data, trained):
    dense = predictions(tcz.to_bytes(trained), data.x_test, 10, 0.9)
    pruned = tc.pruning.prune_weights(trained.copy(), 0.75, scope="layer")
    sparse = predictions(tcz.to_bytes(pruned), data.x_test, 10, 0.9)
    assert dense["costs"] == [trained.summary().macs] and dense["weights"] == 64 * 16 + 16 * 10
    assert sparse["costs"] == [dense["costs"][0] / 4] == [sparse["weights"]]


def test_exits_cost_what_was_computed_up_to_them(data, net):
    found = predictions(tcz.to_bytes(net), data.x_test, 10, 0.15)
    assert found["costs"] == pytest.approx(mac_costs(net).of([0.15]))
    outputs, exits = EarlyExit(net, 0.15).run(data.x_test)
    assert found["exits"] == exits.tolist() and 0 < exits.mean() < 1
    assert found["classes"] == outputs.argmax(1).tolist()


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_thresholds_become_the_one_of_the_rules(data, net, share):
    threshold = float(np.quantile(confidence(tc.predict(net.exit(0), data.x_val)), 1 - share))
    stored = tcz.from_bytes(tcz.to_bytes(with_thresholds(net, [threshold], data.x_val, leave_at=0.9)))
    own, by_rule = EarlyExit(net, threshold).run(data.x_val)[1], EarlyExit(stored, 0.9).run(data.x_val)[1]
    assert (own == 0).mean() == pytest.approx(share, abs=0.01)
    assert (by_rule == 0).mean() == pytest.approx((own == 0).mean(), abs=1 / len(data.x_val))
    for i in range(2):  # which class is the likeliest stays the same at every exit
        a, b = (tc.predict(each.exit(i), data.x_val).argmax(1) for each in (net, stored))
        assert np.array_equal(a, b)


def test_an_exit_for_all_and_exits_that_cannot_be_stored(data, net):
    everyone = with_thresholds(net, [0.0], data.x_val)
    assert not EarlyExit(everyone, 0.9).run(data.x_val)[1].any()
    with pytest.raises(ValueError, match="should not be in the net"):
        with_thresholds(net, [1.0], data.x_val)
    plain = tc.models.convnet(data.image_shape, 10, (4, 8), rng=np.random.default_rng(0))
    headless = add_exits(plain, [3], [Sequential(tc.nn.Flatten(), tc.nn.ReLU())], rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="should end in Dense"):
        with_thresholds(headless, [0.5], data.x_val)
