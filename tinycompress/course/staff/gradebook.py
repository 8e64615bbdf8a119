"""The gradebook: the results in the log, and corrections by people.

A correction is a line in `corrections.jsonl` beside the log: student, exercise, points, who decided it, and why. It applies
to the hand-in and to the tests that it was made for, by their hashes. If either changes, the result is what the tests find,
and status, exports and `course grade` say that a correction no longer applies, so that someone can look at it. Both files
are only ever appended to.
"""

import datetime
import math
from dataclasses import dataclass, field
from pathlib import Path

from ...text import did_you_mean
from ..collect import not_handed_in
from ..exercise import CourseProblem
from ..outcome import DOES_NOT_FIT
from ..sandbox.workers import CANNOT_BE_IMPORTED, ENDED
from .grade import faulty, latest_left_out
from .log import Log

UNMARKED = "unmarked"  # the outcome of a written answer that nobody has marked yet
MISHAPS = (CANNOT_BE_IMPORTED, ENDED, DOES_NOT_FIT)  # words of messages


@dataclass
class Entry:
    """One exercise of one student: `points` out of `most`, and their history.

    `points` is None while a person has to look at a grader_error, or has to decide which file counts.
    """

    student: str
    exercise: str
    record: dict
    corrections: list[dict] = field(default_factory=list)  # of this hand-in and these tests; the last one counts
    stale: list[dict] = field(default_factory=list)  # of other ones
    usual: float = 0.0  # the maximum in other results of this exercise, for one in which no test ran

    @property
    def missing(self) -> bool:
        """Whether the exercise's file is not in the hand-in."""
        return self.record.get("refused") == not_handed_in(self.exercise)

    @property
    def waits(self) -> str:
        """Why a person must look at it before it has points; "" otherwise."""
        if self.corrections:
            return ""
        if self.record.get("unclear"):
            return self.record["refused"]
        if any(result["outcome"] == UNMARKED for result in self.record["results"]):
            return "written answers are still to be marked by hand"
        return "grader_error" if faulty(self.record) else ""

    @property
    def most(self) -> float:
        return sum(result["points"] for result in self.record["results"]) or self.usual

    @property
    def points(self) -> float | None:
        if self.corrections:
            return self.corrections[-1]["points"]
        if self.waits:
            return None
        return round(sum(result["earned"] for result in self.record["results"]), 2)

    @property
    def status(self) -> str:
        if self.corrections:
            return "corrected"
        if self.waits:
            return "grader_error" if faulty(self.record) else "unclear" if self.record.get("unclear") else UNMARKED
        if not self.stale:
            return "graded"
        same = self.stale[-1]["handin"] == self.record["handin"]
        return "correction with other tests" if same else "correction of an earlier hand-in"

    @property
    def unapplied(self) -> str:
        """The last correction if it no longer applies, and why; else ""."""
        if self.corrections or not self.stale:
            return ""
        last = self.stale[-1]
        changed = "the tests" if last["handin"] == self.record["handin"] else "the hand-in"
        return (
            f"not applied, since {changed} changed: {last['points']:.10g} points by {last['who']} ({last['why']}); "
            "correct it again if that still holds"
        )


