"""`course check`: what must hold for an exercise before students see it."""

import builtins
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .author.release import check_nothing_leaks, write_exercise
from .author.table import LIMIT, earned_by_tables
from .exercise import CourseProblem, Exercise, load_module
from .mutants import MOST_SURVIVORS, mutation
from .run import run_tests, total
from .sandbox import level
from .sandbox.submission import InProcess, load_here
from .staff.grade import Task, grade_one

SEEDS = ("public", "another course")

LAZY: dict[str, Callable] = {
    "None": lambda *a, **k: None,
    "NaN": lambda *a, **k: float("nan"),
    "an empty list": lambda *a, **k: [],
    "a string": lambda *a, **k: "42",
    "its first argument": lambda *a, **k: a[0] if a else None,
    "NaN everywhere": lambda *a, **k: np.full(np.shape(a[0]) if a else (), np.nan),
}
UNFORESEEN: dict[str, Callable] = {
    "the largest integer": lambda *a, **k: -(2**64 - 1),
    "an array of many axes": lambda *a, **k: np.zeros((1, 2, 1, 2, 1, 2, 1, 2)),
    "arrays in a tuple": lambda *a, **k: (np.zeros(2), np.zeros((3, 1)), np.zeros(0)),
}


@dataclass
class Checked:
    """The findings: the exercise's points, a (name, score, why) for each kind of answer, and faults in words."""

    exercise: Exercise
    points: float = 0.0
    scores: list[tuple[str, float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self):
        lines = [f"{self.exercise.id}: {self.points:g} points" + (", FAULTY" if self.faults else "")]
        lines += [f"  {earned:>6g}  {name}{': ' if why else ''}{why}" for name, earned, why in self.scores]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines + [f"  fault: {fault}" for fault in self.faults])


def check(exercise: Exercise, notebook: bool = True, mutants: bool = False) -> Checked:
    """Grade known answers to an exercise, check what would be released, and return the findings.

    The solution must earn all points, in two runs that agree, and in the sandbox, too, if there is one. The stub must earn
    nothing, each wrong answer what it states, and an answer of a wrong type must not cause a grader_error. Refusing all
    must earn nothing, and a table of answers that were known before at most a tenth of the hidden tests' points.

    notebook: whether to run the experiment, as a release does; mutants: whether to run the tests on mutants of the solution,
    which takes up to a minute. The solution runs unprotected: never check an exercise from someone you do not trust.
    """
    found = Checked(exercise)
    try:
        _check_solution(exercise, found)
        _check_stub(exercise, found)
        _check_wrong_answers(exercise, found)
        _check_lazy_answers(exercise, found)
        _check_tables(exercise, found)
        _check_in_sandbox(exercise, found)
        _check_release(exercise, found, notebook)
        if mutants and not found.faults:
            _check_mutants(exercise, found)
    except CourseProblem as problem:
        found.faults.append(str(problem))
    return found


def _check_solution(exercise, found):
    for seed in SEEDS:
        first, second = (run_tests(exercise, load_here(exercise.solution, exercise.may_import()), seed) for _ in "ab")
        for result in first:
            if result.earned != result.points:
                found.faults.append(
                    f"the solution fails {result.name} with seed {seed!r}: {result.message} {result.staff}"
                )
        if first != second:
            found.faults.append("two runs of the solution differ: draw every random number from the fixture rng")
    found.points = total(first)[1]
    stated = re.search(r"([\d.]+) points?\b", load_module(exercise.solution).__doc__ or "")
    if stated and float(stated[1]) != found.points:
        found.faults.append(f"its docstring promises {stated[0]}, but its tests give {found.points:g}")
    found.scores.append(("solution", total(first)[0], ""))
    if not any(r.public for r in first) or all(r.public for r in first):
        found.faults.append("there should be public and hidden tests, at least one of each")


def _check_stub(exercise, found):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / exercise.solution.name
        path.write_text(exercise.stub(), encoding="utf-8")
        results = run_tests(exercise, load_here(path, exercise.may_import()))
    found.scores.append(("stub", total(results)[0], ""))
    found.faults += [f"the stub earns points in {r.name}" for r in results if r.earned]
    found.faults += [f"the stub does not simply fail {r.name}: {r.staff}" for r in results if r.outcome != "failed"]


