"""The ranking as a table for spreadsheets and gradebooks."""

import csv
import io

from ..course.staff.tables import cell
from .board import Entry
from .ranking import ranking, without_place
from .rules import Rules

HEAD = ("student", "rank", "points", "value", "low", "high", "bytes", "multiplications", "public accuracy")


def as_csv(entries: list[Entry], rules: Rules, half: str = "secret", missing: list[str] = ()) -> str:
    """One row per student, the best first: rank, points, the value with its interval, and remarks. Students without a
    hand-in that counts follow, with no points and the reason; so do those who are missing."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([*HEAD, *(["secret accuracy"] if half == "secret" else []), "hand-in", "remarks"])
    for place in ranking(entries, rules, half):
        if place.rank is None:
            continue
        entry = place.entry
        numbers = [place.value, *place.interval, entry.nbytes, entry.work[half].mean()]
        numbers += [entry.accuracy(h) for h in dict.fromkeys(("public", half))]
        points = "" if place.points is None else f"{place.points:g}"
        row = [place.rank, points, *(f"{number:.10g}" for number in numbers), entry.number, "; ".join(place.remarks)]
        writer.writerow([cell(entry.student), *row[:-1], cell(row[-1])])
    without = {s: f"no hand-in counts: {why}" for s, why in without_place(entries, rules, half).items()}
    for student, why in (without | dict.fromkeys(missing, "nothing was handed in")).items():
        empty = [""] * (len(HEAD) - 2 + (half == "secret"))
        writer.writerow([cell(student), "", "0", *empty, cell(why)])
    return stream.getvalue()
