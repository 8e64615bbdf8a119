"""The form for prediction: what an inference engine makes of a trained net.

    fast = optimize(net, x)         once, for batches like x
    fast(x)                         the same predictions, in less time
    print(fast)                     what became of each layer, and why

Training needs a graph, the batch norms' statistics, weights that can change, and checks that explain mistakes. Prediction
needs none of them, so each step below is done once instead of for every batch:

1. parametrizations (masks, centroids, signs) are computed: `bake`
2. a batch norm scales and shifts what the layer before it adds up anyway, so it goes into that layer's weights and bias
3. the bias and the ReLU are applied while the sums are still in registers
4. each layer gets the form that runs fastest on this machine: `forms`
5. the weights are packed, and every array between two layers is allocated: `Plan`

What is left of a prediction is a list of functions without arguments, called one after the other.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite, prod

import numpy as np

from ..dynamic import EarlyExit, Slimmable
from ..graph import no_grad
from ..guards import computes_as, is_as_stated
from ..kernels.reductions import FEW
from ..kernels.runtime.threads import WORTH_A_THREAD, share
from ..nn import BatchNorm, Dropout, Flatten, GlobalAvgPool, Module, MultiExit, ReLU, Residual, Sequential, Weighted
from ..quantization.batch_norm import fold_into
from ..quantization.binary import BinaryDense, Sign
from ..quantization.integers import IntegerNet
from ..tensor import Tensor
from ..text import aligned, html_table, names
from ..training import inputs
from . import forms
from .exits import InferenceExits

__all__ = ["InferenceExits", "InferenceNet", "Plan", "Step", "optimize"]

HEAD = ("layers", "form", "why")

MOST = 128
"""Images per plan: enough for any layer to be fast, and the arrays of a plan stay small. Larger batches take turns."""

PLANS = 8
"""Sizes of batches for which a net has plans of their own. Batches of other sizes, which early exits leave behind, use a plan for
the next multiple of ROUNDED."""

ROUNDED = 16

SPEED = 2e10
"""Multiply-adds per second, to translate a measured time for `share`."""


@dataclass(frozen=True)
class Step:
    """One or several layers that are computed together.

    layers: what they were. form: how they are computed. why: why so. inner: the steps of the branches of a residual block.
    prepare(x): allocates the output y for an input array x and returns (y, run); run() computes y from what x then holds.
    """

    layers: str
    form: str
    prepare: forms.Prepare
    why: str = ""
    inner: tuple["Step", ...] = ()

    def rows(self, indent: str = "") -> Iterator[tuple[str, str, str]]:
        """Its layers, form and reason, and those of the steps inside, indented."""
        yield indent + self.layers, self.form, self.why
        for step in self.inner:
            yield from step.rows(indent + "  ")


class InferenceNet(Module):
    """A net for prediction only, made by `optimize`. (N, …) -> what the net gives, up to rounding.

    For inputs that the net would refuse or whose squares have no finite sum, and for an empty batch, `net` itself is called: they
    get its message or its result. Threads may share an InferenceNet.
    """

    inference_only = True

    def __init__(self, net: Module, steps: list[Step], x: np.ndarray):
        self.net, self.steps, self.batch, self.input_shape, self.dtype = net, steps, len(x), x.shape[1:], x.dtype
        self._idle, self._lock = {}, threading.Lock()  # batch size -> plans that no thread is using
        plan = Plan(steps, x.shape, self.dtype)  # not kept: batches of another size would need a second one beside it
        self.output_shape = plan.y.shape[1:]
        whole, one = _seconds(plan, x), _seconds(Plan(steps, (1, *self.input_shape), self.dtype), x[:1])
        self.seconds = max(whole - one, 0) / (len(x) - 1) if len(x) > 1 else one  # per image
        self.calls = max(one - self.seconds, 0)  # of the steps, in seconds, whatever the size of the batch

    nbytes = 0  # its arrays are those of `net`

    def forward(self, x):
        return Tensor(self.run(x.data))

    def run(self, x: np.ndarray) -> np.ndarray:
        """The outputs for a batch x (N, …), as arrays. Threads take a part of the batch each, through the whole net."""
        if x.dtype == self.dtype and x.shape[1:] == self.input_shape and len(x) and _finite(x):
            y = self._shared(x) if len(x) > 1 else self._run(x)
            if _finite(y):
                return y
        with no_grad(), self.net.evaluation():
            return self.net(Tensor(x)).data

    def _shared(self, x: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), *self.output_shape), self.dtype)

        def work(start, end):
            for i in range(start, end, MOST):
                part = slice(i, min(i + MOST, end))
                y[part] = self._run(x[part])

        share(work, len(x), self._work(len(x)))
        return y

    def _work(self, n: int) -> int:
        """What `share` counts as the multiply-adds of n images. Every thread calls all steps, and only one can call at a time: a
        thread pays off if its images take longer than the calls of two."""
        worth = WORTH_A_THREAD / SPEED
        return int(n * self.seconds * SPEED * worth / (worth + 2 * self.calls))

    def _run(self, x: np.ndarray) -> np.ndarray:
        """The outputs for at most MOST images, on this thread."""
        plan = self._take(len(x))
        y = plan.run(x).copy()
        with self._lock:
            self._idle[len(plan.x)].append(plan)
        return y

    def _take(self, n: int) -> "Plan":
        """A plan for n images or a few more that no thread is using."""
        with self._lock:
            if n not in self._idle and len(self._idle) >= PLANS:
                n = -(-n // ROUNDED) * ROUNDED
            if plans := self._idle.setdefault(n, []):
                return plans.pop()
        return Plan(self.steps, (n, *self.input_shape), self.dtype)

    def parts(self, x: np.ndarray) -> list[tuple[str, np.ndarray, Callable[[], object]]]:
        """Each step's text, its output for the batch x (N, …), and a function that computes it, for `profiling.by_layer`."""
        plan = Plan(self.steps, x.shape, self.dtype)
        plan.run(x)
        return list(_flattened(plan.parts))

    def __reduce__(self):  # a copy, perhaps on another machine, chooses its forms anew
        return optimize, (self.net, np.zeros((self.batch, *self.input_shape), self.dtype))

    def __deepcopy__(self, memo):
        return InferenceNet(self.net.copy(), self.steps, np.zeros((self.batch, *self.input_shape), self.dtype))

    def _rows(self):
        return [row for step in self.steps for row in step.rows()]

    def extra_repr(self) -> str:
        return "\n" + "\n".join(aligned([HEAD, *self._rows()])) + "\n"

    def _repr_html_(self):
        return html_table(HEAD, self._rows())


