"""Chapter 1, network pruning: its claims, and how P1 to P4 are measured."""

import numpy as np

from ... import data, kernels, models
from ...nn import Module
from ...nn.weighted import effective
from ...profiling import latency, stored_bytes
from ...pruning import fan_in, keep_neurons, mask_neurons, prunable, prune_weights, remove_neurons, sparsity
from ...selection import pick_on_validation, train
from ...training import evaluate, predict
from ..claim import Claim, Settings
from ..rows import paired
from . import p1b_criteria as pruning_criteria
from . import p3_sparse_speed as figures
from . import p4b_slimming as slimming
from . import p5_large_first as pruning_growth
from . import p6_tickets as pruning_tickets
from .nets import PLANS, choose, dense_net, pruned_gradually

REMOVED = (0.5, 0.8, 0.9, 0.95, 0.98)


# P1 ------------------------------------------------------------------------------------------------------------------


def _tasks_per_seed(settings: Settings):
    return [(settings.data, settings.budget, seed) for seed in range(settings.seeds)]


def measure_p1(data_name: str, budget: str, seed: int) -> list[dict]:
    """Test accuracy of three ways to remove the same share of weights, each with dense + pruned epochs in all."""
    dataset = data.load(data_name)
    plan = choose(PLANS, budget, dataset)
    dense = dense_net(dataset, plan, seed)

    def longer(lr):  # the arm without fine-tuning spends its epochs on the dense net
        return train(
            dense.copy(),
            dataset,
            lr=lr,
            epochs=plan.pruned,
            rng=np.random.default_rng([seed, 1]),
            batch_size=plan.batch_size,
        )

    trained_on, lr = pick_on_validation(longer, plan.lrs, dataset)
    whole = stored_bytes(trained_on)
    rows = []
    for share in REMOVED:
        arms = {
            "not fine-tuned": (prune_weights(trained_on.copy(), share), lr),
            "all at once": pruned_gradually(dense, dataset, plan, seed, share, 1),
            "a little at a time": pruned_gradually(dense, dataset, plan, seed, share, plan.steps),
        }
        for arm, (net, rate) in arms.items():
            rows.append(
                {
                    "seed": seed,
                    "arm": arm,
                    "removed": share,
                    "measured_sparsity": sparsity(net),
                    "accuracy": 100 * evaluate(net, dataset.test).accuracy,
                    "dense_accuracy": 100 * evaluate(trained_on, dataset.test).accuracy,
                    "lr": rate,
                    "epochs": plan.dense + plan.pruned,
                    "disk_ratio": whole / stored_bytes(net),
                }
            )
    return rows


def effect_p1(rows):
    return paired(rows, "a little at a time", "all at once", "accuracy", removed=lambda share: share >= 0.9)


def ratios_p1(rows):
    chosen = [row for row in rows if row["arm"] == "a little at a time" and row["removed"] == 0.95]
    return {
        "theory": float(np.mean([1 / (1 - row["measured_sparsity"]) for row in chosen])),
        "disk": float(np.mean([row["disk_ratio"] for row in chosen])),
    }


# P2 ------------------------------------------------------------------------------------------------------------------


