"""Layers: shapes, derivatives and initialisation; what they cost; the models made of them."""

import math
import re

import numpy as np
import pytest
from small_nets import small_net

import tinycompress as tc
from tinycompress import Tensor, gradcheck, nn
from tinycompress import functional as F
from tinycompress.nn import Mask, Parameter


# Layers.
def in_float64(layer):
    for module in layer.modules():
        for name in [name for name, _ in module.named_parameters() if "." not in name]:
            latent, steps = module.latent(name), module.parametrizations(name)
            module.replace(name, Parameter(latent.data.astype(np.float64)), steps)
    return layer


LAYERS = {
    "Dense": (lambda rng: nn.Dense(3, 4, rng=rng), (2, 3)),
    "Dense without bias": (lambda rng: nn.Dense(3, 4, bias=False, rng=rng), (1, 3)),
    "PointwiseConv2d": (lambda rng: nn.PointwiseConv2d(3, 4, rng=rng), (2, 2, 3, 3)),
    "Conv2d": (lambda rng: nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding="same", rng=rng), (1, 5, 5, 2)),
    "DepthwiseConv2d": (lambda rng: nn.DepthwiseConv2d(2, 3, stride=2, padding=1, rng=rng), (2, 5, 4, 2)),
    "BatchNorm": (lambda rng: nn.BatchNorm(3), (4, 3)),
    "BatchNorm on images": (lambda rng: nn.BatchNorm(2), (2, 3, 3, 2)),
    "Normalize": (lambda rng: nn.Normalize([0.3, -1], [0.5, 2]), (2, 3, 3, 2)),
    "MaxPool2d": (lambda rng: nn.MaxPool2d(2), (2, 5, 4, 2)),
    "AvgPool2d": (lambda rng: nn.AvgPool2d(3, stride=2), (1, 5, 5, 2)),
    "GlobalAvgPool": (lambda rng: nn.GlobalAvgPool(), (2, 3, 4, 2)),
    "Flatten": (lambda rng: nn.Flatten(), (2, 2, 2, 2)),
    "Tanh": (lambda rng: nn.Tanh(), (2, 3)),
    "Sequential": (lambda rng: nn.Sequential(nn.Dense(3, 4, rng=rng), nn.Tanh(), nn.Dense(4, 2, rng=rng)), (2, 3)),
    "Residual": (lambda rng: nn.Residual(nn.Sequential(nn.Dense(3, 3, rng=rng), nn.GELU())), (2, 3)),
    "Residual with a shortcut": (lambda rng: nn.Residual(nn.Dense(3, 2, rng=rng), nn.Dense(3, 2, rng=rng)), (2, 3)),
    "a masked layer": (
        lambda rng: nn.Dense(3, 4, rng=rng).parametrize("weight", Mask(rng.random((3, 4)) < 0.5)),
        (2, 3),
    ),
}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", LAYERS)
def test_derivatives_of_a_layer_towards_its_input_and_its_parameters(name, training, rng):
    make, shape = LAYERS[name]
    layer = in_float64(make(rng)).train(training)
    x = Tensor(rng.permutation(np.linspace(-1, 1, math.prod(shape))).reshape(shape))
    assert gradcheck(layer, x.data, rng=rng, rtol=1e-4)
    layer.zero_grad()
    y = layer(x)
    cotangent = rng.standard_normal(y.shape)
    if layer.parameters():
        y.backward(cotangent)
    for parameter in layer.parameters():
        start, direction, sides = parameter.data, rng.standard_normal(parameter.shape), []
        for step in (1e-6, -1e-6):
            parameter.data = start + step * direction
            sides.append((layer(x).data * cotangent).sum())
        parameter.data = start
        assert (parameter.grad * direction).sum() == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5, abs=1e-7)


