"""Chapter 1: network pruning. Remove what a net does not need: single weights, or whole neurons.

    single weights       prune_weights, prune_n_of_m (2:4), or add_mask for your own mask; sparsity, kept_weights, fan_in
    gradually            prune_gradually, along the `cubic` schedule; sensitivity: how much pruning each layer tolerates;
                         shares_from_scan: how much to remove of each, by what it tolerates
    importance           magnitude, taylor (by the gradient); for neurons neuron_magnitude, neuron_taylor, activation (share
                         of zeros), batch_norm_scale after training with the penalty batch_norm_l1 (network slimming)
    neurons, channels    mask_neurons switches them off, remove_neurons takes them out; channel_groups: which belong together
    before pruning       targeted_dropout: drop, while training, what pruning would remove afterwards
    lottery tickets      iterative_pruning, rewind, shuffle_masks
    widening             widen: more neurons, the same function

Pruning works in place, through masks (parametrizations): a pruned weight stays 0, whatever an optimiser does. Removing
neurons and widening return new nets. All functions take any `nn.Module` of dense and convolution layers; if one cannot do
what is asked, its error says why.

>>> import numpy as np
>>> from tinycompress import models, pruning
>>> net = models.lenet_300_100((8, 8, 1), 10, rng=np.random.default_rng(0))
>>> net.summary().parameters
50610
>>> round(pruning.sparsity(pruning.prune_weights(net.copy(), 0.9)), 3)  # 90 % of the weights gone: an irregular net
0.9
>>> small = pruning.remove_neurons(net, pruning.keep_neurons(net, 0.5))  # half the neurons gone: a smaller net
>>> small.summary().parameters
17810
>>> wide = pruning.widen(small, {"1": 300}, rng=np.random.default_rng(1))
>>> x = np.random.default_rng(2).standard_normal((5, 8, 8, 1), np.float32)
>>> np.allclose(wide(x).data, small(x).data, atol=1e-5)
True
"""

from ..channels import Channels, channel_groups
from ..text import names
from .gradual import cubic, prune_gradually
from .importance import (
    activation,
    batch_norm_l1,
    batch_norm_scale,
    magnitude,
    magnitude_per_bit,
    neuron_magnitude,
    neuron_taylor,
    prunable,
    taylor,
)
from .neurons import keep_neurons, mask_neurons, remove_dead_neurons, remove_neurons
from .sensitivity import sensitivity, shares_from_scan
from .targeted_dropout import TargetedDropout, targeted_dropout
from .tickets import iterative_pruning, rewind, shuffle_masks
from .weights import add_mask, fan_in, kept_weights, prune_n_of_m, prune_weights, sparsity
from .widening import widen

__all__ = [
    "Channels",
    "TargetedDropout",
    "activation",
    "add_mask",
    "batch_norm_l1",
    "batch_norm_scale",
    "channel_groups",
    "cubic",
    "fan_in",
    "iterative_pruning",
    "keep_neurons",
    "kept_weights",
    "magnitude",
    "magnitude_per_bit",
    "mask_neurons",
    "neuron_magnitude",
    "neuron_taylor",
    "prunable",
    "prune_gradually",
    "prune_n_of_m",
    "prune_weights",
    "remove_dead_neurons",
    "remove_neurons",
    "rewind",
    "sensitivity",
    "shares_from_scan",
    "shuffle_masks",
    "sparsity",
    "targeted_dropout",
    "taylor",
    "widen",
]

names.answer()
