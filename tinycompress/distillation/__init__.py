"""Chapter 2: knowledge distillation. A teacher's outputs, computed once, are the targets of a student:

targets = teacher_targets(teacher, x, labels)
fit(student, (x, targets), loss=DistillationLoss(temperature=4, alpha=0.9), ...)

The teacher may be an `Ensemble`; hidden layers are learned too through a `HintedStudent`.
"""

from .bias import correct_bias
from .ensemble import Ensemble
from .hints import HintedStudent, HintLoss, regressor
from .shifted import ShiftedTargets
from .soft_targets import DistillationLoss, match_logits
from .targets import hidden_outputs, teacher_targets, without_classes

__all__ = [
    "DistillationLoss",
    "Ensemble",
    "HintLoss",
    "HintedStudent",
    "ShiftedTargets",
    "correct_bias",
    "hidden_outputs",
    "match_logits",
    "regressor",
    "teacher_targets",
    "without_classes",
]