def test_layers_take_the_shapes_they_document(rng):
    x = np.zeros((2, 9, 7, 3), np.float32)
    for layer, expected in {
        nn.Conv2d(3, 5, rng=rng): (2, 7, 5, 5),
        nn.Conv2d(3, 5, (1, 3), stride=(2, 1), padding="same", rng=rng): (2, 5, 7, 5),
        nn.DepthwiseConv2d(3, 5, padding=2, rng=rng): (2, 9, 7, 3),
        nn.PointwiseConv2d(3, 5, rng=rng): (2, 9, 7, 5),
        nn.MaxPool2d(): (2, 4, 3, 3),
        nn.AvgPool2d((3, 2), stride=1): (2, 7, 6, 3),
        nn.GlobalAvgPool(): (2, 3),
        nn.Flatten(): (2, 189),
        nn.BatchNorm(3): (2, 9, 7, 3),
        nn.Normalize([0] * 3, [1] * 3): (2, 9, 7, 3),
    }.items():
        assert layer(x).shape == expected, layer
    assert nn.Conv2d(3, 5, (2, 4), rng=rng).weight.shape == (2, 4, 3, 5)
    assert nn.DepthwiseConv2d(3, 5, rng=rng).weight.shape == (5, 5, 3)
    assert nn.PointwiseConv2d(3, 5, bias=False, rng=rng).weight.shape == (3, 5)


@pytest.mark.parametrize("layer", [nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.HardSwish])
def test_an_activation_layer_is_its_function(layer):
    names = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "GELU": "gelu", "HardSwish": "hard_swish"}
    x = np.linspace(-4, 4, 9)
    function = getattr(F, names.get(layer.__name__, layer.__name__.lower()))
    np.testing.assert_array_equal(layer()(x).data, function(Tensor(x)).data)


def test_normalize_brings_each_channel_to_mean_0_and_variance_1(rng):
    x = (rng.random((2500, 3, 4, 3)) * [0.2, 5, 0] + [0.4, 0, 0.25]).astype(np.float32)
    layer = nn.Normalize.of(x)
    np.testing.assert_allclose(layer.mean, x.mean((0, 1, 2), np.float64), rtol=1e-6)
    np.testing.assert_allclose(layer.std, [*x[..., :2].std((0, 1, 2), np.float64), 1], rtol=1e-6)
    y = layer(x).data
    np.testing.assert_allclose(y, (x - layer.mean) / layer.std, atol=1e-5)
    assert not layer.parameters() and set(dict(layer.named_buffers())) == {"mean", "std"}


