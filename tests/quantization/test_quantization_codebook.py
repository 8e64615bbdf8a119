"""Nets that run from their codebooks predict what the clustered nets do, in an eighth of the memory."""

import numpy as np
import pytest

import tinycompress as tc
from tinycompress import models, nn, profiling
from tinycompress.pruning import prune_weights
from tinycompress.quantization import CodebookDense, cluster_weights, pack_codebook
from tinycompress.quantization.codebook import FEW_ROWS


@pytest.fixture
def net(rng):
    net = models.lenet_300_100((8, 8, 1), 10, rng=rng)
    for layer in (net[1], net[3], net[5]):
        layer.bias.data = rng.normal(0, 1, layer.bias.shape)
    return net


@pytest.mark.parametrize("pruned, k", [(0, 16), (0, 1), (0.8, 15)])
@pytest.mark.parametrize("batch", [0, 1, FEW_ROWS, FEW_ROWS + 1, 40])
def test_it_predicts_what_the_clustered_net_predicts(net, rng, pruned, k, batch):
    net = cluster_weights(prune_weights(net, pruned) if pruned else net, k)
    packed = pack_codebook(net)
    assert sum(isinstance(layer, CodebookDense) for layer in packed) == 3
    x = rng.random((batch, 8, 8, 1), np.float32)
    np.testing.assert_allclose(packed(x).data, net.copy().eval()(x).data, rtol=1e-4, atol=1e-5)


def test_a_weight_takes_four_bits(rng):
    net = cluster_weights(nn.Sequential(nn.Dense(256, 128, rng=rng), input_shape=(256,)))
    packed = pack_codebook(net)
    table_and_bias = 4 * (16 + 128)
    assert packed[0].nbytes == 256 * 128 // 2 + table_and_bias == profiling.stored_bytes(packed)


def test_convolutions_and_layers_that_are_not_clustered_stay_as_they_are(rng):
    net = models.lenet_5((8, 8, 1), 10, rng=rng)
    dense = [name for name, layer in net.named_modules() if isinstance(layer, nn.Dense)]
    packed = pack_codebook(cluster_weights(net, {dense[0]: 8}))
    assert [name for name, layer in packed.named_modules() if isinstance(layer, CodebookDense)] == dense[:1]
    x = rng.random((3, 8, 8, 1), np.float32)
    np.testing.assert_allclose(tc.predict(packed, x), tc.predict(net, x), rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_four_bits_is_refused(net, rng):
    with pytest.raises(ValueError, match="16 values, but the weight has 17"):
        pack_codebook(cluster_weights(net.copy(), 17))
    with pytest.raises(ValueError, match="16 values, but the weight has 17.* k=15"):
        pack_codebook(cluster_weights(prune_weights(net.copy(), 0.5), 16))
    net[1].replace("weight", nn.Parameter(net[1].weight.data.astype(np.float64)))
    with pytest.raises(ValueError, match="float64"):
        pack_codebook(cluster_weights(net, 4))
