"""Lottery tickets: a pruned net reset to its initial weights (Frankle & Carbin 2019), and the nets to compare it with.

    start = net.state_dict()
    for trained in iterative_pruning(net, train, rounds=15):
        ticket = rewind(trained.copy(), start)              # the winning ticket: the mask and the initial weights
        early = rewind(trained.copy(), after_500_steps)     # rewound to an early step instead (Frankle et al. 2020)
        other = rewind(trained.copy(), fresh.state_dict())  # the mask only, with the weights of a fresh net
        shuffled = shuffle_masks(ticket.copy(), rng)        # the weights, and only the sparsity of each layer

If `ticket` trains to a better net than `other` and `shuffled`, the mask and the initial weights belong together.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ..nn import Mask, Module
from .importance import Importance, magnitude, prunable
from .weights import kept_weights, prune_weights, sparsity


def iterative_pruning(
    model: Module,
    train: Callable[[Module], object],
    rounds: int,
    share: float | dict[str, float] = 0.2,
    start: dict[str, np.ndarray] | None = None,
    importance: Importance = magnitude,
    scope: str = "layer",
) -> Iterator[Module]:
    """Train, remove a share, rewind, repeat (Frankle & Carbin 2019, section 1). Yields a copy of the net after each
    training: first the whole net, then one net per round.

    train(model) trains in place. share: how much of the remaining weights each round removes, per layer or overall
    (scope "layer" or "global"); or a dict of layer name -> share. start: the state to rewind to, from `state_dict`; by
    default the model's state at the beginning. The model is changed in place. Raises ValueError for another scope, before it
    trains.
    """
    if scope not in ("layer", "global"):
        raise ValueError(f'iterative_pruning: scope must be "layer" or "global", got {scope!r}')
    start = model.state_dict() if start is None else start
    train(model)
    yield model.copy()
    for _ in range(rounds):
        if scope == "global" and not isinstance(share, dict):
            prune_weights(model, 1 - (1 - sparsity(model)) * (1 - share), importance)
        else:
            left = {name: mask.mean() for name, mask in kept_weights(model).items()}
            shares = share if isinstance(share, dict) else dict.fromkeys(left, share)
            prune_weights(model, {name: 1 - left.get(name, 1) * (1 - s) for name, s in shares.items()}, importance)
        rewind(model, start)
        train(model)
        yield model.copy()


def rewind(model: Module, state: dict[str, np.ndarray]) -> Module:
    """Reset every weight and buffer to `state`, in place, but keep the masks. Returns the model.

    state: name -> array, from `state_dict` of this net, or of another one with the same layers and shapes, before or after
    pruning; masks in it are ignored. Raises ValueError if it does not fit.
    """
    own = {name: mask for name, mask in model.named_buffers() if _is_mask(name)}
    return model.load_state_dict({name: values for name, values in state.items() if not _is_mask(name)} | own)


def shuffle_masks(model: Module, rng: np.random.Generator) -> Module:
    """Shuffle each layer's mask in place: as many weights as before, at random positions. Returns the model."""
    for layer in prunable(model).values():
        mask = layer.parametrization("weight", Mask)
        if mask is not None:
            mask.mask = rng.permutation(mask.mask.ravel()).reshape(mask.mask.shape)
    return model


def _is_mask(name: str) -> bool:
    return name.endswith(".mask")
