"""Claim Q5: prune, cluster and code a net into one file (Han et al. 2016, Deep Compression), and how small it can
become.

`compress` is also what `tinycompress compress` runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .. import data, models
from .. import functional as F
from ..data import Dataset
from ..nn import Module
from ..nn.summary import effective
from ..optim import cosine
from ..pruning import add_mask, channel_groups, cubic, kept_weights, prunable, prune_weights, sparsity
from ..quantization import Clustered, FakeQuantize, cluster_weights, quantize_biases, tcz
from ..tensor import no_grad
from ..training import evaluate, predict
from .claim import Settings
from .experiment import pick_on_validation, train
from .quantization_plan import plan_for


@dataclass(frozen=True)
class Recipe:
    """How a net is made small.

    kept: the share of weights that stay, of all together, or one for each layer in order. k: values a layer, or one
    number for each. dense, prune, tune: epochs of the dense net, while weights go and after, and of the centroids.
    swapped: cluster first, and prune what is clustered. With kept = 1 nothing is pruned, with k = None nothing
    clustered. distil: learn from the dense net's outputs as well (temperature 2). shift: augment by one pixel.
    """

    net: str = "lenet_300_100"
    kept: float | tuple[float, ...] = 0.1
    k: int | tuple[int, ...] | None = 16
    dense: int = 12
    prune: int = 8
    tune: int = 4
    lrs: tuple[float, ...] = (0.02, 0.1)
    centroid_lrs: tuple[float, ...] = (0.0003, 0.003)
    batch_size: int = 64
    bias_bits: int = 8
    swapped: bool = False
    distil: bool = False
    shift: bool = False
    dead_ends: bool = False  # also remove what neither gets anything nor passes anything on

    epochs = property(lambda self: self.dense + self.prune + self.tune)


# The paper's own shares and bits (tables 4 and 5), and what all means of chapters 1 to 3 together reach.
HAN = {
    "lenet_300_100": {"kept": (0.08, 0.09, 0.26), "k": 64},
    "lenet_5": {"kept": (0.66, 0.12, 0.08, 0.19), "k": (256, 256, 32, 32)},
}
FURTHER = {
    "lenet_300_100": ((0.01, 0.02, 0.25), (0.007, 0.015, 0.2)),
    "lenet_5": ((0.35, 0.04, 0.003, 0.06), (0.3, 0.025, 0.0018, 0.05)),
}
PAPER = Recipe(
    dense=20, prune=30, tune=10, lrs=(0.05,), centroid_lrs=(0.002,), distil=True, shift=True, k=8, bias_bits=4
)
PUBLISHED = {
    ("lenet_300_100", "dense"): (1_070_000, 1.64),
    ("lenet_300_100", "Deep Compression"): (27_000, 1.58),
    ("lenet_5", "dense"): (1_720_000, 0.80),
    ("lenet_5", "Deep Compression"): (44_000, 0.74),
}


def tasks_q5(settings: Settings):
    """One task a seed and order; at the budget "paper" one a seed, net and recipe."""
    seeds = range(settings.seeds)
    if settings.budget != "paper":
        return [(settings.data, settings.budget, order, seed) for seed in seeds for order in ORDERS]
    names = [f"{net}, {arm}" for net in HAN for arm in ("Deep Compression", *(f"further {i}" for i in range(2)))]
    return [(settings.data, settings.budget, name, seed) for seed in seeds for name in names]


ORDERS = ("prune, then cluster", "cluster, then prune")


def recipe_for(budget: str, dataset: Dataset, arm: str) -> Recipe:
    """The recipe that an arm goes by."""
    if budget == "paper":
        net, what = arm.split(", ")
        if what == "Deep Compression":
            return replace(PAPER, net=net, **HAN[net], dense=20, prune=20, tune=10, distil=False, bias_bits=8)
        return replace(PAPER, net=net, kept=FURTHER[net][int(what[-1])], dead_ends=True)
    plan = plan_for(budget, dataset)
    return Recipe(
        kept=1 - plan.removed,
        k=plan.k,
        dense=plan.dense,
        prune=2 * plan.more,
        tune=max(1, 3 * plan.more // 4),
        lrs=plan.small_lrs,
        centroid_lrs=plan.centroid_lrs,
        batch_size=plan.batch_size,
        swapped=arm == ORDERS[1],
    )


def measure_q5(data_name: str, budget: str, arm: str, seed: int) -> list[dict]:
    """Bytes of a real file, and its accuracy, after each stage; and whether what is loaded predicts exactly the
    same."""
    dataset = data.load(data_name)
    recipe = recipe_for(budget, dataset, arm)
    rows = []

    def note(stage: str, net: Module, coding: str):
        found = tcz.to_bytes(net, coding)
        again, contents = tcz.from_bytes(found), tcz.inspect_bytes(found)
        x = dataset.x_test[:1000]
        row = {
            "seed": seed,
            "arm": arm,
            "net": recipe.net,
            "stage": stage,
            "bytes": len(found),
            "error": 100 * (1 - evaluate(again, dataset.test).accuracy),
            "same": predict(again, x).tobytes() == predict(net, x).tobytes(),
            "kept": kept_share(net),
            "epochs": recipe.epochs,
            "bits": _index_bits(net),
            "float_bytes": contents.float_bytes,
        }
        if stage == "arithmetic":
            row["parts"] = [[p.array, p.kind, p.offset, p.nbytes] for p in contents.parts]
            row["file"] = list(found) if seed == 0 else []
        rows.append(row)

    compress(recipe, dataset, seed, note)
    return rows


def _index_bits(net: Module) -> float:
    """Bits of an index into its layer's codebook, mean over the weights that are left; 32 where there is none."""
    bits, weights = 0.0, 0
    for layer in prunable(net).values():
        step, count = layer.parametrization("weight", Clustered), np.count_nonzero(effective(layer, "weight"))
        bits += count * (np.log2(step.centroids.size) if step else 32)
        weights += count
    return float(bits / weights)


