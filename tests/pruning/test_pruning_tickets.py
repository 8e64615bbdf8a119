"""Lottery tickets: what is rewound, what is kept, and that all arms begin with the same numbers."""

import numpy as np
import pytest

from tinycompress import models, pruning
from tinycompress.nn.weighted import effective
from tinycompress.optim import SGD
from tinycompress.training import fit


def net(seed=0):
    return models.convnet((8, 8, 1), widths=(8, 12), rng=np.random.default_rng(seed))


@pytest.fixture
def train(rng):
    data = rng.random((40, 8, 8, 1), np.float32), rng.integers(0, 10, 40)

    def train(model):
        sgd = SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=0.01)
        fit(model, data, optimizer=sgd, epochs=2, rng=np.random.default_rng(1), progress=False)

    return train


def masks(model):
    return pruning.kept_weights(model)


def assert_starts_like(model, state):
    """The masked weights are 0, and everything else is as in `state`."""
    for name, layer in pruning.prunable(model).items():
        assert np.array_equal(effective(layer, "weight"), state[f"{name}.weight"] * masks(model)[name])
    for name, values in model.state_dict().items():
        assert name.endswith(".mask") or np.array_equal(values, state[name])


def test_rewinding_puts_every_number_back_and_leaves_the_masks(train):
    model = net()
    start = model.state_dict()
    train(model)
    pruning.prune_weights(model, 0.7)
    found = {name: mask.copy() for name, mask in masks(model).items()}
    trained = model.state_dict()
    assert_starts_like(pruning.rewind(model, start), start)
    assert all(np.array_equal(found[name], mask) for name, mask in masks(model).items())
    assert not np.array_equal(trained["1.running_mean"], model.state_dict()["1.running_mean"])


def test_rewinding_to_a_masked_state_keeps_the_models_own_masks(train):
    model = pruning.prune_weights(net(), 0.3)
    start = model.state_dict()
    train(model)
    pruning.prune_weights(model, 0.8)
    assert pruning.sparsity(pruning.rewind(model, start)) == pytest.approx(0.8, abs=0.01)


def test_a_whole_net_can_be_put_back_to_the_numbers_of_a_pruned_one():
    pruned, whole = pruning.prune_weights(net(1), 0.5), net(0)
    pruning.rewind(whole, pruned.state_dict())
    assert pruning.sparsity(whole) == 0
    assert_starts_like(whole, pruned.state_dict())


def test_every_round_starts_from_the_same_numbers_and_removes_its_share_of_what_is_left(train):
    model = net()
    start, counts, seen = model.state_dict(), [], []

    def watched(model):
        assert_starts_like(model, start)
        seen.append(masks(model))
        train(model)

    shares = {"0": 0.0, "4": 0.5, "9": 0.2}
    trained = list(pruning.iterative_pruning(model, watched, 4, shares))
    for number, kept in enumerate(seen):
        counts.append(kept["4"].sum())
        assert kept["0"].all()
        assert abs(kept["9"].sum() - 0.8**number * kept["9"].size) <= 1 + number
    assert counts == [864, 432, 216, 108, 54]
    for earlier, later in zip(seen[:-1], seen[1:], strict=True):
        assert not any((later[name] & ~earlier[name]).any() for name in later)
    assert [pruning.sparsity(m) for m in trained] == sorted(pruning.sparsity(m) for m in trained)
    assert len({id(m) for m in trained}) == 5


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_round_prunes_the_smallest_trained_weights_of_a_layer_or_of_all(scope, train):
    before, after = pruning.iterative_pruning(net(), train, 1, 0.5, scope=scope)
    expected = masks(pruning.prune_weights(before, 0.5, scope=scope))
    assert all(np.array_equal(mask, expected[name]) for name, mask in masks(after).items())


def test_tickets_can_be_rewound_to_an_early_step_instead(train):
    model = net()
    train(model)
    early = model.state_dict()
    starts = []

    def watched(model):
        starts.append(model.state_dict()["0.bias" if "0.bias" in model.state_dict() else "9.bias"])
        train(model)

    list(pruning.iterative_pruning(model, watched, 2, start=early))
    assert all(np.array_equal(start, early["9.bias"]) for start in starts) and early["9.bias"].any()


def test_all_arms_share_the_mask_or_the_numbers_of_the_ticket(train, rng):
    model, fresh = net(0), net(1)
    start = model.state_dict()
    *_, trained = pruning.iterative_pruning(model, train, 3, 0.5)
    ticket = pruning.rewind(trained.copy(), start)
    other = pruning.rewind(trained.copy(), fresh.state_dict())
    shuffled = pruning.shuffle_masks(ticket.copy(), rng)
    assert_starts_like(ticket, start)
    assert_starts_like(other, fresh.state_dict())
    assert_starts_like(shuffled, start)
    for name, mask in masks(ticket).items():
        assert np.array_equal(mask, masks(other)[name])
        assert mask.sum() == masks(shuffled)[name].sum()
        assert not np.array_equal(mask, masks(shuffled)[name])


def test_shuffling_spreads_the_kept_weights_evenly(rng):
    model = pruning.prune_weights(net(), {"4": 0.75})
    hits = np.zeros(masks(model)["4"].shape)
    for _ in range(400):
        hits += masks(pruning.shuffle_masks(model, rng))["4"]
    assert masks(model)["0"].all()
    assert abs(hits.mean() - 100) < 1e-9 and hits.std() < 1.2 * np.sqrt(400 * 0.25 * 0.75)


def test_a_state_of_another_net_is_refused():
    other = models.convnet((8, 8, 1), widths=(8, 9), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="does not fit"):
        pruning.rewind(pruning.prune_weights(net(), 0.5), other.state_dict())


def test_an_unknown_layer_is_refused(train):
    with pytest.raises(ValueError, match="no prunable layer is called"):
        list(pruning.iterative_pruning(net(), train, 1, {"x": 0.5}))


def test_another_scope_is_refused_before_training(rng):
    net = models.mlp((4, 4, 1), (6,), 3, rng=rng)
    with pytest.raises(ValueError, match="iterative_pruning: scope must be"):
        next(pruning.iterative_pruning(net, lambda model: pytest.fail("it trained"), 1, scope="Global"))
