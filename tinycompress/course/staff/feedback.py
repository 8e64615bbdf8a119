"""The feedback page of a student: points, what each test checked, and its message. All text is escaped."""

from html import escape

_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body {{ font: 17px/1.5 sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #222 }}
table {{ border-collapse: collapse; width: 100%; margin: 0.5em 0 2em }}
td {{ padding: 0.3em 0.6em; border-top: 1px solid #ddd; vertical-align: top }}
td:last-child {{ text-align: right; white-space: nowrap }}
small {{ color: #666 }}
</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""


WAITING = (
    ", not counting exercises that a person still has to look at; wait for that, unless it says below what to hand in"
)
NOTHING = "nothing was handed in; if you did hand in something, tell the staff"
NOT_GRADED = "what was handed in could not be graded yet; a person will look at it"
TIME_UNKNOWN = "it is not known yet how late this was handed in; a person will look at that, and nothing was subtracted"


def page(row) -> str:
    """One student's page as HTML, from the `Row` of `tables.py`."""
    from .tables import printable

    entries = row.entries

    def text(value):
        return escape(printable(str(value)))

    known = [entry for entry in entries if entry.points is not None]
    most = sum(entry.most for entry in known)
    waiting = "" if len(known) == len(entries) else WAITING
    earned = sum(entry.points for entry in known)
    parts = [f"<p>{earned:.10g} of {most:.10g} points{waiting}</p>"]
    if not entries:
        parts = [f"<p>{NOTHING if row.total is not None else NOT_GRADED}</p>"]
    elif row.late.why:
        left = "" if row.total is None else f"; {row.total:.10g} points remain"
        why = TIME_UNKNOWN if row.late.days is None else row.late.why  # which tells staff what to do
        parts.append(f"<p>{text(why)}{left}</p>")
    for entry in entries:
        points = (
            "a person will look at this" if entry.points is None else f"{entry.points:.10g} of {entry.most:.10g} points"
        )
        parts.append(f"<h2>{text(entry.exercise)}: {points}</h2>")
        if entry.corrections:
            parts.append(f"<p>Corrected by a person: {text(entry.corrections[-1]['why'])}</p>")
        parts += [f"<p>{text(note)}</p>" for note in entry.record.get("notes", [])]
        if entry.missing or entry.record.get("unclear"):
            parts.append(f"<p>{text(entry.record['refused'])}</p>")
            continue
        rows = []
        for result in entry.record["results"]:
            kind = "" if result["public"] or entry.exercise.endswith("/questions") else " <small>(hidden)</small>"
            message = f"<br><small>{text(result['message'])}</small>" if result["message"] else ""
            earned = "?" if _MARKS[result["outcome"]] == "?" else f"{result['earned']:.10g}"
            rows.append(
                f"<tr><td>{_MARKS[result['outcome']]}</td><td>{text(result['title'])}{kind}{message}</td>"
                f"<td>{earned} of {result['points']:.10g}</td></tr>"
            )
        parts.append(f"<table>{''.join(rows)}</table>")
    return _PAGE.format(title=text(f"Feedback for {row.person.id}"), body="\n".join(parts))


_MARKS = {"passed": "✓", "partial": "◐", "failed": "✗", "grader_error": "?", "unmarked": "?"}
