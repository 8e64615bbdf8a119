"""From a net to a small file: train, prune, pull weights together, cluster, fine-tune, round.

`tinycompress compress` runs it, and claim Q5 measures it stage by stage.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from . import data, models
from . import functional as F
from .data import Dataset
from .distillation import DistillationLoss, ShiftedTargets, teacher_targets
from .nn import Module
from .nn.weighted import effective
from .optim import cosine
from .pruning import (
    add_mask,
    channel_groups,
    cubic,
    keep_neurons,
    kept_weights,
    magnitude,
    magnitude_per_bit,
    neuron_taylor,
    prunable,
    prune_weights,
    remove_dead_neurons,
    remove_neurons,
)
from .pruning.importance import Importance
from .quantization import Clustered, FakeQuantize, Pull, cluster_weights, quantize_biases
from .selection import pick_on_validation, train
from .text import names

JUDGES = 6000  # training images used to rank neurons
PULL, PULL_LR = 2.0, 0.03  # strength and learning rate: each step goes 6 % of the way


@dataclass(frozen=True)
class Recipe:
    """The settings of `compress`.

    kept: the share of weights to keep, of all layers together or one per layer in order; 1: no pruning. k: distinct
    values per layer, one number for all layers or one per layer; None: no clustering. dense, prune, pull, tune: epochs
    of training the dense net; of pruning, including the recovery after it; of pulling weights together (see `Pull`); of
    fine-tuning the centroids. swapped: cluster before pruning. distil: learn from the dense net's outputs as well
    (temperature 2). augment: as in `fit`; with distil, `data.shift` or none. per_bit: prune by magnitude per bit, and
    remove neurons as they die. neurons: the share of neurons to keep per hidden layer, in order; the others are removed at
    once before pruning.
    """

    net: str = "lenet_300_100"
    kept: float | tuple[float, ...] = 0.1
    k: int | tuple[int, ...] | None = 16
    dense: int = 12
    prune: int = 8
    pull: int = 0
    tune: int = 4
    lrs: tuple[float, ...] = (0.02, 0.1)
    centroid_lrs: tuple[float, ...] = (0.0003, 0.003)
    batch_size: int = 64
    bias_bits: int = 8
    swapped: bool = False
    distil: bool = False
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None
    per_bit: bool = False
    neurons: tuple[float, ...] | None = None

    @property
    def epochs(self) -> int:
        return self.dense + self.prune + self.pull + self.tune


def compress(
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    note: Callable[[str, Module, str], None] = lambda *_: None,
    net: Module | None = None,
    lesson: dict | None = None,
) -> Module:
    """Train, prune, cluster and round a net by the recipe; note(stage, net, coding) is called after each stage.

    net: a trained net to start from, instead of training for `recipe.dense` epochs; lesson: the result of `lesson_of`
    for it, if already computed. Learning rates are chosen on the validation split. Returns the net that `tcz.save`
    writes.
    """
    net = _with_masks(net.copy()) if net else dense_net(recipe, dataset, seed)
    note("float32", net, "fixed")
    lesson = (lesson or lesson_of(recipe, net, dataset)) if recipe.distil else None
    stages = {"pruned": _prune if recipe.kept != 1 else None, "clustered": _cluster if recipe.k else None}
    for stage in reversed(stages) if recipe.swapped else stages:
        if stages[stage]:
            net = stages[stage](net, recipe, dataset, seed, lesson)
            note(stage, round_tables(net), "fixed")
    note("Huffman", net, "huffman")
    note("arithmetic", net, "smallest")
    return net


def _with_masks(net: Module) -> Module:
    """Mask the weights that are 0, in place, so that training does not revive them. Returns the net."""
    for layer in prunable(net).values():
        weight = effective(layer, "weight")
        if not weight.all():
            add_mask(layer, "weight", weight != 0)
    return net


def dense_net(recipe: Recipe, dataset: Dataset, seed: int) -> Module:
    """Train the uncompressed net of the recipe."""

    def arm(lr):
        rng = np.random.default_rng(seed)
        net = getattr(models, recipe.net)(dataset.image_shape, dataset.num_classes, rng=rng)
        if dataset.image_shape[-1] > 1:  # the learning rates were chosen for grey images as they are
            net = models.normalized(net, dataset.x_train)
        return _train(net, recipe, dataset, rng, lr, recipe.dense, weight_decay=1e-4 if recipe.augment else 0.0)

    return pick_on_validation(arm, recipe.lrs, dataset)[0]


def lesson_of(recipe: Recipe, teacher: Module, dataset: Dataset) -> dict:
    """The arguments with which `fit` learns from the teacher: targets, loss and, if the recipe has it, augment.

    Raises ValueError for another augmentation than `data.shift`, for whose images the teacher's outputs are computed once.
    """
    if recipe.augment not in (None, data.shift):
        raise ValueError(f"compress: with distil, augment must be data.shift or None; got {recipe.augment}")
    x, labels = dataset.train
    if recipe.augment:
        lesson = ShiftedTargets(teacher, x, labels)
        return {"targets": lesson.train[1], "augment": lesson.shift, "loss": lesson.loss}
    return {"targets": teacher_targets(teacher, x, labels), "loss": DistillationLoss(2.0, 0.9)}


def _prune(start: Module, recipe: Recipe, dataset: Dataset, seed: int, lesson: dict | None) -> Module:
    """Remove weights once per epoch, by the cubic schedule, over the first 60 % of the epochs; one cosine schedule of the
    learning rate spans all epochs."""
    shares = recipe.kept if isinstance(recipe.kept, tuple) else (recipe.kept,)
    finals = [share * size for share, size in zip(shares, _sizes(start, len(shares)), strict=True)]
    start = _narrow(start, recipe.neurons, dataset) if recipe.neurons else start
    sizes = _sizes(start, len(shares))
    removed = [1 - min(1, final / size) for final, size in zip(finals, sizes, strict=True)]
    ramp = max(1, round(0.6 * recipe.prune))

    def arm(lr):
        net, rng = start.copy(), np.random.default_rng([seed, 1])
        for epoch in range(recipe.prune):
            if epoch < ramp:
                t = (epoch + 1) / ramp
                counts = [size * (1 - cubic(t, share)) for size, share in zip(sizes, removed, strict=True)]
                _prune_to(net, counts, magnitude_per_bit if recipe.per_bit else magnitude)
                net = remove_dead_neurons(net) if recipe.per_bit else net

            def schedule(t, epoch=epoch):
                return cosine((epoch + t) / recipe.prune)

            _train(net, recipe, dataset, rng, lr, 1, lesson, schedule=schedule)
        return net

    rates = recipe.centroid_lrs if recipe.swapped else recipe.lrs
    return pick_on_validation(arm, rates, dataset)[0]


def _sizes(net: Module, layers: int) -> list[int]:
    """The number of weights per layer, or [the total] if `layers` is 1."""
    sizes = [mask.size for mask in kept_weights(net).values()]
    return sizes if layers > 1 else [sum(sizes)]


def _narrow(net: Module, shares: tuple[float, ...], dataset: Dataset) -> Module:
    """Keep these shares of each hidden layer's neurons, ranked by their importance on some training images."""
    images = dataset.x_train[:JUDGES], dataset.y_train[:JUDGES]
    hidden = [name for name, group in channel_groups(net).items() if not group.held]
    kept = keep_neurons(net, dict(zip(hidden, shares, strict=True)), neuron_taylor(images))
    return remove_neurons(net, kept)


