"""A small exercise to take apart, a class of eight who solve it, and its grading, for the tests of the course."""

from contextlib import nullcontext

import pytest

from tinycompress.course import sandbox
from tinycompress.course.collect import find_handins
from tinycompress.course.exercise import Exercise, find_exercises, strip_solution
from tinycompress.course.staff.grade import make_tasks
from tinycompress.course.staff.gradebook import Gradebook

LEVEL = sandbox.level()
inside = pytest.mark.skipif(LEVEL.name != "bubblewrap", reason=f"no sandbox here: {LEVEL.detail}")
OF_ANOTHER_USER = sandbox._try(sandbox.ANOTHER_USER)
# For attacks that must fail at both levels; tests/container.py runs them where only the second one can be had.
walls = pytest.mark.parametrize(
    "wall",
    [
        pytest.param(sandbox.FULL, marks=inside),
        pytest.param(
            sandbox.ANOTHER_USER,
            marks=pytest.mark.skipif(bool(OF_ANOTHER_USER), reason=f"not as another user: {OF_ANOTHER_USER}"),
        ),
    ],
    indirect=True,
)

SOLUTION = '''\
"""Keep the largest (3 points)."""

import numpy as np

### BEGIN SOLUTION
SECRET_NUMBER = 12345
### END SOLUTION


def keep(values, count):
    """The `count` largest values, in their order; of equals the earlier ones. ValueError if there are fewer."""
    ### BEGIN SOLUTION
    if count > len(values):
        raise ValueError("there are fewer values")
    chosen = np.argsort(-values, kind="stable")[:count]
    return values[np.sort(chosen)]
    ### END SOLUTION


def mean(values):
    """Their mean."""
    ### BEGIN SOLUTION
    return float(values.mean())
    ### END SOLUTION
'''

TESTS = '''\
"""The answer is SECRET_NUMBER."""

import math

import numpy as np
import pytest

from tinycompress.course import Partial, expect_array, expect_close, expect_error

MAY_IMPORT = ()
VALUES = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
HIDDEN_VALUES = np.array([9.0, 2.0, 6.0])


def three(value):
    return expect_array(value, (3,), "float")


@pytest.mark.public
@pytest.mark.points(1)
@pytest.mark.timeout(5)
def test_three_stay(submission):
    """Three of five stay."""
    assert three(submission.keep(VALUES, 3)).tolist() == [3, 4, 5], "they keep their order"


@pytest.mark.hidden
@pytest.mark.points(1)
@pytest.mark.timeout(5)
def test_any_values(submission, reference, rng):
    """Any values."""
    expect_error(ValueError, submission.keep, HIDDEN_VALUES, 4)
    values = rng.normal(size=20)
    kept = expect_array(submission.keep(values, 7), (7,), "float")
    expected = reference.keep(values, 7)
    if sorted(kept) == sorted(expected) and not np.array_equal(kept, expected):
        raise Partial(0.5, "the right ones, in a wrong order")
    expect_close(kept, expected, "the largest ones")


@pytest.mark.hidden
@pytest.mark.points(1)
def test_the_mean(submission, rng):
    values = rng.normal(size=9)
    expect_close(submission.mean(values), math.fsum(values) / 9, "it is the sum over the number")
'''

WRONG = '''\
"""Wrong answers."""

import numpy as np

from tinycompress.course import wrong


@wrong("keep", points=1.5, why="sorts them")
def sorted_ones(values, count):
    if count > len(values):
        raise ValueError
    return np.sort(values)[-count:][::-1]


@wrong("mean", points=2, why="no mean")
def total(values):
    return float(values.sum())
'''


def write_exercise(root, solution=SOLUTION, tests=TESTS, wrong=WRONG) -> Exercise:
    """The exercise toy/keep in this folder."""
    exercise = Exercise("toy", "keep", root / "toy")
    exercise.folder.mkdir(exist_ok=True)
    exercise.solution.write_text(solution)
    exercise.tests.write_text(tests)
    (exercise.folder / "wrong_keep.py").write_text(wrong)
    return exercise


MEAN = "def mean(values):\n    return sum(values.tolist()) / len(values)\n"
# Looks for the reference, or for the inputs' answers, in whatever the process knows, and answers with what it finds.
SPY = """
import gc, sys
import numpy as np
def keep(values, count):
    frame = sys._getframe()
    while frame is not None:
        for name, value in list(frame.f_locals.items()):
            if name in ("expected", "reference"):
                return value
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, np.ndarray) and thing is not values and thing.shape == (count,):
            return thing
mean = keep
"""

CLASS = {
    "good": (SOLUTION, 3),
    "stub": (strip_solution(SOLUTION), 0),
    "partial": (
        "import numpy as np\ndef keep(v, n):\n    if n > len(v): raise ValueError\n    return np.sort(v)[-n:]\n",
        1.5,
    ),
    "crash": ("import os\ndef keep(values, count):\n    os.abort()\n" + MEAN, 1),
    "loop": ("def keep(values, count):\n    while True:\n        pass\n" + MEAN, 1),
    "cheat_exit": ("import os\nos._exit(0)\n", 0),
    "cheat_equal": ("class E:\n    def __eq__(s, o): return True\nkeep = mean = lambda *a: E()\n", 0),
    "cheat_spy": (SPY, 0),
}
GRADEBOOK = {student: points for student, (_, points) in CLASS.items()}
FOUND = {"good": (SOLUTION, 3), "none": ("", 0)}


def write_class(folder, sources=None) -> None:
    """A folder of hand-ins, by default the class of eight."""
    for student, (source, _) in (CLASS if sources is None else sources).items():
        (folder / student / "toy").mkdir(parents=True)
        (folder / student / "toy" / "keep.py").write_text(source)


def tasks_of(course, seed="s", per_student=False):
    """What there is to grade in a folder with the exercise and hand-ins."""
    exercises = find_exercises(root=course)
    return make_tasks(find_handins(course / "class"), exercises, seed, per_student, LEVEL.name)


def here():
    """No executor: the grading process itself."""
    return nullcontext(None)


def command(course, *more):
    """The command that grades the class in this folder, to a log beside it."""
    arguments = [
        "grade",
        str(course / "class"),
        "--exercises",
        str(course),
        "--log",
        str(course / "log"),
        "--seed",
        "s",
    ]
    trust = [] if LEVEL.name == "bubblewrap" else ["--trust"]
    return ["course", *arguments, *trust, *more]


def marks(course):
    return {entry.student: entry.points for entry in Gradebook(course / "log").entries()}


def points(record):
    return sum(result["earned"] for result in record["results"])