def kept_share(net: Module) -> float:
    """The share of weights that are not 0."""
    weights = [effective(layer, "weight") for layer in prunable(net).values()]
    return float(sum(map(np.count_nonzero, weights)) / sum(weight.size for weight in weights))


def compress(
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    note: Callable[[str, Module, str], None] = lambda *_: None,
    net: Module | None = None,
) -> Module:
    """Train, prune, cluster and round a net by the recipe; note(stage, net, coding) is called after each stage.

    net: one that is trained already, in place of `recipe.dense` epochs. Learning rates are chosen on the validation
    split. Returns the net, as `tcz.save` will write it.
    """
    if net is None:
        net = pick_on_validation(lambda lr: _dense(recipe, dataset, seed, lr), recipe.lrs, dataset)[0]
    else:
        net = _with_masks(net.copy())
    note("float32", net, "fixed")
    teacher = net if recipe.distil else None
    stages = {"pruned": _prune if recipe.kept != 1 else None, "clustered": _cluster if recipe.k else None}
    for stage in reversed(stages) if recipe.swapped else stages:
        if stages[stage]:
            net = stages[stage](net, recipe, dataset, seed, teacher)
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


def _dense(recipe: Recipe, dataset: Dataset, seed: int, lr: float) -> Module:
    rng = np.random.default_rng(seed)
    net = getattr(models, recipe.net)(dataset.image_shape, dataset.num_classes, rng=rng)
    return _train(net, recipe, dataset, rng, lr, recipe.dense, weight_decay=1e-4 if recipe.shift else 0.0)


def _prune(start: Module, recipe: Recipe, dataset: Dataset, seed: int, teacher: Module | None) -> Module:
    """Remove weights along the cubic schedule, once an epoch, over the first 60 % of the epochs; one cosine runs
    over all."""
    shares = recipe.kept if isinstance(recipe.kept, tuple) else (recipe.kept,)
    ramp = max(1, round(0.6 * recipe.prune))

    def arm(lr):
        net, rng = start.copy(), np.random.default_rng([seed, 1])
        for epoch in range(recipe.prune):
            if epoch < ramp:
                _prune_to(net, [cubic((epoch + 1) / ramp, 1 - share) for share in shares])
                if recipe.dead_ends and epoch >= ramp // 2:
                    remove_dead_ends(net)

            def schedule(t, epoch=epoch):
                return cosine((epoch + t) / recipe.prune)

            _train(net, recipe, dataset, rng, lr, 1, teacher, schedule=schedule)
        return net

    rates = recipe.centroid_lrs if recipe.swapped else recipe.lrs
    return pick_on_validation(arm, rates, dataset)[0]


