"""The form for prediction: every net gives what it gave before, whatever its layers, its compression, and its input."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_nets import NETS

from tinycompress import inference, kernels, models, nn, predict
from tinycompress.architecture import factorise, make_separable
from tinycompress.dynamic import EarlyExit, Slimmable, add_exits, confidence
from tinycompress.inference import InferenceNet, forms, optimize
from tinycompress.pruning import prune_weights
from tinycompress.quantization import (
    Sign,
    binarize_weights,
    cluster_weights,
    pack_binary,
    quantize_weights,
    to_integers,
)
from tinycompress.tensor import Tensor

SHAPE = (9, 10, 3)


def awake(net, rng):
    """The net with statistics and biases that are not those of a new net."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm):
            n = len(module.running_mean)
            module.running_mean[:], module.running_var[:] = rng.standard_normal(n), rng.uniform(0.5, 2, n)
            module.weight.data = rng.uniform(0.5, 2, n).astype(np.float32)
        for name, parameter in module.named_parameters():
            if name == "bias":
                module.latent("bias").data = rng.standard_normal(parameter.shape).astype(np.float32)
    return net


def images(rng, n=8, shape=SHAPE):
    return rng.standard_normal((n, *shape)).astype(np.float32)


def assert_same(fast, net, x, rtol=1e-4):
    """The same outputs up to the rounding of sums in another order."""
    expected = predict(net, x)
    assert np.allclose(predict(fast, x), expected, rtol, rtol * max(1, np.abs(expected).max()))


ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.HardSwish)


