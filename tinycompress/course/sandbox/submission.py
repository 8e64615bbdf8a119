"""A submission as tests see it: `submission.prune(w, 0.5)` calls the student's function with copies and returns copies.

The class here runs it in this process, for students who test their own work and for `course check`. The class in
`workers.py` is for grading and runs each call in the sandbox. Both pass values through `wire.py`, so that what works here
works there.
"""

import builtins
import contextlib
import signal
import sys
import threading
import time
from pathlib import Path

from ..allowed import importer
from ..exercise import load_module
from ..outcome import SubmissionProblem, SubmissionRaised
from . import wire
from .worker import describe_error

MAX_SHOWN = 300  # characters shown of a student's own error message
LOAD_SECONDS = 20


class TookTooLong(BaseException):
    """No answer within the time. A BaseException, so that `except Exception` in the student's code does not catch it."""


@contextlib.contextmanager
def time_limit(seconds: float, of_processor: bool = False):
    """Raise TookTooLong in the block after this many seconds. No limit without SIGALRM, or outside the main thread.

    Only Python code can be stopped: an endless compiled loop goes on.

    of_processor: whether to count this process's processor time, which does not pass while others keep the machine busy.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        if sys.gettrace() is None:  # no limit in a debugger
            raise TookTooLong

    timer, alarm = (signal.ITIMER_PROF, signal.SIGPROF) if of_processor else (signal.ITIMER_REAL, signal.SIGALRM)
    before = signal.signal(alarm, stop)
    try:
        try:
            signal.setitimer(timer, seconds, 1)  # again every second, in case it is caught
            yield
        finally:
            signal.setitimer(timer, 0)
    finally:  # the alarm may go off just before the line above stops it
        signal.setitimer(timer, 0)
        signal.signal(alarm, before)


class Submission:
    """An object whose attributes are the student's functions.

    elapsed: seconds that the last call took, by the grader's clock; timeout: seconds that a call may take; changed: the
    arguments, by position or keyword, that the last call changed instead of working on copies. The latter is the word of the
    process that the student's code runs in: enough to teach, not to prove.
    """

    def __init__(self):
        self.changed: list[int | str] = []
        self.elapsed = float("nan")
        self.timeout = 10.0

    def __getattr__(self, function):
        if function.startswith("__"):
            raise AttributeError(function)

        def call(*arguments, **keywords):
            __tracebackhide__ = True
            return self._call(function, arguments, keywords)

        return call

    def _call(self, function, arguments, keywords):
        raise NotImplementedError

    def close(self) -> None:
        """Release its resources, such as running workers."""


class InProcess(Submission):
    """Runs a module's functions in this process, without any protection: only for code that you trust.

    limited: whether to stop a call after `timeout` seconds, as in the sandbox.
    """

    def __init__(self, module, limited: bool = False):
        super().__init__()
        self._module, self._limited = module, limited

    def _limit(self):
        """A block that a call may not take too long in."""
        return time_limit(self.timeout) if self._limited else contextlib.nullcontext()

    def _call(self, function, arguments, keywords):
        __tracebackhide__ = True
        callee = getattr(self._module, function, None)
        if not callable(callee):
            raise SubmissionProblem(f"there is no function {function} in your file")
        self.changed = []
        arguments, keywords = wire.loads(wire.dumps((arguments, keywords)), "A")
        before = wire.fingerprints(arguments, keywords)
        start = time.perf_counter()
        try:
            with self._limit():
                result = callee(*arguments, **keywords)
        except TookTooLong:
            raise SubmissionProblem(f"{function} took longer than {self.timeout:.3g} s") from None
        except NotImplementedError as error:
            raise raised(function, *describe_error(error, self._module.__file__)) from None
        except Exception as error:
            raise raised(function, *describe_error(error, self._module.__file__)) from error
        finally:
            self.elapsed = time.perf_counter() - start
        self.changed = wire.changed(before, wire.fingerprints(arguments, keywords))
        try:
            return wire.loads(wire.dumps(result))
        except wire.WireError as error:
            raise SubmissionProblem(f"{function} returned {error}") from error


def raised(function: str, type: str, text: str, line: int | None) -> SubmissionRaised:
    """The problem that reports an exception in the student's function."""
    known = isinstance(getattr(builtins, type, None), builtins.type)
    return SubmissionRaised(function, type if known else "Exception", clean(text), line)


def clean(text: str) -> str:
    """A student's text, made fit for one line of a report: without control characters, and of bounded length."""
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_SHOWN])
    return " ".join(shown.split())[:MAX_SHOWN]


def load_here(path: Path, may_import: tuple[str, ...], limited: bool = False) -> InProcess:
    """Load the submission in this file, to run in this process. Raises SubmissionProblem if it cannot be loaded.

    It can import what it can import in the sandbox. This helps students before they hand in; it is not a defence.

    limited: whether to stop the import, and later the calls, when they take too long.
    """
    if not path.is_file():
        raise SubmissionProblem(f"there is no file {path.name}")
    limited_import = importer(may_import)  # a name that no module has is the exercise's fault, not the submission's
    try:
        with time_limit(LOAD_SECONDS) if limited else contextlib.nullcontext():
            return InProcess(load_module(path, __builtins__=vars(builtins) | {"__import__": limited_import}), limited)
    except TookTooLong:
        raise SubmissionProblem(f"{path.name} cannot be imported: it takes longer than {LOAD_SECONDS} s") from None
    except Exception as error:
        type, text, line = describe_error(error, str(path))
        where = "" if line is None else f", line {line}"
        raise SubmissionProblem(f"{path.name} cannot be imported: {type}{where}: {clean(text)}") from error
