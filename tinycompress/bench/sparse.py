"""Pruned layers: the sparsity from which CSR beats dense BLAS, 16×1 blocks at 90 %, and whole neurons against the ideal."""

import numpy as np

from .. import functional as F
from .. import models, pruning
from ..graph import no_grad
from ..pruning.products import blocks
from ..pruning.products.csr import csr_matmul
from ..tensor import Tensor
from .case import Case, Point, Row, Suite, Times, Work, make_row

SPARSITIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
POINT_SPARSITY = 0.9  # drawn in the roofline


def draw_layer(rng, inputs, outputs, batch):
    """Dense weights (in, out) and a batch x (batch, in)."""
    return rng.standard_normal((inputs, outputs), np.float32), rng.standard_normal((batch, inputs), np.float32)


def draw_csr(rng, inputs, outputs, batch):
    """The batch x (in, batch), and the transposed weights (out, in) as a scipy CSR array per sparsity."""
    from scipy.sparse import csr_array

    weight, x = draw_layer(rng, inputs, outputs, batch)
    rank = rng.random((outputs, inputs))
    pruned = {sparsity: csr_array(np.where(rank < sparsity, np.float32(0), weight.T)) for sparsity in SPARSITIES}
    return np.ascontiguousarray(x.T), pruned


def our_csr(rng, **sizes):
    x, pruned = draw_csr(rng, **sizes)
    return {
        f"{sparsity:.0%}": Work(lambda w=w: csr_matmul(w.indptr, w.indices, w.data, x))
        for sparsity, w in pruned.items()
    }


def scipy_csr(rng, **sizes):
    x, pruned = draw_csr(rng, **sizes)
    return {f"{sparsity:.0%}": Work(lambda w=w: w @ x) for sparsity, w in pruned.items()}


def blas(rng, inputs, outputs, batch):
    """The dense product in both orientations, as BLAS may prefer either, into memory that is already allocated."""
    weight, x = draw_layer(rng, inputs, outputs, batch)
    y, x_t, weight_t = np.empty((batch, outputs), np.float32), np.ascontiguousarray(x.T), np.ascontiguousarray(weight.T)
    y_t = np.ascontiguousarray(y.T)
    return {
        "x @ w": Work(lambda: np.matmul(x, weight, out=y), None),
        "w.T @ x.T": Work(lambda: np.matmul(weight_t, x_t, out=y_t), None),
    }


def crossover(sparsities, sparse, dense) -> float:
    """The sparsity above which the sparse product is faster, interpolated between the measured ones.

    sparse: its seconds at each of the rising `sparsities`. Returns 1.0 if it is slower even at the last, and the first
    sparsity (an upper bound) if it is always faster.
    """
    slower = [i for i, seconds in enumerate(sparse) if seconds >= dense]
    if not slower:
        return sparsities[0]
    last = slower[-1]
    if last == len(sparsities) - 1:
        return 1.0
    above, below = sparse[last] - dense, dense - sparse[last + 1]
    return sparsities[last] + (sparsities[last + 1] - sparsities[last]) * above / (above + below)


def crossover_rows(case: Case, times: Times) -> list[Row]:
    """Crossovers per round: ours beside scipy's, each against the faster dense product."""
    dense = min(times["dense"].values(), key=np.median)

    def crossovers(side):
        by_round = zip(*times[side].values(), strict=True)
        return [crossover(SPARSITIES, sparse, d) for sparse, d in zip(by_round, dense, strict=True)]

    row = make_row(case, crossovers("ours"), crossovers("scipy"), "scipy", judged="ours", unit="share")
    row["point"]["seconds"] = float(np.median(times["ours"][f"{POINT_SPARSITY:.0%}"]))
    return [row]


