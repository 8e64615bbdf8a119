"""The lecture beside the best-known lab on compression, on the same pictures: what both report, and what only one measures.

`python -m tinycompress.lecture.together.lab figures/cifar10` writes the table into the README.md of that folder again.

The lab: MIT 6.5940, TinyML and Efficient Deep Learning Computing, labs 1 and 2 of fall 2023 and 2024, a VGG on CIFAR-10. Its
numbers are those of the outputs that students have published.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...files import replace_file
from .. import report
from ..blackboard import REPORTS, display_bundle
from ..language import say
from ..learned import DIVERGED, LEARNED
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
class Reported:
    """What the lab reports of a method: accuracies in % with their circumstances, and a size in words.

    arm: the arm of claim C1 that is closest, if there is one.
    """

    method: str
    lab: int
    accuracies: tuple[tuple[str, float], ...]
    size: str
    unmeasured: str
    arm: str


LAB = (
    Reported("no compression", 1, (), "35.20 MiB", "other seeds", TEACHER),
    Reported(
        "weights pruned, shares from a sensitivity scan",
        1,
        (("before fine-tuning", 85.69), ("after 5 epochs", 92.84)),
        "8.28 MiB (4 bytes per weight that stays)",
        "where these weights are, a file, time, other seeds",
        "90 % of weights pruned",
    ),
    Reported(
        "channels pruned by 30 %",
        1,
        (("the first ones kept, before fine-tuning", 28.14), ("by norm, before fine-tuning", 36.81)),
        "half of the multiplications",
        "a file, other seeds",
        "half of neurons pruned",
    ),
    Reported("k-means, 8 bits", 2, (("", 92.76),), "8.80 MiB", "codebooks, a file, time, other seeds", ""),
    Reported(
        "k-means, 4 bits",
        2,
        (("before fine-tuning", 79.07), ("after 1 epoch", 92.47)),
        "4.40 MiB",
        "codebooks, a file, time, other seeds",
        "8 values a layer",
    ),
    Reported(
        "k-means, 2 bits",
        2,
        (("before fine-tuning", 10.00), ("after 5 epochs", 91.20)),
        "2.20 MiB",
        "codebooks, a file, time, other seeds",
        "",
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


def beside_the_lab(rows: Sequence[dict]) -> str:
    """A Markdown table in the current language: the lab's numbers beside those of C1's rows; without rows, "not measured yet"."""
    lines = [_line(map(say, HEAD)), _line(["---"] * len(HEAD))]
    lines += [_line([*_theirs(r), *_ours(rows, r.arm)]) for r in LAB]
    known = {r.arm for r in LAB}
    lines += [_line(["–", *[""] * 3, *_ours(rows, m.name)]) for m in METHODS if m.name not in known]
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
    return [say(arm), _spread(lost), f"{size} ({disk:.3g}×)", f"{clock:.3g}×", seeds]


def _spread(values: list[float]) -> str:
    """The mean over seeds and, of several, the smallest and the largest."""
    mean, low, high = (f"{value + 0:.2f}" for value in (np.mean(values), min(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({low} … {high})"


def show_lab(folders: Iterable[str | Path] = (*REPORTS, "../figures/cifar10", "figures/cifar10")) -> None:
    """Display the table with the first report of C1 on CIFAR-10 at the budget "paper", or say how to measure it."""
    rows = rows_in(folders)
    run = "tinycompress lecture C1 --budget paper --data cifar10 --threads 2"
    how = f"C1 has not been measured on colour images yet. Run `{run}`."
    display_bundle({"text/markdown": beside_the_lab(rows) if rows else say(how)})


def rows_in(folders: Iterable[str | Path]) -> list[dict]:
    """The rows of C1 in the first of these reports that is on CIFAR-10 at the budget "paper"; none if there is no such report."""
    wanted = {"data": "cifar10", "budget": "paper"}
    found = (report.read(folder, "C1") for folder in folders)
    return next((r.rows for r in found if r and wanted.items() <= r.settings.items()), [])


def with_table(text: str, table: str) -> str:
    """The Markdown text with this table in the place of its first one. Raises ValueError if it has none."""
    replaced, count = re.subn(r"(?:^\|.*\n)+", lambda _: table, text, count=1, flags=re.MULTILINE)
    if not count:
        raise ValueError("the text has no table to replace; begin one with a line like '| method |'")
    return replaced


def main() -> None:
    folder = Path(sys.argv[1])
    text = (folder / "README.md").read_text(encoding="utf-8")
    replace_file(folder / "README.md", with_table(text, beside_the_lab(rows_in([folder]))))


if __name__ == "__main__":
    main()
