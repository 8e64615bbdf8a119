"""The ranking for spreadsheets and gradebooks, and for other programs."""

import csv
import io

from ..course.staff.tables import cell
from .board import Entry
from .ranking import copies, ranking, without_place
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


def as_plain(entries: list[Entry], rules: Rules, half: str = "secret", missing: list[str] = ()) -> dict:
    """The ranking as plain values, for JSON. A baseline's rank is None, as are points without a rule. "copies" has the
    number of each hand-in whose file another student had handed in before, and that of the first."""
    places = [
        {
            "rank": place.rank,
            "student": place.entry.student,
            "value": float(place.value),
            "interval": [float(end) for end in place.interval],
            "points": place.points,
            "bytes": place.entry.nbytes,
            "hand_in": place.entry.number,
            "remarks": list(place.remarks),
        }
        for place in ranking(entries, rules, half)
    ]
    without = without_place(entries, rules, half) | dict.fromkeys(missing, "nothing was handed in")
    no_rank = [{"student": student, "why": why} for student, why in without.items()]
    copied = [{"hand_in": copy, "of": original} for copy, original in copies(entries).items()]
    return {"measure": rules.measure, "half": half, "places": places, "no_rank": no_rank, "copies": copied}
