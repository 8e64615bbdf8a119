"""Binary and ternary weights: what the forward pass uses, what the gradient reaches, and the same nets in bits."""

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import kernels, models, nn
from tinycompress.nn.weighted import effective
from tinycompress.pruning import prune_weights
from tinycompress.quantization import (
    Binarize,
    BinaryConv2d,
    BinaryDense,
    Sign,
    Ternarize,
    binarize_weights,
    pack_binary,
    quantize_weights,
    tcz,
    ternarize_weights,
)
from tinycompress.tensor import Tensor


@pytest.fixture(scope="module")
def digits():
    return tc.data.load("digits")


def test_deterministic_weights_are_the_signs_and_their_gradient_passes_straight_through(rng):
    latent = nn.Parameter(rng.normal(0, 1, (4, 3)))
    y = Binarize(0.5)(latent)
    assert np.array_equal(y.data, np.where(latent.data >= 0, 0.5, -0.5))
    g = rng.normal(0, 1, (4, 3))
    y.backward(g)
    assert np.array_equal(latent.grad, g)


def test_weights_of_0_and_1_are_there_where_the_latent_weight_is_positive(rng):
    latent = nn.Parameter(rng.normal(0, 1, (4, 3)))
    y = Binarize(0.5, values=(0, 1))(latent)
    assert np.array_equal(y.data, np.where(latent.data >= 0, 0.5, 0))
    g = rng.normal(0, 1, (4, 3))
    y.backward(g)
    assert np.array_equal(latent.grad, g)
    assert Binarize(0.5, values=(0, 1)).take([0], 0).values == (0, 1)


def test_a_file_holds_weights_of_0_and_1_in_one_bit_each(rng):
    net = nn.Sequential(nn.Dense(64, 64, bias=False, rng=rng), input_shape=(64,))
    binarize_weights(net, values=(0, 1))
    file = tcz.to_bytes(net, "fixed")
    assert 64 * 64 / 8 <= len(file) < 64 * 64 / 8 + 50
    x = rng.normal(0, 1, (7, 64)).astype(np.float32)
    assert tc.predict(tcz.from_bytes(file), x).tobytes() == tc.predict(net, x).tobytes()


def test_a_file_holds_ternary_weights_in_two_bits_each_and_a_scale_per_channel(rng):
    net = ternarize_weights(nn.Sequential(nn.Dense(64, 64, bias=False, rng=rng), input_shape=(64,)))
    net[0].latent("weight").data[:, 3] = 0
    file = tcz.to_bytes(net, "fixed")
    assert len(file) < 64 * 64 / 4 + 64 * 4 + 50
    x = rng.normal(0, 1, (7, 64)).astype(np.float32)
    assert tc.predict(tcz.from_bytes(file), x).tobytes() == tc.predict(net, x).tobytes()


def test_training_clips_the_latent_weights(digits, rng):
    net = binarize_weights(models.mlp((8, 8, 1), (6,), 10, rng=rng), scale=0.1)
    tc.fit(net, digits.train, optimizer=tc.optim.SGD(net.parameters(), 0.5), epochs=1, rng=rng, progress=False)
    net.train()
    net(digits.x_train[:2])
    for i in (1, 3):
        assert np.abs(net[i].latent("weight").data).max() <= np.float32(0.1)
        assert set(np.unique(effective(net[i], "weight"))) == {np.float32(-0.1), np.float32(0.1)}


def test_evaluation_changes_no_latent_weight(rng):
    step, latent = Binarize(0.1).eval(), nn.Parameter(np.array([[3.0, -2.0]], np.float32))
    step(latent)
    assert np.array_equal(latent.data, [[3, -2]])


def test_stochastic_weights_have_their_latent_value_as_mean_and_signs_in_evaluation(rng):
    latent = Tensor(np.array([-3.0, -0.5, 0.25, 0.75, 3.0], np.float32))
    step = Binarize(1.0, stochastic=True, rng=rng)
    draws = np.array([step(latent).data for _ in range(4000)])
    assert set(np.unique(draws)) == {-1, 1}
    assert np.allclose(draws.mean(0), np.clip(latent.data, -1, 1), atol=0.06)
    assert np.array_equal(step.eval()(latent).data, np.sign(latent.data))


