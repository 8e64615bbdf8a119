"""Run the tasks of claims: with how many threads, what their rows may hold, and what becomes of tasks that fail."""

import math
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Dataset
from ..training import TrainingDiverged
from .images.shares import Share, kept_in_row
from .learned import DidNotLearn, Row
from .plans import CannotMeasure

FAILED = TrainingDiverged, DidNotLearn, CannotMeasure


def perform(function: Callable, threads: int, task: tuple) -> tuple[Any, float]:
    """Return function(*task), run with this many threads, and the seconds it took."""
    from ..kernels import get_num_threads, set_num_threads

    before, start = get_num_threads(), time.perf_counter()
    set_num_threads(threads)
    try:
        return function(*task), time.perf_counter() - start
    finally:
        set_num_threads(before)


@dataclass(frozen=True)
class Missing:
    """In place of what a preparation returns: why there is nothing to measure, as a row."""

    row: Row


def prepared(prepare: Callable, where: str, task: tuple, own: bool = False) -> Any:
    """What prepare(*task) returns, or Missing; own: see `plain_rows`."""
    try:
        return prepare(*task)
    except _caught(own) as error:
        return Missing(_reraised(error, where))


def plain_rows(measure: Callable, where: str, task: tuple, own: bool = False) -> list[Row]:
    """The rows that measure(*task) returns, converted by `plain`; a row that says so if training diverged.

    own: on the user's own data, every other failure is such a row, too, so that it does not end the lecture.
    """
    try:
        return [plain(row, where) for row in measure(*task)]
    except _caught(own) as error:
        return [_reraised(error, where)]


def _caught(own: bool) -> type[Exception] | tuple[type[Exception], ...]:
    return Exception if own else FAILED


def _reraised(error: Exception, where: str) -> Row:
    """The row `unfit`; raises the error again if the machine is its cause."""
    if isinstance(error, OSError | MemoryError):
        raise error
    return unfit(error, where)


def plain(value: Any, where: str) -> Any:
    """Return `value` as JSON would return it: NumPy scalars and arrays as numbers and lists, tuples as lists.

    Raises ValueError for NaN and infinity (use None for a missing number), and TypeError for types that JSON lacks.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        value = value | kept_in_row(value)
        return {str(key): plain(item, f"{where}, {key!r}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, where) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where}: the row contains {value}; use None for a missing number")
    if isinstance(value, Share):
        return float(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{where}: a row may contain numbers, strings, None, lists and dicts; got {type(value).__name__}")


def not_measured(why: str, how: str) -> Row:
    """The row of a claim that cannot be measured here. why: what is missing, as in "no GPU"; how: how to measure it elsewhere."""
    return {"not_measured": why, "how": how}


def without_a_class(dataset: Dataset) -> list[Row]:
    """The rows of a claim that judges every class, if one of them has no test image; else an empty list."""
    images = np.bincount(dataset.y_test, minlength=dataset.num_classes)
    names = [name for name, count in zip(dataset.classes, images, strict=True) if not count]
    return [not_measured(f"no test image of class {names[0]}", "Give data with some of each.")] if names else []


def unfit(error: Exception, where: str) -> Row:
    """The row of a claim that failed on the user's own data, or whose training diverged."""
    if isinstance(error, CannotMeasure):
        return not_measured(error.why, error.how)
    words = f"{where}: {str(error).removeprefix(where).strip(' ,:') or type(error).__name__}"
    if isinstance(error, FAILED):
        why = (
            f"{error.net} did not learn"
            if isinstance(error, DidNotLearn)
            else "a net did not learn, its training diverged"
        )
        return not_measured(why, "\n".join(textwrap.wrap(words, 90))) | {"error": words, "here": False}
    return not_measured("it fails on these data", "\n".join(textwrap.wrap(words, 90))) | {"error": words}


def why_not(rows: list[Row]) -> Row | None:
    """The row that says why a claim is not measured, or None."""
    return next((row for row in rows if "not_measured" in row), None)


def in_words(why: Row) -> str:
    """The verdict of a claim that is not measured."""
    return f"not measured{' here' if why.get('here', True) else ''}: {why['not_measured']}"
