"""What a table of answers earns: whether hidden inputs depend on the seed as much as they should.

Who knows the calls that tests make, and what the solution answers, can hand in a table instead of functions. Anyone has the
calls of the public tests; those of the hidden ones become known when a course is given for the second time. A new seed
must make them worthless.
"""

import numpy as np

from ..exercise import Exercise, load_module
from ..outcome import SubmissionProblem, SubmissionRaised
from ..run import run_tests
from ..sandbox import wire
from ..sandbox.submission import InProcess, Submission

LIMIT = 0.1  # share of the hidden tests' points that a table may earn
BEFORE, NOW = "an earlier course", "this course"  # seeds


class Recording(Submission):
    """The solution, with a table of what it was asked and what it answered."""

    def __init__(self, exercise: Exercise):
        super().__init__()
        self._solution, self.table = InProcess(load_module(exercise.solution)), {}

    def _call(self, function, arguments, keywords):
        given = function, arguments, keywords
        try:
            answer = self._solution._call(*given)
        except SubmissionRaised as error:
            answer = error
        self.changed = self._solution.changed
        for key in _exact(given), _outline(given):
            self.table.setdefault(key, answer)
        if isinstance(answer, SubmissionRaised):
            raise answer
        return answer


class FromTable(Submission):
    """Looks each answer up: that to the same call, or else to one that differs only in real numbers and arrays' elements."""

    def __init__(self, table: dict):
        super().__init__()
        self._table = table

    def _call(self, function, arguments, keywords):
        given = function, arguments, keywords
        answer = self._table.get(_exact(given), self._table.get(_outline(given)))
        if answer is None:
            raise SubmissionProblem(f"this call of {function} is not in the table")
        if isinstance(answer, SubmissionRaised):
            raise answer
        return wire.loads(wire.dumps(answer))


def _exact(value) -> bytes:
    return b"exact" + b"".join(wire.dumps(value))


def _outline(value) -> bytes:
    return b"outline" + b"".join(wire.dumps(_without_reals(value)))


def _without_reals(value):
    """The value with each array replaced by its dtype and shape, and each real number by a placeholder."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, list(value.shape)
    if isinstance(value, float | np.floating):
        return "a real number"
    if isinstance(value, list | tuple):
        return type(value)(map(_without_reals, value))
    return {key: _without_reals(item) for key, item in value.items()} if isinstance(value, dict) else value


def earned_by_tables(exercise: Exercise) -> dict[str, list]:
    """The `plugin.TestResult`s of two tables: "public" of the public tests, and "earlier" of all tests with another seed."""
    public, earlier = Recording(exercise), Recording(exercise)
    run_tests(exercise, public, NOW, hidden=False)
    run_tests(exercise, earlier, BEFORE)
    tables = {"public": public.table, "earlier": earlier.table}
    return {name: run_tests(exercise, FromTable(table), NOW) for name, table in tables.items()}
