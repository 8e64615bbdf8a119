"""Claim P3: the speed of an irregular matrix, compared with a dense one and one of fewer neurons."""

import numpy as np

from ...profiling import latency
from ...pruning.products.blocks import BLOCK, block_sparse_matmul, pack_blocks
from ...pruning.products.csr import csr_matmul
from ...workshop.style import COLORS, curve_with_band, figure, label_end, percent_axis, table
from ..claim import Claim, Effect, Settings

SHAPES = {"quick": ((784, 300), (1024, 1024)), "full": ((784, 300), (1024, 1024), (4096, 1024))}

BATCHES = (1, 32, 128)
SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
SKIP_ZEROS = ("CSR, scipy", "CSR, ours")
HARMLESS = 0.8  # removed a little at a time, P1 loses a third of a point on digits, and less on MNIST
SAME_TIME = np.log2(1.05)  # times that differ by less are equal for all that a user would notice


def tasks_p3(settings: Settings):
    shapes = SHAPES[settings.budget]
    return [(*shape, batch, seed) for seed in settings.each_seed for shape in shapes for batch in BATCHES]


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


def ratio_of_times(rows, slower, faster, upto: float = 1.0) -> list[float]:
    """Per repetition, log2 of the time of the fastest form in `slower` over that of the fastest form in `faster`.

    The mean over all shapes, batch sizes, and sparsities up to `upto`.
    """
    effects = []
    for seed in sorted({row["seed"] for row in rows}):
        panels = {}
        for row in rows:
            if row["seed"] == seed and row["removed"] <= upto:
                panels.setdefault((row["shape"], row["batch"], row["removed"]), {})[row["arm"]] = row["ms"]
        logs = [np.log2(min(ms[arm] for arm in slower) / min(ms[arm] for arm in faster)) for ms in panels.values()]
        effects.append(float(np.mean(logs)))
    return effects


def zeros_cost_the_same(rows):
    return ratio_of_times(rows, ["dense"], ["masked dense"])


def fewer_neurons_are_faster(rows):
    return ratio_of_times(rows, ["dense"], ["fewer neurons"])


def speed_drops(rows):
    return ratio_of_times(rows, SKIP_ZEROS, ["dense"], upto=HARMLESS)


def where_speed_drops(rows) -> str:
    """For each shape and batch size, the sparsity below which the faster CSR product is slower than the dense one."""
    found = []
    for shape, batch in dict.fromkeys((row["shape"], row["batch"]) for row in rows):
        here = [row for row in rows if row["shape"] == shape and row["batch"] == batch and row["arm"] in SKIP_ZEROS]
        shares = sorted({row["removed"] for row in here})
        speedup = [
            max(
                np.median([r["speedup"] for r in here if (r["arm"], r["removed"]) == (arm, share)])
                for arm in SKIP_ZEROS
            )
            for share in shares
        ]
        crossover = crossover_sparsity(shares, speedup)
        if crossover == shares[0]:
            words = f"nowhere from {100 * shares[0]:.0f} % on"
        else:
            words = f"up to {100 * (shares[-1] if crossover is None else crossover):.0f} %"
        found.append(f"{shape}, batch {batch}: {words}")
    return "slower than dense: " + "; ".join(found)


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
            curve_with_band(ax, removed, speedup, arm if last else "", COLORS[role], ratios=True, marker="o")
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
        Effect(
            name=f"time of the faster CSR product over that of the dense one, up to {100 * HARMLESS:.0f} % removed",
            of=speed_drops,
            unit="log2 ×",
            decides=("N8",),
            holds=where_speed_drops,
        ),
    ),
    timed=True,
    figure=p3,
    ratios=ratios_p3,
    note="CSR (compressed sparse rows) stores each weight that is left with its column, and multiplies only these; it is slower "
    "than the dense layer left of its dotted line, and faster right of it. In 16×1 blocks weights go 16 at a time: less free "
    "than one by one, and regular enough for vector registers. The ratios are those of scipy's CSR at 90 % removed. Random "
    "matrices: the clock does not see what a net has learned.",
    source="Han et al. 2015; Wen et al. 2016, Learning Structured Sparsity",
)
