"""What the chapters' experiments share: every arm trains the same way and picks its learning rate on validation data."""

from collections.abc import Callable

import numpy as np

from ..data import Dataset
from ..nn import Module
from ..optim import SGD, Schedule, cosine
from ..training import TrainingDiverged, evaluate, fit


def train(
    model: Module, data: Dataset, *, lr: float, epochs: int, rng: np.random.Generator, schedule: Schedule = cosine, **options
) -> Module:
    """Fit on the training split by SGD with momentum 0.9, in place. Ctrl-C ends the experiment, not just this net."""
    optimizer = SGD(model.parameters(), lr, momentum=0.9)
    history = fit(
        model, data.train, optimizer=optimizer, epochs=epochs, rng=rng, schedule=schedule, progress=False, **options
    )
    if history.interrupted:
        raise KeyboardInterrupt
    return model


def pick_on_validation(arm: Callable[[float], Module], lrs, data: Dataset) -> tuple[Module, float]:
    """Run the arm once for each learning rate; return the net with the smallest validation loss, and its rate.

    A rate that diverges is out. The test split plays no part.
    """
    best = None
    for lr in lrs:
        try:
            model = arm(lr)
        except TrainingDiverged:
            continue
        loss = evaluate(model, data.val).loss
        if best is None or loss < best[0]:
            best = loss, model, lr
    if best is None:
        raise TrainingDiverged(f"every learning rate of {tuple(lrs)} diverged")
    return best[1:]


def paired(rows: list[dict], arm: str, baseline: str, value: str, by: str = "seed", **where) -> list[float]:
    """For each seed, the mean of `value` over the rows of `arm` minus that of `baseline`, among rows that match `where`."""
    differences = []
    for key in sorted({row[by] for row in rows}):
        chosen = [row for row in rows if row[by] == key and all(test(row[name]) for name, test in where.items())]
        means = [np.mean([row[value] for row in chosen if row["arm"] == a]) for a in (arm, baseline)]
        differences.append(float(means[0] - means[1]))
    return differences
