"""Run an exercise's tests against a submission, in this process, and collect their results."""

import contextlib
import importlib.util
import io
import os
import sys
import threading
from unittest import mock

from .exercise import CourseProblem, Exercise

# Parts of pytest that grading does not need; without them a run takes a third of the time.
UNUSED = (
    *("cacheprovider", "debugging", "doctest", "faulthandler", "junitxml", "legacypath", "logging", "pastebin"),
    *("recwarn", "setuponly", "setupplan", "stepwise", "threadexception", "unraisableexception", "warnings"),
)

# With these set, pytest compares unequal lists line by line, which takes minutes for thousands of numbers. It does so even
# with --assert=plain where the caller is a test, whose pytest rewrites the asserts of all files called test_*.py.
IN_A_PIPELINE = ("CI", "BUILD_NUMBER")

_one_at_a_time = threading.Lock()  # pytest changes sys.stdout and os.environ while it runs


NO_ASSERTS = "Python leaves out every assert here, so all tests would pass: run it without -O, and unset PYTHONOPTIMIZE"


def require_pytest() -> None:
    """Raise CourseProblem if pytest is not installed, or if its tests could not fail."""
    if not __debug__:
        raise CourseProblem(NO_ASSERTS)
    if importlib.util.find_spec("pytest") is None:
        raise CourseProblem(
            'exercises need pytest, which is not installed: run pip install "tinycompress[course]", or pip install pytest'
        )


def run_tests(
    exercise: Exercise, submission, seed: str = "public", student: str = "", hidden: bool = True, stop=False
) -> list:
    """A `plugin.TestResult` for each test, in the order of the file; hidden tests only if `hidden`.

    stop: whether to leave out the tests after the first that does not earn all its points.
    submission: a `Submission`; None runs the file beside the tests, in this process. Configuration files, conftest.py and
    other plugins are ignored. Raises CourseProblem if the tests cannot be collected, or there are none.
    """
    require_pytest()
    import pytest

    from . import plugin

    session = plugin.Session(submission, student, seed, hidden, exercise.tests)
    arguments = [
        str(exercise.tests),
        f"--rootdir={exercise.folder}",
        f"--config-file={os.devnull}",
        *("--noconftest", "--import-mode=importlib", "--strict-markers", "--assert=plain", "--capture=no", "-q"),
        "--tb=native",  # a traceback that nobody reads should cost little
        *(f"-pno:{name}" for name in UNUSED),
        *("-p", plugin.__name__),
        *(["--maxfail=1"] if stop else []),
    ]
    output = io.StringIO()
    with _one_at_a_time, mock.patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_ADDOPTS=""):
        for name in IN_A_PIPELINE:
            os.environ.pop(name, None)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = pytest.main(arguments, plugins=[session])
        for name, module in list(sys.modules.items()):  # so that the next run reads the file again
            if getattr(module, "__file__", None) == str(exercise.tests):
                del sys.modules[name]
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or not session.results:
        none = code == pytest.ExitCode.NO_TESTS_COLLECTED
        reason = "there are no tests in it" if none else output.getvalue().strip()[-2000:]
        raise CourseProblem(f"{exercise.id}: {exercise.tests.name}: {reason}")
    return session.results


def total(results: list) -> tuple[float, float]:
    """(points earned, points possible)."""
    return round(sum(r.earned for r in results), 4), round(sum(r.points for r in results), 4)