def measure_p2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Fan-in of every neuron after 95 % of the weights were removed a little at a time; for seed 0 the connections
    too."""
    dataset = data.load(data_name)
    plan = choose(PLANS, budget, dataset)
    net, _ = pruned_gradually(dense_net(dataset, plan, seed), dataset, plan, seed, 0.95, plan.steps)
    layers = [effective(layer, "weight") for layer in prunable(net).values()]
    return [
        {
            "seed": seed,
            "layer": number,
            "inputs": weight.shape[0],
            "fan_in": fan_in(layer).tolist(),
            "fan_out": np.count_nonzero(weight, axis=1).tolist(),
            "image_shape": list(dataset.image_shape),
            "connections": np.argwhere(weight).tolist() if seed == 0 and weight.size < 100_000 else [],
            "accuracy": 100 * evaluate(net, dataset.test).accuracy,
        }
        for number, (weight, layer) in enumerate(zip(layers, prunable(net).values(), strict=True))
    ]


def effect_p2(rows):
    """Per seed, the share of hidden neurons whose fan-in is not the most common one of their layer (0 in a regular
    net)."""
    shares = []
    for seed in sorted({row["seed"] for row in rows}):
        hidden = [row["fan_in"] for row in rows if row["seed"] == seed][:-1]
        other = sum(len(counts) - np.bincount(counts).max() for counts in hidden)
        shares.append(float(other / sum(map(len, hidden))))
    return shares


# P3 ------------------------------------------------------------------------------------------------------------------

SHAPES = {"quick": ((784, 300), (1024, 1024)), "full": ((784, 300), (1024, 1024), (4096, 1024))}
SHAPES["paper"] = SHAPES["full"]
BATCHES = (1, 32, 128)
SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)


def tasks_p3(settings: Settings):
    # Live in class no more, since each repetition times every setting in five rounds, one after the other.
    repetitions = min(settings.seeds, 3) if settings.budget == "quick" else settings.seeds
    return [
        (*shape, batch, seed) for seed in range(repetitions) for shape in SHAPES[settings.budget] for batch in BATCHES
    ]


def measure_p3(inputs: int, outputs: int, batch: int, seed: int) -> list[dict]:
    """Time one layer, y = x @ w, in five forms with equally many weights that are not 0, over sparsity.

    Each form gets its inputs in the memory layout that suits it best: (batch, in) for the dense ones, (in, batch) for
    CSR.
    """
    import scipy.sparse

    rng = np.random.default_rng(seed)
    w = rng.standard_normal((inputs, outputs), np.float32)
    x = rng.standard_normal((batch, inputs), np.float32)
    x_columns = np.ascontiguousarray(x.T)
    rows = []
    for share in SPARSITIES:
        sparse = w * (rng.random(w.shape, np.float32) >= share)
        csr = scipy.sparse.csr_matrix(sparse.T)
        narrow = np.ascontiguousarray(w[:, : max(1, round(outputs * (1 - share)))])
        indptr, indices = csr.indptr.astype(np.int64), csr.indices.astype(np.int64)
        forms = {
            "dense": (lambda: x @ w, w.nbytes),
            "masked dense": (lambda s=sparse: x @ s, sparse.nbytes),
            "CSR, scipy": (lambda c=csr: c @ x_columns, csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes),
            "CSR, ours": (
                lambda c=csr, p=indptr, i=indices: kernels.csr_matmul(p, i, c.data, x_columns),
                csr.data.nbytes + indices.nbytes + indptr.nbytes,
            ),
            "fewer neurons": (lambda n=narrow: x @ n, narrow.nbytes),
        }
        times = latency({name: call for name, (call, _) in forms.items()}, rounds=5, round_ms=1)
        for name, (_, size) in forms.items():
            low, high = times[name].spread
            rows.append(
                {
                    "seed": seed,
                    "shape": f"{inputs}×{outputs}",
                    "batch": batch,
                    "removed": share,
                    "arm": name,
                    "ms": times[name].median,
                    "ms_low": low,
                    "ms_high": high,
                    "speedup": times["dense"].median / times[name].median,
                    "memory_bytes": size,
                    "threads": times[name].threads,
                }
            )
    return rows


def effect_p3(rows):
    """Per repetition, log2 of how much faster fewer neurons are than the fastest irregular form, mean over all
    settings."""
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        settings = {}
        for row in rows:
            if row["seed"] == seed:
                settings.setdefault((row["shape"], row["batch"], row["removed"]), {})[row["arm"]] = row["ms"]
        logs = [
            np.log2(min(ms["masked dense"], ms["CSR, scipy"], ms["CSR, ours"]) / ms["fewer neurons"])
            for ms in settings.values()
        ]
        effects.append(float(np.mean(logs)))
    return effects


def ratios_p3(rows):
    """scipy's CSR at 90 % removed, in batches: how many times fewer weights, and how many times faster."""
    chosen = [row for row in rows if row["removed"] == 0.9 and row["batch"] > 1 and row["arm"] == "CSR, scipy"]
    return {
        "theory": float(np.mean([1 / (1 - row["removed"]) for row in chosen])),
        "clock": float(np.median([row["speedup"] for row in chosen])),
    }


# P4 ------------------------------------------------------------------------------------------------------------------


def prepare_p4(data_name: str, budget: str, seed: int) -> list[tuple[dict, Module, Module]]:
    """Remove half, then three quarters of all hidden neurons; compare outputs with the masked net, and train on.

    Returns a row, the whole net and the smaller one for each.
    """
    dataset = data.load(data_name)
    plan = choose(PLANS, budget, dataset)
    rng = np.random.default_rng([seed, 4])
    nets = {
        "LeNet-300-100": dense_net(dataset, plan, seed),
        "convolutions": train(
            models.convnet(dataset.image_shape, dataset.num_classes, (32, 64), rng=rng),
            dataset,
            lr=0.05,
            epochs=3,
            rng=rng,
            batch_size=plan.batch_size,
        ),
    }
    x = _images_p4(dataset)
    found = []
    for name, net in nets.items():
        for removed in (0.5, 0.75):
            kept = keep_neurons(net, 1 - removed)
            masked, small = predict(mask_neurons(net.copy(), kept), x), remove_neurons(net, kept)
            difference = float(np.abs(masked - predict(small, x)).max() / np.abs(masked).max())
            train(small, dataset, lr=plan.lrs[0], epochs=5, rng=rng, batch_size=plan.batch_size)
            whole, cut = net.summary(), small.summary()
            row = {
                "seed": seed,
                "net": name,
                "removed": removed,
                "difference": difference,
                "accuracy_before": 100 * evaluate(net, dataset.test).accuracy,
                "accuracy": 100 * evaluate(small, dataset.test).accuracy,
                "ideal_speedup": whole.macs / cut.macs,
                "parameter_ratio": whole.parameters / cut.parameters,
                "disk_ratio": stored_bytes(net) / stored_bytes(small),
                "widths_before": _widths(net),
                "widths": _widths(small),
            }
            found.append((row, net, small))
    return found


