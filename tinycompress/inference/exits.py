"""Early exits in the form for prediction."""

import numpy as np

from ..dynamic import EarlyExit


class InferenceExits(EarlyExit):
    """An `EarlyExit` whose stages and heads are each an `InferenceNet`: arrays instead of tensors, and no search through the
    modules for their modes. Nothing is computed for images that have left."""

    inference_only = True
    nbytes = 0  # its arrays are those of its nets

    def run(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, classes) from the exit at which each image of x (N, …) left, and the exits' numbers (N,), from 0."""
        if len(x) == 1:
            return self._run_one(x)
        logits, exits = None, np.empty(len(x), np.int64)
        here = np.arange(len(x))  # the images that have not left
        for i, (stage, head) in enumerate(zip(self.net.stages, self.net.heads, strict=True)):
            x = stage.run(x)
            threshold = self.thresholds[i] if i < len(self.thresholds) else 0.0
            if threshold == 1:
                continue
            out = head.run(x)
            leaves = self.score(out) >= threshold if threshold else np.ones(len(out), bool)
            if len(leaves) and not leaves.any():
                continue
            if logits is None:
                logits = np.empty((len(exits), out.shape[1]), out.dtype)
            logits[here[leaves]], exits[here[leaves]] = out[leaves], i
            here, x = here[~leaves], x[~leaves]
            if not len(here):
                break
        return logits, exits

    def _run_one(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `run`, for one image: there is nothing to put together, which would take as long as a small stage."""
        for i, (stage, head) in enumerate(zip(self.net.stages, self.net.heads, strict=True)):
            x = stage.run(x)
            threshold = self.thresholds[i] if i < len(self.thresholds) else 0.0
            if threshold == 1:
                continue
            out, left = head.run(x), i
            if not threshold or self.score(out)[0] >= threshold:
                break
        return out, np.array([left])
