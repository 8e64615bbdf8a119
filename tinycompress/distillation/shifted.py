"""A teacher for students that see shifted images: its outputs for every image and shift, computed once."""

import numpy as np

from ..data import window
from ..nn import Module
from ..tensor import Tensor
from ..training import predict
from .soft_targets import DistillationLoss


class ShiftedTargets:
    """A teacher's outputs for images shifted by one pixel in all directions, so that it need not run during training:

        lesson = ShiftedTargets(teacher, x, labels)
        fit(student, lesson.train, augment=lesson.shift, loss=lesson.loss, ...)

    x: images (N, H, W, C), labels (N,). logits: (3, 3, N, classes), float32, by the row and column of the
    window in the image padded with one pixel of zeros. The targets are those of a teacher that runs on every batch, but
    with a large teacher and many epochs they take a fraction of the time. Raises ValueError for images of another shape,
    or unless each has a label.
    """

    def __init__(
        self, teacher: Module, x: np.ndarray, labels: np.ndarray, temperature: float = 2.0, alpha: float = 0.9
    ):
        if len(x) != len(labels) or x.ndim != 4:
            raise ValueError(
                f"ShiftedTargets: expected images (N, H, W, C) and one label per image, got {x.shape} and {np.shape(labels)}"
            )
        self.labels, self.criterion = labels, DistillationLoss(temperature, alpha)
        self.logits = np.array([[predict(teacher, window(x, top, left)) for left in range(3)] for top in range(3)])
        self.train = x, np.arange(len(x))

    def shift(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Shift the images x (N, H, W, C) as `data.shift` does, with the same draws. The next `loss` refers to these images."""
        self._places = rng.integers(0, 3, size=(2, len(x)))
        return window(x, *self._places)

    def loss(self, outputs: Tensor, rows: np.ndarray) -> Tensor:
        """`DistillationLoss` for the images that `shift` returned last. outputs: the student's logits (batch, classes).
        rows: the images' indices in x (batch,)."""
        return self.criterion.between(outputs, self.logits[*self._places, rows], self.labels[rows])
