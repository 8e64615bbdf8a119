"""Chapter 1: network pruning. Weights one by one (`prune_weights`), a little at a time (`prune_gradually`), or whole
neurons and channels (`remove_neurons`)."""

from .gradual import cubic, prune_gradually
from .neurons import keep_neurons, mask_neurons, neuron_magnitude, remove_neurons
from .weights import add_mask, fan_in, magnitude, prunable, prune_weights, sparsity

__all__ = [
    "add_mask",
    "cubic",
    "fan_in",
    "keep_neurons",
    "magnitude",
    "mask_neurons",
    "neuron_magnitude",
    "prunable",
    "prune_gradually",
    "prune_weights",
    "remove_neurons",
    "sparsity",
]
