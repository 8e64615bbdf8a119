"""What hostile submissions try, in the real sandbox: no point that is not earned, nothing seen, nothing left behind."""

import os
import socket
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from pathlib import Path

import numpy as np
import pytest
from course_class import SOLUTION, write_exercise

from tinycompress.course import SubmissionProblem, SubmissionRaised, expect_array, expect_close, expect_number, sandbox
from tinycompress.course.collect import MAX_SOURCE, HandIn, Refused, find_handins
from tinycompress.course.exercise import CourseProblem
from tinycompress.course.grade import grade_one, make_tasks
from tinycompress.course.sandbox import Kit, readable
from tinycompress.course.workers import InWorkers

LEVEL = sandbox.level()
inside = pytest.mark.skipif(LEVEL.name != "bubblewrap", reason=f"no sandbox here: {LEVEL.detail}")


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return Kit.make((), tmp_path_factory.mktemp("kit") / "kit")


@pytest.fixture
def submit(kit, tmp_path):
    """Make a submission of this source; its functions run in the sandbox."""
    made = []

    def submit(source, kit=kit):
        name = f"answer_{uuid.uuid4().hex}.py"
        folder = tmp_path / f"submission{len(made)}"
        folder.mkdir()
        (folder / name).write_bytes(source if isinstance(source, bytes) else source.encode())
        readable(folder)
        made.append(InWorkers(kit, folder, name))
        return made[-1]

    yield submit
    for submission in made:
        submission.close()


def graded(tmp_path, source, **files):
    """The record of one hand-in for the exercise toy/keep, with whatever other files it has."""
    exercise = write_exercise(tmp_path)
    handin = tmp_path / "class" / "eve"
    (handin / "toy").mkdir(parents=True)
    for name, content in {"toy/keep.py": source, **files}.items():
        path = handin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (task,) = make_tasks(find_handins(tmp_path / "class"), [exercise], "seed", False, LEVEL.name)
    record = grade_one(task)
    assert record["error"] == ""
    return record


def points(record):
    return sum(result["earned"] for result in record["results"])


# ---- ending the process, and answering for it ----

EXITS = [
    "import os; os._exit(0)",
    "import sys; sys.exit(0)",
    "raise SystemExit",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "import ctypes; ctypes.string_at(0)",
    "import atexit; atexit.register(lambda: __import__('os').write(int(__import__('sys').argv[2]), b'x' * 99)); exit()",
]


@inside
@pytest.mark.parametrize("code", EXITS)
def test_ending_the_process_is_no_answer(submit, code):
    at_import = submit(code)
    with pytest.raises(SubmissionProblem, match="cannot be imported"):
        at_import.f()
    with pytest.raises(SubmissionProblem, match="cannot be imported"):  # and is not tried again and again
        at_import.f()
    in_call = submit(f"def f():\n    {code}\ndef fine():\n    return 1\n")
    with pytest.raises(SubmissionProblem, match="f (ended its process|raised)"):
        in_call.f()
    assert in_call.fine() == 1  # one crash does not sink the rest


FORGE = """
import os, sys
replies, requests = int(sys.argv[2]), int(sys.argv[1])
sys.path.insert(0, '/runner')
import wire
def f(*a):
    {}
"""
FORGERIES = {
    "extra": "os.write(replies, wire.pack(wire.dumps((1, 'value', 'forged')))); return 1",
    "another number": "os.write(replies, wire.pack(wire.dumps((7, 'value', 1)))); os._exit(0)",
    "number true": "os.write(replies, wire.pack(wire.dumps((True, 'value', 1)))); os._exit(0)",
    "unknown kind": "os.write(replies, wire.pack(wire.dumps((1, 'passed', 10)))); os._exit(0)",
    "no tuple": "os.write(replies, wire.pack(wire.dumps('passed'))); os._exit(0)",
    "half": "os.write(replies, wire.pack(wire.dumps((1, 'value', 1)))[:-3]); os._exit(0)",
    "half length": "os.write(replies, b'123'); os._exit(0)",
    "huge": "os.write(replies, (1 << 62).to_bytes(8, 'little') + b'0' * 1000); os._exit(0)",
    "pickle": "import pickle; p = pickle.dumps(print); os.write(replies, len(p).to_bytes(8, 'little') + p); os._exit(0)",
    "closed": "os.close(replies); os.close(requests)",
    "flood": "\n    while True: os.write(replies, b'0' * 65536)",
}


