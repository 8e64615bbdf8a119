"""Importance criteria for weights, neurons and channels. Each maps a model to {layer name: scores}; the lowest scores are
pruned first.

Weights: scores of the weight's shape, for `prune_weights`. Neurons and channels: one score each, (count,), for
`keep_neurons`; channels tied by an addition are scored together, under their group's name (`channel_groups`). A criterion
that needs data is built by a function that takes the data: `taylor((x, labels))(model)`.
"""

from collections.abc import Callable, Iterator

import numpy as np

from .. import functional as F
from ..channels import Channels, channel_groups
from ..graph import no_grad
from ..guards import idle_latents
from ..nn import BatchNorm, Module, ReLU, trace
from ..nn.weighted import effective
from ..nn.weighted import weighted_layers as prunable
from ..tensor import Tensor

Importance = Callable[[Module], dict[str, np.ndarray]]
Data = tuple[np.ndarray, np.ndarray]
Loss = Callable[[Tensor, np.ndarray], Tensor]


# Weights.


def magnitude(model: Module) -> dict[str, np.ndarray]:
    """|w| of every prunable weight (Han et al. 2015, section 3)."""
    return {name: np.abs(_judged(layer)) for name, layer in prunable(model).items()}


def _judged(layer: Module) -> np.ndarray:
    """The trained values behind a weight, or the weight itself if those are no longer trained (clusters)."""
    return effective(layer, "weight") if idle_latents(layer) else layer.latent("weight").data


VALUE_BITS = 2.0  # roughly what one clustered, entropy-coded value takes


def magnitude_per_bit(model: Module) -> dict[str, np.ndarray]:
    """|w| / sqrt(bits that w takes in a file): setting w to 0 costs about w² and saves its bits.

    The bits are those of its value and of its position. A code that knows the density of each row and column of the
    matrix takes -log2(p) bits per position, with p = row's density * column's density / overall density: weights in
    dense rows and columns are cheap to locate, isolated ones expensive. As weights concentrate in some rows and
    columns, the same number of them takes fewer and fewer bits, and whole neurons and inputs disappear.
    """
    return {
        name: np.abs(_judged(layer)) / np.sqrt(VALUE_BITS + _place_bits(effective(layer, "weight") != 0))
        for name, layer in prunable(model).items()
    }


def _place_bits(alive: np.ndarray) -> np.ndarray:
    matrix = _by_output(alive)
    rows = (matrix.sum(1, keepdims=True) + 0.5) / (matrix.shape[1] + 1)  # smoothed, so that no density is 0 or 1
    columns = (matrix.sum(0, keepdims=True) + 0.5) / (matrix.shape[0] + 1)
    p = rows * columns / max(matrix.mean(), 0.5 / matrix.size)
    return -np.log2(np.clip(p, 0.5 / matrix.size, 1)).astype(np.float32).reshape(alive.shape)


def taylor(data: Data, batch_size: int = 64, loss: Loss = F.cross_entropy) -> Importance:
    """|w dL/dw|, averaged over batches: the first-order change of the loss when w becomes 0 (Molchanov et al. 2017,
    section 2.2, who score channels this way; LeCun et al. 1990 go to the second order).

    data: x (N, …) and the targets of the loss. Use training data, never the test split.
    """

    def importance(model: Module) -> dict[str, np.ndarray]:
        layers = prunable(model)
        scores = {name: np.zeros(layer.latent("weight").shape, np.float32) for name, layer in layers.items()}
        batches = 0
        for _ in _gradients(model, data, batch_size, loss):
            for name, layer in layers.items():
                scores[name] += np.abs(_weight_times_gradient(name, layer))
            batches += 1
        return {name: score / batches for name, score in scores.items()}

    return importance


# Neurons and channels.


def neuron_magnitude(model: Module) -> dict[str, np.ndarray]:
    """The Euclidean norm of each channel's incoming weights, over all layers that write it (Li et al. 2017, section 3.1,
    who take the sum of absolute values)."""
    return {
        name: np.sqrt(sum((_by_output(effective(layer, "weight")) ** 2).sum(0) for layer in group.writers.values()))
        for name, group in _free_groups(model)
    }


def neuron_taylor(data: Data, batch_size: int = 64, loss: Loss = F.cross_entropy) -> Importance:
    """|sum of a dL/da| over a channel's values a in the batch, averaged over batches: the first-order
    change of the loss when the channel becomes 0 (Molchanov et al. 2017, section 2.2; batch_size=1 takes the absolute
    value per example, as they do).

    The values a are those that the channel's readers see. A reader is linear in them, so the sum of a dL/da over all
    values equals the sum of w dL/dw over the weights that read them, and no activations need to be recorded.
    """

    def importance(model: Module) -> dict[str, np.ndarray]:
        groups = _free_groups(model)
        scores, batches = {name: np.zeros(group.count, np.float32) for name, group in groups}, 0
        for _ in _gradients(model, data, batch_size, loss):
            for name, group in groups:
                change = sum(
                    _by_channel(_weight_times_gradient(layer_name, layer), group.count)
                    for layer_name, layer in group.readers.items()
                )
                scores[name] += np.abs(change)
            batches += 1
        return {name: score / batches for name, score in scores.items()}

    return importance


