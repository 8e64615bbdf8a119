"""What makes a weight, a neuron or a channel important. Each criterion maps a model to {layer name: scores}, low ones
go first.

Weights: scores of the weight's shape, for `prune_weights`. Neurons and channels: one score each, (count,), for
`keep_neurons`; channels that are tied by an addition have one score for the whole group, under its name
(`channel_groups`). What needs data to judge by is built by a function that takes them: `taylor((x, labels))(model)`.
"""

from collections.abc import Callable, Iterator

import numpy as np

from .. import functional as F
from ..channels import Channels, channel_groups
from ..graph import no_grad
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
    """The trained values behind a weight, or what stands in their place where they are no longer trained (clusters)."""
    return effective(layer, "weight") if layer.idle_latents() else layer.latent("weight").data


VALUE_BITS = 2.0  # about what a clustered and entropy-coded value takes


def magnitude_per_bit(model: Module) -> dict[str, np.ndarray]:
    """|w| / sqrt(bits that w takes in a file): to set w to 0 costs about w² and saves its bits.

    The bits are those of its value and of its place. A code that knows how full each row and column of the matrix is
    takes -log2(p) for a place, p = row's share * column's share / share of all: weights in full rows and columns are
    cheap to tell, lonely ones expensive. As the mask fills some and empties others, the same number of weights takes
    ever fewer bits, and whole neurons and inputs go.
    """
    return {
        name: np.abs(_judged(layer)) / np.sqrt(VALUE_BITS + _place_bits(effective(layer, "weight") != 0))
        for name, layer in prunable(model).items()
    }


def _place_bits(alive: np.ndarray) -> np.ndarray:
    matrix = _by_output(alive)
    rows = (matrix.sum(1, keepdims=True) + 0.5) / (matrix.shape[1] + 1)  # as if half of one more were there
    columns = (matrix.sum(0, keepdims=True) + 0.5) / (matrix.shape[0] + 1)
    p = rows * columns / max(matrix.mean(), 0.5 / matrix.size)
    return -np.log2(np.clip(p, 0.5 / matrix.size, 1)).astype(np.float32).reshape(alive.shape)


def taylor(data: Data, batch_size: int = 64, loss: Loss = F.cross_entropy) -> Importance:
    """|w dL/dw|, averaged over batches: to first order, how much the loss changes when w becomes 0 (Molchanov et al.
    2017, section 2.2, who judge channels so; LeCun et al. 1990 go on to the second order).

    data: x (N, …) and targets, by which the loss judges; training data, as the test split is not to be looked at.
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
    """The Euclidean norm of a channel's incoming weights, of all layers that write it (Li et al. 2017, section 3.1, who
    take the sum of absolute values)."""
    return {
        name: np.sqrt(sum((_by_output(effective(layer, "weight")) ** 2).sum(0) for layer in group.writers.values()))
        for name, group in _free_groups(model)
    }


def neuron_taylor(data: Data, batch_size: int = 64, loss: Loss = F.cross_entropy) -> Importance:
    """|sum of a dL/da| over a channel's values a in the batch, averaged over batches: to first order, how much the
    loss changes when the channel becomes 0 (Molchanov et al. 2017, section 2.2; batch_size=1 takes the absolute value
    of each example, as they do).

    The values a are those that the channel's readers see. Since a reader is linear in them, the sum of a dL/da over all
    values equals the sum of w dL/dw over the weights that read them, which needs no record of activations.
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
    """How often a channel's ReLU is not 0 over the examples x (N, …) and all pixels: 1 - APoZ, the average percentage
    of zeros (Hu et al. 2016, equation 1). Raises ValueError where no ReLU follows."""

    def importance(model: Module) -> dict[str, np.ndarray]:
        relus = {name: group.passing(ReLU) for name, group in _free_groups(model)}
        if without := [name for name, some in relus.items() if not some]:
            raise ValueError(
                f"activation: no ReLU follows layer {without[0]}, so its outputs are hardly ever 0; judge it by "
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
        return {name: np.mean([shares[id(relu)] for relu in some], axis=0) for name, some in relus.items()}

    return importance


def batch_norm_scale(model: Module) -> dict[str, np.ndarray]:
    """|gamma|, the factor by which batch norm scales a channel; of tied channels the sum (Liu et al. 2017, Network
    Slimming, section 3). It tells most after training with `batch_norm_l1`. Raises ValueError for a layer without
    batch norm."""
    scores = {}
    for name, group in _free_groups(model):
        norms = group.passing(BatchNorm)
        if not norms:
            raise ValueError(
                f"batch_norm_scale: no batch norm follows layer {name}; use a net with batch norm, or neuron_magnitude"
            )
        scores[name] = sum(np.abs(effective(norm, "weight")) for norm in norms)
    return scores


def batch_norm_l1(model: Module) -> Tensor:
    """The sum of |gamma| over all batch norms, for a loss that drives unneeded channels to 0 (Liu et al. 2017,
    equation 1):

    fit(model, …, loss=lambda outputs, labels: cross_entropy(outputs, labels) + 1e-3 * batch_norm_l1(model))
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    if not norms:
        raise ValueError("batch_norm_l1: the model has no batch norm, whose scales it could drive to 0")
    return sum((norm.weight.abs().sum() for norm in norms[1:]), norms[0].weight.abs().sum())


def _free_groups(model: Module) -> list[tuple[str, Channels]]:
    return [(name, group) for name, group in channel_groups(model).items() if not group.held]


def _gradients(model: Module, data: Data, batch_size: int, loss: Loss) -> Iterator[None]:
    """Leave each batch's gradients in the parameters, in evaluation mode: the very net that is to be pruned."""
    x, y = data
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"taylor: {len(x)} inputs and {len(y)} targets; there must be equally many, and at least one")
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
    """Sums over all but the channel that is read: (…, pixels * count, out) -> (count,)."""
    return reading.sum(-1).reshape(-1, count).sum(0)
