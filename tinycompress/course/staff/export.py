"""The gradebook in other formats: CSV, Gradescope's and PrairieLearn's results.json, JUnit's XML, feedback pages.

Names and messages come from students. In each format, text that could be read as a formula, markup, or a terminal command
is made harmless. A result that a person still has to look at is never exported as a number.
"""

import csv
import hashlib
import io
import json
import re
from collections import Counter
from pathlib import Path
from xml.sax.saxutils import quoteattr

from ...files import replace_file
from ..sandbox import NONE, UNFILTERED
from .feedback import page
from .gradebook import Entry, Gradebook

FORMS = ("csv", "gradescope", "prairielearn", "junit", "feedback")
ONE_FILE = ("csv", "junit")
PASSED = {"passed": "passed", "partial": "failed", "failed": "failed"}


def export(book: Gradebook, form: str, out: Path) -> list[Path]:
    """Write the gradebook: one file for "csv" and "junit", else a folder with one file per student. Return the files.

    For "gradescope" and "prairielearn", students at whom a person has to look get no file: their results are not known yet.
    """
    if form in ONE_FILE:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, as_csv(book) if form == "csv" else as_junit(book))
        return [out]
    write, ending = {
        "gradescope": (lambda entries: json.dumps(as_gradescope(entries), indent=1), ".json"),
        "prairielearn": (lambda entries: json.dumps(as_prairielearn(entries), indent=1), ".json"),
        "feedback": (page, ".html"),
    }[form]
    out.mkdir(parents=True, exist_ok=True)
    written, names = [], file_names(book.students())
    for student in book.students():
        entries = book.entries(student)
        path = out / (names[student] + ending)
        for other in {file_name(student), unique_name(student)} - set(names.values()):
            (out / (other + ending)).unlink(missing_ok=True)  # from an export of other students
        if form != "feedback" and any(entry.points is None for entry in entries):
            path.unlink(missing_ok=True)  # from an earlier export
            continue
        replace_file(path, write(entries))
        written.append(path)
    return written


def file_name(student: str) -> str:
    """A name for a student's file: the student's name if it is harmless, else its harmless characters and a hash."""
    harmless = _plain(student) == student and not re.search(r"-[0-9a-fA-F]{16}$", student)  # as unique_name ends
    return student if harmless else unique_name(student)


def unique_name(student: str) -> str:
    """A name that no other student's file has, by a hash."""
    digest = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_plain(student) or 'student'}-{digest[:16]}"


def file_names(students: list[str]) -> dict[str, str]:
    """A name for each student's file. They differ in more than upper and lower case, which some file systems ignore."""
    count = Counter(file_name(student).casefold() for student in students)
    shared = {student for student in students if count[file_name(student).casefold()] > 1}
    return {student: unique_name(student) if student in shared else file_name(student) for student in students}


