"""Claim P3b: the speed of an irregular matrix on a GPU, compared with a dense one and one of fewer neurons."""

import numpy as np

from ...workshop.style import figure
from ..claim import Claim, Effect
from ..tasks import not_measured
from .speed import HARMLESS, draw_crossovers, draw_speedups, ratio_of_times, slower_effects

SHAPES = ((1024, 1024), (4096, 4096))
BATCHES = (1, 32, 256)
SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
SKIP_ZEROS = ("CSR, cuSPARSE", "CSR, ours")
ROUNDS, REPEATS = 5, 5
QUEUE = 3584  # rows of the square matrices whose product keeps the GPU busy while calls are queued
HOW = (
    "On a machine with an NVIDIA GPU, such as a hosted notebook with a T4:\n\n"
    "pip install 'tinycompress[gpu]'\ntinycompress lecture P3b"
)


def missing() -> str:
    """What this machine lacks to measure the claim, or ""."""
    try:
        from numba import config, cuda
    except ImportError:
        return "no numba.cuda"
    if config.ENABLE_CUDASIM or not cuda.is_available():
        return "no GPU"
    for needed, works in (("numba.cuda", _numba_works), ("PyTorch", _torch_works)):
        try:
            works()
        except Exception as error:  # of many kinds: not installed, no libraries, too old for NumPy or the driver
            return f"no {needed} that works ({type(error).__name__}: {str(error).strip().partition(chr(10))[0]})"
    return ""


def _numba_works():
    from numba import cuda

    from ...pruning.products import gpu

    gpu.dense_matmul(*(cuda.to_device(np.ones((1, 1), np.float32)) for _ in range(3)))


def _torch_works():
    import torch

    torch.ones((2, 2), device="cuda") @ torch.ones((2, 2), device="cuda")


def measure_p3b(data_name: str, budget: str, seed: int) -> list[dict]:
    """Time one layer over shape, batch size and sparsity, in six forms with the same number of nonzero weights."""
    if why := missing():
        return [not_measured(why, HOW)]
    return [row for shape in SHAPES for batch in BATCHES for row in measure_layer(*shape, batch, seed)]


def measure_layer(inputs: int, outputs: int, batch: int, seed: int) -> list[dict]:
    """The rows of one shape and batch size. Random weights; each form gets its inputs in the best memory layout for it."""
    import warnings

    import scipy.sparse
    import torch
    from numba import config, cuda

    from ...pruning.products import gpu

    warnings.filterwarnings("ignore", "Sparse", UserWarning)  # PyTorch calls its CSR a beta, whatever one does with it
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # small layers are part of the question
    rng = np.random.default_rng(seed)
    w, x = rng.standard_normal((inputs, outputs), np.float32), rng.standard_normal((batch, inputs), np.float32)
    x_columns = np.ascontiguousarray(x.T)  # the batch's numbers of one input are neighbours, as CSR wants them
    x_torch, w_torch, x_cusparse = (on_gpu(a) for a in (x, w, x_columns[:, 0] if batch == 1 else x_columns))
    x_numba, w_numba, x_csr = (cuda.to_device(a) for a in (x, w, x_columns))
    y, y_columns = cuda.device_array((batch, outputs), np.float32), cuda.device_array((outputs, batch), np.float32)
    name = torch.cuda.get_device_name()
    rows = []
    for share in SPARSITIES:
        host = scipy.sparse.csr_matrix((w * (rng.random(w.shape, np.float32) >= share)).T)
        parts = host.indptr, host.indices, host.data
        csr, csr_numba = (
            torch.sparse_csr_tensor(*map(on_gpu, parts), size=host.shape),
            [cuda.to_device(p) for p in parts],
        )
        narrow = on_gpu(np.ascontiguousarray(w[:, : max(1, round(outputs * (1 - share)))]))
        csr_bytes = sum(part.nbytes for part in parts)
        forms = {
            "dense": (lambda: x_torch @ w_torch, w.nbytes),
            "dense, ours": (lambda: gpu.dense_matmul(x_numba, w_numba, y), w.nbytes),
            "CSR, cuSPARSE": (lambda c=csr: c @ x_cusparse, csr_bytes),
            "CSR, ours": (lambda c=csr_numba: gpu.csr_matmul(*c, x_csr, y_columns), csr_bytes),
            "fewer neurons": (lambda n=narrow: x_torch @ n, 4 * narrow.shape[0] * narrow.shape[1]),
        }
        times = device_ms({arm: call for arm, (call, _) in forms.items()})
        for arm, (_, size) in forms.items():
            low, middle, high = np.quantile(times[arm], (0.25, 0.5, 0.75))
            rows.append(
                {
                    "seed": seed,
                    "shape": f"{inputs}×{outputs}",
                    "batch": batch,
                    "removed": share,
                    "arm": arm,
                    "ms": middle,
                    "ms_low": low,
                    "ms_high": high,
                    "speedup": np.median(np.divide(times["dense"], times[arm])),
                    "memory_bytes": size,
                    "machine": name,
                }
            )
    return rows


