"""Pruning neurons and channels: the smaller net computes what the masked one does."""

import numpy as np
import pytest
from small_nets import in_float64, masks, small_mlp, weights

from tinycompress import functional as F
from tinycompress import models, nn, optim, pruning
from tinycompress.nn import Mask
from tinycompress.pruning import keep_neurons, mask_neurons, prune_weights, remove_neurons, sparsity


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
    """A net and images, both in float64, so that the order in which a sum is taken has no say."""
    shape, make = NETS[name]
    return in_float64(wake(make(rng), shape)), rng.standard_normal((5, *shape))


@pytest.mark.parametrize("name", NETS)
def test_the_smaller_net_computes_what_the_masked_net_does(name, rng):
    model, x = prepared(name, rng)
    kept = keep_neurons(model, 0.5)
    assert kept and all(len(index) >= 1 for index in kept.values())
    whole = model(x).data.copy()
    small = remove_neurons(model, kept)
    np.testing.assert_array_equal(model(x).data, whole)  # the model itself is untouched
    masked = mask_neurons(model.copy(), kept)(x).data
    np.testing.assert_allclose(small(x).data, masked, atol=1e-10)
    assert np.abs(masked - whole).max() > 1e-3  # removing did something
    assert sum(p.size for p in small.parameters()) < sum(p.size for p in model.parameters())


@pytest.mark.parametrize("name", NETS)
def test_each_layer_can_be_pruned_by_itself(name, rng):
    model, x = prepared(name, rng)
    for layer, index in keep_neurons(model, 0.6).items():
        masked = mask_neurons(model.copy(), {layer: index})(x).data
        np.testing.assert_allclose(remove_neurons(model, {layer: index})(x).data, masked, atol=1e-10)


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
    np.testing.assert_allclose(shuffled(x).data, model(x).data, atol=1e-10)
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
    np.testing.assert_allclose(small(x).data, mask_neurons(model.copy(), kept)(x).data, atol=1e-10)
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
    model, x = wake(models.convnet((8, 6, 2), 3, (6, 8), rng=rng), (8, 6, 2)), rng.random((5, 8, 6, 2), np.float32)
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
        ({"1": [0, 0]}, "differ from each other"),
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
