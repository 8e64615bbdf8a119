"""A teacher's outputs, computed once, as targets that `fit` shuffles and batches like labels."""

import numpy as np

from ..data import Dataset
from ..graph import no_grad
from ..nn import Module, trace
from ..tensor import Tensor


def teacher_targets(
    teacher: Module, x: np.ndarray | tuple | Dataset, labels=None, layers=(), batch_size: int = 512
) -> np.ndarray:
    """The teacher's outputs for x (N, …) as one structured array of N rows, in evaluation mode and without a graph.

    x may be a pair (x, labels), such as `data.train`, for which a Dataset stands.
    Fields: "logits" (classes,); "label" if labels (N,) are given; "hidden" if `layers` are given: a record with the
    output of each of these hidden layers, by dotted name. The array is batched like any targets, so the teacher runs
    only once, however long the student trains. Images that `augment` changes keep the targets of the originals. Raises
    ValueError for outputs that are not finite class scores, and for labels or layers that do not fit.

    >>> from tinycompress import models
    >>> teacher = models.mlp((8, 8, 1), (64,), 10, rng=0)
    >>> targets = teacher_targets(teacher, np.ones((5, 8, 8, 1), np.float32), labels=np.arange(5))
    >>> targets["logits"].shape, targets["label"].tolist()
    ((5, 10), [0, 1, 2, 3, 4])
    """
    x = x.train if isinstance(x, Dataset) else x
    if isinstance(x, tuple):
        x, labels = x if labels is None else (x[0], labels)
    layers = list(layers)
    if labels is not None and np.shape(labels) != (len(x),):
        raise ValueError(
            f"teacher_targets: {len(x)} inputs and labels of shape {np.shape(labels)}; give one label per input"
        )
    if len(x) == 0:
        raise ValueError("teacher_targets: there are no inputs")
    parts = []
    with no_grad(), teacher.evaluation():
        for i in range(0, len(x), batch_size):
            logits, hidden = hidden_outputs(teacher, x[i : i + batch_size], layers)
            parts.append([out.data for out in (logits, *hidden)])
    logits, *hidden = (np.concatenate(part) for part in zip(*parts, strict=True))
    if logits.ndim != 2 or not np.isfinite(logits).all():
        raise ValueError(
            f"teacher_targets: the teacher's outputs have shape {logits.shape}"
            + ("; expected (N, classes)" if logits.ndim != 2 else " but are not all finite; did its training diverge?")
        )
    fields = [("logits", logits.dtype, logits.shape[1:])]
    if labels is not None:
        fields.append(("label", np.int64))
    if layers:
        fields.append(("hidden", [(name, h.dtype, h.shape[1:]) for name, h in zip(layers, hidden, strict=True)]))
    targets = np.empty(len(x), fields)
    targets["logits"] = logits
    if labels is not None:
        targets["label"] = labels
    for name, values in zip(layers, hidden, strict=True):
        targets["hidden"][name] = values
    return targets


def hidden_outputs(model: Module, x, layers) -> tuple[Tensor, list[Tensor]]:
    """The model's output for x, and the outputs of the layers with these dotted names (see `named_modules`).

    All are tensors of one graph: a loss on a hidden output sends its gradient back through the layers before it. Raises
    ValueError for an unknown layer, and for one that does not run exactly once.
    """
    modules = dict(model.named_modules())
    if unknown := [name for name in layers if name not in modules]:
        known = ", ".join(name for name in modules if name)
        raise ValueError(f"the model has no layer {unknown[0]!r}; it has {known}")
    with trace() as calls:
        out = model(x)
    hidden = []
    for name in layers:
        outputs = [output for module, _, output in calls if module is modules[name]]
        if len(outputs) != 1:
            raise ValueError(f"layer {name} runs {len(outputs)} times in one pass; choose one that runs once")
        hidden += outputs
    return out, hidden


def without_classes(data: tuple[np.ndarray, np.ndarray], classes) -> tuple[np.ndarray, np.ndarray]:
    """The rows of data = (x, labels) whose label is not in `classes`: training data without these classes.

    Raises ValueError for a class that does not occur, and if no row is left.
    """
    x, labels = data
    classes = np.unique(classes)
    if missing := [int(c) for c in classes if c not in labels]:
        raise ValueError(f"without_classes: no label is {missing}; the labels are {np.unique(labels).tolist()}")
    kept = ~np.isin(labels, classes)
    if not kept.any():
        raise ValueError(f"without_classes: without {classes.tolist()} nothing is left; leave out fewer classes")
    return x[kept], labels[kept]
