"""Who takes part: a roster, one row per student, and what being late costs.

The roster is a CSV with a column `id`, and any of these: `name`, `email`, `group`, `extension` (a later due time, or a number
of days), `late_days` (days late that cost nothing), `handed_in` (a time, which counts more than anything else), and `moodle`,
`canvas`, `gradescope`, `github` (what those systems call the student). Other columns are ignored. Times are as in 2027-01-15
(its end) or 2027-01-15 18:00, on this machine's clock unless they end in a zone such as +01:00.

What course systems export is read as it is. Moodle: "First name", "Last name", "ID number", "Email address", "Groups" of its
participants, or "Identifier" ("Participant 123") and "Full name" of its grading worksheet. Canvas' gradebook: "Student" (or
"LastName" and "FirstName"), "ID", "SIS User ID", "SIS Login ID", without its test student. Gradescope: "First Name", "Last
Name", "SID", "Email" and "Role" of its roster, without the staff, or also "Submission ID" and "Submission Time" of its grades.
GitHub Classroom: "identifier", "github_username" of its roster, or "roster_identifier" of its grades. Without a column `id`, a
student's id is the first of IDS that is filled in.
"""

import csv
import datetime
import difflib
import io
import math
import re
import unicodedata
from dataclasses import dataclass, field, fields
from pathlib import Path

from ..exercise import CourseProblem

SYSTEMS = ("moodle", "canvas", "gradescope")
IDS = ("id", "id_number", "sid", "student_id", "sis_user_id", "username", "sis_login_id", "email", "identifier")
HEADINGS = {
    **{"full_name": "name", "student": "name", "student_name": "name"},
    **{"email_address": "email", "groups": "group", "github_username": "github", "github_id": ""},
    **{"submission_id": "gradescope", "submission_time": "handed_in"},
    **{"roster_identifier": "identifier", "group_name": "group", "lastname": "last_name", "firstname": "first_name"},
}
TEST_STUDENT = "Student, Test", "Test Student"  # of Canvas (lib/gradebook_exporter.rb, StudentViewEnrollment)
STAFF = ("instructor", "ta", "reader")  # roles in Gradescope
PARTS_OF_NAME = ("first_name", "last_name", "surname")


@dataclass(frozen=True)
class Person:
    """A row of the roster; `late_days` and `extension` are as written, and checked when it is read."""

    id: str
    name: str = ""
    email: str = ""
    group: str = ""
    extension: str = ""
    late_days: str = ""
    handed_in: str = ""
    moodle: str = ""
    canvas: str = ""
    gradescope: str = ""
    github: str = ""

    def due(self, due: datetime.datetime) -> datetime.datetime:
        """When this student's work is due, if others' is due at `due`."""
        if not self.extension:
            return due
        days = _whole(self.extension)
        return time_of(self.extension) if days is None else due + datetime.timedelta(days=days)


