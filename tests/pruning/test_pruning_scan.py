"""Shares of weights by a sensitivity scan: together what was asked for, and each layer alone at about the same accuracy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycompress import models, pruning
from tinycompress.training import Evaluation

SHARES = (0.0, 0.3, 0.6, 0.9)
CURVES = st.lists(st.floats(0, 1), min_size=4, max_size=4)


def net():
    return models.mlp((4, 4, 1), (12, 8), 5, rng=0)


def scan_of(*curves):
    layers = pruning.prunable(net())
    return {name: [Evaluation(a, 0.0) for a in curve] for name, curve in zip(layers, curves, strict=True)}


@given(st.tuples(CURVES, CURVES, CURVES), st.floats(0, 0.9))
def test_together_they_are_the_share_that_was_asked_for(curves, removed):
    found = pruning.shares_from_scan(net(), scan_of(*curves), SHARES, removed)
    sizes = {name: layer.latent("weight").size for name, layer in pruning.prunable(net()).items()}
    assert all(0 <= share <= 0.9 for share in found.values())
    together = sum(found[name] * size for name, size in sizes.items()) / sum(sizes.values())
    # where accuracy jumps, as from 0.9 to 0 within one interval, it is interpolated, so that no share is passed over
    assert together == pytest.approx(removed, abs=1e-4)


def test_a_layer_that_tolerates_more_loses_more_and_all_fall_to_the_same_accuracy():
    tough, weak, middling = [0.9, 0.9, 0.85, 0.7], [0.9, 0.5, 0.3, 0.1], [0.9, 0.8, 0.6, 0.4]
    found = pruning.shares_from_scan(net(), scan_of(tough, weak, middling), SHARES, 0.5)
    a, b, c = found.values()
    assert a > c > b > 0
    fallen = [np.interp(s, SHARES, curve) for s, curve in zip((a, b, c), (tough, weak, middling), strict=True)]
    np.testing.assert_allclose(fallen, fallen[0], atol=1e-6)


def test_a_real_scan_prunes_a_net_to_these_shares():
    rng, model = np.random.default_rng(0), net()
    data = rng.random((40, 4, 4, 1), np.float32), rng.integers(0, 5, 40)
    shares = pruning.shares_from_scan(model, pruning.sensitivity(model, data, SHARES), SHARES, 0.6)
    pruning.prune_weights(model, shares)
    assert pruning.sparsity(model) == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize(
    ("shares", "removed", "message"),
    [((0.1, 0.5), 0.2, "begin with 0"), ((0, 0.5, 0.5), 0.2, "rise"), ((0, 0.5), 0.6, "largest share, 0.5; got 0.6")],
)
def test_what_cannot_be_chosen_is_refused(shares, removed, message):
    curves = [[0.5] * len(shares)] * 3
    with pytest.raises(ValueError, match=message):
        pruning.shares_from_scan(net(), scan_of(*curves), shares, removed)