@pytest.mark.parametrize("std", [[1, 0], [1], [[1, 1]], [1, np.nan], [1, -1]])
def test_normalize_refuses_what_cannot_be_divided_by(std):
    with pytest.raises(ValueError, match="one mean and one std above 0 per channel"):
        nn.Normalize([0, 0], std)
    with pytest.raises(ValueError, match="one mean and one std above 0 per channel"):
        nn.Normalize([0, np.inf], [1, 1])
    with pytest.raises(ValueError, match="its last axis must be the 2 channels"):
        nn.Normalize([0, 0], [1, 1])(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("length", [0, -1, 2.0, "2"])
def test_a_layer_without_whole_numbers_of_inputs_and_outputs_is_refused(length, rng):
    makers = [
        lambda n: nn.Dense(n, 3, rng=rng),
        lambda n: nn.Dense(3, n, rng=rng),
        lambda n: nn.Conv2d(n, 3, rng=rng),
        lambda n: nn.Conv2d(3, n, rng=rng),
        lambda n: nn.DepthwiseConv2d(n, rng=rng),
    ]
    for make in makers:
        with pytest.raises(ValueError, match="whole numbers of inputs and outputs, above 0"):
            make(length)


@pytest.mark.parametrize("shape", [(2, 3), (2, 0, 8, 3), (2, 8, 3)])
def test_the_average_of_what_is_no_image_is_refused(shape):
    with pytest.raises(ValueError, match=r"expected images \(N, H, W, C\), got " + re.escape(str(shape))):
        nn.GlobalAvgPool()(np.zeros(shape, np.float32))


def test_dropout_drops_in_training_only_and_keeps_the_mean():
    layer, x = nn.Dropout(0.4, rng=np.random.default_rng(0)), np.ones((300, 300), np.float32)
    y = layer(x).data
    assert (y == 0).mean() == pytest.approx(0.4, abs=0.01) and y.mean() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(layer(x).data, y)
    np.testing.assert_array_equal(layer.eval()(x).data, x)
    again = nn.Dropout(0.4, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again(x).data, y)


@pytest.mark.parametrize("p", [-0.1, 1, 1.5])
def test_dropout_refuses_a_share_that_leaves_nothing(p, rng):
    with pytest.raises(ValueError, match=f"got {p}"):
        nn.Dropout(p, rng=rng)


def test_batch_norm_forgets_its_start_and_remembers_the_population(rng):
    layer = nn.BatchNorm(2, momentum=0.2)
    for _ in range(60):
        layer(rng.normal((3, -1), (2, 0.5), (500, 2)).astype(np.float32))
    np.testing.assert_allclose(layer.running_mean, [3, -1], atol=0.1)
    np.testing.assert_allclose(layer.running_var, [4, 0.25], rtol=0.1)
    y = layer.eval()(np.float32([[3, -1], [5, -0.5]])).data
    np.testing.assert_allclose(y, [[0, 0], [1, 1]], atol=0.1)
    before = layer.running_mean.copy()
    layer(np.ones((5, 2), np.float32))
    np.testing.assert_array_equal(layer.running_mean, before)


def test_momentum_is_the_share_of_the_new_batch_and_the_variance_that_of_a_sample(rng):
    layer, x = nn.BatchNorm(2, momentum=0.2), rng.normal(5, 2, (4, 2)).astype(np.float32)
    layer(x)
    np.testing.assert_allclose(layer.running_mean, 0.2 * x.mean(0), rtol=1e-5)  # they start at 0 and 1
    np.testing.assert_allclose(layer.running_var, 0.8 + 0.2 * x.var(0, ddof=1), rtol=1e-5)


def test_batch_norm_refuses_other_channels():
    with pytest.raises(ValueError, match=r"BatchNorm\(3\): the input is \(2, 4\)"):
        nn.BatchNorm(3)(np.zeros((2, 4), np.float32))


def test_a_residual_adds_its_input_or_its_shortcut(rng):
    x = rng.standard_normal((2, 3)).astype(np.float32)
    body, shortcut = nn.Dense(3, 3, rng=rng), nn.Dense(3, 3, rng=rng)
    np.testing.assert_allclose(nn.Residual(body)(x).data, body(x).data + x, rtol=1e-6)
    np.testing.assert_allclose(nn.Residual(body, shortcut)(x).data, body(x).data + shortcut(x).data, rtol=1e-6)
    with pytest.raises(ValueError, match=r"body gives \(2, 4\) and the shortcut \(2, 3\)"):
        nn.Residual(nn.Dense(3, 4, rng=rng))(x)


# Initialisation.
@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("he_normal", 2 / 300),
        ("he_uniform", 2 / 300),
        ("glorot_normal", 2 / 500),
        ("glorot_uniform", 2 / 500),
        ("lecun_normal", 1 / 300),
        ("zeros", 0),
    ],
)
def test_an_initialisation_has_the_variance_of_its_paper(init, variance, rng):
    weight = nn.Dense(300, 200, init=init, rng=rng).weight.data
    assert weight.dtype == np.float32
    assert weight.var() == pytest.approx(variance, rel=0.03)
    assert weight.mean() == pytest.approx(0, abs=0.001)
    if init.endswith("uniform"):
        assert np.abs(weight).max() <= (3 * variance) ** 0.5 * (1 + 1e-6)
    elif variance:
        assert np.abs(weight).max() > 3 * variance**0.5


def test_fan_in_of_a_convolution_is_its_window_times_its_channels(rng):
    assert nn.Conv2d(40, 50, 5, rng=rng).weight.data.var() == pytest.approx(2 / (25 * 40), rel=0.05)
    assert nn.DepthwiseConv2d(2000, 5, rng=rng).weight.data.var() == pytest.approx(2 / 25, rel=0.05)
    glorot = nn.Conv2d(40, 50, 5, init="glorot_normal", rng=rng).weight.data
    assert glorot.var() == pytest.approx(2 / (25 * (40 + 50)), rel=0.05)


