"""What each criterion measures: checked against the loss itself, naive counts and closed forms."""

import numpy as np
import pytest

from tinycompress import functional as F
from tinycompress import models, nn, pruning
from tinycompress.nn import BatchNorm, Conv2d, Dense, Flatten, ReLU, Sequential
from tinycompress.optim import SGD
from tinycompress.quantization.coding.arithmetic import Encoder
from tinycompress.training import evaluate, fit


@pytest.fixture
def data(rng):
    return rng.random((30, 6, 6, 1)), rng.integers(0, 10, 30)


def in_float64(net, rng):
    for module in net.modules():
        for name in [name for name, _ in module.named_parameters() if "." not in name]:
            values = module.latent(name).data.astype(np.float64)
            module.replace(name, nn.Parameter(values + 0.3 * rng.standard_normal(values.shape)))
    return net.eval()


NETS = {
    "dense": lambda rng: models.mlp((6, 6, 1), (12, 8), 10, rng=rng),
    "separable": lambda rng: models.separable_net((6, 6, 1), widths=(4, 6, 8), rng=rng),
    "residual": lambda rng: models.resnet((6, 6, 1), widths=(4, 6), rng=rng),
}


@pytest.fixture(params=NETS)
def net(request, rng):
    return in_float64(NETS[request.param](rng), rng)


def test_a_weight_in_a_full_row_and_column_takes_fewer_bits_than_a_lonely_one(rng):
    net = models.mlp((4, 4, 1), (30,), 10, rng=rng)
    whole = pruning.magnitude(net)["1"] / pruning.magnitude_per_bit(net)["1"]
    assert np.allclose(whole, whole[0, 0])  # as long as all weights are there, none is cheaper to tell
    mask = rng.random((16, 30)) < 0.05
    mask[3], mask[:, 7] = True, True
    pruning.add_mask(net[1], "weight", mask)
    bits = (pruning.magnitude(net)["1"] / pruning.magnitude_per_bit(net)["1"]) ** 2 - 2
    rows, columns, share = mask.mean(1), mask.mean(0), mask.mean()
    assert bits[3, 7] < bits[3, 0] < bits[0, 0] and bits[3, 7] < bits[0, 7] < bits[0, 0]
    assert bits[0, 0] == pytest.approx(-np.log2(rows[0] * columns[0] / share), rel=0.25)


def test_pruning_by_bits_leaves_as_many_weights_in_fewer_rows_whose_places_take_fewer_bytes():
    left = {}
    for importance in (pruning.magnitude, pruning.magnitude_per_bit):
        net = models.mlp((20, 20, 1), (100,), 10, rng=np.random.default_rng(0))
        net[1].weight.data = np.random.default_rng(1).standard_normal((400, 100), np.float32)
        for kept in np.geomspace(0.9, 0.01, 30):
            pruning.prune_weights(net, 1 - kept, importance, scope="layer")
        mask, code = pruning.kept_weights(net)["1"], Encoder()
        code.positions(mask, (0, 0))
        left[importance] = mask.sum(), mask.any(1).sum(), len(code.finish())
    (weights, rows, size), (same, fewer, smaller) = left.values()
    assert weights == same == 400 and fewer < 0.8 * rows and smaller < 0.95 * size


def test_taylor_of_a_small_weight_is_the_change_of_the_loss_when_it_is_removed(net, data, rng):
    places = []
    for name, layer in pruning.prunable(net).items():
        index = tuple(int(rng.integers(n)) for n in layer.weight.shape)
        values = layer.weight.data.copy()
        values[index] = 1e-3
        layer.weight.data = values
        places.append((name, layer, index))
    whole, scores = evaluate(net, data).loss, pruning.taylor(data, batch_size=len(data[1]))(net)
    for name, layer, index in places:
        before = layer.weight.data
        layer.weight.data = np.where(
            np.arange(before.size).reshape(before.shape) == np.ravel_multi_index(index, before.shape), 0, before
        )
        change = abs(evaluate(net, data).loss - whole)
        layer.weight.data = before
        assert scores[name][index] == pytest.approx(change, rel=0.02, abs=1e-8)


def test_taylor_of_a_hardly_read_neuron_is_the_change_of_the_loss_when_it_is_removed(net, data):
    taylor = pruning.neuron_taylor(data, batch_size=len(data[1]))
    groups = {name: group for name, group in pruning.channel_groups(net).items() if not group.held}
    for name, group in groups.items():
        c, hardly = int(taylor(net)[name].argmax()), net.copy()
        for layer in pruning.channel_groups(hardly)[name].readers.values():
            scale = np.where(np.arange(layer.weight.shape[-2]) % group.count == c, 1e-4, 1.0)
            layer.weight.data = layer.weight.data * scale[:, None]
        smaller = pruning.remove_neurons(hardly, {name: np.delete(np.arange(group.count), c)})
        change = abs(evaluate(smaller, data).loss - evaluate(hardly, data).loss)
        assert change > 1e-7
        assert taylor(hardly)[name][c] == pytest.approx(change, rel=0.02)


def test_taylor_averages_its_batches(net, data):
    x, y = data
    both = pruning.taylor(data, batch_size=15)(net)
    halves = [pruning.taylor(half, batch_size=15)(net) for half in ((x[:15], y[:15]), (x[15:], y[15:]))]
    for name in both:
        np.testing.assert_allclose(both[name], (halves[0][name] + halves[1][name]) / 2, rtol=1e-5)


