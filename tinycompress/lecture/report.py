"""The report of a run: a table for the terminal, `claims.json`, one figure per claim, and a page that shows everything.

Verdicts and figures follow from the rows in `claims.json`: `write([], settings, out)` draws a report again, and
`python -m tinycompress.lecture.report figures/mnist` those of other machines, after a change of their texts or figures.
"""

import json
import os
import shutil
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..data import load
from ..files import replace_file
from ..text import aligned, columns
from ..workshop import style
from ..workshop.identity import fingerprint, source_hash
from ..workshop.machine import machine
from . import claims
from .claim import Finding, Result, Settings, judge
from .language import language, say, translate_figure
from .page import RATIOS, effect_text, finding_text, marked_verdict, page
from .tasks import why_not


def write(
    results: Sequence[Result],
    settings: Settings,
    out: str | os.PathLike,
    drawings: dict[str, tuple[bytes, bytes]] | None = None,
) -> list[Result]:
    """Write claims.json, index.html, and <ID>.svg and <ID>.png per claim into the folder `out`, each file atomically.

    drawings: claim id -> the result of `draw`, for figures that are already drawn; the others are drawn now.

    A report describes one machine, one set of settings and one version of everything. Claims that an earlier run measured
    under the same conditions stay in the report until they are measured again. A report made under other conditions is
    replaced: its numbers overwrite claims.previous.json, and its figures are deleted. Returns the results that the report
    now shows, in the lecture's order. Raises OSError if `out` cannot be written.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    head = {"machine": machine(settings.threads), "settings": describe(settings)}
    old = _read(out / "claims.json")
    shown, drawings = {}, dict(drawings or {})
    if joins(settings, out):
        for result, drawing in _kept(old, {result.claim.id for result in results}, out):
            shown[result.claim.id], drawings[result.claim.id] = result, drawing
        if {claim.id for claim, _ in _known(old)} - set(shown) - {result.claim.id for result in results}:
            shutil.copyfile(out / "claims.json", out / "claims.previous.json")  # of claims that are dropped
    elif (out / "claims.json").exists():
        os.replace(out / "claims.json", out / "claims.previous.json")
        for claim, _ in _known(old):
            for suffix in (".svg", ".png"):
                (out / f"{claim.id}{suffix}").unlink(missing_ok=True)
    shown |= {result.claim.id: result for result in results}
    order = {claim.id: place for place, claim in enumerate(claims())}
    results = sorted(shown.values(), key=lambda result: order.get(result.claim.id, len(order)))
    # Save the rows first. They took the time, and a figure that fails can be drawn again from them.
    replace_file(out / "claims.json", _json(head, results))
    for result in results:
        claim_id = result.claim.id
        svg, png = drawings[claim_id] = drawings.get(claim_id) or _draw(result, settings)
        replace_file(out / f"{claim_id}.svg", svg)
        replace_file(out / f"{claim_id}.png", png)
    # Figures and rows now agree. Record the sources, so that the next run need not draw the kept figures again.
    replace_file(out / "claims.json", _json(head | {"sources": source_hash(), "language": language()}, results))
    replace_file(out / "index.html", page(results, {key: svg for key, (svg, _) in drawings.items()}, **head))
    return results


def redraw(out: str | os.PathLike) -> None:
    """Judge and draw the claims of the report in the folder `out` again, from its rows: for one that another machine measured,
    which `write` would replace. Machine and settings stay. Raises FileNotFoundError if it holds no report, and OSError if it
    cannot be written."""
    out = Path(out)
    old = _read(out / "claims.json")
    if not old:
        raise FileNotFoundError(f"{out / 'claims.json'} is not there, or is no report of this lecture")
    results = [judge(claim, entry["rows"], entry["seconds"]) for claim, entry in _known(old)]
    for result in results:
        for suffix, content in zip((".svg", ".png"), draw(result), strict=True):
            replace_file(out / f"{result.claim.id}{suffix}", content)
    head = {"machine": old["machine"], "settings": old["settings"], "sources": source_hash(), "language": language()}
    replace_file(out / "claims.json", _json(head, results))


def joins(settings: Settings, out: str | os.PathLike) -> bool:
    """Whether the folder `out` contains a report of this machine and these settings."""
    old = _read(Path(out) / "claims.json")
    return old.get("machine") == machine(settings.threads) and old.get("settings") == describe(settings)


def read(out: str | os.PathLike, claim_id: str) -> Result | None:
    """The claim's Result in the report in the folder `out`, judged again from its rows; None if it is not there."""
    contents = _read(Path(out) / "claims.json")
    entries = {claim.id: (claim, entry) for claim, entry in _known(contents)}
    if claim_id not in entries:
        return None
    claim, entry = entries[claim_id]
    return replace(judge(claim, entry["rows"], entry["seconds"]), settings=contents.get("settings", {}))


def machine_of(out: str | os.PathLike) -> dict[str, str | int]:
    """The machine of the report in the folder `out`, as the report states it; empty without a report."""
    return _read(Path(out) / "claims.json").get("machine", {})