def _prune_to(net: Module, shares: list[float]):
    """Remove these shares, one a layer or one of all; layers that lost as much as dead ends already stay as they
    are."""
    if len(shares) == 1:
        prune_weights(net, max(shares[0], sparsity(net)))
        return
    masks = kept_weights(net)
    due = {name: share for (name, mask), share in zip(masks.items(), shares, strict=True) if share > 1 - mask.mean()}
    prune_weights(net, due)


def _cluster(start: Module, recipe: Recipe, dataset: Dataset, seed: int, teacher: Module | None) -> Module:
    """Cluster the weights of each layer, and fine-tune the centroids."""
    k = dict(zip(prunable(start), recipe.k, strict=True)) if isinstance(recipe.k, tuple) else recipe.k

    def arm(lr):
        net = quantize_biases(cluster_weights(start.copy(), k), recipe.bias_bits)
        return _train(net, recipe, dataset, np.random.default_rng([seed, 2]), lr, recipe.tune, teacher)

    return pick_on_validation(arm, recipe.centroid_lrs, dataset)[0]


def _train(net, recipe, dataset, rng, lr, epochs, teacher=None, **options) -> Module:
    """Some epochs on the labels, and on the teacher's outputs for the same, shifted images."""
    seen = {}

    def augment(x, rng):
        x = data.shift(x, rng) if recipe.shift else x
        if teacher is not None:
            with no_grad():
                seen["logits"] = teacher(x).data
        return x

    def loss(outputs, labels):
        if teacher is None:
            return F.cross_entropy(outputs, labels)
        return 0.9 * F.kl_div(outputs, seen["logits"], 2.0) + 0.1 * F.cross_entropy(outputs, labels)

    return train(
        net, dataset, lr=lr, epochs=epochs, rng=rng, batch_size=recipe.batch_size, augment=augment, loss=loss, **options
    )


def remove_dead_ends(net: Module) -> Module:
    """Mask the weights and biases of neurons and channels that get nothing or pass nothing on, in place, until
    there is none."""
    changed = True
    while changed:
        changed = False
        for group in channel_groups(net).values():
            if group.held:
                continue
            gets = sum(_count(layer, -1) for layer in group.writers.values())
            passes = sum(_count(layer, -2).reshape(-1, group.count).sum(0) for layer in group.readers.values())
            dead = (gets == 0) | (passes == 0)
            if not dead.any() or not (gets[dead].any() or passes[dead].any() or _has_bias(group, dead)):
                continue
            changed = True
            for layer in group.writers.values():
                add_mask(layer, "weight", np.broadcast_to(~dead, layer.latent("weight").shape))
                if layer.latent("bias") is not None:
                    add_mask(layer, "bias", ~dead)
            for layer in group.readers.values():
                shape = layer.latent("weight").shape
                alive = np.resize(~dead, shape[-2])[:, None]
                add_mask(layer, "weight", np.broadcast_to(alive, shape))
    return net


def _count(layer: Module, axis: int) -> np.ndarray:
    """How many weights are not 0 along each index of that axis."""
    weight = effective(layer, "weight")
    return np.count_nonzero(weight, axis=tuple(a for a in range(weight.ndim) if a != weight.ndim + axis))


def _has_bias(group, dead) -> bool:
    biases = [layer for layer in group.writers.values() if layer.latent("bias") is not None]
    return any(effective(layer, "bias")[dead].any() for layer in biases)


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


def final_rows(rows) -> list[dict]:
    """Those of the finished files."""
    return [row for row in rows if row["stage"] == "arithmetic"]


def effect_q5(rows):
    """Per seed, how much error the file's net has less than the dense one, in points; False if a file loads to
    another net."""
    if not all(row["same"] for row in rows):
        return False
    order = rows[0]["arm"]
    dense = {row["seed"]: row["error"] for row in rows if row["stage"] == "float32" and row["arm"] == order}
    return [dense[row["seed"]] - row["error"] for row in final_rows(rows) if row["arm"] == order]


def ratios_q5(rows):
    chosen = [row for row in final_rows(rows) if row["arm"] == rows[0]["arm"]]
    return {
        "theory": float(np.mean([32 / (row["kept"] * row["bits"]) for row in chosen])),  # where they are takes no bits
        "disk": float(np.mean([row["float_bytes"] / row["bytes"] for row in chosen])),
    }
