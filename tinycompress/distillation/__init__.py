"""Chapter 2: knowledge distillation. A small net, the student, learns from the outputs of a large one, the teacher.

    targets               teacher_targets: the teacher's outputs, computed once; ShiftedTargets: for images shifted by a pixel
    losses                DistillationLoss: at a temperature T, with T², mixed with the labels; match_logits: T → infinity
    several teachers      Ensemble: averaged as probabilities or logits
    hidden layers         HintedStudent and HintLoss: hints through a `regressor`; hidden_outputs
    unseen classes        without_classes drops some from the training data; correct_bias corrects the student's bias later

Everything takes any `nn.Module`. Targets are a structured array, so `fit` shuffles and splits them like labels.

>>> import numpy as np
>>> from tinycompress import data, evaluate, fit, models, optim
>>> from tinycompress.distillation import DistillationLoss, teacher_targets
>>> digits, rng = data.load("digits"), np.random.default_rng(0)
>>> def trained(width, targets, **how):
...     net = models.mlp(digits.image_shape, (width,), 10, rng=rng)
...     sgd = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
...     fit(net, (digits.x_train, targets), optimizer=sgd, epochs=8, rng=rng, progress=False, **how)
...     return net
>>> teacher = trained(64, digits.y_train)
>>> targets = teacher_targets(teacher, *digits.train)
>>> targets.dtype.names
('logits', 'label')
>>> student = trained(16, targets, loss=DistillationLoss(temperature=4, alpha=0.9))
>>> evaluate(student, digits.val).accuracy > 0.9
True
"""

from ..text import names
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

names.answer()
