"""Claims P0 and P1c: what their effects compare, and that what they measure is what it is called."""

import numpy as np
import pytest

from tinycompress import data, models
from tinycompress.lecture import pruning
from tinycompress.lecture.pruning import nets, p0_dropout, p1c_digging
from tinycompress.pruning import TargetedDropout, prunable, remove_neurons
from tinycompress.selection import train
from tinycompress.training import evaluate

CLAIMS = {claim.id: claim for claim in pruning.CLAIMS}
PLAN = nets.Plan(dense=3, pruned=4, steps=2, batch_size=64, lrs=(0.05,))


def p0_row(arm, accuracy, part="weights", seed=0, removed=0.9):
    return {"seed": seed, "part": part, "arm": arm, "removed": removed, "accuracy": accuracy}


def test_each_effect_of_p0_compares_the_arms_that_it_names():
    accuracies = {"plain": 60, "plain, at random": 20, "dropout": 50, "targeted dropout": 90}
    rows = [
        p0_row(arm, (accuracy + (part == "neurons")) * (1 if removed < 0.8 else 0.5), part, removed=removed)
        for arm, accuracy in accuracies.items()
        for part in ("weights", "neurons")
        for removed in (0.5, 0.7, 0.8, 0.98)
    ]
    assert [effect.of(rows) for effect in CLAIMS["P0"].effects] == [[30.0], [40.0], [20.0], [30.0], [15.0]]


def test_p0_says_for_weights_and_neurons_where_it_holds():
    rows = [
        p0_row(arm, accuracy + 0.1 * seed * (arm == "plain"), part, seed, removed)
        for seed in (0, 1, 2)
        for removed in (0.5, 0.9)
        for part in ("weights", "neurons")
        for arm, accuracy in (("plain", 80 if part == "weights" or removed == 0.5 else 20), ("plain, at random", 50))
    ]
    words = CLAIMS["P0"].effects[0].holds(rows)
    assert words == "weights +30: supported at 50, 90 % · neurons +0: supported at 50 %; contradicted at 90 %"


def test_the_arms_of_p0_train_alike_and_differ_in_what_is_dropped():
    dataset, plan = data.load("digits"), p0_dropout.Plan(epochs=0, batch_size=64, lrs=(0.05,))
    nets_of = {
        arm: p0_dropout.trained(arm, dataset, plan, 0, 0.05)
        for arm in ("plain", "dropout", *p0_dropout.TARGETED.values())
    }
    weights = {arm: [layer.latent("weight").data for layer in prunable(net).values()] for arm, net in nets_of.items()}
    assert all(np.array_equal(a, b) for some in weights.values() for a, b in zip(weights["plain"], some, strict=True))
    dropped = {
        arm: [layer.parametrization("weight", TargetedDropout) for layer in prunable(net).values()]
        for arm, net in nets_of.items()
    }
    assert [[step and step.neurons for step in steps] for steps in dropped.values()] == [
        [None] * 3,
        [None] * 3,
        [False] * 3,
        [True, True, None],
    ]
    assert [sum(type(layer).__name__ == "Dropout" for layer in net.layers) for net in nets_of.values()] == [0, 2, 0, 0]


def test_what_a_neuron_costs_is_the_accuracy_of_the_net_without_it():
    dataset = data.load("digits")
    x, labels = dataset.test
    net = models.mlp((8, 8, 1), (6, 4), 10, rng=np.random.default_rng(0))
    train(net, dataset, lr=0.05, epochs=3, rng=np.random.default_rng(0), batch_size=64)
    chosen = [np.array([1, 4]), np.array([2])]
    found = p1c_digging.costs(net, chosen, x, labels)
    expected = []
    for name, indices in zip(("1", "3"), chosen, strict=True):
        width = prunable(net)[name].weight.shape[1]
        for index in indices:
            without = remove_neurons(net, {name: np.delete(np.arange(width), index)})
            expected.append(100 * (evaluate(net, (x, labels)).accuracy - evaluate(without, (x, labels)).accuracy))
    assert found == pytest.approx(expected) and max(np.abs(found)) > 0


def test_directions_count_what_varies_on_its_own(rng):
    alone = rng.standard_normal((20_000, 1))
    assert p1c_digging.directions(alone * [1, 2, -3]) == pytest.approx(1)
    assert p1c_digging.directions(rng.standard_normal((20_000, 4))) == pytest.approx(4, rel=0.01)
    assert p1c_digging.directions(
        np.hstack([alone, alone, rng.standard_normal((20_000, 1)) * np.sqrt(2)])
    ) == pytest.approx(2, rel=0.02)


def test_dead_and_single_neurons_have_one_direction(rng):
    assert p1c_digging.directions(np.zeros((50, 3))) == p1c_digging.directions(rng.random((50, 1))) == 1


def test_p1c_subtracts_what_training_on_does_to_the_whole_net():
    values = {"before fine-tuning": 2, "after fine-tuning": 8, "whole net": 4, "whole net, trained on": 8}
    rows = [
        {"seed": 0, "arm": arm, "removed": share, "cost": value, "directions_1": value, "directions_2": value}
        | {"accuracy": 20 if arm == "before fine-tuning" else 100}
        for arm, value in values.items()
        for share in (0.5, 0.9)
    ]
    assert [effect.of(rows) for effect in CLAIMS["P1c"].effects] == [
        [-6.0],
        [1.0],
        [1.0],
    ]  # 8 - 10 - 4 %; log2 of 4 / 2


def test_the_pruned_nets_and_the_control_of_p1c_train_on_for_as_many_epochs(monkeypatch):
    spent, true_train = [], p1c_digging.train

    def counting(model, dataset, *, epochs, **options):
        spent.append(epochs)
        return true_train(model, dataset, epochs=0, **options)

    monkeypatch.setattr(p1c_digging, "train", counting)
    measured = [*p1c_digging.states_of_a_net(data.load("digits"), PLAN, 0)]
    assert spent == [PLAN.pruned] * (1 + len(p1c_digging.REMOVED))
    assert [arm for arm, *_ in measured[:4]] == [
        p1c_digging.BEFORE,
        p1c_digging.AFTER,
        p1c_digging.WHOLE,
        p1c_digging.CONTROL,
    ]