def test_the_mean_scale_is_the_best_one_for_the_signs(rng):
    w = rng.normal(0, 1, (50, 3))
    binary = Binarize()(Tensor(w)).data

    def error(factor):
        return ((w - factor * binary) ** 2).sum(0)

    assert (error(1.0) <= error(0.99)).all() and (error(1.0) <= error(1.01)).all()


def test_ternary_weights_are_three_values_a_channel(rng):
    w = rng.normal(0, 1, (200, 2))
    ternary = Ternarize()(Tensor(w)).data
    for channel in range(2):
        values = np.unique(ternary[:, channel])
        assert len(values) == 3 and values[1] == 0 and values[0] == -values[2]
        kept = np.abs(w[:, channel]) > 0.7 * np.abs(w[:, channel]).mean()
        assert np.array_equal(ternary[:, channel] != 0, kept)
        assert values[2] == pytest.approx(np.abs(w[kept, channel]).mean())


@pytest.mark.parametrize("binarize", [binarize_weights, ternarize_weights])
def test_pruned_weights_stay_zero(digits, rng, binarize):
    net = prune_weights(models.mlp((8, 8, 1), (6,), 10, rng=rng), 0.5)
    masks = [net[i].parametrization("weight", nn.Mask).mask for i in (1, 3)]
    binarize(net)
    tc.fit(net, digits.train, optimizer=tc.optim.SGD(net.parameters(), 0.05), epochs=1, rng=rng, progress=False)
    for i, mask in zip((1, 3), masks, strict=True):
        assert not effective(net[i], "weight")[~mask].any()


def test_binary_nets_learn_digits(digits, rng):
    layers = [nn.Flatten(), nn.Dense(64, 100, rng=rng), nn.BatchNorm(100), nn.ReLU(), nn.Dense(100, 10, rng=rng)]
    net = binarize_weights(nn.Sequential(*layers, nn.BatchNorm(10), input_shape=(8, 8, 1)))
    optimizer = tc.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    tc.fit(net, digits.train, optimizer=optimizer, epochs=5, rng=rng, progress=False)
    assert tc.evaluate(net, digits.test).accuracy > 0.9


# ---- packed ----


def test_packed_dense_layers_compute_the_same_in_a_thirty_second_of_the_memory(rng):
    net = nn.Sequential(nn.Dense(256, 128, rng=rng), nn.ReLU(), nn.Dense(128, 10, rng=rng), input_shape=(256,))
    net[0].bias.data = rng.normal(0, 1, 128)
    binarize_weights(net)
    packed = pack_binary(net)
    x = rng.normal(0, 1, (7, 256)).astype(np.float32)
    assert [type(layer) for layer in packed] == [BinaryDense, nn.ReLU, BinaryDense]
    assert np.allclose(tc.predict(packed, x), tc.predict(net, x), rtol=1e-4, atol=1e-4)
    assert packed[0].packed.nbytes == net[0].latent("weight").data.nbytes / 32


def test_signs_times_signs_are_exact(rng):
    net = nn.Sequential(nn.Dense(70, 40, rng=rng), Sign(), nn.Dense(40, 5, rng=rng), input_shape=(70,))
    binarize_weights(net, scale=1.0)
    packed = pack_binary(net)
    x = rng.normal(0, 1, (9, 70)).astype(np.float32)
    assert packed[2].signs_only and not packed[0].signs_only
    hidden = packed[1](packed[0](x))
    assert np.array_equal(packed[2](hidden).data, net[2](hidden).data)


@pytest.mark.parametrize("padding", ["valid", "same", ((0, 2), (1, 0))])
@pytest.mark.parametrize("first", [None, Sign()])
@pytest.mark.parametrize("channels", [3, 32, 33])
@pytest.mark.parametrize("variant", ["numpy", "fast"])
def test_packed_convolutions_compute_the_same(rng, padding, first, channels, variant):
    conv = nn.Conv2d(channels, 8, 3, stride=2, padding=padding, rng=rng)
    conv.bias.data = rng.normal(0, 1, 8)
    net = nn.Sequential(*([first] if first else []), conv, input_shape=(9, 8, channels))
    binarize_weights(net)
    packed = pack_binary(net)
    x = rng.normal(0, 1, (4, 9, 8, channels)).astype(np.float32)
    assert isinstance(packed[-1], BinaryConv2d) and packed[-1].signs_only == bool(first)
    with kernels.use(variant):
        assert tc.predict(packed, x).dtype == np.float32
        _assert_the_same_convolution(net, packed, x)


