"""Budget: the depth and width to use within a number of milliseconds or MACs, from a measured table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..nn import MultiExit
from ..profiling import latency
from .exits import EarlyExit, Score, confidence
from .thresholds import exit_table, mac_costs


@dataclass(frozen=True)
class Setting:
    """A width and its exit thresholds, with their measured accuracy (a share) and mean MACs and ms per image.

    >>> slow, fast = Setting(1.0, (1.0,), 0.98, macs=4000, ms=0.4), Setting(0.5, (1.0,), 0.95, macs=1000, ms=0.2)
    >>> best_within([slow, fast], ms=0.3) is fast, best_within([slow, fast], macs=5000) is slow
    (True, True)
    """

    width: float
    thresholds: tuple[float, ...]
    accuracy: float
    macs: float
    ms: float


def measure_settings(
    nets: dict[float, MultiExit],
    thresholds: Sequence[Sequence[float]],
    data: tuple[np.ndarray, np.ndarray],
    batch_size: int = 1,
    images: int = 32,
    rounds: int = 5,
    score: Score = confidence,
) -> list[Setting]:
    """Measure every width with every choice of thresholds on data = (x, labels); use validation data to choose one.

    nets: width -> net, preferably from `Slimmable.cut`. Accuracy and MACs are over all images. Milliseconds are measured on
    a sample of `images` (`ExitTable.sample`), run in batches of `batch_size`, with all settings taking turns.
    """
    x, labels = data
    tables = {width: exit_table(net, data, score) for width, net in nets.items()}
    macs = {width: mac_costs(net) for width, net in nets.items()}
    runs = {(w, tuple(t)): EarlyExit(net, t, score) for w, net in nets.items() for t in thresholds}
    batches = {}
    for width, table in tables.items():
        # Shuffled: the sample is sorted by score, and each batch would be all easy or all hard.
        chosen = x[np.random.default_rng(0).permutation(table.sample(images))]
        batches[width] = [chosen[i : i + batch_size] for i in range(0, len(chosen), batch_size)]
    calls = {key: lambda key=key, run=run: [run.run(batch) for batch in batches[key[0]]] for key, run in runs.items()}
    times = latency(calls, rounds, round_ms=1)
    count = min(images, len(x))
    return [Setting(w, t, *tables[w].judge(t, macs[w]), times[w, t].median / count) for w, t in runs]


def frontier(settings: Sequence[Setting], cost: str = "ms") -> list[Setting]:
    """The settings that no other one beats, cheapest first: anything more accurate than one of them costs more.

    cost: "ms" or "macs".
    """
    best = []
    for setting in sorted(settings, key=lambda s: (getattr(s, cost), -s.accuracy)):
        if not best or setting.accuracy > best[-1].accuracy:
            best.append(setting)
    return best


def best_within(settings: Sequence[Setting], *, ms: float | None = None, macs: float | None = None) -> Setting:
    """The most accurate setting that costs at most this many milliseconds or MACs; among equally accurate ones, the cheapest.

    Raises ValueError if none fits, or unless exactly one budget is given.
    """
    if (ms is None) == (macs is None):
        raise ValueError("best_within: give a budget in ms or in macs, exactly one of them")
    cost, budget = ("ms", ms) if macs is None else ("macs", macs)
    fitting = [s for s in frontier(settings, cost) if getattr(s, cost) <= budget]
    if not fitting:
        least = min(getattr(s, cost) for s in settings)
        raise ValueError(f"best_within: nothing fits {budget:.4g} {cost}; the cheapest setting takes {least:.4g}")
    return fitting[-1]


class BudgetController:
    """Follow a changing budget of ms per image, on a machine whose speed changes, too.

        for budget in budgets:
            setting = controller.choose(budget)
            … run it, and time it …
            controller.observe(setting, ms)

    It keeps one number, `slowdown`: how many times slower than in the table the machine is now, as a running average of
    its observations. It chooses what fits the budget at that pace. smoothing: the weight of the last observation, in (0, 1].
    Raises ValueError without settings, and for another smoothing.
    """

    def __init__(self, settings: Sequence[Setting], smoothing: float = 0.3):
        if not settings or not 0 < smoothing <= 1:
            raise ValueError(
                f"BudgetController: give at least one setting, and a smoothing above 0, up to 1; got {smoothing}"
            )
        self.settings, self.smoothing, self.slowdown = frontier(settings), smoothing, 1.0

    def choose(self, budget: float) -> Setting:
        """The most accurate setting expected to take at most `budget` ms; the cheapest if none does."""
        fitting = [s for s in self.settings if s.ms * self.slowdown <= budget]
        return fitting[-1] if fitting else self.settings[0]

    def observe(self, setting: Setting, ms: float) -> None:
        """Record that `setting` took `ms` milliseconds per image. Raises ValueError unless that is above 0."""
        if not ms > 0:
            raise ValueError(f"BudgetController: a time must be above 0 ms, got {ms}")
        self.slowdown += self.smoothing * (ms / setting.ms - self.slowdown)
