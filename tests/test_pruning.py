"""Pruning: exact counts, weights that stay gone, and smaller nets that compute what the masked ones do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import functional as F
from tinycompress import models, nn, optim, pruning
from tinycompress.nn import Mask
from tinycompress.pruning import keep_neurons, mask_neurons, prune_gradually, prune_weights, remove_neurons, sparsity


def small_mlp(seed=0):
    return models.mlp((3, 2, 1), (7, 5), 4, rng=np.random.default_rng(seed))


def masks(model):
    return {name: layer.parametrization("weight", Mask).mask for name, layer in pruning.prunable(model).items()}


def weights(model):
    return {name: layer.weight.data for name, layer in pruning.prunable(model).items()}


# Single weights.
@given(share=st.floats(0, 1), scope=st.sampled_from(["global", "layer"]))
def test_exactly_the_asked_share_is_kept(share, scope):
    model = small_mlp()
    assert prune_weights(model, share, scope=scope) is model
    sizes = {name: w.size for name, w in weights(model).items()}
    kept = {name: np.count_nonzero(w) for name, w in weights(model).items()}
    if scope == "global":
        assert sum(kept.values()) == round((1 - share) * sum(sizes.values()))
    else:
        assert kept == {name: round((1 - share) * size) for name, size in sizes.items()}
    assert sparsity(model) == pytest.approx(1 - sum(kept.values()) / sum(sizes.values()))


@given(share=st.floats(0, 1))
def test_no_weight_that_is_kept_is_smaller_than_one_that_is_gone(share):
    model = small_mlp()
    before = np.concatenate([w.ravel() for w in weights(model).values()])
    prune_weights(model, share)
    after = np.concatenate([w.ravel() for w in weights(model).values()])
    kept = after != 0
    np.testing.assert_array_equal(after[kept], before[kept])
    if kept.any() and not kept.all():
        assert np.abs(before[kept]).min() >= np.abs(before[~kept]).max()


def test_a_global_threshold_takes_from_the_layer_of_small_weights_first():
    model = small_mlp()
    model[1].weight.data *= 1e-4
    first, rest = model[1].weight.size, sum(w.size for w in weights(model).values()) - model[1].weight.size
    evenly, together = model.copy(), model.copy()
    prune_weights(evenly, 0.5, scope="layer")
    prune_weights(together, first / (first + rest), scope="global")
    assert [int(mask.sum()) for mask in masks(evenly).values()] == [21, 18, 10]  # half of 42, 35 and 20
    assert [int(mask.sum()) for mask in masks(together).values()] == [0, 35, 20]


def test_a_share_by_layer_leaves_the_others_alone():
    model = small_mlp()
    before = weights(model)
    prune_weights(model, {"3": 0.8})
    assert np.count_nonzero(model[3].weight.data) == 7
    assert model[1].parametrizations("weight") == [] and model[1].weight.data is before["1"]


def test_ties_go_to_the_earlier_weight():
    model = nn.Sequential(nn.Dense(2, 3, rng=np.random.default_rng(0)))
    model[0].weight.data = np.array([[1, -1, 1], [1, 2, -1]], np.float32)
    prune_weights(model, 0.5)
    np.testing.assert_array_equal(model[0].weight.data, [[1, -1, 0], [0, 2, 0]])


def test_biases_and_batch_norm_are_never_pruned(rng):
    model = models.convnet((8, 8, 1), 3, rng=rng)
    prune_weights(model, 1.0)
    assert sparsity(model) == 1.0
    assert set(pruning.prunable(model)) == {"0", "4", "9"}
    assert all(not module.parametrizations("bias") for module in model.modules() if hasattr(module, "bias"))


@given(shares=st.lists(st.floats(0, 1), min_size=2, max_size=5).map(sorted))
def test_what_is_gone_stays_gone_when_more_is_pruned(shares):
    model, rng, gone = small_mlp(), np.random.default_rng(1), None
    for share in shares:
        prune_weights(model, share)
        for layer in pruning.prunable(model).values():  # training moves the latent weights, those behind the mask too
            layer.latent("weight").data = layer.latent("weight").data + rng.normal(0, 2, layer.weight.shape)
        now = {name: ~mask for name, mask in masks(model).items()}
        assert all((now[name] >= gone[name]).all() for name in now) if gone else True
        gone = now
    for name, w in weights(model).items():
        assert (w[gone[name]] == 0).all()


def test_reviving_weights_is_refused_and_changes_nothing():
    model = prune_weights(small_mlp(), 0.6)
    before = {name: mask.copy() for name, mask in masks(model).items()}
    with pytest.raises(ValueError, match=r"59.8% of these weights are gone already, so 20.0% would revive some"):
        prune_weights(model, 0.2)
    with pytest.raises(ValueError, match="gone already"):
        prune_weights(model, {"3": 0.99, "5": 0.0})
    assert all(np.array_equal(before[name], mask) for name, mask in masks(model).items())
    prune_weights(model, sparsity(model))  # the same share again is no revival
    assert all(np.array_equal(before[name], mask) for name, mask in masks(model).items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1,), "from 0 to 1, got -0.1"),
        ((1.1,), "from 0 to 1, got 1.1"),
        ((float("nan"),), "from 0 to 1, got nan"),
        (({"2": 0.5},), r"no prunable layer is called \['2'\]; there are \['1', '3', '5'\]"),
        ((0.5, pruning.magnitude, "net"), 'scope must be "global" or "layer", got \'net\''),
    ],
)
def test_shares_and_names_that_make_no_sense_are_refused(arguments, message):
    model = small_mlp()
    with pytest.raises(ValueError, match=message):
        prune_weights(model, *arguments)
    assert all(layer.parametrizations("weight") == [] for layer in pruning.prunable(model).values())


def test_a_diverged_net_is_not_pruned():
    model = small_mlp()
    model[3].weight.data[0, 0] = np.nan
    with pytest.raises(ValueError, match="importance of layer 3 is not finite; did its training diverge"):
        prune_weights(model, 0.5)


@pytest.mark.parametrize("prune", [lambda m: prune_weights(m, 0.5), lambda m: prune_gradually(m, 0.5, 2, print)])
def test_a_net_without_weights_is_not_pruned(prune):
    with pytest.raises(ValueError, match="no dense or convolution layer"):
        prune(nn.Sequential(nn.ReLU()))


def test_a_criterion_of_ones_own_is_followed_and_left_untouched():
    model = small_mlp()
    scores = {name: np.arange(w.size, dtype=float).reshape(w.shape) for name, w in weights(model).items()}
    before = {name: score.copy() for name, score in scores.items()}
    for share in (0.25, 0.5):
        prune_weights(model, share, lambda model: scores, scope="layer")
    for name, mask in masks(model).items():
        assert mask.ravel()[mask.size - round(mask.size / 2) :].all() and mask.sum() == round(mask.size / 2)
        np.testing.assert_array_equal(scores[name], before[name])


def test_magnitude_is_the_absolute_value():
    model = small_mlp()
    for name, score in pruning.magnitude(model).items():
        np.testing.assert_array_equal(score, np.abs(weights(model)[name]))


@pytest.mark.parametrize("kind", ["taylor", "neuron_taylor", "activation"])
def test_judging_importance_leaves_the_net_and_its_modes_as_they_were(kind, rng):
    model = models.convnet((8, 8, 1), 3, rng=rng)
    model[1].eval()  # batch norm frozen on purpose
    x, y, before = rng.standard_normal((10, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 10), model.state_dict()
    importance = getattr(pruning, kind)(x if kind == "activation" else (x, y), batch_size=4)
    assert importance(model)
    assert [module.training for module in model.modules()].count(False) == 1 and not model[1].training
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_fan_in_counts_the_connections_left():
    model = nn.Sequential(nn.Dense(3, 2, rng=np.random.default_rng(0)))
    model[0].parametrize("weight", Mask([[1, 0], [1, 0], [0, 1]]))
    assert pruning.fan_in(model[0]).tolist() == [2, 1]
    assert pruning.fan_in(nn.Conv2d(2, 3, 5, rng=np.random.default_rng(0))).tolist() == [50, 50, 50]
    assert pruning.fan_in(nn.DepthwiseConv2d(4, 3, rng=np.random.default_rng(0))).tolist() == [9] * 4


# A little at a time.
def test_the_cubic_schedule_begins_and_ends_where_it_should_and_never_falls():
    assert pruning.cubic(0, 0.9) == 0 and pruning.cubic(1, 0.9) == 0.9
    assert pruning.cubic(0, 0.9, 0.5) == pytest.approx(0.5) and pruning.cubic(1, 0.9, 0.5) == 0.9
    assert pruning.cubic(0.5, 0.8) == pytest.approx(0.7)  # 0.8 - 0.8 / 8
    values = [pruning.cubic(t, 0.9, 0.1) for t in np.linspace(0, 1, 50)]
    steps = np.diff(values)
    assert (steps >= 0).all() and (np.diff(steps) <= 1e-12).all()  # fast first, slower and slower


def test_one_step_is_pruning_all_at_once():
    gradual, at_once, calls = small_mlp(), small_mlp(), []
    assert prune_gradually(gradual, 0.7, 1, lambda model, step: calls.append((model, step))) is gradual
    prune_weights(at_once, 0.7)
    assert calls == [(gradual, 1)]
    assert all(np.array_equal(masks(gradual)[name], mask) for name, mask in masks(at_once).items())


def test_gradual_pruning_follows_the_schedule_and_fine_tunes_after_each_step():
    model, seen = prune_weights(small_mlp(), 0.2), []
    gone = sparsity(model)

    def fine_tune(model, step):
        seen.append((step, sparsity(model)))
        for layer in pruning.prunable(model).values():
            layer.latent("weight").data = layer.latent("weight").data[::-1] * 2

    prune_gradually(model, 0.9, 4, fine_tune)
    assert [step for step, _ in seen] == [1, 2, 3, 4]
    expected = [pruning.cubic(step / 4, 0.9, gone) for step in (1, 2, 3, 4)]
    assert [share for _, share in seen] == pytest.approx(expected, abs=0.5 / 97)


def test_gradual_pruning_needs_a_step():
    with pytest.raises(ValueError, match="steps must be 1 or more, got 0"):
        prune_gradually(small_mlp(), 0.5, 0, print)


# Neurons and channels.
def wake(model, shape, seed=3):
    """Give biases, batch norms and running statistics values of their own, as training would."""
    rng = np.random.default_rng(seed)
    for p in model.parameters():
        if p.ndim == 1:
            p.data = p.data + 0.5 * rng.standard_normal(p.shape)
    for _ in range(3):
        model.train()(rng.normal(1, 2, (8, *shape)).astype(np.float32))
    return model.eval()


def depthwise_chain(rng):
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding="same", rng=rng),
        nn.BatchNorm(6),
        nn.HardSwish(),
        nn.DepthwiseConv2d(6, 3, stride=2, padding="same", rng=rng),
        nn.BatchNorm(6),
        nn.ReLU(),
        nn.PointwiseConv2d(6, 5, rng=rng),
        nn.LeakyReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(5, 4, 1, bias=False, rng=rng),
        nn.GELU(),
        nn.GlobalAvgPool(),
        nn.Dropout(0.5, rng=rng),
        nn.Dense(4, 3, rng=rng),
    )


def nested(rng):
    return nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Dense(32, 8, rng=rng), nn.Sequential(nn.BatchNorm(8), nn.Tanh())),
        nn.Sequential(nn.Dense(8, 6, bias=False, rng=rng)),
        nn.Sigmoid(),
        nn.Dense(6, 3, rng=rng),
    )


def norm_after_flatten(rng):
    """Each channel has as many features here as there are pixels, and batch norm sees each feature by itself."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, rng=rng), nn.Flatten(), nn.BatchNorm(4 * 4), nn.Sigmoid(), nn.Dense(4 * 4, 3, rng=rng)
    )


