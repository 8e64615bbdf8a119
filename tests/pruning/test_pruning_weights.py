"""Pruning single weights: how many are kept, which, and that nothing revives the others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import models, nn, pruning
from tinycompress.nn.weighted import effective
from tinycompress.optim import SGD, Adam, AdamW
from tinycompress.pruning.products.blocks import pack_blocks
from tinycompress.training import fit

OPTIMIZERS = {
    "momentum and weight decay": lambda p: SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: Adam(p, 0.01, weight_decay=0.01),
    "AdamW": lambda p: AdamW(p, 0.01, weight_decay=0.1),
}
PATTERNS = {
    "unstructured": lambda net: pruning.prune_weights(net, 0.8),
    "layer by layer": lambda net: pruning.prune_weights(net, 0.8, scope="layer"),
    "blocks": lambda net: pruning.prune_weights(net, 0.6, block=(1, 16)),
    "2:4": lambda net: pruning.prune_n_of_m(net, layers=["4", "9"]),
    "neurons": lambda net: pruning.mask_neurons(net, pruning.keep_neurons(net, 0.5)),
}


@pytest.fixture
def data(rng):
    return rng.random((40, 8, 8, 1), np.float32), rng.integers(0, 10, 40)


def net(seed=0):
    return models.convnet((8, 8, 1), widths=(8, 12), rng=np.random.default_rng(seed))


def weights(model):
    return {name: effective(layer, "weight") for name, layer in pruning.prunable(model).items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_pruned_weights_stay_zero_through_momentum_and_weight_decay(pattern, optimizer, data, rng):
    model = net()
    sgd = OPTIMIZERS[optimizer](model.parameters())
    fit(model, data, optimizer=sgd, epochs=2, rng=rng, batch_size=8, progress=False)  # momentum is up to speed now
    PATTERNS[pattern](model)
    gone = {name: w == 0 for name, w in weights(model).items()}
    before = weights(model)
    assert any(g.any() for g in gone.values())
    fit(model, data, optimizer=sgd, epochs=3, rng=rng, batch_size=8, progress=False)
    for name, w in weights(model).items():
        assert not w[gone[name]].any()
        assert np.abs(w - before[name])[~gone[name]].max() > 1e-4  # while the others do move


def test_weights_stay_zero_through_gradual_pruning_with_fine_tuning(data, rng):
    model, history = net(), []

    def fine_tune(model, step):
        history.append({name: w == 0 for name, w in weights(model).items()})
        sgd = SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=0.01)
        fit(model, data, optimizer=sgd, epochs=1, rng=rng, progress=False)

    pruning.prune_gradually(model, 0.9, 4, fine_tune, block=(1, 4), scope="layer")
    for earlier in history:
        assert all((w[earlier[name]] == 0).all() for name, w in weights(model).items())
    removed = [sum(int(gone.sum()) for gone in step.values()) for step in history]
    assert len(removed) == 4 and removed == sorted(removed) and removed[0] < removed[-1]


@given(share=st.floats(0, 1), scope=st.sampled_from(["global", "layer"]))
def test_exactly_the_asked_number_of_weights_is_kept_and_they_are_the_largest(share, scope):
    model = pruning.prune_weights(net(), share, scope=scope)
    kept, whole = pruning.kept_weights(model), weights(net())
    groups = [[*kept]] if scope == "global" else [[name] for name in kept]
    for names in groups:
        mask = np.concatenate([kept[name].ravel() for name in names])
        size = np.abs(np.concatenate([whole[name].ravel() for name in names]))
        assert mask.sum() == round((1 - share) * mask.size)
        if 0 < mask.sum() < mask.size:
            assert size[mask].min() >= size[~mask].max()


def test_shares_by_layer_leave_the_others_whole():
    kept = pruning.kept_weights(pruning.prune_weights(net(), {"4": 0.75}))
    assert kept["4"].mean() == 0.25 and kept["0"].all() and kept["9"].all()


@given(
    inputs=st.integers(1, 9),
    outputs=st.integers(1, 40),
    share=st.floats(0, 1),
    block=st.sampled_from([(1, 16), (4, 3)]),
)
def test_blocks_are_kept_or_lost_as_one_and_the_kept_ones_weigh_most(inputs, outputs, share, block):
    rng = np.random.default_rng(inputs * 100 + outputs)
    model = nn.Sequential(nn.Dense(inputs, outputs, rng=rng))
    whole = np.abs(model[0].weight.data)
    pruning.prune_weights(model, share, block=block)
    mask, sums = pruning.kept_weights(model)["0"], {True: [], False: []}
    for i in range(0, inputs, block[0]):
        for o in range(0, outputs, block[1]):
            part = mask[i : i + block[0], o : o + block[1]]
            assert part.all() or not part.any()
            sums[bool(part.all())].append(whole[i : i + block[0], o : o + block[1]].sum())
    assert len(sums[True]) == round((1 - share) * (len(sums[True]) + len(sums[False])))
    if sums[True] and sums[False]:
        assert min(sums[True]) >= max(sums[False]) - 1e-6


def test_blocks_are_those_that_the_sparse_kernel_packs(rng):
    model = nn.Sequential(nn.Dense(30, 50, rng=rng))
    pruning.prune_weights(model, 0.7, block=(1, 16))
    packed = pack_blocks(effective(model[0], "weight"))
    assert len(packed.values) == round(0.3 * 30 * 4)  # 50 outputs make four columns of blocks


def test_two_of_four_keeps_exactly_two_of_every_four_inputs_and_the_larger_ones(rng):
    model = nn.Sequential(nn.Conv2d(8, 5, 3, rng=rng), nn.Flatten(), nn.Dense(20, 7, rng=rng))
    whole = weights(model)
    pruning.prune_n_of_m(model)
    for name, mask in pruning.kept_weights(model).items():
        inputs, outputs = mask.shape[-2:]
        for tap in mask.reshape(-1, inputs, outputs):
            assert (tap.reshape(inputs // 4, 4, outputs).sum(1) == 2).all()
        groups = np.abs(whole[name]).reshape(-1, 4, outputs)
        kept = mask.reshape(-1, 4, outputs)
        assert (np.where(kept, groups, np.inf).min(1) >= np.where(kept, -np.inf, groups).max(1)).all()


@given(m=st.integers(1, 6), data=st.data())
def test_n_of_m_keeps_exactly_n_of_every_m(m, data):
    n = data.draw(st.integers(1, m))
    model = nn.Sequential(nn.Dense(60, 3, rng=np.random.default_rng(m)))
    pruning.prune_n_of_m(model, n, m)
    assert (pruning.kept_weights(model)["0"].reshape(60 // m, m, 3).sum(1) == n).all()


def test_patterns_compose_and_what_is_gone_stays_gone(rng):
    model = nn.Sequential(nn.Dense(16, 16, rng=rng))
    pruning.prune_weights(model, 0.5)
    first = pruning.kept_weights(model)["0"]
    pruning.prune_n_of_m(model)
    second = pruning.kept_weights(model)["0"]
    assert not (second & ~first).any() and (second.reshape(4, 4, 16).sum(1) <= 2).all()


def test_fan_in_counts_the_connections_of_each_neuron(rng):
    model = nn.Sequential(nn.Conv2d(3, 4, 2, rng=rng))
    pruning.prune_weights(model, 0.5)
    assert pruning.fan_in(model[0]).tolist() == [
        np.count_nonzero(effective(model[0], "weight")[..., o]) for o in range(4)
    ]
    assert pruning.fan_in(model[0]).sum() == 24


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda m: pruning.prune_weights(m, 1.2), "from 0 to 1"),
        (lambda m: pruning.prune_weights(m, "0.5"), "from 0 to 1, got '0.5'"),
        (lambda m: pruning.prune_weights(m, 0.5, "magnitude"), "such as pruning.magnitude; got 'magnitude'"),
        (lambda m: pruning.prune_weights(pruning.prune_weights(m, 0.9), 0.5), "gone already"),
        (lambda m: pruning.prune_weights(m, {"x": 0.5}), "no prunable layer is called"),
        (lambda m: pruning.prune_weights(m, 0.5, scope="net"), "scope"),
        (lambda m: pruning.prune_weights(m, 0.5, block=(0, 4)), "block"),
        (lambda m: pruning.prune_weights(m, 0.5, pruning.neuron_magnitude), "neuron criteria"),
        (lambda m: pruning.prune_n_of_m(m), r"layer 0.*1 inputs.*layers=\['4', '9'\]"),
        (lambda m: pruning.prune_n_of_m(m, 3, 2), "1 <= n <= m"),
        (lambda m: pruning.prune_n_of_m(m, layers=["x"]), "no prunable layer is called"),
        (lambda m: pruning.add_mask(m[0], "weight", np.ones(3)), r"so must be the mask, which is \(3,\)"),
        (lambda m: pruning.prune_gradually(m, 0.5, 0, lambda *_: None), "steps"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(call, reason):
    with pytest.raises((TypeError, ValueError), match=reason):
        call(net())


def test_a_depthwise_filter_has_no_inputs_to_choose_among(rng):
    with pytest.raises(ValueError, match="DepthwiseConv2d.*1 inputs"):
        pruning.prune_n_of_m(nn.Sequential(nn.DepthwiseConv2d(4, 4, rng=rng)))


def test_a_net_that_diverged_is_not_pruned():
    model = net()
    model[0].weight.data = model[0].weight.data * np.float32(np.nan)
    with pytest.raises(ValueError, match="not finite"):
        pruning.prune_weights(model, 0.5)


def test_the_sensitivity_scan_prunes_one_layer_at_a_time_and_leaves_the_model_alone(data):
    model, seen = net(), []

    def prune(copy, shares):
        pruned = pruning.prune_weights(copy, shares)
        seen.append({name: float(1 - mask.mean()) for name, mask in pruning.kept_weights(pruned).items()})
        return pruned

    scan = pruning.sensitivity(model, data, (0.0, 0.5), prune)
    assert [*scan] == ["0", "4", "9"] and all(len(found) == 2 for found in scan.values())
    assert len({found[0] for found in scan.values()}) == 1  # nothing removed is the same net whichever the layer
    assert seen == [{"0": 0.0, "4": 0.0, "9": 0.0} | {name: share} for name in scan for share in (0.0, 0.5)]
    assert pruning.sparsity(model) == 0


def test_a_block_is_judged_by_its_living_weights_alone():
    net = nn.Sequential(nn.Dense(4, 1, rng=np.random.default_rng(0)))
    net[0].weight.data = np.float32([[2.5], [9], [1], [1]])
    pruning.add_mask(net[0], "weight", np.array([[True], [False], [True], [True]]))
    pruning.prune_weights(net, 0.5, block=(2, 1))
    assert pruning.kept_weights(net)["0"].ravel().tolist() == [True, False, False, False]
