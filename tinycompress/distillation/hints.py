"""Hints: hidden layers of the student learn hidden layers of the teacher (Romero et al. 2015, FitNets)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from .. import functional as F
from ..graph import no_grad
from ..nn import Conv2d, Dense, Flatten, Module, PointwiseConv2d, Sequential
from ..tensor import Tensor
from .targets import hidden_outputs


class HintedStudent(Module):
    """A net with one regressor per pair of layers, which predicts the teacher's layer from the student's.

        student = HintedStudent(net, teacher, {"5": "3"}, rng=rng)  # the net's layer 5 learns the teacher's layer 3
        targets = teacher_targets(teacher, x, labels, layers=student.pairs.values())
        fit(student, (x, targets), loss=HintLoss(DistillationLoss(), weight=1), optimizer=SGD(student.parameters()), …)

    pairs: the student's layer -> the teacher's, by dotted names (see `named_modules`). In training mode the output is
    (logits, guesses), where guesses maps the teacher's layer to the regressor's output; in evaluation mode it is the
    net's output. After training, keep `student.net` alone. input_shape: of one example; the net's own if None. Raises
    ValueError for unknown layers, and if no regressor can be built (see `regressor`).
    """

    def __init__(self, net: Module, teacher: Module, pairs: dict[str, str], input_shape=None, *, rng):
        input_shape = input_shape or getattr(net, "input_shape", None) or getattr(teacher, "input_shape", None)
        if input_shape is None:
            raise ValueError(
                "HintedStudent: the net's input shape is not known; pass input_shape, for example (28, 28, 1)"
            )
        if not pairs or len(set(pairs.values())) < len(pairs):
            raise ValueError(
                f"HintedStudent: pairs map layers of the net to layers, each once, of the teacher; got {pairs}"
            )
        self.net, self.pairs = net, dict(pairs)
        example = np.zeros((1, *input_shape), np.float32)
        with no_grad(), net.evaluation(), teacher.evaluation():
            guided, hints = (hidden_outputs(m, example, p)[1] for m, p in ((net, pairs), (teacher, pairs.values())))
        self.regressors = [regressor(g.shape[1:], h.shape[1:], rng=rng) for g, h in zip(guided, hints, strict=True)]

    def forward(self, x):
        if not self.training:
            return self.net(x)
        logits, guided = hidden_outputs(self.net, x, self.pairs)
        guesses = [regress(hidden) for regress, hidden in zip(self.regressors, guided, strict=True)]
        return logits, dict(zip(self.pairs.values(), guesses, strict=True))

    def extra_repr(self) -> str:
        return f"{self.net!r}, {self.pairs}"


def regressor(student_shape, teacher_shape, *, rng: np.random.Generator) -> Module:
    """A linear layer from the student's hidden output to the teacher's shape. Shapes are without the batch axis.

    Vectors: a dense layer. Images: a convolution without padding, just large enough to shrink the student's image to the
    teacher's (1×1 if they have the same size), with far fewer parameters than a dense one (Romero et al. 2015, section
    2.2). Image to vector: flattened, then dense. Raises ValueError if the image would have to grow.
    """
    ranks = len(student_shape), len(teacher_shape)
    if ranks == (1, 1):
        return Dense(*student_shape, *teacher_shape, rng=rng)
    if ranks == (3, 1):
        return Sequential(Flatten(), Dense(prod(student_shape), *teacher_shape, rng=rng))
    if ranks == (3, 3) and student_shape[0] >= teacher_shape[0] and student_shape[1] >= teacher_shape[1]:
        (*image, inputs), (*smaller, outputs) = student_shape, teacher_shape
        kernel = tuple(s - t + 1 for s, t in zip(image, smaller, strict=True))
        return (
            PointwiseConv2d(inputs, outputs, rng=rng) if kernel == (1, 1) else Conv2d(inputs, outputs, kernel, rng=rng)
        )
    raise ValueError(
        f"no regressor maps {tuple(student_shape)} to {tuple(teacher_shape)}: it can keep or shrink an image, not "
        "enlarge it; choose an earlier layer of the student or a later one of the teacher"
    )


@dataclass(frozen=True)
class HintLoss:
    """on_outputs(logits, targets) + weight * the mean squared error of the guesses, averaged over the hints.

    The second term is equation 3 of Romero et al. 2015, except for its factor ½ and its sum over units. on_outputs: a loss
    such as `DistillationLoss`, or None for the first stage of FitNets, where only the hints train the lower layers. Raises
    ValueError for a weight below 0, and for targets without the teacher's hidden layers.
    """

    on_outputs: Callable[[Tensor, np.ndarray], Tensor] | None
    weight: float = 1.0

    def __post_init__(self):
        if not self.weight >= 0:
            raise ValueError(f"HintLoss: the weight must not be negative, got {self.weight}")

    def __call__(self, outputs: tuple[Tensor, dict[str, Tensor]], targets: np.ndarray) -> Tensor:
        logits, guesses = outputs
        hidden = targets["hidden"] if "hidden" in (targets.dtype.names or ()) else np.empty(0, [])
        if missing := [layer for layer in guesses if layer not in (hidden.dtype.names or ())]:
            raise ValueError(
                f"HintLoss: the targets hold no layer {missing[0]!r} of the teacher; "
                "pass layers=student.pairs.values() to teacher_targets"
            )
        hints = sum(F.mse_loss(guess, hidden[layer]) for layer, guess in guesses.items())
        loss = hints * (self.weight / len(guesses))
        return loss if self.on_outputs is None else self.on_outputs(logits, targets) + loss
