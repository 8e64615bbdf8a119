"""Modules: what they find, copy and refuse; parametrizations."""

import copy
import pickle

import numpy as np
import pytest
from small_nets import NETS, small_net, train_a_little

import tinycompress as tc
from tinycompress import distillation, dynamic, nn, pruning, quantization
from tinycompress import functional as F
from tinycompress.nn import Mask, Parameter


def arrays_in(thing, seen=None):
    """Every ndarray that can be reached from an object, whatever holds it."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield thing
        return
    slots = [getattr(thing, slot, None) for kind in type(thing).__mro__ for slot in getattr(kind, "__slots__", ())]
    inside = [*thing.values()] if isinstance(thing, dict) else [*thing] if isinstance(thing, list | tuple) else []
    for part in [*inside, *slots, *getattr(thing, "__dict__", {}).values()]:
        if not isinstance(part, str | bytes | int | float | type):
            yield from arrays_in(part, seen)


# What a module finds.
def test_parameters_and_buffers_have_dotted_names(rng):
    net = small_net(rng)
    assert set(dict(net.named_parameters())) == {
        *("0.weight", "0.bias", "1.weight", "1.bias", "7.weight", "7.bias"),
        *("3.body.0.weight", "3.body.0.bias", "3.body.1.weight", "3.body.1.bias"),
    }
    assert set(dict(net.named_buffers())) == {"1.running_mean", "1.running_var", "7.weight.mask"}
    assert [name for name, _ in net.named_modules()][:3] == ["", "0", "1"]
    assert len(net.parameters()) == 10


def test_modules_in_lists_and_attributes_are_found(rng):
    class Two(nn.Module):
        def __init__(self):
            self.branches = [nn.Dense(2, 2, rng=rng), nn.Dense(2, 3, rng=rng)]
            self.scale = Parameter(np.ones(2, np.float32))
            self.count = np.zeros(1)

    assert set(dict(Two().named_parameters())) == {
        "scale",
        *(f"branches.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")),
    }
    assert set(dict(Two().named_buffers())) == {"count"}


def test_train_and_eval_reach_every_module(rng):
    net = small_net(rng)
    assert all(module.training for module in net.modules())
    assert net.eval() is net and not any(module.training for module in net.modules())
    assert net.train() is net and all(module.training for module in net.modules())


def test_zero_grad_forgets_every_gradient(rng):
    net = small_net(rng)
    train_a_little(net, rng, steps=1)
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_a_copy_shares_nothing(rng):
    net = small_net(rng)
    train_a_little(net, rng)
    other = net.copy()
    ours, theirs = list(arrays_in(net)), list(arrays_in(other))
    assert len(ours) > len(net.state_dict())  # the walk sees gradients too, so at least the state
    for one in ours:
        for two in theirs:
            assert not np.shares_memory(one, two)
    x = rng.standard_normal((4, 8, 8, 2)).astype(np.float32)
    before = net.eval()(x).data.copy()
    np.testing.assert_array_equal(other.eval()(x).data, before)
    train_a_little(other.train(), rng)
    np.testing.assert_array_equal(net(x).data, before)
    assert net[6].rng is not other[6].rng


def test_a_net_survives_the_way_to_another_process(rng):
    net = small_net(rng)
    train_a_little(net, rng)
    other = pickle.loads(pickle.dumps(net))
    x = rng.standard_normal((4, 8, 8, 2)).astype(np.float32)
    np.testing.assert_array_equal(other.eval()(x).data, net.eval()(x).data)
    assert (
        set(dict(other.named_parameters())) == set(dict(net.named_parameters()))
        and other[7].latent("weight").requires_grad
    )


@pytest.mark.parametrize(
    ("name", "meant"), [("wieght", "weight"), ("biass", "bias"), ("named_paramters", "named_parameters")]
)
def test_a_misspelt_attribute_raises_and_suggests(name, meant, rng):
    layer = nn.Dense(2, 3, rng=rng)
    with pytest.raises(AttributeError, match=f"Dense has no attribute '{name}'; did you mean '{meant}'"):
        getattr(layer, name)
    layer.parametrize("weight", Mask(np.ones((2, 3), bool)))
    with pytest.raises(AttributeError, match=f"did you mean '{meant}'"):
        getattr(layer, name)
    with pytest.raises(AttributeError, match="has no attribute 'zzz'$"):
        layer.zzz  # noqa: B018


def test_a_parameter_is_not_overwritten_by_an_array(rng):
    layer = nn.Dense(2, 3, rng=rng)
    with pytest.raises(TypeError, match=r"weight is a parameter; assign to `weight.data`"):
        layer.weight = np.zeros((2, 3))
    layer.parametrize("weight", Mask(np.ones((2, 3), bool)))
    with pytest.raises(AttributeError, match=r"latent\('weight'\)"):
        layer.weight = Parameter(np.zeros((2, 3)))
    layer.bias = None
    assert set(dict(layer.named_parameters())) == {"weight"}


def test_an_error_names_the_layers_it_came_through(rng):
    net = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Dense(7, 3, rng=rng)))
    with pytest.raises(ValueError, match=r"the input is \(1, 64\)") as error:
        net(np.zeros((1, 8, 8), np.float32))
    assert error.value.__notes__[0] == "in Dense(7, 3)"
    assert error.value.__notes__[-1].startswith("in Sequential(Flatten(")


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty needs a method forward"):
        Empty()(np.zeros(1))


def test_a_module_shows_what_is_inside():
    class Net(nn.Module):
        def __init__(self):
            self.hidden, self.act = nn.Dense(2, 3, rng=np.random.default_rng(0)), nn.ReLU()

    assert repr(Net()) == "Net(hidden=Dense(2, 3), act=ReLU())"


def test_sequential_takes_modules_only():
    with pytest.raises(TypeError, match="Sequential takes modules, got <function"):
        nn.Sequential(F.relu)


def test_trace_lists_calls_innermost_first(rng):
    net = nn.Sequential(nn.Dense(2, 3, rng=rng), nn.ReLU())
    with nn.trace() as calls:
        net(np.zeros((5, 2), np.float32))
    assert [(module, shape, out.shape) for module, shape, out in calls] == [
        (net[0], (5, 2), (5, 3)),
        (net[1], (5, 3), (5, 3)),
        (net, (5, 2), (5, 3)),
    ]
    net(np.zeros((5, 2), np.float32))
    assert len(calls) == 3


# Parametrizations.
OPTIMIZERS = {
    "SGD": lambda p: tc.optim.SGD(p, 0.1),
    "momentum": lambda p: tc.optim.SGD(p, 0.1, momentum=0.9),
    "Nesterov": lambda p: tc.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "weight decay": lambda p: tc.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
    "Adam": lambda p: tc.optim.Adam(p, 0.01),
    "Adam with decay": lambda p: tc.optim.Adam(p, 0.01, weight_decay=0.1),
    "AdamW": lambda p: tc.optim.AdamW(p, 0.01, weight_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pruned_weights_stay_zero_under_any_optimizer(name, rng):
    net = small_net(rng)
    optimizer = OPTIMIZERS[name](net.parameters())
    train_a_little(net, rng, optimizer)  # velocities are under way when weights are pruned
    mask = rng.random((4, 4)) < 0.5
    body = net[3].body
    body[1].parametrize("weight", Mask(mask))
    before = body[1].weight.data
    train_a_little(net, rng, optimizer, steps=4)
    after = body[1].weight.data
    assert (after[~mask] == 0).all()
    assert (after[mask] != before[mask]).all()


def test_a_masked_weight_gets_no_gradient(rng):
    layer, mask = nn.Dense(3, 4, rng=rng), rng.random((3, 4)) < 0.5
    layer.parametrize("weight", Mask(mask))
    layer(rng.standard_normal((5, 3)).astype(np.float32)).sum().backward()
    gradient = layer.latent("weight").grad
    assert (gradient[~mask] == 0).all() and (gradient[mask] != 0).all()


def test_parameters_are_the_same_before_and_after_a_mask(rng):
    layer = nn.Dense(3, 4, rng=rng)
    before = dict(layer.named_parameters())
    mask = np.zeros((3, 4), bool)
    layer.parametrize("weight", Mask(mask))
    assert dict(layer.named_parameters()) == before and layer.latent("weight") is before["weight"]
    np.testing.assert_array_equal(layer.weight.data, 0)
    assert list(dict(layer.named_buffers())) == ["weight.mask"]
    assert layer.parametrization("weight", Mask) is layer.parametrizations("weight")[0]
    assert layer.parametrization("bias", Mask) is None and layer.parametrizations("bias") == []
    mask[:] = True  # the mask is a copy
    np.testing.assert_array_equal(layer.weight.data, 0)


def test_parametrizations_compose_in_their_order(rng):
    class PlusOne(nn.Module):
        def forward(self, latent):
            return latent + 1

    layer, mask = nn.Dense(2, 2, rng=rng), np.eye(2, dtype=bool)
    weight = layer.weight.data
    layer.parametrize("weight", PlusOne()).parametrize("weight", Mask(mask))
    np.testing.assert_array_equal(layer.weight.data, (weight + 1) * mask)


def test_bake_leaves_an_ordinary_equal_net(rng):
    net = small_net(rng)
    net[0].parametrize("weight", Mask(rng.random((3, 3, 2, 4)) < 0.5))
    net[0].latent("weight").requires_grad = False
    baked = net.copy().bake()
    x = rng.standard_normal((4, 8, 8, 2)).astype(np.float32)
    np.testing.assert_array_equal(baked.eval()(x).data, net.eval()(x).data)
    assert not any(name.endswith("mask") for name in baked.state_dict())
    assert set(dict(baked.named_parameters())) == set(dict(net.named_parameters()))
    assert not baked[0].weight.requires_grad and baked[7].weight.requires_grad
    np.testing.assert_array_equal(baked[7].weight.data, net[7].weight.data)


def test_what_cannot_be_parametrized_is_refused(rng):
    layer = nn.Dense(3, 4, bias=False, rng=rng)
    with pytest.raises(ValueError, match="no parameter 'bias'"):
        layer.parametrize("bias", Mask(np.ones(4)))
    layer.parametrize("weight", Mask(np.ones((4, 3))))
    with pytest.raises(ValueError, match=r"mask has shape \(4, 3\), the weight \(3, 4\)"):
        layer(np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match="already has a Mask"):
        layer.parametrize("weight", Mask(np.ones((3, 4))))


def masked(layer, rng):
    return layer.parametrize("weight", Mask(rng.random(layer.weight.shape) < 0.5))


@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_can_be_assigned_to_a_weight_behind_a_parametrization(frozen, rng):
    layer = masked(nn.Dense(6, 4, rng=rng), rng)
    layer.latent("weight").requires_grad = not frozen
    before = layer.weight.data.copy()

    def scale():
        layer.weight.data *= 2

    def set_some():
        layer.weight.data[0] = 1

    def set_all():
        layer.weight.data = np.zeros((6, 4), np.float32)

    def freeze():
        layer.weight.requires_grad = False

    def set_gradient():
        layer.weight.grad = np.zeros((6, 4), np.float32)

    def set_by_numpy():
        layer.weight.numpy()[0] = 1

    for change in (scale, set_some, set_all, freeze, set_gradient, set_by_numpy):
        with pytest.raises((AttributeError, ValueError), match="latent|read-only"):
            change()
        with tc.no_grad(), pytest.raises((AttributeError, ValueError), match="latent|read-only"):
            change()
    np.testing.assert_array_equal(layer.weight.data, before)
    layer.latent("weight").data = np.ones((6, 4), np.float32)  # what the message advises takes effect
    assert (layer.weight.data == (before != 0)).all()
    layer.bake()
    layer.weight.data = np.zeros((6, 4), np.float32)
    assert not layer.weight.data.any()


def test_an_optimiser_refuses_a_weight_behind_a_parametrization(rng):
    layer = masked(nn.Dense(6, 4, rng=rng), rng)
    with pytest.raises(ValueError, match=r"layer.latent\('weight'\)"):
        tc.optim.SGD([layer.weight])
    tc.optim.SGD([layer.latent("weight")])


def test_a_step_that_returns_its_input_passes_the_gradient_on(rng):
    class Identity(nn.Module):
        def forward(self, latent):
            return latent

    layer = nn.Dense(3, 2, rng=rng).parametrize("weight", Identity())
    layer(np.ones((1, 3), np.float32)).sum().backward()
    np.testing.assert_array_equal(layer.latent("weight").grad, np.ones((3, 2)))


KINDS = {
    "small net": small_net,
    **NETS,
    "binary, drawn at random": lambda rng: quantization.binarize_weights(NETS["mlp"](rng), stochastic=True, rng=rng),
    "clustered and pruned": lambda rng: quantization.cluster_weights(
        pruning.prune_weights(NETS["lenet_5"](rng), 0.5), 4
    ),
    "quantized": lambda rng: quantization.quantize_weights(NETS["convnet"](rng), 4),
    "exits": lambda rng: dynamic.add_exits(NETS["convnet"](rng), [3], rng=rng),
    "leaving early": lambda rng: dynamic.EarlyExit(dynamic.add_exits(NETS["convnet"](rng), [3], rng=rng), 0.5),
    "slimmable": lambda rng: dynamic.Slimmable(NETS["convnet"](rng), (0.5, 1.0)),
    "slimmable, shared batch norm": lambda rng: dynamic.Slimmable(NETS["convnet"](rng), (0.5, 1.0), "shared"),
    "ensemble": lambda rng: distillation.Ensemble(NETS["mlp"](rng), NETS["mlp"](rng)),
    "hinted": lambda rng: distillation.HintedStudent(NETS["mlp"](rng), NETS["mlp"](rng), {"2": "4"}, rng=rng),
    "integers": lambda rng: quantization.to_integers(NETS["convnet"](rng), rng.random((9, 8, 8, 1), np.float32)),
    "codebook": lambda rng: quantization.pack_codebook(quantization.cluster_weights(NETS["lenet_5"](rng))),
    "bits": lambda rng: quantization.pack_binary(quantization.binarize_weights(NETS["lenet_5"](rng))),
}
TWINS = {
    "copy": lambda net: net.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
}


def sharing(net):
    """Which of the arrays that can be reached lie in the same memory, as pairs of places."""
    arrays = list(arrays_in(net))
    return {(i, j) for i, a in enumerate(arrays) for j in range(i) if a.size and np.shares_memory(a, arrays[j])}


@pytest.mark.parametrize("way", TWINS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_copy_gives_an_equal_net_that_shares_within_itself_what_the_first_one_shares(kind, way, rng):
    net = KINDS[kind](rng)
    x = rng.random((8, 8, 8, 2 if kind == "small net" else 1), np.float32)
    tc.predict(net, x)
    twin = TWINS[way](net)
    np.testing.assert_array_equal(tc.predict(twin, x), tc.predict(net, x))
    assert sharing(twin) == sharing(net)
    theirs = list(arrays_in(twin))
    assert not any(np.shares_memory(one, two) for one in arrays_in(net) for two in theirs)
    if not any(module.inference_only for module in net.modules()) and kind != "leaving early" and kind != "ensemble":
        for other in (net, twin):  # what is drawn at random is drawn alike, and statistics that are shared stay so
            other.train()(x)
        assert all(
            np.array_equal(a, b) for a, b in zip(net.state_dict().values(), twin.state_dict().values(), strict=True)
        )
    np.testing.assert_array_equal(tc.predict(twin, x), tc.predict(net, x))
