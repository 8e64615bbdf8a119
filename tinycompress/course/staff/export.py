"""The gradebook in other formats: tables (`tables.py`), Gradescope's and PrairieLearn's results.json, JUnit's XML, feedback.

Names and messages come from students. In each format, text that could be read as a formula, markup, or a terminal command
is made harmless. A result that a person still has to look at is never exported as a number.
"""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from xml.sax.saxutils import quoteattr

from ...files import replace_file
from ..exercise import CourseProblem
from ..sandbox.workers import CANNOT_BE_IMPORTED
from ..system import is_running
from .feedback import page
from .gradebook import UNMARKED, Entry, Gradebook
from .roster import IN_TIME, NEVER_LATE, Lateness, LateRule, Roster
from .tables import Row, as_canvas, as_csv, as_moodle, printable, rows

FORMS = ("csv", "moodle", "canvas", "gradescope", "prairielearn", "junit", "feedback")
ONE_FILE = ("csv", "moodle", "canvas", "junit")
PASSED = {"passed": "passed", "partial": "failed", "failed": "failed"}
TO_MARK = "a person will mark this answer; its points are not in this score"
NOT_LATE = ("gradescope", "prairielearn", "junit")  # systems that subtract for lateness themselves


def export(
    book: Gradebook,
    form: str,
    out: Path,
    roster: Roster | None = None,
    rule: LateRule = NEVER_LATE,
    spreadsheet: bool = False,
    assignment: str = "tinycompress",
) -> list[Path]:
    """Write the gradebook: the forms in `ONE_FILE` to a file, others to a folder with one file per student. Return the files.

    For "gradescope" and "prairielearn", students at whom a person has to look get no file: their results are not known yet.
    assignment: the heading of Canvas' column. Whoever handed in nothing, but has a grade in the roster, keeps it: "moodle" and
    "canvas" leave them out. Raises CourseProblem if a form cannot say what is asked for.
    """
    if rule.due and form in NOT_LATE:
        raise CourseProblem(f"{form} has no place for late days; export csv, moodle, canvas or feedback with --due")
    made = rows(book, roster, rule)
    kept = roster.graded if roster else set()
    changed = [row for row in made if row.entries or row.person.id not in kept]
    if form in ONE_FILE:
        text = {
            "csv": lambda: as_csv(book, made, roster is not None, rule.due is not None, spreadsheet),
            "moodle": lambda: as_moodle(book, changed),
            "canvas": lambda: as_canvas(book, changed, assignment),
            "junit": lambda: as_junit(made),
        }[form]()
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_halves(out.parent, f".{out.name}.")
        replace_file(out, text)
        return [out]
    return _one_each([row for row in made if row.entries or form == "feedback"], form, out)


def _one_each(made: list[Row], form: str, out: Path) -> list[Path]:
    write, ending = {
        "gradescope": (lambda row: json.dumps(as_gradescope(row.entries), indent=1), ".json"),
        "prairielearn": (lambda row: json.dumps(as_prairielearn(row.entries), indent=1), ".json"),
        "feedback": (page, ".html"),
    }[form]
    students = {(row.person.gradescope if form == "gradescope" else "") or row.person.id: row for row in made}
    out.mkdir(parents=True, exist_ok=True)
    _remove_halves(out)
    written, names = [], file_names(list(students))
    for student, row in students.items():
        path = out / (names[student] + ending)
        for other in {file_name(student), unique_name(student)} - set(names.values()):
            (out / (other + ending)).unlink(missing_ok=True)  # from an export of other students
        if form != "feedback" and row.earned is None:
            path.unlink(missing_ok=True)  # from an earlier export
            continue
        replace_file(path, write(row))
        written.append(path)
    return written


def _remove_halves(folder: Path, start: str = ".") -> None:
    """Remove what exports that were killed have left of `replace_file`."""
    for half in folder.glob("*.part"):
        _, process, *_ = [*half.name.rsplit(".", 3), ""]
        if half.name.startswith(start) and process.isdecimal() and not is_running(int(process)):
            half.unlink(missing_ok=True)


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


def as_gradescope(entries: list[Entry], late: Lateness = IN_TIME) -> dict:
    """One student's results.json (gradescope-autograders.readthedocs.io, "Output format").

    The score, which counts more there than the sum of the tests, is what is left after subtracting for lateness.
    """
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
    tests += [  # without a score, and so out of none
        {"name": name, "output": TO_MARK, "output_format": "text", "visibility": "visible"}
        for name in _to_mark(entries)
    ]
    score = round(sum(map(_known, entries)) * (1 - late.share), 2)
    output = "; ".join(filter(None, [_notes(entries), late.why]))
    return {"score": score, "output_format": "text", "output": output, "tests": tests}


