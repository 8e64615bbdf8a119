"""The other end of the pipe: loads a submission and calls its functions, in the sandbox.

    python worker.py REQUESTS REPLIES FILE    (two inherited file descriptors, and the student's file)

It knows no answers, and nothing it says is trusted: it shares a process with the student's code. This file and wire.py
are all that the sandbox sees of this package, so that nothing but the standard library and NumPy is imported here.
"""

import builtins
import traceback

MAX_TEXT = 1000


def describe_error(error: BaseException, file: str) -> tuple[str, str, int | None]:
    """(its nearest built-in type, its message, the last line of `file` that it came through) of an exception."""
    kinds = [c.__name__ for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c]
    try:
        text = str(error)[:MAX_TEXT]
    except BaseException:  # the message is the student's code, too
        text = ""
    try:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        if isinstance(error, SyntaxError) and error.filename == file:
            lines.append(error.lineno)
    except BaseException:
        lines = []
    return (kinds or ["Exception"])[0], text, lines[-1] if lines else None