def residual(rng):
    """What the first layer writes is read twice, by body and shortcut, and what these write is added: tied."""
    body = nn.Sequential(
        nn.Conv2d(6, 5, 3, padding="same", rng=rng), nn.BatchNorm(5), nn.ReLU(), nn.PointwiseConv2d(5, 8, rng=rng)
    )
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding="same", rng=rng),
        nn.ReLU(),
        nn.Residual(body, nn.PointwiseConv2d(6, 8, rng=rng)),
        nn.Residual(nn.Sequential(nn.DepthwiseConv2d(8, 3, padding="same", rng=rng), nn.BatchNorm(8), nn.Tanh())),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dense(4 * 8, 3, rng=rng),
    )


NETS = {
    "mlp": ((4, 4, 2), lambda rng: models.mlp((4, 4, 2), (9, 7), 3, rng=rng)),
    "LeNet-5, unpadded": ((16, 17, 1), lambda rng: models.lenet_5((16, 17, 1), 3, rng=rng)),
    "LeNet-5, padded": ((8, 8, 1), lambda rng: models.lenet_5((8, 8, 1), 3, rng=rng)),
    "convnet": ((8, 6, 2), lambda rng: models.convnet((8, 6, 2), 3, (6, 8), rng=rng)),
    "separable": ((8, 8, 2), lambda rng: models.separable_net((8, 8, 2), 3, (4, 6, 8), rng=rng)),
    "depthwise in a chain": ((8, 8, 2), depthwise_chain),
    "nested": ((4, 4, 2), nested),
    "residual": ((4, 4, 2), residual),
    "batch norm after flatten": ((4, 4, 2), norm_after_flatten),
    "classes out of an activation": ((4, 4, 2), lambda rng: nn.Sequential(*nested(rng).layers, nn.Sigmoid())),
}


