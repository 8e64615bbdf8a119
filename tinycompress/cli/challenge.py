"""The command `tinycompress challenge …`: the best net that fits, judged by a number."""

import argparse
import sys
from datetime import datetime
from pathlib import Path

DONE, REFUSED = 0, 1
BASELINE = "lecture: "

_CHALLENGE = """\
Make the best net that fits, judged by a number. A hand-in is one .tcz file; nothing of it is executed.

the lecturer   new, baselines               two folders: one for the students, one that the staff keep
the student    check                        in the students' folder, after `python start.py`
the staff      submit, rank, export         in the staff's folder, or with --folder

Half of the test images are secret and decide the ranking. Anyone can download those of digits, MNIST, Fashion-MNIST
and CIFAR-10, but not images of your own (--data mine.npz).
"""

_EXAMPLES = """\
examples:
  tinycompress challenge new small --measure accuracy --data mnist     writes small/students and small/staff
  tinycompress challenge baselines --folder small/staff                 the lecture's own, within minutes
  tinycompress challenge check net.tcz                                  what a file is worth on the public images
  tinycompress challenge submit net.tcz --student eve --folder small/staff
  tinycompress challenge submit hand_ins --folder small/staff           a folder with <student>.tcz, or <student>/*.tcz
  tinycompress challenge rank --roster roster.csv --folder small/staff  ids, extensions and late days as in `course grade`
  tinycompress challenge export page --half public --out page.html --folder small/staff

exit codes: 0 done; 1 a hand-in was refused; 2 bad arguments.
"""


def add_commands(commands, form) -> None:
    """Add `challenge` and its own subcommands to a parser's subcommands."""
    challenge = commands.add_parser(
        "challenge", help="the best net that fits", description=_CHALLENGE, epilog=_EXAMPLES, formatter_class=form
    )
    parts = challenge.add_subparsers(dest="PART", title="commands", required=True)

    def part(name, command, help):
        parser = parts.add_parser(name, help=help, description=help, formatter_class=form)
        parser.set_defaults(command=command, parser=parser)
        return parser

    new = part("new", _new, "write a new challenge: a folder for the students and one for the staff")
    new.add_argument("out", metavar="DIR", help="a new folder")
    new.add_argument(
        "--measure",
        choices=("accuracy", "bytes", "multiplications"),
        default="accuracy",
        help="the highest accuracy (default), the fewest bytes or the fewest multiplications",
    )
    new.add_argument("--data", metavar="NAME|FILE", default="digits", help="digits (default), mnist, …, or an .npz")
    new.add_argument("--rules", metavar="FILE", help="your own challenge.toml, instead of the one for --measure")

    baselines = part("baselines", _baselines, "train the lecture's own hand-ins; the same command resumes")
    baselines.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random numbers; default: 0")
    check = part("check", _check, "tell what a file is worth on the public images, and whether it is a valid hand-in")
    check.add_argument("file", metavar="FILE", help="a .tcz file")
    submit = part("submit", _submit, "log and judge hand-ins; whatever an interruption left is judged, too")
    submit.add_argument(
        "files", nargs="*", metavar="FILE", help=".tcz files, or folders of <student>.tcz or <student>/"
    )
    submit.add_argument("--student", metavar="NAME", help="whose files these are; default: the names in the folder")
    submit.add_argument("--received", type=_time, metavar="TIME", help="such as 2027-01-31T22:10; default: now")
    rank = part("rank", _rank, "print the ranking")
    rank.add_argument("--json", action="store_true", help="as JSON")
    export = part("export", _export, "write the ranking as a page (HTML) or as a table (CSV)")
    export.add_argument("form", choices=("page", "csv"))
    export.add_argument("--out", metavar="FILE", required=True, help="the file to write")
    export.add_argument("--anonymous", action="store_true", help="number the students on the page")
    for parser in rank, export:
        parser.add_argument(
            "--half",
            choices=("secret", "public"),
            default="secret",
            help="the images that decide; default: secret. public, while the challenge runs, tells nothing about the others",
        )
        parser.add_argument(
            "--roster", metavar="FILE", help="the students' ids, groups, extensions and late days, as in `course grade`"
        )
    for parser in baselines, check, submit, rank, export:
        parser.add_argument("--folder", metavar="DIR", default=".", help="the challenge's folder; default: this one")


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a date and time, such as 2027-01-31T22:10; got {text!r}") from None


