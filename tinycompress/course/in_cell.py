"""An exercise in a cell of a notebook: its public tests on the functions that the cell defines, and a chapter's list.

check("pruning/n_of_m", n_of_m_mask)
show_exercises("pruning")
"""

import ast
import functools
import re
from collections.abc import Callable
from types import SimpleNamespace

from .exercise import CourseProblem, Exercise, find_exercises
from .run import run_tests
from .sandbox.submission import InProcess


def check(name: str, *functions: Callable, **others: Callable) -> None:
    """Run the exercise's public tests of these functions, and print what each of them found.

    name: such as "pruning/n_of_m". functions: those of the exercise, under their own names; others: under the names given,
    as in `check("pruning/n_of_m", n_of_m_mask=mine)`. A function that raises NotImplementedError is not written yet. The
    functions run in this process, unprotected. Raises CourseProblem for an unknown exercise, or a function that is not its.
    """
    (exercise,) = find_exercises([name])
    given = {function.__name__: function for function in functions} | others
    for function in given:
        if function not in exercise.functions():
            raise CourseProblem(f"{exercise.id} has no function {function!r}; it has {', '.join(exercise.functions())}")
    unwritten: list[str] = []
    module = SimpleNamespace(**{name: _noting(name, function, unwritten) for name, function in given.items()})
    module.__file__ = next(iter(given.values())).__code__.co_filename
    try:
        results = run_tests(exercise, InProcess(module, limited=True), hidden=False)
    except CourseProblem as problem:  # such as that pytest is not installed
        print(f"The checks cannot run: {problem}")
        return
    calls = _calls(exercise)
    results = [r for r in results if calls[r.name.partition("[")[0]] & set(given)]
    if unwritten:
        missing = " and ".join(name for name in given if name in unwritten)
        print(
            f"{missing}: yours to write. Complete the cell, then run it and this one again. These checks wait for it:"
        )
    for r in results:
        if calls[r.name.partition("[")[0]] & set(unwritten):
            print(f"○ {r.title}")
        elif r.outcome == "passed":
            print(f"✓ {r.title}")
        else:
            print(f"✗ {r.title}\n  {r.message.replace('of your file', 'of your cell')}")
    if all(r.outcome == "passed" for r in results):
        print("All that is checked here holds. Handed in, the exercise is tested further.")


def _noting(name: str, function: Callable, unwritten: list[str]) -> Callable:
    """The function, which notes its name where it is not written yet."""

    @functools.wraps(function)
    def call(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        except NotImplementedError:
            unwritten.append(name)
            raise

    return call


def _calls(exercise: Exercise) -> dict[str, set[str]]:
    """For each test, the functions of the exercise that it names."""
    tree = ast.parse(exercise.tests.read_text(encoding="utf-8"))
    return {
        test.name: {node.attr for node in ast.walk(test) if isinstance(node, ast.Attribute)} & set(exercise.functions())
        for test in tree.body
        if isinstance(test, ast.FunctionDef)
    }


def show_exercises(*chapters: str) -> None:
    """Display the exercises of these chapters, by default all, in a table: what each is about, how long it takes."""
    from IPython.display import Markdown, display

    lines = ["| exercise | about | time, points |", "|---|---|---|"]
    for exercise in find_exercises(chapters):
        about, work = re.fullmatch(r"(.*?)\s*(?:\((.*)\))?", exercise.title()).groups(default="")
        lines.append(f"| {exercise.id} | {about} | {work} |")
    names = f"{' '.join(chapters)} " if chapters else ""
    how = f"`tinycompress course release {names}--out exercises` writes them into a folder of yours, with checks."
    display(Markdown("\n".join([*lines, "", how])))
