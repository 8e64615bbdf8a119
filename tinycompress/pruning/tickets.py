"""Lottery tickets: a pruned net put back to where it began (Frankle & Carbin 2019), and the nets to compare it with.

    start = net.state_dict()
    for trained in iterative_pruning(net, train, rounds=15):
        ticket = rewind(trained.copy(), start)              # the winning ticket: the mask and the numbers it began with
        early = rewind(trained.copy(), after_500_steps)     # rewound to an early step instead (Frankle et al. 2020)
        other = rewind(trained.copy(), fresh.state_dict())  # the mask alone, re-initialised like a fresh net
        shuffled = shuffle_masks(ticket.copy(), rng)        # the numbers, and each layer's sparsity, alone

A ticket trained from `ticket` that beats `other` and `shuffled` shows that mask and numbers belong together.
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
    """Train, remove a share, rewind, and again (Frankle & Carbin 2019, section 1): yields a copy of the net after each
    training, first of the whole net, then after each of the rounds.

    train(model) trains in place. share: how much of what is left each round removes, of each layer's own or of all
    (scope "layer" or "global"); or a dict of layer name -> share. start: the state to rewind to, as `state_dict` gave
    it; by default that at the beginning. The model is worked on in place.
    """
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
    """Put every weight and buffer back to `state`, in place, and leave the masks as they are. Returns the model.

    state: what `state_dict` gave for this net, or for another one of the same layers, before or after pruning; its
    masks, if any, do not count. Raises ValueError where it does not fit.
    """
    own = {name: mask for name, mask in model.named_buffers().items() if _is_mask(name)}
    return model.load_state_dict({name: values for name, values in state.items() if not _is_mask(name)} | own)


def shuffle_masks(model: Module, rng: np.random.Generator) -> Module:
    """Give each layer as many weights in other places, drawn at random, in place. Returns the model."""
    for layer in prunable(model).values():
        mask = layer.parametrization("weight", Mask)
        if mask is not None:
            mask.mask = rng.permutation(mask.mask.ravel()).reshape(mask.mask.shape)
    return model


def _is_mask(name: str) -> bool:
    return name.endswith(".mask")
