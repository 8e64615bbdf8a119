"""From a net to a small file: train, prune, pull together, cluster, fine-tune, round. `tinycompress compress` runs it,
and claim Q5 measures it stage by stage."""

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

JUDGES = 6000  # training images by which neurons are judged
PULL, PULL_LR = 2.0, 0.03  # strength and learning rate: together a step goes 6 % of the way


@dataclass(frozen=True)
class Recipe:
    """How a net is made small.

    kept: the share of weights that stay, of all together, or one for each layer in order. k: values a layer, or one
    number for each. dense, prune, pull, tune: epochs of the dense net; while weights go and after; while they are
    pulled together (see `Pull`); of the centroids. swapped: cluster first, and prune what is clustered. With kept = 1
    nothing is pruned, with k = None nothing clustered. distil: learn from the dense net's outputs as well (temperature
    2). shift: augment by one pixel. per_bit: remove weights by magnitude per bit, and neurons as they die. neurons: the
    share of each hidden layer's neurons that stay, in order, when pruning begins; the rest goes at once.
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
    shift: bool = False
    per_bit: bool = False
    neurons: tuple[float, ...] | None = None

    epochs = property(lambda self: self.dense + self.prune + self.pull + self.tune)


def compress(
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    note: Callable[[str, Module, str], None] = lambda *_: None,
    net: Module | None = None,
    lesson: dict | None = None,
) -> Module:
    """Train, prune, cluster and round a net by the recipe; note(stage, net, coding) is called after each stage.

    net: one that is trained already, in place of `recipe.dense` epochs; lesson: what `lesson_of` makes of it, if that
    is known already, too. Learning rates are chosen on the validation split. Returns the net, as `tcz.save` will write
    it.
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
    """The net with masks on the weights that are 0, so that training does not revive them; in place."""
    for layer in prunable(net).values():
        weight = effective(layer, "weight")
        if not weight.all():
            add_mask(layer, "weight", weight != 0)
    return net


def dense_net(recipe: Recipe, dataset: Dataset, seed: int) -> Module:
    """The net of the recipe, trained whole."""

    def arm(lr):
        rng = np.random.default_rng(seed)
        net = getattr(models, recipe.net)(dataset.image_shape, dataset.num_classes, rng=rng)
        return _train(net, recipe, dataset, rng, lr, recipe.dense, weight_decay=1e-4 if recipe.shift else 0.0)

    return pick_on_validation(arm, recipe.lrs, dataset)[0]


def lesson_of(recipe: Recipe, teacher: Module, dataset: Dataset) -> dict:
    """What `fit` needs to learn from the teacher: its targets, a loss, and how images are changed."""
    x, labels = dataset.train
    if recipe.shift:
        lesson = ShiftedTargets(teacher, x, labels)
        return {"targets": lesson.train[1], "augment": lesson.shift, "loss": lesson.loss}
    return {"targets": teacher_targets(teacher, x, labels), "loss": DistillationLoss(2.0, 0.9)}


def _prune(start: Module, recipe: Recipe, dataset: Dataset, seed: int, lesson: dict | None) -> Module:
    """Remove weights along the cubic schedule, once an epoch, over the first 60 % of the epochs; one cosine runs
    over all."""
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
    """Weights of each of so many layers; of all together where that is 1."""
    sizes = [mask.size for mask in kept_weights(net).values()]
    return sizes if layers > 1 else [sum(sizes)]


def _narrow(net: Module, shares: tuple[float, ...], dataset: Dataset) -> Module:
    """The net with these shares of each hidden layer's neurons, by their importance for some training images."""
    images = dataset.x_train[:JUDGES], dataset.y_train[:JUDGES]
    hidden = [name for name, group in channel_groups(net).items() if not group.held]
    kept = keep_neurons(net, dict(zip(hidden, shares, strict=True)), neuron_taylor(images))
    return remove_neurons(net, kept)


def _prune_to(net: Module, counts: list[float], importance: Importance):
    """Leave so many weights in each layer, or in all together; fewer stay as they are."""
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
    """Pull the weights of each layer together, cluster them, and fine-tune the centroids."""
    k = dict(zip(prunable(start), recipe.k, strict=True)) if isinstance(recipe.k, tuple) else recipe.k
    pulled, init = _pull(start, recipe, dataset, seed, lesson, k) if recipe.pull else (start, "linear")

    def arm(lr):
        net = quantize_biases(cluster_weights(pulled.copy(), k, init), recipe.bias_bits)
        return _train(net, recipe, dataset, np.random.default_rng([seed, 2]), lr, recipe.tune, lesson)

    return pick_on_validation(arm, recipe.centroid_lrs, dataset)[0]


def _pull(start: Module, recipe: Recipe, dataset: Dataset, seed: int, lesson: dict | None, k):
    """The net after training with a pull towards k values a layer, and these values."""
    net = start.copy()
    pull = Pull(net, k, PULL)
    rng = np.random.default_rng([seed, 3])
    _train(net, recipe, dataset, rng, PULL_LR, recipe.pull, lesson, penalty=pull)
    return net, pull.centroids


def _train(net, recipe, dataset, rng, lr, epochs, lesson=None, penalty=None, **options) -> Module:
    """Some epochs on the labels, or on the lesson; with a penalty on the weights, if there is one."""
    lesson = lesson or {
        "targets": dataset.y_train,
        "loss": F.cross_entropy,
        "augment": data.shift if recipe.shift else None,
    }
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
    """Round every codebook and every grid's scale to 16 bits, in place, so that a file can hold them in as many."""
    for module in net.modules():
        for name in ("weight", "bias"):
            for step in module.parametrizations(name):
                table = {Clustered: "centroids", FakeQuantize: "scale"}.get(type(step))
                if table:
                    values = getattr(step, table)
                    values.data = values.data.astype(np.float16).astype(np.float32)
    return net
