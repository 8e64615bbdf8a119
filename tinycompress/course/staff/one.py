"""`course grade-one`: one hand-in, in the container of another system, and its result as that system reads it.

Gradescope, PrairieLearn and most CI systems start a container for each submission, as root, and throw it away. Namespaces
can rarely be had there; submissions then run as another user. A result that a person must look at is never written as a
number.
"""

import json
import os
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from ...files import replace_file
from ..collect import DECIDES, HandIn, Source, not_handed_in
from ..exercise import Exercise
from ..questions.answers import parse
from ..questions.marking import collect
from ..questions.question import QuestionSet, plain_id
from ..sandbox import ANOTHER_USER, Level, SandboxProblem, confine
from .export import as_gradescope, as_junit, as_prairielearn, printable
from .grade import grade, make_tasks
from .gradebook import UNMARKED, Gradebook
from .log import Log
from .roster import IN_TIME, Lateness
from .secrets import PACKAGE, opened_inside
from .tables import rows

FORMATS = ("gradescope", "prairielearn", "junit")
LOOK = "the grader failed; a person must look at this submission"


class _Alone(HandIn):
    """A hand-in whose student reads at once that a file is missing, and can hand in again: that is no question for staff."""

    def answers(self, *arguments) -> Source:
        found = super().answers(*arguments)
        return replace(found, unclear=found.unclear and not found.refused.startswith(not_handed_in("/questions")))


def grade_handin(
    path: Path,
    student: str,
    exercises: list[Exercise],
    seed: str,
    level: Level,
    executor: Callable,
    sets: list[QuestionSet] = (),
    ids: tuple[str, ...] = (),
) -> Gradebook:
    """The gradebook of one hand-in, a folder or a .zip; nothing is left on the disk. executor: as of `grade`.

    student: "" if nobody says who it is. sets: the questions, of which choices and own numbers are marked, and written answers
    wait for a person. Own numbers are those of the id at the top of answers.md, if it is one of `ids`, else of `student`; they
    wait, too, if it is not known whose they are, since anyone can write another's id at the top.
    A file that is missing or cannot be read is never a question for staff here: the student reads the reason at once, and can
    hand in again.
    """
    if sets:
        asked = [question.id for found in sets for question in found.questions]
        said = plain_id(parse(_Alone(student, path).answers().data or b"", asked).student)
        student = next((name for name in ids if plain_id(name) == said), student)
    if not student:
        student, sets = path.stem, [_without_own_numbers(found) for found in sets]
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder) / "results.jsonl")
        tasks = make_tasks([HandIn(student, path)], exercises, seed, False, level.name, log.path)
        for i, task in enumerate(tasks):
            if not task.refused.endswith(DECIDES):
                tasks[i] = replace(task, found=replace(task.found, unclear=False))
        if tasks:
            grade(tasks, log, executor)
        if sets:
            collect([_Alone(student, path)], list(sets), log, Path(folder) / "answers")
        return Gradebook(log.path)


def _without_own_numbers(found: QuestionSet) -> QuestionSet:
    """The questions, with own numbers to be marked by a person."""
    return replace(found, questions=tuple(replace(question, own=None) for question in found.questions))


def check_secrets(exercises: list[Exercise], files: list[Path], level: Level) -> None:
    """Raise SandboxProblem if submissions could read solutions, tests, this package or one of the files."""
    if level.name != ANOTHER_USER or confine.landlock_version():
        return
    secrets = [path for e in exercises for path in (e.solution, e.tests, e.wrong) if path] + [PACKAGE, *files]
    if seen := opened_inside(secrets, level.name):
        folders = sorted({str(path.absolute().parent) for path in map(Path, seen)})
        raise SandboxProblem(
            f"submissions can read {len(seen)} of {len(secrets)} secret files, such as {seen[0]}, since this kernel has no "
            f"Landlock and their permissions allow it; run: chmod -R go= {shlex.join(folders)}"
        )


def write_result(book: Gradebook, form: str, level: Level, out: Path, late: Lateness = IN_TIME) -> bool:
    """Write the result as `form`, one of FORMATS, with the level of the sandbox. Return whether it is complete.

    late: in Gradescope, what is subtracted.

    An answer that a person has yet to mark is there without points, in JUnit as skipped, and outside of the score. What a person
    must look at for another reason becomes, in Gradescope, no file (which its staff sees as a failed autograder), in PrairieLearn
    a submission that is not gradable and costs no attempt, and in JUnit an error.
    """
    entries = book.entries()
    complete = all(entry.points is not None or entry.status == UNMARKED for entry in entries)
    sandbox = {"level": level.name, "detail": level.detail}
    os.makedirs(out.absolute().parent, exist_ok=True)
    if form == "junit":
        replace_file(out, _with_properties(as_junit(rows(book)), sandbox))
    elif form == "prairielearn":
        result = as_prairielearn(entries) if complete else {"gradable": False, "message": LOOK}
        replace_file(out, json.dumps(result | {"sandbox": sandbox}, indent=1))
    elif complete:
        extra = {"sandbox": sandbox, "student": book.students()[0], "days_late": late.days}
        replace_file(out, json.dumps(as_gradescope(entries, late) | {"extra_data": extra}, indent=1))
    return complete


def _with_properties(junit: str, sandbox: dict[str, str]) -> str:
    """The XML with a <properties> in each suite, which must come first in it."""
    root = ElementTree.fromstring(junit.encode())
    for suite in root.iter("testsuite"):
        properties = ElementTree.Element("properties")
        for name, value in sandbox.items():
            ElementTree.SubElement(properties, "property", name=f"sandbox.{name}", value=printable(value))
        suite.insert(0, properties)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
