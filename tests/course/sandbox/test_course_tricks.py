"""More that hostile submissions try, in the real sandbox: on the wire, with signals and threads, and against neighbours."""

import os
import select
import time

import numpy as np
import pytest
from course_class import walls

from tinycompress.course import SubmissionProblem, SubmissionRaised, expect_close, expect_equal, expect_error

# ---- on the wire ----

RAW = """
import os, sys, threading, time
replies = int(sys.argv[2])
def frame(text):
    data = text if isinstance(text, bytes) else text.encode()
    return len(data).to_bytes(8, 'little') + data
def f(text):
    os.write(replies, frame(text))
    os._exit(0)
def g(x): return x
"""
BODIES = {
    "a key twice": '{"arrays": 0, "arrays": 1, "body": {"t": [1, "value", {"a": 0}, []]}}',
    "two tags": '{"arrays": 0, "body": {"t": [1, "value", 1, []], "d": []}}',
    "no tag": '{"arrays": 0, "body": {"t": [1, "value", {}, []]}}',
    "count true": '{"arrays": true, "body": {"t": [1, "value", 1, []]}}',
    "count 1e0": '{"arrays": 1e0, "body": {"t": [1, "value", 1, []]}}',
    "a number of 5000 digits": '{"arrays": 0, "body": {"t": [1, "value", ' + "9" * 5000 + ", []]}}",
    "a float for the number": '{"arrays": 0, "body": {"t": [1.0, "value", 1, []]}}',
    "a list as a key": '{"arrays": 0, "body": {"t": [1, "value", {"d": [[[], 1]]}, []]}}',
    "ten thousand brackets": '{"arrays": 0, "body": {"t": [1, "value", ' + "[" * 10_000 + "]" * 10_000 + ", []]}}",
    "utf-16": '{"arrays": 0, "body": {"t": [1, "value", 1, []]}}'.encode("utf-16"),
    "half a surrogate pair": '{"arrays": 0, "body": {"t": [1, "value", "\\ud800", []]}}',
    "more after the end": '{"arrays": 0, "body": {"t": [1, "value", 1, []]}} {}',
}


@walls
@pytest.mark.parametrize("text", BODIES.values(), ids=BODIES)
def test_text_that_only_looks_like_a_message_is_refused(submit, text):
    submission = submit(RAW)
    with pytest.raises(SubmissionProblem, match="f sent|f ended"):
        submission.f(text if isinstance(text, bytes) else text.encode())
    assert submission.g(1) == 1  # the next worker is as good as new


EARLY = (
    RAW
    + """
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
import wire
def early(x):
    reply = wire.pack(wire.dumps((2, 'value', 42, [])))
    threading.Timer(0.2, os.write, (replies, reply)).start()
    return 1
def slow(x):
    time.sleep(0.5)
    return x
"""
)


@walls
def test_an_answer_that_is_sent_before_the_question_is_not_taken(submit):
    """It would have been computed in no time."""
    submission = submit(EARLY)
    assert submission.early(1) == 1
    assert select.select([submission._worker._replies], [], [], 5)[0]
    with pytest.raises(SubmissionProblem, match="slow sent a reply that nobody asked for"):
        submission.slow(2)
    assert submission.slow(3) == 3 and submission.elapsed >= 0.5


@walls
def test_a_worker_that_ends_between_two_calls_is_gone(submit):
    submission = submit(
        "import os, threading\ndef f():\n    threading.Timer(0.1, os._exit, (0,)).start()\n    return 1\n"
    )
    assert submission.f() == 1
    assert select.select([submission._worker._replies], [], [], 5)[0]
    with pytest.raises(SubmissionProblem, match="f ended its process"):
        submission.f()
    assert submission.f() == 1


# ---- values ----

ODD = """
import asyncio, collections, enum, types
import numpy as np
class Float(float):
    def __eq__(self, other): return True
    def __float__(self): return 3.0
class Scalar(np.float64):
    def item(self): return Float(9)
    def __eq__(self, other): return True
class Number(enum.IntEnum):
    ONE = 1
Pair = collections.namedtuple('Pair', 'a b')
async def coroutine(x): return x
def iterator(x): return iter(x)
def mapped(x): return map(float, x)
def span(x): return range(3)
def unordered(x): return {0, 1, 2}
def view(x): return {0: 1}.keys()
def proxy(x): return types.MappingProxyType({})
def pair(x): return Pair(0, 1)
def number(x): return Number.ONE
def real(x): return Float(1)
def scalar(x): return Scalar(1)
def buffer(x): return memoryview(x)
def record(x): return np.zeros(3, [('a', float)])
def date(x): return np.zeros(3, 'M8[s]')
def text(x): return np.array(['0', '1', '2'])
def function(x): return function
"""


