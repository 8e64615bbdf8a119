"""Size on disk and latency of a net; `Module.summary` counts parameters and multiply-accumulates."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .kernels import get_num_threads
from .nn import Module
from .tensor import Tensor


def stored_bytes(model: Module) -> int:
    """Bytes of the file that `model.copy().bake().save(path)` writes: zip-compressed float32, headers included.

    A net made for inference (integers, or packed binary weights) cannot be saved; for it, the bytes of its arrays.
    """
    import tempfile

    if any(module.inference_only for module in model.modules()):
        return sum(_array_bytes(module) for module in model.modules())

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.npz")
        model.copy().bake().save(path)
        return os.path.getsize(path)


def _array_bytes(module: Module) -> int:
    """Bytes of the module's own arrays, without those of its children."""
    if module.inference_only:
        return module.nbytes
    own = module.named_parameters() | module.named_buffers()
    return sum((a.data if isinstance(a, Tensor) else a).nbytes for name, a in own.items() if "." not in name)


@dataclass(frozen=True)
class Timing:
    """Milliseconds per call, one entry per round; threads: the setting for the engine and BLAS."""

    rounds: tuple[float, ...]
    threads: int

    median = property(lambda self: float(np.median(self.rounds)))

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles, in milliseconds."""
        return tuple(float(q) for q in np.quantile(self.rounds, (0.25, 0.75)))

    def __repr__(self):
        low, high = self.spread
        return (
            f"{self.median:.3g} ms (quartiles {low:.3g}–{high:.3g}, {len(self.rounds)} rounds, {self.threads} threads)"
        )


def latency(variants: dict[str, Callable[[], object]], rounds: int = 15, round_ms: float = 5.0) -> dict[str, Timing]:
    """Time each variant, warmed up and interleaved (A B C, A B C, …), so that a slow moment affects all of them.

    Each round repeats a variant for about `round_ms` and records the mean. Returns name -> Timing in milliseconds.
    """
    if rounds < 1:
        raise ValueError(f"latency: rounds must be 1 or more, got {rounds}")
    repeats = {}
    for name, call in variants.items():
        call()  # compiles, fills caches
        start = time.perf_counter()
        call()
        repeats[name] = max(1, min(10_000, int(round_ms / 1000 / max(time.perf_counter() - start, 1e-7))))
    times = {name: [] for name in variants}
    for _ in range(rounds):
        for name, call in variants.items():
            call()  # brings this variant's data back into the caches
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name] * 1000)
    return {name: Timing(tuple(values), get_num_threads()) for name, values in times.items()}