def crossover_case(inputs, outputs, batch):
    kept = (1 - POINT_SPARSITY) * inputs * outputs
    return Case(
        "sparse",
        f"CSR beats BLAS from, {inputs} → {outputs}, batch {batch}",
        0.6,
        {"ours": our_csr, "scipy": scipy_csr, "dense": blas},
        {"inputs": inputs, "outputs": outputs, "batch": batch},
        crossover_rows,
        point=Point("csr", flops=2 * kept * batch, bytes=8 * kept + 4 * batch * (inputs + outputs)),
    )


def draw_blocks(rng, inputs, outputs, batch, sparsity):
    """Weights (in, out) with whole blocks of 1 input × 16 outputs at zero, and x."""
    weight, x = draw_layer(rng, inputs, outputs, batch)
    kept = rng.random((inputs, -(-outputs // blocks.BLOCK))) >= sparsity
    return weight * kept.repeat(blocks.BLOCK, axis=1)[:, :outputs], x


def our_blocks(rng, **sizes):
    weight, x = draw_blocks(rng, **sizes)
    packed = blocks.pack_blocks(weight)
    return {"ours": Work(lambda: blocks.block_sparse_matmul(x, packed))}


def dense_blocks(rng, **sizes):
    weight, x = draw_blocks(rng, **sizes)
    y = np.empty((len(x), weight.shape[1]), np.float32)
    return {"BLAS": Work(lambda: np.matmul(x, weight, out=y))}


def blocks_case(inputs, outputs, batch, sparsity=0.9):
    kept = (1 - sparsity) * inputs * outputs
    return Case(
        "sparse",
        f"16×1 blocks at {100 * sparsity:.0f} %, {inputs} → {outputs}, batch {batch}",
        0.12,
        {"ours": our_blocks, "dense": dense_blocks},
        {"inputs": inputs, "outputs": outputs, "batch": batch, "sparsity": sparsity},
        point=Point("blocks", flops=2 * kept * batch, bytes=4 * kept * (1 + 1 / 16) + 4 * batch * (inputs + outputs)),
    )


def draw_net(rng, inputs, outputs, batch):
    """A net whose layer 1 will be pruned, the indices of the half of its neurons to keep, and x."""
    net = models.mlp((inputs,), (outputs,), 10, rng=rng).eval()
    return net, pruning.keep_neurons(net, 0.5), Tensor(rng.standard_normal((batch, inputs), np.float32))


def layer_work(layer, x, columns=slice(None)):
    def run():
        with no_grad():
            return F.dense(x, layer.weight, layer.bias)

    return Work(run, lambda y: [y.data[:, columns]])


def pruned_layer(rng, **sizes):
    net, kept, x = draw_net(rng, **sizes)
    return {"ours": layer_work(pruning.remove_neurons(net, kept).layers[1], x)}


def whole_layer(rng, **sizes):
    net, kept, x = draw_net(rng, **sizes)
    return {"whole layer": layer_work(net.layers[1], x, kept["1"])}


def ideal_row(case: Case, times: Times) -> list[Row]:
    """Ideally, half of the neurons take half of the time."""
    ideal = [0.5 * seconds for seconds in times["whole"]["whole layer"]]
    return [make_row(case, times["ours"]["ours"], ideal, "half of the whole layer")]


def neurons_case(inputs, outputs, batch):
    kept = inputs * outputs / 2
    return Case(
        "sparse",
        f"half of the neurons removed, {inputs} → {outputs}, batch {batch}",
        1.2,
        {"ours": pruned_layer, "whole": whole_layer},
        {"inputs": inputs, "outputs": outputs, "batch": batch},
        ideal_row,
        point=Point("dense", flops=2 * kept * batch, bytes=4 * (kept + batch * (inputs + outputs / 2))),
    )


SUITES = [
    Suite(
        "sparse",
        [
            *(
                crossover_case(inputs, outputs, batch)
                for inputs, outputs in ((784, 300), (1024, 1024))
                for batch in (32, 128)
            ),
            blocks_case(1024, 1024, 32),
            blocks_case(4096, 4096, 32),
            *(neurons_case(1024, 1024, batch) for batch in (1, 32, 128)),
        ],
    )
]