@walls
def test_what_is_no_plain_value_is_refused_at_every_kind(submit):
    submission = submit(ODD)
    for name in ODD.split("def ")[1:]:
        name = name.partition("(")[0]
        if not name.startswith("__") and name != "item":
            with pytest.raises(SubmissionProblem, match=f"{name} returned .*|{name} raised"):
                getattr(submission, name)(np.arange(3.0))


MASKED = """
import numpy as np
class Sly(np.ma.MaskedArray):
    def __eq__(self, other): return np.ma.masked
class Zero(np.matrix):
    def __array__(self, *a, **k): return np.zeros((1, 3))
def masked(x): return Sly(np.full(3, 7.0), mask=True)
def matrix(x): return np.matrix([7.0, 7.0, 7.0])
def patched(x):
    np.allclose = np.array_equal = np.isclose = lambda *a, **k: True
    np.seterr(all='ignore')
    np.abs = np.subtract = lambda *a, **k: np.zeros(3)
    np.set_printoptions(threshold=0)
    return np.full(3, 7.0)
def dictionary(x): return {1: 'a', True: 'b', 1.0: 'c', float('nan'): 0}
"""


@walls
def test_arrays_that_hide_elements_and_a_patched_numpy_compare_as_what_they_hold(submit):
    submission, right = submit(MASKED), np.arange(3.0)
    before = np.geterr(), np.get_printoptions()
    for name in "masked", "matrix", "patched":
        value = getattr(submission, name)(right)
        assert type(value) is np.ndarray and (value == 7).all()
        with pytest.raises(AssertionError):
            expect_close(value, right, "not equal")
        with pytest.raises(AssertionError):
            expect_equal(value, right, "not equal")
    assert not np.allclose(right, 7) and (np.geterr(), np.get_printoptions()) == before
    assert len(submission.dictionary(right)) == 2


@walls
def test_an_array_that_changes_after_it_was_returned_has_been_sent(submit):
    source = """
import threading, time
import numpy as np
def f(x):
    result = np.zeros(1000)
    def change():
        while True: result[:] = 1
    threading.Timer(0.05, change).start()
    return result
"""
    submission = submit(source)
    value = submission.f(1)
    time.sleep(0.3)
    assert not value.any()


# ---- errors ----


@walls
def test_an_exception_counts_by_what_it_is_and_not_by_its_name(submit):
    source = """
class Mine(Exception): pass
Mine.__name__ = Mine.__qualname__ = 'ValueError'
class Endless(ValueError):
    def __str__(self):
        while True: pass
class Broken(ValueError):
    def __str__(self): raise SystemExit
class Long(ValueError): pass
def mine(): raise Mine('x')
def endless(): raise Endless
def broken(): raise Broken
def long(): raise Long('x' * 10_000_000)
def group(): raise ExceptionGroup('x', [ValueError('y')])
def stop(): raise GeneratorExit
"""
    submission = submit(source)
    submission.timeout = 2
    for name in "mine", "endless", "group", "stop":
        with pytest.raises(SubmissionProblem):
            expect_error(ValueError, getattr(submission, name))
    expect_error(ValueError, submission.broken)
    with pytest.raises(SubmissionRaised) as raised:
        submission.long()
    assert raised.value.type == "ValueError" and len(str(raised.value)) < 500


# ---- signals, traces, clocks, limits ----


@walls
def test_a_process_that_stops_itself_or_blocks_every_signal_costs_only_its_own_time(submit):
    source = """
import os, signal, time
def stop(): os.kill(os.getpid(), signal.SIGSTOP)
def block():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    for number in range(1, 32):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True: time.sleep(1)
def alarm():
    signal.signal(signal.SIGALRM, lambda *a: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(1)
def fine(): return 1
"""
    submission = submit(source)
    submission.timeout = 1
    for name in "stop", "block", "alarm":
        start = time.monotonic()
        with pytest.raises(SubmissionProblem):
            getattr(submission, name)()
        assert time.monotonic() - start < 15
        submission.timeout = 10
        assert submission.fine() == 1
        submission.timeout = 1


