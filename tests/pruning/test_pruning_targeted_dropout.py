"""Targeted dropout: only the smallest are dropped, only in training, and with the probability that is stated."""

import numpy as np
import pytest

from tinycompress import models, nn, predict, pruning
from tinycompress.nn.weighted import effective


def layer(kind="dense"):
    rng = np.random.default_rng(0)
    return nn.Dense(20, 6, rng=rng) if kind == "dense" else nn.Conv2d(4, 6, 3, rng=rng)


def net(seed=0):
    return models.mlp((5, 5, 1), (12, 8), 10, rng=np.random.default_rng(seed))


def by_neuron(weight):
    return np.abs(weight).reshape(-1, weight.shape[-1])


@pytest.mark.parametrize("kind", ["dense", "conv"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_only_the_smallest_weights_of_each_neuron_are_dropped_and_the_others_are_unchanged(kind, share, rng):
    one = layer(kind)
    latent = one.weight.data.copy()
    one.parametrize("weight", pruning.TargetedDropout(share, 0.5, rng=rng))
    ever = np.zeros(latent.shape, bool)
    for _ in range(40):
        weight = one.weight.data
        ever |= weight == 0
        assert np.array_equal(weight[weight != 0], latent[weight != 0])
    size = by_neuron(latent)
    targets = np.argsort(np.argsort(size, axis=0), axis=0) < int(share * len(size))
    assert np.array_equal(ever.reshape(size.shape), targets)  # 40 draws miss a target once in 10**12


def test_a_target_is_dropped_with_the_stated_probability():
    one = layer()
    one.parametrize("weight", pruning.TargetedDropout(0.5, 0.3, rng=np.random.default_rng(1)))
    dropped = np.mean([(one.weight.data == 0).sum() for _ in range(500)]) / (0.5 * 20 * 6)
    assert dropped == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / (500 * 60)))


def test_neurons_are_dropped_whole_and_the_smallest_ones_only(rng):
    one = layer()
    one.weight.data *= np.array([5, 1, 4, 0.5, 3, 2], np.float32)
    one.parametrize("weight", pruning.TargetedDropout(0.5, 0.5, rng=rng, neurons=True))
    seen = set()
    for _ in range(40):
        gone = one.weight.data == 0
        assert np.array_equal(gone.any(0), gone.all(0))
        seen.add(tuple(np.flatnonzero(gone.all(0))))
    assert {index for some in seen for index in some} == {1, 3, 5} and () in seen and (1, 3, 5) in seen


def test_nothing_is_dropped_in_evaluation_or_after_baking(rng):
    model, x = net(), rng.random((7, 5, 5, 1), np.float32)
    before = predict(model, x)
    pruning.targeted_dropout(model, 0.9, 0.5, rng=rng)
    assert np.array_equal(predict(model, x), before)
    assert not np.array_equal(model(x).data, before)
    assert np.array_equal(model.bake()(x).data, before)


def test_the_gradient_reaches_what_was_kept_and_nothing_else(rng):
    one = layer()
    one.parametrize("weight", pruning.TargetedDropout(0.5, 0.5, rng=rng))
    weight = one.weight
    weight.sum().backward()
    assert np.array_equal(one.latent("weight").grad, (weight.data != 0).astype(np.float32))
    assert (weight.data == 0).any()


def test_a_weight_that_grows_is_no_longer_a_target(rng):
    one = layer()
    one.parametrize("weight", pruning.TargetedDropout(0.5, 0.9, rng=rng))
    smallest = np.abs(one.latent("weight").data[:, 0]).argmin()
    assert any(one.weight.data[smallest, 0] == 0 for _ in range(20))
    one.latent("weight").data[smallest, 0] = 10
    assert all(one.weight.data[smallest, 0] == 10 for _ in range(20))


def test_the_same_generator_drops_the_same(rng):
    def trained_weights(seed):
        model = pruning.targeted_dropout(net(), 0.9, 0.5, rng=np.random.default_rng(seed))
        return [one.weight.data for one in pruning.prunable(model).values()]

    pairs = zip(trained_weights(3), trained_weights(3), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert any(not np.array_equal(a, b) for a, b in zip(trained_weights(3), trained_weights(4), strict=True))


def test_with_neurons_the_classes_always_stay_and_the_net_can_lose_neurons_for_good(rng):
    model = pruning.targeted_dropout(net(), 1.0, 0.9, rng=rng, neurons=True)
    has = [one.parametrization("weight", pruning.TargetedDropout) for one in pruning.prunable(model).values()]
    assert [step is not None for step in has] == [True, True, False]
    small = pruning.remove_neurons(model, pruning.keep_neurons(model, 0.5))
    assert [effective(one, "weight").shape[1] for one in pruning.prunable(small).values()] == [6, 4, 10]
    assert pruning.sparsity(pruning.prune_weights(small, 0.5)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"share": 1.2, "p": 0.5}, r"share .* from 0 to 1, got 1\.2"),
        ({"share": 0.5, "p": 1.0}, r"\[0, 1\); got 1\.0"),
    ],
)
def test_settings_out_of_range_are_refused_and_change_nothing(how, said, rng):
    model = net()
    with pytest.raises(ValueError, match=said):
        pruning.targeted_dropout(model, **how, rng=rng)
    assert not any(one.parametrizations("weight") for one in pruning.prunable(model).values())
    pruning.targeted_dropout(model, 0.5, 0.5, rng=rng)
    with pytest.raises(ValueError, match="already has a TargetedDropout"):
        pruning.targeted_dropout(model, 0.5, 0.5, rng=rng)