def activation(x: np.ndarray, batch_size: int = 512) -> Importance:
    """The share of nonzero values of each channel's ReLU, over the examples x (N, …) and all pixels: 1 - APoZ, the average
    percentage of zeros (Hu et al. 2016, equation 1). Raises ValueError if no ReLU follows."""

    def importance(model: Module) -> dict[str, np.ndarray]:
        relus = {name: group.passing(ReLU) for name, group in _free_groups(model)}
        if without := [name for name, some in relus.items() if not some]:
            raise ValueError(
                f"activation: no ReLU follows layer {without[0]}, so its outputs are hardly ever 0; use "
                "neuron_magnitude or neuron_taylor"
            )
        shares = {id(relu): 0.0 for some in relus.values() for relu in some}
        for start in range(0, len(x), batch_size):
            with no_grad(), model.evaluation(), trace() as calls:
                model(x[start : start + batch_size])
            for module, _, out in calls:
                if id(module) in shares:
                    pixels = out.data.reshape(-1, out.shape[-1])
                    shares[id(module)] += (pixels > 0).mean(0) * len(out) / len(x)
        counts = {name: group.count for name, group in _free_groups(model)}
        return {
            name: np.mean([np.mean(shares[id(relu)].reshape(-1, counts[name]), axis=0) for relu in some], axis=0)
            for name, some in relus.items()
        }

    return importance


def batch_norm_scale(model: Module) -> dict[str, np.ndarray]:
    """|gamma|, the factor by which batch norm scales a channel (Liu et al. 2017, Network Slimming, section 3). Most telling after
    training with `batch_norm_l1`.

    The mean over the batch norms that a channel passes, over tied channels and, after Flatten, over pixels. Where layers are
    compared, a sum would keep every channel that several layers write, such as those between a ResNet's blocks. Raises ValueError
    for a layer without batch norm.
    """
    scores = {}
    for name, group in _free_groups(model):
        norms = group.passing(BatchNorm)
        if not norms:
            raise ValueError(
                f"batch_norm_scale: no batch norm follows layer {name}; use a net with batch norm, or neuron_magnitude"
            )
        scales = [np.abs(effective(norm, "weight")).reshape(-1, group.count) for norm in norms]
        scores[name] = np.concatenate(scales).mean(0)
    return scores


def batch_norm_l1(model: Module) -> Tensor:
    """The sum of |gamma| over all batch norms, for a loss that drives unneeded channels to 0 (Liu et al. 2017,
    equation 1):

        fit(model, …, loss=lambda outputs, labels: cross_entropy(outputs, labels) + 1e-3 * batch_norm_l1(model))

    Raises ValueError for a model without batch norms.
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    if not norms:
        raise ValueError("batch_norm_l1: the model has no batch norm whose scales could be driven to 0")
    return sum((norm.weight.abs().sum() for norm in norms[1:]), norms[0].weight.abs().sum())


def _free_groups(model: Module) -> list[tuple[str, Channels]]:
    return [(name, group) for name, group in channel_groups(model).items() if not group.held]


def _gradients(model: Module, data: Data, batch_size: int, loss: Loss) -> Iterator[None]:
    """Yield once per batch, with its gradients in the parameters; in evaluation mode, as the pruned net will run."""
    x, y = data
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(
            f"taylor: got {len(x)} inputs and {len(y)} targets; give one target per input, and at least one"
        )
    with model.evaluation():
        for start in range(0, len(x), batch_size):
            model.zero_grad()
            loss(model(x[start : start + batch_size]), y[start : start + batch_size]).backward()
            yield
    model.zero_grad()


def _weight_times_gradient(name: str, layer: Module) -> np.ndarray:
    weight = layer.latent("weight")
    if weight.grad is None:
        raise ValueError(f"taylor: no gradient reaches layer {name}; is it frozen, or left out of the loss?")
    return weight.data * weight.grad


def _by_output(weight: np.ndarray) -> np.ndarray:
    return weight.reshape(-1, weight.shape[-1])


def _by_channel(reading: np.ndarray, count: int) -> np.ndarray:
    """Sum over everything but the channel that is read: (…, pixels * count, out) -> (count,)."""
    return reading.sum(-1).reshape(-1, count).sum(0)