def table(results: Sequence[Result]) -> str:
    """The results as a text table. Below each claim stand the name of its effect and the ratios that disagree."""
    head = [*map(say, ("claim", "verdict", "effect [95 % interval]")), *(f"{say(name)} ×" for name in RATIOS)]
    body = [
        [f"{r.claim.id} {say(r.claim.title)}", marked_verdict(r.findings[0]), effect_text(r.findings[0])]
        + [f"{r.ratios[name]:.3g}" if name in r.ratios else "–" for name in RATIOS]
        for r in results
    ]
    rule = ["─" * max(map(columns, column)) for column in zip(head, *body, strict=True)]
    head, rule, *body = aligned([head, rule, *body])
    lines = [head, rule]
    for result, line in zip(results, body, strict=True):
        indent = " " * (len(result.claim.id) + 1)
        first, *others = result.findings[:1] if why_not(result.rows) else result.findings  # of all, the same is missing
        lines += [line, indent + say(first.effect.name) + (f"; {say(first.holds)}" if first.holds else "")]
        lines += [f"{indent}{marked_verdict(finding)}: {finding_text(finding)}" for finding in others]
        lines += [f"{indent}⚠ {say(words)}" for words in result.disagreements]
    return "\n".join(lines)


def describe(settings: Settings) -> dict[str, str | int]:
    """The settings as a report states them, with what is known about the pixels. A data file is identified by name and content,
    not by path."""
    dataset = load(settings.data)
    colour = {"channels": dataset.image_shape[-1]} if dataset.image_shape[-1] > 1 else {}
    origin = {"origin": dataset.origin} if dataset.origin else {}
    return {
        "budget": settings.budget,
        "data": Path(settings.data).name,
        "data_fingerprint": fingerprint(settings.data),
        "training_images": len(dataset.y_train),
        "seeds": settings.seeds,
        "first_seed": settings.first_seed,
        "threads": settings.threads,
        **colour,
        **origin,
    }


def _json(head: dict, results: Sequence[Result]) -> str:
    """The report as JSON with one row per line, so that it can be read and compared line by line."""

    def dump(value):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    entries = []
    for result in results:
        rows = ",\n  ".join(map(dump, result.rows))
        entries.append(f'{dump(_entry(result))[:-1]}, "rows": [\n  {rows}\n ]}}')
    facts = "".join(f"{dump(key)}: {dump(value)},\n " for key, value in head.items())
    return "{" + facts + '"claims": [\n ' + ",\n ".join(entries) + "\n]}\n"


def _entry(result: Result) -> dict:
    """Everything about a claim except its rows."""
    claim = result.claim
    return {
        "id": claim.id,
        "chapter": claim.chapter,
        "title": claim.title,
        "statement": claim.statement,
        "findings": [_finding(finding) for finding in result.findings],
        "ratios": result.ratios,
        "disagreements": result.disagreements,
        "timed": claim.timed,
        "seconds": round(result.seconds, 3),
        "note": claim.note,
        "source": claim.source,
    }


def _finding(finding: Finding) -> dict:
    effect = finding.effect
    return {
        "effect": effect.name,
        "decides": effect.decides,
        "verdict": finding.verdict,
        "mean": finding.mean,
        "interval": finding.interval,
        "unit": effect.unit,
        "margin": effect.margin,
        "smallest": effect.smallest,
        "equal": effect.equal,
        "holds": finding.holds,
        "seeds_to_decide": finding.seeds,
        "images_to_decide": finding.images,
        "doubt_of_images": finding.doubt,
    }


def _draw(result: Result, settings: Settings) -> tuple[bytes, bytes]:
    """The figure; on the user's own data, words if it fails, since no figure can be tried on all data."""
    try:
        return draw(result)
    except Exception as error:
        if not settings.own:
            raise
        warnings.warn(f"{result.claim.id}: its figure fails on these data ({error!r})", stacklevel=3)
        with style.applied():
            return _files(style.words(f"{result.claim.id}: not drawn", f"The figure fails on these data ({error})."))


def draw(result: Result) -> tuple[bytes, bytes]:
    """The claim's figure as SVG and as PNG, in the current language."""
    return _files(result.figure())


def _files(fig) -> tuple[bytes, bytes]:
    translate_figure(fig)
    svg = style.svg(fig)
    fig.set_layout_engine("none")  # the layout is done, and repeating it would take longer than drawing
    return svg, style.png(fig)


def _drawn(out: Path, claim_id: str) -> tuple[bytes, bytes] | None:
    """The contents of the figure's two files, or None if one is missing."""
    try:
        return (out / f"{claim_id}.svg").read_bytes(), (out / f"{claim_id}.png").read_bytes()
    except FileNotFoundError:
        return None


def _read(path: Path) -> dict:
    """The claims.json of an earlier run; empty if it does not exist or cannot be read."""
    try:
        found = json.loads(path.read_bytes())
        whole = all(entry.keys() >= {"id", "rows", "seconds"} for entry in found["claims"])
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return found if whole else {}


def _known(old: dict):
    """Yield (claim, entry) for each entry of an earlier report whose claim still exists."""
    by_id = {claim.id: claim for claim in claims()}
    for entry in old.get("claims", ()):
        if entry["id"] in by_id:
            yield by_id[entry["id"]], entry


def _kept(old: dict, measured: set[str], out: Path):
    """Yield the results of earlier claims that were not measured again, with their figures.

    Figures are drawn again if the sources of this package, or the language, have changed since.
    """
    same = old.get("sources") == source_hash() and old.get("language", "en") == language()
    for claim, entry in _known(old):
        if claim.id in measured:
            continue
        try:
            result = judge(claim, entry["rows"], entry["seconds"])
            yield result, (same and _drawn(out, claim.id)) or draw(result)
        except Exception as error:  # a claim edited since may fail on its old rows in any way
            warnings.warn(
                f"{claim.id} is dropped from the report: its earlier rows do not fit its code ({error!r}); "
                "claims.previous.json keeps them",
                stacklevel=3,
            )


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        redraw(folder)
