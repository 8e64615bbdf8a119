"""A layer that stands in two places of a net, or a weight that two layers share: handled once or refused, by every method."""

import copy
import pickle

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import architecture, distillation, dynamic, nn, pruning, quantization
from tinycompress.nn.weighted import effective


def net_with_a_layer_in_two_places(rng):
    shared = nn.Dense(16, 16, rng=rng)
    return nn.Sequential(
        *(nn.Flatten(), nn.Dense(64, 16, rng=rng), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU()),
        nn.Dense(16, 10, rng=rng),
        input_shape=(8, 8, 1),
    ).eval()


@pytest.fixture
def net(rng):
    return net_with_a_layer_in_two_places(rng)


@pytest.fixture
def x(rng):
    return rng.standard_normal((12, 8, 8, 1)).astype(np.float32)


WEIGHTS = 64 * 16 + 16 * 16 + 16 * 10


def test_it_has_one_name_and_is_in_the_state_once(net):
    assert [name for name, _ in net.named_modules()] == ["", "0", "1", "2", "3", "4", "6", "7"]
    assert set(net.state_dict()) == {f"{i}.{name}" for i in (1, 3, 7) for name in ("weight", "bias")}
    assert len(net.parameters()) == 6


def test_it_is_counted_once_and_multiplied_twice(net):
    assert net.summary().parameters == WEIGHTS + 16 + 16 + 10
    assert net.summary().macs == WEIGHTS + 16 * 16


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_it_is_pruned_once(net, share):
    pruning.prune_weights(net, share)
    kept = sum(np.count_nonzero(effective(layer, "weight")) for layer in nn.weighted_layers(net).values())
    assert kept == round((1 - share) * WEIGHTS)
    assert pruning.sparsity(net) == pytest.approx(1 - kept / WEIGHTS)


@pytest.mark.parametrize(
    ("compress", "kind"),
    [
        (lambda net, x: pruning.prune_n_of_m(net, 2, 4), nn.Mask),
        (lambda net, x: quantization.quantize_weights(net, 4), quantization.FakeQuantize),
        (lambda net, x: quantization.cluster_weights(net, 8), quantization.Clustered),
        (lambda net, x: quantization.binarize_weights(net), quantization.Binarize),
        (lambda net, x: quantization.ternarize_weights(net), quantization.Ternarize),
    ],
)
def test_it_is_seen_through_each_parametrization_once(net, x, compress, kind):
    compress(net, x)
    assert [type(step) for step in net[3].parametrizations("weight")] == [kind]
    assert net[3] is net[5]


@pytest.mark.parametrize(
    "asked",
    [
        lambda net, x: quantization.fold_batch_norm(net),
        lambda net, x: quantization.to_integers(net, x),
        lambda net, x: quantization.pack_binary(quantization.binarize_weights(net)),
        lambda net, x: quantization.pack_codebook(quantization.cluster_weights(net)),
        lambda net, x: quantization.tcz.to_bytes(net),
        lambda net, x: pruning.keep_neurons(net, 0.5),
        lambda net, x: pruning.remove_neurons(net, {"3": np.arange(4)}),
        lambda net, x: pruning.remove_dead_neurons(net),
        lambda net, x: pruning.widen(net, {"3": 20}, rng=np.random.default_rng(0)),
        lambda net, x: dynamic.Slimmable(net),
        lambda net, x: architecture.factorise(net, {"3": 4}),
    ],
)
def test_what_cannot_take_it_once_refuses_it_by_name_and_changes_nothing(net, x, asked):
    before = tc.predict(net, x)
    with pytest.raises(ValueError, match=r"layer 5, Dense\(16, 16\).*two places"):
        asked(net, x)
    if not net[3].parametrizations("weight"):
        np.testing.assert_array_equal(tc.predict(net, x), before)


def test_a_layer_that_stands_once_may_be_replaced_beside_it(net, x):
    factorised = architecture.factorise(net, {"1": 16})
    np.testing.assert_allclose(tc.predict(factorised, x), tc.predict(net, x), atol=1e-4)
    assert factorised[4] is factorised[6]


