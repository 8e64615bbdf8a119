"""Automatic mutants of a solution: which small changes the tests do not notice.

Each mutant has one operator, comparison or constant changed (DeMillo, Lipton & Sayward 1978, "Hints on Test Data
Selection"). Not every mutant is wrong: 60 steps of bisection may as well be 61. So a mutant that earns all points is
compared with the solution: in all calls of the tests, with further seeds, and in variations of these calls. Only if some
result differs has it survived.
"""

import ast
import contextlib
import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .exercise import BEGIN, END, Exercise, load_module
from .outcome import SubmissionProblem, SubmissionRaised
from .run import run_tests, total
from .sandbox.submission import InProcess, Submission, TookTooLong, time_limit

SEEDS = ("public", "another course")  # of the tests that should notice a mutant
MORE_SEEDS = ("a third course", "a fourth course")  # of further calls, in which its results may differ
MOST_SURVIVORS = 0.05  # of the mutants that change a result
SECONDS = 3.0  # of the processor; a call that takes longer never ends

OPERATORS = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift},
    **{ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.USub: ast.UAdd, ast.Invert: ast.UAdd, ast.Not: None},
}


class Recorder(Submission):
    """Passes calls on, and remembers them with what happened: `calls` holds (function, arguments, keywords, outcome)."""

    def __init__(self, submission: Submission):
        super().__init__()
        self._submission, self.calls = submission, []

    def _call(self, function, arguments, keywords):
        call = function, copy.deepcopy(arguments), copy.deepcopy(keywords)
        try:
            answer = self._submission._call(function, arguments, keywords)
        except SubmissionProblem as problem:
            self.calls.append((*call, problem))
            raise
        self.calls.append((*call, answer))
        return copy.deepcopy(answer)


@dataclass(frozen=True)
class Mutant:
    """A changed solution: the line's number, what was there and is now, and the whole source."""

    line: int
    before: str
    after: str
    source: str

    def __str__(self):
        return f"line {self.line}: {self.before}  becomes  {self.after}"


@dataclass(frozen=True)
class Mutation:
    """How many mutants lose points, how many change no result, and which change a result but earn all points."""

    noticed: int
    equal: int
    survivors: tuple[Mutant, ...]

    @property
    def share(self) -> float:
        """The survivors' share of the mutants that change a result."""
        return len(self.survivors) / max(1, self.noticed + len(self.survivors))

    def __str__(self):
        return f"{self.noticed} mutants lose points, {self.equal} change no result, {len(self.survivors)} survive"


def mutation(exercise: Exercise) -> Mutation:
    """Run the tests on every mutant of the solution, unprotected in this process. Takes up to a minute or so."""
    noticed, equal, survivors = 0, 0, []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        calls = varied_calls(exercise)
        for mutant in mutants(exercise):
            module = _module(exercise, mutant)
            if module is None or any(_loses(exercise, module, seed) for seed in SEEDS):
                noticed += 1
            elif all(_same(answer, _answer(Hasty(module), call)) for call, answer in calls):
                equal += 1
            else:
                survivors.append(mutant)
    return Mutation(noticed, equal, tuple(survivors))


# ---- the mutants ----


def mutants(exercise: Exercise) -> Iterator[Mutant]:
    """The solution with one change at a time, between its markers. Error messages stay as they are."""
    source = exercise.solution.read_text(encoding="utf-8")
    tree, secret = ast.parse(source), _between_markers(source)
    messages = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Raise) for inner in ast.walk(node)}
    for place, node in enumerate(ast.walk(tree)):
        if getattr(node, "lineno", None) not in secret or id(node) in messages:
            continue
        for change in _changes(node):
            changed = copy.deepcopy(tree)
            target = next(found for i, found in enumerate(ast.walk(changed)) if i == place)
            change(target)
            yield Mutant(node.lineno, ast.unparse(node), ast.unparse(target), ast.unparse(changed))


def _between_markers(source: str) -> set[int]:
    lines, inside = set(), False
    for number, line in enumerate(source.splitlines(), 1):
        inside = (inside or line.strip() == BEGIN) and line.strip() != END
        if inside:
            lines.add(number)
    return lines


def _changes(node):
    """Functions that change a node of this kind in place, each in another way."""
    if isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            if type(operator) in OPERATORS:
                yield lambda n, i=i: n.ops.__setitem__(i, OPERATORS[type(n.ops[i])]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda n: setattr(n, "operand", ast.UnaryOp(ast.Not(), n.operand))
    elif type(getattr(node, "op", None)) in OPERATORS:
        yield lambda n: setattr(n, "op", OPERATORS[type(n.op)]())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        for step in (1, -1) if isinstance(node.value, int) else (0.1 * node.value,):
            yield lambda n, step=step: setattr(n, "value", n.value + step)


def _module(exercise, mutant):
    """The mutant as a module; None if it cannot even be loaded."""
    module = load_module(exercise.solution)
    try:
        exec(compile(mutant.source, str(exercise.solution), "exec"), module.__dict__)
    except Exception:  # whatever a changed constant may do to the code outside functions
        return None
    return module


def _loses(exercise, module, seed) -> bool:
    earned, points = total(run_tests(exercise, Hasty(module), seed, stop=True))
    return earned < points


class Hasty(InProcess):
    """A submission that gets no further call once one did not end."""

    def __init__(self, module):
        super().__init__(module)
        self.timeout, self._stuck = SECONDS, False

    def _call(self, function, arguments, keywords):
        if self._stuck:
            raise SubmissionProblem("an earlier call did not end")
        return super()._call(function, arguments, keywords)

    @contextlib.contextmanager
    def _limit(self):
        try:
            with time_limit(SECONDS, of_processor=True):
                yield
        except TookTooLong:
            self._stuck = True
            raise


# ---- does a mutant change a result? ----


def varied_calls(exercise: Exercise) -> list[tuple]:
    """((function, arguments, keywords), the solution's answer) for all calls of the tests, and for variations of them.

    A variation that the solution refuses, other than by a ValueError, is not a call that the statement allows.
    """
    recorder = Recorder(InProcess(load_module(exercise.solution)))
    for seed in (*SEEDS, *MORE_SEEDS):
        run_tests(exercise, recorder, seed)
    solution = Hasty(load_module(exercise.solution))
    calls = [(call, _answer(solution, call)) for recorded in recorder.calls for call in _varied(*recorded[:3])]
    return [(call, answer) for call, answer in calls if answer[0] == "returned" or answer[1] == "ValueError"]


def _varied(function, arguments, keywords):
    """The call; the same with arrays rounded, since equal values show what is done with ties."""
    yield function, arguments, keywords
    if any(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in arguments):
        yield (
            function,
            [np.rint(a) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in arguments],
            keywords,
        )


def _answer(submission, call) -> tuple:
    """("returned", the result) or ("raised", the error's type)."""
    function, arguments, keywords = call
    try:
        return "returned", getattr(submission, function)(*arguments, **keywords)
    except SubmissionRaised as raised:
        return "raised", raised.type
    except SubmissionProblem:
        return "raised", "nothing that can be sent"


def _same(one, other) -> bool:
    """Whether two answers are equal, up to rounding."""
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray | int | float) and isinstance(other, np.ndarray | int | float):
        a, b = np.asarray(one), np.asarray(other)
        return a.shape == b.shape and a.dtype.kind == b.dtype.kind and np.allclose(a, b, 1e-3, 1e-9, equal_nan=True)
    return type(one) is type(other) and one == other
