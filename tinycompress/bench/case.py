"""A row of the benchmark: a case, the sides that compete, and how their times become a ratio and meet a goal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Row = dict[str, Any]
Times = dict[str, dict[str, list[float]]]
"""Seconds per call, by side ("ours", "torch", ...) and work ("eager", ...), with one entry per round."""


def as_arrays(result) -> list[np.ndarray]:
    """The arrays of a result that is one array or several."""
    return list(result) if isinstance(result, tuple | list) else [result]


@dataclass(frozen=True)
class Work:
    """One call of a side, and how to read its result.

    run: the timed function. It returns the result, so a side that skips part of the work is found out.
    read: converts the result to arrays in our layouts (images NHWC, weights (kh, kw, in, out)), to compare both sides;
        not timed. None if there is nothing to compare.
    measures: whether run returns the value that counts, such as bytes, instead of the seconds that it takes.
    """

    run: Callable[[], Any]
    read: Callable[[Any], Sequence[np.ndarray]] | None = as_arrays
    measures: bool = False


@dataclass(frozen=True)
class Point:
    """A case's place on the roofline: floating-point operations, and the least bytes that must move, per call."""

    kernel: str
    flops: float
    bytes: float


def against_strongest(case: "Case", times: Times) -> list[Row]:
    """One row: ours against the fastest variant of any rival."""
    (ours,) = times["ours"].values()
    rivals = {f"{side} {work}": t for side, works in times.items() if side != "ours" for work, t in works.items()}
    strongest = min(rivals, key=lambda name: np.median(rivals[name]))
    return [make_row(case, ours, rivals[strongest], strongest)]


@dataclass(frozen=True)
class Case:
    """One contest.

    goal: the largest ratio ours / rival that is good enough; None for no goal. on_several_threads: the same for more than
        one thread, if it differs.
    sides: "ours" and its rivals by name. Each is a module-level function, since each side runs in a separate process.
        Called as side(rng, **arguments), it draws the same data as all others and returns {variant: Work}.
    arguments: plain values that fit into JSON.
    rows: maps the case and its times to its rows.
    tolerance: how much results may differ, relative to the largest element.
    most_rounds: a limit on the rounds, for cases whose single call takes seconds.
    """

    suite: str
    name: str
    goal: float | None
    sides: Mapping[str, Callable[..., dict[str, Work]]]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rows: Callable[["Case", Times], list[Row]] = against_strongest
    tolerance: float = 1e-3
    most_rounds: int | None = None
    point: Point | None = None
    on_several_threads: float | None = None

    def on(self, threads: int) -> "Case":
        """The case with its goal for this number of threads."""
        return replace(self, goal=self.on_several_threads) if threads > 1 and self.on_several_threads else self


MEASURED = ("ours", "rival", "ratio", "met", "ours_quartiles", "rival_quartiles", "ratio_quartiles", "ratios")
"""Fields that are None in a row without a measurement."""


@dataclass(frozen=True)
class Suite:
    """Cases that belong together; summary(rows) returns extra rows about all of them, whose "threads" are known."""

    name: str
    cases: Sequence[Case]
    summary: Callable[[list[Row]], list[Row]] = lambda rows: []


def make_row(
    case: Case,
    ours: Sequence[float] | None,
    rival: Sequence[float] | None = None,
    rival_name: str | None = None,
    *,
    name: str | None = None,
    goal: float | None = None,
    judged: str = "ratio",
    unit: str = "s",
) -> Row:
    """The row of these values, one per round: medians, quartiles, and the ratio as the median of the rounds' ratios.

    A slow moment of the machine hits both sides of a round, and so hardly changes their ratio.
    name, goal: the case's unless given. judged: whether the goal limits the "ratio", or "ours" itself (such as at most
    0.12 s).
    """
    ratios = None if rival is None else [a / b for a, b in zip(ours, rival, strict=True)]
    goal = case.goal if goal is None else goal
    point = None
    if case.point and ours:
        point = {
            "kernel": case.point.kernel,
            "flops": case.point.flops,
            "bytes": case.point.bytes,
            "seconds": _median(ours),
        }
    return judged_row(
        {
            "suite": case.suite,
            "name": name or case.name,
            "ours": _median(ours),
            "rival": _median(rival),
            "rival_name": rival_name,
            "ratio": _median(ratios),
            "goal": goal,
            "met": None,
            "judged": judged,
            "unit": unit,
            "ours_quartiles": _quartiles(ours),
            "rival_quartiles": _quartiles(rival),
            "ratio_quartiles": _quartiles(ratios),
            "ratios": ratios,
            "rounds": len(ours or ()),
            "point": point,
            "problem": None,
        }
    )


def judged_row(row: Row) -> Row:
    """The row with "met": whether the judged value is at most the goal; None if either is missing."""
    value, goal = row[row["judged"]], row["goal"]
    return row | {"met": None if value is None or goal is None else value <= goal}


def is_close(row: Row) -> bool:
    """Whether the goal lies between the quartiles, so another run may well say the opposite."""
    quartiles = row[f"{row['judged']}_quartiles"]
    return row["met"] is not None and quartiles is not None and quartiles[0] <= row["goal"] <= quartiles[1]


def empty_row(case: Case, problem: str) -> Row:
    """The row of a case that was not measured, with the reason."""
    return make_row(case, None) | {"problem": problem}


def geometric_mean(name: str, goal: float, rows: Sequence[Row]) -> Row:
    """A summary row: the geometric mean of the rows' times and, round by round, of their ratios."""
    first = rows[0] | {"name": name, "goal": goal, "rival_name": "the strongest of each", "point": None}
    if problem := next((row["problem"] for row in rows if row["problem"]), None):
        return first | dict.fromkeys(MEASURED) | {"problem": problem}
    ratios = np.exp(np.mean(np.log([row["ratios"] for row in rows]), axis=0)).tolist()
    ours, rival = (float(np.exp(np.mean(np.log([row[side] for row in rows])))) for side in ("ours", "rival"))
    quartiles = {"ours_quartiles": None, "rival_quartiles": None, "ratio_quartiles": _quartiles(ratios)}
    return judged_row(first | {"ours": ours, "rival": rival, "ratio": _median(ratios), "ratios": ratios} | quartiles)


def disagreement(ours: Sequence[np.ndarray], rival: Sequence[np.ndarray], tolerance: float) -> str | None:
    """How two results differ by more than `tolerance` of the rival's largest element; None if they agree."""
    if [np.shape(a) for a in ours] != [np.shape(b) for b in rival]:
        return f"shapes {[np.shape(a) for a in ours]} and {[np.shape(b) for b in rival]}"
    for i, (a, b) in enumerate(zip(ours, rival, strict=True)):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        scale = np.abs(b).max(initial=0.0) or 1.0
        worst = np.abs(a - b).max(initial=0.0) / scale
        if not worst <= tolerance:  # true for NaN, too
            return (
                f"array {i + 1} of {len(ours)} is off by {worst:.2g} of its largest element; {tolerance:g} is allowed"
            )
    return None


def _median(values) -> float | None:
    return None if values is None else float(np.median(values))


def _quartiles(values) -> list[float] | None:
    return None if values is None else [float(q) for q in np.quantile(values, (0.25, 0.75))]
