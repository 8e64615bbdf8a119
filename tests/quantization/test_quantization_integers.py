"""Nets in integers: exact sums, the grids that were trained, biases that fit, and nothing left to calibrate."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_nets import trained

import tinycompress as tc
from tinycompress import models, nn, pruning
from tinycompress.nn.weighted import effective
from tinycompress.quantization import (
    binarize_weights,
    cluster_weights,
    pack_binary,
    pack_codebook,
    quantize_activations,
    quantize_weights,
    to_integers,
)
from tinycompress.quantization.products.requantize import fixed_point, loop, numpy


@given(
    hnp.arrays(np.int32, (5, 3), elements=st.integers(-(2**30), 2**30)),
    hnp.arrays(np.float64, 3, elements=st.floats(1e-7, 100)),
    st.integers(0, 255),
)
def test_requantizing_is_rounding_of_the_exact_product(sums, ratio, zero_point):
    factor, shift = fixed_point(ratio)
    offset = np.array([5, -7, 0]) * factor + 12345
    expected = np.empty(sums.shape, object)
    for b, o in np.ndindex(sums.shape):  # Python's integers are as wide as need be
        scaled = int(sums[b, o]) * int(factor[o]) + int(offset[o])
        expected[b, o] = min(max((2 * scaled + 2 ** int(shift[o])) // 2 ** (int(shift[o]) + 1) + zero_point, 3), 250)
        assert int(factor[o]) / 2.0 ** int(shift[o]) == pytest.approx(ratio[o], rel=1e-8)
    for rounded in (loop, numpy):
        assert np.array_equal(rounded(sums, offset, factor, shift, zero_point, 3, 250), expected.astype(int))


@pytest.fixture(scope="module")
def digits():
    return tc.data.load("digits")


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
    with pytest.raises(ValueError, match="end with a dense layer"):
        to_integers(nn.Sequential(nn.Dense(6, 2, rng=rng), nn.ReLU()), x)
    with pytest.raises(ValueError, match="only be folded"):
        to_integers(nn.Sequential(nn.BatchNorm(6), nn.Dense(6, 2, rng=rng)), x)
    affine = quantize_weights(nn.Sequential(nn.Dense(6, 2, rng=rng)), 8, symmetric=False)
    with pytest.raises(ValueError, match="affine grid"):
        to_integers(affine, x)
    with pytest.raises(ValueError, match="Sequential"):
        to_integers(nn.Dense(6, 2, rng=rng), x)


# ---- neurons that were cut off ----


def cut_off(kind, bias, left, rng):
    """A net whose middle layer has a channel with (nearly) no weights, which passes on its bias."""
    if kind == "dense":
        layers = [nn.Flatten(), nn.Dense(32, 3, rng=rng), nn.ReLU(), nn.Dense(3, 2, rng=rng)]
    else:
        conv = {
            "conv": lambda: nn.Conv2d(2, 3, padding="same", rng=rng),
            "depthwise": lambda: nn.DepthwiseConv2d(2, padding="same", rng=rng),
            "pointwise": lambda: nn.PointwiseConv2d(2, 3, rng=rng),
        }[kind]()
        channels = conv.weight.shape[-1]
        layers = [nn.ReLU(), conv, nn.ReLU(), nn.Flatten(), nn.Dense(16 * channels, 2, rng=rng)]
    net = nn.Sequential(*layers, input_shape=(4, 4, 2))
    layer = net[1]
    weight, biases = layer.weight.data.copy(), np.zeros(layer.weight.shape[-1], np.float32)
    weight[..., 1] *= left
    biases[1] = bias
    layer.weight.data, layer.bias.data = weight, biases
    return net.eval()


@pytest.mark.parametrize("kind", ["dense", "conv", "depthwise", "pointwise"])
@pytest.mark.parametrize("bias", [2.0, 1e-3, 300.0])
@pytest.mark.parametrize("left", [0.0, 1e-9, 1e-6, 1.0])
@pytest.mark.parametrize("trained", [False, True])
def test_a_neuron_of_small_weights_passes_on_its_bias(kind, bias, left, trained, rng):
    net = cut_off(kind, bias, left, rng)
    x = rng.random((64, 4, 4, 2)).astype(np.float32)
    if trained:
        net = quantize_activations(quantize_weights(net, 8), x)
    real, got = tc.predict(net, x), tc.predict(to_integers(net, x), x)
    assert np.abs(real - got).max() < 0.02 * np.abs(real).max()


def test_neurons_switched_off_by_masks_run_in_integers(digits, rng):
    net = trained(digits, rng, epochs=2)
    net[1].bias.data = net[1].bias.data + np.float32(0.5)
    mask = np.ones(net[1].weight.shape, bool)
    mask[:, ::2] = False
    pruning.add_mask(net[1], "weight", mask)
    real, got = tc.predict(net, digits.x_val), tc.predict(to_integers(net, digits.x_train[:200]), digits.x_val)
    assert np.abs(real - got).max() < 0.05 * np.abs(real).max()


# ---- what was trained is what runs ----

ACTIVATIONS = [nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.HardSwish]
POOLS = {
    "max": lambda: [nn.MaxPool2d(2), nn.Flatten()],
    "average": lambda: [nn.AvgPool2d(2), nn.Flatten()],
    "overlapping average": lambda: [nn.AvgPool2d(3, 2), nn.Flatten()],
    "global": lambda: [nn.GlobalAvgPool()],
}


def ready(layers, x, rng):
    """A net of those layers with a dense one after them, on grids that training has moved."""
    net = nn.Sequential(*layers, input_shape=x.shape[1:])
    width = tc.predict(net, x[:1]).shape[1]
    net = nn.Sequential(*layers, nn.Dense(width, 3, rng=rng), input_shape=x.shape[1:])
    net = quantize_activations(quantize_weights(net, 8), x)
    sgd = tc.optim.SGD(net.parameters(), lr=0.01)
    tc.fit(net, (x, np.arange(len(x)) % 3), optimizer=sgd, epochs=1, rng=rng, progress=False)
    return net


def assert_runs_as_trained(net, x, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a grid was calibrated that training did not see")

    monkeypatch.setattr("tinycompress.quantization.integers.convert.calibrate", refuse)
    real, got = tc.predict(net, x), tc.predict(to_integers(net, x), x)
    assert np.abs(real - got).max() < 0.03 * np.abs(real).max()  # a rounding tie or two, and biases on their grid


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pool", POOLS)
def test_what_was_trained_is_what_runs(activation, pool, rng, monkeypatch):
    x = rng.random((60, 8, 8, 2)).astype(np.float32)
    layers = [nn.Conv2d(2, 5, padding="same", rng=rng), activation(), *POOLS[pool]()]
    assert_runs_as_trained(ready(layers, x, rng), x, monkeypatch)


def test_what_was_trained_behind_a_normalize_is_what_runs(rng, monkeypatch):
    x = 0.5 + 0.1 * rng.random((60, 8, 8, 2)).astype(np.float32)
    layers = [nn.Normalize.of(x), nn.Conv2d(2, 5, padding="same", rng=rng), nn.ReLU(), nn.Flatten()]
    net = ready(layers, x, rng)
    assert isinstance(net[0], nn.Normalize) and net[1].grid.dequantize(np.array(0)) < -1
    with pytest.raises(ValueError, match="it can only be the first layer"):
        to_integers(nn.Sequential(layers[1], nn.Normalize([0] * 5, [1] * 5), net[-1]), x)
    assert_runs_as_trained(net, x, monkeypatch)


def test_what_was_trained_in_branches_and_nested_nets_is_what_runs(rng, monkeypatch):
    x = rng.random((60, 8, 8, 2)).astype(np.float32)
    body = nn.Sequential(
        nn.Conv2d(4, 6, padding="same", stride=2, rng=rng),
        nn.GELU(),
        nn.Sequential(nn.DepthwiseConv2d(6, padding="same", rng=rng), nn.ReLU(), nn.PointwiseConv2d(6, 4, rng=rng)),
    )
    around = nn.Sequential(nn.AvgPool2d(2), nn.PointwiseConv2d(4, 4, rng=rng))
    identity = nn.Residual(nn.Sequential(nn.Conv2d(4, 4, padding="same", rng=rng)))
    layers = [
        *(nn.Conv2d(2, 4, padding="same", rng=rng), nn.ReLU()),
        *(nn.Residual(body, around), nn.ReLU(), nn.Dropout(0.2, rng=rng)),
        *(identity, nn.MaxPool2d(2), nn.ReLU(), nn.GlobalAvgPool()),
    ]
    assert_runs_as_trained(ready(layers, x, rng), x, monkeypatch)


@pytest.mark.parametrize(("bits", "activation_bits"), [(2, 2), (2, 3), (4, 4), (3, 8)])
def test_few_bits_run_as_they_were_trained(bits, activation_bits, digits, rng):
    """Steps are large here: a bias rounded to the products' steps, which training has not seen, would change answers."""
    net = trained(digits, rng, lambda shape, classes, rng: models.mlp(shape, (64, 32), classes, rng=rng), epochs=2)
    net = quantize_activations(quantize_weights(net, bits), digits.x_train[:200], activation_bits)
    sgd = tc.optim.SGD(net.parameters(), lr=0.01)
    tc.fit(net, digits.train, optimizer=sgd, epochs=1, rng=rng, progress=False)
    real, got = tc.predict(net, digits.x_test), tc.predict(to_integers(net, digits.x_train[:200]), digits.x_test)
    assert (np.abs(real - got).max(1) < 1e-3 * np.abs(real).max()).mean() > 0.995  # but for a rounding tie


