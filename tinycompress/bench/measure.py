"""Run suites: every case's contest in turn, even if some of them fail."""

import importlib.util
import os
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from ..workshop.machine import cpu_features, machine_line
from .case import Case, Row, Suite, empty_row
from .turns import SideFailed, Sides, contest

FAILED = "failed: "
NOT_ASKED = "skipped: compares with {}; run it with --against {}"
NOT_INSTALLED = "skipped: compares with {}, which is not installed; pip install 'tinycompress[bench]'"

LIBRARIES = {"torch": ("PyTorch", ["torch"]), "onnxruntime": ("ONNX Runtime", ["onnxruntime", "onnx"])}
"""Sides that need other packages, and compete only if asked: name, and the packages."""


def run(
    suites: Sequence[Suite], threads: int, rounds: int, against: Collection[str], rng: np.random.Generator
) -> Iterator[list[Row]]:
    """Measure the suites and yield the rows of each case as it finishes. A suite's last case also brings its summary rows.

    against: which of `LIBRARIES` compete, if they are installed. A case that cannot be measured gives a row whose "problem"
    says why. Closing the generator ends its processes.
    """
    common = {"threads": threads, "machine": machine_line(threads), "cpu_features": cpu_features()}
    for suite in suites:
        rows = []
        with Sides(threads) as sides:
            for case in suite.cases:
                done = [row | common for row in measure(case.on(threads), sides, rounds, against, rng)]
                rows += done
                if case is suite.cases[-1]:
                    done = done + suite.summary(rows)
                yield done


def measure(case: Case, sides: Sides, rounds: int, against: Collection[str], rng: np.random.Generator) -> list[Row]:
    """The rows of one case."""
    for library, (name, packages) in LIBRARIES.items():
        if library not in case.sides:
            continue
        if library not in against:
            return [empty_row(case, NOT_ASKED.format(name, library))]
        if not all(map(importlib.util.find_spec, packages)):
            return [empty_row(case, NOT_INSTALLED.format(name))]
    try:
        return case.rows(case, contest(case, sides, rounds, rng))
    except SideFailed as error:
        sides.close()  # the next case starts with fresh processes
        return [empty_row(case, f"{FAILED}{error}")]


def failed(row: Row) -> bool:
    """Whether this row's case failed to run, as opposed to being skipped or missing its goal."""
    return (row["problem"] or "").startswith(FAILED)


def busy() -> str | None:
    """A warning if other programs keep this machine busy, else None."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 0.5:
        return None
    return f"other programs keep this machine busy (load {load:.1f}): times will be too long, and ratios unreliable"