@inside
@pytest.mark.parametrize("code", FORGERIES.values(), ids=FORGERIES)
def test_forged_answers_are_noticed(submit, code):
    submission = submit(FORGE.format(code))
    submission.timeout = 3
    with pytest.raises(SubmissionProblem):
        submission.f(1)
        submission.f(1)  # one answer too many may be on its way still while the first one is read


@inside
def test_no_answer_in_time_is_no_answer_and_not_waited_for_again_and_again(submit):
    submission = submit(
        "import time\ndef loop():\n    while True: pass\n"
        "def sleep():\n    time.sleep(1e6)\ndef deaf():\n    import os, sys; os.read(int(sys.argv[1]), 1)\n"
    )
    submission.timeout = 0.5
    for function in "loop", "sleep", "deaf":
        for _ in range(2):
            with pytest.raises(SubmissionProblem, match="took longer than 0.5 s"):
                getattr(submission, function)()
        with pytest.raises(SubmissionProblem, match="was not called again"):
            getattr(submission, function)()


# ---- values that pretend ----

PRETENDERS = """
import numpy as np
class Equal:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: False
class Sly(np.ndarray):
    def __eq__(self, other): return np.ones(self.shape, bool)
    def __array_ufunc__(self, *a, **k): return np.True_
class Text(str):
    def __eq__(self, other): return True
def equal(x): return Equal()
def sly(x): return np.zeros(3).view(Sly)
def objects(x): return np.array([Equal()] * 3, object)
def text(x): return Text('no')
def nested(x): return {'a': (Equal(),)}
def bad_shape(x): return np.zeros((3, 1))
def bad_kind(x): return np.zeros(3, complex)
def nan(x): return x * np.nan
def none(x): return None
def yes(x): return True
def generator(x): yield 1
"""


@inside
def test_objects_that_pretend_to_be_equal_arrive_as_plain_values_or_not_at_all(submit):
    submission, right = submit(PRETENDERS), np.arange(3.0)
    sly = submission.sly(right)
    assert type(sly) is np.ndarray and not (sly == right).all()
    for name in "equal", "objects", "text", "nested", "generator":
        with pytest.raises(SubmissionProblem, match=f"{name} returned .* cannot be sent"):
            getattr(submission, name)(right)
    for name in "sly", "bad_shape", "bad_kind", "nan", "none", "yes":
        with pytest.raises(AssertionError):
            expect_close(getattr(submission, name)(right), right, "not equal")
        with pytest.raises(AssertionError):
            expect_number(getattr(submission, name)(right))
    with pytest.raises(AssertionError, match="NaN"):
        expect_array(submission.nan(right), (3,))


# ---- looking around ----

LOOK = """
import gc, inspect, os, sys
def strings(reversed_secret):
    secret = reversed_secret[::-1]
    found, frame = [], sys._getframe()
    while frame is not None:
        found += [name for name, value in frame.f_locals.items() if name != 'secret' and secret in repr(value)[:9999]]
        found += [frame.f_code.co_filename]
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, (dict, list)):
            for value in (thing.values() if isinstance(thing, dict) else thing):
                if type(value) is str and value != secret and secret in value:
                    found.append(value)
    return found
def files(parts):
    found = []
    for folder, folders, names in os.walk('/'):
        found += [os.path.join(folder, name) for name in names + folders if any(part in name for part in parts)]
    return found
def read(path):
    with open(path, 'rb') as file:
        return file.read(100)
def write(path):
    with open(path, 'w') as file:
        file.write('x')
def listing(path): return sorted(os.listdir(path))
def modules(): return [name for name in sys.modules if name.split('.')[0] in ('tinycompress', 'pytest', '_pytest', 'worker')]
def environment(): return dict(os.environ)
def processes(): return [pid for pid in range(2, 40000) if _alive(pid)]
def _alive(pid):
    try:
        os.kill(pid, 0)
        return pid != os.getpid()
    except OSError as error:
        return error.errno != 3
def identity(): return [os.getuid(), os.geteuid(), os.getgid()] + os.getgroups()
"""


