"""Exercises as files: find them, load them, and strip their solutions."""

import ast
import hashlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path

EXERCISES = Path(__file__).parent / "exercises"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
INSTEAD = "### STUDENTS GET"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class CourseProblem(Exception):
    """Something that the author or grader should fix; the message says how."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: `<chapter>/<name>.py` and the files beside it. Optional files that do not exist are None."""

    chapter: str
    name: str
    folder: Path

    @property
    def id(self) -> str:
        return f"{self.chapter}/{self.name}"

    @property
    def solution(self) -> Path:
        """The exercise's file, with the solution between markers."""
        return self.folder / f"{self.name}.py"

    @property
    def tests(self) -> Path:
        return self.folder / f"test_{self.name}.py"

    @property
    def wrong(self) -> Path | None:
        return _there(self.folder / f"wrong_{self.name}.py")

    @property
    def show(self) -> Path | None:
        return _there(self.folder / f"show_{self.name}.py")

    def stub(self) -> str:
        """The exercise without its solution, as students get it."""
        return strip_solution(self.solution.read_text(encoding="utf-8"), self.solution.name)

    def functions(self) -> list[str]:
        """The exercise's public functions, which students write and tests call."""
        return public_functions(self.solution.read_text(encoding="utf-8"))

    def may_import(self) -> tuple[str, ...]:
        """The parts of tinycompress that a submission may import: MAY_IMPORT of the test file; default ("engine",)."""
        for node in ast.parse(self.tests.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["MAY_IMPORT"]:
                return tuple(ast.literal_eval(node.value))
        return ("engine",)

    def title(self) -> str:
        """The first line of its docstring: what it is about, the minutes it takes and the points it is worth."""
        text = ast.get_docstring(ast.parse(self.solution.read_text(encoding="utf-8"))) or self.name
        return text.splitlines()[0].rstrip(".")

    def tests_hash(self) -> str:
        """SHA-256 of the solution and the tests, on which a mark depends besides the submission."""
        digest = hashlib.sha256()
        for path in (self.solution, self.tests):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def find_exercises(names=(), root: Path | str = EXERCISES) -> list[Exercise]:
    """The exercises with these names ("pruning", "pruning/n_of_m", or "n_of_m"), sorted by id; without names, all.

    Raises CourseProblem if there are none, a name is unknown, or a file belongs to no exercise.
    """
    root = Path(root).absolute()  # tests run with other current folders, and are recognised by their path
    found = []
    for tests in sorted(root.glob("*/test_*.py")):
        name = tests.stem.removeprefix("test_")
        exercise = Exercise(tests.parent.name, name, tests.parent)
        if not exercise.solution.is_file():
            raise CourseProblem(f"{exercise.id}: {tests.name} exists, but not the exercise {name}.py beside it")
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(exercise.chapter):
            raise CourseProblem(
                f"{exercise.id}: a name begins with a lowercase letter; lowercase letters, digits and underscores may follow"
            )
        found.append(exercise)
    named = {
        f"{e.folder.name}/{prefix}{e.name}.py" for e in found for prefix in ("", "test_", "wrong_", "show_", "own_")
    }
    for path in sorted(root.glob("*/*.py")):
        if path.parent in {e.folder for e in found} and f"{path.parent.name}/{path.name}" not in named:
            raise CourseProblem(f"{path.parent.name}/{path.name} has no tests; they should be in test_{path.name}")
    if not found:
        raise CourseProblem(f"{root} has no exercises; one is <chapter>/<name>.py with <chapter>/test_<name>.py")
    if not names:
        return found
    chosen = [e for e in found if {e.id, e.name, e.chapter} & set(names)]
    for name in names:
        if not any(name in (e.id, e.name, e.chapter) for e in found):
            raise CourseProblem(
                f"no exercise or chapter is called {name!r}; there are {', '.join(e.id for e in found)}"
            )
    return chosen


def public_functions(source: str) -> list[str]:
    """The names of a module's functions, without those that begin with an underscore."""
    return [n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]


def strip_solution(source: str, name: str = "the exercise") -> str:
    """The source without the blocks between the markers.

    A block inside a function becomes `raise NotImplementedError`, or the lines that follow STUDENTS GET in it as comments;
    one at the left margin (the solution's helpers and imports) is dropped. Raises CourseProblem for markers that are
    unbalanced, nested, misspelt, or missing.
    """
    kept, opened, functions = [], None, _function_of_line(source, name)
    for number, line in enumerate(source.splitlines(), 1):
        text, place = line.strip(), f"{name}, line {number}"
        if text == BEGIN:
            if opened:
                raise CourseProblem(f"{place}: a solution begins inside the one that began on line {opened}")
            opened, given, indent = number, False, line[: len(line) - len(line.lstrip())]
        elif text == END:
            if not opened:
                raise CourseProblem(f"{place}: a solution ends that did not begin")
            if indent and not given:
                function = functions.get(opened, "this")
                kept.append(f'{indent}raise NotImplementedError("{function} is yours to write")')
            opened = None
        elif text == INSTEAD and opened:
            given = True
        elif opened and given:
            if not text.startswith("# "):
                raise CourseProblem(f"{place}: what students get instead is in comments, each line with '# ' before it")
            kept.append(line.replace("# ", "", 1))
        elif text == INSTEAD:
            raise CourseProblem(f"{place}: {INSTEAD!r} belongs inside a solution, after its lines")
        elif re.search(r"#.*\b(BEGIN|END)\W+\w*SOLUTION", line, re.IGNORECASE):
            raise CourseProblem(f"{place}: is {text!r} a marker? A marker is {BEGIN!r} or {END!r}, alone on its line")
        elif not opened:
            kept.append(line)
    if opened:
        raise CourseProblem(f"{name}: the solution that begins on line {opened} does not end")
    if len(kept) == len(source.splitlines()):
        raise CourseProblem(f"{name}: there is no solution in it; put one between {BEGIN!r} and {END!r}")
    stub = re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept)).rstrip() + "\n"
    ast.parse(stub)
    return stub


def _function_of_line(source: str, name: str) -> dict[int, str]:
    """The name of the function that each line belongs to, by line number; lines outside functions are left out."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise CourseProblem(f"{name}, line {error.lineno}: {error.msg}") from error
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {line: node.name for node in functions for line in range(node.lineno, node.end_lineno + 1)}


def load_module(path: Path, name: str | None = None, **more):
    """The module of a file, executed again on every call and not left in sys.modules.

    more: global names that it already has when it is executed.
    """
    name = name or f"exercise_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    vars(module).update(more)
    before, sys.modules[name] = sys.modules.get(name), module  # dataclasses look up their module
    try:
        spec.loader.exec_module(module)
    finally:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
    return module
