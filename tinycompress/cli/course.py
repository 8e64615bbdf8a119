"""The command `tinycompress course …`: exercises for the lecturer, the students, and those who grade."""

import sys
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from . import course_containers, course_questions

DONE, FAULTY, LOOK = 0, 1, 3
MOST_LOOKS = 20  # how many hand-ins to look at `grade` lists

_COURSE = """\
Exercises that students solve in plain .py files and pytest grades.

the lecturer   list, check, release              python -c "import tinycompress.course as c; help(c)" explains how to write one
the student    test, mine, pack            in the folder that release wrote
the staff      grade, questions, correct, export, identical, doctor; grade-one, container (in Gradescope, PrairieLearn or CI)
"""

_GRADE = """\
Grade hand-ins: a folder with one entry per student, `<student>/`, `<student>.zip` or `<student>.tar.gz`, or what Moodle,
Canvas or GitHub Classroom let you download. Exercises are found wherever they lie in a hand-in.

Hand-ins run in a sandbox (`course doctor`), one exercise of one student at a time, on all cores. Results are added to
--log as they come. However a run ends, the same command resumes it: work that is already graded, with the same tests, is
not graded again.
"""

_ROSTER = "name, email, group, extension, late_days, handed_in, moodle, canvas, gradescope, github"
_GRADE_EXAMPLES = """\
examples:
  tinycompress course grade submissions pruning --seed 2027-b
  tinycompress course export csv --out marks.csv
  tinycompress course correct eve pruning/n_of_m 8.5 --who kim --why "the statement was unclear"

exit codes: 0 everything is graded; 2 bad arguments, or no sandbox; 3 a person must look: at a grader_error, at a hand-in
with nothing usable in it or with several files of which none surely counts, or at what lies there and is no hand-in.
"""


def add_commands(commands, form) -> None:
    """Add `course` and its own subcommands to a parser's subcommands."""
    course = commands.add_parser(
        "course", help="exercises and their grading", description=_COURSE, formatter_class=form
    )
    parts = course.add_subparsers(dest="PART", title="commands", required=True)

    def part(name, command, help, description=None, epilog=None):
        description = description or help.replace("%%", "%")
        parser = parts.add_parser(name, help=help, description=description, epilog=epilog, formatter_class=form)
        parser.set_defaults(command=command, parser=parser)
        return parser

    listing = part("list", _list, "list the exercises, with what each is about and worth")
    listing.add_argument("--json", action="store_true", help="as JSON")
    check = part("check", _check, "check that exercises are fit for release: solution 100 %%, stub 0, …")
    check.add_argument("--quick", action="store_true", help="without mutants, which take up to a minute per exercise")
    release = part("release", _release, "write the students' folder")
    release.add_argument("--out", metavar="DIR", required=True, help="a new folder")
    test = part("test", _test, "run the public checks of a students' folder, as pytest does there")
    packing = part("pack", _pack, "pack the exercises of a students' folder into a .zip to hand in")
    packing.add_argument("--out", metavar="FILE", default="handin.zip", help="default: handin.zip")
    mine = course_questions.add_commands(part)
    for parser in test, packing, mine:
        parser.add_argument("--folder", metavar="DIR", default=".", help="the students' folder; default: this one")

    identical = part("identical", _identical, "list hand-ins that are the same, also if names were changed, to look at")
    identical.add_argument("handins", metavar="FOLDER", help="as for grade")
    grade, others = _add_grade(part), [identical, *course_containers.add_commands(part)]
    for parser in listing, check, release, test, grade, *others:
        parser.add_argument("names", nargs="*", metavar="NAME", help="chapters or exercises; default: all")
    for parser in listing, check, release, grade, *others:
        parser.add_argument("--exercises", metavar="DIR", help="your own folder of exercises; default: the lecture's")

    correct = part("correct", _correct, "change the points of a hand-in, with who and why; nothing is overwritten")
    correct.add_argument("student", metavar="STUDENT")
    correct.add_argument("exercise", metavar="EXERCISE", help="such as pruning/n_of_m")
    correct.add_argument("points", type=float, metavar="POINTS")
    correct.add_argument("--who", required=True, help="who decided it")
    correct.add_argument("--why", required=True, help="the reason, which students can read")

    export = part("export", _export, "write the gradebook for other systems, and feedback pages")
    _add_export(export)
    for parser in grade, export, identical:
        parser.add_argument("--roster", metavar="FILE", help="a CSV of the students; only `id` is required: " + _ROSTER)
    for parser in grade, correct, export:
        parser.add_argument("--log", metavar="FILE", default="results.jsonl", help="default: results.jsonl")

    doctor = part("doctor", _doctor, "show whether this machine can grade untrusted code, and with what limits")
    doctor.add_argument("handins", nargs="?", metavar="FOLDER", help="a folder of hand-ins that must stay secret")
    doctor.add_argument("--exercises", metavar="DIR", help="your own folder of exercises; default: the lecture's")
    doctor.add_argument("--log", metavar="FILE", default="results.jsonl", help="default: results.jsonl")
    doctor.set_defaults(names=[])