@inside
def test_neither_tests_nor_reference_nor_anything_of_the_host_can_be_seen(submit, tmp_path):
    secret = f"secret{uuid.uuid4().hex}"
    exercise = write_exercise(tmp_path)
    tmp_path.joinpath("gradebook.jsonl").write_text(secret)
    readable(tmp_path)
    submission = submit(LOOK)
    submission.timeout = 60
    assert set(submission.strings(secret[::-1])) <= {f"/submission/{submission._file}", "/runner/worker.py"}
    assert submission.files(["n_of_m", "test_keep.py", "course_class", "gradebook", "tinycompress", "id_rsa"]) == []
    assert submission.listing("/submission") == [submission._file]
    assert submission.listing("/runner") == ["wire.py", "worker.py"]
    assert submission.modules() == [] and submission.processes() == [] and 0 not in submission.identity()
    assert set(submission.environment()) == {*sandbox._quiet_environment(), "PWD"}
    for path in (
        tmp_path / "gradebook.jsonl",
        exercise.tests,
        __file__,
        "/etc/passwd",
        "/proc/self/mountinfo",
        "/proc/1/root",
    ):
        with pytest.raises(SubmissionRaised, match="FileNotFoundError"):
            submission.read(str(path))
    for path in (
        "/x",
        "/usr/x",
        f"/submission/{submission._file}",
        "/runner/worker.py",
        "/site/x",
        f"{sys.base_prefix}/x",
        "/dev/x",
    ):
        with pytest.raises(SubmissionRaised, match="OSError|PermissionError"):
            submission.write(path)


@inside
def test_an_exercise_sees_only_the_modules_it_allows(submit, tmp_path):
    source = "import importlib\ndef f(name):\n    importlib.import_module(name)\n"
    source += "def g():\n    import tinycompress as tc\n    return tc.functional.relu(tc.Tensor([-1.0, 2.0])).data\n"
    engine = submit(source, kit=Kit.make(("engine",), tmp_path / "kit"))
    assert engine.g().tolist() == [0, 2]
    for name in (
        "pruning",
        "quantization",
        "course",
        "lecture",
        "course.exercises",
        "kernels.huffman",
        "kernels.clusters",
    ):
        with pytest.raises(SubmissionRaised, match="ModuleNotFoundError"):
            engine.f(f"tinycompress.{name}")
    with pytest.raises(SubmissionRaised, match="ModuleNotFoundError"):
        submit(source).g()


@inside
def test_there_is_no_network(submit):
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = (
            "import socket\ndef connect(port):\n    socket.create_connection(('127.0.0.1', port), 2)\n"
            "def names():\n    return [name for _, name in socket.if_nameindex()]\n"
        )
        submission = submit(source)
        with pytest.raises(SubmissionRaised, match="OSError|ConnectionRefusedError"):
            submission.connect(server.getsockname()[1])
        assert submission.names() == ["lo"]


@inside
def test_no_new_rights_can_be_had(submit):
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def mount(): return libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)
def remount(): return libc.mount(None, b'/', None, 32, None)
def unshare(): return libc.unshare(0x10000000)
def chroot(): return libc.chroot(b'/tmp')
def root(): return libc.setuid(0)
def limits():
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
def device(): os.mknod('/tmp/device', 0o60600, 0x800)
"""
    submission = submit(source)
    for name in "mount", "remount", "unshare", "chroot", "root":
        assert getattr(submission, name)() == -1, name
    with pytest.raises(SubmissionRaised, match="ValueError|PermissionError"):
        submission.limits()
    with pytest.raises(SubmissionRaised, match="PermissionError"):
        submission.device()


# ---- too much of everything ----

FLOODS = """
import os, sys, threading, time
import numpy as np
def array(): return np.ones(10**9).sum()
def large_answer(): return np.zeros(2 * 10**7)
def long_answer(): return ['x' * 1000] * 10**6
def memory():
    kept = []
    while True: kept.append(bytearray(10**8))
def output():
    for _ in range(2000): print('x' * 10**5); sys.stderr.write('y' * 10**5)
    os.write(1, b'z' * 10**6)
    return 1
def one_file():
    with open('/tmp/big', 'wb') as file:
        while True: file.write(bytes(10**6))
def files():
    for number in range(10**6):
        with open(f'/tmp/{number}', 'wb') as file: file.write(bytes(4 * 10**6))
def descriptors():
    kept = []
    while True: kept.append(open('/dev/null'))
def recursion(n=0): return recursion(n + 1)
def forks():
    while True:
        if os.fork() == 0: time.sleep(1e6)
def threads():
    while True: threading.Thread(target=time.sleep, args=(1e6,)).start()