def _plain(student: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", student)[:60].strip("_")


def printable(text: str) -> str:
    """Replace unprintable characters: control characters, ANSI escapes, direction marks, halves of surrogate pairs."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def cell(value) -> str:
    """A spreadsheet's cell: text that would be read as a formula gets an apostrophe in front."""
    text = printable(str(value))
    return f"'{text}" if text.lstrip(" '\"")[:1] in tuple("=+-@|%") and not isinstance(value, int | float) else text


def as_csv(book: Gradebook) -> str:
    """One row per student: points per exercise, their total (empty while a person has to look at one), and remarks.

    Below them, one row without points for each file that was left out because it is not a hand-in.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    exercises = book.exercises()
    writer.writerow([cell(name) for name in ("student", *exercises, "total", "of", "remarks")])
    for student in book.students():
        entries = {entry.exercise: entry for entry in book.entries(student)}
        cells = ["" if name not in entries else _points(entries[name]) for name in exercises]
        total = "" if any(e.points is None for e in entries.values()) else f"{_total(list(entries.values())):g}"
        remarks = [f"{e.exercise}: {_remark(e)}" for e in entries.values() if _remark(e)]
        remarks += ["none of the exercises is in the hand-in"] if all(e.missing for e in entries.values()) else []
        most = sum(e.most for e in entries.values())
        writer.writerow([cell(student), *cells, total, f"{most:g}", cell("; ".join(remarks))])
    for name, why in book.left_out.items():
        writer.writerow([cell(name), *([""] * len(exercises)), "", "", cell(f"not graded: {why}")])
    return stream.getvalue()


def _points(entry: Entry) -> str:
    return entry.status if entry.points is None else f"{entry.points:g}"


def _remark(entry: Entry) -> str:
    if entry.corrections:
        last = entry.corrections[-1]
        return f"corrected by {last['who']}: {last['why']}"
    remarks = [] if entry.status == "graded" else [entry.status]
    remarks += [entry.unapplied] if entry.unapplied else []
    remarks += [entry.record["refused"]] if entry.record.get("refused") and not entry.missing else []
    remarks += entry.record.get("notes", [])
    weak = {NONE: " (graded without a sandbox)", UNFILTERED: " (graded without a filter of system calls)"}
    return ", ".join(remarks) + weak.get(entry.record["level"], "")


def as_gradescope(entries: list[Entry]) -> dict:
    """One student's results.json (gradescope-autograders.readthedocs.io, "Output format")."""
    tests = [
        {
            "name": printable(f"{entry.exercise}: {result['title']}"),
            "score": result["earned"],
            "max_score": result["points"],
            "status": PASSED[result["outcome"]],
            "output": printable(result["message"]),
            "output_format": "text",
            "visibility": "visible" if result["public"] else "after_published",
        }
        for entry in entries
        for result in _results(entry)
    ]
    return {"score": _total(entries), "output_format": "text", "output": _notes(entries), "tests": tests}


def as_prairielearn(entries: list[Entry]) -> dict:
    """One student's results.json (PrairieLearn's documentation, "External grading")."""
    most = sum(entry.most for entry in entries)
    tests = [
        {
            "name": printable(f"{entry.exercise}: {result['title']}"),
            "points": result["earned"],
            "max_points": result["points"],
            "message": printable(result["message"]),
        }
        for entry in entries
        for result in _results(entry)
    ]
    return {
        "gradable": True,
        "score": _total(entries) / most if most else 0.0,
        "message": _notes(entries),
        "tests": tests,
    }


def _results(entry: Entry) -> list[dict]:
    """The tests' results, without any grader_error (which a person has corrected)."""
    return [result for result in entry.record["results"] if result["outcome"] in PASSED]


def _total(entries: list[Entry]) -> float:
    return round(sum(entry.points for entry in entries), 2)


def _notes(entries: list[Entry]) -> str:
    notes = [
        f"{e.exercise}: {e.points:g} points by correction: {e.corrections[-1]['why']}" for e in entries if e.corrections
    ]
    return printable("; ".join(notes))


def as_junit(book: Gradebook) -> str:
    """One suite per student and one case per test, as CI systems show them; a grader_error is an `error`."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    for student in book.students():
        entries = book.entries(student)
        lines.append(f" <testsuite name={_xml(student)}>")
        for entry in entries:
            if entry.record["error"]:
                lines.append(f"  <testcase classname={_xml(entry.exercise)} name={_xml('all tests')}>")
                lines.append(f"   <error message={_xml(entry.record['error'])}/></testcase>")
            for result in entry.record["results"]:
                lines.append(f"  <testcase classname={_xml(entry.exercise)} name={_xml(result['name'])}>")
                if result["outcome"] != "passed":
                    tag = "failure" if result["outcome"] in PASSED else "error"
                    share = f"{result['earned']:g} of {result['points']:g} points: {result['message']}"
                    lines.append(f"   <{tag} message={_xml(share)}/>")
                lines.append("  </testcase>")
        lines.append(" </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _xml(text: str) -> str:
    return quoteattr(printable(text))
