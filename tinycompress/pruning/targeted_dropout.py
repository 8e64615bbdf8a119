"""Targeted dropout: while training, drop what pruning would remove afterwards (Gomez et al. 2019).

targeted_dropout(net, share=0.75, p=0.5, rng=rng)                # single weights, for prune_weights
targeted_dropout(net, share=0.75, p=0.5, rng=rng, neurons=True)  # whole neurons, for keep_neurons
"""

import numpy as np

from ..channels import channel_groups
from ..guards import all_or_nothing
from ..nn import Module
from ..tensor import record
from .importance import prunable


class TargetedDropout(Module):
    """Parametrization: in training mode, each target becomes 0 with probability p; in evaluation mode, nothing changes.

    Targets are the `share` smallest of each neuron's incoming weights (Gomez et al. 2019, "Learning Sparse Networks Using
    Targeted Dropout", section 3) or, with `neurons`, the `share` of the layer's neurons whose incoming weights have the
    smallest norm. A neuron loses all its incoming weights at once. Which ones are the smallest is found anew in each
    forward pass, so a weight that grows is no longer a target. As in the paper, what stays is not scaled up. With share=1,
    everything is a target, as in ordinary dropout of weights (Wan et al. 2013, DropConnect).

    Raises ValueError for a share outside 0 to 1 and for p outside [0, 1).
    """

    def __init__(self, share: float, p: float, *, rng: np.random.Generator, neurons: bool = False):
        if not 0 <= share <= 1:
            raise ValueError(f"TargetedDropout: the share that may be dropped must be from 0 to 1, got {share}")
        if not 0 <= p < 1:
            raise ValueError(f"TargetedDropout: p, the probability to drop a target, must lie in [0, 1); got {p}")
        self.share, self.p, self.rng, self.neurons = share, p, rng, neurons

    def forward(self, latent):
        if not self.training:
            return latent
        size = np.abs(latent.data).reshape(-1, latent.shape[-1])  # (inputs, neurons)
        if self.neurons:
            size = np.linalg.norm(size, axis=0)[:, None]  # (neurons, 1)
        kept = ~(smallest(size, self.share) & (self.rng.random(size.shape, np.float32) < self.p))
        kept = np.broadcast_to(kept[:, 0], latent.shape) if self.neurons else kept.reshape(latent.shape)
        return record(latent.data * kept, (latent, lambda g: g * kept))

    def take(self, kept, axis: int) -> "TargetedDropout":
        """The same parametrization for a smaller weight; it does not depend on the weight's shape."""
        return TargetedDropout(self.share, self.p, rng=self.rng, neurons=self.neurons)

    def extra_repr(self) -> str:
        return f"{self.p} of the smallest {self.share:.0%}" + (" neurons" if self.neurons else "")


def smallest(size: np.ndarray, share: float) -> np.ndarray:
    """Booleans (n, columns): the int(share * n) smallest values of each column of `size`, and all that equal the last of them."""
    count = int(share * len(size))
    return size <= np.partition(size, count - 1, axis=0)[count - 1] if count else np.zeros(size.shape, bool)


def targeted_dropout(
    model: Module, share: float, p: float, *, rng: np.random.Generator, neurons: bool = False
) -> Module:
    """Train the model's weights from now on with `TargetedDropout`, in place. Returns the model.

    Every prunable layer gets one; with `neurons`, every layer that writes hidden neurons or channels. `bake()` takes it out
    again. Raises ValueError for settings out of range, for a layer that has one already, and, with `neurons`, for a net whose
    channels cannot be followed (`channel_groups`).
    """
    layers = [*prunable(model).values()]
    if neurons:
        groups = channel_groups(model).values()
        layers = [layer for group in groups if not group.held for layer in group.writers.values()]
    with all_or_nothing(model):
        for layer in layers:
            layer.parametrize("weight", TargetedDropout(share, p, rng=rng, neurons=neurons))
    return model
