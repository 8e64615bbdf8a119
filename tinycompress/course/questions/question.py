"""Questions as files: find them, check them, and know what a student's own numbers are."""

import ast
import functools
import hashlib
import json
import math
import re
import string
import tomllib
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from ..exercise import EXERCISES, CourseProblem, Exercise, load_module

FILE, SUFFIX = "questions.toml", "/questions"
FIGURES = Path(__file__).parents[3] / "figures"  # of a clone; an installed package has none
LETTERS = string.ascii_lowercase
CLOSE = 2e-3  # relative; functions such as `calibrate` are exact to 0.1 %
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ALLOWED = {"id", "title", "points", "figure", "ask", "guide", "options"}


@dataclass(frozen=True)
class Option:
    """One option of a question; `why` is for the student who chose it."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """One question: `options` if it is to be chosen, `own` if it has numbers of the student's own, else it is written.

    id: such as "pruning/why_retrain"; figure: the file, or the name of a figure that is not there.
    """

    id: str
    title: str
    points: float
    ask: str
    guide: str = ""
    figure: Path | str = ""
    options: tuple[Option, ...] = ()
    own: "OwnTask | None" = None

    @property
    def worth(self) -> str:
        return f"{self.points:g} point" + "s" * (self.points != 1)

    @property
    def written(self) -> bool:
        return not self.options and self.own is None

    @property
    def hash(self) -> str:
        """Of what an answer depends on; a mark holds as long as it stays the same."""
        options = [[option.text, option.right] for option in self.options]
        own = hashlib.sha256(self.own.source).hexdigest() if self.own else ""
        return hashlib.sha256(json.dumps([self.id, self.points, self.ask, options, own]).encode()).hexdigest()


@dataclass(frozen=True)
class OwnTask:
    """The numbers of a task that differ between students, and the answer to them."""

    id: str
    numbers: dict
    path: Path
    exercise: Exercise

    @property
    def source(self) -> bytes:
        return self.path.read_bytes() + self.exercise.solution.read_bytes()

    def of(self, student: str) -> dict:
        return numbers_of(student, self.id, self.numbers)

    def right(self, student: str) -> float | int:
        """The answer to this student's numbers. Raises CourseProblem if it cannot be computed."""
        return _answer(self.path, self.exercise, json.dumps(self.of(student)))


@functools.lru_cache(maxsize=10_000)
def _answer(path: Path, exercise: Exercise, numbers: str) -> float | int:
    given = json.loads(numbers)
    try:
        value = _module(path).answer(_module(exercise.solution), **given)
    except Exception as error:  # whatever an author's function may raise
        raise CourseProblem(f"{path.name}: answer fails for {given}: {type(error).__name__}: {error}") from error
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CourseProblem(f"{path.name}: answer should return one finite number, and returned {value!r} for {given}")
    return value


@functools.lru_cache(maxsize=100)
def _module(path: Path):
    return load_module(path)


def numbers_of(student: str, task: str, numbers: dict) -> dict:
    """The student's own numbers: for each name one of the numbers given, by a hash of student, task and name.

    Upper and lower case, and spaces around and between words, do not matter in a student's id.
    """

    def pick(name, values):
        digest = hashlib.sha256("\0".join([plain_id(student), task, name]).encode("utf-8", "surrogatepass")).digest()
        return values[int.from_bytes(digest[:8], "big") % len(values)]

    return {name: pick(name, values) for name, values in numbers.items()}


def plain_id(student: str) -> str:
    """A student's id without what does not matter in it."""
    return " ".join(unicodedata.normalize("NFC", student).casefold().split())


def is_right(given: float, expected: float | int) -> bool:
    """Whole numbers must be exact, others right to three significant digits or so (CLOSE)."""
    if isinstance(expected, int):
        return given == expected
    return math.isclose(given, expected, rel_tol=CLOSE, abs_tol=1e-9)


@dataclass(frozen=True)
class QuestionSet:
    """The questions of a chapter, `<chapter>/questions` in the gradebook."""

    chapter: str
    questions: tuple[Question, ...]
    folder: Path = EXERCISES

    @property
    def id(self) -> str:
        return self.chapter + SUFFIX

    @property
    def points(self) -> float:
        return sum(question.points for question in self.questions)

    @property
    def hash(self) -> str:
        return hashlib.sha256("".join(question.hash for question in self.questions).encode()).hexdigest()

    def title(self) -> str:
        return f"{len(self.questions)} questions ({self.points:g} points)"


