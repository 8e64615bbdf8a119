"""Several teachers combined into one."""

from math import log

import numpy as np

from .. import functional as F
from ..graph import no_grad
from ..nn import Module
from ..tensor import Tensor


class Ensemble(Module):
    """A teacher whose outputs average those of its members. It is not trained, and no gradient reaches the members.

    average: "probabilities" for the arithmetic mean: softmax(output / T) is the mean of the members' softmax(logits / T),
    at the temperature T at which a student will learn from it. "logits" for the mean of the logits: the geometric mean
    of the probabilities, at every temperature (Hinton et al. 2015, section 2). Members map inputs to logits (N, classes).
    Raises TypeError for anything but modules, ValueError for another average and for members that know different classes.

    >>> from tinycompress import models
    >>> members = [models.mlp((8, 8, 1), (16,), 10, rng=seed) for seed in range(3)]
    >>> x = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
    >>> mean = np.mean([F.softmax(member(x)).data for member in members], axis=0)
    >>> np.allclose(F.softmax(Ensemble(*members)(x)).data, mean, atol=1e-6)
    True
    """

    def __init__(self, *members: Module, average: str = "probabilities", temperature: float = 1.0):
        if not members or not all(isinstance(member, Module) for member in members):
            raise TypeError(f"Ensemble takes one or more modules, got {members}")
        if average not in ("probabilities", "logits"):
            raise ValueError(f'Ensemble: average must be "probabilities" or "logits", got {average!r}')
        self.members, self.average, self.temperature = list(members), average, temperature

    def forward(self, x):
        with no_grad(), self.evaluation():  # whatever mode the members are in
            outputs = [member(x) for member in self.members]
        if len(shapes := {out.shape for out in outputs}) > 1:
            raise ValueError(
                f"Ensemble: the members' outputs have shapes {sorted(shapes)}; they must know the same classes"
            )
        if self.average == "logits":
            return Tensor(np.mean([out.data for out in outputs], axis=0))
        log_p = [F.log_softmax(out, self.temperature).data for out in outputs]
        return Tensor(self.temperature * (np.logaddexp.reduce(log_p) - log(len(log_p))))

    def extra_repr(self) -> str:
        return ", ".join(map(repr, self.members))