def _new(arguments) -> int:
    from ..challenge.folders import new
    from ..course.exercise import CourseProblem

    try:
        rules = Path(arguments.rules).read_text(encoding="utf-8") if arguments.rules else None
    except (OSError, UnicodeDecodeError) as error:
        raise CourseProblem(f"--rules {arguments.rules}: {error}") from error
    students, staff = new(Path(arguments.out), arguments.measure, arguments.data, rules)
    print(f"{students}: give it to the students; it ends with a first valid hand-in after `python start.py`")
    print(f"{staff}: keep it; it has the secret images. Edit its challenge.toml, and copy that to the students")
    print(f"next: tinycompress challenge baselines --folder {staff}")
    return DONE


def _baselines(arguments) -> int:
    from ..challenge.baselines import baselines, names
    from ..challenge.board import Board
    from ..course.system import require_grader

    require_grader()
    board = Board(arguments.folder)
    with board.log.lock():
        _catch_up(board)
        done = {e.student.removeprefix(BASELINE) for e in board.entries() if e.baseline}
        print(f"{len(names())} baselines, {len(done)} of them done", flush=True)
        for name, data in baselines(board.folder, board.rules, arguments.seed, done):
            board.receive(BASELINE + name, data, datetime.now().astimezone(), baseline=True)
            _catch_up(board)
    return DONE


def _check(arguments) -> int:
    from ..challenge.images import public_half
    from ..challenge.judge import Refused, judge, read_hand_in
    from ..challenge.ranking import why_not
    from ..challenge.rules import read_rules

    folder = Path(arguments.folder)
    rules, (half, num_classes) = read_rules(folder), public_half(folder)
    try:
        data = read_hand_in(arguments.file)
        answer = judge(data, half.x, num_classes, rules)
    except Refused as why:
        print(f"{arguments.file}: not a valid hand-in: {why}", file=sys.stderr)
        return REFUSED
    entry = _alone(data, answer, half)
    print(f"{arguments.file}: {_told(entry, 'public')}")
    if problem := why_not(entry, rules, "public"):
        print(f"{arguments.file}: not a valid hand-in: {problem}", file=sys.stderr)
        return REFUSED
    print("a valid hand-in. The secret half of the images decides the ranking")
    return DONE


def _alone(data, answer, half):
    """A hand-in that is not in any log, judged on the public half."""
    from ..challenge.board import Entry

    right, work = {"public": answer.classes == half.y}, {"public": answer.work}
    return Entry(0, "", datetime.now().astimezone(), "", len(data), True, "", right, work, answer.weights)


def _submit(arguments) -> int:
    from ..challenge.board import Board
    from ..challenge.judge import Refused, read_hand_in
    from ..course.exercise import CourseProblem
    from ..course.system import require_grader

    require_grader()
    board = Board(arguments.folder)
    found = [pair for name in arguments.files for pair in _hand_ins(Path(name), arguments.student)]
    if arguments.files and not found:
        raise CourseProblem(f"{', '.join(arguments.files)}: no .tcz file is there")
    refused = 0
    with board.log.lock():
        refused += _catch_up(board)
        for student, path in found:
            try:
                board.receive(student, read_hand_in(path), arguments.received or datetime.now().astimezone())
            except Refused as why:
                refused += 1
                print(f"{path}: refused: {why}", file=sys.stderr)
                continue
            refused += _catch_up(board)
    return REFUSED if refused else DONE


