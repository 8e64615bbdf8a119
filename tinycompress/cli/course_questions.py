"""The commands `tinycompress course questions …` and `course mine`: answers in words, choices, and own numbers."""

import sys
from pathlib import Path

DONE, LOOK = 0, 3

_QUESTIONS = """\
Questions of the chapters, answered in a hand-in's answers.md.

`collect` marks choices and numbers at once, and writes the other answers, without names and shuffled, into one table:
enter `points` and, if you like, a `remark` for the student. `merge` adds these to the gradebook. Both may run again.
"""
_EXAMPLES = """\
examples:
  tinycompress course questions collect submissions pruning --roster roster.csv --out marking
  tinycompress course questions merge marking/answers.csv --who kim
  tinycompress course export csv --out marks.csv --roster roster.csv

marking/guide.md says what earns points. marking/key.json says whose answer it is: keep it from those who mark, and give it
to merge (--key) if it does not lie beside the table. The log knows the key, so that neither it nor an answer can change.
exit codes: 0 done; 2 bad arguments, or a table that is refused as a whole; 3 a person must look.
"""


def add_commands(part):
    """Add `questions` and `mine` to the parts of `course`; returns the parser of `mine`."""
    mine = part("mine", _mine, "show the tasks of a students' folder with your own numbers")
    mine.add_argument("student", metavar="ID", help="the id by which you are graded")

    questions = part(
        "questions", None, "collect answers for marking by hand, and merge the marks", _QUESTIONS, _EXAMPLES
    )
    steps = questions.add_subparsers(dest="STEP", title="commands", required=True)
    form = questions.formatter_class

    def step(name, command, help):
        parser = steps.add_parser(name, help=help, description=help, formatter_class=form)
        parser.set_defaults(command=command, parser=parser)
        parser.add_argument("--log", metavar="FILE", default="results.jsonl", help="default: results.jsonl")
        return parser

    collect = step("collect", _collect, "mark what a program can mark, and write the other answers into a table")
    collect.add_argument("handins", metavar="FOLDER", help="as for grade")
    collect.add_argument("names", nargs="*", metavar="NAME", help="chapters; default: all")
    collect.add_argument("--out", metavar="DIR", required=True, help="a new folder for table, guide and key")
    collect.add_argument("--roster", metavar="FILE", help="as for grade; own numbers follow from its ids")
    collect.add_argument("--exercises", metavar="DIR", help="your own folder of exercises; default: the lecture's")
    merge = step("merge", _merge, "add the marks of a table to the gradebook")
    merge.add_argument("table", metavar="FILE", help="answers.csv, or a part of its rows")
    merge.add_argument("--key", metavar="FILE", help="default: key.json beside the table")
    merge.add_argument("--who", required=True, help="who marked")
    return mine


def _mine(arguments) -> int:
    from ..course.collect import manifest_of
    from ..course.questions.handout import tasks_of

    print(tasks_of(arguments.student, manifest_of(Path(arguments.folder))))
    return DONE


def _collect(arguments) -> int:
    from ..course.collect import find_handins, left_out
    from ..course.exercise import EXERCISES, CourseProblem
    from ..course.questions.marking import GUIDE, TABLE, collect
    from ..course.questions.question import find_questions
    from ..course.staff.log import Log
    from ..course.staff.roster import Roster
    from ..course.staff.tables import printable
    from ..course.system import require_grader
    from .course import _number

    require_grader(True)
    roster = Roster.read(arguments.roster) if arguments.roster else None
    root = arguments.exercises or EXERCISES
    sets = find_questions(arguments.names, root)
    unknown = [name for name in arguments.names if not any(name in (found.chapter, found.id) for found in sets)]
    if unknown or not sets:
        there = ", ".join(found.chapter for found in find_questions((), root)) or "none"
        raise CourseProblem(f"no questions for {', '.join(unknown) or root}; chapters with questions: {there}")
    handins, out = find_handins(Path(arguments.handins), roster and roster.student), Path(arguments.out)
    try:
        done = collect(handins, sets, Log(arguments.log), out, roster)
    except OSError as error:
        raise CourseProblem(f"--out {out}: {error.strerror}") from error
    for student, why in done.looks:
        print(f"look at {student!r}: {printable(why)}")
    print(
        f"{_number(done.students, 'student')}; choices and numbers are in {arguments.log}; "
        f"{_number(done.to_mark, 'answer')} to mark by hand"
    )
    log = "" if arguments.log == "results.jsonl" else f" --log {arguments.log}"
    if done.to_mark:
        print(f"next: enter points in {out / TABLE}, by {out / GUIDE}; then")
        print(f"      tinycompress course questions merge {out / TABLE} --who YOU{log}")
    return LOOK if done.looks or left_out(Path(arguments.handins)) else DONE


def _merge(arguments) -> int:
    from ..course.questions.marking import KEY, merge
    from ..course.staff.log import Log
    from ..course.staff.tables import printable
    from ..course.system import require_grader

    require_grader(True)
    table = Path(arguments.table)
    key = Path(arguments.key) if arguments.key else table.with_name(KEY)
    done = merge(table, key, Log(arguments.log), arguments.who)
    for line in done.changed:
        print(f"changed: {line}")
    for line in done.stale:
        print(f"not applied: {printable(line)}", file=sys.stderr)
    print(f"{done.marked} marks added to {arguments.log}; {done.open} answers have no points in this table")
    return LOOK if done.stale else DONE