def test_initialisation_needs_a_known_name_and_a_generator(rng):
    with pytest.raises(ValueError, match="'he'; choose one of he_normal"):
        nn.Dense(2, 2, init="he", rng=rng)
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator, got 0"):
        nn.Dense(2, 2, rng=0)


# Counting.
def test_lenet_300_100_costs_what_the_papers_say(rng):
    summary = tc.models.lenet_300_100(rng=rng).summary()
    assert summary.parameters == 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10 == 266_610
    assert summary.macs == 784 * 300 + 300 * 100 + 100 * 10 == 266_200


def test_lenet_5_costs_what_the_papers_say(rng):
    summary = tc.models.lenet_5(rng=rng).summary()
    assert summary.parameters == 431_080
    assert summary.macs == 24 * 24 * 20 * 25 + 8 * 8 * 50 * 25 * 20 + 800 * 500 + 500 * 10 == 2_293_000
    assert [row.output_shape for row in summary.layers][:4] == [(24, 24, 20), (12, 12, 20), (12, 12, 20), (8, 8, 50)]


def test_resnet_20_costs_what_the_paper_says(rng):
    net = tc.models.resnet20(rng=rng)
    summary = net.summary()
    stages = [(32, 16), (16, 32), (8, 64)]  # side and channels; the first convolution of a stage has fewer inputs
    by_name = {row.name: row for row in summary.layers}
    convolutions = [row for name, row in by_name.items() if row.layer.startswith("Conv2d") and "shortcut" not in name]
    assert len(convolutions) + 1 == 20  # the last is dense
    inputs, expected = 3, []
    for side, channels in [(32, 16), *np.repeat(stages, 6, axis=0)]:
        expected.append((9 * inputs * channels, side * side * 9 * inputs * channels, (side, side, channels)))
        inputs = channels
    assert [(row.parameters, row.macs, row.output_shape) for row in convolutions] == expected
    shortcuts = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64  # the paper's net for CIFAR-10 has none
    assert summary.parameters - shortcuts == pytest.approx(0.27e6, abs=0.005e6)
    assert summary.parameters == 272_474 and sum("shortcut" in name for name in by_name) == 2 * 2
    assert summary.macs == sum(macs for _, macs, _ in expected) + 16**2 * 16 * 32 + 8**2 * 32 * 64 + 640 == 40_813_184


def test_a_residual_net_has_the_blocks_it_is_given_and_shortcuts_where_shapes_change(rng):
    net = tc.models.resnet((9, 7, 1), 5, (4, 6), blocks=2, rng=rng)
    blocks = [layer for layer in net if isinstance(layer, nn.Residual)]
    assert [block.shortcut is None for block in blocks] == [True, True, False, True]
    assert [row.output_shape for row in net.summary().layers if row.layer == "ReLU()"][-1] == (5, 4, 6)
    assert net(np.zeros((2, 9, 7, 1), np.float32)).shape == (2, 5)


def test_multiply_accumulates_by_hand(rng):
    net = nn.Sequential(
        nn.Conv2d(3, 8, (3, 5), stride=2, padding="same", rng=rng),  # 5 x 4 x 8 outputs of 3 * 5 * 3
        nn.BatchNorm(8),
        nn.DepthwiseConv2d(8, 3, rng=rng),  # 3 x 2 x 8 outputs of 3 * 3
        nn.PointwiseConv2d(8, 4, rng=rng),  # 3 x 2 x 4 outputs of 8
        nn.Residual(nn.Sequential(nn.PointwiseConv2d(4, 4, bias=False, rng=rng), nn.ReLU())),
        nn.GlobalAvgPool(),
        nn.Dense(4, 10, rng=rng),
    )
    summary = net.summary((9, 8, 3))
    assert [row.macs for row in summary.layers] == [
        5 * 4 * 8 * 45,
        0,
        3 * 2 * 8 * 9,
        3 * 2 * 4 * 8,
        3 * 2 * 4 * 4,
        0,
        0,
        40,
    ]
    assert [row.parameters for row in summary.layers] == [45 * 8 + 8, 16, 9 * 8 + 8, 8 * 4 + 4, 16, 0, 0, 50]
    assert summary.parameters == sum(p.size for p in net.parameters())
    assert [row.name for row in summary.layers] == ["0", "1", "2", "3", "4.body.0", "4.body.1", "5", "6"]


