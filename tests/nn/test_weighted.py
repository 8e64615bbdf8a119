"""A layer of the user's own: with `nn.Weighted` it works everywhere or is refused by its name; without, it is never
skipped silently."""

import copy
import pickle

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import architecture, concatenate, distillation, dynamic, nn, pruning, quantization
from tinycompress import functional as F
from tinycompress.nn.weighted import effective


def grouped(x, weight, bias):
    """A grouped convolution in two groups, of images (N, H, W, in) with a weight (kh, kw, in / 2, out)."""
    half, outputs = x.shape[-1] // 2, weight.shape[-1] // 2
    parts = [
        F.conv2d(x[..., group * half :][..., :half], weight[..., group * outputs :][..., :outputs], padding="same")
        for group in (0, 1)
    ]
    return concatenate(parts, axis=-1) + bias


class GroupedConv2d(nn.Weighted):
    """3×3, each half of the outputs reads its half of the inputs."""

    def __init__(self, inputs, outputs, *, rng):
        self.weight = nn.Parameter(
            nn.initialise((3, 3, inputs // 2, outputs), "he_normal", rng, 9 * inputs // 2, outputs)
        )
        self.bias = nn.Parameter(np.zeros(outputs, np.float32))

    def forward(self, x):
        return grouped(x, self.weight, self.bias)


class SilentConv2d(nn.Module):
    """The same without a word of how its weight is used."""

    def __init__(self, inputs, outputs, *, rng):
        GroupedConv2d.__init__(self, inputs, outputs, rng=rng)

    def forward(self, x):
        return grouped(x, self.weight, self.bias)


def net_with(kind, rng):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same", rng=rng),
        nn.ReLU(),
        kind(4, 6, rng=rng),
        nn.BatchNorm(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dense(96, 3, rng=rng),
        input_shape=(8, 8, 1),
    ).eval()


@pytest.fixture
def net(rng):
    return net_with(GroupedConv2d, rng)


@pytest.fixture
def x(rng):
    return rng.standard_normal((12, 8, 8, 1)).astype(np.float32)


def test_it_is_found_and_counted(net):
    assert list(nn.weighted_layers(net)) == ["0", "2", "7"] == list(pruning.prunable(net))
    row = net.summary().layers[2]
    assert row.parameters == 9 * 2 * 6 + 6
    assert row.macs == 64 * 9 * 2 * 6  # half of a standard convolution's
    assert net.summary().macs == 64 * 9 * 4 + row.macs + 96 * 3


def test_macs_by_the_rule_are_those_of_the_loops_for_every_layer(rng):
    for layer, shape in [
        (nn.Dense(5, 3, rng=rng), (5,)),
        (nn.PointwiseConv2d(4, 6, rng=rng), (5, 7, 4)),
        (nn.Conv2d(4, 6, (3, 2), stride=2, padding="same", rng=rng), (5, 7, 4)),
        (nn.DepthwiseConv2d(4, 3, rng=rng), (5, 7, 4)),
    ]:
        out = nn.Sequential(layer)(np.zeros((1, *shape), np.float32)).shape[1:]
        kernel = layer.weight.shape[:2] if len(layer.weight.shape) > 2 else ()
        reads = 1 if layer.connects == "own" else shape[-1]
        assert layer.macs((1, *shape), (1, *out)) == np.prod(out) * np.prod(kernel, dtype=int) * reads


def test_its_weights_are_pruned_with_all_others(net, x):
    dense = net.copy()
    pruning.prune_weights(net, 0.9)
    kept = sum(np.count_nonzero(effective(layer, "weight")) for layer in nn.weighted_layers(net).values())
    total = sum(layer.weight.size for layer in nn.weighted_layers(dense).values())
    assert kept == round(0.1 * total) == round((1 - pruning.sparsity(net)) * total)
    scores = pruning.taylor((x, np.arange(12) % 3))(net)
    assert scores["2"].shape == (3, 3, 2, 6)
    halved = pruning.prune_n_of_m(dense, 1, 2, layers=["2"])
    assert (pruning.fan_in(halved[2]) == 9).all()
    assert set(pruning.sensitivity(dense, (x, np.arange(12) % 3), [0.5])) == {"0", "2", "7"}


@pytest.mark.parametrize(
    ("compress", "values"),
    [
        (lambda net: quantization.quantize_weights(net, 3, per_channel=False), 7),
        (lambda net: quantization.cluster_weights(net, 5), 5),
        (lambda net: quantization.binarize_weights(net), 2),
        (lambda net: quantization.ternarize_weights(net), 3 * 6),
    ],
)
def test_its_weights_are_quantized_with_all_others(net, compress, values):
    assert len(np.unique(effective(compress(net)[2], "weight"))) <= values


def test_batch_norm_is_folded_into_it(net, x, rng):
    net[3].running_mean[:], net[3].running_var[:] = rng.normal(size=6), rng.uniform(0.5, 2, 6)
    folded = quantization.fold_batch_norm(net)
    assert len(folded) == len(net) - 1
    np.testing.assert_allclose(tc.predict(folded, x), tc.predict(net, x), atol=1e-5)


def test_it_is_distilled_into_and_its_masks_hold(net, x, rng):
    teacher = tc.models.mlp((8, 8, 1), (16,), 3, rng=rng)
    targets = distillation.teacher_targets(teacher, x)
    pruning.prune_weights(net, 0.5)
    before = effective(net[2], "weight")
    sgd = tc.optim.SGD(net.parameters(), lr=0.05)
    loss = distillation.DistillationLoss(4, alpha=1)
    tc.fit(net, (x, targets), optimizer=sgd, epochs=2, rng=rng, loss=loss, progress=False)
    after = effective(net[2], "weight")
    assert ((after != 0) == (before != 0)).all() and (after != before).any()


def test_it_is_saved_copied_and_pickled(net, x, rng, tmp_path):
    pruning.prune_weights(net, 0.5)
    net.save(tmp_path / "net.npz")
    other = pruning.prune_weights(net_with(GroupedConv2d, rng), 0.5).load(tmp_path / "net.npz")
    for same in (other, net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(tc.predict(same, x), tc.predict(net, x))


@pytest.mark.parametrize(
    "asked",
    [
        lambda net, x: pruning.remove_neurons(net, {"0": np.arange(2)}),
        lambda net, x: pruning.keep_neurons(net, 0.5),
        lambda net, x: pruning.widen(net, {"0": 8}, rng=np.random.default_rng(0)),
        lambda net, x: dynamic.Slimmable(net),
        lambda net, x: quantization.to_integers(net, x),
        lambda net, x: quantization.pack_binary(quantization.binarize_weights(net)),
        lambda net, x: architecture.factorise(net, {"2": 2}),
        lambda net, x: architecture.make_separable(net, ["2"], rng=np.random.default_rng(0)),
        lambda net, x: quantization.tcz.to_bytes(net),
    ],
)
def test_what_has_to_know_more_refuses_it_by_name(net, x, asked):
    with pytest.raises(ValueError, match="GroupedConv2d"):
        asked(net, x)


@pytest.mark.parametrize(
    "asked",
    [
        lambda net: pruning.prune_weights(net, 0.9),
        lambda net: pruning.sparsity(net),
        lambda net: pruning.magnitude(net),
        lambda net: pruning.prune_n_of_m(net, layers=["7"]),
        lambda net: pruning.taylor((np.zeros((2, 8, 8, 1), np.float32), np.zeros(2, int)))(net),
        lambda net: quantization.quantize_weights(net, 4),
        lambda net: quantization.quantize_weights(net, {"7": 4}),
        lambda net: quantization.quantize_biases(net),
        lambda net: quantization.cluster_weights(net, 4),
        lambda net: quantization.Pull(net, 4, 0.1),
        lambda net: quantization.binarize_weights(net),
        lambda net: quantization.ternarize_weights(net),
        lambda net: pruning.keep_neurons(net, 0.5),
        lambda net: quantization.to_integers(net, np.zeros((2, 8, 8, 1), np.float32)),
        lambda net: quantization.tcz.to_bytes(net),
        lambda net: net.summary().macs,
    ],
)
def test_a_layer_that_says_nothing_of_its_weight_is_never_skipped(rng, asked):
    net = net_with(SilentConv2d, rng)
    before = net.state_dict()
    with pytest.raises(ValueError, match="SilentConv2d"):
        asked(net)
    assert all(np.array_equal(before[name], values) for name, values in net.state_dict().items())


def test_a_summary_shows_what_it_cannot_count(rng):
    silent = net_with(SilentConv2d, rng)
    assert str(silent.summary()).splitlines()[3].endswith("?") and "?" in silent._repr_html_()
    type(silent[2]).macs = lambda self, in_shape, out_shape: 7
    try:
        assert silent.summary().macs == 64 * 9 * 4 + 7 + 96 * 3
    finally:
        del type(silent[2]).macs


def test_factors_of_channels_are_no_weights_and_packed_bits_are_refused(rng):
    class Scale(nn.Module):
        """A factor per channel, as of batch norm, in the shape of an image."""

        def __init__(self):
            self.weight = nn.Parameter(np.ones((1, 1, 4), np.float32))

        def forward(self, x):
            return x * self.weight

    net = nn.Sequential(nn.Conv2d(1, 4, rng=rng), Scale(), nn.Flatten(), nn.Dense(144, 3, rng=rng))
    assert list(nn.weighted_layers(net)) == ["0", "3"]
    packed = quantization.pack_binary(quantization.binarize_weights(net, layers=["3"]))
    with pytest.raises(ValueError, match=r"layer 3, BinaryDense.*made for inference"):
        pruning.prune_weights(packed, 0.5)


def test_a_subclass_that_computes_something_else_is_not_taken_for_its_parent(rng, x):
    class Doubled(nn.Conv2d):
        def forward(self, x):
            return super().forward(x) * 2

    net = nn.Sequential(
        Doubled(1, 8, 3, rng=rng), nn.ReLU(), nn.Flatten(), nn.Dense(288, 3, rng=rng), input_shape=(8, 8, 1)
    )
    for asked in (
        lambda: quantization.to_integers(net, x),
        lambda: architecture.factorise(net, {"0": 2}),
        lambda: architecture.make_separable(net, ["0"], rng=rng),
        lambda: quantization.pack_binary(quantization.binarize_weights(net.copy())),
        lambda: quantization.tcz.to_bytes(net),
    ):
        with pytest.raises(ValueError, match="Doubled"):
            asked()


class Skip(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Difference(nn.Residual):
    def forward(self, x):
        return x - self.body(x)


class Softmax(nn.Sigmoid):
    function = staticmethod(F.softmax)


class Halved(nn.Dense):
    def forward(self, x):
        return super().forward(x).tanh()


@pytest.mark.parametrize("kind", ["Skip", "Difference", "Softmax", "Halved"])
def test_a_subclass_with_another_forward_is_never_silently_replaced(kind, rng):
    middle = {
        "Skip": lambda: [Skip(nn.Dense(8, 8, rng=rng), nn.ReLU())],
        "Difference": lambda: [Difference(nn.Sequential(nn.Dense(8, 8, rng=rng)))],
        "Softmax": lambda: [Softmax()],
        "Halved": lambda: [Halved(8, 8, rng=rng), nn.BatchNorm(8)],
    }[kind]()
    net = nn.Sequential(nn.Dense(6, 8, rng=rng), nn.ReLU(), *middle, nn.Dense(8, 3, rng=rng), input_shape=(6,))
    x = rng.standard_normal((30, 6)).astype(np.float32)
    net(x)  # batch norm has seen something
    expected = tc.predict(net, x)
    for asked in (
        lambda: quantization.fold_batch_norm(net),
        lambda: quantization.to_integers(net, x),
        lambda: quantization.quantize_activations(net, x),
        lambda: pruning.remove_neurons(net, {"0": np.arange(8)}),
    ):
        try:
            found = tc.predict(asked(), x)
        except ValueError as error:
            assert kind in str(error) or "BatchNorm" in str(error)
        else:
            np.testing.assert_allclose(found, expected, atol=0.15 * np.abs(expected).max())


def test_a_second_array_of_weights_is_named_unless_the_layer_says_that_it_is_none(rng):
    class Two(nn.Weighted):
        def __init__(self):
            self.weight, self.bias = nn.Parameter(np.ones((4, 3), np.float32)), None
            self.more = nn.Parameter(np.ones((4, 3), np.float32))

        def forward(self, x):
            return x @ (self.weight + self.more)

    class Placed(nn.Module):
        not_weights = ("table",)

        def __init__(self):
            self.table = nn.Parameter(np.ones((5, 4), np.float32))

        def forward(self, x):
            return x + self.table

    with pytest.raises(ValueError, match=r"Two.*more \(4, 3\)"):
        pruning.prune_weights(nn.Sequential(Two()), 0.5)
    with pytest.raises(ValueError, match="Two"):
        _ = nn.Sequential(Two(), input_shape=(4,)).summary().macs
    assert list(nn.weighted_layers(nn.Sequential(Placed(), nn.Dense(4, 2, rng=rng)))) == ["1"]


@pytest.mark.parametrize("value", [lambda d: {"a": d}, lambda d: [[d]], lambda d: [d.weight], lambda d: {"a": [d]}])
def test_layers_that_nothing_would_find_are_refused(value, rng):
    class Holder(nn.Module):
        def __init__(self, inside):
            self.inside = inside

    with pytest.raises(TypeError, match="inside holds modules or parameters where they are not found"):
        Holder(value(nn.Dense(2, 2, rng=rng)))


REFUSED_HALF_WAY = {
    "bits": lambda net: quantization.quantize_weights(net, {"1": 8, "3": 9}),
    "k": lambda net: quantization.cluster_weights(net, {"1": 8, "3": 0}),
    "init": lambda net: quantization.cluster_weights(net, 4, init={"1": np.ones(4, np.float32)}),
    "twice": lambda net: quantization.cluster_weights(net, 4),
    "scale": lambda net: quantization.binarize_weights(net, scale=-1.0),
    "rng": lambda net: quantization.binarize_weights(net, stochastic=True),
    "name": lambda net: quantization.binarize_weights(net, layers=["1", "nope"]),
    "biases": lambda net: quantization.quantize_biases(net),
}


@pytest.mark.parametrize("name", REFUSED_HALF_WAY)
def test_what_is_refused_half_way_leaves_every_layer_as_it_was(name, rng):
    net = tc.models.mlp((4, 4, 1), (8, 6), 3, rng=rng)
    if name == "twice":
        quantization.cluster_weights(net, {"3": 4})
    if name == "biases":
        quantization.quantize_biases(net)
    before, parameters = net.state_dict(), net.parameters()
    with pytest.raises(ValueError):
        REFUSED_HALF_WAY[name](net)
    after = net.state_dict()
    assert after.keys() == before.keys() and all(np.array_equal(before[key], after[key]) for key in before)
    assert all(a is b for a, b in zip(parameters, net.parameters(), strict=True))


@pytest.mark.parametrize(
    "compress",
    [
        lambda net: quantization.quantize_weights(net, 4),
        lambda net: quantization.quantize_biases(net, 4),
        lambda net: quantization.cluster_weights(net, 4),
    ],
)
def test_what_is_frozen_stays_frozen(compress, rng):
    net = tc.models.mlp((4, 4, 1), (8,), 3, rng=rng)
    for parameter in net[1].parameters():
        parameter.requires_grad = False
    compress(net)
    before = {name: effective(net[1], name) for name in ("weight", "bias")}
    x = rng.random((20, 4, 4, 1), np.float32)
    sgd = tc.optim.SGD(net.parameters(), lr=0.5)
    tc.fit(net, (x, np.arange(20) % 3), optimizer=sgd, epochs=2, rng=rng, progress=False)
    assert all(np.array_equal(effective(net[1], name), values) for name, values in before.items())


def test_clusters_are_judged_by_what_they_are_now(rng):
    net = quantization.cluster_weights(tc.models.mlp((4, 4, 1), (8,), 3, rng=rng), 4)
    step = net[1].parametrization("weight", quantization.Clustered)
    step.centroids.data = step.centroids.data[::-1] * np.float32([1, 9, 1, 9])  # as training might
    kept = np.abs(effective(net[1], "weight"))
    pruning.prune_weights(net, {"1": 0.5})
    mask = pruning.kept_weights(net)["1"]
    assert kept[mask].min() >= kept[~mask].max()
