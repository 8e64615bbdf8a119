"""Size on disk and latency of a net, as a whole and by layer; `Module.summary` counts parameters and multiply-accumulates."""

import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .graph import no_grad
from .kernels import get_num_threads
from .nn import Module
from .nn.summary import layer_calls, macs_of
from .tensor import Tensor
from .text import aligned, html_table


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
    own = [*module.named_parameters(), *module.named_buffers()]
    return sum((a.data if isinstance(a, Tensor) else a).nbytes for name, a in own if "." not in name)


@dataclass(frozen=True)
class Timing:
    """Milliseconds per call, one entry per round; threads: the setting for the engine and BLAS."""

    rounds: tuple[float, ...]
    threads: int

    @property
    def median(self) -> float:
        """The median round, in milliseconds per call."""
        return float(np.median(self.rounds))

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

    Each round repeats a variant for about `round_ms` and records the mean. Returns name -> Timing in milliseconds. Raises
    ValueError for less than one round, and TypeError for variants without names.

    >>> numbers = list(range(10_000))
    >>> times = latency({"sum": lambda: sum(numbers), "first": lambda: numbers[0]}, rounds=5)
    >>> times["sum"].median > times["first"].median
    True
    """
    if not isinstance(variants, dict):
        raise TypeError(f'latency: pass named calls, {{"net": lambda: net(x)}}; got {type(variants).__name__}')
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


@dataclass(frozen=True)
class LayerTime:
    """One layer of a profile. output_shape and macs (None if unknown) are per example, ms is per batch."""

    name: str
    layer: str
    output_shape: tuple[int, ...]
    macs: int | None
    ms: float


@dataclass(frozen=True)
class Profile:
    """Where the time of a batch goes. Prints as a table with bars, in notebooks as HTML.

    layers: in the order in which they run. whole: the time of the whole net; beyond that of the layers, it holds additions
    between branches, the graph's bookkeeping and Python. Layers that run together in the net take longer on their own.
    """

    layers: list[LayerTime]
    whole: Timing
    batch: int

    def _rows(self):
        total = sum(layer.ms for layer in self.layers)
        known = [layer.macs for layer in self.layers if layer.macs is not None]
        for layer in self.layers:
            shape, share = "×".join(map(str, layer.output_shape)), layer.ms / total
            macs = "?" if layer.macs is None else f"{layer.macs:,}"
            yield (
                f"{layer.name} {layer.layer}" if layer.name else layer.layer,
                shape,
                macs,
                f"{layer.ms:.3f}",
                f"{share:.0%}",
                _bar(share),
            )
        yield "all layers", "", f"{sum(known):,}" if len(known) == len(self.layers) else "?", f"{total:.3f}", "", ""
        yield f"the net, batch {self.batch}", "", "", f"{self.whole.median:.3f}", "", ""

    def __str__(self):
        return "\n".join(aligned([PROFILE_HEAD, *self._rows()], right=range(1, 5)))

    __repr__ = __str__

    def _repr_html_(self):
        return html_table(PROFILE_HEAD, self._rows())


PROFILE_HEAD = ("layer", "output", "MACs", "ms", "share", "")


def _bar(share: float) -> str:
    return "█" * round(30 * share) or "▏"


def by_layer(model: Module, x: np.ndarray, rounds: int = 7) -> Profile:
    """Time each layer of the model on a batch x (N, …), warmed up and interleaved, in evaluation mode and without a graph.

    Each layer gets random numbers of the shape that it sees for x. A net for prediction (`inference.optimize`) is timed by its
    own steps, but as a whole if it has exits, after which the number of images differs. Raises ValueError for an empty batch.
    """
    if len(x) == 0:
        raise ValueError("by_layer: the batch is empty; pass one like those that will be predicted")
    found, calls = [], {}
    with no_grad(), model.evaluation():
        if hasattr(model, "parts"):
            for name, y, call in model.parts(x):
                found.append(("", name, y.shape[1:], None))
                calls[len(calls)] = call
        else:
            rng = np.random.default_rng(0)
            for name, layer, in_shape, out_shape in layer_calls(model, x):
                macs = macs_of(layer, in_shape, out_shape)
                found.append((name, repr(layer), out_shape[1:], None if macs is None else macs // len(x)))
                inputs = Tensor(rng.standard_normal(in_shape).astype(x.dtype))
                calls[len(calls)] = functools.partial(layer, inputs)
        times = latency(calls | {"whole": lambda: model(x)}, rounds, 2)
    layers = [LayerTime(*what, times[i].median) for i, what in enumerate(found)]
    return Profile(layers, times["whole"], len(x))