@pytest.mark.parametrize("twin", [lambda net: net.copy(), copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_it_stays_shared_in_copies(net, twin):
    other = twin(net)
    assert other[3] is other[5] and other[3] is not net[3]


def test_it_is_trained_and_saved_once(net, x, rng, tmp_path):
    y = np.arange(12) % 10
    sgd = tc.optim.SGD(net.parameters(), lr=0.1)
    tc.fit(net, (x, y), optimizer=sgd, epochs=2, rng=rng, progress=False)
    net.save(tmp_path / "net.npz")
    other = net_with_a_layer_in_two_places(rng).load(tmp_path / "net.npz")
    np.testing.assert_array_equal(tc.predict(other, x), tc.predict(net, x))


def test_an_activation_may_stand_anywhere(rng, x):
    relu = nn.ReLU()
    layers = [nn.Flatten(), nn.Dense(64, 8, rng=rng), relu, nn.Dense(8, 8, rng=rng), relu, nn.Dense(8, 3, rng=rng)]
    net = nn.Sequential(*layers, input_shape=(8, 8, 1)).eval()
    for same in (
        quantization.fold_batch_norm(net),
        quantization.tcz.from_bytes(quantization.tcz.to_bytes(net)),
        quantization.to_integers(net, x),
    ):
        np.testing.assert_allclose(tc.predict(same, x), tc.predict(net, x), atol=0.1)


def test_hints_from_a_layer_that_runs_twice_are_refused(net, x):
    with pytest.raises(ValueError, match="layer 3 runs 2 times"):
        distillation.hidden_outputs(net, x, ["3"])


@pytest.fixture
def tied(rng):
    net = nn.Sequential(nn.Dense(6, 6, rng=rng), nn.ReLU(), nn.Dense(6, 6, rng=rng), input_shape=(6,))
    net[2].weight = net[0].weight
    return net


def test_a_tied_weight_is_counted_and_stored_once(tied):
    assert tied.summary().parameters == 6 * 6 + 6 + 6
    assert set(tied.state_dict()) == {"0.weight", "0.bias", "2.bias"}
    for twin in (tied.copy(), pickle.loads(pickle.dumps(tied))):
        assert twin[0].weight is twin[2].weight


@pytest.mark.parametrize(
    "asked",
    [
        lambda net: pruning.prune_weights(net, 0.5),
        lambda net: pruning.sparsity(net),
        lambda net: quantization.cluster_weights(net, 4),
        lambda net: quantization.quantize_weights(net, 4),
        lambda net: quantization.fold_batch_norm(net),
        lambda net: quantization.tcz.to_bytes(net),
        lambda net: quantization.to_integers(net, np.ones((3, 6), np.float32)),
        lambda net: pruning.remove_neurons(net, {"0": np.arange(3)}),
    ],
)
def test_a_tied_weight_is_refused_by_what_would_change_it_twice_or_untie_it(tied, asked):
    with pytest.raises(ValueError, match="layers 0 and 2 share one weight"):
        asked(tied)


def test_a_slimmable_net_is_compressed_at_one_width(rng):
    slim = dynamic.Slimmable(tc.models.mlp((3, 1, 1), (8,), 2, rng=rng), widths=(0.5, 1.0))
    with pytest.raises(ValueError, match=r"share one weight.*cut\(width\)"):
        pruning.prune_weights(slim, 0.5)
    assert pruning.sparsity(pruning.prune_weights(slim.cut(0.5), 0.5)) == pytest.approx(0.5)


def test_a_bias_that_two_layers_share_is_not_folded_into_twice(rng):
    one, other = nn.Dense(6, 6, rng=rng), nn.Dense(6, 6, rng=rng)
    other.bias = one.bias
    net = nn.Sequential(one, nn.BatchNorm(6), nn.ReLU(), other, nn.BatchNorm(6), input_shape=(6,))
    with pytest.raises(ValueError, match="layers 0 and 3 share one bias"):
        quantization.fold_batch_norm(net)


def test_a_masked_bias_takes_what_is_folded_into_it(rng):
    net = nn.Sequential(nn.Dense(6, 6, rng=rng), nn.BatchNorm(6), nn.Dense(6, 2, rng=rng), input_shape=(6,)).eval()
    net[0].bias.data, net[1].bias.data = rng.normal(size=6), rng.normal(size=6)
    net[0].parametrize("bias", nn.Mask(np.arange(6) < 3))
    x = rng.standard_normal((9, 6)).astype(np.float32)
    np.testing.assert_allclose(tc.predict(quantization.fold_batch_norm(net), x), tc.predict(net, x), atol=1e-5)


@pytest.mark.parametrize("after", [(0,), (1,), (2,), (4,), (0, 4)])
def test_exits_after_any_layer_and_of_a_net_with_one_activation_in_two_places(after, rng):
    relu = nn.ReLU()
    layers = [nn.Flatten(), nn.Dense(64, 32, rng=rng), relu, nn.Dense(32, 16, rng=rng), relu, nn.Dense(16, 3, rng=rng)]
    exits = dynamic.add_exits(nn.Sequential(*layers, input_shape=(8, 8, 1)), after, rng=rng)
    outputs = exits.train()(rng.random((5, 8, 8, 1), np.float32))
    assert [out.shape for out in outputs] == [(5, 3)] * (len(after) + 1)
