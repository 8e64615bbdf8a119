'''Exercises and their grading. This page is all that an author needs.

## An exercise is a few files in `exercises/<chapter>/`

`name.py`: the exercise. Students get it without the code between the markers:

    """Keep the largest (10 minutes, 3 points).

    The statement: what, why, an example to check by hand, the source.
    """

    import numpy as np


    def prune(weight, share):
        """Shapes, dtypes, units, ties, errors raised: everything that the tests may ask for."""
        ### BEGIN SOLUTION
        ...
        ### END SOLUTION

A marker stands alone on its line. A block inside a function becomes `raise NotImplementedError`; one at the left margin
(a helper, an import) disappears. To hand out something else instead, such as a faulty line that is to be found, put it into
the block after the solution's own lines, as comments below a line `### STUDENTS GET`.

Functions take and return only what can cross the pipe to the sandbox: None, booleans, numbers, strings, bytes, arrays (not
of objects), and lists, tuples and dicts of these. No Tensors: make them inside the function and return `.data`. A later part
takes an earlier part's *result* as an argument, so that a student who fails the earlier part can still solve the later one.

`test_name.py`: ordinary pytest functions, all in this one file.

    MAY_IMPORT = ()  # only NumPy and Numba. Default ("engine",); ("engine", "pruning") adds a package of tinycompress.

    @pytest.mark.public          # students have it, too; or @pytest.mark.hidden: runs only after hand-in
    @pytest.mark.points(2)       # per case, if parametrized
    def test_ties(submission, rng):
        """Of equal weights the earlier one stays."""  (what is checked, in words that students may read)
        mask = expect_array(submission.prune(w, 0.5), w.shape, "bool", "the mask")
        assert mask[0], "sort stably"  (the message names the idea that was missed; students read it)

- `submission.f(...)` calls the student's `f` with copies. `submission.elapsed`: seconds of the last call, by the grader's
  clock. `@pytest.mark.timeout(30)` allows more than 10 s. Judge a time by `speedup`, which compares it with that of a loop of
  yours in turns, since the first call may compile, and others may use the machine.
- `expect_unchanged(submission)` after a call checks that it changed none of its arguments; `submission.changed` names them.
- `reference.f(...)` calls the solution's `f`; hidden tests only.
- `rng`: a seeded generator. In hidden tests its seed differs between courses. Use no other randomness. Draw the inputs of
  hidden tests from it, edges and errors included, so that answers must be computed: a table of the answers to another seed's
  inputs may earn no more than a tenth of the hidden tests' points.
- `raise Partial(0.5, "message")` gives a share of the points. Passing gives all, a failing `assert` none.
- Check types first, with `expect_array`, `expect_number`, `expect_tuple`, and compare with `expect_close`, `expect_equal`,
  `expect_error`: NaN, None and wrong shapes are then the student's error, with a message that helps. A test that raises
  anything else gives nothing if it passes with the solution, and staff are told; otherwise it is a `grader_error`, which a
  person must fix.
- A test of a refusal (`expect_error`) should also ask for an answer; else `raise ValueError` everywhere earns its points.
- Messages of hidden tests should not reveal the expected numbers. `assert not (abs(a - b) > tol)` passes NaN;
  `expect_close` does not.
- The public tests are released together with the parts of this file that they use, and nothing else.
- Points follow the work: one per five minutes of the time that the statement gives (an evening is two hours). The public
  tests earn a tenth of them, since a table of their answers passes them. Equalities, dtypes and errors have small tests
  of their own, so that one slip does not cost much. A test of a later function accepts what follows from the student's own
  earlier ones: call these, and compare.

`wrong_name.py`: at least two plausible wrong answers. Each replaces one function of the solution and states how many
points the whole exercise then earns:

    @wrong("prune", points=1, why="keeps the smallest")
    def smallest(weight, share):
        ...

`show_name.py` (optional): an experiment that shows students what their functions do. `measure(exercise)` runs the functions
of a module and returns plain numbers and lists, in less than 20 s. `draw(yours, reference)` plots two such results and
returns the figure. `course release` stores the solution's numbers and writes a notebook that draws the student's beside
them. The docstring becomes the notebook's text. The file may import anything.

The sandbox has NumPy, Numba, SciPy, and what MAY_IMPORT lists. The engine's kernels run in NumPy there, and a first @njit
costs a second. Submissions can use threads, but no further processes and no sockets. Exercises of your own have the same
layout, in a folder that you pass as --exercises DIR.

    tinycompress course check pruning/name      solution 100 %, stub 0, wrong answers as stated, two runs agree; of small
                                                changes of the solution that change a result, at most 5 % earn all points
    tinycompress course release --out handout   the students' folder

## The one rule

The sandbox only returns values; only the trusted side knows the answers and gives the marks. Tests, solutions and
`reference` never enter the sandbox.
'''

from ..text import names
from .expect import (
    expect_array,
    expect_close,
    expect_equal,
    expect_error,
    expect_number,
    expect_tuple,
    expect_unchanged,
)
from .outcome import Partial, SubmissionProblem, SubmissionRaised
from .speed import speedup

__all__ = [
    "Partial",
    "SubmissionProblem",
    "SubmissionRaised",
    "expect_array",
    "expect_close",
    "expect_equal",
    "expect_error",
    "expect_number",
    "expect_tuple",
    "expect_unchanged",
    "speedup",
    "wrong",
]


def wrong(function: str, points: float, why: str):
    """Mark a wrong answer to `function`, and state the points that the whole exercise earns with it."""

    def mark(answer):
        answer.wrong = (function, float(points), why)
        return answer

    return mark


names.answer()
