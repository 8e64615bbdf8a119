"""Train the arms of an experiment, all in the same way, and choose between them on validation data alone."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .data import Dataset
from .nn import Module
from .optim import SGD, Schedule, cosine
from .text import names
from .training import TrainingDiverged, evaluate, fit, unwatched

if TYPE_CHECKING:
    from tqdm import tqdm

_bar: "ContextVar[tqdm | None]" = ContextVar("bar", default=None)
_checkpoints: "ContextVar[Iterator[Path] | None]" = ContextVar("checkpoints", default=None)


@contextmanager
def shown(name: str, epochs: int) -> Iterator["tqdm"]:
    """Within this block, one bar shows all that `train` trains: the name of the net, its epoch, and the time left.

    epochs: how many will be trained in all, with every learning rate. The bar is shown in a terminal or a notebook, after a
    second, in a line of its own for each process.
    """
    from multiprocessing import current_process

    from tqdm.auto import tqdm

    worker = getattr(current_process(), "_identity", ())  # (3,) in the third worker, () in the main process
    look = "{desc}: {percentage:3.0f}%|{bar}| epoch {n:.1f} of {total} [{elapsed}<{remaining}]"
    how = {"desc": name, "bar_format": look, "leave": False, "delay": 1, "position": worker[-1] if worker else None}
    with tqdm(total=epochs, disable=unwatched(), **how) as bar:
        token = _bar.set(bar)
        try:
            yield bar
        finally:
            _bar.reset(token)


@contextmanager
def preparing(what: str) -> Iterator[None]:
    """Within this block, the bar of `shown`, where one is seen, says what is computed before any epoch, as in "a net: the
    teacher's outputs"; the time that it takes does not count in the time left."""
    bar = _bar.get()
    if bar is None or bar.disable:  # tqdm gives a bar that nobody sees no name
        yield
        return
    name = bar.desc
    bar.set_description_str(f"{name}: {what}")
    try:
        yield
    finally:
        bar.set_description_str(name)
        bar.unpause()


@contextmanager
def resuming(path: Path) -> Iterator[None]:
    """Within this block, a `train` that is `resumable` goes on where a killed run of the block stopped, with the same bits.

    Its checkpoints are beside `path`, one file per call, so the block must train the same nets in the same order. They are
    removed where the block ends without an error.
    """
    token = _checkpoints.set(path.with_suffix(f".{i}.unfinished") for i in itertools.count())
    try:
        yield
    finally:
        _checkpoints.reset(token)
    for file in path.parent.glob(f"{path.stem}.*.unfinished"):
        file.unlink()


def train(
    model: Module,
    data: Dataset,
    *,
    lr: float,
    epochs: int,
    rng: np.random.Generator,
    schedule: Schedule = cosine,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    curve: list[float] | None = None,
    resumable: bool = False,
    **options,
) -> Module:
    """Fit `model` in place on the training split by SGD with momentum 0.9. Ctrl-C ends the whole experiment.

    Shows no progress, unless within `shown`.
    curve: a list to which the validation accuracy after each epoch is appended. resumable: whether each epoch ends with a
    checkpoint, within `resuming`; not for a loss or augmentation that remembers earlier steps.
    """
    checkpoints = _checkpoints.get() if resumable else None
    history = fit(
        model,
        data.train,
        optimizer=SGD(model.parameters(), lr, momentum=0.9, nesterov=nesterov, weight_decay=weight_decay),
        epochs=epochs,
        rng=rng,
        schedule=schedule,
        validation=None if curve is None else data.val,
        checkpoint=None if checkpoints is None else next(checkpoints),
        progress=False if _bar.get() is None else _bar.get(),
        **options,
    )
    if history.interrupted:
        raise KeyboardInterrupt
    if curve is not None:
        curve += history.val_accuracy
    return model


def pick_on_validation(
    arm: Callable[[float], Module], lrs, data: Dataset, loss: Callable[[Module], float] | None = None
) -> tuple[Module, float]:
    """Run the arm once per learning rate; return the net with the smallest validation loss, and its rate.

    If an arm has other hyper-parameters, `lrs` are tuples of a rate and the others. loss(model): by default the
    cross-entropy on the validation split. Rates that diverge are skipped; if all do, raises TrainingDiverged. The test
    split is not used.
    """
    loss = loss or (lambda model: evaluate(model, data.val).loss)
    best = None
    for lr in lrs:
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # a rate that diverges is skipped, without warnings
                model = arm(lr)
        except TrainingDiverged:
            continue
        value = loss(model)
        if np.isfinite(value) and (best is None or value < best[0]):
            best = value, model, lr
    if best is None:
        raise TrainingDiverged(f"every learning rate of {tuple(lrs)} diverged")
    return best[1:]


names.answer()