class Gradebook:
    """The latest result of every student and exercise, with corrections applied."""

    def __init__(self, log: Path | str):
        self.log = Log(log)
        self.corrections = Log(self.log.path.with_name("corrections.jsonl"))
        self.left_out = latest_left_out(self.log)  # files that are not hand-ins: {name: why}
        self._entries = {}
        by_key = {}
        for record in self.log.records():
            if record.get("kind") == "result":
                by_key[record["key"]] = record
            if record.get("kind") in ("result", "again") and record["key"] in by_key:
                place = record["student"], record["exercise"]
                self._entries[place] = Entry(*place, by_key[record["key"]] | record)
        self._set_usual(by_key.values())
        for correction in self.corrections.records():
            entry = self._entries.get((correction["student"], correction["exercise"]))
            if entry:
                same = all(correction.get(part) == entry.record[part] for part in ("handin", "tests"))
                if same and not in_range(correction["points"], entry.most):
                    raise CourseProblem(
                        f"{self.corrections.path}: {correction['points']} points for {entry.student!r} in {entry.exercise}, "
                        f"which are from 0 to {entry.most:.10g}; remove this line"
                    )
                (entry.corrections if same else entry.stale).append(correction)

    def _set_usual(self, records) -> None:
        """Let each entry know what its exercise gave in its other results; what the same tests gave counts most."""
        found = {}
        for record in records:
            if record["results"]:
                most = sum(result["points"] for result in record["results"])
                found[record["exercise"]] = found[record["exercise"], record["tests"]] = most
        for entry in self._entries.values():
            exercise, tests = entry.exercise, entry.record["tests"]
            entry.usual = found.get((exercise, tests), found.get(exercise, 0.0))

    def entries(self, student: str | None = None) -> list[Entry]:
        """The entries of one student, or all, by student and exercise. Raises CourseProblem if nothing is graded yet."""
        if not self._entries:
            raise CourseProblem(f"{self.log.path}: nothing is graded yet; run `tinycompress course grade` first")
        return [entry for (who, _), entry in sorted(self._entries.items()) if student in (None, who)]

    def students(self) -> list[str]:
        return sorted({entry.student for entry in self.entries()})

    def exercises(self) -> list[str]:
        return sorted({entry.exercise for entry in self.entries()})

    def to_look_at(self, students: set[str], exercises: set[str]) -> list[tuple[str, str]]:
        """(student, why) for each hand-in whose points may be due to a mishap: a missing file, a crash, a lost correction."""
        found = []
        for student in sorted(students):
            entries = [entry for entry in self.entries(student) if entry.exercise in exercises]
            if entries and all(entry.missing for entry in entries):
                found.append((student, "none of the exercises is in the hand-in"))
                continue
            reasons = {
                reason: entry.exercise for entry in reversed(entries) if (reason := entry.unapplied or mishap(entry))
            }
            if reasons:
                (why, exercise), *more = reversed(reasons.items())
                found.append((student, f"{exercise}: {why}" + (f" (and {len(more)} more)" if more else "")))
        return found

    def undecided(self, students: set[str], exercises: set[str]) -> set[str]:
        """The students at whom a person must look: points are unknown, no file was usable, or a correction was lost."""
        found = set()
        for student in students:
            entries = [entry for entry in self.entries(student) if entry.exercise in exercises]
            unusable = all(entry.record.get("refused") and not entry.corrections for entry in entries)
            if unusable or any(entry.waits or entry.unapplied for entry in entries):
                found.add(student)
        return found

    def correct(self, student: str, exercise: str, points: float, who: str, why: str) -> Entry:
        """Give this hand-in other points, and return its entry.

        Raises CourseProblem if it was never graded, the points are out of range, or `who` or `why` is empty.
        """
        entry = self._entries.get((student, exercise))
        if entry is None and exercise not in self.exercises():
            raise CourseProblem(f"no exercise {exercise!r} is graded; there are {', '.join(self.exercises())}")
        if entry is None:
            near = did_you_mean(student, self.students()) or "; grade first"
            raise CourseProblem(f"there is no result of {student!r} in {exercise!r}{near}")
        if not who.strip() or not why.strip():
            raise CourseProblem("a correction needs who decided it (--who), and why (--why)")
        if not entry.most:
            raise CourseProblem(f"no result says how many points {exercise} gives; repair its tests, and grade again")
        if not in_range(points, entry.most):
            raise CourseProblem(f"points of {exercise} are from 0 to {entry.most:.10g}, got {points:.10g}")
        correction = {
            "student": student,
            "exercise": exercise,
            "points": points,
            "who": who,
            "why": why,
            "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "handin": entry.record["handin"],
            "tests": entry.record["tests"],
            "instead_of": entry.points,
        }
        with self.corrections.lock():
            self.corrections.append(correction)
        entry.corrections.append(correction)
        return entry


def in_range(points, most: float) -> bool:
    """Whether these are points out of so many: a finite number."""
    number = isinstance(points, int | float) and not isinstance(points, bool)
    return number and math.isfinite(points) and 0 <= points <= most


def mishap(entry: Entry) -> str:
    """Why a person should look at this result; "" if its points are due to the student's functions alone."""
    if entry.record.get("refused"):
        numbers = entry.record.get("numbers", ())
        of = f" ({', '.join(numbers)})" if len(numbers) > 1 else ""  # not for the student, whom they may not concern
        return "" if entry.missing else entry.record["refused"] + of
    messages = [result["message"] for result in entry.record["results"]]
    return next((text for text in messages if any(words in text for words in MISHAPS)), "")