@st.composite
def nets(draw):
    """A net of random layers of every kind, in an order that fits SHAPE."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layers, channels = [], SHAPE[2]
    for _ in range(draw(st.integers(1, 4))):
        outputs = draw(st.sampled_from([1, 4, 17, 33]))
        padding = draw(st.sampled_from(["same", 1, ((0, 1), (1, 0))]))
        kind = draw(st.sampled_from(["conv", "strided", "depthwise", "pointwise", "residual", "shortcut"]))
        if kind in ("conv", "strided"):
            stride = 2 if kind == "strided" else 1
            layers.append(nn.Conv2d(channels, outputs, 3, stride, "same", bias=draw(st.booleans()), rng=rng))
            channels = outputs
        elif kind == "depthwise":
            layers.append(nn.DepthwiseConv2d(channels, 3, padding=padding, rng=rng))
        elif kind == "pointwise":
            layers.append(nn.PointwiseConv2d(channels, outputs, rng=rng))
            channels = outputs
        else:
            around = None if kind == "residual" else nn.PointwiseConv2d(channels, outputs, rng=rng)
            to = channels if around is None else outputs
            body = nn.Sequential(nn.Conv2d(channels, to, 3, padding="same", rng=rng), nn.BatchNorm(to))
            layers.append(nn.Residual(body, around))
            channels = to
        if draw(st.booleans()):
            layers.append(nn.BatchNorm(channels))
        if draw(st.booleans()):
            layers.append(draw(st.sampled_from(ACTIVATIONS))())
    averages = nn.AvgPool2d(2), nn.AvgPool2d((3, 2), (2, 1)), nn.GlobalAvgPool()
    pooling = draw(st.sampled_from([None, nn.MaxPool2d(2), *averages]))
    layers += ([pooling] if pooling else []) + draw(st.sampled_from([[], [nn.ReLU()]]))
    layers += [nn.Dropout(0.5, rng=rng), nn.Flatten()]
    features = nn.Sequential(*layers)
    width = predict(awake(features, rng).eval(), images(rng, 1)).shape[1]
    head = nn.Sequential(nn.Dense(width, 12, rng=rng), nn.BatchNorm(12), nn.ReLU(), nn.Dense(12, 5, rng=rng))
    return awake(nn.Sequential(features, head, input_shape=SHAPE), rng), rng


@given(nets(), st.sampled_from([1, 3, 8]))
def test_nets_of_any_layers_predict_the_same(net_and_rng, n):
    net, rng = net_and_rng
    fast = optimize(net, images(rng, n))
    for size in (n, 5):  # also batches of another size
        assert_same(fast, net, images(rng, size))


@pytest.mark.parametrize("name", NETS)
def test_the_nets_of_the_lecture_predict_the_same(name, rng):
    net, x = awake(NETS[name](rng), rng), images(rng, 5, (8, 8, 1))
    assert_same(optimize(net, x), net, x)


@pytest.mark.parametrize("variant", kernels.runtime.dispatch.VARIANTS)
def test_every_variant_of_the_kernels_predicts_the_same(variant, rng):
    net, x = awake(models.convnet((8, 8, 1), 4, (3, 5), rng=rng), rng), images(rng, 2, (8, 8, 1))
    with kernels.use(variant):
        assert_same(optimize(net, x), net, x)


def mlp(rng):
    return awake(models.mlp((64,), [48, 32], 5, rng=rng), rng)


@pytest.fixture
def one_thread():
    before = kernels.get_num_threads()
    kernels.set_num_threads(1)
    yield
    kernels.set_num_threads(before)


COMPRESSED = {
    "pruned": lambda net, rng: prune_weights(net, 0.9),
    "pruned in blocks": lambda net, rng: prune_weights(net, 0.9, block=(1, 16)),
    "clustered": lambda net, rng: cluster_weights(net, 8),
    "binary": lambda net, rng: binarize_weights(net),
    "low rank": lambda net, rng: factorise(net, 4),
    "fake quantized": lambda net, rng: quantize_weights(net, 4) or net,
}
FORM = {"pruned": "CSR", "pruned in blocks": "blocks", "clustered": forms.CODEBOOK, "binary": "1 bit"}


@pytest.mark.parametrize("how", COMPRESSED)
@pytest.mark.parametrize("n", [1, 20])
def test_each_form_of_a_compressed_layer_predicts_the_same(how, n, rng, monkeypatch, one_thread):
    net = mlp(rng)
    net = COMPRESSED[how](net, rng) or net
    x, seen = images(rng, n, (64,)), set()
    for place in range(5):  # the first form of each layer, then the second, ...

        def nth(found, x, place=place):
            name = list(found)[min(place, len(found) - 1)]
            seen.add(name)
            return name, found[name], ""

        monkeypatch.setattr(forms, "fastest", nth)
        assert_same(optimize(net, x), net, x)
    assert any(name.startswith(FORM.get(how, forms.BLAS)) for name in seen)


def test_the_fastest_form_is_taken_and_its_times_are_said(rng, monkeypatch):
    ms = {"a": 3.0, "b": 1.0, "c": 0.99}  # c is not clearly faster than b

    class Timed:
        def __init__(self, median):
            self.median = median

    monkeypatch.setattr(forms, "latency", lambda variants, *_: {name: Timed(ms[name]) for name in variants})
    name, form, why = forms.fastest({name: lambda x, n=name: (n, None) for name in ms}, np.zeros((7, 2)))
    assert (name, form(0)[0]) == ("b", "b")
    assert "batch 7" in why and "a 3e+03 µs" in why


def test_exits_still_stop_and_widths_are_narrow(rng):
    net = awake(models.convnet((8, 8, 1), 4, (4, 8), rng=rng), rng)
    x = images(rng, 16, (8, 8, 1))
    early = add_exits(net, [3], rng=rng)
    early = EarlyExit(early, float(np.median(confidence(predict(early.exit(0), x)))))
    fast = optimize(early, x)
    (logits, exits), (before, exits_before) = fast.run(x), early.run(x)
    assert np.array_equal(exits, exits_before) and 0 < np.mean(exits == 0) < 1
    assert np.allclose(logits, before, 1e-4, 1e-4)
    assert_same(optimize(early.net, x), early.net, x)  # its last exit
    for thresholds in (early.thresholds, (0.0,), (1.0,)):
        early.thresholds = thresholds
        fast = optimize(early, x)
        _, exits = fast.run(x)
        for i, image in enumerate(x):  # one image takes a way of its own
            (one, left), (before, left_before) = fast.run(image[None]), early.run(image[None])
            assert left == left_before == exits[i]
            assert np.allclose(one, before, 1e-4, 1e-4)
    assert [part.shape for part in fast.run(x[:0])] == [(0, 4), (0,)]
    slim = Slimmable(net, (0.5, 1.0))
    assert_same(optimize(slim, x), slim.eval(), x)
    assert_same(optimize(slim.at(0.5), x), slim.at(0.5), x)


def test_nets_made_for_inference_are_called_as_they_are(rng):
    net, x = awake(models.convnet((8, 8, 1), 4, (4, 8), rng=rng), rng), images(rng, 16, (8, 8, 1))
    assert np.array_equal(predict(optimize(to_integers(net, x), x), x), predict(to_integers(net, x), x))
    packed = pack_binary(binarize_weights(net.copy()))
    assert_same(optimize(packed, x), packed, x)


def test_integer_nets_refuse_nan_and_take_an_empty_batch(rng):
    layers = nn.Conv2d(1, 4, 3, rng=rng), nn.ReLU(), nn.GlobalAvgPool(), nn.Dense(4, 3, rng=rng)
    for net in nn.Sequential(*layers, input_shape=(8, 8, 1)), mlp(rng):
        x = images(rng, 6, net.input_shape)
        integers = to_integers(net, x)
        fast = optimize(integers, x)
        assert integers(Tensor(x[:0])).shape == fast.run(x[:0]).shape == (0, fast.run(x).shape[1])
        x.reshape(6, -1)[4, 0] = np.nan
        for call, *arguments in (integers, Tensor(x)), (fast.run, x), (optimize, integers, x):
            with pytest.raises(ValueError, match="NaN"):
                call(*arguments)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_binary_layers_take_the_signs_of_what_reaches_them(rng, padding):
    first, second = (nn.Conv2d(1, 33, 3, padding=padding, rng=rng), nn.Conv2d(33, 70, 3, padding=padding, rng=rng))
    head = nn.Dense(70, 4, rng=rng)
    net = nn.Sequential(first, Sign(), second, nn.GlobalAvgPool(), Sign(), head)
    net = pack_binary(binarize_weights(net, layers=["2", "5"])).eval()
    x = images(rng, 16, (8, 8, 1))
    fast = optimize(net, x)
    assert [step.layers.split(" + ")[0] for step in fast.steps].count(
        "Sign()"
    ) == 2  # each joined with the layer after it
    assert sum("signs" in step.form for step in fast.steps) == 2 and len(fast.steps) == 4
    assert_same(fast, net, x)
    assert_same(fast, net, x[:3])
    x[:, 0] = -0.0  # counts as +1, as in Sign
    assert_same(fast, net, x)


@pytest.fixture
def small(rng):
    net = awake(models.convnet((8, 8, 1), 4, (4, 8), rng=rng), rng).eval()
    x = images(rng, 6, (8, 8, 1))
    return net, optimize(net, x), x


def test_inputs_that_are_not_finite_get_what_the_net_gives(small):
    net, fast, x = small
    for bad in (np.nan, np.inf, -np.inf, 3e38):
        spoilt = x.copy()
        spoilt[2, 3, 3, 0] = bad
        with np.errstate(all="ignore"):
            assert np.allclose(predict(fast, spoilt), predict(net, spoilt), 1e-4, 1e-4, equal_nan=True)


def test_pruned_weights_do_not_hide_nan(rng):
    net = prune_weights(mlp(rng), 0.95)
    x = images(rng, 4, (64,))
    x[1, 0] = np.nan
    fast = optimize(net, np.zeros_like(x))
    assert np.array_equal(predict(fast, x), predict(net, x), equal_nan=True)


def test_an_empty_batch_gives_an_empty_result_and_other_sizes_what_the_net_says(small):
    net, fast, x = small
    assert fast(Tensor(x[:0])).shape == (0, 4)
    wider = np.concatenate([x, x], axis=2)
    with pytest.raises(ValueError, match="expects") as expected:
        net(Tensor(wider))
    with pytest.raises(ValueError, match="expects") as given:
        fast(Tensor(wider))
    assert str(given.value) == str(expected.value)
    with pytest.raises(TypeError, match="float64"):
        fast(Tensor(x.astype(np.float64)))
    with pytest.raises(ValueError, match="the batch is empty"):
        optimize(net, x[:0])
    with pytest.raises(ValueError, match="expects"):
        optimize(net, wider)


def test_the_net_stays_as_it_is_and_the_form_does_not_follow_it(small):
    net, _, x = small
    net.train()
    before, state = predict(net, x), net.state_dict()
    fast = optimize(net, x)
    assert net.training
    assert all(np.array_equal(state[name], values) for name, values in net.state_dict().items())
    for parameter in net.parameters():
        parameter.data = parameter.data + 1
    assert np.allclose(predict(fast, x), before, 1e-4, 1e-4)
    assert fast(Tensor(x)).requires_grad is False


def test_results_are_not_overwritten_by_the_next_batch(small):
    _, fast, x = small
    first = fast.run(x)
    kept = first.copy()
    fast.run(-x)
    assert np.array_equal(first, kept)


def test_batches_of_many_sizes_share_plans(small):
    net, fast, x = small
    many = np.tile(x, (30, 1, 1, 1))
    for n in [*range(1, 50), len(many)]:
        assert_same(fast, net, many[:n])
    assert len(fast._idle) <= inference.PLANS + inference.MOST / inference.ROUNDED


def test_threads_may_share_it_and_may_split_a_batch(rng, monkeypatch):
    net = awake(models.convnet((8, 8, 1), 4, (4, 8), rng=rng), rng).eval()
    x = images(rng, 24, (8, 8, 1))
    alone = optimize(net, x).run(x)
    with ThreadPoolExecutor(4) as pool:
        fast = optimize(net, x)
        assert all(np.array_equal(y, alone) for y in pool.map(lambda _: fast.run(x), range(40)))
    before = kernels.get_num_threads()
    try:
        kernels.set_num_threads(3)
        fast = optimize(net, x)
        fast.seconds = 1.0  # so that splitting pays
        sizes = []
        monkeypatch.setattr(
            InferenceNet, "_run", lambda self, x, run=InferenceNet._run: (sizes.append(len(x)), run(self, x))[1]
        )
        assert np.allclose(fast.run(x), alone, 1e-4, 1e-4)
        assert sizes == [8, 8, 8]
        fast.seconds, fast.calls = 1e-5, 1e-3  # each part would call for longer than it computes
        fast.run(x)
        assert sizes == [8, 8, 8, 24]
    finally:
        kernels.set_num_threads(before)


def test_a_copy_and_an_unpickled_one_predict_the_same(small):
    _, fast, x = small
    for again in (fast.copy(), pickle.loads(pickle.dumps(fast))):
        assert np.allclose(again.run(x), fast.run(x), 1e-4, 1e-4)


def test_its_text_says_what_became_of_each_layer(rng):
    net = make_separable(models.convnet((8, 8, 1), 4, (8, 8), rng=rng), rng=rng)
    fast = optimize(net, images(rng, 4, (8, 8, 1)))
    text = repr(fast)
    assert "BatchNorm + ReLU" in text and "tile" in text and "Flatten" not in text.split("\n")[0]
    shown = fast._repr_html_()
    assert shown.count("<tr>") == 1 + len(fast.steps) and "BatchNorm + ReLU" in shown