def _add_grade(part):
    grade = part("grade", _grade, "grade hand-ins", _GRADE, _GRADE_EXAMPLES)
    grade.add_argument("handins", metavar="FOLDER", help="a folder with a folder or archive per student")
    grade.add_argument(
        "--seed", metavar="TEXT", help="seed of the hidden tests' inputs; keep it secret. Default: a public one"
    )
    grade.add_argument("--per-student", action="store_true", help="different inputs for each student")
    grade.add_argument(
        "--workers", type=int, metavar="N", help="processes; default: the number of cores. 1: this process"
    )
    grade.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="grade on a Dask cluster, such as tcp://host:8786; each worker needs a sandbox, and the exercises at the same path",
    )
    grade.add_argument("--trust", action="store_true", help="no sandbox: only for code from people you trust")
    return grade


def _add_export(export):
    export.add_argument("form", choices=("csv", "moodle", "canvas", "gradescope", "prairielearn", "junit", "feedback"))
    export.add_argument(
        "--out",
        metavar="PATH",
        required=True,
        help="a folder for gradescope, prairielearn and feedback, otherwise a file",
    )
    export.add_argument(
        "--due", metavar="TIME", help="when work is due, such as 2027-01-15 (its end) or 2027-01-15T18:00"
    )
    export.add_argument(
        "--late", metavar="PERCENT", type=float, default=0.0, help="of the points, taken off per day late; default: 0"
    )
    export.add_argument("--late-limit", metavar="DAYS", type=int, help="later than that, all points are taken off")
    export.add_argument(
        "--file-times",
        action="store_true",
        help="take the files' times for those of the hand-ins; copying changes them",
    )
    export.add_argument(
        "--spreadsheet", action="store_true", help="csv: with a byte order mark, and ids such as 007 that stay text"
    )
    export.add_argument(
        "--assignment", metavar="TITLE", default="tinycompress", help='canvas: the heading, such as "Exercise 1 (123)"'
    )


