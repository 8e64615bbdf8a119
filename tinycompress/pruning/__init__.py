"""Chapter 1: network pruning. Single weights (`prune_weights`, `prune_n_of_m`), a little at a time
(`prune_gradually`), whole neurons and channels (`remove_neurons`), by any of several criteria of importance; lottery
tickets, and the way back: `widen`."""

from ..nn.channels import Channels, channel_groups
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
from .sensitivity import sensitivity
from .tickets import iterative_pruning, rewind, shuffle_masks
from .weights import add_mask, fan_in, kept_weights, prune_n_of_m, prune_weights, sparsity
from .widening import widen

__all__ = [
    "Channels",
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
    "shuffle_masks",
    "sparsity",
    "taylor",
    "widen",
]
