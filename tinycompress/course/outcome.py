"""The outcomes of a test other than passing or failing: part of the points, or no usable answer.

A test passes (all its points), fails with an AssertionError (none), raises `Partial` (a share of them), or meets a
`SubmissionProblem` when the submission gave no usable answer (none). If it raises anything else, but not with the solution,
the answer was wrong in a way that the test does not foresee (none, and staff are told). Otherwise the test has a bug: a
`grader_error`, which a person must look at, never a silent zero.
"""

DOES_NOT_FIT = "is of a type, shape or value that this test could not work with"


class Partial(Exception):
    """Raised by a test to give `share` of its points, 0 <= share < 1, with a message for the student."""

    def __init__(self, share: float, message: str):
        if not 0 <= share < 1:
            raise ValueError(f"Partial: need 0 <= share < 1, got {share}; to give all points, let the test pass")
        super().__init__(f"{share:.0%} of the points: {message}")
        self.share, self.message = float(share), message


class SubmissionProblem(Exception):
    """The submission gave no usable answer; `message` says why, and hidden tests show `hidden` (default: the message).

    A student's own error message can carry a hidden test's inputs out of the sandbox. So `hidden` must contain no text
    that the student can choose freely.
    """

    def __init__(self, message: str, hidden: str | None = None):
        super().__init__(message)
        self.hidden = message if hidden is None else hidden


class SubmissionRaised(SubmissionProblem):
    """The submission's function raised an exception; `type` names its built-in type ("Exception" for others)."""

    def __init__(self, function: str, type: str, text: str, line: int | None):
        place = "" if line is None else f" (line {line} of your file)"
        start = f"{function} raised {type}{place}"
        if type == "NotImplementedError":
            start = text = f"{function} is not written yet"
        super().__init__(start if text in ("", start) else f"{start}: {text}", hidden=start)
        self.type = type
