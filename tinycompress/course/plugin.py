"""The pytest plugin: fixtures, markers, and what each test earned.

    submission   the functions of the submission      @pytest.mark.points(2)    what a test is worth
    reference    those of the solution (hidden tests) @pytest.mark.hidden       runs only after hand-in
    rng          a seeded numpy.random.Generator      @pytest.mark.public       students have this test, too
                                                      @pytest.mark.timeout(30)  seconds a call may take; default 10

In a students' folder, conftest.py loads it, and the functions of the file beside the tests run in this process.
`course grade` passes a `Session` instead, whose submission runs in the sandbox.
"""

import contextlib
import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from .exercise import Exercise
from .outcome import DOES_NOT_FIT, Partial, SubmissionProblem
from .run import NO_ASSERTS
from .sandbox.submission import InProcess, Submission, load_here, time_limit
from .sandbox.wire import WireError

EARNED, PARTIAL, FAILED, ERROR = "passed", "partial", "failed", "grader_error"
# What a test raises that computes with an answer of an unforeseen type, shape or value.
UNFORESEEN = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError, WireError)
MEMORY = 2 << 30  # bytes that a test may take in this process, beside what it has
SECONDS = 300  # for a test, with all calls of the submission


@dataclass
class TestResult:
    """One test's result: its name, a title that says what it checks, points, and a message that a student may read."""

    __test__ = False

    name: str
    title: str
    public: bool
    points: float
    earned: float
    outcome: str
    message: str
    staff: str = ""  # only for staff: the traceback of what the test raised, other than its verdict


@dataclass(eq=False)  # so that it can be hashed: pytest before 9.1 keeps plugins in a set
class Session:
    """One pytest run: the submission that its tests call, the seed, and the results."""

    submission: Submission | None = None  # None: the file beside the tests, in this process
    student: str = ""
    seed: str = "public"
    hidden: bool = True
    tests: Path | None = None  # the one file to collect; None: whatever pytest is asked for
    results: list[TestResult] = field(default_factory=list)
    exercises: list[str] = field(default_factory=list)  # the exercise that each result belongs to
    loaded: dict = field(default_factory=dict)

    def pytest_configure(self, config):
        config.stash[SESSION] = self

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path):
        """Leave out the files beside the tests at once: to look at each takes pytest a tenth of a run."""
        return True if self.tests and collection_path.name != self.tests.name else None


SESSION = pytest.StashKey[Session]()
REPORTED = pytest.StashKey[TestResult]()


def pytest_configure(config):
    if not __debug__:
        raise pytest.UsageError(NO_ASSERTS)
    config.addinivalue_line("markers", "points(n): what the test is worth")
    config.addinivalue_line("markers", "hidden: runs only after hand-in")
    config.addinivalue_line("markers", "public: students have this test, too")
    config.addinivalue_line("markers", "timeout(seconds): how long one call of the submission may take")
    if SESSION not in config.stash:
        config.stash[SESSION] = Session()


def pytest_collection_modifyitems(config, items):
    for item in items:
        if not exercise_of(item).solution.is_file():
            continue
        points, audience = _points(item), _audience(item)
        if points is None:
            raise pytest.UsageError(f"{item.nodeid}: give it @pytest.mark.points(n) with n above 0")
        if audience is None:
            raise pytest.UsageError(f"{item.nodeid}: mark it @pytest.mark.public or @pytest.mark.hidden, not both")
        if audience == "public" and "reference" in item.fixturenames:
            raise pytest.UsageError(f"{item.nodeid}: a public test has no reference, since students run it without one")
    if not config.stash[SESSION].hidden:
        items[:] = [item for item in items if _audience(item) == "public"]


def exercise_of(item) -> Exercise:
    """The exercise that a test belongs to: test_prune.py tests prune.py, beside it."""
    return Exercise(item.path.parent.name, item.path.stem.removeprefix("test_"), item.path.parent)


def _points(item) -> float | None:
    marks = list(item.iter_markers("points"))
    given = marks[0].args if len(marks) == 1 else ()
    good = len(given) == 1 and isinstance(given[0], int | float) and 0 < given[0] < float("inf")
    return float(given[0]) if good else None


def _audience(item) -> str | None:
    found = [name for name in ("public", "hidden") if item.get_closest_marker(name)]
    return found[0] if len(found) == 1 else None


# ---- fixtures ----


@pytest.fixture
def submission(request) -> Submission:
    """The submission: its attributes are the student's functions."""
    session, exercise = request.config.stash[SESSION], exercise_of(request.node)
    found = session.submission
    if found is None:
        found = _load(session, exercise)
    mark = request.node.get_closest_marker("timeout")
    found.timeout = float(mark.args[0]) if mark else 10.0
    return found


def _load(session, exercise) -> Submission:
    """The file beside the tests. If it could not be loaded, raise the same problem in each test."""
    if exercise.solution not in session.loaded:
        try:
            session.loaded[exercise.solution] = load_here(exercise.solution, exercise.may_import(), limited=True)
        except SubmissionProblem as problem:
            session.loaded[exercise.solution] = problem
    found = session.loaded[exercise.solution]
    if isinstance(found, SubmissionProblem):
        raise found
    return found


