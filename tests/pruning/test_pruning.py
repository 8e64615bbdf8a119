"""Pruning single weights: exact counts, weights that stay gone, and a little at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_nets import masks, small_mlp, weights

from tinycompress import models, nn, pruning
from tinycompress.nn import Mask
from tinycompress.pruning import prune_gradually, prune_weights, sparsity


# Single weights.
@given(share=st.floats(0, 1), scope=st.sampled_from(["global", "layer"]))
def test_exactly_the_asked_share_is_kept(share, scope):
    model = small_mlp()
    assert prune_weights(model, share, scope=scope) is model
    sizes = {name: w.size for name, w in weights(model).items()}
    kept = {name: np.count_nonzero(w) for name, w in weights(model).items()}
    if scope == "global":
        assert sum(kept.values()) == round((1 - share) * sum(sizes.values()))
    else:
        assert kept == {name: round((1 - share) * size) for name, size in sizes.items()}
    assert sparsity(model) == pytest.approx(1 - sum(kept.values()) / sum(sizes.values()))


@given(share=st.floats(0, 1))
def test_no_weight_that_is_kept_is_smaller_than_one_that_is_gone(share):
    model = small_mlp()
    before = np.concatenate([w.ravel() for w in weights(model).values()])
    prune_weights(model, share)
    after = np.concatenate([w.ravel() for w in weights(model).values()])
    kept = after != 0
    np.testing.assert_array_equal(after[kept], before[kept])
    if kept.any() and not kept.all():
        assert np.abs(before[kept]).min() >= np.abs(before[~kept]).max()


def test_a_global_threshold_takes_from_the_layer_of_small_weights_first():
    model = small_mlp()
    model[1].weight.data *= 1e-4
    first, rest = model[1].weight.size, sum(w.size for w in weights(model).values()) - model[1].weight.size
    evenly, together = model.copy(), model.copy()
    prune_weights(evenly, 0.5, scope="layer")
    prune_weights(together, first / (first + rest), scope="global")
    assert [int(mask.sum()) for mask in masks(evenly).values()] == [21, 18, 10]  # half of 42, 35 and 20
    assert [int(mask.sum()) for mask in masks(together).values()] == [0, 35, 20]


def test_a_share_by_layer_leaves_the_others_alone():
    model = small_mlp()
    before = weights(model)
    prune_weights(model, {"3": 0.8})
    assert np.count_nonzero(model[3].weight.data) == 7
    assert model[1].parametrizations("weight") == [] and model[1].weight.data is before["1"]


def test_ties_go_to_the_earlier_weight():
    model = nn.Sequential(nn.Dense(2, 3, rng=np.random.default_rng(0)))
    model[0].weight.data = np.array([[1, -1, 1], [1, 2, -1]], np.float32)
    prune_weights(model, 0.5)
    np.testing.assert_array_equal(model[0].weight.data, [[1, -1, 0], [0, 2, 0]])


def test_biases_and_batch_norm_are_never_pruned(rng):
    model = models.convnet((8, 8, 1), 3, rng=rng)
    prune_weights(model, 1.0)
    assert sparsity(model) == 1.0
    assert set(pruning.prunable(model)) == {"0", "4", "9"}
    assert all(not module.parametrizations("bias") for module in model.modules() if hasattr(module, "bias"))


@given(shares=st.lists(st.floats(0, 1), min_size=2, max_size=5).map(sorted))
def test_what_is_gone_stays_gone_when_more_is_pruned(shares):
    model, rng, gone = small_mlp(), np.random.default_rng(1), None
    for share in shares:
        prune_weights(model, share)
        for layer in pruning.prunable(model).values():  # training moves the latent weights, those behind the mask too
            layer.latent("weight").data = layer.latent("weight").data + rng.normal(0, 2, layer.weight.shape)
        now = {name: ~mask for name, mask in masks(model).items()}
        assert all((now[name] >= gone[name]).all() for name in now) if gone else True
        gone = now
    for name, w in weights(model).items():
        assert (w[gone[name]] == 0).all()


def test_reviving_weights_is_refused_and_changes_nothing():
    model = prune_weights(small_mlp(), 0.6)
    before = {name: mask.copy() for name, mask in masks(model).items()}
    with pytest.raises(ValueError, match=r"59.8% of these weights are gone already, so 20.0% would revive some"):
        prune_weights(model, 0.2)
    with pytest.raises(ValueError, match="gone already"):
        prune_weights(model, {"3": 0.99, "5": 0.0})
    assert all(np.array_equal(before[name], mask) for name, mask in masks(model).items())
    prune_weights(model, sparsity(model))  # the same share again is no revival
    assert all(np.array_equal(before[name], mask) for name, mask in masks(model).items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1,), "from 0 to 1, got -0.1"),
        ((1.1,), "from 0 to 1, got 1.1"),
        ((float("nan"),), "from 0 to 1, got nan"),
        (({"2": 0.5},), r"no prunable layer is called \['2'\]; the model has \['1', '3', '5'\]"),
        ((0.5, pruning.magnitude, "net"), 'scope must be "global" or "layer", got \'net\''),
    ],
)
def test_shares_and_names_that_make_no_sense_are_refused(arguments, message):
    model = small_mlp()
    with pytest.raises(ValueError, match=message):
        prune_weights(model, *arguments)
    assert all(layer.parametrizations("weight") == [] for layer in pruning.prunable(model).values())


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (lambda layers: [layer.weight.data for layer in layers.values()], "dict of layer name -> scores, got list"),
        (lambda layers: {name: layer.weight for name, layer in layers.items()}, "use `.data`"),
    ],
)
def test_an_importance_that_is_no_dict_of_arrays_is_refused(scores, message):
    with pytest.raises(TypeError, match=message):
        prune_weights(small_mlp(), 0.5, lambda model: scores(pruning.prunable(model)))


def test_a_diverged_net_is_not_pruned():
    model = small_mlp()
    model[3].weight.data[0, 0] = np.nan
    with pytest.raises(ValueError, match="importance of layer 3 is not finite; did its training diverge"):
        prune_weights(model, 0.5)


@pytest.mark.parametrize("prune", [lambda m: prune_weights(m, 0.5), lambda m: prune_gradually(m, 0.5, 2, print)])
def test_a_net_without_weights_is_not_pruned(prune):
    with pytest.raises(ValueError, match="no dense or convolution layer"):
        prune(nn.Sequential(nn.ReLU()))


def test_a_criterion_of_ones_own_is_followed_and_left_untouched():
    model = small_mlp()
    scores = {name: np.arange(w.size, dtype=float).reshape(w.shape) for name, w in weights(model).items()}
    before = {name: score.copy() for name, score in scores.items()}
    for share in (0.25, 0.5):
        prune_weights(model, share, lambda model: scores, scope="layer")
    for name, mask in masks(model).items():
        assert mask.ravel()[mask.size - round(mask.size / 2) :].all() and mask.sum() == round(mask.size / 2)
        np.testing.assert_array_equal(scores[name], before[name])


def test_magnitude_is_the_absolute_value():
    model = small_mlp()
    for name, score in pruning.magnitude(model).items():
        np.testing.assert_array_equal(score, np.abs(weights(model)[name]))


@pytest.mark.parametrize("kind", ["taylor", "neuron_taylor", "activation"])
def test_judging_importance_leaves_the_net_and_its_modes_as_they_were(kind, rng):
    model = models.convnet((8, 8, 1), 3, rng=rng)
    model[1].eval()  # batch norm frozen on purpose
    x, y, before = rng.standard_normal((10, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 10), model.state_dict()
    importance = getattr(pruning, kind)(x if kind == "activation" else (x, y), batch_size=4)
    assert importance(model)
    assert [module.training for module in model.modules()].count(False) == 1 and not model[1].training
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_fan_in_counts_the_connections_left():
    model = nn.Sequential(nn.Dense(3, 2, rng=np.random.default_rng(0)))
    model[0].parametrize("weight", Mask([[1, 0], [1, 0], [0, 1]]))
    assert pruning.fan_in(model[0]).tolist() == [2, 1]
    assert pruning.fan_in(nn.Conv2d(2, 3, 5, rng=np.random.default_rng(0))).tolist() == [50, 50, 50]
    assert pruning.fan_in(nn.DepthwiseConv2d(4, 3, rng=np.random.default_rng(0))).tolist() == [9] * 4


# A little at a time.
def test_the_cubic_schedule_begins_and_ends_where_it_should_and_never_falls():
    assert pruning.cubic(0, 0.9) == 0 and pruning.cubic(1, 0.9) == 0.9
    assert pruning.cubic(0, 0.9, 0.5) == pytest.approx(0.5) and pruning.cubic(1, 0.9, 0.5) == 0.9
    assert pruning.cubic(0.5, 0.8) == pytest.approx(0.7)  # 0.8 - 0.8 / 8
    values = [pruning.cubic(t, 0.9, 0.1) for t in np.linspace(0, 1, 50)]
    steps = np.diff(values)
    assert (steps >= 0).all() and (np.diff(steps) <= 1e-12).all()  # fast first, slower and slower


def test_one_step_is_pruning_all_at_once():
    gradual, at_once, calls = small_mlp(), small_mlp(), []
    assert prune_gradually(gradual, 0.7, 1, lambda model, step: calls.append((model, step))) is gradual
    prune_weights(at_once, 0.7)
    assert calls == [(gradual, 1)]
    assert all(np.array_equal(masks(gradual)[name], mask) for name, mask in masks(at_once).items())


def test_gradual_pruning_follows_the_schedule_and_fine_tunes_after_each_step():
    model, seen = prune_weights(small_mlp(), 0.2), []
    gone = sparsity(model)

    def fine_tune(model, step):
        seen.append((step, sparsity(model)))
        for layer in pruning.prunable(model).values():
            layer.latent("weight").data = layer.latent("weight").data[::-1] * 2

    prune_gradually(model, 0.9, 4, fine_tune)
    assert [step for step, _ in seen] == [1, 2, 3, 4]
    expected = [pruning.cubic(step / 4, 0.9, gone) for step in (1, 2, 3, 4)]
    assert [share for _, share in seen] == pytest.approx(expected, abs=0.5 / 97)


def test_gradual_pruning_needs_a_step():
    with pytest.raises(ValueError, match="steps must be 1 or more, got 0"):
        prune_gradually(small_mlp(), 0.5, 0, print)