"""


@inside
@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("array", "MemoryError"),
        ("large_answer", "cannot be sent|too large|ended its process"),
        ("long_answer", "too long|MemoryError|ended its process"),
        ("memory", "MemoryError|ended its process"),
        ("one_file", "OSError|ended its process"),
        ("files", "OSError"),
        ("descriptors", "OSError"),
        ("recursion", "RecursionError"),
        ("forks", "OSError|took longer|BlockingIOError"),
        ("threads", "RuntimeError|took longer"),
    ],
)
def test_too_much_of_anything_ends_with_that_submission(submit, function, words):
    submission = submit(FLOODS)
    submission.timeout = 8 if function in ("forks", "threads") else 60
    with pytest.raises(SubmissionProblem, match=words):
        getattr(submission, function)()
    submission.close()
    assert all_gone(submission)


@inside
def test_what_is_printed_goes_nowhere(submit, capfd):
    assert submit(FLOODS).output() == 1
    assert capfd.readouterr() == ("", "")


def running(submission):
    """Processes of this machine that belong to the submission: the name of its file is in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if submission._file.encode() in path.read_bytes() and path.parent.name != str(os.getpid()):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def all_gone(submission):
    """Whether they go; the kernel kills them, and may need a moment."""
    deadline = time.monotonic() + 20
    while running(submission) and time.monotonic() < deadline:
        time.sleep(0.05)
    return running(submission) == []


@inside
def test_nothing_that_a_submission_starts_outlives_it(submit):
    source = """
import os, time
def daemons():
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for descriptor in range(3, 64):
                    try: os.close(descriptor)
                    except OSError: pass
                while True: time.sleep(1)
            os._exit(0)
    return 1
"""
    submission = submit(source)
    assert submission.daemons() == 1
    assert len(running(submission)) >= 3
    submission.close()
    assert all_gone(submission)


@inside
def test_nothing_outlives_a_grader_that_is_killed(kit, tmp_path):
    name = f"orphan_{uuid.uuid4().hex}.py"
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / name).write_text("import time\ndef f():\n    time.sleep(1e6)\n")
    readable(folder)
    program = (
        "import time; from pathlib import Path; from tinycompress.course.sandbox import Kit\n"
        "from tinycompress.course.workers import InWorkers\n"
        f"s = InWorkers(Kit(Path({str(kit.folder)!r})), Path({str(folder)!r}), {name!r})\n"
        "s._loaded(); print('loaded', flush=True); time.sleep(1e6)"
    )
    grader = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    submission = InWorkers(kit, folder, name)
    assert grader.stdout.readline() == "loaded\n" and running(submission)
    grader.kill()
    grader.wait()
    grader.stdout.close()
    assert all_gone(submission)


@inside
def test_time_is_measured_by_the_grader(submit):
    source = "import time\n_sleep = time.sleep\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0\n"
    submission = submit(source + "def f():\n    _sleep(0.2)\n    return 0.0\n")
    submission.f()
    assert submission.elapsed >= 0.2


# ---- what is handed in beside the exercise ----

PLANTED = {
    "conftest.py": "import os; os._exit(0)\n",
    "toy/conftest.py": "def pytest_runtest_makereport(item, call): pass\n",
    "pytest.ini": "[pytest]\naddopts = --collect-only\n",
    "toy/pytest.ini": "[pytest]\npython_functions = nothing\n",
    "toy/test_keep.py": "def test_all(): pass\n",
    "toy/numpy.py": "argsort = None\n",
    "toy/wire.py": "1/0\n",
    "toy/sitecustomize.py": "1/0\n",
    "toy/evil.pth": "import os; os._exit(0)\n",
    "toy/__pycache__/keep.cpython-311.pyc": b"\x00" * 64,
    "toy/__pycache__/keep.f-1.py311.nbi": b"cos\nsystem\n(S'true'\ntR.",
    "toy/__pycache__/keep.f-1.py311.1.nbc": b"cos\nsystem\n(S'true'\ntR.",
    "toy/model.pkl": b"cos\nsystem\n(S'true'\ntR.",
}


def test_planted_files_change_nothing(tmp_path):
    assert points(graded(tmp_path, SOLUTION, **PLANTED)) == 3
    (tmp_path / "stub").mkdir()
    assert points(graded(tmp_path / "stub", "def keep(values, count):\n    return None\n", **PLANTED)) == 0


PATCHES = """
import sys
def keep(values, count):
    for name in list(sys.modules):
        if 'pytest' in name or 'numpy.testing' in name: sys.modules[name].__dict__.clear()
    import numpy as np
    np.argsort = np.sort = np.allclose = np.array_equal = lambda *a, **k: True
    import builtins
    builtins.abs = lambda x: 0
    import _pytest.reports
    _pytest.reports.TestReport.outcome = 'passed'
    return values[:count]
"""