def test_signs_with_padding_are_counted_exactly(rng):
    net = nn.Sequential(Sign(), nn.Conv2d(40, 6, (3, 2), padding=((1, 2), (1, 0)), rng=rng), input_shape=(5, 6, 40))
    binarize_weights(net, scale=1.0)
    x = rng.normal(0, 1, (3, 5, 6, 40)).astype(np.float32)
    assert np.array_equal(tc.predict(pack_binary(net), x), tc.predict(net, x))  # sums of whole numbers


def _assert_the_same_convolution(net, packed, x):
    assert np.allclose(tc.predict(packed, x), tc.predict(net, x), rtol=1e-4, atol=1e-4)
    if not packed[-1].signs_only:  # then it is the same convolution, bit for bit
        assert np.array_equal(tc.predict(packed, x), tc.predict(net, x))


def test_sign_gives_signs_and_gradients_where_they_matter():
    x = Tensor(np.array([-2.0, -0.5, 0.0, 0.5, 2.0], np.float32), requires_grad=True)
    y = Sign()(x)
    assert np.array_equal(y.data, [-1, -1, 1, 1, 1])
    y.backward(np.ones(5, np.float32))
    assert np.array_equal(x.grad, [0, 1, 1, 1, 0])


def test_what_cannot_be_packed_or_drawn_is_named(rng):
    with pytest.raises(ValueError, match="one a above 0"):
        pack_binary(binarize_weights(prune_weights(nn.Sequential(nn.Dense(6, 2, rng=rng)), 0.5)))
    with pytest.raises(ValueError, match=r"values=\(-1, 1\)"):
        pack_binary(binarize_weights(nn.Sequential(nn.Dense(6, 2, rng=rng)), values=(0, 1)))
    with pytest.raises(ValueError, match="smaller first"):
        Binarize(1.0, values=(1, 0))
    with pytest.raises(ValueError, match="depthwise"):
        pack_binary(binarize_weights(nn.Sequential(nn.DepthwiseConv2d(3, rng=rng))))
    with pytest.raises(ValueError, match="needs? a scale"):
        Binarize(stochastic=True, rng=rng)
    with pytest.raises(ValueError, match="scale must be above 0"):
        Binarize(0.0)
    with pytest.raises(ValueError, match="there are 0"):
        binarize_weights(nn.Sequential(nn.Dense(6, 2, rng=rng)), layers=["7"])


@pytest.mark.parametrize("step", [Binarize(), Ternarize()], ids=["binary", "ternary"])
def test_pruned_weights_do_not_make_the_scale_of_the_others_smaller(step, rng):
    w = rng.normal(0, 1, (50, 3)).astype(np.float32)
    pruned = np.concatenate([w, np.zeros((450, 3), np.float32)])
    assert np.allclose(step(Tensor(pruned)).data[:50], step(Tensor(w)).data, rtol=1e-6)
    assert not step(Tensor(pruned)).data[50:].any()


@pytest.mark.parametrize("signs_only", [False, True])
def test_a_packed_convolution_unpacks_and_fills_what_it_is_given(rng, signs_only):
    conv = nn.Conv2d(8, 5, 3, stride=2, padding=1, rng=rng)
    weight = np.where(rng.random((3, 3, 8, 5)) < 0.5, np.float32(-0.5), np.float32(0.5))
    packed = BinaryConv2d(conv, weight, np.zeros(5, np.float32), signs_only)
    assert np.array_equal(effective(packed.unpacked(), "weight"), weight)
    x = rng.normal(0, 1, (2, 7, 6, 8)).astype(np.float32)
    y, fill = packed.prepare(x)
    x[:] = rng.normal(0, 1, x.shape)
    fill()
    assert np.array_equal(y, packed(Tensor(x)).data)


@pytest.mark.parametrize("removed", [0.01, 0.05])
def test_a_lightly_pruned_net_of_one_bit_is_stored(rng, removed):
    net = quantize_weights(prune_weights(models.lenet_300_100((8, 8, 1), 10, rng=rng), removed), 1, per_channel=True)
    x = rng.random((4, 8, 8, 1), np.float32)
    assert np.array_equal(tc.predict(tcz.from_bytes(tcz.to_bytes(net)), x), tc.predict(net, x))