def prepared(name, rng):
    shape, make = NETS[name]
    return wake(make(rng), shape), rng.standard_normal((5, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", NETS)
def test_the_smaller_net_computes_what_the_masked_net_does(name, rng):
    model, x = prepared(name, rng)
    kept = keep_neurons(model, 0.5)
    assert kept and all(len(index) >= 1 for index in kept.values())
    whole = model(x).data.copy()
    small = remove_neurons(model, kept)
    np.testing.assert_array_equal(model(x).data, whole)  # the model itself is untouched
    masked = mask_neurons(model.copy(), kept)(x).data
    np.testing.assert_allclose(small(x).data, masked, atol=1e-5, rtol=1e-5)
    assert np.abs(masked - whole).max() > 1e-3  # removing did something
    assert sum(p.size for p in small.parameters()) < sum(p.size for p in model.parameters())


@pytest.mark.parametrize("name", NETS)
def test_each_layer_can_be_pruned_by_itself(name, rng):
    model, x = prepared(name, rng)
    for layer, index in keep_neurons(model, 0.6).items():
        masked = mask_neurons(model.copy(), {layer: index})(x).data
        np.testing.assert_allclose(remove_neurons(model, {layer: index})(x).data, masked, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_a_masked_neuron_puts_out_nothing_whatever_comes_in(name, rng):
    model, x = prepared(name, rng)
    kept = {layer: np.sort(index) for layer, index in keep_neurons(model, 0.5).items()}
    masked = mask_neurons(model, kept)
    with nn.trace() as calls:
        masked(x)
    outputs = {id(module): getattr(out, "data", out) for module, _, out in calls}
    named = dict(model.named_modules())
    for layer, index in kept.items():
        out = np.asarray(outputs[id(named[layer])])
        gone = np.setdiff1d(np.arange(out.shape[-1]), index)
        assert len(gone) and (out[..., gone] == 0).all() and (out[..., index] != 0).any()


@pytest.mark.parametrize("name", NETS)
def test_reordering_neurons_changes_nothing(name, rng):
    model, x = prepared(name, rng)
    order = {layer: rng.permutation(len(index)) for layer, index in keep_neurons(model, 1.0).items()}
    shuffled = remove_neurons(model, order)
    np.testing.assert_allclose(shuffled(x).data, model(x).data, atol=1e-5, rtol=1e-5)
    assert any(
        p.shape == q.shape and not np.array_equal(p.data, q.data)
        for p, q in zip(model.parameters(), shuffled.parameters(), strict=True)
    )


def test_keeping_all_neurons_changes_nothing(rng):
    model, x = prepared("depthwise in a chain", rng)
    np.testing.assert_array_equal(remove_neurons(model, keep_neurons(model, 1.0))(x).data, model(x).data)


def test_pruned_weights_stay_pruned_in_the_smaller_net_and_while_it_trains(rng):
    model, x = prepared("convnet", rng)
    prune_weights(model, 0.5)
    model[9].latent("weight").data += 1  # also what is hidden behind the mask moves
    kept = keep_neurons(model, 0.5)
    small = remove_neurons(model, kept)
    np.testing.assert_allclose(small(x).data, mask_neurons(model.copy(), kept)(x).data, atol=1e-5)
    before, optimizer = sparsity(small), optim.SGD(small.parameters(), 0.1, momentum=0.9)
    assert 0.1 < before < 0.9
    for _ in range(3):
        small.zero_grad()
        F.cross_entropy(small.train()(x), [0, 1, 2, 0, 1]).backward()
        optimizer.step()
    assert sparsity(small) == before
    for name, mask in masks(small).items():
        assert (weights(small)[name][~mask] == 0).all() and (weights(small)[name][mask] != 0).all()


def test_the_smaller_net_is_an_ordinary_net(rng, tmp_path):
    model, x = prepared("convnet", rng)
    small = remove_neurons(model, {"0": [0, 2, 5], "4": [1, 7]})
    assert [row.output_shape for row in small.summary((8, 6, 2)).layers if "Conv2d" in row.layer] == [
        (8, 6, 3),
        (4, 3, 2),
    ]
    assert small.summary((8, 6, 2)).macs == 8 * 6 * 3 * 18 + 4 * 3 * 2 * 27 + 2 * 1 * 2 * 3
    assert small[1].running_mean.shape == small[1].running_var.shape == (3,)
    small.save(tmp_path / "small.npz")
    again = models.convnet((8, 6, 2), 3, (3, 2), rng=rng).load(tmp_path / "small.npz").eval()
    np.testing.assert_array_equal(again(x).data, small(x).data)
    assert not any(np.shares_memory(p.data, q.data) for p in small.parameters() for q in model.parameters())


def test_frozen_layers_stay_frozen(rng):
    model, _ = prepared("mlp", rng)
    model[3].weight.requires_grad = False
    small = remove_neurons(model, keep_neurons(model, 0.5))
    assert not small[3].weight.requires_grad and small[1].weight.requires_grad


def test_the_strongest_neurons_are_kept_in_their_old_order():
    model = nn.Sequential(
        nn.Dense(2, 4, rng=np.random.default_rng(0)), nn.ReLU(), nn.Dense(4, 3, rng=np.random.default_rng(0))
    )
    model[0].weight.data = np.array([[3, 0, 1, 3], [4, 1, 0, 0]], np.float32)
    np.testing.assert_allclose(pruning.neuron_magnitude(model)["0"], [5, 1, 1, 3])
    assert keep_neurons(model, 0.5)["0"].tolist() == [0, 3]
    assert keep_neurons(model, 0.75)["0"].tolist() == [0, 1, 3]  # of the two equal ones the first
    assert keep_neurons(model, 0)["0"].tolist() == [0]  # at least one
    assert keep_neurons(model, {"0": 1.0})["0"].tolist() == [0, 1, 2, 3]
    assert set(keep_neurons(model, 0.5)) == {"0"}  # never the classes
    assert keep_neurons(model, 0.5, lambda model: {"0": np.array([0, 5, 9, 1])})["0"].tolist() == [1, 2]


def test_magnitude_of_a_neuron_does_not_count_pruned_weights():
    model = nn.Sequential(nn.Dense(2, 2, rng=np.random.default_rng(0)), nn.Dense(2, 2, rng=np.random.default_rng(0)))
    model[0].weight.data = np.array([[9, 1], [1, 1]], np.float32)
    model[0].parametrize("weight", Mask([[0, 1], [1, 1]]))
    np.testing.assert_allclose(pruning.neuron_magnitude(model)["0"], [1, 2**0.5])


@pytest.mark.parametrize("operate", [mask_neurons, remove_neurons])
@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"2": [0]}, "called '2'"),
        ({"nowhere": [0]}, "called 'nowhere'"),
        ({"5": [0, 1]}, "classes"),
        ({"1": []}, "0 to 8"),
        ({"1": [0, 0]}, "once"),
        ({"1": [9]}, "0 to 8"),
        ({"1": [-1]}, "0 to 8"),
        ({"1": [0.0, 1.0]}, "0 to 8"),
        ({"1": [True, False]}, "0 to 8"),
        ({"1": [0], "3": [99]}, "0 to 6"),
    ],
)
def test_wrong_layers_and_indices_are_refused_and_change_nothing(operate, kept, message, rng):
    model, x = prepared("mlp", rng)
    before = model(x).data.copy()
    with pytest.raises(ValueError, match=message):
        operate(model, kept)
    np.testing.assert_array_equal(model(x).data, before)
    assert all(not module.parametrizations("weight") for module in model.modules())


@pytest.mark.parametrize(("share", "message"), [(1.5, "from 0 to 1, got 1.5"), ({"7": 0.5}, "called")])
def test_shares_of_neurons_that_make_no_sense_are_refused(share, message, rng):
    with pytest.raises(ValueError, match=message):
        keep_neurons(small_mlp(), share)


def test_a_layer_that_could_mix_channels_is_refused(rng):
    class Reverse(nn.Module):
        def forward(self, x):
            return x[..., ::-1]

    model = nn.Sequential(nn.Dense(4, 6, rng=rng), Reverse(), nn.Dense(6, 2, rng=rng))
    with pytest.raises(ValueError, match="Reverse"):
        remove_neurons(model, {"0": [0, 1]})


def test_a_net_that_is_no_chain_is_refused_with_the_reason(rng):
    class Fork(nn.Module):
        def __init__(self):
            self.left, self.right = nn.Dense(4, 4, rng=rng), nn.Dense(4, 4, rng=rng)

        def forward(self, x):
            return self.left(x) * self.right(x)

    for model in (Fork(), nn.Sequential(Fork(), nn.Dense(4, 2, rng=rng))):
        with pytest.raises(ValueError, match="Fork"):
            remove_neurons(model, {"left": [0]})