def as_prairielearn(entries: list[Entry]) -> dict:
    """One student's results.json (PrairieLearn's documentation, "External grading").

    What cannot be imported is not gradable, and costs no attempt there.
    """
    errors = [_format_error(entry) for entry in entries]
    if errors and all(errors):
        return {"gradable": False, "format_errors": [printable(error) for error in errors]}
    most = sum(entry.most if entry.points is not None else _most_known(entry) for entry in entries)
    if entries and not most:  # written answers alone
        return {"gradable": False, "message": TO_MARK}
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
    of_none = {"points": 0, "max_points": 0, "message": TO_MARK}  # without points, none are shown anywhere
    tests += [{"name": name} | of_none for name in _to_mark(entries)]
    return {
        "gradable": True,
        "score": round(sum(map(_known, entries)), 2) / most if most else 0.0,
        "message": _notes(entries),
        "tests": tests,
    }


def _format_error(entry: Entry) -> str:
    """Why there was nothing to call; "" if there was, or if a person has given points."""
    if entry.corrections:
        return ""
    messages = [entry.record.get("refused", ""), *(result["message"] for result in entry.record["results"])]
    return messages[0] or next((text for text in messages if CANNOT_BE_IMPORTED in text), "")


def _results(entry: Entry) -> list[dict]:
    """The tests' results, without any grader_error (which a person has corrected)."""
    return [result for result in entry.record["results"] if result["outcome"] in PASSED]


def _known(entry: Entry) -> float:
    """The points that are known already, of questions without those that a person has yet to mark."""
    return sum(result["earned"] for result in _results(entry)) if entry.points is None else entry.points


def _most_known(entry: Entry) -> float:
    """What the points that are known already are out of."""
    return sum(result["points"] for result in _results(entry))


def _to_mark(entries: list[Entry]) -> list[str]:
    """The names of the answers that a person has yet to mark."""
    return [
        printable(f"{entry.exercise}: {result['title']} ({result['points']:.10g} points)")
        for entry in entries
        if entry.waits
        for result in entry.record["results"]
        if result["outcome"] == UNMARKED
    ]


def _notes(entries: list[Entry]) -> str:
    """Why points were corrected, and what students should know of how their answers were read."""
    notes = [
        f"{e.exercise}: {e.points:.10g} points by correction: {e.corrections[-1]['why']}"
        for e in entries
        if e.corrections
    ]
    said = [note for e in entries if e.exercise.endswith("/questions") for note in e.record["notes"]]
    return printable("; ".join([*notes, *dict.fromkeys(said)]))


def as_junit(made: list[Row]) -> str:
    """One suite per student and one case per test, as Jenkins' xUnit plugin takes it (its schema `junit-10.xsd`).

    A grader_error, and what a person must decide, is an `error`; an answer that nobody has marked yet is `skipped`. Who has
    handed in nothing has a suite without cases.
    """
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    for row in made:
        cases = [case for entry in row.entries for case in _cases(entry)]
        count = {tag: sum(found == tag for found, _ in cases) for tag in ("failure", "error", "skipped")}
        numbers = (
            f'tests="{len(cases)}" failures="{count["failure"]}" errors="{count["error"]}" skipped="{count["skipped"]}"'
        )
        lines.append(f" <testsuite name={_xml(row.person.id)} {numbers}>")
        lines += [case for _, case in cases]
        lines.append(" </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _cases(entry: Entry) -> list[tuple[str, str]]:
    """For each test, "failure", "error", "skipped" or "", and its element."""
    cases = [("error", "all tests", entry.record["error"])] if entry.record["error"] else []
    for result in entry.record["results"]:
        tag = {"passed": "", "partial": "failure", "failed": "failure", UNMARKED: "skipped"}.get(
            result["outcome"], "error"
        )
        tag = "error" if entry.waits and entry.status != UNMARKED else tag
        share = f"{result['earned']:.10g} of {result['points']:.10g} points: {result['message']}"
        cases.append((tag, result["name"], TO_MARK if tag == "skipped" else share))
    return [(tag, _case(entry.exercise, name, tag, message)) for tag, name, message in cases]


def _case(exercise: str, name: str, tag: str, message: str) -> str:
    inside = f"<{tag} message={_xml(message)}/>" if tag else ""
    return f"  <testcase classname={_xml(exercise)} name={_xml(name)}>{inside}</testcase>"


def _xml(text: str) -> str:
    return quoteattr(printable(text))
