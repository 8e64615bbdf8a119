"""A submission as tests see it: `submission.prune(w, 0.5)` calls the student's function with copies and returns copies.

Here it runs in this process: the student's own loop, and the author's `course check`. `workers.py` has the one that
grades, whose calls run in the sandbox. Both speak through `wire.py`, so that what works here works there.
"""

import ast
import builtins
import contextlib
import signal
import sys
import threading
import time
from pathlib import Path

from ..exercise import load_module
from ..outcome import SubmissionProblem, SubmissionRaised
from . import wire
from .worker import describe_error

MAX_SHOWN = 300  # characters of a student's own message that are passed on
LOAD_SECONDS = 20


class TookTooLong(BaseException):
    """No answer within the time. No `except Exception` of the code that is stopped by it should hold it up."""


@contextlib.contextmanager
def time_limit(seconds: float):
    """Raise TookTooLong in the block when the seconds are over, where there is SIGALRM and this is the main thread.

    Only Python code is stopped: a compiled loop that never ends goes on.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        if sys.gettrace() is None:  # whoever looks at it in a debugger takes the time that they need
            raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds, 1)  # and each second again, should it be caught
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:  # also when the alarm goes off just as the line above would have stopped it
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Submission:
    """Attributes are the student's functions. `elapsed`: seconds of the last call, by the grader's clock."""

    def __init__(self):
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
        """End what belongs to it."""


class InProcess(Submission):
    """Runs the functions of a module in this process, without any protection: only for code that one trusts.

    limited: whether a call is stopped after its `timeout`, as in the sandbox.
    """

    def __init__(self, module, limited: bool = False):
        super().__init__()
        self._module, self._limited = module, limited

    def _call(self, function, arguments, keywords):
        __tracebackhide__ = True
        callee = getattr(self._module, function, None)
        if not callable(callee):
            raise SubmissionProblem(f"there is no function {function} in your file")
        arguments, keywords = wire.loads(wire.dumps((arguments, keywords)))
        start = time.perf_counter()
        try:
            with time_limit(self.timeout) if self._limited else contextlib.nullcontext():
                result = callee(*arguments, **keywords)
        except TookTooLong:
            raise SubmissionProblem(f"{function} took longer than {self.timeout:.3g} s") from None
        except NotImplementedError as error:
            raise raised(function, *describe_error(error, self._module.__file__)) from None
        except Exception as error:
            raise raised(function, *describe_error(error, self._module.__file__)) from error
        finally:
            self.elapsed = time.perf_counter() - start
        try:
            return wire.loads(wire.dumps(result))
        except wire.WireError as error:
            raise SubmissionProblem(f"{function} returned {error}") from error


def raised(function: str, type: str, text: str, line: int | None) -> SubmissionRaised:
    """The problem to report for an exception inside the student's function."""
    known = isinstance(getattr(builtins, type, None), builtins.type)
    return SubmissionRaised(function, type if known else "Exception", clean(text), line)


def clean(text: str) -> str:
    """A student's text for one line of a report: no control characters, of a bounded length."""
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_SHOWN])
    return " ".join(shown.split())[:MAX_SHOWN]


def load_here(path: Path, may_import: tuple[str, ...], limited: bool = False) -> InProcess:
    """The submission in this file, to be run in this process. Raises SubmissionProblem where it cannot be loaded.

    limited: whether it, and its calls, are stopped when they take too long.
    """
    if not path.is_file():
        raise SubmissionProblem(f"there is no file {path.name}")
    check_imports(path, may_import)
    try:
        with time_limit(LOAD_SECONDS) if limited else contextlib.nullcontext():
            return InProcess(load_module(path), limited)
    except TookTooLong:
        raise SubmissionProblem(f"{path.name} cannot be imported: it takes longer than {LOAD_SECONDS} s") from None
    except Exception as error:
        type, text, line = describe_error(error, str(path))
        where = "" if line is None else f", line {line}"
        raise SubmissionProblem(f"{path.name} cannot be imported: {type}{where}: {clean(text)}") from error


def check_imports(path: Path, may_import: tuple[str, ...]) -> None:
    """Say before a hand-in what the sandbox would only show as a missing module. A courtesy, not a defence."""
    from ..allowed import modules

    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return  # the import says it better
    allowed = modules(may_import)
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
            if node.module == "tinycompress":
                names = [f"tinycompress.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "tinycompress" and (not allowed or (len(parts) > 1 and parts[1] not in allowed)):
                there = "only NumPy" if not allowed else f"NumPy and, of tinycompress, {', '.join(sorted(allowed))}"
                raise SubmissionProblem(
                    f"{path.name}, line {node.lineno}: {name} may not be imported in this exercise; there is {there}"
                )
