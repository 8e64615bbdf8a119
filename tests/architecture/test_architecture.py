"""Separable and low-rank layers: exact counts, the same function where it must be, and what reads what."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from small_nets import NETS, used

import tinycompress as tc
from tinycompress import models, nn
from tinycompress.architecture import (
    as_matrix,
    channel_jacobian,
    factorise,
    jacobian,
    make_separable,
    nearest_separable,
    ranks_by_budget,
    ranks_by_energy,
    separable_block,
    separable_share,
    singular_values,
)
from tinycompress.pruning import keep_neurons, prune_weights, remove_neurons, sparsity
from tinycompress.quantization import fold_batch_norm, quantize_weights, tcz, to_integers

CONVOLUTIONAL = ("lenet_5", "convnet", "resnet")
SCHEMES = ("channel", "spatial")
sizes = st.integers(1, 7)
paddings = st.one_of(
    st.sampled_from(["same", "valid", 1]),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.tuples(st.integers(0, 2), st.integers(0, 1)), st.tuples(st.integers(0, 1), st.integers(0, 2))),
)


def total(net, shape, what):
    return getattr(net.summary(shape), what)


# ---- separable convolutions ----


@given(sizes, sizes, sizes, st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.sampled_from(["same", "valid"]))
def test_separable_counts_are_the_formula_times_the_standard_ones(inputs, outputs, pixels, kh, kw, stride, padding):
    rng, shape = np.random.default_rng(0), (pixels + 4, pixels + 5, inputs)
    standard = nn.Conv2d(inputs, outputs, (kh, kw), stride, padding, bias=False, rng=rng)
    block = separable_block(inputs, outputs, (kh, kw), stride, padding, between=False, rng=rng)
    x = rng.random((2, *shape), np.float32)
    assert block(x).shape == standard(x).shape
    for what in ("parameters", "macs"):
        found = Fraction(total(block, shape, what), total(standard, shape, what))
        assert found == separable_share(outputs, (kh, kw)) == Fraction(1, outputs) + Fraction(1, kh * kw)


def test_a_block_with_batch_norm_and_relu_adds_their_parameters_and_no_macs(rng):
    bare = separable_block(6, 8, between=False, rng=rng).summary((5, 5, 6))
    block = separable_block(6, 8, rng=rng)
    assert [type(layer) for layer in block.layers] == [nn.DepthwiseConv2d, nn.BatchNorm, nn.ReLU, nn.PointwiseConv2d]
    assert block[0].weight.shape == (3, 3, 6)  # unless asked for another kernel
    assert (block.summary((5, 5, 6)).parameters, block.summary((5, 5, 6)).macs) == (bare.parameters + 12, bare.macs)


@pytest.mark.parametrize("between", [True, False])
@pytest.mark.parametrize("build", CONVOLUTIONAL)
def test_a_separable_net_keeps_the_shapes_and_the_rest_of_the_net(rng, build, between):
    net = NETS[build](rng).eval()
    before = net.state_dict()
    separable = make_separable(net, between=between, rng=rng)
    x = rng.random((3, 8, 8, 1), np.float32)
    assert tc.predict(separable, x).shape == tc.predict(net, x).shape
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(module.training for module in separable.modules())
    left = [m for m in separable.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.weight.shape[:2] == (1, 1) or m.weight.shape[2] == 1 for m in left)
    assert np.array_equal(left[0].weight.data, net[0].weight.data)
    assert total(separable, None, "macs") < total(net, None, "macs")


@given(sizes, sizes, st.integers(1, 4), st.integers(1, 3), paddings)
def test_the_separable_layer_nearest_to_a_separable_one_is_that_one(inputs, outputs, kernel, stride, padding):
    rng = np.random.default_rng(inputs + 10 * outputs)
    depthwise = rng.standard_normal((kernel, kernel, inputs)).astype(np.float32)
    pointwise = rng.standard_normal((inputs, outputs)).astype(np.float32)
    net = nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding, rng=rng))
    assume(kernel > 1)
    net[0].weight.data = depthwise[..., None] * pointwise
    net[0].bias.data = rng.standard_normal(outputs).astype(np.float32)
    same = make_separable(net, ["0"], between=False, from_weights=True, rng=rng)
    x = rng.random((2, 7, 8, inputs), np.float32)
    assert np.allclose(tc.predict(same, x), tc.predict(net, x), atol=1e-4)


def test_no_small_change_of_the_nearest_separable_weights_is_nearer(rng):
    weight = rng.standard_normal((3, 3, 4, 5))
    depthwise, pointwise = nearest_separable(weight)

    def distance(d, p):
        return ((weight - d[..., None] * p) ** 2).sum()

    best = distance(depthwise, pointwise)
    assert best < (weight**2).sum()
    for _ in range(20):
        d, p = (part + 1e-2 * rng.standard_normal(part.shape) for part in (depthwise, pointwise))
        assert distance(d, p) > best


def test_what_cannot_become_separable_is_refused_with_the_reason(rng):
    net = models.convnet((8, 8, 1), 5, (6, 8), rng=rng)
    for layers, reason in (
        (["12"], "no layer '12'"),
        (["1"], "BatchNorm.*is not a standard convolution"),
        (["9"], "Dense.*is not a standard convolution"),
    ):
        with pytest.raises(ValueError, match=reason):
            make_separable(net, layers, rng=rng)
    with pytest.raises(ValueError, match="1×1"):
        make_separable(nn.Sequential(nn.Conv2d(5, 6, 1, rng=rng)), ["0"], rng=rng)
    with pytest.raises(ValueError, match="made of Sequential, Flatten, Dense"):
        make_separable(models.mlp((8, 8, 1), (9,), 5, rng=rng), rng=rng)
    with pytest.raises(ValueError, match="looks like an image"):
        make_separable(models.convnet((8, 8, 1), 5, (6,), rng=rng), rng=rng)
    with pytest.raises(ValueError, match="between=False"):
        make_separable(net, from_weights=True, rng=rng)
    with pytest.raises(ValueError, match="bake"):
        make_separable(prune_weights(net, 0.5), ["4"], rng=rng)
    shared = nn.Conv2d(5, 5, 3, padding="same", rng=rng)
    with pytest.raises(ValueError, match="two places"):
        make_separable(nn.Sequential(shared, nn.ReLU(), shared), rng=rng)


# ---- low rank ----


@given(sizes, sizes, st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), paddings, st.sampled_from(SCHEMES))
def test_a_convolution_of_full_rank_computes_the_same(inputs, outputs, kh, kw, stride, padding, scheme):
    rng = np.random.default_rng(outputs)
    net = nn.Sequential(nn.Conv2d(inputs, outputs, (kh, kw), (stride, 1), padding, rng=rng))
    net[0].bias.data = rng.standard_normal(outputs).astype(np.float32)
    x = rng.standard_normal((2, 7, 6, inputs)).astype(np.float32)
    expected = tc.predict(net, x)
    assert np.allclose(tc.predict(factorise(net, 1000, scheme), x), expected, atol=1e-5 * np.abs(expected).max() + 1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("build", NETS)
def test_a_net_of_full_rank_computes_the_same_and_the_old_one_stays(rng, build, scheme):
    net = used(NETS[build](rng), rng)
    before = net.state_dict()
    x = rng.random((9, 8, 8, 1), np.float32)
    expected = tc.predict(net, x)
    assert np.allclose(tc.predict(factorise(net, 1000, scheme), x), expected, atol=1e-5 * np.abs(expected).max())
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_factors_are_as_near_as_the_singular_values_say(rng, scheme):
    """Eckart and Young: the squared distance is the sum of the squared singular values that are left out."""
    net = nn.Sequential(nn.Conv2d(4, 6, 3, bias=False, rng=rng))
    values = singular_values(net, scheme=scheme)["0"]
    for rank in range(1, len(values) + 1):
        first, second = factorise(net, {"0": rank}, scheme).layers
        if scheme == "channel":
            product = first.weight.data @ second.weight.data
        else:
            product = np.einsum("icr,jro->ijco", first.weight.data[:, 0], second.weight.data[0])
        distance = ((product - net[0].weight.data) ** 2).sum()
        assert distance == pytest.approx((values[rank:] ** 2).sum(), abs=1e-5)


@given(sizes, sizes, st.integers(1, 3), st.integers(1, 5), st.integers(1, 2))
def test_the_counts_of_a_factorised_layer_are_exact(inputs, outputs, kernel, rank, stride):
    rng, shape = np.random.default_rng(0), (6, 7, inputs)
    net = nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, "same", bias=False, rng=rng))
    full = {scheme: min(as_matrix(net[0].weight.data, scheme).shape) for scheme in SCHEMES}
    rows, columns = -(-6 // stride), -(-7 // stride)
    k = min(rank, full["channel"])
    small = factorise(net, {"0": k}).summary(shape)
    assert small.parameters == k * (kernel**2 * inputs + outputs)
    assert small.macs == rows * columns * small.parameters
    k = min(rank, full["spatial"])
    small = factorise(net, {"0": k}, "spatial").summary(shape)
    assert small.parameters == k * kernel * (inputs + outputs)
    assert small.macs == k * kernel * (inputs * rows * 7 + outputs * rows * columns)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("energy", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("build", NETS)
def test_rank_by_energy_is_the_smallest_that_keeps_it(rng, build, energy, scheme):
    net = NETS[build](rng)
    ranks = ranks_by_energy(net, energy, scheme=scheme)
    for name, values in singular_values(net, scheme=scheme).items():
        whole = (values**2).sum()
        if name in ranks:
            assert (values[: ranks[name]] ** 2).sum() >= energy * whole > (values[: ranks[name] - 1] ** 2).sum()
    before, after = net.summary(), factorise(net, ranks, scheme).summary()
    assert after.parameters < before.parameters


def test_all_the_energy_of_a_layer_of_low_rank_is_in_its_rank(rng):
    net = models.mlp((8, 8, 1), (30,), 10, rng=rng)
    net[1].weight.data = (rng.normal(0, 1, (64, 3)) @ rng.normal(0, 1, (3, 30))).astype(np.float32)
    assert ranks_by_energy(net, 1 - 1e-9, layers=["1"]) == {"1": 3}
    with pytest.raises(ValueError, match="no layer becomes smaller"):
        ranks_by_energy(net, 1.0, layers=["3"])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("of", ["parameters", "macs"])
@pytest.mark.parametrize("build", NETS)
def test_rank_by_budget_stays_within_it_and_leaves_hardly_any(rng, build, of, scheme):
    net = NETS[build](rng)
    whole = total(net, None, of)
    for share in (0.5, 0.7, 1.0):
        try:
            ranks = ranks_by_budget(net, share, of, scheme=scheme)
        except ValueError as error:
            assert "even with rank 1" in str(error)
            continue
        found = total(factorise(net, ranks, scheme) if ranks else net, None, of)
        steps = {name: total(factorise(net, {name: 2}, scheme), None, of) for name in ranks if ranks[name] > 1}
        ones = {name: total(factorise(net, {name: 1}, scheme), None, of) for name in steps}
        dearest = max([steps[name] - ones[name] for name in steps], default=whole)
        assert share * whole - 2 * dearest <= found <= share * whole
    assert ranks == {}  # the whole budget needs no factors


def test_a_budget_below_rank_one_is_refused_with_the_least_that_is_possible(rng):
    net = models.mlp((8, 8, 1), (20, 10), 5, rng=rng)
    least = total(factorise(net, 1), None, "parameters") / total(net, None, "parameters")
    with pytest.raises(ValueError, match=f"{least:.2%}"):
        ranks_by_budget(net, least - 1e-6)
    assert set(ranks_by_budget(net, least + 1e-6).values()) == {1}


def test_what_cannot_be_factorised_is_refused_with_the_reason(rng):
    net = models.separable_net((8, 8, 1), 5, (6, 8), rng=rng)
    for ranks, reason in (
        ({"3": 2}, "depthwise filter has no channels"),
        ({"0": 7}, "from 1 to 6; got 7"),
        ({"0": 0}, "from 1 to 6; got 0"),
        ({"99": 1}, "no layer '99'"),
    ):
        with pytest.raises(ValueError, match=reason):
            factorise(net, ranks)
    with pytest.raises(ValueError, match="channel, spatial"):
        factorise(net, 1, "diagonal")
    with pytest.raises(ValueError, match="bake"):
        factorise(quantize_weights(net, 4), {"0": 1})
    with pytest.raises(ValueError, match="parameters"):
        ranks_by_budget(net, 0.5, "bytes")


def test_a_layer_by_itself_and_one_in_a_list_are_replaced_too(rng):
    class Ensemble(nn.Module):
        def __init__(self):
            self.members = [nn.Dense(6, 5, rng=rng), nn.Dense(6, 5, rng=rng)]

        def forward(self, x):
            return self.members[0](x) + self.members[1](x)

    x = rng.random((3, 6), np.float32)
    for net in (Ensemble(), nn.Dense(6, 5, rng=rng)):
        assert np.allclose(tc.predict(factorise(net, 5), x), tc.predict(net, x), atol=1e-5)
    assert [len(member) for member in factorise(Ensemble(), 2).members] == [2, 2]


def test_a_factorised_net_learns_and_keeps_its_rank(rng):
    data = tc.data.load("digits")
    net = factorise(models.mlp(data.image_shape, (30,), 10, rng=rng), 6)
    tc.fit(net, data.train, optimizer=tc.optim.SGD(net.parameters(), 0.1, 0.9), epochs=5, rng=rng, progress=False)
    product = net[1].weight.data @ net[2].weight.data
    assert np.linalg.matrix_rank(product) == 6 and tc.evaluate(net, data.val).accuracy > 0.7


# ---- what comes after ----

AFTER = {
    "factorised": lambda net, rng: factorise(net, 3),
    "factorised in space": lambda net, rng: factorise(net, 3, "spatial"),
    "separable": lambda net, rng: make_separable(net, rng=rng),
}


@pytest.mark.parametrize("way", AFTER)
@pytest.mark.parametrize("build", CONVOLUTIONAL)
def test_what_was_replaced_can_be_pruned_quantized_and_saved(rng, build, way):
    net = used(AFTER[way](NETS[build](rng), rng), rng)
    x = rng.random((20, 8, 8, 1), np.float32)
    pruned = quantize_weights(prune_weights(net.copy(), 0.5), 6)
    assert sparsity(pruned) == pytest.approx(0.5, abs=0.01)
    loaded = tcz.from_bytes(tcz.to_bytes(pruned))
    assert np.array_equal(tc.predict(loaded, x), tc.predict(pruned, x))
    folded = fold_batch_norm(net)
    assert not any(isinstance(module, nn.BatchNorm) for module in folded.modules())
    exact = tc.predict(net, x)
    assert np.allclose(tc.predict(folded, x), exact, atol=1e-4 * np.abs(exact).max())
    integers = tc.predict(to_integers(net, x), x)
    assert np.abs(integers - exact).max() < 0.25 * np.ptp(exact)
    narrow = remove_neurons(net, keep_neurons(net, 0.5))
    assert tc.predict(narrow, x).shape == exact.shape
    assert total(narrow, None, "macs") < total(net, None, "macs")


# ---- Jacobians ----


def by_differences(module, x, step=1e-2):
    flat = []
    for i in range(x.size):
        moved = np.repeat(x[None], 2, axis=0)
        moved[:, *np.unravel_index(i, x.shape)] += [step, -step]
        high, low = module(moved).data
        flat.append((high - low) / (2 * step))
    return np.stack(flat, axis=-1).reshape(*flat[0].shape, *x.shape)


@pytest.mark.parametrize("kind", ["standard", "depthwise", "pointwise"])
def test_the_jacobian_is_what_small_changes_of_the_input_do(rng, kind):
    layer = {
        "standard": lambda: nn.Conv2d(3, 4, (3, 2), padding="same", rng=rng),
        "depthwise": lambda: nn.DepthwiseConv2d(3, 3, stride=2, padding=1, rng=rng),
        "pointwise": lambda: nn.PointwiseConv2d(3, 4, rng=rng),
    }[kind]()
    x = rng.random((4, 5, 3), np.float32)
    assert np.allclose(jacobian(layer, x), by_differences(layer, x), atol=1e-3)


def test_each_convolution_reads_what_it_is_said_to_read(rng):
    x = rng.random((5, 5, 4), np.float32)
    same_channel = np.eye(4, dtype=bool)
    depthwise = nn.DepthwiseConv2d(4, 3, padding="same", rng=rng)
    pointwise, standard = nn.PointwiseConv2d(4, 4, rng=rng), nn.Conv2d(4, 4, 3, padding="same", rng=rng)
    assert np.array_equal(channel_jacobian(depthwise, x) != 0, same_channel)
    assert (channel_jacobian(pointwise, x) != 0).all() and (channel_jacobian(standard, x) != 0).all()
    assert np.allclose(channel_jacobian(pointwise, x), 25 * np.abs(pointwise.weight.data.T), rtol=1e-4)
    near = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) <= 1
    window = near[:, None, :, None] & near[None, :, None, :]  # (H', W', H, W)
    pixel = np.eye(25, dtype=bool).reshape(5, 5, 5, 5)
    for layer, pixels in ((depthwise, window), (pointwise, pixel), (standard, window)):
        reads = (jacobian(layer, x) != 0).any((2, 5))
        assert np.array_equal(reads, pixels)


def test_a_jacobian_leaves_the_module_as_it_was(rng):
    net = models.convnet((6, 6, 1), 3, (4,), rng=rng).train()
    before = net.state_dict()
    found = jacobian(net, rng.random((6, 6, 1), np.float32))
    assert found.shape == (3, 6, 6, 1) and net.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize("scheme", ["channel", "spatial"])
def test_a_float64_net_stays_float64(scheme, rng):
    net = nn.Sequential(nn.Conv2d(6, 5, 3, rng=rng), nn.Flatten(), nn.Dense(20, 4, rng=rng), input_shape=(4, 4, 6))
    for layer in (net[0], net[2]):
        for name in ("weight", "bias"):
            setattr(layer, name, nn.Parameter(rng.standard_normal(getattr(layer, name).shape)))
    x = rng.standard_normal((3, 4, 4, 6))
    whole = factorise(net, 100, scheme)
    assert all(parameter.dtype == np.float64 for parameter in whole.parameters())
    np.testing.assert_allclose(whole(x).data, net(x).data, rtol=1e-11)


def test_names_of_layers_may_come_from_an_iterator(rng):
    net = models.mlp((4, 4, 1), (16, 16), 3, rng=rng)
    names, ranks = ["1", "3"], {"1": 2, "3": 2}
    assert ranks_by_energy(net, 0.5, iter(names)) == ranks_by_energy(net, 0.5, names) != {}
    assert factorise(net, ranks).summary().parameters < net.summary().parameters
