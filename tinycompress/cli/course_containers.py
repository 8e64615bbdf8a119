"""`tinycompress course grade-one` and `container`: grading where courses already are."""

import sys
from pathlib import Path

DONE, FAULTY = 0, 1

_ONE = """\
Grade one hand-in, a folder or a .zip, in a container that another system starts for it, and write its result.

Of a chapter's questions, choices and own numbers are marked. Written answers, and own numbers of whom nobody says who it is
(--student), wait for a person: they are in the result, and outside of the score.

Without user namespaces, as in most containers, the hand-in runs as another user, which root starts: no network, no
further processes, the same limits. The level is part of the result.
"""
_ONE_EXAMPLES = """\
example:
  tinycompress course grade-one submission pruning --results results.json --format gradescope --seed-file seed.txt

exit codes: 0 the result is written, whatever the points; 1 a person must look at it (grader_error): JUnit shows an error,
PrairieLearn a submission that is not gradable, and Gradescope gets no file, as from an autograder that failed; 2 bad
arguments, or no sandbox.
"""


def add_commands(part) -> list:
    """Add both to the parts of `course`, and return their parsers, which also take names and --exercises."""
    one = part("grade-one", _grade_one, "grade one hand-in inside a container", _ONE, _ONE_EXAMPLES)
    one.add_argument("submission", metavar="SUBMISSION", help="a folder or .zip")
    one.add_argument("--results", metavar="FILE", required=True, help="where to write the result")
    one.add_argument("--format", choices=("gradescope", "prairielearn", "junit"), required=True)
    one.add_argument(
        "--seed-file", metavar="FILE", help="a file with the seed of the hidden tests; default: a public one"
    )
    one.add_argument("--student", metavar="NAME", help="name in the result; default: Gradescope's, or the submission's")
    one.add_argument(
        "--metadata",
        metavar="FILE",
        help="gradescope: what it says of name and times; default: /autograder/submission_metadata.json, if it is there",
    )
    one.add_argument("--trust", action="store_true", help="no sandbox: only for code from people you trust")
    container = part("container", _container, "write what Gradescope or PrairieLearn need to run grade-one")
    container.add_argument("--for", dest="system", choices=("gradescope", "prairielearn"), required=True)
    container.add_argument("--out", metavar="FOLDER", required=True, help="a new folder")
    container.add_argument("--seed", metavar="TEXT", help="seed of the hidden tests; default: a new, secret one")
    container.add_argument(
        "--image", metavar="NAME", default="tinycompress-grader", help="PrairieLearn: the image's name"
    )
    for parser in one, container:
        parser.add_argument(
            "--late",
            metavar="PERCENT",
            type=float,
            default=0.0,
            help="gradescope: of the points, taken off per day after the student's due date there; default: 0",
        )
        parser.add_argument("--late-limit", metavar="DAYS", type=int, help="later than that, all points are taken off")
    return [one, container]


def _grade_one(arguments) -> int:
    from ..course.exercise import CourseProblem
    from ..course.run import require_pytest
    from ..course.sandbox import NONE, Level, level_of_one
    from ..course.staff.gradebook import UNMARKED
    from ..course.staff.one import check_secrets, grade_handin, write_result
    from ..course.system import require_grader
    from ..kernels.runtime.threads import usable_cores
    from ..workshop.executors import local_processes

    require_pytest()
    require_grader(arguments.trust)
    _check_late(arguments, arguments.format)
    submission, out, exercises = Path(arguments.submission), Path(arguments.results), _chosen(arguments)
    if not submission.exists():
        raise CourseProblem(f"{submission}: there is no such folder or .zip")
    seed_files = [Path(arguments.seed_file)] if arguments.seed_file else []
    try:
        seed = next((path.read_text(encoding="utf-8").strip() for path in seed_files), "") or "public"
        out.unlink(missing_ok=True)  # of an earlier run, should this one fail
    except OSError as error:
        raise CourseProblem(f"{error.filename}: {error.strerror}") from error
    level = Level(NONE, "no sandbox, since this code is trusted") if arguments.trust else level_of_one()
    if level.name == NONE and not arguments.trust:
        raise CourseProblem(f"untrusted code needs a sandbox, and here is none: {level.detail}")
    check_secrets(exercises, seed_files, level)
    sets = _questions(arguments)
    print(f"sandbox: {level.name} ({level.detail})", flush=True)
    submitted, late = _submitted(arguments)  # before the submission runs
    workers = max(1, min(usable_cores(), len(exercises)))
    student, executor = arguments.student or submitted.student, lambda: local_processes(workers)
    book = grade_handin(submission, student, exercises, seed, level, executor, sets, submitted.ids)
    complete = write_result(book, arguments.format, level, out, late)
    for entry in book.entries():
        waits = entry.waits if entry.status == UNMARKED else "grader_error"
        points = waits if entry.points is None else f"{entry.points:g} of {entry.most:g} points"
        print(f"{entry.exercise}: {points}")
        if entry.points is None:
            reasons = [entry.record["error"], *(result["staff"] for result in entry.record["results"])]
            print("\n".join(ascii(reason)[1:-1] for reason in reasons if reason), file=sys.stderr)
    return DONE if complete else FAULTY


def _check_late(arguments, system: str) -> None:
    from ..course.exercise import CourseProblem

    if not 0 <= arguments.late <= 100:
        raise CourseProblem(f"--late is a percentage of the points per day, from 0 to 100; got {arguments.late:g}")
    if (arguments.late or arguments.late_limit is not None) and system != "gradescope":
        raise CourseProblem(f"--late is for gradescope, which says when work is due; {system} subtracts by itself")


def _submitted(arguments):
    """What Gradescope says of the submission, and its lateness."""
    from ..course.staff.gradescope import METADATA, Submitted, read_metadata
    from ..course.staff.roster import IN_TIME
    from ..course.staff.tables import printable

    path = Path(arguments.metadata) if arguments.metadata else METADATA
    if arguments.format != "gradescope" or not (arguments.metadata or arguments.late or path.exists()):
        return Submitted(), IN_TIME
    submitted = read_metadata(path)
    late = submitted.lateness(arguments.late, arguments.late_limit)
    if submitted.problem:
        print(printable(f"{submitted.problem}; it counts as in time"), file=sys.stderr)
    elif late.why:
        print(late.why)
    return submitted, late


def _chosen(arguments):
    from ..course.exercise import EXERCISES, find_exercises

    names = [name for name in arguments.names if not name.endswith("/questions")]
    return find_exercises(names, arguments.exercises or EXERCISES) if names or not arguments.names else []


def _questions(arguments):
    from ..course.exercise import EXERCISES
    from ..course.questions.question import find_questions

    return find_questions(arguments.names, arguments.exercises or EXERCISES)


def _container(arguments) -> int:
    from ..course.author.container import write_container
    from ..course.exercise import CourseProblem

    _check_late(arguments, arguments.system)
    out, late = Path(arguments.out), (arguments.late, arguments.late_limit)
    try:
        asked = _chosen(arguments), arguments.system, out, arguments.seed, arguments.image, late, _questions(arguments)
        steps = write_container(*asked)
    except OSError as error:
        raise CourseProblem(f"--out {out}: {error.strerror}") from error
    print(f"{out}: for {arguments.system}; keep it secret, since it holds solutions, tests and the seed")
    for step in steps:
        print(f"next: {step}")
    return DONE