def test_pruned_weights_of_one_bit_stay_0(rng):
    x = rng.random((40, 4, 4, 1), np.float32)
    net = pruning.prune_weights(models.mlp((4, 4, 1), (8,), 3, rng=rng), 0.7)
    net = quantize_activations(quantize_weights(net, 1), x)
    np.testing.assert_allclose(tc.predict(to_integers(net, x), x), tc.predict(net, x), atol=1e-5)


def test_a_layer_that_is_never_active_runs_in_integers(rng):
    x = rng.random((40, 4, 4, 1), np.float32)
    net = models.mlp((4, 4, 1), (8,), 3, rng=rng)
    net[1].bias.data = np.full(8, -100, np.float32)
    np.testing.assert_allclose(tc.predict(to_integers(net, x), x), tc.predict(net, x), atol=1e-5)


def test_an_activation_other_than_relu_has_a_grid_before_and_after_it(rng):
    layers = [nn.Dense(4, 5, rng=rng), nn.GELU(), nn.Dense(5, 5, rng=rng), nn.ReLU(), nn.Dense(5, 2, rng=rng)]
    net = quantize_activations(nn.Sequential(*layers, input_shape=(4,)), rng.random((9, 4), np.float32))
    kinds = [type(layer).__name__ for layer in net]
    assert kinds == [
        *("FakeQuantize", "Dense", "FakeQuantize", "GELU", "FakeQuantize"),
        *("Dense", "ReLU", "FakeQuantize", "Dense"),
    ]


