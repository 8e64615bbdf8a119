"""The lecture beside the best-known lab on compression, on the same pictures: what both report, and what only one measures.

`python -m tinycompress.lecture.together.lab figures/cifar10` writes the table into the README.md of that folder again.

The lab: MIT 6.5940, TinyML and Efficient Deep Learning Computing, labs 1 and 2 of fall 2023 and 2024, a VGG on CIFAR-10. Its
numbers are those that students have published (https://efficientml.ai has the labs themselves).
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...files import replace_file
from .. import report
from ..blackboard import REPORTS, display_bundle
from ..claim import Result
from ..language import say
from ..learned import DIVERGED, LEARNED
from ..pruning.p1_gradual import BY_SCAN
from ..tasks import why_not
from .methods import METHODS

DENSE = 92.95  # %, the accuracy of the lab's VGG
TEACHER = "the teacher"
HEAD = (
    "MIT 6.5940 (VGG)",
    "points lost",
    "size",
    "what it does not measure",
    "ours (ResNet-20)",
    "points lost",
    "bytes of the file",
    "times faster",
    "seeds",
)


@dataclass(frozen=True)
class Closer:
    """What another claim than C1 measures that is closer to the lab's method: its rows in which `where` holds.

    before: the key of the accuracy of the net that is not compressed, and trained as long. clock: that of the times faster, if
    the claim measures it.
    """

    claim: str
    method: str
    where: dict[str, object]
    before: str
    clock: str = ""


@dataclass(frozen=True)
class Reported:
    """What the lab reports of a method: accuracies in % with their circumstances, and a size in words.

    arm: the arm of claim C1 that is closest, if there is one. closer: what another claim measures, which stands in its place.
    """

    method: str
    lab: int
    accuracies: tuple[tuple[str, float], ...]
    size: str
    unmeasured: str
    arm: str
    closer: Closer | None = None


def _clustered(bits: int) -> Closer:
    where = {"arm": "centroids fine-tuned", "k": 2**bits}
    return Closer("Q2", f"{2**bits} values a layer, centroids fine-tuned", where, "float_accuracy")


LAB = (
    Reported("no compression", 1, (), "35.20 MiB", "other seeds", TEACHER),
    Reported(
        "76 % of weights pruned, shares from a sensitivity scan",
        1,
        (("before fine-tuning", 85.69), ("after 5 epochs", 92.84)),
        "8.28 MiB (4 bytes per weight that stays)",
        "where these weights are, a file, time, other seeds",
        "90 % of weights pruned",
        Closer("P1", "90 % of weights pruned, by a scan", {"arm": BY_SCAN, "removed": 0.9}, "dense_accuracy"),
    ),
    Reported(
        "channels pruned by 30 %",
        1,
        (
            ("the first ones kept, before fine-tuning", 28.14),
            ("by norm, before fine-tuning", 36.81),
            ("by norm, after 5 epochs", 92.26),
        ),
        "half of the multiplications",
        "a file, other seeds",
        "half of neurons pruned",
        Closer("P4", "30 % of neurons pruned", {"removed": 0.3}, "accuracy_trained_on", "speedup"),
    ),
    Reported("k-means, 8 bits", 2, (("", 92.76),), "8.80 MiB", "codebooks, a file, time, other seeds", ""),
    Reported(
        "k-means, 4 bits",
        2,
        (("before fine-tuning", 79.07), ("after 1 epoch", 92.47)),
        "4.40 MiB",
        "codebooks, a file, time, other seeds",
        "8 values a layer",
        _clustered(4),
    ),
    Reported(
        "k-means, 2 bits",
        2,
        (("before fine-tuning", 10.00), ("after 5 epochs", 91.20)),
        "2.20 MiB",
        "codebooks, a file, time, other seeds",
        "",
        _clustered(2),
    ),
    Reported(
        "8-bit integers",
        2,
        (("", 92.90),),
        "",
        "time (integers are simulated in floats), other seeds",
        "8-bit integers",
    ),
)
CLOSER = [reported.closer for reported in LAB if reported.closer]


def beside_the_lab(rows: Sequence[dict], others: Mapping[str, Sequence[dict]] | None = None) -> str:
    """A Markdown table in the current language: the lab's numbers beside those of C1's rows and of the rows of other claims, by
    their ids; without rows, "not measured yet"."""
    lines, shown = [_line(map(say, HEAD)), _line(["---"] * len(HEAD))], set()
    for reported in LAB:
        ours = _closer(others or {}, reported.closer) if reported.closer else []
        if not ours:
            ours = _ours(rows, reported.arm)
            shown.add(reported.arm)
        lines.append(_line([*_theirs(reported), *ours]))
    lines += [_line(["–", *[""] * 3, *_ours(rows, m.name)]) for m in METHODS if m.name not in shown]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _theirs(reported: Reported) -> list[str]:
    """Method, points lost, size, and what was not measured."""
    lost = [f"{DENSE - value:.2f}" + (f" ({say(when)})" if when else "") for when, value in reported.accuracies]
    lost = lost or [say(f"of {DENSE:.2f} %")]
    name = say(f"{reported.method} (lab {reported.lab})")
    return [name, "<br>".join(lost), say(reported.size), say(reported.unmeasured)]


def _ours(rows: Sequence[dict], arm: str) -> list[str]:
    """Method, points lost, bytes, times faster and seeds of an arm."""
    chosen = [row for row in rows if row["arm"] == arm]
    if not chosen:
        return [say(arm), say("not measured yet") if arm else "", "", "", ""]
    seeds = str(len(chosen))
    if any(DIVERGED in row or LEARNED in row for row in chosen):
        return [say(arm), say("did not learn"), "", "", seeds]
    whole = {row["seed"]: row for row in rows if row["arm"] == TEACHER}
    size = f"{np.mean([row['bytes'] for row in chosen]):,.0f}"
    if arm == TEACHER:
        return [say(arm), say(f"of {np.mean([row['accuracy'] for row in chosen]):.2f} %"), size, "", seeds]
    lost = [whole[row["seed"]]["accuracy"] - row["accuracy"] for row in chosen]
    disk, clock = (
        float(np.exp(np.mean(np.log([row[key] for row in chosen])))) for key in ("disk_ratio", "clock_ratio")
    )
    return [say(arm), _spread(lost), f"{size} ({_times(disk)})", _times(clock), seeds]


def _closer(others: Mapping[str, Sequence[dict]], closer: Closer) -> list[str]:
    """The same of the rows of another claim; nothing if it was not measured."""
    rows = others.get(closer.claim, ())
    chosen = [row for row in rows if all(row.get(key) == value for key, value in closer.where.items())]
    if not chosen:
        return []
    name, seeds = f"{say(closer.method)} ({closer.claim})", str(len(chosen))
    if any(DIVERGED in row or LEARNED in row for row in chosen):
        return [name, say("did not learn"), "", "", seeds]
    ratio = float(np.exp(np.mean([np.log(row["whole_bytes"] / row["bytes"]) for row in chosen])))
    size = f"{np.mean([row['bytes'] for row in chosen]):,.0f} ({_times(ratio)})"
    clock = _times(np.exp(np.mean([np.log(row[closer.clock]) for row in chosen]))) if closer.clock else ""
    return [name, _spread([row[closer.before] - row["accuracy"] for row in chosen]), size, clock, seeds]


def _times(ratio: float) -> str:
    """A ratio with two decimals, from 10 on with one."""
    return f"{ratio:.{2 if ratio < 10 else 1}f}×"


def _spread(values: list[float]) -> str:
    """The mean over seeds and, of several, the smallest and the largest."""
    mean, low, high = (f"{value + 0:.2f}" for value in (np.mean(values), min(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({low} … {high})"


def show_lab(folders: Iterable[str | Path] = (*REPORTS, "../figures/cifar10", "figures/cifar10")) -> None:
    """Display the table of the first of these reports that has C1 on CIFAR-10 at the budget "paper", or say how to measure it."""
    run = "tinycompress lecture C1 --budget paper --data cifar10 --threads 2 --seeds 1"
    how = f"C1 has not been measured on colour images yet. Run `{run}`."
    found = next(filter(None, map(measured_in, folders)), {})
    display_bundle({"text/markdown": _table_of(found) if found else say(how)})


def measured_in(folder: str | Path) -> dict[str, Result]:
    """C1 and the claims that are closer to the lab's methods, by their ids, where this report or one in a subfolder has them on
    CIFAR-10 at the budget "paper"; empty if C1 was not measured. Those of C1's machine come first, and only those say how many
    times faster nets are."""
    whole = _on_colour_images(folder, "C1")
    if not whole:
        return {}
    machine, found = report.machine_of(folder), {"C1": whole}
    places = [Path(folder), *sorted(path.parent for path in Path(folder).glob("*/claims.json"))]
    elsewhere = {place: report.machine_of(place) != machine for place in places}
    for place in sorted(places, key=elsewhere.get):
        for claim in {closer.claim for closer in CLOSER if not (closer.clock and elsewhere[place])}:
            if result := _on_colour_images(place, claim):
                found.setdefault(claim, result)
    return found


def _on_colour_images(folder: str | Path, claim: str) -> Result | None:
    found, wanted = report.read(folder, claim), {"data": "cifar10", "budget": "paper"}
    return found if found and wanted.items() <= found.settings.items() and not why_not(found.rows) else None


def _table_of(found: Mapping[str, Result]) -> str:
    """The table; its last line says what is known about the pixels if they are not the published ones."""
    rows = {claim: result.rows for claim, result in found.items()}
    origins = dict.fromkeys(origin for result in found.values() if (origin := result.settings.get("origin")))
    notes = [_line([f"*{origin}*", *[""] * (len(HEAD) - 1)]) + "\n" for origin in origins]
    return beside_the_lab(rows.get("C1", ()), rows) + "".join(notes)


def with_table(text: str, table: str) -> str:
    """The Markdown text with this table in the place of its first one. Raises ValueError if it has none."""
    replaced, count = re.subn(r"(?:^\|.*\n)+", lambda _: table, text, count=1, flags=re.MULTILINE)
    if not count:
        raise ValueError("the text has no table to replace; begin one with a line like '| method |'")
    return replaced


def main() -> None:
    folder = Path(sys.argv[1])
    text = (folder / "README.md").read_text(encoding="utf-8")
    replace_file(folder / "README.md", with_table(text, _table_of(measured_in(folder))))


if __name__ == "__main__":
    main()
