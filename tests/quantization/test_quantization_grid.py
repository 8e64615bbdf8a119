"""Grids, and training on them: errors within half a step, straight-through gradients, what is 0 stays 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_nets import trained

import tinycompress as tc
from tinycompress import kernels, models, nn
from tinycompress.nn.weighted import effective
from tinycompress.pruning import prune_weights
from tinycompress.quantization import (
    FakeQuantize,
    calibrate,
    fold_batch_norm,
    quantize_biases,
    quantize_weights,
    recalibrate_batch_norm,
)
from tinycompress.quantization.products.requantize import prepare_bytes
from tinycompress.tensor import Tensor


@pytest.fixture(scope="module")
def digits():
    return tc.data.load("digits")


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
        return ((grid.dequantize(grid.quantize(values)).astype(float) - values) ** 2 * (values != 0)).sum(0)

    # The errors are compared in float32 when the grid is chosen, so they may differ from these by their rounding.
    assert (error("mse") <= error("min_max") * (1 + 1e-5) + 1e-6).all()


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


def test_recalibration_counts_every_example_once_and_refuses_none(rng):
    net = nn.Sequential(nn.BatchNorm(3), input_shape=(3,))
    x = rng.normal(2, 3, (511, 3)).astype(np.float32)
    recalibrate_batch_norm(net, x, batch_size=200)
    assert np.allclose(net[0].running_mean, x.mean(0), atol=1e-5)
    with pytest.raises(ValueError, match="there are no inputs"):
        recalibrate_batch_norm(net, x[:0])


def test_biases_can_lie_on_a_grid_too(rng):
    net = models.mlp((4, 4, 1), (6,), 3, rng=rng)
    net[1].bias.data = rng.normal(0, 1, 6)
    before = net[1].bias.data.copy()
    quantize_biases(net, 8)
    assert 0 < np.abs(effective(net[1], "bias") - before).max() <= np.abs(before).max() / 254 * 1.001


@pytest.mark.parametrize("variant", ["numpy", "fast"])
@pytest.mark.parametrize("shape", [(1, 4, 4, 3), (7, 33), (64, 28, 28, 1)])
def test_prepared_bytes_are_those_of_the_grid(shape, variant):
    """Halves, numbers beyond the ends of the grid, and the largest floats, too."""
    rng = np.random.default_rng(0)
    x = np.float32(10) ** rng.uniform(-3, 3, shape).astype(np.float32) * rng.choice([-1, 1], shape).astype(np.float32)
    grid = calibrate(rng.standard_normal(1000), symmetric=False)
    halves = (np.arange(x.size // 2, dtype=np.float32) - 20.5) * grid.scale
    x.reshape(-1)[: halves.size], x.reshape(-1)[-1] = halves, np.finfo(np.float32).max
    with kernels.use(variant), np.errstate(over="ignore"):
        y, run = prepare_bytes(x, grid)
        for turned in (False, True):
            if turned:
                x[:] = -x
            run()
            np.testing.assert_array_equal(y, grid.quantize(x))
