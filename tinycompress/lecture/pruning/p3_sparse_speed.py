"""Claim P3: the speed of an irregular matrix, compared with a dense one and one of fewer neurons."""

import numpy as np

from ...profiling import latency
from ...pruning.products.blocks import BLOCK, block_sparse_matmul, pack_blocks
from ...pruning.products.csr import csr_matmul
from ...workshop.style import COLORS, curve_with_band, figure, label_end, percent_axis, table
from ..claim import Claim, Settings

SHAPES = {"quick": ((784, 300), (1024, 1024)), "full": ((784, 300), (1024, 1024), (4096, 1024))}

BATCHES = (1, 32, 128)
SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)


def tasks_p3(settings: Settings):
    # At most three at the budget "quick": each repetition times every setting in five rounds, one after another.
    repetitions = min(settings.seeds, 3) if settings.budget == "quick" else settings.seeds
    return [
        (*shape, batch, seed) for seed in range(repetitions) for shape in SHAPES[settings.budget] for batch in BATCHES
    ]


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
    for share in SPARSITIES:
        sparse = w * (rng.random(w.shape, np.float32) >= share)
        csr = scipy.sparse.csr_matrix(sparse.T)
        narrow = np.ascontiguousarray(w[:, : max(1, round(outputs * (1 - share)))])
        kept = rng.random((inputs, -(-outputs // BLOCK)), np.float32) >= share  # 16 outputs stay or go together
        blocks = pack_blocks(w * kept.repeat(BLOCK, axis=1)[:, :outputs])
        indptr, indices = csr.indptr.astype(np.int64), csr.indices.astype(np.int64)
        forms = {
            "dense": (lambda: x @ w, w.nbytes),
            "masked dense": (lambda s=sparse: x @ s, sparse.nbytes),
            "CSR, scipy": (lambda c=csr: c @ x_columns, csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes),
            "CSR, ours": (
                lambda c=csr, p=indptr, i=indices: csr_matmul(p, i, c.data, x_columns),
                csr.data.nbytes + indices.nbytes + indptr.nbytes,
            ),
            "16×1 blocks": (lambda b=blocks: block_sparse_matmul(x, b), blocks.nbytes),
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
    """Per repetition, log2 of the time of the fastest irregular form over that of the layer with fewer neurons.

    The mean over all shapes, batch sizes and sparsities.
    """
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
    """Ratios of scipy's CSR at 90 % removed, in batches: how many times fewer weights, and how many times faster."""
    chosen = [row for row in rows if row["removed"] == 0.9 and row["batch"] > 1 and row["arm"] == "CSR, scipy"]
    return {
        "theory": float(np.mean([1 / (1 - row["removed"]) for row in chosen])),
        "clock": float(np.median([row["speedup"] for row in chosen])),
    }


def p3(rows):
    """Speed-up relative to the dense layer, over sparsity, one panel per shape and batch size."""
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    batches = sorted({row["batch"] for row in rows})
    fig = figure(
        ncols=len(batches),
        nrows=len(shapes),
        width=6.2 * len(batches) + 2.5,
        height=5.2 * len(shapes),
        sharex=True,
        sharey=True,
    )
    arms = {
        "fewer neurons": "claim",
        "16×1 blocks": "extra",
        "CSR, ours": "other",
        "CSR, scipy": "more",
        "masked dense": "rival",
    }
    measured = {row["arm"] for row in rows}
    for ax, (shape, batch) in zip(fig.axes, [(s, b) for s in shapes for b in batches], strict=True):
        last = batch == batches[-1]
        for arm, role in arms.items():
            if arm not in measured:  # saved before blocks were an arm
                continue
            removed, speedup = table(rows, arm, "removed", "speedup", shape=shape, batch=batch)
            curve_with_band(ax, removed, speedup, arm if last else "", COLORS[role], marker="o")
            if arm.startswith("CSR"):
                _mark_crossover(ax, removed, np.median(np.array(speedup, float), axis=0), COLORS[role])
        shares = np.linspace(min(removed), max(removed), 50)
        ax.plot(shares, 1 / (1 - shares), color=COLORS["ideal"], linestyle="--", linewidth=2)
        if last:
            label_end(ax, [(shares[0], 2), (shares[-1], 1 / (1 - shares[-1]))], "weights saved", COLORS["ideal"])
        ax.axhline(1, color=COLORS["reference"], linewidth=1.5)
        ax.set_yscale("log")
        ax.set_yticks([0.1, 1, 10, 100], ["0.1×", "1×", "10×", "100×"])
        ax.set_title(f"{shape}, batch {batch}")
        ax.set_xlim(0.46, 1)
        percent_axis(ax.xaxis)
    for ax in fig.axes[-len(batches) :]:
        ax.set_xlabel("weights removed")
    for ax in fig.axes[:: len(batches)]:
        ax.set_ylabel("speed-up over dense")
    return fig


def _mark_crossover(ax, removed, speedup, color):
    """Draw a dotted line where the form becomes faster than the dense layer, if it does."""
    crossover = crossover_sparsity(removed, speedup)
    if crossover is None:
        return
    ax.axvline(crossover, color=color, linestyle=":", linewidth=2)
    at_most = "≤ " if crossover == removed[0] else ""  # lower sparsities were not measured
    look = {"ha": "center", "fontsize": 13, "backgroundcolor": "white"}
    text = f"{at_most}{100 * crossover:.0f} %"
    ax.annotate(text, (crossover, 0.02), xycoords=("data", "axes fraction"), color=color, **look)


def crossover_sparsity(removed, speedup) -> float | None:
    """The sparsity above which the speed-up stays above 1, interpolated on a log scale; None if the last one is below 1."""
    logs = np.log(speedup)
    below = np.flatnonzero(logs <= 0)
    if len(below) == 0:
        return float(removed[0])
    i = below[-1]
    if i == len(logs) - 1:
        return None
    return float(removed[i] + (removed[i + 1] - removed[i]) * -logs[i] / (logs[i + 1] - logs[i]))


CLAIM = Claim(
    id="P3",
    chapter="pruning",
    title="An irregular matrix is hard to accelerate",
    decides=("N31",),
    tasks=tasks_p3,
    measure=measure_p3,
    effect=effect_p3,
    effect_name="time of the fastest irregular form over that of a layer with fewer neurons and the same number of weights",
    unit="log2 ×",
    timed=True,
    figure=p3,
    ratios=ratios_p3,
    note="The verdict compares fewer neurons with the fastest irregular form of the same number of weights. Zeros in a dense "
    "matrix save nothing. CSR is slower than the dense layer left of its dotted line and faster right of it. In 16×1 blocks "
    "weights are removed 16 at a time: a less free choice, but regular enough for vector registers. The ratios are those "
    "of scipy's CSR at 90 % removed. The matrices are random, because speed does not depend on what a net has learned.",
    source="Han et al. 2015; Wen et al. 2016, Learning Structured Sparsity",
)
