"""The gradebook as tables: our CSV, Moodle's grading worksheet, and Canvas' gradebook.

Moodle reads the columns "Identifier" ("Participant 123"), "Grade", "Last modified (grade)" and "Feedback comments"
(`mod/assign/feedback/offline/importgradeslib.php`). Canvas reads "Student", "ID", "SIS User ID", "SIS Login ID", "Section"
and the assignment's column, and a second line "Points Possible" (`lib/gradebook_importer.rb`). Both know the English headings
of their own exports. Whoever has no total yet is left out there, so that the import changes nothing for them.
"""

import csv
import io
import re
from dataclasses import dataclass, field

from ..exercise import CourseProblem
from ..sandbox import NONE, UNFILTERED
from ..uploads import owner
from .gradebook import Entry, Gradebook, mishap
from .roster import NEVER_LATE, Lateness, LateRule, Person, Roster

BOM = "\ufeff"
NOTHING = "nothing was handed in"


@dataclass
class Row:
    """A student's marks: `total` is what is left of the points after subtracting for lateness, None if it is not known."""

    person: Person
    entries: list[Entry]
    late: Lateness = Lateness()
    remarks: list[str] = field(default_factory=list)

    @property
    def earned(self) -> float | None:
        known = all(entry.points is not None for entry in self.entries) and self.late.days is not None
        return round(sum(entry.points for entry in self.entries), 2) if known else None

    @property
    def total(self) -> float | None:
        return None if self.earned is None else round(self.earned * (1 - self.late.share), 2)

    @property
    def waits_for(self) -> str:
        """Why there is no total; "" if there is one."""
        undecided = [f"{entry.exercise}: {_remark(entry)}" for entry in self.entries if entry.points is None]
        return "" if self.total is not None else next(iter(undecided), self.late.why)


def rows(book: Gradebook, roster: Roster | None = None, rule: LateRule = NEVER_LATE) -> list[Row]:
    """A row for each student of the roster, handed in or not, and for each hand-in that is of none of them.

    A hand-in that is named after a group is its members', except of those who have handed in one of their own. Whoever has
    only a file that was left out, such as a .rar, or may have a hand-in that could as well be another student's, has no total
    until a person has looked at it. Raises CourseProblem if two hand-ins are of one student, which happens if they were
    graded without the roster; if it is the same hand-in, graded before and after the roster was known, it counts once.
    """
    if roster is None:
        return [_row(Person(student), book.entries(student), rule) for student in book.students()]
    found: dict[str, list[str]] = {}
    doubtful: dict[str, str] = {}  # a student, and why nobody knows yet what is to be graded
    for student in book.students():
        numbers = book.entries(student)[0].record.get("numbers", ())
        found.setdefault(roster.student(student, numbers), []).append(student)
        if which := roster.which(student, numbers):
            doubtful |= dict.fromkeys([student, *roster.candidates(student, numbers)], f"is {student!r} {which}")
    found = {person: [_only(book, person, students)] for person, students in found.items()}
    groups = {person.group for person in roster.people} & found.keys()
    doubtful |= {roster.student(owner(name)): f"{name}: {why}" for name, why in book.left_out.items()}
    made = []
    for person in roster.people:
        of_group = person.id not in found and person.group in groups
        (student,) = found.get(person.id) or (found[person.group] if of_group else [None])
        entries = book.entries(student) if student is not None else []
        made.append(_row(person, entries, rule, f"handed in by the group {person.group}" if of_group else ""))
        if not entries and person.id in doubtful:  # a person must look at it before this is nothing
            made[-1] = Row(person, [], Lateness(None, 0.0, doubtful[person.id]), [doubtful[person.id]])
    known = groups | {person.id for person in roster.people}
    strangers = sorted(found.keys() - known)
    unknown = [
        (Person(name), book.entries(*found[name]), doubtful.get(name, "not in the roster")) for name in strangers
    ]
    return made + [_row(person, entries, rule, remark) for person, entries, remark in unknown]


def _only(book: Gradebook, person: str, students: list[str]) -> str:
    """The one name in the gradebook under which a person's hand-in counts."""
    handins = [{entry.exercise: entry.record["handin"] for entry in book.entries(student)} for student in students]
    corrected = [student for student in students if any(entry.corrections for entry in book.entries(student))]
    if len(students) > 1 and (len(corrected) > 1 or any(handin != handins[0] for handin in handins)):
        names = " and ".join(map(repr, students))
        raise CourseProblem(f"{names} are both {person!r} in the roster; grade again with --roster, into a new --log")
    return (corrected or [person if person in students else students[0]])[0]


def _row(person: Person, entries: list[Entry], rule: LateRule, remark: str = "") -> Row:
    late = rule.lateness(person, [entry.record for entry in entries])
    remarks = [text for text in (remark, late.why, "" if entries else NOTHING) if text]
    remarks += [f"{entry.exercise}: {_remark(entry)}" for entry in entries if _remark(entry)]
    if entries and all(entry.missing for entry in entries):
        remarks.append("none of the exercises is in the hand-in")
    return Row(person, entries, late, remarks)