def _prune_to(net: Module, counts: list[float], importance: Importance):
    """Prune to these counts of weights, one per layer or one in total; a layer that has fewer already stays as it is."""
    masks = kept_weights(net)
    if len(counts) == 1:
        size, alive = sum(mask.size for mask in masks.values()), sum(mask.sum() for mask in masks.values())
        prune_weights(net, 1 - min(counts[0], alive) / size, importance)
        return
    due = {
        name: 1 - min(count, mask.sum()) / mask.size for (name, mask), count in zip(masks.items(), counts, strict=True)
    }
    prune_weights(net, due, importance)


def _cluster(start: Module, recipe: Recipe, dataset: Dataset, seed: int, lesson: dict | None) -> Module:
    """Pull the weights of each layer together if `recipe.pull`, cluster them, and fine-tune the centroids."""
    k = dict(zip(prunable(start), recipe.k, strict=True)) if isinstance(recipe.k, tuple) else recipe.k
    pulled, init = _pull(start, recipe, dataset, seed, lesson, k) if recipe.pull else (start, "linear")

    def arm(lr):
        net = quantize_biases(cluster_weights(pulled.copy(), k, init), recipe.bias_bits)
        return _train(net, recipe, dataset, np.random.default_rng([seed, 2]), lr, recipe.tune, lesson)

    return pick_on_validation(arm, recipe.centroid_lrs, dataset)[0]


def _pull(start: Module, recipe: Recipe, dataset: Dataset, seed: int, lesson: dict | None, k):
    """Train with a pull towards k values per layer; returns the net and these values."""
    net = start.copy()
    pull = Pull(net, k, PULL)
    rng = np.random.default_rng([seed, 3])
    _train(net, recipe, dataset, rng, PULL_LR, recipe.pull, lesson, penalty=pull)
    return net, pull.centroids


def _train(net, recipe, dataset, rng, lr, epochs, lesson=None, penalty=None, **options) -> Module:
    """Train some epochs on the labels, or on the lesson if given; the penalty, if any, is added to the loss."""
    lesson = lesson or {"targets": dataset.y_train, "loss": F.cross_entropy, "augment": recipe.augment}
    loss = lesson["loss"]
    return train(
        net,
        replace(dataset, y_train=lesson["targets"]),
        lr=lr,
        epochs=epochs,
        rng=rng,
        batch_size=recipe.batch_size,
        augment=lesson.get("augment"),
        loss=loss if penalty is None else lambda outputs, y: loss(outputs, y) + penalty(),
        **options,
    )


def round_tables(net: Module) -> Module:
    """Round every codebook and every quantization scale to float16, in place, as files store them in 16 bits."""
    for module in net.modules():
        for name in ("weight", "bias"):
            for step in module.parametrizations(name):
                table = {Clustered: "centroids", FakeQuantize: "scale"}.get(type(step))
                if table:
                    values = getattr(step, table)
                    values.data = values.data.astype(np.float16).astype(np.float32)
    return net


names.answer()
