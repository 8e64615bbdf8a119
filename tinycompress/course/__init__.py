'''Exercises and their grading. This page is all that an author needs.

## An exercise is a few files in `exercises/<chapter>/`

`name.py`: the exercise, which students get without what lies between the markers:

    """Keep the largest (10 minutes, 3 points).

    The statement: what, why, an example to check by hand, the source.
    """

    import numpy as np


    def prune(weight, share):
        """Shapes, dtypes, units, ties, errors raised: what the tests may ask for is said here."""
        ### BEGIN SOLUTION
        ...
        ### END SOLUTION

A marker stands alone in its line. A block inside a function becomes `raise NotImplementedError`, one at the left margin
(a helper, an import) disappears. Functions take and return None, booleans, numbers, strings, bytes, arrays (no objects),
and lists, tuples and dicts of them: what crosses the pipe to the sandbox. No Tensors: make them inside, return `.data`.
A later part takes an earlier part's *result* as an argument, so that one hole does not sink the rest.

`test_name.py`: ordinary pytest functions, whole in this one file.

    MAY_IMPORT = ()  # NumPy and Numba alone. Default ("engine",); ("engine", "pruning") adds a package of tinycompress.

    @pytest.mark.public          # students have it, too; or @pytest.mark.hidden: runs after hand-in only
    @pytest.mark.points(2)       # of each case, if parametrized
    def test_ties(submission, rng):
        """Of equals the earlier one stays."""  (what is checked, in words that students may read)
        mask = expect_array(submission.prune(w, 0.5), w.shape, "bool", "the mask")
        assert mask[0], "sort stably"  (the message names the idea that was missed; a student reads it)

- `submission.f(...)` calls the student's `f` with copies. `submission.elapsed`: seconds of the last call, by the grader's
  clock; call twice before you judge a time, since the first may compile. `@pytest.mark.timeout(30)` for more than 10 s.
- `reference.f(...)`: the same of the solution; hidden tests only.
- `rng`: a seeded generator; fresh for every course in hidden tests. No other randomness.
- `raise Partial(0.5, "message")` gives a share of the points; passing gives all; a failing `assert` none.
- Look at types first, with `expect_array`, `expect_number`, `expect_tuple`, `expect_close`, `expect_error`: NaN, None and
  wrong shapes are then the student's error. An exception of any other kind is a `grader_error`, which a person must mend.
- Messages of hidden tests should not tell the expected numbers. `assert not (abs(a - b) > tol)` passes NaN;
  `expect_close` does not.
- The public tests are released with whatever of this file they use, and nothing else of it.

`wrong_name.py`: at least two plausible wrong answers, each put in the place of one function of the solution, with what the
whole exercise is then worth:

    @wrong("prune", points=1, why="keeps the smallest")
    def smallest(weight, share):
        ...

`show_name.py` (optional): what students see their function do. `measure(exercise)` runs the functions of a module and
returns plain numbers and lists, in less than 20 s; `draw(yours, reference)` draws two such results into a figure and
returns it. `course release` stores the solution's numbers and writes a notebook that draws the student's beside them.
The docstring becomes the notebook's text. It may import anything.

In the sandbox there are NumPy, Numba, SciPy, and what MAY_IMPORT says; the engine's kernels run in NumPy there, and a first
@njit costs a second. Exercises of your own: the same layout in a folder that you give as --exercises DIR.

    tinycompress course check pruning/name      solution 100 %, stub 0, wrong answers as stated, twice the same
    tinycompress course release --out handout   the students' folder

## The one rule

The sandbox returns values; only the trusted side knows the answers and gives the marks. Tests, solutions and
`reference` never enter it.
'''

from .expect import expect_array, expect_close, expect_error, expect_number, expect_tuple
from .outcome import Partial, SubmissionProblem, SubmissionRaised

__all__ = [
    "Partial",
    "SubmissionProblem",
    "SubmissionRaised",
    "expect_array",
    "expect_close",
    "expect_error",
    "expect_number",
    "expect_tuple",
    "wrong",
]


def wrong(function: str, points: float, why: str):
    """Mark a wrong answer to `function`, with the points that the exercise is worth with it."""

    def mark(answer):
        answer.wrong = (function, float(points), why)
        return answer

    return mark
