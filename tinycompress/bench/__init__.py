"""The benchmark: how fast the engine is beside its rivals, against stated goals.

    from tinycompress.bench import run, suites
    for rows in run(suites(["conv"]), threads=1, rounds=11, against=["torch"], rng=np.random.default_rng()):
        print(rows)

`case.py` defines a row, `turns.py` the turns that processes take, and `rivals/` gives our nets to other libraries. Most
other modules hold one or more suites: our work and the rival's side by side, and a table of cases.
"""

import importlib
from collections.abc import Sequence

from ..text import did_you_mean, names
from .case import Case, Row, Suite, Work
from .measure import busy, failed, run

__all__ = ["MODULES", "Case", "Row", "Suite", "Work", "busy", "failed", "run", "suites"]

# A suite's module has SUITES, a list of Suite; it is imported when the suite is asked for.
MODULES = {
    "conv": "convolutions",
    "depthwise": "convolutions",
    "pointwise": "convolutions",
    "steps": "steps",
    "predict": "predict",
    "tape": "tape",
    "sparse": "sparse",
    "lowbit": "lowbit",
    "coding": "coding",
    "startup": "startup",
    "memory": "startup",
    "limits": "limits",
}


def suites(names: Sequence[str] | None = None) -> list[Suite]:
    """The suites with these names, in the order of `MODULES`; all by default. Raises LookupError for an unknown name.

    "limits" is added to any suite with points on the roofline, since it measures the roof.
    """
    names = [name.lower() for name in names or MODULES]
    for name in names:
        if name not in MODULES:
            hint = did_you_mean(name, MODULES) or "."
            raise LookupError(f"no suite is called {name!r}{hint} The suites are {', '.join(MODULES)}")
    chosen = [_suite(name) for name in MODULES if name in names]
    if "limits" not in names and any(case.point for suite in chosen for case in suite.cases):
        chosen.append(_suite("limits"))
    return chosen


def _suite(name: str) -> Suite:
    members = importlib.import_module(f".{MODULES[name]}", __package__).SUITES
    return next(suite for suite in members if suite.name == name)


names.answer()
