"""Bias correction for classes that a student has never seen."""

import numpy as np

from ..graph import no_grad
from ..guards import computes_as
from ..nn import Dense, Module, trace
from ..training import predict


def correct_bias(model: Module, x: np.ndarray, frequencies, classes) -> np.ndarray:
    """Shift the output biases of `classes`, in place, until the model predicts each of them as often as it occurs in x.

    A student that never saw a class has learned too low a bias for it (Hinton et al. 2015, section 3, who chose the
    shift on the test set). Here the shift makes mean(softmax(logits + shift)) over x equal `frequencies` at these
    classes. No labels are read; x may be any images with these classes, except the test split. frequencies: (classes,),
    the share of each class in x, for example a teacher's mean probabilities. Returns the shifts, one per class in `classes`.

    The shift is unique: it minimises the convex mean(logsumexp(logits + shift)) - shift · frequencies, here by iterative
    scaling, as priors are adjusted in Saerens et al. 2002. Raises ValueError for frequencies that no finite shift can
    reach, and for a model whose last layer is not a dense layer with a bias.
    """
    classes, frequencies = np.atleast_1d(classes), np.asarray(frequencies, np.float64)
    layer = _output_layer(model, x[:1])
    logits = predict(model, x).astype(np.float64)
    if frequencies.shape != logits.shape[1:]:
        raise ValueError(
            f"correct_bias: {logits.shape[1]} classes need as many frequencies, got shape {frequencies.shape}"
        )
    wanted = frequencies[classes]
    if len(classes) == len(frequencies) and np.isclose(wanted.sum(), 1, rtol=1e-5):
        wanted = wanted / wanted.sum()  # of float32 probabilities, which are rounded
    if not (wanted > 0).all() or wanted.sum() > 1 or (wanted.sum() == 1 and len(classes) < len(frequencies)):
        raise ValueError(
            f"correct_bias: the frequencies of {classes.tolist()} are {wanted.tolist()}; each must be above 0 and, unless "
            "all classes are corrected, their sum below 1: no bias can make a class impossible or certain"
        )
    shift = np.zeros(len(classes))
    for _ in range(10_000):
        p = np.exp(logits - logits.max(1, keepdims=True))
        expected = (p / p.sum(1, keepdims=True)).mean(0)[classes]
        if np.abs(expected - wanted).max() < 1e-7:
            break
        step = np.log(wanted / np.maximum(expected, 1e-300))
        shift += step
        logits[:, classes] += step
    bias = layer.bias.data.copy()
    bias[classes] += shift
    layer.bias.data = bias
    return shift


def _output_layer(model: Module, x) -> Dense:
    """The layer whose output is the model's."""
    with trace() as calls, no_grad(), model.evaluation():
        out = model(x)
    layer = next(module for module, _, output in calls if output is out)
    if not computes_as(layer, Dense) or layer.latent("bias") is None or layer.parametrizations("bias"):
        raise ValueError(
            f"correct_bias: the last layer is {layer!r}; it must be a dense layer with a bias that is not parametrized "
            "(bake() removes parametrizations)"
        )
    return layer