def test_the_mean_of_an_image_keeps_its_precision(rng):
    """On the grid of its inputs, whose range is that of single pixels, means that differ little would all be one integer."""
    net = nn.Sequential(nn.ReLU(), nn.GlobalAvgPool(), nn.Dense(2, 2, rng=rng), input_shape=(16, 16, 2))
    x = (rng.random((50, 16, 16, 2)) < np.linspace(0.45, 0.55, 50)[:, None, None, None]).astype(np.float32)
    x[:, 0, 0] = 20  # one bright pixel makes the steps of the input's grid large
    real, got = tc.predict(net, x), tc.predict(to_integers(net, x), x)
    assert np.abs(real - got).max() < 0.02 * np.ptp(real)


# ---- made for inference ----


def made_for_inference(rng, x):
    signs = binarize_weights(models.mlp((4, 4, 1), (8,), 3, rng=rng), layers=["1"])
    clustered = cluster_weights(models.mlp((4, 4, 1), (8,), 3, rng=rng))
    return {
        "integers": to_integers(models.mlp((4, 4, 1), (8,), 3, rng=rng), x),
        "bits": pack_binary(signs),
        "codebook": pack_codebook(clustered),
    }


@pytest.mark.parametrize("name", ["integers", "bits", "codebook"])
def test_what_could_not_be_had_back_is_not_saved(name, rng, tmp_path):
    net = made_for_inference(rng, rng.random((20, 4, 4, 1), np.float32))[name]
    for asked in (net.state_dict, lambda: net.save(tmp_path / "net.npz"), lambda: net.load_state_dict({})):
        with pytest.raises(ValueError, match="made for inference.*save the net that it was made from"):
            asked()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["integers", "bits"])