def test_a_summary_counts_masked_weights_apart_and_lists_layers_only(rng):
    net = small_net(rng)
    kept = int(net[7].parametrization("weight", Mask).mask.sum())
    last = net.summary().layers[-1]
    assert last.layer == "Dense(64, 3)" and last.parameters == 64 * 3 + 3
    assert last.nonzero == kept  # the biases are still 0
    assert len(net.summary().layers) == 9


def test_a_summary_counts_what_a_container_itself_owns_and_a_layer_used_twice_once(rng):
    class Twice(nn.Module):
        def __init__(self):
            self.layer, self.scale = nn.Dense(3, 3, rng=rng), Parameter(np.ones(3, np.float32))

        def forward(self, x):
            return self.layer(self.layer(x)) * self.scale

    summary = Twice().summary((3,))
    assert (summary.parameters, summary.macs) == (9 + 3 + 3, 18)


def test_a_summary_changes_nothing(rng):
    net = small_net(rng)
    net[1].eval()  # frozen on purpose
    before = net.state_dict()
    net.summary()
    assert [module.training for module in net.modules()].count(False) == 1 and not net[1].training
    assert all(np.array_equal(before[name], values) for name, values in net.state_dict().items())
    with pytest.raises(ValueError):
        net.summary((8, 8, 3))
    assert net.training and net[0].training


def test_a_summary_needs_an_input_shape(rng):
    with pytest.raises(ValueError, match=r"pass input_shape, for example \(28, 28, 1\)"):
        nn.Dense(2, 2, rng=rng).summary()


def test_a_summary_shows_itself_as_a_table(rng):
    net = small_net(rng)
    lines = str(net.summary()).splitlines()
    assert lines[0].split() == ["layer", "output", "parameters", "not", "zero", "MACs"]
    assert lines[-1].startswith("total") and f"{net.summary().macs:,}" in lines[-1]
    assert len({len(line) for line in lines}) == 1
    assert net._repr_html_() == net.summary()._repr_html_()
    assert net._repr_html_().count("<tr>") == len(lines)


def test_html_is_escaped(rng):
    class Odd(nn.Module):
        def forward(self, x):
            return x

        def extra_repr(self):
            return "<script>&"

    for net in (nn.Sequential(Odd()), nn.Sequential(Odd(), input_shape=(2,))):
        assert "&lt;script&gt;&amp;" in net._repr_html_() and "<script>" not in net._repr_html_()


def test_repr_shows_what_a_net_is_made_of(rng):
    net = nn.Sequential(
        nn.Conv2d(1, 2, (3, 5), rng=rng), nn.Residual(nn.ReLU()), nn.MaxPool2d(3, 2), nn.Dropout(0.1, rng=rng)
    )
    assert repr(net) == (
        "Sequential(Conv2d(1, 2, 3×5, stride=1, padding='valid'), Residual(ReLU()), MaxPool2d(3, stride=2), Dropout(0.1))"
    )
    assert repr(Mask([True, False, True])) == "Mask(2 of 3 kept)"


# Models.
@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 1), (32, 32, 3), (17, 9, 2)], ids=str)
@pytest.mark.parametrize(
    "make", [tc.models.lenet_300_100, tc.models.lenet_5, tc.models.convnet], ids=lambda m: m.__name__
)
def test_models_fit_any_reasonable_image(make, shape, rng):
    net = make(shape, 7, rng=rng)
    assert net(np.zeros((2, *shape), np.float32)).shape == (2, 7)
    assert net.input_shape == shape and net.summary().macs > 0


def test_a_mlp_has_the_widths_it_is_given(rng):
    net = tc.models.mlp((4, 4, 1), [9, 5], 3, rng=rng)
    assert [p.shape for p in net.parameters() if p.ndim == 2] == [(16, 9), (9, 5), (5, 3)]
    assert [p.shape for p in tc.models.mlp((4, 4, 1), [], 3, rng=rng).parameters()] == [(16, 3), (3,)]