@dataclass
class Roster:
    """The students of a course, in the order of the file; and the ids of those whom the file already gives a grade."""

    people: list[Person] = field(default_factory=list)
    graded: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path | str, grades: str = "") -> "Roster":
        """Raises CourseProblem, with the line, for a roster that cannot be what was meant.

        grades: the heading of the column, if there is one, in which a course system exports the grades that it has.
        """
        path = Path(path)
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise CourseProblem(f"--roster {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise CourseProblem(f"--roster {path} is not UTF-8; save it as `CSV UTF-8`") from error
        header = text.split("\n", 1)[0]
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
        headings = next(rows, [])
        columns = [_column(name, path) for name in headings]
        from_canvas = bool({"sis_user_id", "sis_login_id"} & set(columns))
        if from_canvas:
            columns = ["canvas" if name == "id" else name for name in columns]
        if not set(IDS) & set(columns):
            raise CourseProblem(
                f"--roster {path}: its first line must name the columns, one of them `id`; got {header!r}"
            )
        people, graded = {}, set()
        for row in rows:
            given = _given(columns, row)
            if dict(zip(columns, row, strict=False)).get("role", "").strip().lower() in STAFF:
                continue
            if not any(map(str.strip, row)) or (from_canvas and not given.get("canvas")):  # the latter: points possible
                continue
            if from_canvas and given.get("name") in TEST_STUDENT:
                continue
            person = _checked(Person(**given), f"--roster {path}, line {rows.line_num}")
            if people.setdefault(person.id, person) is not person:
                raise CourseProblem(f"--roster {path}, line {rows.line_num}: a second row for {person.id!a}")
            if dict(zip(headings, row, strict=False)).get(grades, "").strip() not in ("", "-"):
                graded.add(person.id)
        return cls(list(people.values()), graded)

    def student(self, name: str, numbers=()) -> str:
        """The id of the only student whom a name in a folder of hand-ins can mean; else the name itself.

        numbers: what course systems call the student, such as "moodle 1234".
        """
        found = self.candidates(name, numbers)
        return found[0] if len(found) == 1 else name

    def which(self, name: str, numbers=()) -> str:
        """The question whose hand-in this is, if the name can mean several students; else ""."""
        several = self.candidates(name, numbers)
        ask = f"of {' or '.join(several)}? give their `moodle` or `canvas` numbers in the roster"
        return ask if len(several) > 1 else ""

    def candidates(self, name: str, numbers=()) -> list[str]:
        """The ids of all students whom a name can mean equally well."""
        found = ([person.id for person in self.people if means(person, name, numbers)] for means in _MEANS)
        return next(filter(None, found), [])


def _column(name: str, path: Path) -> str:
    """The column that a heading means; "" for one that is ignored."""
    known = [column.name for column in fields(Person)] + [*IDS, *PARTS_OF_NAME, "role"]
    column = re.sub(r"[ -]+", "_", name.strip().lower().replace("e-mail", "email"))
    column = HEADINGS.get(column, column)
    close = difflib.get_close_matches(column, known, 1, 0.8)
    if column not in known and close:
        raise CourseProblem(f"--roster {path}: is the column {name!r} meant to be {close[0]!r}?")
    return column if column in known else ""


def _given(columns: list[str], row: list[str]) -> dict[str, str]:
    """The fields of a `Person` that a row gives; of several columns for one field the first that is filled in."""
    found: dict[str, str] = {}
    for column, value in zip(columns, row, strict=False):
        if column and value.strip():
            found.setdefault(column, value.strip())
    if "name" not in found:
        found["name"] = " ".join(found[part] for part in PARTS_OF_NAME if part in found)
    if number := re.fullmatch(r"Participant (\d+)", found.get("identifier", "")):
        found.setdefault("moodle", number[1])
    found["id"] = next((found[name] for name in IDS if name in found), "")
    return {column.name: found[column.name] for column in fields(Person) if column.name in found}


def _checked(person: Person, where: str) -> Person:
    if not person.id:
        raise CourseProblem(f"{where}: a student without an id")
    if person.late_days and _whole(person.late_days) is None:
        raise CourseProblem(f"{where}: late_days is a number of days, such as 2; got {person.late_days!a}")
    for name in "extension", "handed_in":
        value = getattr(person, name)
        if value and not (name == "extension" and _whole(value) is not None):
            time_of(value, f"{where}: {name}")
    return person


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None


def _same(a: str, b: str) -> bool:
    return bool(a) and _plain(a) == _plain(b)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _by_number(person, name, numbers):
    return any(f"{system} {getattr(person, system)}" in numbers for system in SYSTEMS)


def _by_clone(person, name, numbers):
    return bool(person.github) and f"-{name}".casefold().endswith(f"-{person.github}".casefold())


def _without_number(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _sorted_words(name: str) -> str:
    """Such as "Ann Li" for "Li, Ann"."""
    return " ".join(sorted(_plain(name).replace(",", " ").split()))


# In this order; the first that fits anyone decides.
_MEANS = (
    lambda person, name, numbers: _same(person.id, name),
    _by_number,
    _by_clone,
    lambda person, name, numbers: _same(person.email, name) or _same(person.email.partition("@")[0], name),
    lambda person, name, numbers: _same(person.name, _without_number(name)),
    lambda person, name, numbers: _same(
        f"{person.group}-{person.name}", _without_number(name)
    ),  # as Moodle, of a group
    lambda person, name, numbers: _same(_sorted_words(person.name), _sorted_words(_without_number(name))),
)


def time_of(text: str, what: str = "the time") -> datetime.datetime:
    """A time with its zone; a day alone means its end. Raises CourseProblem."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            text += " 23:59:59"
        text = re.sub(r" (?=[+-]\d{4}$)", "", text)  # as Gradescope writes the zone
        return datetime.datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise CourseProblem(f"{what} should be like 2027-01-15 or 2027-01-15 18:00; got {text!r}") from error


@dataclass(frozen=True)
class Lateness:
    """Days late (None: a person must say), the share of the points that this costs, and why."""

    days: int | None = 0
    share: float = 0.0
    why: str = ""


IN_TIME = Lateness()


@dataclass(frozen=True)
class LateRule:
    """What being late costs: `percent` of the points per day that has begun; after more than `most` days, all of them.

    due: when work is due, with the zone (None: nothing is ever late); files: whether to believe the times of files, which
    copying and cloning change.
    """

    due: datetime.datetime | None = None
    percent: float = 0.0
    most: int | None = None
    files: bool = False

    def lateness(self, person: Person, found: list[dict]) -> Lateness:
        """How late a hand-in is. found: what the log says of how its files were found."""
        if self.due is None or not found:
            return Lateness()
        known = person.handed_in or (max(record.get("handed_in", "") for record in found) if self.files else "")
        if not known:
            said = [record.get("late") for record in found]
            if False in said and True not in said:
                return Lateness()
            late = (
                "it is late, says Canvas, but not by how much" if True in said else "when it was handed in is not known"
            )
            return Lateness(None, 0.0, f"{late}: give it in the roster's column `handed_in`; nothing was subtracted")
        after = time_of(known) - person.due(self.due)
        days = max(0, math.ceil(after / datetime.timedelta(days=1)))
        charged = max(0, days - (_whole(person.late_days) or 0))
        if not days:
            return Lateness()
        share = 1.0 if self.most is not None and charged > self.most else min(1.0, charged * self.percent / 100)
        free = f", {days - charged} of them free" if days > charged else ""
        return Lateness(days, share, f"{days} day{'s' * (days > 1)} late{free}: {share:.0%} of the points subtracted")


NEVER_LATE = LateRule()