@pytest.fixture
def reference(request) -> Submission:
    """The solution, for hidden tests. It runs in this process; graded submissions never do."""
    return _solution(request.node)


def _solution(item) -> InProcess:
    from .exercise import load_module

    session, path = item.config.stash[SESSION], exercise_of(item).solution
    key = ("reference", path)
    if key not in session.loaded:
        session.loaded[key] = InProcess(load_module(path))
    return session.loaded[key]


@pytest.fixture
def rng(request) -> np.random.Generator:
    """A generator seeded by the test's name; in hidden tests also by the course's seed (and the student, if wanted)."""
    return _generator(request.node)


def _generator(item) -> np.random.Generator:
    session, public = item.config.stash[SESSION], _audience(item) == "public"
    parts = [exercise_of(item).id, item.name, *(() if public else (session.seed, session.student))]
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


# ---- what each test earned ----


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Bound what a test takes that computes with an answer: that of one hand-in must not stop the grading of all others.

    What runs into the bounds is a grader_error, since the machine may be short of memory or time for another reason.
    """
    if item.config.stash[SESSION].submission is None:  # a student's folder
        return (yield)
    with memory_limit(MEMORY), time_limit(SECONDS):
        return (yield)


@contextlib.contextmanager
def memory_limit(more: int):
    """Let this process take only so many bytes more in the block; no limit where the system has none."""
    try:
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError):
        yield
        return
    least = min(limit for limit in (taken + more, soft, hard) if limit != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if _points(item) is None or _audience(item) is None:
        return report
    failed = call.excinfo is not None
    if call.when == "call" or failed:
        result = _result(item, call.excinfo)
        before = item.stash.get(REPORTED, None)
        if before is None or result.outcome == ERROR:  # a fixture's teardown can fail after the test passed
            item.stash[REPORTED] = result
    if call.when == "teardown":
        found = item.stash.get(REPORTED, None) or _grader_error(item, "the test did not run")
        item.config.stash[SESSION].results.append(found)
        item.config.stash[SESSION].exercises.append(exercise_of(item).id)
    return report


def _result(item, excinfo) -> TestResult:
    points, public = _points(item), _audience(item) == "public"
    title = _title(item)

    def result(outcome, earned, message):
        return TestResult(item.name, title, public, points, round(earned, 4), outcome, message)

    if excinfo is None:
        return result(EARNED, points, "")
    error = excinfo.value
    if isinstance(error, Partial):
        return result(PARTIAL if error.share else FAILED, points * error.share, error.message)
    if isinstance(error, SubmissionProblem):
        return result(FAILED, 0.0, str(error) if public else error.hidden)
    if isinstance(error, AssertionError | pytest.fail.Exception):
        message = str(error).split("\nassert ")[0].strip()
        if not public:  # further lines, such as those of numpy.testing, may show the expected values
            message = message.partition("\n")[0]
        return result(FAILED, 0.0, message or f"this does not hold: {title}")
    staff = str(excinfo.getrepr(style="short"))
    if isinstance(error, UNFORESEEN) and _is_the_answers_fault(item):
        return dataclasses.replace(result(FAILED, 0.0, f"the result {DOES_NOT_FIT}"), staff=staff[-4000:])
    return _grader_error(item, staff)


def _is_the_answers_fault(item) -> bool:
    """Whether the test passes with the solution instead, so that what it raised is due to a wrong answer."""
    if "submission" not in item.funcargs:
        return False
    if item.config.stash[SESSION].submission is None:  # a student's folder, where there is no solution
        return True
    given = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    fresh = {"submission": _solution(item)} | ({"rng": _generator(item)} if "rng" in given else {})
    try:
        item.function(**given | fresh)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return False
    return True


def _grader_error(item, staff: str) -> TestResult:
    message = "this test could not be graded; a person will look at it"
    public = _audience(item) == "public"
    return TestResult(item.name, _title(item), public, _points(item), 0.0, ERROR, message, staff[-4000:])


def _title(item) -> str:
    """What a test checks, in words: the first line of its docstring, or else its name; and which case, if parametrized."""
    doc = (item.function.__doc__ or "").strip()
    title = doc.splitlines()[0].rstrip(".") if doc else item.originalname.removeprefix("test_").replace("_", " ")
    case = getattr(item, "callspec", None)
    return f"{title} ({case.id})" if case else title


def pytest_terminal_summary(terminalreporter, config):
    session = config.stash[SESSION]
    found = {}
    for exercise, result in zip(session.exercises, session.results, strict=True):
        if result.public:
            found.setdefault(exercise, []).append(result)
    if not found or session.submission is not None:
        return
    terminalreporter.write_sep("=", "your exercises")
    for exercise, results in found.items():
        terminalreporter.write_line(f"{exercise}: {_public_checks(results)}")
        for result in results:
            if result.outcome != EARNED:
                terminalreporter.write_line(f"  {result.title}: {result.message}"[:500])
    every = [result for results in found.values() for result in results]
    terminalreporter.write_line(f"public checks {_public_checks(every)}; hidden checks run after hand-in")


def _public_checks(results) -> str:
    passed = sum(result.outcome == EARNED for result in results)
    points, earned = sum(r.points for r in results), sum(r.earned for r in results)
    return f"{passed}/{len(results)} ({earned:g} of {points:g} points)"
