"""Exercises as files: finding them, loading them, and taking their solutions out."""

import ast
import hashlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path

EXERCISES = Path(__file__).parent / "exercises"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class CourseProblem(Exception):
    """Something that the author or grader should mend; the message says how."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: `<chapter>/<name>.py` and what lies beside it. Files that are not there are None."""

    chapter: str
    name: str
    folder: Path

    @property
    def id(self) -> str:
        return f"{self.chapter}/{self.name}"

    @property
    def solution(self) -> Path:
        """The exercise, with its solution between markers."""
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
        """What a student gets: the exercise without its solution."""
        return strip_solution(self.solution.read_text(encoding="utf-8"), self.solution.name)

    def functions(self) -> list[str]:
        """The public functions of the exercise: what students write and tests call."""
        return public_functions(self.solution.read_text(encoding="utf-8"))

    def may_import(self) -> tuple[str, ...]:
        """What of tinycompress a submission may import: MAY_IMPORT of the test file, by default ("engine",)."""
        for node in ast.parse(self.tests.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["MAY_IMPORT"]:
                return tuple(ast.literal_eval(node.value))
        return ("engine",)

    def tests_hash(self) -> str:
        """SHA-256 over the solution and the tests: what a mark depends on beside the submission."""
        digest = hashlib.sha256()
        for path in (self.solution, self.tests):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def find_exercises(names=(), root: Path | str = EXERCISES) -> list[Exercise]:
    """The exercises of these names ("pruning", "pruning/n_of_m", or "n_of_m"), by default all, in order of their ids.

    Raises CourseProblem where there are none, a name is unknown, or a file has no exercise that it belongs to.
    """
    root = Path(root)
    found = []
    for tests in sorted(root.glob("*/test_*.py")):
        name = tests.stem.removeprefix("test_")
        exercise = Exercise(tests.parent.name, name, tests.parent)
        if not exercise.solution.is_file():
            raise CourseProblem(f"{exercise.id}: there are tests ({tests.name}), but no exercise {name}.py beside them")
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(exercise.chapter):
            raise CourseProblem(f"{exercise.id}: a name is made of small letters, digits and underscores")
        found.append(exercise)
    named = {f"{e.folder.name}/{prefix}{e.name}.py" for e in found for prefix in ("", "test_", "wrong_", "show_")}
    for path in sorted(root.glob("*/*.py")):
        if path.parent in {e.folder for e in found} and f"{path.parent.name}/{path.name}" not in named:
            raise CourseProblem(f"{path.parent.name}/{path.name}: no tests (test_{path.name}) belong to it")
    if not found:
        raise CourseProblem(f"{root}: no exercise is there; one is <chapter>/<name>.py with <chapter>/test_<name>.py")
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
    """The names of a module's functions that do not begin with an underscore."""
    return [n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]


def strip_solution(source: str, name: str = "the exercise") -> str:
    """The source without what lies between the markers.

    A block inside a function gives way to `raise NotImplementedError`, one at the left margin (helpers of the solution,
    its imports) to nothing. Raises CourseProblem for markers that are unbalanced, nested, misspelt, or missing.
    """
    kept, opened, functions = [], None, _function_of_line(source, name)
    for number, line in enumerate(source.splitlines(), 1):
        text, place = line.strip(), f"{name}, line {number}"
        if text == BEGIN:
            if opened:
                raise CourseProblem(f"{place}: a solution begins inside the one that began in line {opened}")
            opened, indent = number, line[: len(line) - len(line.lstrip())]
        elif text == END:
            if not opened:
                raise CourseProblem(f"{place}: a solution ends that did not begin")
            if indent:
                function = functions.get(opened, "this")
                kept.append(f'{indent}raise NotImplementedError("{function} is yours to write")')
            opened = None
        elif re.search(r"#.*\b(BEGIN|END)\W+\w*SOLUTION", line, re.IGNORECASE):
            raise CourseProblem(f"{place}: is {text!r} a marker? It is {BEGIN!r} or {END!r}, alone in its line")
        elif not opened:
            kept.append(line)
    if opened:
        raise CourseProblem(f"{name}: the solution that begins in line {opened} does not end")
    if len(kept) == len(source.splitlines()):
        raise CourseProblem(f"{name}: there is no solution in it; put it between {BEGIN!r} and {END!r}")
    stub = re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept)).rstrip() + "\n"
    ast.parse(stub)
    return stub


def _function_of_line(source: str, name: str) -> dict[int, str]:
    """For each line inside a function, that function's name."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise CourseProblem(f"{name}, line {error.lineno}: {error.msg}") from error
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {line: node.name for node in functions for line in range(node.lineno, node.end_lineno + 1)}


def load_module(path: Path, name: str | None = None):
    """The module of a file, freshly executed, and not left in sys.modules."""
    name = name or f"exercise_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    before, sys.modules[name] = sys.modules.get(name), module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
    return module