def find_questions(names=(), root: Path | str = EXERCISES) -> list[QuestionSet]:
    """The questions of these chapters ("pruning" or "pruning/questions"; without names, of all that have some).

    Raises CourseProblem for a file that is not as it should be.
    """
    root = Path(root).absolute()
    chapters = sorted({path.parent for path in [*root.glob(f"*/{FILE}"), *root.glob("*/own_*.py")]})
    wanted = [folder for folder in chapters if not names or {folder.name, folder.name + SUFFIX} & set(names)]
    for name in names:
        if name.endswith(SUFFIX) and name.removesuffix(SUFFIX) not in [folder.name for folder in chapters]:
            raise CourseProblem(f"no questions are called {name!r}; there are {[f.name + SUFFIX for f in chapters]}")
    return [_read(folder) for folder in wanted]


def _read(folder: Path) -> QuestionSet:
    path, found = folder / FILE, []
    if path.is_file():
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise CourseProblem(f"{path}: {error}") from error
        entries = given.get("question", [])
        if set(given) - {"question"} or not isinstance(entries, list) or not entries:
            raise CourseProblem(f"{path} should hold [[question]] entries and nothing else; got {', '.join(given)}")
        found = [_question(entry, folder, f"{path}, question {i}") for i, entry in enumerate(entries, 1)]
    found += [_own(path) for path in sorted(folder.glob("own_*.py"))]
    ids = [question.id for question in found]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise CourseProblem(f"{path}: several questions are called {twice.pop()!r}")
    return QuestionSet(folder.name, tuple(found), folder)


def _question(given: dict, folder: Path, place: str) -> Question:
    def need(good, what):
        if not good:
            raise CourseProblem(f"{place}: {what}")

    need(isinstance(given, dict) and not set(given) - _ALLOWED, f"it has {', '.join(sorted(_ALLOWED))}, nothing else")
    need(_NAME.fullmatch(str(given.get("id"))), "id = a name of lowercase letters, digits and underscores")
    points = given.get("points")
    good = isinstance(points, int | float) and not isinstance(points, bool) and 0 < points < math.inf
    need(good, "points = a number above 0")
    texts = [given.get(name) for name in ("title", "ask")]
    need(all(isinstance(text, str) and text.strip() for text in texts), "title and ask are texts")
    guide, options = given.get("guide", ""), given.get("options", [])
    need(bool(guide) != bool(options), "give either a guide, for marking by hand, or options")
    for option in options:
        known = isinstance(option, dict) and not set(option) - {"text", "why", "right"}
        need(
            known and option.get("text") and option.get("why"),
            "each option has text, why, and one of them right = true",
        )
    need(not options or sum(bool(option.get("right")) for option in options) == 1, "exactly one option is right")
    need(len(options) != 1, "one option alone is no choice")
    figure = given.get("figure", "")
    return Question(
        f"{folder.name}/{given['id']}",
        *(given["title"].strip(), float(points), given["ask"].strip(), guide.strip()),
        _figure(figure, folder) if figure else "",
        tuple(Option(**option) for option in options),
    )


def _figure(name: str, folder: Path) -> Path | str:
    return next((place / name for place in (folder, FIGURES) if (place / name).is_file()), name)


def _own(path: Path) -> Question:
    name = path.stem.removeprefix("own_")
    exercise = Exercise(path.parent.name, name, path.parent)
    if not exercise.solution.is_file():
        raise CourseProblem(f"{path.name} exists, but not the exercise {name}.py beside it")
    module = _module(path)
    numbers = getattr(module, "NUMBERS", None)
    if not (isinstance(numbers, dict) and numbers and all(len(values) > 1 for values in numbers.values())):
        raise CourseProblem(f"{path.name}: NUMBERS is a dict of names, each with several numbers to choose from")
    if not callable(getattr(module, "answer", None)) or not getattr(module, "POINTS", 0) > 0:
        raise CourseProblem(f"{path.name} needs a function `answer` and POINTS above 0")
    title, _, ask = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")
    task = OwnTask(f"{path.parent.name}/{path.stem}", numbers, path, exercise)
    try:
        ask.format(**task.of("a student"))
    except (KeyError, IndexError, ValueError) as error:
        raise CourseProblem(f"{path.name}: its docstring names a number that NUMBERS lacks: {error}") from error
    if not title.strip() or not ask.strip():
        raise CourseProblem(f"{path.name} begins with a docstring: a title, an empty line, and the task")
    return Question(task.id, title.strip().rstrip("."), float(module.POINTS), ask.strip(), own=task)
