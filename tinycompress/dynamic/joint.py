"""One loss for a net with several outputs, such as exits or widths: the weighted sum of their losses."""

from dataclasses import dataclass

import numpy as np

from .. import functional as F
from ..tensor import Tensor


@dataclass(frozen=True)
class JointLoss:
    """The sum over outputs i of weights[i] ((1 - distil) cross_entropy(z_i, label) + distil T² KL(z_last / T || z_i / T)).

    weights: one per output, by default 1 (Teerapittayanon et al. 2016, section III-B). An output of weight 0 costs nothing.
    distil: from 0 to 1, how much the others learn from the last output (the largest width or the deepest exit) instead of
    from the labels. No gradient flows into that teacher, which learns from the labels only (Yu & Huang 2019, section 3.3:
    inplace distillation). Pass it as `fit(..., loss=JointLoss())`, for a net whose outputs in training mode are a tuple, the
    cheapest first. Raises ValueError for weights or a distil out of range, and TypeError for outputs that are not a tuple.
    """

    weights: tuple[float, ...] | None = None
    distil: float = 0.0
    temperature: float = 1.0

    def __post_init__(self):
        if self.weights is not None and (min(self.weights, default=-1) < 0 or sum(self.weights) == 0):
            raise ValueError(f"JointLoss: weights must be 0 or more, and at least one above 0; got {self.weights}")
        if not 0 <= self.distil <= 1:
            raise ValueError(f"JointLoss: distil must be a share from 0 to 1; got {self.distil}")

    def __call__(self, outputs: tuple[Tensor, ...], labels: np.ndarray) -> Tensor:
        if not isinstance(outputs, tuple):
            raise TypeError(
                "JointLoss: expected a tuple of outputs, as a MultiExit or Slimmable returns in training mode; got "
                f"{type(outputs).__name__}; use cross_entropy for an ordinary net"
            )
        weights = self.weights or (1.0,) * len(outputs)
        if len(weights) != len(outputs):
            raise ValueError(f"JointLoss: {len(weights)} weights for {len(outputs)} outputs; give one per output")
        return sum(w * self._loss(z, outputs[-1], labels) for z, w in zip(outputs, weights, strict=True) if w)

    def _loss(self, logits: Tensor, teacher: Tensor, labels) -> Tensor:
        if logits is teacher or self.distil == 0:
            return F.cross_entropy(logits, labels)
        soft = self.distil * F.kl_div(logits, teacher, self.temperature)
        return soft if self.distil == 1 else soft + (1 - self.distil) * F.cross_entropy(logits, labels)
