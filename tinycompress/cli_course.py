"""The command `tinycompress course …`: exercises for the lecturer, the students, and those who grade."""

from pathlib import Path

DONE, FAULTY = 0, 1

_COURSE = """\
Exercises that students solve in plain .py files, and pytest grades.

the lecturer:   check, release          the student:  test, pack          the staff:  grade, correct, export, doctor

How to write an exercise: python -c "import tinycompress.course as c; help(c)"
"""


def add_commands(commands, form) -> None:
    """Add `course` and its own subcommands to a parser's subcommands."""
    course = commands.add_parser(
        "course", help="exercises and their grading", description=_COURSE, formatter_class=form
    )
    parts = course.add_subparsers(dest="PART", title="commands", required=True)

    def part(name, command, help, description=None):
        parser = parts.add_parser(name, help=help, description=description or help, formatter_class=form)
        parser.set_defaults(command=command, parser=parser)
        return parser

    check = part("check", _check, "see whether exercises are fit to be released: solution 100 %%, stub 0, …")
    release = part("release", _release, "write the students' folder")
    release.add_argument("--out", metavar="DIR", required=True, help="a new folder")
    test = part("test", _test, "run the public checks of a students' folder, as pytest there does")
    test.add_argument("--folder", metavar="DIR", default=".", help="the students' folder; default: this one")
    for parser in check, release:
        parser.add_argument("names", nargs="*", metavar="NAME", help="chapters or exercises; default: all")
        parser.add_argument("--exercises", metavar="DIR", help="your own folder of exercises; default: the lecture's")


def _chosen(arguments):
    from .course.exercise import EXERCISES, find_exercises

    return find_exercises(arguments.names, arguments.exercises or EXERCISES)


def _check(arguments) -> int:
    from .course.check import check

    faulty = 0
    exercises = _chosen(arguments)
    for exercise in exercises:
        checked = check(exercise)
        faulty += bool(checked.faults)
        print(checked, flush=True)
    print(f"{len(exercises)} exercises, {faulty or 'none'} faulty")
    return FAULTY if faulty else DONE


def _release(arguments) -> int:
    from .course.release import release

    files = release(_chosen(arguments), Path(arguments.out))
    print(f"{arguments.out}: {len(files)} files for the students; nothing of a solution or a hidden test is in them")
    return DONE


def _test(arguments) -> int:
    import subprocess
    import sys

    return subprocess.run([sys.executable, "-m", "pytest", arguments.folder]).returncode
