"""Grids, training on them, and nets in integers: errors within half a step, straight-through gradients, exact sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinycompress as tc
from tinycompress import models, nn
from tinycompress.kernels.requantize import fixed_point, requantize
from tinycompress.nn.summary import effective
from tinycompress.pruning import prune_weights
from tinycompress.quantization import (
    FakeQuantize,
    calibrate,
    fold_batch_norm,
    quantize_activations,
    quantize_biases,
    quantize_weights,
    recalibrate_batch_norm,
    to_integers,
)
from tinycompress.tensor import Tensor

FLOATS = st.floats(-100, 100, width=32)
ARRAYS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6), elements=FLOATS)


@given(ARRAYS, st.integers(1, 8), st.booleans(), st.booleans())
def test_the_error_is_at_most_half_a_step(values, bits, symmetric, per_channel):
    grid = calibrate(values, bits, symmetric, per_channel)
    error = np.abs(grid.dequantize(grid.quantize(values)) - values)
    assert (error <= grid.scale * (0.5 + 1e-3) + 1e-30).all()


@given(ARRAYS, st.integers(1, 8), st.booleans())
def test_integers_stay_within_their_bits_and_come_back_from_their_numbers(values, bits, symmetric):
    grid = calibrate(values, bits, symmetric, True)
    integers = grid.quantize(values)
    assert integers.dtype.itemsize == 1
    assert integers.min() >= grid.low and integers.max() <= grid.high and grid.high - grid.low < 2**bits
    assert np.array_equal(grid.quantize(grid.dequantize(integers)), integers)


@given(ARRAYS, st.integers(2, 8), st.booleans(), st.sampled_from(["min_max", "percentile", "mse"]))
def test_zero_is_exactly_zero(values, bits, symmetric, method):
    grid = calibrate(values, bits, symmetric, False, method)
    assert grid.dequantize(grid.quantize(np.zeros(1, np.float32)))[0] == 0


@given(hnp.arrays(np.float32, (9, 4), elements=FLOATS), st.integers(1, 4), st.booleans())
def test_clipping_by_squared_error_is_never_worse_than_covering_everything(values, bits, symmetric):
    def error(method):
        grid = calibrate(values, bits, symmetric, True, method)
        return ((grid.dequantize(grid.quantize(values)) - values) ** 2 * (values != 0)).sum(0)

    assert (error("mse") <= error("min_max") + 1e-6).all()


def test_a_percentile_ignores_the_outlier_that_min_max_follows(rng):
    values = rng.standard_normal(10_000).astype(np.float32)
    values[0] = 1000
    assert calibrate(values, 8, method="min_max").scale == pytest.approx(1000 / 127)
    assert calibrate(values, 8, method="percentile").scale < 5 / 127
    low, high = (f(calibrate(values, 8, False, method="percentile").dequantize(np.array([0, 255]))) for f in (min, max))
    assert -5 < low < 0 < high < 5


def test_a_grid_for_each_channel_follows_each_channels_range():
    values = np.array([[1.0, 100.0], [-0.5, 20.0]], np.float32)
    assert np.allclose(calibrate(values, 8, per_channel=True).scale, [1 / 127, 100 / 127])
    assert calibrate(values, 8).scale.shape == ()


@pytest.mark.parametrize(
    "problem, message",
    [
        ({"values": np.zeros(0)}, "finite values"),
        ({"values": np.array([np.nan])}, "finite values"),
        ({"bits": 0}, "1 to 8 bits"),
        ({"bits": 9}, "1 to 8 bits"),
        ({"method": "best"}, "min_max, percentile, mse"),
        ({"method": "percentile", "percentile": 101}, "percentile"),
    ],
)
def test_calibrate_says_what_it_cannot_do(problem, message):
    with pytest.raises(ValueError, match=message):
        calibrate(**{"values": np.ones(3)} | problem)


# ---- training on a grid ----


def test_the_gradient_passes_straight_through_within_the_grid_and_not_beyond():
    x = Tensor(np.array([-2.0, -0.9, 0.1, 0.4, 2.0], np.float32), requires_grad=True)
    step = FakeQuantize(calibrate(np.array([-1.0, 1.0]), 3))
    y = step(x)
    assert np.allclose(y.data, [-1, -1, 0, 1 / 3, 1])
    g = np.array([1.0, 2.0, 3.0, 4.0, 5.0], np.float32)
    y.backward(g)
    assert np.array_equal(x.grad, [0, 2, 3, 4, 0])


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_scales_gradient_is_that_of_the_grid_with_its_rounding_held_fixed(rng, symmetric):
    values = rng.normal(0, 1, (30, 3))
    grid = calibrate(values, 3, symmetric, per_channel=True, method="mse")
    step = FakeQuantize(grid)
    g = rng.normal(0, 1, values.shape)
    step(Tensor(values)).backward(g)
    place = values / grid.scale + grid.zero_point
    integers = np.clip(np.rint(place), grid.low, grid.high)
    inside = (place >= grid.low - 0.5) & (place <= grid.high + 0.5)
    offset = np.where(inside, integers - place, 0)  # what rounding adds, in steps, taken for a constant

    def loss(scale):
        moved = values / scale + grid.zero_point
        return (g * scale * (np.where(inside, moved + offset, integers) - grid.zero_point)).sum()

    for channel in range(3):
        bump = np.zeros(3)
        bump[channel] = 1e-4
        numeric = (loss(grid.scale + bump) - loss(grid.scale - bump)) / 2e-4
        factor = 1 / np.sqrt(30 * grid.high)
        assert step.scale.grad[channel] == pytest.approx(numeric * factor, rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("past", [-0.02, 0.0])
def test_a_step_that_carries_the_scale_past_zero_leaves_a_grid_that_computes(past):
    step = FakeQuantize(calibrate(np.linspace(-1, 1, 9, dtype=np.float32), 4, True, False))
    step.scale.data = np.full_like(step.scale.data, past)
    assert (step.grid.scale > 0).all()
    x = Tensor(np.linspace(-1, 1, 9, dtype=np.float32), requires_grad=True)
    (step(x) * x.data).sum().backward()
    assert np.isfinite(step(x).data).all() and np.isfinite(step.scale.grad).all()
    if past:  # the gradient is that of the size, so that training goes on from there as it would from the other side
        mirrored = FakeQuantize(step.grid)
        (mirrored(x) * x.data).sum().backward()
        assert step.scale.grad == pytest.approx(-mirrored.scale.grad)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_pruned_weights_stay_zero_on_every_grid_through_training(digits, rng, bits):
    net = models.mlp((8, 8, 1), (12,), 10, rng=rng)
    prune_weights(net, 0.7)
    masks = [effective(net[i], "weight") != 0 for i in (1, 3)]
    quantize_weights(net, bits)
    tc.fit(net, digits.train, optimizer=tc.optim.SGD(net.parameters(), 0.05, 0.9), epochs=1, rng=rng, progress=False)
    for mask, layer in zip(masks, (net[1], net[3]), strict=True):
        weight = effective(layer, "weight")
        assert not weight[~mask].any()
        assert len(np.unique(weight[:, 0])) <= 2**bits + 1


def test_training_on_a_grid_wins_back_what_rounding_lost(digits, rng):
    net = trained(digits, rng)
    rounded = quantize_weights(net.copy(), 2, per_channel=False)
    after = tc.evaluate(rounded, digits.test).accuracy
    optimizer = tc.optim.SGD(rounded.parameters(), 0.02, momentum=0.9)
    tc.fit(rounded, digits.train, optimizer=optimizer, epochs=4, rng=rng, progress=False)
    assert tc.evaluate(rounded, digits.test).accuracy > after + 0.01
    assert all(len(np.unique(effective(rounded[i], "weight"))) <= 3 for i in (1, 3))


def test_a_new_grid_replaces_the_old_one_and_single_layers_can_be_chosen(rng):
    net = models.mlp((4, 4, 1), (6,), 3, rng=rng)
    quantize_weights(net, 8)
    quantize_weights(net, {"3": 2})
    steps = [net[i].parametrization("weight", FakeQuantize) for i in (1, 3)]
    assert [step.bits for step in steps] == [8, 2]
    assert all(len(net[i].parametrizations("weight")) == 1 for i in (1, 3))
    with pytest.raises(ValueError, match="there are 1, 3"):
        quantize_weights(net, {"0": 2})


def test_a_quantized_layer_can_be_cut_like_its_weight(rng):
    net = models.mlp((4, 4, 1), (6,), 3, rng=rng)
    quantize_weights(net, 3)
    before = effective(net[1], "weight")
    small = tc.pruning.remove_neurons(net, {"1": np.array([0, 2, 5])})
    assert np.array_equal(effective(small[1], "weight"), before[:, [0, 2, 5]])


# ---- batch norm ----


def with_used_statistics(net, rng):
    """The net after some forward passes in training mode, so that its batch norms do something."""
    net.train()
    for _ in range(3):
        net(rng.random((16, *net.input_shape), np.float32))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm):
            module.weight.data = rng.normal(1, 0.3, module.weight.shape)
            module.bias.data = rng.normal(0, 0.3, module.bias.shape)
    return net.eval()


@pytest.mark.parametrize("build", [models.convnet, models.separable_net, models.resnet])
def test_folding_batch_norm_changes_no_output(rng, build):
    net = with_used_statistics(build((8, 8, 1), 5, rng=rng), rng)
    x = rng.random((9, 8, 8, 1), np.float32)
    folded = fold_batch_norm(net)
    assert not any(isinstance(module, nn.BatchNorm) for module in folded.modules())
    assert np.allclose(tc.predict(folded, x), tc.predict(net, x), atol=1e-5)


def test_folding_keeps_masks_and_refuses_what_it_would_break(rng):
    net = with_used_statistics(models.convnet((8, 8, 1), 5, rng=rng), rng)
    prune_weights(net, 0.5)
    x = rng.random((5, 8, 8, 1), np.float32)
    folded = fold_batch_norm(net)
    assert tc.pruning.sparsity(folded) == pytest.approx(0.5, abs=0.01)
    assert np.allclose(tc.predict(folded, x), tc.predict(net, x), atol=1e-5)
    with pytest.raises(ValueError, match="fold before quantizing"):
        fold_batch_norm(quantize_weights(net))


def test_recalibrated_statistics_are_those_of_the_data(rng):
    net = nn.Sequential(nn.Dense(4, 3, rng=rng), nn.BatchNorm(3), input_shape=(4,))
    x = rng.normal(2, 3, (512, 4)).astype(np.float32)
    recalibrate_batch_norm(net, x, batch_size=128)
    y = net[0](x).data
    assert np.allclose(net[1].running_mean, y.mean(0), atol=1e-4)
    assert np.allclose(net[1].running_var, y.reshape(4, 128, 3).var(1, ddof=1).mean(0), rtol=1e-4)
    assert net[1].momentum == 0.1


# ---- integers ----


@given(
    hnp.arrays(np.int32, (5, 3), elements=st.integers(-(2**30), 2**30)),
    hnp.arrays(np.float64, 3, elements=st.floats(1e-7, 100)),
    st.integers(0, 255),
)
def test_requantizing_is_rounding_of_the_exact_product(sums, ratio, zero_point):
    factor, shift = fixed_point(ratio)
    offset = np.array([5, -7, 0])
    expected = np.empty(sums.shape, object)
    for b, o in np.ndindex(sums.shape):  # Python's integers are as wide as need be
        scaled = (int(sums[b, o]) + int(offset[o])) * int(factor[o])
        expected[b, o] = min(max((2 * scaled + 2 ** int(shift[o])) // 2 ** (int(shift[o]) + 1) + zero_point, 3), 250)
        assert int(factor[o]) / 2.0 ** int(shift[o]) == pytest.approx(ratio[o], rel=1e-8)
    for variant in ("loop", "numpy", "fast"):
        with tc.kernels.use(variant):
            assert np.array_equal(requantize(sums, offset, factor, shift, zero_point, 3, 250), expected.astype(int))


@pytest.fixture(scope="module")
def digits():
    return tc.data.load("digits")


def trained(digits, rng, build=models.lenet_300_100, epochs=4):
    net = build((8, 8, 1), 10, rng=rng)
    optimizer = tc.optim.SGD(net.parameters(), 0.05, momentum=0.9)
    tc.fit(net, digits.train, optimizer=optimizer, epochs=epochs, rng=rng, progress=False)
    return net


def test_an_integer_layer_computes_what_its_real_numbers_say(rng):
    """One layer with a ReLU, against real arithmetic on the same grids: at most one step away."""
    net = nn.Sequential(nn.Dense(20, 8, rng=rng), nn.ReLU(), nn.Dense(8, 3, rng=rng), input_shape=(20,))
    net[0].bias.data = rng.normal(0, 1, 8)
    x = rng.normal(0, 1, (200, 20)).astype(np.float32)
    integers = to_integers(net, x)
    first, last = integers.integer_layers
    q = integers.grid.quantize(x)
    weights = quantize_weights(net.copy(), 8, method="min_max")[0]
    real = integers.grid.dequantize(q).astype(np.float64) @ effective(weights, "weight") + net[0].bias.data
    expected = first.out.quantize(np.maximum(real, 0))
    got = first(q)
    assert got.dtype == np.uint8
    assert np.abs(got.astype(int) - expected.astype(int)).max() <= 1
    exact = first.out.dequantize(got).astype(np.float64) @ effective(
        quantize_weights(net.copy(), 8, method="min_max")[2], "weight"
    )
    assert np.allclose(last(got), exact + net[2].bias.data, atol=1e-5)


@pytest.mark.parametrize(
    "build", [models.lenet_300_100, models.lenet_5, models.convnet, models.separable_net, models.resnet]
)
def test_integer_nets_stay_close_to_the_real_ones(digits, rng, build):
    net = trained(digits, rng, build, epochs=2)
    integers = to_integers(net, digits.x_train[:200])
    real, got = tc.predict(net, digits.x_test), tc.predict(integers, digits.x_test)
    assert np.abs(real - got).max() < 0.1 * np.abs(real).max()
    assert (real.argmax(1) == got.argmax(1)).mean() > 0.97
    assert integers.nbytes < 4 * net.summary().parameters / 2  # small layers are filled up


def test_every_variant_of_the_kernels_gives_the_same_integers(rng):
    net = models.mlp((3, 3, 1), (5,), 3, rng=rng)
    x = rng.random((4, 3, 3, 1), np.float32)
    integers = to_integers(net, x)
    results = []
    for variant in ("loop", "numpy", "fast"):
        with tc.kernels.use(variant):
            results.append(tc.predict(integers, x))
    assert np.allclose(results[0], results[1]) and np.allclose(results[0], results[2])


def test_integers_take_over_the_grids_that_were_trained(digits, rng):
    net = quantize_activations(quantize_weights(trained(digits, rng), 4), digits.x_train[:200])
    optimizer = tc.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    tc.fit(net, digits.train, optimizer=optimizer, epochs=1, rng=rng, progress=False)
    integers = to_integers(net, digits.x_train[:200])
    real, got = tc.predict(net, digits.x_test), tc.predict(integers, digits.x_test)
    assert np.abs(real - got).max() < 0.02 * np.abs(real).max()  # a rounding tie or two, and the bias on its grid


def test_one_bit_weights_become_plus_and_minus_one(rng):
    net = quantize_weights(models.mlp((3, 3, 1), (5,), 3, rng=rng), 1)
    integers = to_integers(net, rng.random((20, 3, 3, 1), np.float32))
    with tc.kernels.use("loop"):
        lines = integers.integer_layers[1].weights.lines
    assert set(np.unique(lines)) <= {-1, 0, 1}  # 0 fills up


def test_activations_become_tables_of_256_numbers(rng):
    layers = [nn.Dense(6, 5, rng=rng), nn.Tanh(), nn.Dense(5, 4, rng=rng), nn.HardSwish(), nn.Dense(4, 3, rng=rng)]
    net = nn.Sequential(*layers, input_shape=(6,))
    x = rng.normal(0, 1, (300, 6)).astype(np.float32)
    real, got = tc.predict(net, x), tc.predict(to_integers(net, x), x)
    assert np.abs(real - got).max() < 0.05 * np.abs(real).max()


def test_average_pooling_and_nested_nets_run_in_integers(rng):
    inner = nn.Sequential(nn.Conv2d(2, 3, 3, padding="same", rng=rng), nn.ReLU(), nn.AvgPool2d(2))
    net = nn.Sequential(inner, nn.Dropout(0.5, rng=rng), nn.Flatten(), nn.Dense(12, 3, rng=rng), input_shape=(4, 4, 2))
    x = rng.normal(0, 1, (100, 4, 4, 2)).astype(np.float32)
    real, got = tc.predict(net, x), tc.predict(to_integers(net, x), x)
    assert np.abs(real - got).max() < 0.05 * np.abs(real).max()


def test_what_has_no_integer_form_is_named(rng):
    x = rng.random((5, 6), np.float32)
    with pytest.raises(ValueError, match="ends with a dense layer"):
        to_integers(nn.Sequential(nn.Dense(6, 2, rng=rng), nn.ReLU()), x)
    with pytest.raises(ValueError, match="only be folded"):
        to_integers(nn.Sequential(nn.BatchNorm(6), nn.Dense(6, 2, rng=rng)), x)
    affine = quantize_weights(nn.Sequential(nn.Dense(6, 2, rng=rng)), 8, symmetric=False)
    with pytest.raises(ValueError, match="affine grid"):
        to_integers(affine, x)
    with pytest.raises(ValueError, match="Sequential"):
        to_integers(nn.Dense(6, 2, rng=rng), x)


def test_biases_can_lie_on_a_grid_too(rng):
    net = models.mlp((4, 4, 1), (6,), 3, rng=rng)
    net[1].bias.data = rng.normal(0, 1, 6)
    before = net[1].bias.data.copy()
    quantize_biases(net, 8)
    assert 0 < np.abs(effective(net[1], "bias") - before).max() <= np.abs(before).max() / 254 * 1.001
