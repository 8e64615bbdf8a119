"""Claim P3: the speed of an irregular matrix, compared with a dense one and one of fewer neurons."""

import numpy as np

from ...kernels import matmul
from ...profiling import latency
from ...pruning.products.blocks import BLOCK, block_sparse_matmul, pack_blocks
from ...pruning.products.csr import csr_matmul
from ...workshop.style import figure
from ..claim import Claim, Effect, Settings
from .speed import by_panel, draw_crossovers, draw_csr, draw_speedups, ratio_of_times, slower_effects

SHAPES = {"quick": ((784, 300), (1024, 1024)), "full": ((784, 300), (1024, 1024), (4096, 1024))}

BATCHES = (1, 32, 128)
SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
SKIP_ZEROS = ("CSR, scipy", "CSR, ours")
RATIOS_AT = 0.9  # of the weights removed
FEW_SEEDS = 3  # at the budget "quick": the clock hardly tells one random matrix from another
SAME_TIME = np.log2(1.05)  # times that differ by less are equal for all that a user would notice


def tasks_p3(settings: Settings):
    shapes, seeds = SHAPES[settings.budget], settings.each_seed[: FEW_SEEDS if settings.budget == "quick" else None]
    return [(*shape, batch, seed) for seed in seeds for shape in shapes for batch in BATCHES]


def measure_p3(inputs: int, outputs: int, batch: int, seed: int) -> list[dict]:
    """Time one layer, y = x @ w, over sparsity, in six forms with the same number of nonzero weights.

    Each form gets its inputs in the best memory layout for it: (in, batch) for CSR, (batch, in) for the others.
    """
    import scipy.sparse

    rng = np.random.default_rng(seed)
    w = rng.standard_normal((inputs, outputs), np.float32)
    x = rng.standard_normal((batch, inputs), np.float32)
    x_columns = np.ascontiguousarray(x.T)
    rows = []
    for turn, share in enumerate(SPARSITIES):
        dense = w.copy()  # its place in memory is chosen anew, as that of the others
        sparse = w * (rng.random(w.shape, np.float32) >= share)
        csr = scipy.sparse.csr_matrix(sparse.T)
        narrow = np.ascontiguousarray(w[:, : max(1, round(outputs * (1 - share)))])
        kept = rng.random((inputs, -(-outputs // BLOCK)), np.float32) >= share  # 16 outputs stay or go together
        blocks = pack_blocks(w * kept.repeat(BLOCK, axis=1)[:, :outputs])
        indptr, indices = csr.indptr.astype(np.int64), csr.indices.astype(np.int64)
        forms = {
            "dense": (lambda d=dense: matmul(x, d), dense.nbytes),
            "masked dense": (lambda s=sparse: matmul(x, s), sparse.nbytes),
            "CSR, scipy": (lambda c=csr: c @ x_columns, csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes),
            "CSR, ours": (
                lambda c=csr, p=indptr, i=indices: csr_matmul(p, i, c.data, x_columns),
                csr.data.nbytes + indices.nbytes + indptr.nbytes,
            ),
            "16×1 blocks": (lambda b=blocks: block_sparse_matmul(x, b), blocks.nbytes),
            "fewer neurons": (lambda n=narrow: matmul(x, n), narrow.nbytes),
        }
        order = list(forms)[:: -1 if turn % 2 else 1]  # so that none is always the one before, or after, another
        times = latency({name: forms[name][0] for name in order}, rounds=5, round_ms=1)
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
                    # Of neighbouring rounds, since the machine has fast moments and slow ones.
                    "speedup": np.median(np.divide(times["dense"].rounds, times[name].rounds)),
                    "memory_bytes": size,
                    "threads": times[name].threads,
                }
            )
    return rows


def zeros_cost_the_same(rows):
    """Per seed, log2 of the time of the dense product over that of one with zeros: the median over all panels.

    Both are the same call of BLAS: in the few panels where they differ much, something else disturbed one of them.
    """
    return [
        float(np.median([np.log2(panel["masked dense"]["speedup"]) for panel in panels]))
        for panels in by_panel(rows).values()
    ]


def fewer_neurons_are_faster(rows):
    return ratio_of_times(rows, ["dense"], ["fewer neurons"])


def ratios_p3(rows):
    """How many times fewer weights, and how many times as fast the faster CSR product is, at one share removed."""
    speedup = np.mean(ratio_of_times(rows, ["dense"], SKIP_ZEROS, (RATIOS_AT,)))
    return {"theory": 1 / (1 - RATIOS_AT), "clock": float(2**speedup)}


ARMS = {
    "fewer neurons": ("fewer neurons", "claim"),
    "16×1 blocks": ("16×1 blocks", "extra"),
    "CSR, ours": ("CSR, ours", "other"),
    "CSR, scipy": ("CSR, scipy", "more"),
    "masked dense": ("zeros multiplied", "rival"),
}


def p3(rows):
    """CSR explained, the speed-up of all forms over sparsity, and from which sparsity on CSR is faster than dense."""
    fig = figure(ncols=3, width=18, height=6.5, width_ratios=(0.8, 1.25, 1))
    explained, curves, bars = fig.axes
    draw_csr(explained)
    draw_speedups(curves, rows, ARMS, csr="CSR, scipy")
    draw_crossovers(bars, rows, SKIP_ZEROS)
    return fig


CLAIM = Claim(
    id="P3",
    chapter="pruning",
    title="An irregular matrix is hard to accelerate",
    tasks=tasks_p3,
    measure=measure_p3,
    effects=(
        Effect(
            name="time of a dense matrix over that of one with zeros, multiplied as a dense one",
            of=zeros_cost_the_same,
            unit="log2 ×",
            smallest=float(SAME_TIME),
            equal=True,
            decides=("N31",),
        ),
        Effect(
            name="time of the dense layer over that of one with fewer neurons, and as many weights as are left",
            of=fewer_neurons_are_faster,
            unit="log2 ×",
            decides=("N31",),
        ),
        *slower_effects(SKIP_ZEROS, decides=("N8",)),
    ),
    timed=True,
    figure=p3,
    ratios=ratios_p3,
    note="CSR (compressed sparse rows) stores each weight that is left with its column, and multiplies only these. Right: from "
    "which share on the faster of two CSR products is faster than the dense one. In 16×1 blocks weights go 16 at a time: less "
    "free than one by one, and regular enough for vector registers. "
    "A layer with fewer neurons can gain more time than weights, since its matrix may then fit into a faster cache. A "
    "verdict that names no share is about the mean over all shares. "
    f"The ratios are those of the faster CSR product at {100 * RATIOS_AT:.0f} % removed, means over shapes and batch sizes. "
    "Random matrices: the clock does not see what a net has learned.",
    source="Han et al. 2015; Wen et al. 2016, Learning Structured Sparsity",
)
