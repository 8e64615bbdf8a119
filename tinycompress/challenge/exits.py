"""Exit thresholds inside the file: a `.tcz` has no place for them, so every net leaves at the same probability."""

from collections.abc import Sequence

import numpy as np

from ..dynamic.exits import confidence
from ..graph import no_grad
from ..nn import Dense, Module, MultiExit
from ..tensor import Tensor


def with_thresholds(net: MultiExit, thresholds: Sequence[float], x: np.ndarray, leave_at: float = 0.9) -> MultiExit:
    """A copy of the net that, left at the probability `leave_at` at every exit, lets as many images go at each exit as the
    net does with these thresholds.

    thresholds: one per exit but the last, as `dynamic.choose_thresholds` gives them. x: images (N, H, W, C), of the
    validation split. The last layer of each head is multiplied by a number, as a temperature does (Guo et al. 2017): which
    class is the likeliest stays the same, how likely it is changes. Raises ValueError if a head does not end in `Dense`, or
    for a threshold of 1, with which the exit would only cost: leave it out of the net instead.
    """
    net = net.copy().bake()
    if len(thresholds) != len(net.stages) - 1 or any(t >= 1 for t in thresholds):
        raise ValueError(
            f"with_thresholds: {len(net.stages)} exits need {len(net.stages) - 1} thresholds below 1, got "
            f"{list(thresholds)}; an exit at which nobody leaves should not be in the net"
        )
    h = Tensor(x)
    with no_grad(), net.evaluation():
        for stage, head, threshold in zip(net.stages, net.heads, thresholds, strict=False):
            h = stage(h)
            logits = head(h).data
            share = float((confidence(logits) >= threshold).mean())
            _multiply(_last(head), _factor(logits, share, leave_at))
            h = Tensor(h.data[confidence(logits) < threshold])
            if not len(h.data):
                break
    return net


def _factor(logits: np.ndarray, share: float, leave_at: float) -> float:
    """The number by which to multiply the logits (N, classes) so that this share of them reaches `leave_at`."""
    low, high = -20.0, 20.0  # log2; more certain logits reach a probability more often, so halving finds the place
    for _ in range(60):
        middle = (low + high) / 2
        reached = float((confidence(logits * np.float32(2**middle)) >= leave_at).mean())
        low, high = (middle, high) if reached < share else (low, middle)
    # A little more than enough: weights that were multiplied round otherwise than outputs, which differs between CPUs.
    return 2.0**high * (1 + 1e-5)


def _last(head: Module) -> Dense:
    layer = list(head.modules())[-1]
    if not isinstance(layer, Dense):
        raise ValueError(
            f"with_thresholds: a head should end in Dense, whose outputs can be scaled; this one is {head!r}"
        )
    return layer


def _multiply(layer: Dense, factor: float) -> None:
    for name in ("weight", "bias"):
        if getattr(layer, name) is not None:
            getattr(layer, name).data = (getattr(layer, name).data * factor).astype(np.float32)
