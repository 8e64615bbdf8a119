"""Chapter 3, parameter quantization: the claims Q1 to Q6; Q1 to Q3 measured here.

At the budget "paper", Q4 is the MNIST experiment of BinaryConnect, and Q5 that of Deep Compression.
"""

import numpy as np

from ... import data
from ... import functional as F
from ...kernels.arithmetic import Encoder
from ...kernels.huffman import code_lengths, decode, encode
from ...nn import Module
from ...nn.weighted import effective
from ...pruning import prunable, prune_gradually
from ...quantization import Pull, calibrate, cluster_weights, entropy, huffman_code, quantize_weights, tcz, to_integers
from ...selection import pick_on_validation
from ...training import evaluate
from ..claim import Claim, Settings
from ..rows import paired
from . import bytes_drawn as compression_figures
from . import q3_huffman as figures
from .nets import Plan, dense_net, longer_net, plan_for, train_more
from .q4_binary import effect_q4, measure_q4, ratios_q4
from .q5_one_file import effect_q5, measure_q5, ratios_q5, tasks_q5
from .q5_paper import q5_paper
from .q6_clock import effect_q6, measure_q6, ratios_q6, tasks_q6


def _tasks_per_seed(settings: Settings):
    return [(settings.data, settings.budget, seed) for seed in range(settings.seeds)]


def accuracy(net: Module, dataset) -> float:
    """On the test split, in per cent."""
    return 100 * evaluate(net, dataset.test).accuracy


# Q1 ------------------------------------------------------------------------------------------------------------------

SHOWN_BITS = 3  # of the grid under the histogram


def measure_q1(data_name: str, budget: str, seed: int) -> list[dict]:
    """Accuracy over bits: rounded after training, and trained on the grid, for as many epochs in all; and in
    integers."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    start, (trained, _) = dense_net(data_name, plan, seed), longer_net(data_name, plan, seed)
    whole = len(tcz.to_bytes(trained, "fixed"))
    common = {"seed": seed, "epochs": plan.dense + plan.more, "float_accuracy": accuracy(trained, dataset)}
    rows = []
    for grain in ("per tensor", "per channel"):
        per_channel = grain == "per channel"
        for bits in plan.bits:
            rounded = quantize_weights(trained.copy(), bits, per_channel)
            arms = {"after training": rounded}
            if bits in plan.trained_bits:
                arms["during training"] = pick_on_validation(
                    lambda lr, bits=bits, per_channel=per_channel: train_more(
                        quantize_weights(start.copy(), bits, per_channel), dataset, plan, seed, lr
                    ),
                    plan.lrs,
                    dataset,
                )[0]
            for arm, net in arms.items():
                size = len(tcz.to_bytes(net, "fixed"))
                rows.append(
                    common
                    | {"arm": arm, "grain": grain, "bits": bits}
                    | {"accuracy": accuracy(net, dataset), "disk_ratio": whole / size}
                )
    integers = to_integers(trained, dataset.x_train[:512])
    weights = effective(trained[1], "weight")
    grid = calibrate(weights, SHOWN_BITS, method="mse")
    counts, edges = np.histogram(weights, 81)
    rows.append(
        common
        | {"arm": "in integers", "grain": "per channel", "bits": 8, "accuracy": accuracy(integers, dataset)}
        | {"memory_ratio": 4 * sum(p.size for p in trained.parameters()) / integers.nbytes}
        | ({"histogram": counts, "edges": edges, "grid": grid.dequantize(_all_integers(grid))} if seed == 0 else {})
    )
    return rows


def _all_integers(grid) -> np.ndarray:
    return np.arange(grid.low, grid.high + 1)


def effect_q1(rows):
    """Per seed, accuracy computed in integers of 8 bits from end to end, minus that of the float net."""
    return [row["accuracy"] - row["float_accuracy"] for row in rows if row["arm"] == "in integers"]


def ratios_q1(rows):
    chosen = [
        r["disk_ratio"] for r in rows if (r["arm"], r["bits"], r["grain"]) == ("after training", 8, "per channel")
    ]
    return {"theory": 4.0, "disk": float(np.mean(chosen))}


# Q2 ------------------------------------------------------------------------------------------------------------------

SHOWN_CLUSTERS = 4


def measure_q2(data_name: str, budget: str, seed: int) -> list[dict]:
    """Accuracy over the number of values a layer may have, in four ways to give it them, with equally many epochs
    in all."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    start, (trained, dense_lr) = dense_net(data_name, plan, seed), longer_net(data_name, plan, seed)
    rows = []
    for k in plan.clusters:
        arms = {
            "after training": (cluster_weights(trained.copy(), k), dense_lr),
            "centroids fine-tuned": pick_on_validation(
                lambda lr, k=k: train_more(cluster_weights(start.copy(), k), dataset, plan, seed, lr),
                plan.centroid_lrs,
                dataset,
            ),
        }
        for arm, soft in (("pulled while training", False), ("soft weight-sharing", True)):
            arms[arm] = pick_on_validation(
                lambda strength, k=k, soft=soft: _pulled(start, dataset, plan, seed, k, strength, soft),
                plan.strengths,
                dataset,
            )
        for arm, (net, choice) in arms.items():
            row = {"seed": seed, "arm": arm, "k": k, "accuracy": accuracy(net, dataset), "choice": choice}
            row |= {"float_accuracy": accuracy(trained, dataset), "epochs": plan.dense + plan.more}
            if seed == 0 and k == SHOWN_CLUSTERS and arm == "pulled while training":
                row["weights"] = effective(net[5], "weight")
                row["before"] = start[5].weight.data
            rows.append(row)
    return rows