def test_a_masked_weight_has_no_importance_and_the_net_stays_as_it_was(data, rng):
    net = NETS["dense"](rng).train()
    data = data[0].astype(np.float32), data[1]
    pruning.prune_weights(net, 0.5)
    before = net.state_dict()
    scores = pruning.taylor(data)(net)
    for name, kept in pruning.kept_weights(net).items():
        assert not scores[name][~kept].any() and scores[name][kept].any()
    pruning.activation(data[0])(net)
    assert net.training and all(p.grad is None for p in net.parameters())
    assert all(np.array_equal(before[name], now) for name, now in net.state_dict().items())


def test_activation_counts_how_often_a_neuron_is_not_zero(data, rng):
    x = data[0].astype(np.float32)
    conv, norm, dense = Conv2d(1, 5, 3, rng=rng), BatchNorm(5), Dense(80, 7, rng=rng)
    norm.bias.data = np.linspace(-1, 1, 5)
    net = Sequential(conv, norm, ReLU(), Flatten(), dense, ReLU(), Dense(7, 3, rng=rng)).eval()
    scores = pruning.activation(x, batch_size=7)(net)
    after = [np.maximum(norm(conv(x)).data, 0)]
    after.append(np.maximum(after[0].reshape(30, -1) @ dense.weight.data, 0))
    for name, values in zip(("0", "4"), after, strict=True):
        counts = [np.mean([v > 0 for v in values[..., c].ravel()]) for c in range(values.shape[-1])]
        assert scores[name] == pytest.approx(counts, abs=1e-6)
    assert 0 < scores["0"].min() < scores["0"].max()


def test_the_magnitude_of_a_neuron_is_the_norm_of_all_that_writes_it(rng):
    net = models.resnet((6, 6, 1), widths=(4, 6), rng=rng)
    writers = [net[0].weight.data, net[3].body[3].weight.data]
    expected = [sum((w[..., c] ** 2).sum() for w in writers) ** 0.5 for c in range(4)]
    assert pruning.neuron_magnitude(net)["0"] == pytest.approx(expected, rel=1e-5)


def test_the_scale_of_a_channel_is_the_mean_of_all_batch_norms_it_passes(rng):
    net = models.separable_net((6, 6, 1), widths=(4, 6), rng=rng)
    for i in (1, 4, 7):
        net[i].weight.data = rng.normal(size=net[i].weight.shape)
    scores = pruning.batch_norm_scale(net)
    assert scores["0"] == pytest.approx((np.abs(net[1].weight.data) + np.abs(net[4].weight.data)) / 2)
    assert scores["6"] == pytest.approx(np.abs(net[7].weight.data))


def test_channels_that_several_layers_write_are_no_more_important_for_it(rng):
    """Summed scales kept every channel of a residual net that goes through its blocks."""
    net = models.resnet((6, 6, 1), widths=(4, 6), rng=rng)  # every scale is 1
    assert {score for scores in pruning.batch_norm_scale(net).values() for score in scores} == {1}


def test_the_slimming_penalty_is_the_sum_of_scales_and_its_gradient_their_sign(rng):
    net = models.convnet((6, 6, 1), widths=(4, 6), rng=rng)
    for i in (1, 5):
        net[i].weight.data = rng.normal(size=net[i].weight.shape)
    penalty = pruning.batch_norm_l1(net)
    assert penalty.item() == pytest.approx(np.abs(net[1].weight.data).sum() + np.abs(net[5].weight.data).sum())
    penalty.backward()
    assert np.array_equal(net[1].weight.grad, np.sign(net[1].weight.data))


def test_training_with_the_slimming_penalty_makes_channels_superfluous(rng):
    x = rng.random((64, 6, 6, 1), np.float32)
    y = (x[:, :3].sum((1, 2, 3)) > x[:, 3:].sum((1, 2, 3))).astype(np.int64)
    scales = {}
    for strength in (0.0, 0.02):
        net = models.convnet((6, 6, 1), 2, widths=(16,), rng=np.random.default_rng(0))

        def loss(outputs, labels, net=net, strength=strength):
            return F.cross_entropy(outputs, labels) + strength * pruning.batch_norm_l1(net)

        sgd = SGD(net.parameters(), 0.1, momentum=0.9)
        fit(net, (x, y), optimizer=sgd, epochs=120, rng=np.random.default_rng(0), loss=loss, progress=False)
        scales[strength] = pruning.batch_norm_scale(net)["0"]
    assert (scales[0.0] < 0.02).sum() == 0
    assert (scales[0.02] < 0.02).sum() >= 8
    small = pruning.remove_neurons(net, {"0": np.flatnonzero(scales[0.02] >= 0.02)})
    assert evaluate(small, (x, y)).accuracy == pytest.approx(evaluate(net, (x, y)).accuracy, abs=0.05)


@pytest.mark.parametrize(
    ("criterion", "reason"),
    [
        (lambda x, y: pruning.activation(x), "no ReLU follows layer 1"),
        (lambda x, y: pruning.batch_norm_scale, "no batch norm follows layer 1"),
        (lambda x, y: pruning.batch_norm_l1, "no batch norm"),
        (lambda x, y: pruning.taylor((x, y[:-1])), "30 inputs and 29 targets"),
        (lambda x, y: pruning.neuron_taylor((x[:0], y[:0])), "at least one"),
    ],
)
def test_a_criterion_says_why_it_cannot_judge(criterion, reason, data, rng):
    net = Sequential(Flatten(), Dense(36, 5, rng=rng), nn.Tanh(), Dense(5, 10, rng=rng))
    with pytest.raises(ValueError, match=reason):
        criterion(data[0].astype(np.float32), data[1])(net)


def test_taylor_says_that_a_layer_is_frozen(data, rng):
    net = NETS["dense"](rng)
    net[3].weight.requires_grad = False
    with pytest.raises(ValueError, match="no gradient reaches layer 3"):
        pruning.taylor((data[0].astype(np.float32), data[1]))(net)