def _remark(entry: Entry) -> str:
    if entry.corrections:
        last = entry.corrections[-1]
        return f"corrected by {last['who']}: {last['why']}"
    remarks = [] if entry.status == "graded" else [entry.status]
    remarks += [entry.unapplied] if entry.unapplied else []
    remarks += [mishap(entry)] if mishap(entry) else []
    remarks += entry.record.get("notes", [])
    weak = {NONE: " (graded without a sandbox)", UNFILTERED: " (graded without a filter of system calls)"}
    return ", ".join(remarks) + weak.get(entry.record["level"], "")


def printable(text: str) -> str:
    """Replace unprintable characters: control characters, ANSI escapes, direction marks, halves of surrogate pairs."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def cell(value) -> str:
    """A spreadsheet's cell: text that would be read as a formula gets an apostrophe in front."""
    text = printable(str(value))
    return f"'{text}" if text.lstrip(" '\"")[:1] in tuple("=+-@|%") and not isinstance(value, int | float) else text


def text_cell(value: str) -> str:
    """A cell for a spreadsheet that would turn an id such as 0042, 12E3 or 3-4 into a number or a date.

    Only what consists of harmless characters becomes a formula, and only the one that gives this text.
    """
    return f'="{value}"' if re.fullmatch(r"[0-9A-Za-z._/:-]*[0-9][0-9A-Za-z._/:-]*", value) else cell(value)


def _table(lines) -> str:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n").writerows(lines)
    return stream.getvalue()


def _points(points: float | None) -> str:
    return "" if points is None else f"{points:.10g}"


def as_csv(book: Gradebook, made: list[Row], roster: bool = False, due: bool = False, spreadsheet: bool = False) -> str:
    """One line per student: points per exercise, their total (empty while a person has to look at one), and remarks.

    Below them, one line without points for each file that was left out because it is not a hand-in. spreadsheet: with a byte
    order mark, and with ids that stay text.
    """
    exercises, most = book.exercises(), _most(book)
    known = ["name", "email", "group"] if roster else []
    lateness = ["days late", "subtracted"] if due else []
    lines = [["student", *known, *map(cell, exercises), *lateness, "total", "of", "remarks"]]
    of_id = text_cell if spreadsheet else cell
    for row in made:
        entries = {entry.exercise: entry for entry in row.entries}
        cells = [_status(entries[name]) if name in entries else "" for name in exercises]
        taken = None if row.total is None else row.earned - row.total
        late = ["?" if row.late.days is None else row.late.days, _points(taken)] if due else []
        total = _points(row.total)
        of = sum(entry.most for entry in row.entries) or most
        about = [cell(getattr(row.person, name)) for name in known]
        lines.append([of_id(row.person.id), *about, *cells, *late, total, f"{of:.10g}", cell("; ".join(row.remarks))])
    for name, why in book.left_out.items():
        lines.append([cell(name), *([""] * (len(lines[0]) - 2)), cell(f"not graded: {why}")])
    return (BOM if spreadsheet else "") + _table(lines)


def _status(entry: Entry) -> str:
    return entry.status if entry.points is None else f"{entry.points:.10g}"


def _most(book: Gradebook) -> float:
    """The points of all exercises."""
    most = {}
    for entry in book.entries():
        most[entry.exercise] = max(entry.most, most.get(entry.exercise, 0.0))
    return sum(most.values())


def without_number(system: str, made: list[Row]) -> list[str]:
    """The students whose number in a system neither the roster nor a download says, and who are left out there."""
    return [row.person.id for row in _with_total(made) if not _number(system, row)]


def as_moodle(book: Gradebook, made: list[Row]) -> str:
    """Moodle's grading worksheet."""
    most = _most(book)
    lines = [["Identifier", "Full name", "Email address", "Grade", "Maximum grade", "Last modified (grade)"]]
    lines[0].append("Feedback comments")
    for row in _with_total(made):
        number = _number("moodle", row)
        if not number:
            continue
        comment = "; ".join([*(f"{e.exercise}: {e.points:.10g} of {e.most:.10g}" for e in row.entries), *row.remarks])
        who = [f"Participant {number}", cell(row.person.name or row.person.id), cell(row.person.email)]
        lines.append([*who, _points(row.total), f"{most:.10g}", "-", cell(comment)])
    return _table(lines)


def as_canvas(book: Gradebook, made: list[Row], assignment: str) -> str:
    """Canvas' gradebook with one assignment: one that exists, such as "Exercise 1 (123)", or else a new one.

    An empty cell keeps the points possible of one that exists (`process_pp` in the importer); a new one gets ours.
    """
    possible = "" if re.fullmatch(r".*\(\d+\)", assignment) else f"{_most(book):.10g}"
    lines = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", cell(assignment)]]
    lines.append(["    Points Possible", "", "", "", "", possible])
    for row in _with_total(made):
        number = _number("canvas", row)
        if not number:
            continue
        lines.append([cell(row.person.name or row.person.id), number, "", "", "", _points(row.total)])
    return _table(lines)


def _with_total(made: list[Row]) -> list[Row]:
    return [row for row in made if row.total is not None]


def _number(system: str, row: Row) -> str:
    """The number of a student in a system: from the names of what was downloaded there, else from the roster."""
    said = row.entries[0].record.get("numbers", []) if row.entries else []
    found = {number.removeprefix(f"{system} ") for number in said if number.startswith(f"{system} ")}
    return found.pop() if len(found) == 1 else re.sub(r"\D", "", getattr(row.person, system))