def _pulled(start: Module, dataset, plan: Plan, seed: int, k: int, strength: float, soft: bool) -> Module:
    """A copy that is trained while its weights are pulled together, and then clustered."""
    net = start.copy()
    pull = Pull(net, k, strength, soft)

    def loss(outputs, labels):
        return F.cross_entropy(outputs, labels) + pull()

    train_more(net, dataset, plan, seed, plan.lrs[-1], loss=loss)
    return cluster_weights(net, k, init=pull.centroids)


def effect_q2(rows):
    """Per seed, accuracy with the pull minus clustering after training, mean over up to 4 values a layer."""
    return paired(rows, "pulled while training", "after training", "accuracy", k=lambda k: k <= 4)


# Q3 ------------------------------------------------------------------------------------------------------------------


def measure_q3(data_name: str, budget: str, seed: int) -> list[dict]:
    """Bits a weight of a pruned and clustered net in four codes; and whether what is decoded is what was encoded."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    rng = np.random.default_rng([seed, 3])
    net = dense_net(data_name, plan, seed).copy()

    def fine_tune(model, _):
        train_more(model, dataset, plan, seed, plan.lrs[0], epochs=max(1, plan.more // plan.steps))

    cluster_weights(prune_gradually(net, plan.removed, plan.steps, fine_tune), plan.k, "linear", rng)
    rows = []
    for name, layer in prunable(net).items():
        weight = effective(layer, "weight")
        matrix = weight.reshape(-1, weight.shape[-1])
        mask = matrix != 0
        _, width, channels = dataset.image_shape
        rows_apart = (channels, width * channels) if name == "1" else (0, 0)  # neighbouring pixels
        values, indices = np.unique(matrix[mask], return_inverse=True)
        gaps = np.minimum(np.diff(np.flatnonzero(mask.ravel()), prepend=-1) - 1, 255)
        for stream, symbols, k in (("values", indices, len(values)), ("gaps", gaps, int(gaps.max()) + 1)):
            counts = np.bincount(symbols, minlength=k)
            lengths = code_lengths(counts)
            data_ = encode(symbols, lengths)
            rows.append(
                {
                    "seed": seed,
                    "layer": name,
                    "stream": stream,
                    "symbols": len(symbols),
                    "fixed": max(1, int(k - 1).bit_length()),
                    "huffman": float(counts @ lengths.astype(int) / len(symbols)),
                    "bytes": len(data_),
                    "entropy": entropy(counts),
                    "arithmetic": _arithmetic_bits(mask, indices, stream, k, rows_apart) / len(symbols),
                    "exact": bool(np.array_equal(decode(data_, lengths, len(symbols)), symbols)),
                    "counts": counts if seed == 0 and stream == "values" else [],
                    "values": values if seed == 0 and stream == "values" else [],
                    "code": list(map(list, huffman_code(counts).items())) if seed == 0 and stream == "values" else [],
                }
            )
    return rows


def _arithmetic_bits(mask, indices, stream, k, rows_apart) -> int:
    code = Encoder()
    if stream == "gaps":
        code.positions(mask, rows_apart)
    else:
        symbols = np.zeros(mask.shape, np.int64)
        symbols[mask] = indices
        code.symbols(symbols, mask, k, rows_apart)
    return 8 * len(code.finish())


def bits_by_code(rows, seed, code: str) -> float:
    """Bits a weight, value and gap together, mean over all weights of that seed's net."""
    chosen = [row for row in rows if row["seed"] == seed]
    weights = sum(row["symbols"] for row in chosen if row["stream"] == "values")
    return sum(row[code] * row["symbols"] for row in chosen) / weights


def effect_q3(rows):
    """Per seed, the share of bits that Huffman's code saves; False if any decoded stream differs or beats the bound."""
    for row in rows:
        if not row["exact"] or not row["entropy"] - 1e-9 <= row["huffman"] <= max(1, row["entropy"] + 1):
            return False
    seeds = sorted({row["seed"] for row in rows})
    return [1 - bits_by_code(rows, seed, "huffman") / bits_by_code(rows, seed, "fixed") for seed in seeds]


def ratios_q3(rows):
    """Against 32 bits a value and as many a gap; the code's own table is small and not in it."""
    bits = np.mean([bits_by_code(rows, seed, "huffman") for seed in {row["seed"] for row in rows}])
    fixed = np.mean([bits_by_code(rows, seed, "fixed") for seed in {row["seed"] for row in rows}])
    return {"theory": float(fixed / bits)}


