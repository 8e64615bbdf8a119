"""The lecture: a folder per chapter and a file per claim; each claim measures itself.

from tinycompress.lecture import Settings, claims, run
result = run(claims(["P1"])[0], Settings("quick"))
result.figure()
"""

import importlib
from collections.abc import Sequence

from ..text import did_you_mean, names
from ..workshop.interval import verdict
from .claim import Claim, Effect, Finding, Result, Settings, judge, run, run_all
from .store import Store

__all__ = [
    "CHAPTERS",
    "Claim",
    "Effect",
    "Finding",
    "Result",
    "Settings",
    "Store",
    "claims",
    "judge",
    "run",
    "run_all",
    "verdict",
]

# Each chapter's package defines CLAIMS, a list of Claim. It is imported on first use.
CHAPTERS = {
    "pruning": "tinycompress.lecture.pruning",
    "distillation": "tinycompress.lecture.distillation",
    "quantization": "tinycompress.lecture.quantization",
    "architecture": "tinycompress.lecture.architecture",
    "dynamic": "tinycompress.lecture.dynamic",
    "together": "tinycompress.lecture.together",
}


def claims(names: Sequence[str] | None = None) -> list[Claim]:
    """The claims of these chapters or with these ids ("P3"), in the lecture's order; by default all claims.

    Raises LookupError for an unknown name.
    """
    names = list(names or CHAPTERS)
    if all(name in CHAPTERS for name in names):
        return [claim for chapter in CHAPTERS if chapter in names for claim in _chapter(chapter)]
    every = claims()
    by_id = {claim.id.lower(): claim.id for claim in every}
    wanted = {by_id.get(name.lower(), name.lower()) for name in names}
    unknown = wanted - set(CHAPTERS) - set(by_id.values())
    if unknown:
        name = next(name for name in names if name.lower() in unknown)
        known = [*CHAPTERS, *by_id.values()]
        hint = did_you_mean(name, known) or "."
        raise LookupError(f"no chapter or claim is called {name!r}{hint} Known names: {', '.join(known)}")
    return [claim for claim in every if claim.id in wanted or claim.chapter in wanted]


def _chapter(name: str) -> list[Claim]:
    return importlib.import_module(CHAPTERS[name]).CLAIMS


names.answer()