@inside
def test_patching_the_test_framework_reaches_nobody(tmp_path):
    assert points(graded(tmp_path, PATCHES)) == 0


CHEATS = {
    "the answer is looked for in the tests": "import glob\nkeep = mean = lambda *a: glob.glob('/*/*/test_*.py')\n",
    "exit": "import os\nos._exit(0)\n",
    "equal to everything": "class E:\n    def __eq__(s, o): return True\nkeep = mean = lambda *a: E()\n",
}


@inside
@pytest.mark.parametrize("source", CHEATS.values(), ids=CHEATS)
def test_cheats_earn_nothing_and_the_record_says_why(tmp_path, source):
    record = graded(tmp_path, source)
    assert points(record) == 0
    assert all(r["outcome"] == "failed" and r["message"] for r in record["results"])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "there is no function keep"),
        (b"\xff\xfe\x00keep", "cannot be imported"),
        ("# -*- coding: latin-1 -*-\nname = 'ä'\nkeep = 1\n".encode("latin-1"), "there is no function keep"),
        ("name = 'ä'\n".encode("latin-1"), "cannot be imported"),
        (b"def keep(\n", "SyntaxError, line 1|SyntaxError"),
        (b"x = 1\0\n", "cannot be imported"),
        (b"import no_such_module\n", "ModuleNotFoundError"),
        (b"(" * 5000, "cannot be imported"),
        (b"keep = 3\n", "there is no function keep"),
        (b"def keep(): return 1\n", "TypeError"),
        (b"def keep(values, count): return list(values)\n", "should be a NumPy array, but is a list of 5"),
        (b"def keep(values, count): return values * float('nan')\n", "should have the shape"),
        (b"def keep(values, count): raise Exception('\\x1b[2J' + '<b>' * 500)\n", r"keep raised Exception"),
    ],
)
def test_files_that_do_not_work_earn_nothing_and_say_why(tmp_path, source, words):
    record = graded(tmp_path, source)
    assert points(record) == 0
    message = record["results"][0]["message"]
    assert "\x1b" not in message and len(message) < 500
    pytest.raises(AssertionError, _raise, message).match(words)


def _raise(message):
    raise AssertionError(message)


def test_what_a_function_says_of_hidden_inputs_does_not_get_out(tmp_path):
    source = "def keep(values, count):\n    raise ValueError(f'hidden {values!r}')\n"
    source += "class Hidden_0_5(Exception): pass\ndef mean(values):\n    raise Hidden_0_5(values)\n"
    public, hidden, mean = (result["message"] for result in graded(tmp_path, source)["results"])
    assert "hidden array" in public
    assert hidden == "keep raised ValueError (line 2 of your file)"
    assert mean == "mean raised Exception (line 5 of your file)"


# ---- hand-ins that are no plain files ----


@pytest.fixture
def handin(tmp_path):
    folder = tmp_path / "class" / "eve"
    (folder / "toy").mkdir(parents=True)
    return HandIn("eve", folder)


@pytest.fixture
def exercise(tmp_path):
    return write_exercise(tmp_path)


def refused(handin, exercise):
    with pytest.raises(Refused) as found:
        handin.read(exercise)
    return str(found.value)


def test_links_pipes_devices_and_folders_are_not_read(handin, exercise, tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("SECRET = 1")
    place = handin.path / "toy" / "keep.py"
    assert refused(handin, exercise) == "there is no toy/keep.py in the hand-in"
    place.symlink_to(secret)
    assert "no plain file" in refused(handin, exercise)
    place.unlink()
    os.mkfifo(place)
    assert "no plain file" in refused(handin, exercise)
    place.unlink()
    place.mkdir()
    assert "no plain file" in refused(handin, exercise)
    place.rmdir()
    if os.geteuid() == 0:
        os.mknod(place, 0o60644, 0x101)
        assert "no plain file" in refused(handin, exercise)
        place.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(place))
        assert "no plain file" in refused(handin, exercise)
    place.unlink()
    place.write_bytes(b"#" * (MAX_SOURCE + 1))
    assert "more than 1 MiB" in refused(handin, exercise)
    place.unlink()
    (handin.path / "toy").rmdir()
    (tmp_path / "toy" / "keep.py").write_text("SECRET = 1")
    (handin.path / "toy").symlink_to(tmp_path / "toy")
    assert "there is no toy/keep.py" in refused(handin, exercise)
    linked = tmp_path / "class" / "mallory"
    linked.symlink_to(tmp_path)
    assert "cannot be read" in refused(HandIn("mallory", linked), exercise)


