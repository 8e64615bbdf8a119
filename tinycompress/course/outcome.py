"""What a test can say about a submission, beside passing: no answer, or part of the points.

A test passes (all its points), fails with an AssertionError (none), raises `Partial` (a share of them), or meets a
`SubmissionProblem` where there was no usable answer (none). Anything else is a fault of the test, which a person must
look at: `grader_error`, never a silent zero.
"""


class Partial(Exception):
    """Raise it in a test to give `share` (from 0 up to but not 1) of its points, with a message for the student."""

    def __init__(self, share: float, message: str):
        if not 0 <= share < 1:
            raise ValueError(f"Partial: the share is from 0 up to but not 1 (just pass, for all points); got {share}")
        super().__init__(f"{share:.0%} of the points: {message}")
        self.share, self.message = float(share), message


class SubmissionProblem(Exception):
    """The submission gave no usable answer; the text says why. `hidden` is what a hidden test may tell of it.

    A function's own words can carry the inputs it was given out of the sandbox, so that a hidden test shows only what
    cannot be chosen freely.
    """

    def __init__(self, message: str, hidden: str | None = None):
        super().__init__(message)
        self.hidden = message if hidden is None else hidden


class SubmissionRaised(SubmissionProblem):
    """The submission's function raised an exception, of the built-in type `type` ("Exception" for others)."""

    def __init__(self, function: str, type: str, text: str, line: int | None):
        place = "" if line is None else f" (line {line} of your file)"
        start = f"{function} raised {type}{place}"
        if type == "NotImplementedError":
            start = text = f"{function} is not written yet"
        super().__init__(start if text in ("", start) else f"{start}: {text}", hidden=start)
        self.type = type
