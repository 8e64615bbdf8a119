"""Pruning whole neurons and channels: only the sizes of layers change, so the smaller net is an ordinary one.

`keep_neurons` chooses, `mask_neurons` switches the others off in place, and `remove_neurons` returns a new, smaller model
without them that computes the same. All three work on any net that `channel_groups` can follow, so channels that are
added to each other are pruned together; any layer that writes a group may name it.
"""

import numpy as np

from ..channels import Channels, by_group, channel_groups, select_channels
from ..nn import Module
from ..nn.weighted import effective
from ..text.names import keywords
from .importance import Importance, neuron_magnitude
from .weights import add_mask

OURS = dict.fromkeys(("amount", "share", "sparsity"), "kept, which may be the share to remove")


def keep_neurons(
    model: Module,
    share: float | dict[str, float],
    importance: Importance = neuron_magnitude,
    scope: str = "layer",
) -> dict[str, np.ndarray]:
    """Choose the neurons to keep, in their old order: the most important `share`, but at least one per group.

    share: from 0 to 1, of each hidden layer (scope "layer") or of all together (scope "global": one threshold), or a
    dict of layer name -> share; layers not named stay whole. importance: one that scores neurons (`neuron_magnitude`,
    `neuron_taylor`, `activation`, `batch_norm_scale`). Returns layer name -> indices. Raises ValueError for another scope or
    share, an unknown layer, and an importance that is not finite or not one number per neuron.

    >>> from tinycompress import models
    >>> kept = keep_neurons(models.mlp((8, 8, 1), (8,), 10, rng=0), 0.5)
    >>> {name: len(neurons) for name, neurons in kept.items()}
    {'1': 4}
    """
    scores, groups = importance(model), channel_groups(model)
    for name, score in scores.items():
        neurons = groups[name].count if name in groups and not groups[name].held else 0
        if np.shape(score) != (neurons,):
            raise ValueError(
                f"keep_neurons: layer {name} has {neurons or 'no'} neurons to choose from, but its importance has the shape "
                f"{np.shape(score)}; use one of neurons, such as neuron_magnitude, not of single weights"
            )
        if not np.isfinite(score).all():
            raise ValueError(f"keep_neurons: the importance of layer {name} is not finite; did its training diverge?")
    if scope not in ("layer", "global"):
        raise ValueError(f'keep_neurons: scope must be "layer" or "global", got {scope!r}')
    shares = share if isinstance(share, dict) else dict.fromkeys(scores, share)
    if wrong := [s for s in shares.values() if not 0 <= s <= 1]:
        raise ValueError(f"keep_neurons: the share to keep must be from 0 to 1, got {wrong[0]}")
    counts = {name: round(s * group.count) for name, (group, s) in by_group(model, shares).items()}
    if scope == "global" and not isinstance(share, dict):
        counts = _above_one_threshold(scores, share)
    return {name: np.sort(_ranked(scores[name])[: max(1, count)]) for name, count in counts.items()}


@keywords(**OURS)
def mask_neurons(model: Module, kept: dict[str, np.ndarray] | float) -> Module:
    """Switch off, in place, every neuron that is not kept: its weights, its bias, and the weights that read it.

    kept: layer name -> indices (n,) of the neurons to keep, as `keep_neurons` returns them. A number is the share to switch off,
    as in `prune_weights`: 0.9 keeps the tenth of each layer that `keep_neurons` chooses. Returns the model.
    """
    for group, index in _checked(model, kept):
        alive = np.zeros(group.count, bool)
        alive[index] = True
        for layer, array, axis in group.arrays():
            if array not in dict(layer.named_parameters()):
                continue  # batch norm's statistics stay: a channel whose scale and bias are 0 is 0
            shape = layer.latent(array).shape
            along = np.resize(alive, shape[axis])  # after Flatten, each pixel holds all channels
            add_mask(layer, array, np.broadcast_to(along if axis == -1 else along[:, None], shape))
    return model


@keywords(**OURS)
def remove_neurons(model: Module, kept: dict[str, np.ndarray] | float) -> Module:
    """A new, smaller model with only the kept neurons; its outputs equal those of `mask_neurons(model, kept)`.

    kept: layer name -> indices, or the share to remove, as in `mask_neurons`. Masked weights stay masked. Raises ValueError
    for a net whose channels cannot be followed (`channel_groups`), an unknown layer, wrong indices, and the output layer,
    whose classes must all stay.

    >>> import tinycompress as tc
    >>> net = tc.models.lenet_300_100((8, 8, 1), 10, rng=np.random.default_rng(0))
    >>> remove_neurons(net, keep_neurons(net, 0.5))
    Sequential(Flatten(), Dense(64, 150), ReLU(), Dense(150, 50), ReLU(), Dense(50, 10))
    """
    return select_channels(model, {group.name: index for group, index in _checked(model, kept)})


def remove_dead_neurons(model: Module) -> Module:
    """A new, smaller model without dead neurons and channels: those that weight pruning left without inputs or outputs,
    and those that die with them. The model itself if none is dead.

    A neuron without inputs still passes on a constant that its bias makes; that constant is lost, and the layers after
    it learn to do without. A layer without living neurons keeps one. Errors are those of `remove_neurons`.
    """
    while True:
        alive = {name: _alive(group) for name, group in channel_groups(model).items() if not group.held}
        if all(neurons.all() for neurons in alive.values()):
            return model
        kept = {name: np.flatnonzero(neurons) if neurons.any() else np.arange(1) for name, neurons in alive.items()}
        smaller = remove_neurons(model, kept)
        if all(len(kept[name]) == len(neurons) for name, neurons in alive.items()):
            return smaller
        model = smaller


def _alive(group: Channels) -> np.ndarray:
    """Which channels of the group have inputs and outputs that are not pruned: booleans (count,)."""
    gets, passes = np.zeros(group.count, int), np.zeros(group.count, int)
    for layer in group.writers.values():
        weight = effective(layer, "weight")
        gets += np.count_nonzero(weight.reshape(-1, weight.shape[-1]), axis=0)
    for layer in group.readers.values():
        weight = effective(layer, "weight")  # (…, pixels * count, out)
        passes += np.count_nonzero(weight, axis=-1).reshape(-1, group.count).sum(0)
    return (gets > 0) & (passes > 0)


def _checked(model: Module, kept: dict[str, np.ndarray] | float) -> list[tuple[Channels, np.ndarray]]:
    """(group, indices) of everything in `kept`, after all of it has been checked."""
    if not isinstance(kept, dict):
        if not isinstance(kept, int | float | np.number) or not 0 <= kept <= 1:
            raise ValueError(f"the share of neurons to remove must be from 0 to 1, got {kept!r}")
        kept = keep_neurons(model, 1 - kept)
    checked = [(group, group.checked(index)) for group, index in by_group(model, kept).values()]
    for group, index in checked:
        if len(np.unique(index)) != len(index):
            raise ValueError(f"layer {group.name}: the indices to keep must differ from each other, got {index}")
    return checked


def _ranked(scores: np.ndarray) -> np.ndarray:
    """Most important first; ties go to the earlier neuron."""
    return np.argsort(-scores, kind="stable")


def _above_one_threshold(scores: dict[str, np.ndarray], share: float) -> dict[str, int]:
    """How many neurons of each layer are among the most important `share` of all."""
    owner = np.repeat(np.arange(len(scores)), [len(score) for score in scores.values()])
    best = _ranked(np.concatenate([*scores.values()]))[: round(share * len(owner))]
    return dict(zip(scores, np.bincount(owner[best], minlength=len(scores)).tolist(), strict=True))
