"""Clusters and Huffman codes: what is shared stays shared, zeros stay apart, gradients are sums over members."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinycompress as tc
from tinycompress import functional as F
from tinycompress import models, nn
from tinycompress.nn.weighted import effective
from tinycompress.pruning import prune_weights
from tinycompress.quantization import Clustered, Pull, cluster_weights, entropy, huffman_bits, huffman_code
from tinycompress.tensor import Tensor


@pytest.fixture(scope="module")
def digits():
    return tc.data.load("digits")


def small_net(rng):
    return models.mlp((8, 8, 1), (12,), 10, rng=rng)


def fit(net, digits, rng, lr=0.02, epochs=1, **options):
    optimizer = tc.optim.SGD(net.parameters(), lr, momentum=0.9)
    tc.fit(net, digits.train, optimizer=optimizer, epochs=epochs, rng=rng, progress=False, **options)


def test_a_centroids_gradient_is_the_sum_over_its_members(rng):
    assignments = rng.integers(0, 3, (5, 4))
    latent = Tensor(rng.normal(0, 1, (5, 4)), requires_grad=True)
    latent.data = latent.data * (rng.random((5, 4)) < 0.7)
    step = Clustered(assignments, [0.5, -1, 2])
    g = rng.normal(0, 1, (5, 4))
    step(latent).backward(g)
    alive = latent.data != 0
    assert np.allclose(step.centroids.grad, [g[alive & (assignments == j)].sum() for j in range(3)])
    assert latent.grad is None


@pytest.mark.parametrize("init", ["optimal", "linear", "density", "random"])
def test_weights_take_k_values_and_keep_them_while_the_centroids_learn(digits, rng, init):
    net = cluster_weights(small_net(rng), 5, init, rng)
    before = effective(net[1], "weight")
    fit(net, digits, rng)
    after = effective(net[1], "weight")
    assert len(np.unique(before)) == len(np.unique(after)) == 5
    assert not np.array_equal(before, after)
    for value in np.unique(before):  # members move together
        assert len(np.unique(after[before == value])) == 1


@pytest.mark.parametrize("init", ["linear", "density", "random"])
def test_no_start_leaves_less_error_than_the_default(init, rng):
    net = prune_weights(small_net(rng), 0.5)
    for k in (2, 5, 16, 100):
        best, other = cluster_weights(net.copy(), k), cluster_weights(net.copy(), k, init, rng)
        for i in (1, 3):
            errors = [
                np.sum((effective(some[i], "weight") - effective(net[i], "weight")) ** 2) for some in (best, other)
            ]
            assert errors[0] <= errors[1] * (1 + 1e-5)


def test_masked_weights_stay_zero_and_take_no_part(digits, rng):
    net = prune_weights(small_net(rng), 0.8)
    mask = effective(net[1], "weight") != 0
    cluster_weights(net, 4)
    assert effective(net[1], "weight")[mask].min() < 0 < effective(net[1], "weight")[mask].max()
    fit(net, digits, rng)
    weight = effective(net[1], "weight")
    assert not weight[~mask].any() and len(np.unique(weight[mask])) == 4
    prune_weights(net, 0.9)
    assert tc.pruning.sparsity(net) == pytest.approx(0.9, abs=0.01)
    assert not effective(net[1], "weight")[~net[1].parametrization("weight", nn.Mask).mask].any()


def test_a_layer_without_any_weight_left_can_be_clustered(rng):
    net = prune_weights(small_net(rng), {"1": 1.0})
    cluster_weights(net, 4)
    assert not effective(net[1], "weight").any()


def test_more_clusters_than_values_lose_nothing(rng):
    net = small_net(rng)
    net[3].weight.data = rng.choice(np.array([-1, 0.5, 2], np.float32), net[3].weight.shape)
    before = net[3].weight.data.copy()
    cluster_weights(net, {"3": 16})
    assert np.array_equal(effective(net[3], "weight"), before)
    assert net[1].parametrizations("weight") == []


def test_fine_tuned_centroids_lower_the_training_loss(digits, rng):
    net = small_net(rng)
    fit(net, digits, rng, 0.05, 5)
    cluster_weights(net, 3)
    before = tc.evaluate(net, digits.train).loss
    fit(net, digits, rng, 0.002, 3)
    assert tc.evaluate(net, digits.train).loss < before


@pytest.mark.parametrize("soft", [False, True])
def test_the_pull_brings_weights_to_their_centroids(digits, rng, soft):
    net = small_net(rng)
    fit(net, digits, rng, 0.05, 3)

    def distance(model):
        together = cluster_weights(model.copy(), 4)
        return sum(np.abs(effective(together[i], "weight") - effective(model[i], "weight")).sum() for i in (1, 3))

    before = distance(net)
    pull = Pull(net, 4, strength=1.0, soft=soft)
    fit(net, digits, rng, 0.05, 6, loss=lambda outputs, y: F.cross_entropy(outputs, y) + pull())
    assert distance(net) < 0.6 * before
    assert all(len(centroids) == 4 for centroids in pull.centroids.values())


@pytest.mark.parametrize("soft", [False, True])
def test_the_pulls_gradient_is_that_of_its_parabola(rng, soft):
    net = prune_weights(small_net(rng), 0.5)
    pull = Pull(net, 4, strength=0.7, soft=soft, every=10**6)
    pull().backward()
    latent = net[1].latent("weight")
    g = latent.grad.copy()
    assert not g[~net[1].parametrization("weight", nn.Mask).mask].any()
    index = tuple(np.argwhere(g)[3])
    values = []
    for change in (0.01, -0.01):
        moved = latent.data.copy()
        moved[index] += change
        latent.data, before = moved, latent.data
        values.append(pull().item())
        latent.data = before
    assert g[index] == pytest.approx((values[0] - values[1]) / 0.02, rel=0.02)


def test_the_soft_pull_never_lowers_the_likelihood_of_its_mixture(rng):
    """Each update is a step of expectation maximisation, of which that is the theorem."""
    net = small_net(rng)
    pull = Pull(net, 5, strength=1.0, soft=True)
    w = net[1].weight.data.astype(np.float64).ravel()
    likelihoods = []
    for _ in range(12):
        pull.update()
        means, variances, shares = pull._mixtures["1"]
        p = shares / np.sqrt(2 * np.pi * variances) * np.exp(-0.5 * (w[:, None] - means) ** 2 / variances)
        likelihoods.append(np.log(p.sum(1)).sum())
    assert (np.diff(likelihoods) > -1e-3 * abs(likelihoods[0])).all()
    assert likelihoods[-1] > likelihoods[0]


def test_clustered_layers_can_be_cut(rng):
    net = cluster_weights(small_net(rng), 4)
    before = effective(net[1], "weight")
    small = tc.pruning.remove_neurons(net, {"1": np.array([1, 3, 4])})
    assert np.array_equal(effective(small[1], "weight"), before[:, [1, 3, 4]])


def test_clustered_says_what_does_not_fit():
    with pytest.raises(ValueError, match="2 centroids"):
        Clustered(np.array([[0, 2]]), [1.0, 2.0])


# ---- Huffman ----

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any)


@given(COUNTS)
def test_huffman_lies_between_the_entropy_and_one_bit_more(counts):
    bits = huffman_bits(counts)
    assert entropy(counts) - 1e-9 <= bits <= max(entropy(counts) + 1, 1)
    if np.count_nonzero(counts) > 1:
        assert bits <= np.ceil(np.log2(np.count_nonzero(counts)))


@given(COUNTS)
def test_no_code_begins_with_another_and_rarer_symbols_have_longer_ones(counts):
    code = huffman_code(counts)
    assert set(code) == set(np.flatnonzero(counts).tolist())
    for a, first in code.items():
        for b, second in code.items():
            assert a == b or not second.startswith(first)
            if counts[a] < counts[b]:
                assert len(first) >= len(second)


@pytest.mark.parametrize("k", [0, 257, 2.5, "4"])
def test_a_number_of_clusters_that_a_byte_cannot_count_is_refused(k, rng):
    with pytest.raises(ValueError, match=f"k must be a whole number from 1 to 256, got {k!r}"):
        tc.quantization.cluster_weights(tc.models.mlp(8, 4, 2, rng=rng), k)


def test_entropy_of_known_distributions():
    assert entropy([1, 1, 1, 1]) == 2
    assert entropy([4, 2, 1, 1]) == huffman_bits([4, 2, 1, 1]) == 1.75
    assert entropy([7, 0]) == 0
    with pytest.raises(ValueError, match="not all of them 0"):
        entropy([0, 0])


@pytest.mark.parametrize("wrong", [256, -1, 3])
def test_an_assignment_to_no_centroid_is_refused(wrong):
    with pytest.raises(ValueError, match=f"the assignments go from .*{wrong}.* there are 3 centroids"):
        Clustered(np.array([[0, wrong]]), [1.0, 2.0, 3.0])


def test_a_layer_with_fewer_weights_than_values_is_pulled_and_clustered(rng):
    net = models.mlp((2, 2, 1), (3,), 2, rng=rng)
    prune_weights(net, {"1": 0.7, "3": 0.2})
    pull = Pull(net, 8, 1.0)
    pull()
    cluster_weights(net, 8, init=pull.centroids)
    assert len(np.unique(effective(net[1], "weight"))) <= 5