def _check_wrong_answers(exercise, found):
    answers = [] if exercise.wrong is None else vars(load_module(exercise.wrong)).values()
    answers = [answer for answer in answers if hasattr(answer, "wrong")]
    if len(answers) < 2:
        found.faults.append(f"wrong_{exercise.name}.py should contain at least two plausible wrong answers")
    for answer in answers:
        function, points, why = answer.wrong
        results = _graded_with(exercise, answer, [function])
        earned = total(results)[0]
        found.scores.append((answer.__name__, earned, why))
        if earned == found.points:
            found.faults.append(f"no test notices {answer.__name__}, which is wrong: {why}")
        elif earned != points:
            lost = [f"{r.name} ({r.earned:g} of {r.points:g})" for r in results if r.earned < r.points]
            found.faults.append(
                f"{answer.__name__} should earn {points:g}, but earns {earned:g}; it loses {', '.join(lost) or 'nothing'}"
            )
        found.faults += [
            f"{answer.__name__}: {r.name} breaks: {r.staff}" for r in results if r.outcome == "grader_error"
        ]


def _check_lazy_answers(exercise, found):
    most = 0.0
    for name, answer in (LAZY | UNFORESEEN).items():
        results = _graded_with(exercise, answer, exercise.functions())
        most = max(most, total(results)[0])
        found.faults += [
            f"{r.name} breaks where the answer is {name}; check types first (expect_array …): {r.staff}"
            for r in results
            if r.outcome == "grader_error" or (r.staff and name in LAZY)
        ]
    found.scores.append(("lazy", most, "the best of None, NaN, the first argument, … returned by every function"))
    if most > 0.2 * found.points:
        found.faults.append(f"a lazy answer earns {most:g} of {found.points:g} points")
    for name in sorted(set(re.findall(r"expect_error\(\s*(\w+)", exercise.tests.read_text(encoding="utf-8")))):
        results = _graded_with(exercise, _raising(getattr(builtins, name, ValueError)), exercise.functions())
        found.faults += [
            f"to raise {name} everywhere earns {r.earned:g} points in {r.name}; ask there for an answer, too"
            for r in results
            if r.earned
        ]


def _raising(error: type[Exception]) -> Callable:
    """A function that refuses whatever it is given."""

    def refuse(*arguments, **keywords):
        raise error("no")

    return refuse


def _check_tables(exercise, found):
    words = {
        "public": "the answers to the public tests' calls by heart",
        "earlier": "those to all calls of a course with another seed",
    }
    for name, results in earned_by_tables(exercise).items():
        hidden = [r for r in results if not r.public]
        earned, most = total(hidden)
        found.scores.append(
            (f"{name} table", total(results)[0], f"{words[name]}; {earned:g} of {most:g} hidden points")
        )
        if earned > LIMIT * most:
            gives = ", ".join(f"{r.name} ({r.earned:g})" for r in hidden if r.earned)
            found.faults.append(
                f"{words[name]} earn {earned:g} of {most:g} hidden points, more than {LIMIT:.0%}, in {gives}; "
                "draw the inputs from rng"
            )


def _check_mutants(exercise, found):
    mutated = mutation(exercise)
    found.notes += [str(mutated), *(f"survives: {mutant}" for mutant in mutated.survivors)]
    if mutated.share > MOST_SURVIVORS:
        found.faults.append(
            f"{mutated.share:.0%} of the mutants that change a result earn all points (at most {MOST_SURVIVORS:.0%}): "
            "test what they change"
        )


def _graded_with(exercise, answer, functions):
    """The results of the solution with these functions replaced by the answer."""
    module = load_module(exercise.solution)
    for function in functions:
        if not callable(getattr(module, function, None)):
            raise CourseProblem(f"{exercise.id} has no function {function!r}, to which there is a wrong answer")
        setattr(module, function, answer)
    return run_tests(exercise, InProcess(module))


def _check_in_sandbox(exercise, found):
    if level().name == "none":
        return
    task = Task("", exercise, exercise.solution.read_bytes(), "", exercise.tests_hash(), SEEDS[0], False, level().name)
    record = grade_one(task)
    if record["error"]:
        found.faults.append(f"the solution cannot be graded in the sandbox: {record['error']}")
    for r in record["results"]:
        if r["earned"] != r["points"]:
            found.faults.append(f"the solution fails {r['name']} in the sandbox: {r['message']} {r['staff']}")


def _check_release(exercise, found, notebook):
    with tempfile.TemporaryDirectory() as folder:
        write_exercise(exercise, Path(folder), notebook)
        check_nothing_leaks([exercise], Path(folder))
        released = Exercise(exercise.chapter, exercise.name, Path(folder) / exercise.chapter)
        results = run_tests(released, load_here(exercise.solution, exercise.may_import()))
        for r in results:
            if r.outcome != "passed":
                found.faults.append(f"the solution fails the released {r.name}: {r.message} {r.staff}")
