"""Whether other seeds would give another verdict: each claim on many disjoint sets of seeds.

    python -m tinycompress.lecture.power --sets 20 --out tinycompress/lecture P1 D3

A verdict over a few seeds is an estimate, too. Each set has as many seeds as a quick lecture takes, and all are tested on the
same images, so that their intervals are over seeds alone. A verdict that stands is the same on at least STANDS of the sets. Where
it is borderline or "not shown", reports show beside it what all sets together say: the larger run that live time does not allow.
The table goes to `<out>/power.json`, one entry per effect; a claim that is measured again replaces its entries. An interrupted
run resumes where it stopped. Reports of quick lectures on digits quote the table that is beside this file.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

from ..files import replace_file
from ..text import aligned
from . import claims
from .claim import SEEDS, Claim, Row, Settings, judge, run_all
from .images.shares import WITHOUT
from .store import Store
from .tasks import in_words, why_not

SET = SEEDS["quick"]  # seeds per set
STANDS = 0.95  # the share of sets whose verdict must be the same: 19 of 20


def power(chosen: Iterable[Claim], sets: int, executor: Executor | None = None, store: Store | None = None):
    """Measure each claim, quick, on digits, on `sets` disjoint sets of SET seeds; yield its table entries.

    Each set is measured as a lecture would, so that a claim that takes fewer seeds takes the first ones of each set. A claim
    that cannot be measured here has no entries.
    """
    for claim in chosen:
        rows = []
        for i in range(sets):
            rows += next(run_all([claim], Settings(seeds=SET, first_seed=SET * i), executor, store)).rows
        if why := why_not(rows):
            print(f"{claim.id} {in_words(why)}", file=sys.stderr)
        else:
            yield entries(claim, rows)


def entries(claim: Claim, rows: list[Row]) -> list[dict]:
    """One table entry per effect: how many sets of seeds gave each verdict, the mean of each set, and what all seeds say.

    All of them on the same test images, so their intervals are over seeds alone. rows: those of sets of SET consecutive seeds,
    starting at 0; each row has the key "seed".
    """
    rows = [{key: value for key, value in row.items() if key != WITHOUT} for row in rows]
    groups: dict[int, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["seed"] // SET, []).append(row)
    found = [judge(claim, group, 0).findings for _, group in sorted(groups.items())]
    together = judge(claim, rows, 0).findings
    return [
        {
            "claim": claim.id,
            "effect": effect.name,
            "unit": effect.unit,
            "seeds": len({row["seed"] for row in rows}),
            "verdicts": dict(Counter(one.verdict for one in of_sets).most_common()),
            "means": [_rounded(one.mean) for one in of_sets],
            "together": {
                "verdict": of_all.verdict,
                "mean": _rounded(of_all.mean),
                "interval": [_rounded(end) for end in of_all.interval] if of_all.interval else None,
            },
        }
        for effect, of_all, *of_sets in zip(claim.effects, together, *found, strict=True)
    ]


def _rounded(value: float | bool | None) -> float | bool | None:
    return value if value is None or isinstance(value, bool) else round(value, 4)


def stands(entry: dict) -> bool:
    """Whether at least STANDS of the sets gave the same verdict."""
    return max(entry["verdicts"].values()) >= STANDS * len(entry["means"])


def table(found: list[dict]) -> str:
    """The entries as text, one line per effect; those that do not stand are marked."""
    lines = [("claim", "", "sets with each verdict", "effect")]
    for entry in found:
        counts = ", ".join(f"{count} {word}" for word, count in entry["verdicts"].items())
        lines.append((entry["claim"], "" if stands(entry) else "borderline", counts, entry["effect"]))
    return "\n".join(aligned(lines))


def read(out: Path) -> list[dict]:
    """The entries in `<out>/power.json`; none if there is no such file."""
    path = out / "power.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def write(found: list[dict], out: Path) -> None:
    """Put the entries of one claim into `<out>/power.json`, in the lecture's order, in place of its earlier ones."""
    order = {claim.id: place for place, claim in enumerate(claims())}
    kept = [entry for entry in read(out) if entry["claim"] in order and entry["claim"] != found[0]["claim"]]
    whole = sorted(kept + found, key=lambda entry: order[entry["claim"]])
    replace_file(out / "power.json", "[\n" + ",\n".join(json.dumps(e, ensure_ascii=False) for e in whole) + "\n]\n")


def main() -> None:
    from ..workshop.executors import local_processes  # reports import this module, and start no processes

    parser = argparse.ArgumentParser(prog="python -m tinycompress.lecture.power", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="CHAPTER", help="chapters or claim ids; default: all chapters")
    parser.add_argument("--sets", type=int, default=20, help="disjoint sets of seeds; default: 20")
    parser.add_argument("--workers", type=int, default=2, help="processes that share the work; default: 2")
    parser.add_argument("--out", type=Path, default=Path("report"), help="folder of power.json; default: report")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = claims(options.names or None)
    store = Store(options.out)
    with local_processes(options.workers) as executor:
        for found in power(chosen, options.sets, executor, store):
            write(found, options.out)
            print(table(found), flush=True)
    store.discard({claim.id for claim in chosen})


if __name__ == "__main__":
    main()
