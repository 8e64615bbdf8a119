"""The rows as a table for the terminal, and as JSON."""

import json
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ..files import replace_file
from ..text import aligned
from .case import Row, is_close

HEAD = ("", "ours", "rival", "", "ratio [quartiles]", "goal", "")


def table(rows: Sequence[Row]) -> str:
    """The rows as text, suite by suite, followed by what was skipped or failed, and why."""
    lines = [HEAD]
    for suite, members in groupby((row for row in rows if not row["problem"]), key=lambda row: row["suite"]):
        lines += [(suite,), *map(_cells, members)]
    text = aligned(lines)
    judged = [row for row in rows if row["met"] is not None]
    if judged:
        text += ["", f"{sum(row['met'] for row in judged)} of {len(judged)} goals met"]
    if any(map(is_close, rows)):
        text.append("≈ the goal lies between the quartiles: another run may say the opposite")
    return "\n".join(text + _problems(rows))


def write_json(rows: Sequence[Row], path: str | os.PathLike) -> None:
    """Write the rows as a JSON list, one per line, atomically. Raises OSError if `path` cannot be written."""
    lines = ",\n ".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    replace_file(Path(path), f"[\n {lines}\n]\n")


def _cells(row: Row) -> tuple[str, ...]:
    mark = {True: "✓", False: "✗", None: ""}[row["met"]] + (" ≈" if is_close(row) else "")
    return (
        f"  {row['name']}",
        quantity(row["ours"], row["unit"]),
        quantity(row["rival"], row["unit"]),
        row["rival_name"] or "",
        _ratio(row),
        _goal(row),
        mark,
    )


def _goal(row: Row) -> str:
    if row["goal"] is None:
        return ""
    return f"≤ {row['goal']:.3g}" if row["judged"] == "ratio" else f"ours ≤ {quantity(row['goal'], row['unit'])}"


def _ratio(row: Row) -> str:
    if row["ratio"] is None:
        return ""
    low, high = row["ratio_quartiles"]
    return f"{row['ratio']:.3g} [{low:.3g}–{high:.3g}]"


def quantity(value: float | None, unit: str) -> str:
    """A value with its unit: times in s, ms or µs, shares in per cent."""
    if value is None:
        return ""
    if unit == "share":
        return f"{100 * value:.0f} %"
    if unit != "s":
        return f"{value:.3g} {unit}"
    scale, name = next(((scale, name) for scale, name in ((1, "s"), (1e-3, "ms")) if value >= scale), (1e-6, "µs"))
    return f"{value / scale:.3g} {name}"


def _problems(rows: Sequence[Row]) -> list[str]:
    """The lines for cases that were not measured, grouped by reason."""
    reasons = {}
    for row in rows:
        if row["problem"]:
            reasons.setdefault(row["problem"], []).append(f"{row['suite']}: {row['name']}")
    return [line for reason, names in reasons.items() for line in ("", reason, *(f"  {name}" for name in names))]
