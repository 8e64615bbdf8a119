"""Exit thresholds, chosen on validation data: the most accurate within a cost, or the cheapest that reach an accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..graph import no_grad
from ..nn import MultiExit
from ..profiling import latency
from ..tensor import Tensor
from .exits import Score, confidence

MOST_COMBINATIONS = 4096


@dataclass(frozen=True)
class Costs:
    """The cost of each stage and each head of a `MultiExit`, in MACs or milliseconds per image: arrays (exits,)."""

    stages: np.ndarray
    heads: np.ndarray

    def of(self, thresholds: Sequence[float]) -> np.ndarray:
        """The cost of leaving at each exit, (exits,): all stages up to it, and the heads that run on the way."""
        asked = np.array([t < 1 for t in thresholds] + [True])
        return np.cumsum(self.stages) + np.cumsum(self.heads * asked)


def mac_costs(net: MultiExit) -> Costs:
    """The multiply-accumulates of each stage and head, per image."""
    macs = [[], []]
    shape = net.input_shape
    for stage, head in zip(net.stages, net.heads, strict=True):
        layers = stage.summary(shape).layers
        shape = layers[-1].output_shape if layers else shape
        macs[0].append(sum(layer.macs for layer in layers))
        macs[1].append(head.summary(shape).macs)
    return Costs(*map(np.array, macs))


def ms_costs(net: MultiExit, x: np.ndarray, score: Score = confidence, rounds: int = 7) -> Costs:
    """The milliseconds per image of each stage, and of each head with its decision, in a batch of the size of x (N, …)."""
    calls = {}
    with no_grad(), net.evaluation():
        h = Tensor(x)
        for i, (stage, head) in enumerate(zip(net.stages, net.heads, strict=True)):
            calls["stage", i] = lambda stage=stage, h=h: stage(h)
            h = stage(h)
            calls["head", i] = lambda head=head, h=h: score(head(h).data)
        times = latency(calls, rounds=rounds, round_ms=2)
    exits = range(len(net.stages))
    return Costs(*(np.array([times[part, i].median / len(x) for i in exits]) for part in ("stage", "head")))


@dataclass(frozen=True)
class ExitTable:
    """For every exit and image, the score and whether the prediction is right: both (exits, N)."""

    scores: np.ndarray
    correct: np.ndarray

    def leaving(self, thresholds: Sequence[float]) -> np.ndarray:
        """The exit at which each image leaves, (N,)."""
        leaves = self.scores >= np.array([*thresholds, 0.0])[:, None]
        return leaves.argmax(0)

    def right(self, thresholds: Sequence[float]) -> np.ndarray:
        """Whether the exit at which each image leaves is right, (N,)."""
        return self._right_at(self.leaving(thresholds))

    def judge(self, thresholds: Sequence[float], costs: Costs) -> tuple[float, float]:
        """(accuracy, cost): the share of images that their exit gets right, and the mean cost per image."""
        exits = self.leaving(thresholds)
        return float(self._right_at(exits).mean()), float(costs.of(thresholds)[exits].mean())

    def _right_at(self, exits: np.ndarray) -> np.ndarray:
        return self.correct[exits, np.arange(len(exits))]

    def sample(self, n: int) -> np.ndarray:
        """Indices of n images (or all, if fewer) whose scores at the first exit are distributed like those of all images.

        The time of a few images depends on how many of them leave early. In this sample that share is about right.
        """
        ranked = np.argsort(self.scores[0], kind="stable")
        n = min(n, len(ranked))
        return ranked[(2 * np.arange(n) + 1) * len(ranked) // (2 * n)]


def exit_table(net: MultiExit, data, score: Score = confidence, batch_size: int = 512) -> ExitTable:
    """Run data = (x, labels) through all exits and record their scores."""
    x, labels = data
    parts = []
    with no_grad(), net.evaluation():
        for start in range(0, len(x), batch_size):
            h, logits = Tensor(x[start : start + batch_size]), []
            for stage, head in zip(net.stages, net.heads, strict=True):
                h = stage(h)
                logits.append(head(h).data)
            parts.append(np.stack(logits))
    logits = np.concatenate(parts, axis=1)
    return ExitTable(np.stack([score(z) for z in logits]), logits.argmax(-1) == labels)


def choose_thresholds(
    table: ExitTable, costs: Costs, *, accuracy: float | None = None, cost: float | None = None
) -> tuple[float, ...]:
    """The cheapest thresholds that reach `accuracy` (a share), or the most accurate whose mean cost is at most `cost`.

    Ties go to the more accurate, or else the cheaper. The values tried per threshold are 0, 1 and quantiles of the exit's
    scores, and all their combinations, at most 4,096, are tried. table: from validation data, never from the test split.
    Raises ValueError if no combination fits, unless exactly one of `accuracy` and `cost` is given, and for more than
    13 exits, which have too many.
    """
    if (accuracy is None) == (cost is None):
        raise ValueError("choose_thresholds: give an accuracy or a cost, exactly one of them")
    tried = [(*table.judge(t, costs), t) for t in _combinations(table.scores)]
    if accuracy is not None:
        good = [(-c, a, t) for a, c, t in tried if a >= accuracy]
        reach = f"the most accurate thresholds reach {max(a for a, _, _ in tried):.4f}"
    else:
        good = [(a, -c, t) for a, c, t in tried if c <= cost]
        reach = f"the cheapest thresholds cost {min(c for _, c, _ in tried):.4g}"
    if not good:
        asked = f"accuracy {accuracy:.4f}" if cost is None else f"cost {cost:.4g}"
        raise ValueError(f"choose_thresholds: nothing fits {asked}; {reach}")
    return max(good, key=lambda found: found[:2])[2]


def _combinations(scores: np.ndarray):
    exits = len(scores) - 1
    if 2**exits > MOST_COMBINATIONS:
        raise ValueError(
            f"choose_thresholds: {exits + 1} exits have over {MOST_COMBINATIONS:,} combinations; give the net fewer"
        )
    values = int(MOST_COMBINATIONS ** (1 / exits)) if exits else 1
    at = np.linspace(0, 1, max(values - 2, 0))
    choices = [np.unique([0.0, 1.0, *np.quantile(row, at, method="higher")]).tolist() for row in scores[:-1]]
    return product(*choices)
