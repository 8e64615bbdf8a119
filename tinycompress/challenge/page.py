"""One self-contained HTML page of a challenge: no scripts, nothing loaded from elsewhere."""

import base64
from html import escape

from ..course.staff.export import printable
from ..text import html_table
from ..workshop import style
from .board import Entry
from .figures import accuracy_over_cost, both_halves
from .ranking import Place, ranking, remarks, why_not, without_place
from .rules import Rules

TESTS = {
    "accuracy": "McNemar's exact test on the images that only one of the two gets right",
    "multiplications": "Student's t interval of the difference per image",
    "bytes": "bytes are exact, so only equal ones do",
}
WHAT_IS_SECRET = {
    True: "The images of this challenge are public, the secret half included: nothing here shows whether a net was trained on "
    "them. The ranking trusts that none was.",
    False: "Only the staff has the secret images.",
}


def page(entries: list[Entry], rules: Rules, half: str = "secret", anonymous: bool = False) -> str:
    """The page as HTML. half: "public" says nothing about the secret images, for as long as the challenge runs.

    anonymous: whether students are numbered, in the order of their first hand-in, instead of named.
    """
    students = list(dict.fromkeys(e.student for e in entries if not e.baseline))
    names = {s: f"student {i}" if anonymous else printable(s) for i, s in enumerate(students, 1)}
    places = ranking(entries, rules, half)
    ranked = [place for place in places if place.rank]
    with style.applied():
        costs = accuracy_over_cost(entries, places, rules, half, names)
        halves = both_halves(entries, places, names) if half == "secret" else None
    body = f"<div class='wide'>{_figure(costs, 'Accuracy over cost of every hand-in.')}</div>"
    body += "<h2>Ranking</h2>" + _ranking(ranked, rules, half, names)
    body += _without(without_place(entries, rules, half), names)
    if halves:
        body += f"<h2>Both halves</h2><p>{_OVERFITTING}</p><div class='half'>"
        body += _figure(halves, "Accuracy on the secret over accuracy on the public images.") + "</div>"
    body += "<h2>The lecture's own</h2>" + _baselines([place for place in places if not place.rank], half)
    notes = remarks(entries, rules, half)
    body += "<h2>History</h2>" + "".join(_history(s, entries, notes, rules, half, names) for s in students)
    honest = WHAT_IS_SECRET[rules.secret_is_public] if half == "secret" else "The secret half will decide the marks."
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(rules.title)}</title>
<style>{_CSS}</style>
</head>
<body>
<main>
<h1>{escape(rules.title)}</h1>
<p>{escape(rules.goal())} Ranked by the {half} half of the test images. Hand-ins that these images do not tell apart with
{100 * rules.confidence:g} % confidence share a rank ({TESTS[rules.measure]}). {honest}</p>
{body}
</main>
</body>
</html>
"""


_OVERFITTING = (
    "What has learnt to classify is about as good on both halves. What has learnt the public images lies below the line. It is "
    "marked if it lies so far below that chance would put any of these points there less than once in a hundred times "
    "(Fisher's exact test, divided by the number of hand-ins). Only the secret half is ranked."
)


def _figure(fig, alt: str) -> str:
    return f'<img src="data:image/svg+xml;base64,{base64.b64encode(style.svg(fig)).decode()}" alt="{escape(alt)}">\n'


def _ranking(places: list[Place], rules: Rules, half: str, names: dict[str, str]) -> str:
    points = rules.points_by_rank or rules.points_by_value
    head = [
        "rank",
        "student",
        *_head(half),
        f"{100 * rules.confidence:g} % interval",
        *["points"] * bool(points),
    ]
    rows = []
    for place in places:
        low, high = map(rules.amount, place.interval)
        row = [str(place.rank), names[place.entry.student], *_numbers(place.entry, half)]
        row += ["exact" if low == high else f"{low} to {high}"]
        row += [f"{place.points:g}"] if points else []
        rows.append([*row, "; ".join(place.remarks)])
    return (
        f'<div class="wide">{html_table([*head, "remarks"], rows)}</div>' if rows else "<p>No hand-in counts yet.</p>"
    )


def _without(reasons: dict[str, str], names: dict[str, str]) -> str:
    rows = [(names[student], printable(why)) for student, why in reasons.items()]
    return f'<div class="wide">{html_table(["no rank", "why not the last hand-in"], rows)}</div>' if rows else ""


def _baselines(places: list[Place], half: str) -> str:
    if not places:
        return "<p>None yet: <code>tinycompress challenge baselines</code> trains them.</p>"
    rows = [[printable(p.entry.student), *_numbers(p.entry, half), "; ".join(p.remarks)] for p in places]
    return f'<div class="wide">{html_table(["baseline", *_head(half), "remarks"], rows)}</div>'


def _history(student: str, entries: list[Entry], notes: dict, rules: Rules, half: str, names: dict[str, str]) -> str:
    rows = []
    for e in entries:
        if e.student == student and not e.baseline:
            numbers = [f"{e.nbytes:,}", *[""] * (len(_head(half)) - 1)] if e.refused else _numbers(e, half)
            state = [printable(why_not(e, rules, half)) or "valid", *notes[e.number, student]]
            rows.append([str(e.number), f"{e.time:%Y-%m-%d %H:%M}", *numbers, "; ".join(state)])
    table = html_table(["hand-in", "time", *_head(half), ""], rows)
    count = "1 hand-in" if len(rows) == 1 else f"{len(rows)} hand-ins"
    return f'<details><summary>{escape(names[student])}: {count}</summary><div class="wide">{table}</div></details>\n'


def _head(half: str) -> list[str]:
    return ["bytes", "multiplications", "public images", *(["secret images"] if half == "secret" else [])]


def _numbers(entry: Entry, half: str) -> list[str]:
    accuracies = [f"{100 * entry.accuracy(h):.2f} %" for h in dict.fromkeys(("public", half))]
    return [f"{entry.nbytes:,}", f"{entry.work[half].mean():,.0f}", *accuracies]


_CSS = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --line: #d5d5d5; --soft: #666 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181c; --line: #3a3f47; --soft: #a5a5a5 } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.55 system-ui, sans-serif }
main { max-width: 66rem; margin: 0 auto; padding: 1.5rem 1.2rem 4rem }
h1 { font-size: 2rem; margin: 0.5rem 0 } h2 { margin: 2.4rem 0 0.6rem; border-bottom: 1px solid var(--line) }
img { width: 100%; box-sizing: border-box; padding: 0.6rem; background: #fff; border-radius: 6px }
.half { max-width: 34rem }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 0.35rem 0.7rem; border-bottom: 1px solid var(--line); vertical-align: top }
th, td { white-space: nowrap } td:last-child { white-space: normal; min-width: 12rem }
.wide { overflow-x: auto; margin: 1rem 0 } .wide img { min-width: 36rem }
details { margin: 0.4rem 0 } summary { cursor: pointer; color: var(--soft) }
"""