def _number(count: int, noun: str) -> str:
    """Such as "1 file", "2 files"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _chosen(arguments):
    from ..course.exercise import EXERCISES, CourseProblem, find_exercises

    names = [name for name in arguments.names if not name.endswith("/questions")]
    if arguments.names and not names and arguments.command not in (_release, _list, _check):
        raise CourseProblem(
            f"{', '.join(arguments.names)}: questions are collected and marked by `tinycompress course questions`"
        )
    return find_exercises(names, arguments.exercises or EXERCISES) if names or not arguments.names else []


def _questions(arguments):
    from ..course.exercise import EXERCISES
    from ..course.questions.question import find_questions

    return find_questions(arguments.names, arguments.exercises or EXERCISES)


def _list(arguments) -> int:
    from ..text import aligned
    from .claims import print_json

    found = [
        {"id": e.id, "title": e.title(), "functions": e.functions(), "may_import": list(e.may_import())}
        for e in _chosen(arguments)
    ]
    found += [
        {"id": s.id, "title": s.title(), "functions": [], "may_import": [], "questions": [q.id for q in s.questions]}
        for s in _questions(arguments)
    ]
    if arguments.json:
        print_json(found)
    else:
        print("\n".join(aligned([(e["id"], e["title"]) for e in found])))
    return DONE


def _check(arguments) -> int:
    from ..course.check import check
    from ..course.run import require_pytest

    require_pytest()
    faulty = 0
    exercises = _chosen(arguments)
    for exercise in exercises:
        checked = check(exercise, mutants=not arguments.quick)
        faulty += bool(checked.faults)
        print(checked, flush=True)
    from ..course.questions.check import check_questions

    for found in _questions(arguments):
        faults = check_questions(found)
        faulty += bool(faults)
        print(
            "\n".join([f"{found.id}: {'FAULTY' if faults else 'good'}, {found.title()}", *(f"  {f}" for f in faults)])
        )
    print(f"{_number(len(exercises), 'exercise')}, {faulty or 'none'} faulty")
    return FAULTY if faulty else DONE


def _release(arguments) -> int:
    from ..course.author.release import release
    from ..course.exercise import CourseProblem

    exercises, sets = _chosen(arguments), _questions(arguments)
    try:
        files = release(exercises, Path(arguments.out), sets)
    except OSError as error:
        raise CourseProblem(f"--out {arguments.out}: {error.strerror}") from error
    count = _number(len(files), "file")
    print(f"{arguments.out}: {count} for the students, without any solution or hidden test")
    for question in (question for found in sets for question in found.questions if question.own):
        if question.own.exercise.id not in [exercise.id for exercise in exercises]:
            missing = question.own.exercise.id
            print(f"{question.id} asks for functions of {missing}, which is not handed out with it", file=sys.stderr)
    return DONE


def _test(arguments) -> int:
    import subprocess

    from ..course.collect import released_exercises, tests_of
    from ..course.run import require_pytest

    require_pytest()
    folder = Path(arguments.folder)
    tests = tests_of(released_exercises(folder), arguments.names)
    return subprocess.run([sys.executable, "-m", "pytest", *(str(folder / test) for test in tests)]).returncode


def _pack(arguments) -> int:
    from ..course.collect import ANSWERS, manifest_of, pack, state
    from ..course.questions.answers import answered

    manifest = manifest_of(Path(arguments.folder))
    exercises, questions = manifest["exercises"], manifest.get("questions")
    packed = pack(Path(arguments.folder), list(exercises), Path(arguments.out))
    states = {f"{name}.py": state(packed.get(f"{name}.py"), found.get("stub")) for name, found in exercises.items()}
    states |= {ANSWERS: answered(packed.get(ANSWERS), questions)} if questions else {}
    for name, how_far in states.items():
        print(f"  {name}: {how_far}")
    unfinished = sum(how_far != "written" for how_far in states.values())
    print(f"{arguments.out}: {_number(len(packed), 'file')}; hand it in")
    if unfinished:
        print(f"{_number(unfinished, 'file')} not finished; you can go on and pack again", file=sys.stderr)
    return DONE


def _grade(arguments) -> int:
    from tqdm.auto import tqdm

    from ..course.collect import find_handins, left_out
    from ..course.exercise import CourseProblem
    from ..course.run import require_pytest
    from ..course.sandbox import Level, level
    from ..course.staff import grade
    from ..course.staff.gradebook import Gradebook
    from ..course.staff.log import Log
    from ..course.staff.roster import Roster
    from ..course.staff.tables import printable
    from ..course.system import require_grader

    require_pytest()
    require_grader(arguments.trust)
    if arguments.workers is not None and arguments.workers < 1:
        raise CourseProblem(f"--workers must be 1 or more; got {arguments.workers}")
    roster = Roster.read(arguments.roster) if arguments.roster else None
    handins, exercises = find_handins(Path(arguments.handins), roster and roster.student), _chosen(arguments)
    others = left_out(Path(arguments.handins))
    found = Level("none", "no sandbox, since you trust these students") if arguments.trust else level()
    if found.name == "none" and not arguments.trust:
        raise CourseProblem(f"untrusted code needs a sandbox, and this machine has none: {found.detail}")
    print(f"sandbox: {found.name} ({found.detail})", flush=True)
    if not arguments.seed:
        print("seed: public, so anyone can generate the hidden inputs; give --seed for real marks", file=sys.stderr)
    tasks = grade.make_tasks(
        handins, exercises, arguments.seed or "public", arguments.per_student, found.name, arguments.log
    )
    with tqdm(total=len(tasks), unit="exercise", disable=None) as bar:
        count = grade.grade(
            tasks, Log(arguments.log), lambda: _executor(arguments), lambda record: bar.update(), others
        )
    book = Gradebook(arguments.log)
    sizes = f"{_number(len(handins), 'student')}, {_number(len(exercises), 'exercise')}"
    print(f"{sizes}: {_number(count, 'result')} added to {arguments.log}")
    faulty = _print_faults(book)
    graded = {handin.student for handin in handins}, {exercise.id for exercise in exercises}
    unknown = _unknown(roster, handins) if roster else []
    looks = [*unknown, *book.to_look_at(*graded)]
    for student, why in looks[:MOST_LOOKS]:
        print(f"look at {student!r}: {printable(why)}")
    if len(looks) > MOST_LOOKS:
        print(f"and at {len(looks) - MOST_LOOKS} more")
    if roster:
        _print_missing(roster, graded[0])
    log = "" if arguments.log == "results.jsonl" else f" --log {arguments.log}"
    print(f"next: tinycompress course export csv --out marks.csv{log}")
    return LOOK if faulty or others or unknown or book.undecided(*graded) else DONE


def _print_faults(book) -> bool:
    """Say in which results something failed on our side; return whether there are any."""
    from ..course.staff.tables import printable

    faulty = [entry for entry in book.entries() if entry.status == "grader_error"]
    for entry in faulty:
        reasons = [entry.record["error"], *(r["staff"] for r in entry.record["results"])]
        reason = next((reason for reason in reasons if reason), "?").strip().splitlines()[-1]
        print(f"grader_error: {entry.student!r} in {entry.exercise}: {printable(reason)}", file=sys.stderr)
    return bool(faulty)


def _print_missing(roster, graded: set[str]) -> None:
    missing = [repr(person.id) for person in roster.people if person.id not in graded]
    names = f": {', '.join(missing[:MOST_LOOKS])}" + ", …" * (len(missing) > MOST_LOOKS) if missing else ""
    count = f"{len(missing)} of {_number(len(roster.people), 'student')}"
    print(f"{count} of the roster have no hand-in of their own{names}")


def _unknown(roster, handins) -> list[tuple[str, str]]:
    """(student, why) for each hand-in that is of nobody in the roster."""
    known = {name for person in roster.people for name in (person.id, person.group)}
    strangers = [handin for handin in handins if handin.student not in known]
    asked = [(handin.student, roster.which(handin.student, handin.numbers)) for handin in strangers]
    return [(student, f"is it {which}" if which else "not in the roster") for student, which in asked]


def _identical(arguments) -> int:
    from ..course.collect import find_handins
    from ..course.staff.identical import identical
    from ..course.staff.roster import Roster

    roster = Roster.read(arguments.roster) if arguments.roster else None
    handins = find_handins(Path(arguments.handins), roster and roster.student)
    found = identical(handins, _chosen(arguments))
    print("\n".join(map(str, found)) or f"no two of {_number(len(handins), 'hand-in')} are the same")
    return DONE


def _executor(arguments):
    """A context with processes on this machine, a Dask cluster, or None for this process."""
    from ..course.exercise import CourseProblem
    from ..kernels.runtime.threads import usable_cores
    from ..workshop.executors import ClusterProblem, dask_cluster, local_processes

    if not arguments.dask:
        return local_processes(arguments.workers or usable_cores())

    @contextmanager
    def cluster():
        try:
            with dask_cluster(arguments.dask) as executor:
                yield executor
        except ClusterProblem as error:
            raise CourseProblem(f"--dask {arguments.dask}: {error}") from error

    return cluster()


def _correct(arguments) -> int:
    from ..course.staff.gradebook import Gradebook
    from ..course.system import require_grader

    require_grader()
    book = Gradebook(arguments.log)
    entry = book.correct(arguments.student, arguments.exercise, arguments.points, arguments.who, arguments.why)
    before = entry.corrections[-1]["instead_of"]
    print(
        f"{entry.student!r}, {entry.exercise}: {entry.points:g} of {entry.most:g} points instead of "
        f"{'no points yet' if before is None else format(before, 'g')}; recorded in {book.corrections.path}"
    )
    return DONE


def _export(arguments) -> int:
    from ..course.exercise import CourseProblem
    from ..course.staff.export import ONE_FILE, export
    from ..course.staff.gradebook import Gradebook
    from ..course.staff.roster import LateRule, Roster, time_of
    from ..course.staff.tables import printable, rows, without_number
    from ..files import FULL

    if not 0 <= arguments.late <= 100:
        raise CourseProblem(f"--late is a percentage of the points per day, from 0 to 100; got {arguments.late:g}")
    due = time_of(arguments.due, "--due") if arguments.due else None
    if due is None and (arguments.late or arguments.late_limit is not None):
        raise CourseProblem("--late and --late-limit need --due: when is work due?")
    rule = LateRule(due, arguments.late, arguments.late_limit, arguments.file_times)
    grades = {"canvas": arguments.assignment, "moodle": "Grade"}.get(arguments.form, "")
    roster = Roster.read(arguments.roster, grades) if arguments.roster else None
    book = Gradebook(arguments.log)
    try:
        more = roster, rule, arguments.spreadsheet, arguments.assignment
        files = export(book, arguments.form, Path(arguments.out), *more)
    except OSError as error:
        if error.errno in FULL:
            raise
        kind = "a file" if arguments.form in ONE_FILE else "a folder"
        raise CourseProblem(f"--out {arguments.out}: {arguments.form} is {kind}: {error.strerror}") from error
    print(f"{arguments.out}: {_number(len(files), 'file')}")
    made = rows(book, roster, rule)
    kept = [row.person.id for row in made if not row.entries and roster and row.person.id in roster.graded]
    if kept:
        names = ", ".join(map(repr, kept))
        print(f"left out, since they handed in nothing, but have a grade in the roster: {names}", file=sys.stderr)
    unapplied = [e for e in book.entries() if e.unapplied]
    for entry in unapplied:
        print(f"correction of {entry.student!r} in {entry.exercise} {printable(entry.unapplied)}", file=sys.stderr)
    waiting = [row for row in made if row.total is None]
    if waiting:
        names = ", ".join(repr(row.person.id) for row in waiting)
        print(f"no total yet, since a person must look at them first: {names}", file=sys.stderr)
    for why, who in Counter(row.waits_for for row in waiting).most_common(MOST_LOOKS):
        print(f"  {_number(who, 'student')}: {printable(why)}", file=sys.stderr)
    unknown = without_number(arguments.form, made) if arguments.form in ("moodle", "canvas") else []
    if unknown:
        names = ", ".join(map(repr, unknown))
        print(
            f"left out, since neither roster nor download says their {arguments.form} number: {names}", file=sys.stderr
        )
    return LOOK if unapplied or waiting or unknown else DONE


def _doctor(arguments) -> int:
    from ..course.staff.doctor import report

    handins = None if arguments.handins is None else Path(arguments.handins)
    text, good = report(_chosen(arguments), handins, arguments.log)
    print(text)
    return DONE if good and find_spec("pytest") else FAULTY
