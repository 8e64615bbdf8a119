"""A teacher for students that see shifted images: its outputs for every image and shift, computed once."""

import numpy as np

from ..data import window
from ..nn import Module
from ..tensor import Tensor
from ..training import predict
from .soft_targets import DistillationLoss

AT_ONCE = 1000  # images that are shifted and predicted together, so that mapped ones are not all copied into memory


class ShiftedTargets:
    """A teacher's outputs for images shifted by one pixel in all directions, so that it need not run during training:

        lesson = ShiftedTargets(teacher, x, labels)
        fit(student, lesson.train, augment=lesson.shift, loss=lesson.loss, ...)

    x: images (N, H, W, C), labels (N,). fill: the colour of the pixel that is added on each side (see `data.shift`).
    mirrored: whether half of the images are mirrored, too. logits: (1 or, if mirrored, 2, 3, 3, N, classes), float32, by the row
    and column of the window in the padded image. The targets are those of a teacher that runs on every batch (Beyer et al. 2022
    call it a consistent one), but with a large teacher and many epochs they take a fraction of the time. Raises ValueError for
    images of another shape, or unless each has a label.
    """

    def __init__(
        self,
        teacher: Module,
        x: np.ndarray,
        labels: np.ndarray,
        temperature: float = 2.0,
        alpha: float = 0.9,
        fill: float | np.ndarray = 0.0,
        mirrored: bool = False,
    ):
        if len(x) != len(labels) or x.ndim != 4:
            raise ValueError(
                f"ShiftedTargets: expected images (N, H, W, C) and one label per image, got {x.shape} and {np.shape(labels)}"
            )
        self.labels, self.criterion, self.fill = labels, DistillationLoss(temperature, alpha), fill
        steps = (1, -1) if mirrored else (1,)
        self.logits = np.array(
            [[[self._outputs(teacher, x, top, left, step) for left in range(3)] for top in range(3)] for step in steps]
        )
        self.train = x, np.arange(len(x))

    def _outputs(self, teacher: Module, x: np.ndarray, top: int, left: int, step: int) -> np.ndarray:
        """The teacher's logits (N, classes) for one shift of all images, mirrored if step is -1."""
        parts = (x[i : i + AT_ONCE] for i in range(0, len(x), AT_ONCE))
        moved = (window(part, top, left, fill=self.fill)[:, :, ::step] for part in parts)
        return np.concatenate([predict(teacher, np.ascontiguousarray(part)) for part in moved])

    def shift(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change the images x (N, H, W, C) as `data.shift` does and, if mirrored, then `data.mirror`, with the same draws. The
        next `loss` refers to these images."""
        self._places = rng.integers(0, 3, size=(2, len(x)))
        self._mirrored = np.zeros(len(x), int) if len(self.logits) == 1 else (rng.random(len(x)) < 0.5).astype(int)
        y = window(x, *self._places, fill=self.fill)
        y[self._mirrored == 1] = y[self._mirrored == 1, :, ::-1]
        return y

    def loss(self, outputs: Tensor, rows: np.ndarray) -> Tensor:
        """`DistillationLoss` for the images that `shift` returned last. outputs: the student's logits (batch, classes).
        rows: the images' indices in x (batch,)."""
        logits = self.logits[self._mirrored, *self._places, rows]
        return self.criterion.between(outputs, logits, self.labels[rows])
