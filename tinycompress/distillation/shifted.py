"""A teacher for students that see shifted images: what it says of each image at each place, computed once."""

import numpy as np

from ..data import window
from ..nn import Module
from ..tensor import Tensor
from ..training import predict
from .soft_targets import DistillationLoss


class ShiftedTargets:
    """A teacher's outputs for images moved by one pixel in all directions, so that it rests while students train:

        lesson = ShiftedTargets(teacher, x, labels)
        fit(student, lesson.train, augment=lesson.shift, loss=lesson.loss, ...)

    x: images (N, H, W, C), labels (N,). logits: (3, 3, N, classes), float32, by the row and column where the image
    begins in its frame of one pixel of zeros. For a large teacher and many epochs it takes a fraction of the time of a
    teacher that answers each batch anew, and gives the same targets.
    """

    def __init__(
        self, teacher: Module, x: np.ndarray, labels: np.ndarray, temperature: float = 2.0, alpha: float = 0.9
    ):
        if len(x) != len(labels) or x.ndim != 4:
            raise ValueError(
                f"ShiftedTargets: expected images (N, H, W, C) and as many labels, got {x.shape} and {np.shape(labels)}"
            )
        self.labels, self.criterion = labels, DistillationLoss(temperature, alpha)
        self.logits = np.array([[predict(teacher, window(x, top, left)) for left in range(3)] for top in range(3)])
        self.train = x, np.arange(len(x))

    def shift(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As `data.shift`, which draws the same; the next `loss` is of these images."""
        self._places = rng.integers(0, 3, size=(2, len(x)))
        return window(x, *self._places)

    def loss(self, outputs: Tensor, rows: np.ndarray) -> Tensor:
        """`DistillationLoss` for the images that `shift` made last. outputs: the student's logits (batch, classes); rows:
        the images' places in x (batch,)."""
        return self.criterion.between(outputs, self.logits[*self._places, rows], self.labels[rows])