class Plan:
    """All arrays for batches of one shape, and the functions that fill them in turn."""

    def __init__(self, steps: list[Step], shape: tuple[int, ...], dtype):
        y = self.x = np.zeros(shape, dtype)
        self.parts = []  # (step, its output, its function)
        for step in steps:
            y, run = step.prepare(y)
            self.parts.append((step, y, run))
        self.y = y

    def run(self, x: np.ndarray) -> np.ndarray:
        """The outputs for x, of the plan's shape or fewer images. They are overwritten by the next batch."""
        self.x[: len(x)] = x  # behind them are older images, which cost a little time and harm nobody
        for _, _, run in self.parts:
            run()
        return self.y[: len(x)]


def _seconds(plan: Plan, x: np.ndarray) -> float:
    """The least of three runs, after one that compiles."""
    times = []
    for _ in range(4):
        start = time.perf_counter()
        plan.run(x)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _finite(x: np.ndarray) -> bool:
    """Whether all numbers are finite, and the sum of their squares: NaN and infinity pass from each number to it. BLAS adds them
    up in a fraction of the time of `np.isfinite(x).all()`."""
    return isfinite(np.vdot(x, x))


def _flattened(parts, indent: str = ""):
    for step, y, run in parts:
        if isinstance(run, forms.Sum):
            yield from _flattened(run.parts, indent + "  ")
            run = run.add
        yield f"{indent}{step.layers}: {step.form}", y, run