def test_stored_bytes_are_those_of_all_arrays(name, rng):
    net = made_for_inference(rng, rng.random((20, 4, 4, 1), np.float32))[name]
    bytes_stored = tc.profiling.stored_bytes(net)
    if name == "integers":
        assert bytes_stored == net.nbytes
    else:
        assert bytes_stored == net[1].nbytes + 4 * (8 * 3 + 3) < 4 * 16 * 8


def test_a_layer_stores_its_weights_and_for_each_output_a_bias_a_factor_and_a_shift_or_a_scale(rng):
    net = to_integers(models.mlp((4, 4, 1), (8,), 3, rng=rng), rng.random((20, 4, 4, 1), np.float32))
    _, hidden, last = net.integer_layers
    assert hidden.nbytes == hidden.weights.nbytes + (4 + 4 + 1) * 8
    assert last.nbytes == last.weights.nbytes + (4 + 4) * 3
    assert net.nbytes == hidden.nbytes + last.nbytes


@pytest.mark.parametrize("name", ["integers", "bits"])
def test_it_is_copied_and_pickled(name, rng):
    x = rng.random((20, 4, 4, 1), np.float32)
    net = made_for_inference(rng, x)[name]
    for twin in (net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(tc.predict(twin, x), tc.predict(net, x))


def test_float64_nets_become_integers_too(rng):
    net = models.convnet((8, 8, 1), 3, (4,), rng=rng).eval()
    x = rng.random((20, 8, 8, 1), np.float32)
    expected = tc.predict(to_integers(net, x), x)
    for module in net.modules():
        for name, value in [*vars(module).items()]:
            if isinstance(value, nn.Parameter):
                setattr(module, name, nn.Parameter(value.data.astype(np.float64)))
    np.testing.assert_allclose(tc.predict(to_integers(net, x.astype(np.float64)), x), expected, atol=1e-2)


def test_a_net_in_integers_refuses_nan_which_no_integer_stands_for():
    net = models.mlp(4, 3, 2, rng=0)
    x = np.random.default_rng(0).random((8, 4), np.float32)
    integers = to_integers(net, x)
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="none for NaN"):
        tc.predict(integers, x)


def test_what_normalizes_the_inputs_is_stored_once(rng):
    x = rng.random((20, 4, 4, 3), np.float32)
    net = models.mlp((4, 4, 3), (8,), 3, rng=rng)
    plain, normal = (to_integers(some, x) for some in (net, models.normalized(net, x)))
    assert tc.profiling.stored_bytes(normal) - tc.profiling.stored_bytes(plain) == 2 * 4 * 3