def on_gpu(array):
    import torch

    return torch.as_tensor(array, device="cuda")


def device_ms(calls: dict) -> dict[str, list[float]]:
    """Milliseconds per call by the GPU's own clock, one entry per round; warmed up and interleaved (A B C, A B C, …).

    Starting a call from Python may take longer than the call. The calls of a round are therefore queued behind a long product:
    when the GPU is done with it, they all wait in line, and it goes from one to the next.
    """
    import torch

    long = on_gpu(np.ones((QUEUE, QUEUE), np.float32))
    for call in [*calls.values(), lambda: long @ long]:
        call()  # compiles
    times = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda.synchronize()
            long @ long
            call()  # brings its data back into the caches
            start.record()
            for _ in range(REPEATS):
                call()
            end.record()
            end.synchronize()
            times[name].append(start.elapsed_time(end) / REPEATS)
    return times


def fewer_neurons_are_faster(rows):
    return ratio_of_times(rows, ["dense"], ["fewer neurons"], HARMLESS)


def ratios_p3b(rows):
    """How many times fewer weights, and how many times as fast the faster CSR product is, at the last harmless share."""
    speedup = np.mean(ratio_of_times(rows, ["dense"], SKIP_ZEROS, HARMLESS[-1:]))
    return {"theory": 1 / (1 - HARMLESS[-1]), "clock": float(2**speedup)}


ARMS = {
    "fewer neurons": ("fewer neurons", "claim"),
    "CSR, cuSPARSE": ("CSR, cuSPARSE", "more"),
    "CSR, ours": ("CSR, our loop", "other"),
    "dense, ours": ("dense, our loop", "rival"),
}


def p3b(rows):
    """The speed-up of all forms over sparsity, and from which sparsity on CSR is faster than dense."""
    fig = figure(ncols=2, width=17, height=7, width_ratios=(1.3, 1))
    curves, bars = fig.axes
    draw_speedups(curves, rows, ARMS, csr="CSR, cuSPARSE")
    draw_crossovers(bars, rows, SKIP_ZEROS)
    curves.set_title(f"{rows[0]['machine']}, {curves.get_title(loc='left')}")
    return fig


CLAIM = Claim(
    id="P3b",
    chapter="pruning",
    title="The same on a GPU",
    measure=measure_p3b,
    effects=(
        *slower_effects(SKIP_ZEROS, decides=("N7",)),
        Effect(
            name="time of the dense layer over that of one with fewer neurons, and as many weights as are left",
            of=fewer_neurons_are_faster,
            unit="log2 ×",
            decides=("N7",),
        ),
    ),
    timed=True,
    figure=p3b,
    ratios=ratios_p3b,
    note="PyTorch calls cuBLAS for dense products and cuSPARSE for CSR, in float32 (no TF32). Beside them are our loops for "
    "both, in `pruning/products/gpu.py`. Times are the GPU's own, without the time in which Python starts a call. "
    "The verdict on fewer neurons is about the mean over the shares that the other verdicts name. "
    "The ratios are "
    f"those of the faster CSR product at {100 * HARMLESS[-1]:.0f} % removed. To measure it, run "
    "`pip install 'tinycompress[gpu]'` and `tinycompress lecture P3b` where there is an NVIDIA GPU, such as in a hosted "
    "notebook with a T4.",
    source="Gale et al. 2020, Sparse GPU Kernels for Deep Learning; Gray et al. 2017, GPU Kernels for Block-Sparse Weights",
)