def _figure_q5(rows):
    """Of both nets of the paper, or of the two orders of the steps."""
    return q5_paper(rows) if rows[0]["arm"].startswith(rows[0]["net"]) else compression_figures.q5(rows)


CLAIMS = [
    Claim(
        id="Q1",
        chapter="quantization",
        title="Fewer bits",
        statement="Store each value in fewer bits.",
        tasks=_tasks_per_seed,
        measure=measure_q1,
        effect=effect_q1,
        effect_name="test accuracy, computed in integers of 8 bits from end to end, minus float32",
        unit="points",
        margin=-0.5,
        figure=figures.q1,
        ratios=ratios_q1,
        note="Supported means: less than half a point is lost. Below 4 bits, rounding a trained net costs more and "
        "more, while a net that is trained on its grid (gradients pass straight through the rounding) hardly "
        "notices. All arms train equally long. Disk is the .tcz file in 8 bits; the clock is in Q6.",
        source="Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient "
        "Integer-Arithmetic-Only Inference; Esser et al. 2020, Learned Step Size Quantization",
    ),
    Claim(
        id="Q2",
        chapter="quantization",
        title="Weight clustering",
        statement="Group weights by value and store one value a group; training pulls the weights of a group together.",
        tasks=_tasks_per_seed,
        measure=measure_q2,
        effect=effect_q2,
        effect_name="test accuracy, pulled together while training minus clustered after training, mean over up to 4 "
        "values a layer",
        unit="points",
        figure=figures.q2,
        note="Every arm trains equally long and chooses among as many settings on validation data. With 16 values "
        "a layer all ways are as good as float32; with two to four, weights have to know during training that "
        "they will be grouped.",
        source="Han et al. 2016, Deep Compression; Nowlan & Hinton 1992, Simplifying Neural Networks by Soft "
        "Weight-Sharing; Ullrich et al. 2017",
    ),
    Claim(
        id="Q3",
        chapter="quantization",
        title="Huffman coding",
        statement="Represent frequent values by few bits and rare values by many.",
        tasks=_tasks_per_seed,
        measure=measure_q3,
        effect=effect_q3,
        effect_name="bits that Huffman's code saves of a code of equally long words, values and gaps together",
        unit="share",
        figure=figures.q3,
        ratios=ratios_q3,
        note="The claim fails if a decoded stream differs in a single symbol, or if a code beats its entropy. "
        "Arithmetic coding may go below the entropy shown, since that is of symbols by themselves, and its "
        "probabilities know what is around.",
        source="Huffman 1952, A Method for the Construction of Minimum-Redundancy Codes; Han et al. 2016",
    ),
    Claim(
        id="Q4",
        chapter="quantization",
        title="Binary weights",
        statement="Weights of +1 and -1 work well, perhaps because fewer degrees of freedom overfit less.",
        tasks=_tasks_per_seed,
        measure=measure_q4,
        effect=effect_q4,
        effect_name="test error, float minus binary",
        unit="points",
        figure=compression_figures.q4,
        ratios=ratios_q4,
        note="The same net with batch norm, trained equally long, learning rates chosen on validation data. A "
        "binary net is judged by its signs. Stochastic signs regularise more, and need many more epochs than "
        "fit into a lecture. The clock is in Q6.",
        source="Courbariaux et al. 2015, BinaryConnect",
    ),
    Claim(
        id="Q5",
        chapter="quantization",
        title="All in all: one small file",
        statement="All in all, make the parameters small: prune, cluster, code.",
        tasks=tasks_q5,
        measure=measure_q5,
        effect=effect_q5,
        effect_name="test error of the dense net minus that of the net in the file",
        unit="points",
        margin=-1.0,
        figure=_figure_q5,
        ratios=ratios_q5,
        note="Every byte of a real file is counted: headers, tables, checksum. Supported means: less than one "
        "point is lost. The claim fails if a net that is loaded predicts anything else than the one that was "
        "saved. In the other order, what is pruned can no longer be made up for, as only the clusters' values "
        "still learn.",
        source="Han et al. 2016, Deep Compression",
    ),
    Claim(
        id="Q6",
        chapter="quantization",
        title="Fewer bits on the clock",
        statement="Values of fewer bits are not only stored in less, but also computed with sooner.",
        tasks=tasks_q6,
        measure=measure_q6,
        effect=effect_q6,
        effect_name="speed-up of 8 bits over float32, mean over shapes and batches",
        unit="log2 ×",
        timed=True,
        figure=figures.q6,
        ratios=ratios_q6,
        note="One dense layer, and a whole net with all that is around its layers. 4 bits are indices into 16 "
        "values. With 1 bit, activations are floats (sums looked up) or signs as well (bits counted).",
        source="Jacob et al. 2018; Courbariaux et al. 2016, Binarized Neural Networks; Rastegari et al. 2016, XNOR-Net",
    ),
]