def archive(tmp_path, *entries):
    path = tmp_path / "eve.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, data, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            stream.writestr(info, data)
    return HandIn("eve", path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_are_read_by_name_and_never_unpacked(exercise, tmp_path):
    good = ("toy/keep.py", b"keep = 1", 0o100644)
    assert archive(tmp_path, good).read(exercise) == b"keep = 1"
    assert archive(tmp_path, ("mine/toy/keep.py", b"1", 0o100644)).read(exercise) == b"1"
    assert archive(tmp_path, ("keep.py", b"2", 0)).read(exercise) == b"2"
    for name in "../toy/keep.py", "/toy/keep.py", "toy/../toy/keep.py", "toy\\keep.py", "TOY/KEEP.PY":
        assert "there is no toy/keep.py" in refused(archive(tmp_path, (name, b"", 0), ("other", b"", 0)), exercise)
    assert "no plain file" in refused(archive(tmp_path, ("toy/keep.py", b"/etc/passwd", 0o120777)), exercise)
    assert "twice" in refused(archive(tmp_path, good, good), exercise)
    assert "more than 1 MiB" in refused(archive(tmp_path, ("toy/keep.py", bytes(10**8), 0)), exercise)
    many = [(str(number), b"", 0) for number in range(10_001)]
    assert "more than 10000 entries" in refused(archive(tmp_path, *many), exercise)
    assert not list(tmp_path.glob("**/passwd"))


def test_damaged_archives_are_refused(exercise, tmp_path):
    good = archive(tmp_path, ("toy/keep.py", b"keep = 1\n" * 50, 0o100644))
    data, rng, kinds = good.path.read_bytes(), np.random.default_rng(0), set()
    for trial in range(300):
        changed = bytearray(data[: rng.integers(len(data))] if trial % 3 == 0 else data)
        for place in rng.integers(0, max(1, len(changed)), 3):
            if changed:
                changed[place] = rng.integers(256)
        good.path.write_bytes(changed)
        try:
            good.read(exercise)
        except Refused as problem:
            kinds.add(str(problem)[:20])
    assert kinds
    good.path.write_bytes(b"")
    assert "damaged" in refused(good, exercise)


def test_two_hand_ins_of_one_student_are_not_chosen_from(handin):
    handin.path.with_name("eve.zip").write_bytes(b"")
    with pytest.raises(CourseProblem, match="both a folder and a .zip"):
        find_handins(handin.path.parent)


# ---- when there is no sandbox ----


def test_without_a_sandbox_the_reason_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    (tmp_path / "submission").mkdir()
    with pytest.raises(sandbox.SandboxProblem, match="apt-get install bubblewrap"):
        sandbox.start(Kit.make((), tmp_path / "kit"), tmp_path / "submission", "a.py")
    assert "apt-get install bubblewrap" in sandbox.level.__wrapped__().detail


@inside
def test_a_sandbox_that_does_not_start_is_no_fault_of_the_submission(monkeypatch, tmp_path):
    command = sandbox._bwrap
    monkeypatch.setattr(sandbox, "_bwrap", lambda *a: [*command(*a)[:1], "--no-such-option"])
    exercise = write_exercise(tmp_path)
    (tmp_path / "class" / "eve").mkdir(parents=True)
    (tmp_path / "class" / "eve" / "keep.py").write_text(SOLUTION)
    (task,) = make_tasks(find_handins(tmp_path / "class"), [exercise], "", False, "bubblewrap")
    record = grade_one(task)
    assert {r["outcome"] for r in record["results"]} == {"grader_error"}
    assert "--no-such-option" in record["results"][0]["staff"] + record["error"]


def test_threads_do_not_mix_up_their_gradings(tmp_path):
    exercise = write_exercise(tmp_path)
    for number in range(4):
        (tmp_path / "class" / f"s{number}").mkdir(parents=True)
        source = SOLUTION if number % 2 else "keep = mean = lambda *a: None\n"
        (tmp_path / "class" / f"s{number}" / "keep.py").write_text(source)
    tasks = make_tasks(find_handins(tmp_path / "class"), [exercise], "", False, LEVEL.name)
    records = {}
    threads = [threading.Thread(target=lambda t=t: records.update({t.student: grade_one(t)})) for t in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {student: points(record) for student, record in records.items()} == {"s0": 0, "s1": 3, "s2": 0, "s3": 3}
