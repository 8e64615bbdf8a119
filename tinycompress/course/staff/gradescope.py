"""What Gradescope says of a submission: who handed it in, when, and when it was due.

Its containers hold a file submission_metadata.json (gradescope-autograders.readthedocs.io, "Submission Metadata"): `created_at`,
`assignment` with its `due_date`, and `users`, several for a group, each with `name`, `email` and, though that page leaves it
out, an `assignment` with the dates that hold for this student, extensions included. A `due_date` of null means that nothing is
ever late. What is damaged or missing costs nobody points.
"""

import datetime
import json
from dataclasses import dataclass, replace
from pathlib import Path

from ..exercise import CourseProblem
from .roster import Lateness, LateRule, Person, time_of

METADATA = Path("/autograder/submission_metadata.json")


@dataclass(frozen=True)
class Submitted:
    """Who handed in ("" if that is not known), when, and when it was due (None: never).

    ids: what else the students are called there: "sid", e-mail address, name.
    problem: why lateness is not known, in a line; "" if it is.
    """

    student: str = ""
    ids: tuple[str, ...] = ()
    at: datetime.datetime | None = None
    due: datetime.datetime | None = None
    problem: str = ""

    def lateness(self, percent: float, most: int | None) -> Lateness:
        """How late it is, and what that costs: percent and most as in `LateRule`. Where it costs nothing, nothing is said."""
        ruled = percent > 0 or most is not None
        if self.problem:
            return Lateness(None, 0.0, "how late it is is not known; nothing was subtracted" if ruled else "")
        late = LateRule(self.due, percent, most).lateness(Person("", handed_in=self.at.isoformat()), [{}])
        return late if ruled else replace(late, why="")


def read_metadata(path: Path) -> Submitted:
    """What the file says. Never raises: a file that cannot be used says why in `problem`."""
    try:
        said = json.loads(path.read_bytes())
    except OSError as error:
        return Submitted(problem=f"{path} cannot be read: {error.strerror}")
    except (ValueError, RecursionError):
        return Submitted(problem=f"{path} is not JSON")
    if not isinstance(said, dict):
        return Submitted(problem=f"{path} is no JSON object")
    users = said.get("users")
    users = [user for user in users if isinstance(user, dict)] if isinstance(users, list) else []
    student = ", ".join(filter(None, map(_name, users)))
    ids = tuple(
        user[key].strip() for user in users for key in ("sid", "email", "name") if isinstance(user.get(key), str)
    )
    try:
        return Submitted(student, ids, _time(said.get("created_at"), "created_at"), _due(said.get("assignment"), users))
    except (CourseProblem, OverflowError) as error:
        return Submitted(student, ids, problem=f"{path}: {error}")


def _name(user: dict) -> str:
    names = (user.get(key) for key in ("name", "email"))
    return next((name.strip() for name in names if isinstance(name, str) and name.strip()), "")


def _due(everyone, users: list[dict]) -> datetime.datetime | None:
    """When it was due: of a group, for the member with the most time."""
    times = []
    for user in users or [{}]:
        own = user.get("assignment")
        dates = own if isinstance(own, dict) and "due_date" in own else everyone
        if not isinstance(dates, dict) or "due_date" not in dates:
            raise CourseProblem("assignment.due_date is missing")
        times.append(None if dates["due_date"] is None else _time(dates["due_date"], "due_date"))
    return None if None in times else max(times)


def _time(value, what: str) -> datetime.datetime:
    if not isinstance(value, str):
        raise CourseProblem(f"{what} is missing" if value is None else f"{what} is no text with a time")
    return time_of(value, what)
