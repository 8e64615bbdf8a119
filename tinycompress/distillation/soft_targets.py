"""Losses on a teacher's outputs. Targets are the rows of `teacher_targets`."""

import math
from dataclasses import dataclass

import numpy as np

from .. import functional as F
from ..tensor import Tensor, record
from ..text.names import keywords


@keywords(T="temperature")
@dataclass(frozen=True)
class DistillationLoss:
    """alpha T² KL(softmax(v / T) || softmax(z / T)) + (1 - alpha) cross_entropy(z, label), averaged over the batch.

    z are the student's logits and v the teacher's (Hinton et al. 2015, section 2). temperature T: above 0; at infinity the
    first term becomes its limit, `match_logits`. alpha: from 0 (labels only) to 1 (soft targets only, without labels).
    Pass it as `fit(..., loss=DistillationLoss(4, 0.9))`, with `teacher_targets` as targets; in a loop of your own, call it
    with (z, v, labels). Raises ValueError for a temperature or alpha out of range, and for targets that lack what the loss
    needs.

    >>> from tinycompress import models
    >>> from tinycompress.distillation import teacher_targets
    >>> teacher, student = (models.mlp((8, 8, 1), (width,), 10, rng=0) for width in (64, 8))
    >>> x, labels = np.ones((3, 8, 8, 1), np.float32), np.array([0, 1, 2])
    >>> loss = DistillationLoss(temperature=4, alpha=0.9)
    >>> loss(student(x), teacher_targets(teacher, x, labels)).item() > 0
    True
    """

    temperature: float = 4.0
    alpha: float = 0.9

    def __post_init__(self):
        if not self.temperature > 0:
            raise ValueError(f"DistillationLoss: the temperature must be above 0, got {self.temperature}")
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"DistillationLoss: alpha is the share of the soft targets, from 0 to 1; got {self.alpha}")

    def __call__(self, logits: Tensor, targets: np.ndarray | Tensor, labels: np.ndarray | None = None) -> Tensor:
        if labels is not None:  # the targets are the teacher's logits
            return self.between(logits, targets, labels)
        labels = _field(targets, "label") if self.alpha < 1 else None
        teacher = _field(targets, "logits") if self.alpha > 0 else None
        return self.between(logits, teacher, labels)

    def between(self, logits: Tensor, teacher: np.ndarray | Tensor | None, labels: np.ndarray | None) -> Tensor:
        """The same loss, given the teacher's logits (N, classes) and labels (N,). One with weight 0 may be None."""
        if self.alpha == 1:
            return self._soft(logits, teacher)
        hard = F.cross_entropy(logits, labels)
        return hard if self.alpha == 0 else self.alpha * self._soft(logits, teacher) + (1 - self.alpha) * hard

    def _soft(self, logits, teacher):
        return (
            match_logits(logits, teacher)
            if math.isinf(self.temperature)
            else F.kl_div(logits, teacher, self.temperature)
        )


def match_logits(logits: Tensor, target_logits: np.ndarray | Tensor) -> Tensor:
    """The sum over classes of (z - v)² / (2 classes), averaged over the batch, with each row of z and v centred at 0.

    It is the limit of T² KL for T → ∞ (Hinton et al. 2015, equation 4), and the loss of Ba & Caruana 2014 except for the
    centring, which removes the constant that a softmax ignores. logits, target_logits: (N, classes), else ValueError.
    """
    target = target_logits.data if isinstance(target_logits, Tensor) else target_logits
    target = np.asarray(target, logits.dtype)
    if logits.ndim != 2 or target.shape != logits.shape or target.size == 0:
        raise ValueError(
            f"match_logits: expected two arrays of logits (N, classes), got {logits.shape} and {target.shape}; "
            "the teacher must have seen the same batch and know the same classes"
        )
    difference = logits.data - target
    difference -= difference.mean(1, keepdims=True)
    value = (difference**2).mean() / 2
    return record(value, (logits, lambda g: g * difference / difference.size))


def _field(targets: np.ndarray, name: str) -> np.ndarray:
    names = getattr(targets, "dtype", np.dtype(float)).names or ()
    if name not in names:
        fix = "pass labels to teacher_targets, or learn from soft targets alone (alpha=1)"
        fix = fix if "logits" in names else "as targets, give `fit` what teacher_targets(teacher, x, labels) returns"
        raise ValueError(f"DistillationLoss: the targets have no {name!r}; {fix}")
    return targets[name]
