"""Removing, permuting and adding neurons and channels: the net computes the same, ties are found, the rest is
refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_nets import in_float64

from tinycompress import models, nn, pruning, quantization
from tinycompress.nn import BatchNorm, Conv2d, Dense, Flatten, ReLU, Residual, Sequential
from tinycompress.nn.weighted import effective
from tinycompress.training import predict

SHAPE = (9, 9, 1)


def _deep_residual(shape, *, rng):
    """Residual in residual, and an identity around a depthwise convolution."""
    inner = Residual(Sequential(nn.DepthwiseConv2d(6, 3, padding="same", rng=rng), nn.PointwiseConv2d(6, 6, rng=rng)))
    outer = Residual(
        Sequential(Conv2d(6, 6, 3, padding="same", rng=rng), ReLU(), inner), nn.PointwiseConv2d(6, 6, rng=rng)
    )
    return Sequential(Conv2d(1, 6, 3, rng=rng), outer, ReLU(), nn.AvgPool2d(2), Flatten(), Dense(54, 10, rng=rng))


def _flattened_norm(shape, *, rng):
    """Batch norm behind flatten: each of its 49 * 4 features belongs to one of 4 channels."""
    layers = Conv2d(1, 4, 3, rng=rng), nn.Sigmoid(), Flatten(), BatchNorm(196), Dense(196, 12, rng=rng), nn.GELU()
    return Sequential(*layers, Dense(12, 10, rng=rng))


NETS = {
    "LeNet-300-100": models.lenet_300_100,
    "LeNet-5": models.lenet_5,
    "convnet": models.convnet,
    "separable": models.separable_net,
    "residual": models.resnet,
    "residual in residual": _deep_residual,
    "batch norm behind flatten": _flattened_norm,
}


@pytest.fixture(params=NETS)
def model(request):
    """A net in evaluation mode whose biases and batch norms are far from where they begin; in float64, so that the order
    in which a sum is taken has no say: a thousand equal terms can all be rounded in the same direction."""
    rng = np.random.default_rng(1)
    net = in_float64(NETS[request.param](SHAPE, rng=rng))
    for module in net.modules():
        if getattr(module, "bias", None) is not None:
            module.bias.data = rng.normal(0, 0.5, module.bias.shape)
        if isinstance(module, BatchNorm):
            module.weight.data = rng.normal(1, 0.5, module.weight.shape)
            module.running_mean[...] = rng.normal(size=module.running_mean.shape)
            module.running_var[...] = rng.uniform(0.5, 2, module.running_var.shape)
    return net.eval()


@pytest.fixture
def x(rng):
    return rng.random((5, *SHAPE))


def free(model):
    return {name: group for name, group in pruning.channel_groups(model).items() if not group.held}


def assert_same(a, b, x):
    a, b = predict(a, x), predict(b, x)
    assert a.dtype == b.dtype == np.float64
    assert np.abs(a - b).max() <= 1e-10 * np.abs(a).max()


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_the_smaller_net_computes_what_the_masked_net_computes(model, x, share):
    kept = pruning.keep_neurons(model, share)
    small = pruning.remove_neurons(model, kept)
    masked = pruning.mask_neurons(model.copy(), kept)
    assert_same(masked, small, x)
    assert np.abs(predict(model, x) - predict(small, x)).max() > 1e-3  # so that the masks did something
    assert {name: group.count for name, group in free(small).items()} == {name: len(kept[name]) for name in kept}


def test_the_smaller_net_computes_the_same_in_training_mode_too(model, x):
    kept = pruning.keep_neurons(model, 0.5)
    masked, small = pruning.mask_neurons(model.copy(), kept).train(), pruning.remove_neurons(model, kept).train()
    np.testing.assert_allclose(masked(x).data, small(x).data, atol=1e-10)


def test_permuting_channels_changes_nothing(model, x, rng):
    order = {name: rng.permutation(group.count) for name, group in free(model).items()}
    assert any((index != np.arange(len(index))).any() for index in order.values())
    assert_same(model, pruning.remove_neurons(model, order), x)


def test_the_widened_net_computes_the_same(model, x, rng):
    wide = pruning.widen(model, {name: 2 * group.count + 1 for name, group in free(model).items()}, rng=rng)
    assert_same(model, wide, x)
    assert {g.count for g in free(wide).values()} == {2 * g.count + 1 for g in free(model).values()}


def test_widening_one_layer_leaves_the_others(model, x, rng):
    name, group = next(iter(free(model).items()))
    wide = pruning.widen(model, {name: group.count + 3}, rng=rng)
    assert_same(model, wide, x)
    assert [g.count for g in free(wide).values()][1:] == [g.count for g in free(model).values()][1:]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 100))
def test_any_chain_of_dense_layers_can_be_cut_and_widened_anywhere(widths, seed):
    rng = np.random.default_rng(seed)
    net = in_float64(models.mlp((2, 2, 1), [4 * w for w in widths], 3, rng=rng))
    x = rng.random((4, 2, 2, 1))
    for name, group in free(net).items():
        kept = {name: np.flatnonzero(rng.random(group.count) < 0.5)}
        if len(kept[name]):
            a, b = pruning.mask_neurons(net.copy(), kept), pruning.remove_neurons(net, kept)
            np.testing.assert_allclose(predict(a, x), predict(b, x), atol=1e-10)
        wide = pruning.widen(net, {name: group.count + int(rng.integers(9))}, rng=rng)
        np.testing.assert_allclose(predict(wide, x), predict(net, x), atol=1e-10)


def test_removing_and_widening_leave_the_model_as_it_was(model, x):
    before = model.state_dict()
    pruning.remove_neurons(model, pruning.keep_neurons(model, 0.5))
    pruning.widen(model, {next(iter(free(model))): 320}, rng=np.random.default_rng(0), noise=0.1)
    assert all(np.array_equal(before[name], now) for name, now in model.state_dict().items())


def test_weights_pruned_one_by_one_stay_pruned_in_the_smaller_and_the_wider_net(model, x, rng):
    pruning.prune_weights(model, 0.5)
    kept = pruning.keep_neurons(model, 0.5)
    small = pruning.remove_neurons(model, kept)
    assert_same(pruning.mask_neurons(model.copy(), kept), small, x)
    name = next(iter(kept))
    first = [pruning.kept_weights(net)[name] for net in (small, model)]
    assert np.array_equal(first[0], first[1].take(kept[name], -1))
    assert_same(model, pruning.widen(model, {name: 320}, rng=rng), x)


def test_channels_that_are_added_are_one_group(rng):
    groups = pruning.channel_groups(models.resnet(SHAPE, widths=(4, 8), rng=rng))
    assert [*groups["0"].writers] == ["0", "3.body.3"]  # the identity shortcut
    assert [*groups["5.body.3"].writers] == ["5.body.3", "5.shortcut.0"]  # the 1×1 shortcut
    assert [*groups["0"].readers] == ["3.body.0", "5.body.0", "5.shortcut.0"]
    assert "classes" in groups["8"].held


def test_a_group_may_be_named_by_any_layer_that_writes_it(rng, x):
    net = in_float64(models.resnet(SHAPE, widths=(4, 8), rng=rng))
    by_first = pruning.remove_neurons(net, {"0": [0, 2]})
    by_last = pruning.remove_neurons(net, {"3.body.3": [0, 2]})
    assert np.array_equal(predict(by_first, x), predict(by_last, x))
    with pytest.raises(ValueError, match=r"0 and 3.body.3 are added to each other.*give 0 only"):
        pruning.remove_neurons(net, {"0": [0, 2], "3.body.3": [1, 2]})
    both = pruning.keep_neurons(net, {"0": 0.5, "3.body.3": 0.5})
    assert [*both] == ["0"] and len(both["0"]) == 2


def test_a_channel_added_to_the_input_is_held(rng):
    net = Sequential(Residual(Sequential(Dense(4, 9, rng=rng), ReLU(), Dense(9, 4, rng=rng))), Dense(4, 3, rng=rng))
    assert [*pruning.keep_neurons(net, 0.5)] == ["0.body.0"]
    with pytest.raises(
        ValueError, match="layer 0.body.2 must keep all its 4 channels: they are the channels of the images"
    ):
        pruning.remove_neurons(net, {"0.body.2": [0, 1]})


class _Mixer(nn.Module):
    def forward(self, x):
        return x @ np.ones((4, 4), np.float32)


def _dense(rng, *between):
    return Sequential(Dense(4, 4, rng=rng), *between, Dense(4, 3, rng=rng))


REFUSED = {
    "the last layer": (lambda rng: _dense(rng), {"1": [0]}, "classes"),
    "an unknown layer": (
        lambda rng: _dense(rng),
        {"7": [0]},
        "no dense or standard convolution layer is called '7'",
    ),
    "a layer without channels": (lambda rng: _dense(rng, ReLU()), {"1": [0]}, "is called '1'"),
    "an index too large": (lambda rng: _dense(rng), {"0": [4]}, "channels 0 to 3"),
    "an index below 0": (lambda rng: _dense(rng), {"0": [-1]}, "channels 0 to 3"),
    "no neuron": (lambda rng: _dense(rng), {"0": []}, "at least one"),
    "a mask for indices": (lambda rng: _dense(rng), {"0": [True, False, True, True]}, "whole numbers"),
    "twice the same": (lambda rng: _dense(rng), {"0": [1, 1]}, "differ from each other"),
    "an unknown module": (lambda rng: _dense(rng, _Mixer()), {"0": [0]}, "layer 1 is a _Mixer"),
    "an unknown model": (lambda rng: _Mixer(), {"0": [0]}, "the model is a _Mixer"),
    "a residual of unequal branches": (
        lambda rng: _dense(rng, Residual(Dense(4, 8, rng=rng))),
        {"0": [0]},
        "1 adds 4 channels to 8",
    ),
    "a layer that does not fit": (lambda rng: _dense(rng, Dense(5, 4, rng=rng)), {"0": [0]}, "takes 5.*gets 4"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_cut_is_refused_with_the_reason(case, rng):
    build, kept, reason = REFUSED[case]
    net = build(rng)
    for call in (pruning.remove_neurons, pruning.mask_neurons):
        with pytest.raises(ValueError, match=reason):
            call(net, kept)


def test_a_layer_in_two_places_is_refused(rng):
    twice = Dense(4, 4, rng=rng)
    with pytest.raises(ValueError, match="two places"):
        pruning.channel_groups(Sequential(twice, ReLU(), twice))


class _Halve(nn.Module):
    def forward(self, latent):
        return latent * 0.5


def test_a_parametrization_that_cannot_be_cut_is_refused_until_it_is_baked(rng, x):
    net = models.mlp(SHAPE, (6,), 3, rng=rng)
    net[1].parametrize("weight", _Halve())
    with pytest.raises(ValueError, match=r"_Halve.*bake\(\)"):
        pruning.remove_neurons(net, {"1": [0, 1]})
    pruning.remove_neurons(net.bake(), {"1": [0, 1]})


def test_what_lies_behind_a_parametrization_is_taken_along_as_it_is(rng):
    """The values behind a grid or a mask, which training goes on from, and not those that the grid or mask lets through."""
    net = pruning.prune_weights(models.mlp(SHAPE, (6,), 3, rng=rng), 0.5)
    quantization.quantize_weights(net, 3)
    small = pruning.remove_neurons(net, {"1": [0, 2]})
    assert np.array_equal(small[1].latent("weight").data, net[1].latent("weight").data[:, [0, 2]])
    assert np.array_equal(small[1].weight.data, net[1].weight.data[:, [0, 2]])


def test_widening_to_fewer_channels_is_refused(rng):
    with pytest.raises(ValueError, match="4 channels already"):
        pruning.widen(_dense(rng), {"0": 3}, rng=rng)


def test_noise_tells_the_copies_apart_and_leaves_the_old_neurons_alone(rng):
    net = _dense(rng)
    exact, noisy = (pruning.widen(net, {"0": 8}, rng=np.random.default_rng(0), noise=noise) for noise in (0, 0.1))
    assert np.array_equal(noisy[0].weight.data[:, :4], net[0].weight.data)
    difference = noisy[0].weight.data[:, 4:] - exact[0].weight.data[:, 4:]
    assert 0.03 < difference.std() / net[0].weight.data.std() < 0.3


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_keep_neurons_keeps_the_most_important_and_at_least_one_of_each_layer(scope, rng):
    net = models.mlp((2, 2, 1), (10, 6), 3, rng=rng)
    scores = {"1": np.arange(10) + 100.0, "3": np.arange(6.0)}
    kept = pruning.keep_neurons(net, 0.5, lambda model: scores, scope)
    assert {name: index.tolist() for name, index in kept.items()} == (
        {"1": [5, 6, 7, 8, 9], "3": [3, 4, 5]} if scope == "layer" else {"1": [2, 3, 4, 5, 6, 7, 8, 9], "3": [5]}
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"share": 1.5}, "from 0 to 1"),
        ({"share": {"9": 0.5}}, "is called '9'"),
        ({"share": 0.5, "scope": "net"}, "scope"),
        ({"share": 0.5, "importance": lambda model: {"0": np.full(4, np.nan)}}, "not finite"),
    ],
)
def test_a_wrong_choice_of_neurons_is_refused_with_the_reason(options, reason, rng):
    with pytest.raises(ValueError, match=reason):
        pruning.keep_neurons(_dense(rng), **options)


def test_dead_neurons_are_removed_to_the_last_one(rng):
    net = pruning.prune_weights(models.lenet_5((16, 16, 1), 10, rng=rng), {"0": 0.6, "3": 0.97, "7": 0.998, "9": 0.97})
    smaller = pruning.remove_dead_neurons(net)
    weights = [[np.count_nonzero(effective(n[i], "weight")) for i in (0, 3, 7, 9)] for n in (net, smaller)]
    assert all(after <= before for before, after in zip(*weights, strict=True)) and sum(weights[1]) < sum(weights[0])
    assert smaller[7].weight.shape[1] < net[7].weight.shape[1]
    for group in pruning.channel_groups(smaller).values():
        for layer in () if group.held else group.writers.values():
            assert effective(layer, "weight").reshape(-1, group.count).any(0).all()
        for layer in () if group.held else group.readers.values():
            readers = np.moveaxis(effective(layer, "weight"), -2, -1)
            assert readers.reshape(-1, group.count).any(0).all()


def test_neurons_that_pass_nothing_on_go_without_a_trace_and_the_rest_stays_as_it_is(rng):
    net = models.mlp((4, 4, 1), (6, 5), 3, rng=rng)
    net[3].weight.data[2] = 0  # neuron 2 of the first layer passes nothing on
    x = rng.random((7, 4, 4, 1), np.float32)
    smaller = pruning.remove_dead_neurons(net)
    assert smaller[1].weight.shape == (16, 5) and smaller[3].weight.shape == (5, 5)
    assert np.allclose(predict(smaller, x), predict(net, x), atol=1e-6)
    assert pruning.remove_dead_neurons(smaller) is smaller


def test_a_layer_of_dead_neurons_keeps_one(rng):
    net = models.mlp((4, 4, 1), (6, 5), 3, rng=rng)
    net[3].weight.data[:] = 0
    smaller = pruning.remove_dead_neurons(net)
    assert smaller[1].weight.shape == (16, 1) and smaller[3].weight.shape == (1, 1)
    assert predict(smaller, rng.random((7, 4, 4, 1), np.float32)).shape == (7, 3)


def test_an_importance_that_is_not_one_number_per_neuron_is_refused(rng):
    net = models.mlp((6, 6, 1), (8, 4), 3, rng=rng)
    for share in (0.5, {"1": 0.5}):
        with pytest.raises(ValueError, match=r"layer 1 has 8 neurons .* the shape \(36, 8\); use one of neurons"):
            pruning.keep_neurons(net, share, pruning.magnitude)
    with pytest.raises(ValueError, match=r"layer 5 has no neurons to choose from"):
        pruning.keep_neurons(net, 0.5, lambda model: {"5": np.ones(3)})


def test_a_channel_whose_pixels_are_flattened_is_scored_once(rng):
    conv, after = nn.Conv2d(1, 4, 3, rng=rng), nn.BatchNorm(16)
    net = nn.Sequential(conv, nn.Flatten(), after, nn.ReLU(), nn.Dense(16, 3, rng=rng), input_shape=(4, 4, 1))
    x = rng.random((9, 4, 4, 1), np.float32)
    after.weight.data = np.arange(16, dtype=np.float32)
    net.eval()
    by_pixel = (net[3](net[2](net[1](net[0](x)))).data > 0).mean(0).reshape(4, 4)
    assert np.allclose(pruning.activation(x)(net)["0"], by_pixel.mean(0))
    assert np.array_equal(pruning.batch_norm_scale(net)["0"], np.arange(16).reshape(4, 4).mean(0))
    assert len(pruning.keep_neurons(net, 0.5, pruning.activation(x))["0"]) == 2
