"""Depth: a net with several exits, and inference that stops at the first exit that is sure enough."""

from collections.abc import Callable, Sequence

import numpy as np

from ..graph import no_grad
from ..nn import AvgPool2d, Dense, Flatten, Module, MultiExit, Sequential
from ..tensor import Tensor

Score = Callable[[np.ndarray], np.ndarray]


def add_exits(
    net: Sequential, after: Sequence[int], heads: Sequence[Module] | None = None, frozen: bool = False, *, rng
) -> MultiExit:
    """A copy of the net (trained or not) with additional exits after the layers with these numbers.

    heads: one per new exit; by default a dense layer on the layer's whole output. The last exit is the net's own. frozen:
    only the new heads are trained, and the net's own output stays the same, bit for bit. Raises ValueError for numbers
    that are not layers in rising order, and for a net whose `input_shape` is not known.

    >>> from tinycompress import models
    >>> rng = np.random.default_rng(0)
    >>> net = add_exits(models.mlp((8, 8, 1), (32, 32), 10, rng=rng), after=(2,), rng=rng)
    >>> [logits.shape for logits in net(np.ones((5, 8, 8, 1), np.float32))]  # in training mode: of each exit
    [(5, 10), (5, 10)]
    """
    after = list(after)
    if not after or after != sorted(set(after)) or after[0] < 0 or after[-1] >= len(net) - 1:
        raise ValueError(
            f"add_exits: `after` numbers layers before the last, in rising order, from 0 to {len(net) - 2}; got {after}"
        )
    if net.input_shape is None:
        raise ValueError(
            "add_exits: the net's input shape is not known; build it with input_shape, for example (28, 28, 1)"
        )
    layers = net.copy().layers
    # The last layer alone is the last head.
    bounds = [0, *(i + 1 for i in after), len(layers) - 1]
    stages = [Sequential(*layers[a:b]) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    if heads is None:
        shapes = _output_shapes(net)
        heads = [Sequential(Flatten(), Dense(int(np.prod(shapes[i])), shapes[-1][-1], rng=rng)) for i in after]
    return MultiExit(stages, [*heads, layers[-1]], net.input_shape, frozen)


def pooled_heads(net: Sequential, after: Sequence[int], side: int = 4, *, rng) -> list[Module]:
    """Heads for `add_exits` after layers of large images: a dense layer on the means of about side × side patches.

    A dense layer on every pixel of a ResNet-20's first stage has 163,840 weights. Trained at the rate of the rest, it spoils
    what the net has learned. Kaya et al. 2019, Shallow-Deep Networks, pool to 4 × 4, too. Where a height or width is no
    multiple of the patches' size, the last pixels are left out. Raises ValueError for a layer whose output is no image.

    >>> from tinycompress import models
    >>> rng = np.random.default_rng(0)
    >>> net = models.resnet((32, 32, 3), 10, (4, 8, 16), blocks=1, rng=rng)
    >>> add_exits(net, [3], pooled_heads(net, [3], rng=rng), rng=rng).heads[0][-1]
    Dense(64, 10)
    """
    heads, shapes = [], _output_shapes(net)
    for i in after:
        if len(shapes[i]) != 3:
            raise ValueError(f"pooled_heads: layer {i} puts out {shapes[i]}, no image (height, width, channels)")
        height, width, channels = shapes[i]
        down, across = max(1, height // side), max(1, width // side)
        features = (height // down) * (width // across) * channels
        dense = Dense(features, shapes[-1][-1], rng=rng)
        heads.append(Sequential(AvgPool2d((down, across)), Flatten(), dense))
    return heads


def _output_shapes(net: Sequential) -> list[tuple[int, ...]]:
    x, shapes = Tensor(np.zeros((1, *net.input_shape), np.float32)), []
    with no_grad(), net.evaluation():
        for layer in net.layers:
            x = layer(x)
            shapes.append(x.shape[1:])
    return shapes


# How sure an exit is: from 0 to just below 1, so every image passes a threshold of 0 and none passes 1.

_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))


def confidence(logits: np.ndarray) -> np.ndarray:
    """The probability of the most likely class, (N, classes) -> (N,)."""
    largest = np.maximum.reduce(logits, -1, keepdims=True)
    return np.minimum(1 / np.add.reduce(np.exp(logits - largest), -1), _BELOW_ONE)


def certainty(logits: np.ndarray) -> np.ndarray:
    """1 - entropy / log(classes), (N, classes) -> (N,): 0 if all classes are equally likely (Teerapittayanon et al. 2016).

    Their threshold of T nats on the entropy corresponds to 1 - T / log(classes) here.
    """
    z = logits - logits.max(-1, keepdims=True)
    weights = np.exp(z)
    total = weights.sum(-1)
    entropy = np.log(total) - (weights * z).sum(-1) / total
    return np.clip(1 - entropy / np.log(logits.shape[-1]), 0, _BELOW_ONE).astype(logits.dtype)


class EarlyExit(Module):
    """Inference that stops: each image leaves at the first exit whose score is at least that exit's threshold.

    net: a `MultiExit`. thresholds: one per exit except the last, where all leave; or one for all of them. At 0 every image
    leaves; at 1 none does, and the exit's head is not even run. score: `confidence` or `certainty`. Nothing is computed
    that an image does not need: `run` takes only the images that have not left to the next stage. For inference only: no
    gradient flows through it. Raises TypeError for another net, ValueError unless the thresholds are from 0 to 1 and as
    many as that, and RuntimeError if it is called in training mode.

    >>> from tinycompress import models
    >>> rng = np.random.default_rng(0)
    >>> net = add_exits(models.mlp((8, 8, 1), (32, 32), 10, rng=rng), after=(2,), rng=rng)
    >>> logits, exits = EarlyExit(net, 0.5).run(rng.random((100, 8, 8, 1), np.float32))
    >>> logits.shape, set(exits.tolist()) <= {0, 1}
    ((100, 10), True)
    """

    def __init__(self, net: MultiExit, thresholds: float | Sequence[float], score: Score = confidence):
        if not isinstance(net, MultiExit):
            raise TypeError(f"EarlyExit takes a MultiExit, as add_exits(net, …) returns; got {type(net).__name__}")
        exits = len(net.stages)
        if isinstance(thresholds, int | float):
            thresholds = [thresholds] * (exits - 1)
        if len(thresholds) != exits - 1 or not all(0 <= t <= 1 for t in thresholds):
            raise ValueError(
                f"EarlyExit: {exits} exits need {exits - 1} thresholds from 0 to 1 (at the last all leave); got "
                f"{list(thresholds)}"
            )
        self.net, self.thresholds, self.score = net, tuple(map(float, thresholds)), score
        self.input_shape = net.input_shape
        self.training = False  # the net keeps its own mode

    def forward(self, x):
        if self.training:
            raise RuntimeError("EarlyExit is for inference only: call eval() first; train its net with JointLoss")
        return Tensor(self.run(x.data)[0])

    def run(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, classes) from the exit at which each image of x (N, …) left, and the exits' numbers (N,), from 0."""
        logits, exits = None, np.empty(len(x), np.int64)
        here = np.arange(len(x))  # the images that have not left
        with no_grad(), self.evaluation():  # even if the net is being trained
            x = Tensor(x)
            for i, (stage, head) in enumerate(zip(self.net.stages, self.net.heads, strict=True)):
                x = stage(x)
                threshold = self.thresholds[i] if i < len(self.thresholds) else 0.0
                if threshold == 1:
                    continue
                out = head(x).data
                leaves = self.score(out) >= threshold if threshold else np.ones(len(out), bool)
                if logits is None:
                    logits = np.empty((len(exits), out.shape[1]), out.dtype)
                logits[here[leaves]], exits[here[leaves]] = out[leaves], i
                if leaves.all():
                    break
                here, x = here[~leaves], Tensor(x.data[~leaves])
        return logits, exits

    def extra_repr(self) -> str:
        return f"{self.thresholds}, {self.score.__name__}"


def exit_at(i: int, exits: int) -> tuple[float, ...]:
    """The thresholds that make every image leave at exit i (from 0) of `exits`, and run no other head."""
    i = range(exits)[i]
    return tuple(0.0 if j >= i else 1.0 for j in range(exits - 1))