@walls
def test_a_trace_of_the_worker_finds_no_expectation_and_changes_no_call(submit):
    source = """
import sys, threading
seen = []
def trace(frame, event, given):
    seen.append(sorted(frame.f_locals))
    return trace
def start():
    sys.settrace(trace)
    sys.setprofile(trace)
    threading.settrace(trace)
    frame = sys._getframe()
    while frame:
        frame.f_trace = trace
        frame = frame.f_back
def f(x): return x + 1
def names():
    sys.settrace(None)
    sys.setprofile(None)
    return sorted({name for names in seen for name in names})[:200]
"""
    submission = submit(source)
    submission.start()
    assert submission.f(1) == 2
    names = set(submission.names())
    assert names and not {"expected", "reference", "rng", "seed", "tests", "submission"} & names


@walls
def test_neither_clock_nor_priority_nor_limits_can_be_changed(submit):
    source = """
import ctypes, os, resource, struct, time
libc = ctypes.CDLL(None, use_errno=True)
def settime(): time.clock_settime(time.CLOCK_REALTIME, 0)
def adjust(): return libc.adjtime(struct.pack('=qq', 100, 0), None)
def fast(): os.setpriority(os.PRIO_PROCESS, 0, -20)
def first(): os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
def of_grader(): os.sched_setaffinity(os.getppid() or 1, {0})
def memory(): resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
def locked(): resource.setrlimit(resource.RLIMIT_RTPRIO, (99, 99))
"""
    submission = submit(source)
    for name in "settime", "fast", "first", "memory", "locked":
        with pytest.raises(SubmissionRaised, match="PermissionError|OSError|ValueError"):
            getattr(submission, name)()
    assert submission.adjust() == -1


@walls
def test_only_its_two_pipes_are_open(submit):
    source = """
import os, stat, sys
def opened():
    found = {}
    for number in range(1024):
        try: found[number] = stat.S_IFMT(os.fstat(number).st_mode)
        except OSError: pass
    return found
def pipes(): return [int(sys.argv[1]), int(sys.argv[2])]
def by_name():
    try: return os.listdir('/proc/self/fd')
    except OSError: return []
"""
    submission = submit(source)
    assert set(submission.opened()) == {0, 1, 2, *submission.pipes()}
    assert submission.by_name() == [] or len(submission.by_name()) <= 6


@walls
def test_hooks_environment_and_locale_stay_in_their_process(submit):
    source = """
import builtins, gc, json, locale, os, sys, warnings
class Finder:
    def find_spec(self, name, path=None, target=None): raise ImportError('hooked')
sys.meta_path.insert(0, Finder())
sys.path_hooks.insert(0, lambda path: Finder())
sys.excepthook = sys.unraisablehook = lambda *a: os._exit(0)
builtins.len = lambda x: 0
json.dumps = lambda *a, **k: '{"arrays": 0, "body": {"t": [1, "value", 1, []]}}'
os.environ.update(PYTHONHASHSEED='1', PYTEST_ADDOPTS='--collect-only', LANG='tr_TR.UTF-8', TZ='Asia/Tokyo')
warnings.simplefilter('error')
gc.disable()
def f(x): return x
"""
    before = dict(os.environ)
    submission = submit(source)
    with pytest.raises(SubmissionProblem):
        submission.f([1, 2, 3])
    assert dict(os.environ) == before and len([1]) == 1
    assert submit("def f(x): return x").f([1, 2, 3]) == [1, 2, 3]


# ---- honest neighbours ----

HONEST = """
import numpy as np
def f(x):
    np.save('/tmp/mine.npy' if __file__.startswith('/submission') else 'mine.npy', x)
    return x + 1
"""
HOSTILE = {
    "kills all": "import os, signal; os.kill(-1, signal.SIGKILL)",
    "stops all": "import os, signal; os.kill(-1, signal.SIGSTOP)",
    "kills the group": "import os, signal; os.killpg(0, signal.SIGKILL)",
    "takes all memory": "x = [bytearray(1 << 20) for _ in range(1 << 20)]",
    "fills the disk": """
    import os
    for n in range(200):
        with open(f'{os.environ.get("TMPDIR", "/tmp")}/{n}', 'wb') as file: file.write(bytes(8 << 20))""",
    "recurses": "import sys; sys.setrecursionlimit(1 << 30); f()",
    "spins": """
    import hashlib, threading
    def spin():
        while True: hashlib.pbkdf2_hmac('sha256', b'x', b'y', 10_000)
    for _ in range(8): threading.Thread(target=spin, daemon=True).start()""",
}


@walls
@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_a_neighbour_that_is_running_already_goes_on(submit, code):
    honest, hostile = submit(HONEST), submit(f"def f():\n    {code}\n")
    hostile.timeout = 3
    assert honest.f(1) == 2
    process = honest._worker
    try:
        hostile.f()
    except SubmissionProblem:
        pass
    honest.timeout = 30
    assert honest.f(2) == 3 and honest._worker is process