def _hand_ins(path: Path, student: str | None) -> list[tuple[str, Path]]:
    """(student, file) of a file, or of all .tcz files in a folder: <student>.tcz, and those in <student>/, oldest first."""
    from ..course.exercise import CourseProblem

    if not path.is_dir():
        if student is None:
            raise CourseProblem(f"{path}: whose file is it? Give --student NAME, or a folder of <student>.tcz")
        return [(student, path)]

    def files(folder):
        found = [file for file in folder.iterdir() if not file.is_dir()]
        for file in found:
            if file.suffix.lower() != ".tcz" and not file.name.startswith("."):
                print(f"left out: {str(file)!a} is not a .tcz file", file=sys.stderr)
        return sorted((f for f in found if f.suffix.lower() == ".tcz"), key=lambda f: (f.lstat().st_mtime, f.name))

    inner = [(folder.name, file) for folder in sorted(path.iterdir()) if folder.is_dir() for file in files(folder)]
    return [(student or name, file) for name, file in [*((file.stem, file) for file in files(path)), *inner]]


def _catch_up(board) -> int:
    """Judge what waits, print a line for each, and return how many were refused."""
    from ..challenge.ranking import why_not

    refused = 0
    for entry in board.catch_up():
        problem = entry.refused if entry.baseline else why_not(entry, board.rules, "public")
        refused += bool(problem)
        line = f"hand-in {entry.number}, {entry.student!a}: "
        line += f"does not count: {ascii(problem)[1:-1]}" if problem else _told(entry, "public")
        print(line, flush=True)
    return refused


def _told(entry, half: str) -> str:
    return (
        f"{entry.nbytes:,} bytes, {entry.work[half].mean():,.0f} multiplications, "
        f"{100 * entry.accuracy(half):.2f} % of the {half} images right"
    )


def _rank(arguments) -> int:
    from ..challenge.board import Board
    from ..challenge.export import as_plain
    from ..challenge.ranking import copies, ranking, without_place
    from ..text import aligned
    from .claims import print_json

    board = Board(arguments.folder)
    rules, (entries, missing) = board.rules, _by_roster(board, arguments.roster)
    if arguments.json:
        print_json(as_plain(entries, rules, arguments.half, missing))
        return DONE
    rows = [("rank", "student", rules.measure, "interval", "points", "remarks")]
    for place in ranking(entries, rules, arguments.half):
        low, high = map(rules.amount, place.interval)
        points = "" if place.points is None else f"{place.points:g}"
        rank, interval = str(place.rank or "-"), "" if low == high else f"{low} to {high}"
        name = ascii(place.entry.student)[1:-1]
        rows.append((rank, name, rules.amount(place.value), interval, points, "; ".join(place.remarks)))
    print("\n".join(aligned(rows)) if len(rows) > 1 else "no hand-in counts yet")
    for student, why in without_place(entries, rules, arguments.half).items():
        print(f"no rank: {student!a}: {ascii(why)[1:-1]}")
    for student in missing:
        print(f"no rank: {student!a}: nothing was handed in")
    by_number = {entry.number: entry.student for entry in entries}
    for copy, original in copies(entries).items():
        print(f"look at hand-in {copy}, {by_number[copy]!a}: the file of hand-in {original}, {by_number[original]!a}")
    return DONE


def _by_roster(board, path: str | None):
    """The hand-ins, by the roster if one is given, and who of it has handed in nothing."""
    from ..challenge.ranking import by_roster, not_in
    from ..course.staff.roster import Roster

    entries = board.entries()
    if path is None:
        return entries, []
    roster = Roster.read(path)
    entries = by_roster(entries, roster, board.rules)
    missing, unknown = not_in(entries, roster)
    for name in unknown:
        print(f"look at {name!a}: {roster.which(name) or 'not in the roster'}", file=sys.stderr)
    return entries, missing


def _export(arguments) -> int:
    from ..challenge.board import Board
    from ..challenge.export import as_csv
    from ..challenge.page import page
    from ..course.exercise import CourseProblem
    from ..files import replace_file

    board = Board(arguments.folder)
    rules, (entries, missing) = board.rules, _by_roster(board, arguments.roster)
    text = as_csv(entries, rules, arguments.half, missing)
    if arguments.form == "page":
        text = page(entries, rules, arguments.half, arguments.anonymous)
    try:
        replace_file(arguments.out, text)
    except OSError as error:
        raise CourseProblem(f"--out {arguments.out}: {error.strerror}") from error
    print(f"{arguments.out}: {len(entries)} hand-ins, ranked by the {arguments.half} images")
    return DONE