def measure_p4(data_name: str, budget: str, seed: int, nets: list) -> list[dict]:
    """Time the whole and the smaller nets of `prepare_p4`."""
    x = _images_p4(data.load(data_name))
    rows = []
    for row, net, small in nets:
        times = latency({"whole": lambda n=net: predict(n, x), "small": lambda n=small: predict(n, x)}, rounds=9)
        ms = {f"ms_{name}": time.median for name, time in times.items()}
        rows.append(row | ms | {"speedup": ms["ms_whole"] / ms["ms_small"], "threads": times["small"].threads})
    return rows


def _images_p4(dataset: data.Dataset) -> np.ndarray:
    return np.resize(dataset.x_test, (256, *dataset.image_shape))


def _widths(net: Module) -> list[int]:
    return [int(layer.latent("weight").shape[-1]) for layer in prunable(net).values()]


def effect_p4(rows):
    """Per seed, log2 of the measured speed-up, mean over nets; False if any smaller net differs from its masked net."""
    if any(row["difference"] > 1e-5 for row in rows):
        return False
    return [
        float(np.mean([np.log2(row["speedup"]) for row in rows if row["seed"] == seed]))
        for seed in sorted({row["seed"] for row in rows})
    ]


def ratios_p4(rows):
    chosen = [row for row in rows if row["net"] == "LeNet-300-100" and row["removed"] == 0.5]
    return {
        "theory": float(np.median([row["ideal_speedup"] for row in chosen])),
        "disk": float(np.median([row["disk_ratio"] for row in chosen])),
        "clock": float(np.median([row["speedup"] for row in chosen])),
    }


CLAIMS = [
    Claim(
        id="P1",
        chapter="pruning",
        title="A little at a time",
        statement="Remove only a small part of the weights each time, then fine-tune, so that the net learns to use the rest.",
        tasks=_tasks_per_seed,
        measure=measure_p1,
        effect=effect_p1,
        effect_name="test accuracy, a little at a time minus all at once, mean over 90, 95 and 98 % removed",
        unit="points",
        figure=figures.p1,
        ratios=ratios_p1,
        note="All arms train for equally many epochs in all and pick their learning rate on validation data. Disk is the "
        "compressed file of the net with 95 % removed: zeros shrink in a zip file, though nothing stores them cleverly yet.",
        source="Han et al. 2015, Learning both Weights and Connections; Zhu & Gupta 2017, To prune, or not to prune",
    ),
    pruning_criteria.CLAIM,
    Claim(
        id="P2",
        chapter="pruning",
        title="The net that is left is irregular",
        statement="Pruned weights leave an irregular net: some neurons keep two or three connections, some only one.",
        tasks=_tasks_per_seed,
        measure=measure_p2,
        effect=effect_p2,
        effect_name="hidden neurons whose number of connections is not the most common one of their layer",
        unit="share",
        margin=0.5,
        figure=figures.p2,
        note="In a regular net every neuron of a layer has equally many inputs and the share is 0; supported means that "
        "more than half of them differ.",
        source="Han et al. 2015",
    ),
    Claim(
        id="P3",
        chapter="pruning",
        title="An irregular matrix is hard to accelerate",
        statement="An irregular matrix is hard to accelerate, and measured speed even drops.",
        tasks=tasks_p3,
        measure=measure_p3,
        effect=effect_p3,
        effect_name="time of the fastest irregular form over that of a layer with fewer neurons and as many weights",
        unit="log2 ×",
        timed=True,
        figure=figures.p3,
        ratios=ratios_p3,
        note="The verdict compares fewer neurons with the fastest irregular form of equally many weights. Zeros in a dense "
        "matrix save nothing; CSR is slower than the dense layer left of its dotted line, and faster right of it. The ratios "
        "are those of scipy's CSR at 90 % removed. Random matrices: the clock does not see what a net has learned.",
        source="Han et al. 2015; Wen et al. 2016, Learning Structured Sparsity",
    ),
    Claim(
        id="P4",
        chapter="pruning",
        title="Neuron pruning is easy and fast",
        statement="Neuron pruning only changes a layer's input and output size, and so is easy to implement and to speed up.",
        tasks=_tasks_per_seed,
        prepare=prepare_p4,
        measure=measure_p4,
        effect=effect_p4,
        effect_name="speed-up of the smaller net on the clock, mean over nets and shares",
        unit="log2 ×",
        timed=True,
        figure=figures.p4,
        ratios=ratios_p4,
        note="The smaller net's outputs equal those of the masked net (else the claim fails). The clock stays behind the count "
        "of multiplications where the rest of a layer's work, on the outputs and in Python, does not shrink as much.",
        source="Li et al. 2017, Pruning Filters for Efficient ConvNets; He et al. 2017, Channel Pruning",
    ),
    slimming.CLAIM,
    pruning_growth.CLAIM,
    pruning_tickets.CLAIM,
]