def optimize(net: Module, x: np.ndarray) -> Module:
    """The net in its form for prediction, fastest for batches like x (N, …) on this machine; `net` itself stays as it is.

    Returns an `InferenceNet`; for an `EarlyExit` an `InferenceExits` with one per stage and head, which still stops early. A
    `MultiExit` is taken to its last exit, a `Slimmable` at its full width (take `cut(width)` for another one). Modules that
    are not known are called as they are. Outputs differ from the net's by rounding only, since sums are added in another
    order. Raises ValueError for an empty batch, and what the net raises for x.

    >>> from tinycompress import models
    >>> net = models.lenet_5((8, 8, 1), 10, rng=0)
    >>> x = np.random.default_rng(0).random((16, 8, 8, 1), np.float32)
    >>> fast = optimize(net, x)
    >>> np.allclose(fast(x).data, net(x).data, atol=1e-4)
    True
    """
    x = inputs("optimize", x)
    if len(x) == 0:
        raise ValueError("optimize: the batch is empty; pass one like those that will be predicted")
    x = x[:MOST]
    if isinstance(net, Slimmable):
        net = net.cut(max(net.widths))
    net = net.copy().eval().bake()
    if isinstance(net, EarlyExit):
        return _early(net, x)
    if computes_as(net, MultiExit):
        net = net.exit(-1)
    with no_grad():
        net(Tensor(x[:1] if _finite(x) else x))  # raises what the net raises
        steps = _integer_steps(net) if isinstance(net, IntegerNet) else _steps(net.copy(), x)[0]
    return InferenceNet(net, steps, x)


def _early(net: EarlyExit, x: np.ndarray) -> InferenceExits:
    stages, heads, inner = [], [], net.net
    for stage, head in zip(inner.stages, inner.heads, strict=True):
        stages.append(optimize(stage, x))
        x = stages[-1].run(x)
        heads.append(optimize(head, x))
    inner.stages, inner.heads = stages, heads
    return InferenceExits(inner, net.thresholds, net.score)


def _integer_steps(net: IntegerNet) -> list[Step]:
    """The steps of a net of 8-bit integers, whose layers have one form each: bytes in, bytes out."""
    steps = [Step("real numbers", "rounded to bytes", net.prepare)]
    for layer in net.integer_layers:
        steps.append(Step(type(layer).__name__, "bytes", layer.prepare))
    return steps


def _steps(net: Module, x: np.ndarray) -> tuple[list[Step], np.ndarray]:
    """The steps of a net that may be changed, and its output for x."""
    steps, layers = [], _flat(net)
    while layers:
        layer, *layers = layers
        if computes_as(layer, Dropout):
            continue
        if isinstance(layer, BinaryDense) and not layer.signs_only:
            layer = layer.unpacked()
        joined = ["Residual" if computes_as(layer, Residual) else repr(layer)]
        if computes_as(layer, Sign) and layers and isinstance(layers[0], BinaryDense) and layers[0].signs_only:
            layer = layers.pop(0)  # which takes the signs itself
            joined.append(repr(layer))
        if isinstance(layer, Weighted) and is_as_stated(layer) and layers and type(layers[0]) is BatchNorm:
            layer = layer.copy()  # it may stand in two places
            fold_into(layer, layers.pop(0))
            joined.append("BatchNorm")
        known = next((kind for kind in forms.TAKE_RELU if computes_as(layer, kind)), None)
        relu = known is not None and bool(layers) and type(layers[0]) is ReLU
        if relu:
            layers.pop(0)
            joined.append("ReLU")
        step, x = _step(" + ".join(joined), layer, known, relu, x)
        steps.append(step)
    return steps, x


def _flat(net: Module) -> list[Module]:
    """The layers of nested `Sequential`s in the order in which they run."""
    if not computes_as(net, Sequential):
        return [net]
    return [inner for layer in net.layers for inner in _flat(layer)]


def _step(layers: str, layer: Module, known: type | None, relu: bool, x: np.ndarray) -> tuple[Step, np.ndarray]:
    why, inner = "", ()
    if known is Residual:
        branches = [_steps(branch, x)[0] if branch else [] for branch in (layer.body, layer.shortcut)]
        form, prepare, inner = "sum in one pass", forms.residual(*branches, relu), (*branches[0], *branches[1])
    elif computes_as(layer, Flatten):
        form, prepare = "the same numbers", forms.flatten
    elif computes_as(layer, GlobalAvgPool) and x.ndim == 4 and prod(x.shape[1:3]) <= 2 * FEW:
        form, prepare = "one product", forms.global_average
    elif isinstance(layer, BinaryDense):
        form, prepare = "signs, counted in words", layer.prepare
    elif known is None:
        form, prepare = forms.CALLED if layer.parameters() else "as it is", forms.called(_values_of(layer))
    else:
        form, prepare, why = forms.fastest(forms.of(layer, known, relu, x), x)
    y, run = prepare(x)
    run()
    return Step(layers, form, prepare, why, inner), y


def _values_of(layer: Module) -> Callable[[np.ndarray], np.ndarray]:
    """The layer as a function of arrays, without a graph."""

    def call(x):
        with no_grad():
            return layer(Tensor(x)).data

    return call


names.answer()
